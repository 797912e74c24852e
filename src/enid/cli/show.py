"""How answers look: tables and colours for a person, JSON for a script."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

_ROLES = {
    "internet": "cyan", "internet-name": "bold cyan", "site": "magenta", "site-name": "bold magenta",
    "vpc": "green", "vpc-name": "bold green", "subnet": "blue", "subnet-name": "bold blue", "table": "blue",
    "instance": "yellow", "instance-name": "bold yellow", "device": "bold", "address": "default", "public": "cyan",
    "group": "green", "port-name": "default", "id": "dim", "dim": "dim", "warning": "bold red",
    "good": "green", "bad": "bold red",
}  # fmt: skip
_WIDE = 1000
_STATES = {"running": "good", "ok": "good", "attached": "good", "impaired": "bad", "stopped": "dim"}


def console(stderr: bool = False) -> Console:
    """Colours only on a terminal without NO_COLOR. A pipe is wide: nothing is cut or wrapped there."""
    from rich.console import Console
    from rich.theme import Theme

    result = Console(theme=Theme(_ROLES), stderr=stderr, highlight=False)
    if not result.is_terminal:
        result.width = _WIDE
    return result


def as_json(value: Any) -> None:
    """One JSON document on stdout."""
    typer.echo(json.dumps(value, indent=2, default=str))


def table(rows: Sequence[Mapping[str, Any]], columns: Iterable[str], empty: str) -> None:
    """Rows under headings; ``empty`` says what to do where there are none. A list is one line each."""
    from rich.table import Table
    from rich.text import Text

    out = console()
    if not rows:
        out.print(empty, style="dim")
        return
    result = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    names = list(columns)
    for name in names:
        result.add_column(name.upper().replace("_", " "), no_wrap=True)
    for row in rows:
        cells = [row[name] for name in names]
        result.add_row(*(Text(_cell(cell), style=_STATES.get(str(cell), "")) for cell in cells))
    out.width = _WIDE  # a narrow terminal wraps a line: better than an id cut short
    out.print(result)


def _cell(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "\n".join(str(part) for part in value)
    return "" if value is None else str(value)
