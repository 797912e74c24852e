"""``enid top``: what enid is doing now: calls, convergence, dropped packets, tracked flows, memory and processors."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from enid.cli import show
from enid.cli.environment import endpoint_of
from enid.cli.session import settings_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from enid.cli.scrape import Reading

WINDOW = 30.0
"""Seconds that the live view looks back. The agent writes its numbers every five."""


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Looking at the network")(top)


def top(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Print it once; figures are since the start.")] = False,
    interval: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2.0,
    json: show.AsJson = False,
) -> None:
    """Watch calls per second and what they take, convergence, dropped packets and the processes. Ctrl-C ends it."""
    from enid.cli.scrape import Span, summary

    endpoint = endpoint_of(settings_of(context))
    first = _look(endpoint)
    if json:
        show.as_json(summary(Span(None, first)))
    elif once or not show.console().is_terminal:
        show.console().print(_page(summary(Span(None, first)), "since the start"))
    else:
        _watch(endpoint, first, interval)


def _look(endpoint: str) -> Reading:
    import time

    from enid.cli.scrape import fetch, read

    return read(fetch(endpoint), time.time())


def _watch(endpoint: str, first: Reading, interval: float) -> None:
    """Until Ctrl-C. What is shown is of the last :data:`WINDOW`; at first, since the start."""
    import time

    from rich.live import Live

    from enid.cli.scrape import Span, summary

    seen = deque([first])
    with Live(
        _page(summary(Span(None, first)), "since the start"), console=show.console(), screen=True, auto_refresh=False
    ) as live:
        while True:
            time.sleep(interval)
            seen.append(_look(endpoint))
            while len(seen) > 2 and seen[-1].at - seen[1].at >= WINDOW:
                seen.popleft()
            length = seen[-1].at - seen[0].at
            live.update(_page(summary(Span(seen[0], seen[-1])), f"in the last {length:.0f} s"), refresh=True)


def _page(found: Mapping[str, Any], when: str) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    agent, conntrack = found["convergence"], found["conntrack"]
    head = Text.assemble(
        (f"{found['calls_per_second']:.1f} calls/s", "bold"), f", {found['calls_in_progress']} in progress  ",
        (when, "dim"),
    )  # fmt: skip
    flows = sum(conntrack["entries"].values())
    fullest = max(conntrack["entries"].values(), default=0)
    lines = [
        f"convergence  p50 {_ms(agent['p50'])}  p99 {_ms(agent['p99'])}  {agent['retries']} to retry"
        f"  (as of {agent['seconds_old']:.0f} s ago)",
        f"live         {agent['instances']} instances, {agent['interfaces']} interfaces",
        f"conntrack    {flows} flows, {fullest} in the fullest VPC, which may have {conntrack['limit']}",
    ]
    return Group(
        head,
        Text("\n".join(lines) + "\n"),
        _table(
            ("process", "memory", "cpu", "restarts"),
            (
                (row["process"], f"{row['memory'] / 2**20:.0f} MiB", f"{row['cpu']:.1%}", row["restarts"])
                for row in found["processes"]
            ),
        ),
        _table(
            ("operation", "calls", "per second", "p50", "p99"),
            (
                (row["operation"], row["calls"], f"{row['per_second']:.2f}", _ms(row["p50"]), _ms(row["p99"]))
                for row in found["operations"]
            ),
        ),
        _table(
            ("error", "operation", "answers"),
            ((row["code"], row["operation"], row["answers"]) for row in found["errors"]),
        ),
        _table(
            ("vpc", "dropped because", "packets", "per second"),
            ((row["vpc"], row["reason"], row["packets"], f"{row['per_second']:.1f}") for row in found["drops"]),
        ),
    )


def _table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> RenderableType:
    """Nothing at all where there are no rows. Only the first column of a table is words; the rest stand right."""
    from rich.table import Table
    from rich.text import Text

    result = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in columns:
        words = name in ("process", "operation", "error", "vpc", "dropped because")
        result.add_column(name.upper(), no_wrap=True, justify="left" if words else "right")
    for row in rows:
        result.add_row(*(Text(str(cell)) for cell in row))
    if not result.row_count:
        return Text("", end="")
    result.add_row()
    return result


def _ms(seconds: float | None) -> str:
    """``-`` where there was nothing to measure."""
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"
