"""``enid why A B tcp/80``: can A reach B, and if not, which rule, route or gate says no."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from enid.cli import naming, show
from enid.cli.session import Problem, settings_of, store

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from enid.topology.reach import Hop, Verdict

_PLACES = "i-…, eni-…, nat-…, a Name tag, site/NAME, internet, or an IP address."


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Looking at the network")(why)


def why(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="A", help=f"Who sends: {_PLACES}", show_default=False)],
    destination: Annotated[str, typer.Argument(metavar="B", help="Whom; the same words.", show_default=False)],
    traffic: Annotated[str, typer.Argument(help="tcp/80, udp/53, icmp, or a protocol number.")] = "icmp",
    json: show.AsJson = False,
) -> None:
    """Say whether A can reach B, hop by hop. Exit code 0: yes; 1: no; 2: the question was not understood."""
    from enid.store.snapshot import world
    from enid.topology.places import UnknownPlace
    from enid.topology.reach import reach

    settings = settings_of(context)
    try:
        with store(settings) as database, database.read() as db:
            names = naming.labels(db).names
            ends = naming.place(db, source), naming.place(db, destination)
            verdict = reach(world(db, settings.host_id), *ends, traffic, _down(db) if settings.vpn == "ipsec" else ())
    except (Problem, UnknownPlace) as unclear:
        raise Problem(str(unclear), 2) from None  # 1 would say: blocked
    if json:
        show.as_json(_document(verdict))
    else:
        _print(verdict, names)
    raise typer.Exit(0 if verdict.reachable else 1)


def _down(db: Connection) -> list[str]:
    """VPN connections without a tunnel that is up."""
    from enid.store.status import tunnels

    return [id_ for id_, up in tunnels(db).items() if not any(up)]


def _document(verdict: Verdict) -> dict[str, object]:
    hops = [_step(hop) for hop in verdict.hops]
    return {"reachable": verdict.reachable, "reason": verdict.reason, "sentence": verdict.sentence, "hops": hops}


def _step(hop: Hop) -> dict[str, object]:
    step: dict[str, object] = {"component": hop.part, "id": hop.id, "passed": hop.passed, "says": hop.says}
    if is_dataclass(hop.by):
        step["by"] = {field.name: _plain(getattr(hop.by, field.name)) for field in fields(hop.by)}
    elif hop.by is not None:
        step["by"] = {"destination": str(hop.by), "kind": "local"}
    return step


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, int | str) else str(value)


def _print(verdict: Verdict, names: Mapping[str, str]) -> None:
    from rich.table import Table
    from rich.text import Text

    out = show.console()
    steps = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for hop in verdict.hops:
        mark = Text("✓", "good") if hop.passed else Text("✗", "bad")
        steps.add_row(mark, Text(hop.part.replace("-", " "), "dim"), Text(_named(hop.says, names)))
    out.print(steps)
    if verdict.reachable:
        out.print("reachable", style="good")
    else:
        out.print(Text.assemble(("blocked", "bad"), (f" ({verdict.reason}): ", "dim"), _named(verdict.sentence, names)))


def _named(says: str, names: Mapping[str, str]) -> str:
    """Ids with their names behind them."""
    return re.sub(
        r"\b[a-z]+-[0-9a-z-]+\b", lambda id_: id_[0] + (f" ({names[id_[0]]})" if id_[0] in names else ""), says
    )
