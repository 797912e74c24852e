"""``enid doctor``: what this machine lacks, and the exact command that mends it."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from enid.cli import show
from enid.cli.session import settings_of

if TYPE_CHECKING:
    from enid.cli.machine import Finding


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Running it")(doctor)


def doctor(
    context: typer.Context,
    rootless: Annotated[bool, typer.Option("--rootless", help="Look at it as `enid up --rootless` would.")] = False,
    json: show.AsJson = False,
) -> None:
    """Look at this machine: does it have what enid needs? Exit code 1: something needed is missing."""
    from enid.cli.machine import examine
    from enid.supervisor.control import running

    settings = settings_of(context)
    findings = list(examine(settings, rootless or os.geteuid() != 0, running(settings) is not None))
    sound = all(one.ok for one in findings if one.needed)
    if json:
        show.as_json({"ok": sound, "findings": [asdict(one) for one in findings]})
    else:
        _print(findings, sound)
    raise typer.Exit(0 if sound else 1)


def _print(findings: list[Finding], sound: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    out = show.console()
    rows = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for one in findings:
        mark = Text("✓", "good") if one.ok else Text("✗" if one.needed else "!", "bad" if one.needed else "instance")
        rows.add_row(mark, Text(one.what), Text(one.detail, "dim"))
        if not one.ok:
            rows.add_row("", "", Text(f"→ {one.fix}", "bold"))
    out.print(rows)
    out.print("enid can run here" if sound else "enid cannot run here yet", style="good" if sound else "bad")
