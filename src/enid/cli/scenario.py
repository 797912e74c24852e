"""``enid demo``: the dual-homed management network, built and shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from enid.cli import show
from enid.cli.session import fresh_settings


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Running it")(demo)


def demo(
    context: typer.Context,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running at the end.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Write the picture as SVG to this file.")] = None,
    rootless: Annotated[bool, typer.Option("--rootless", help="Without root (default for a user).")] = False,
    json: show.AsJson = False,
) -> None:
    """Build a dual-homed network from nothing and prove it with real packets."""
    from enid.cli.demo import run

    without_root = True if rootless or os.geteuid() != 0 else None
    raise typer.Exit(run(fresh_settings(context, rootless=without_root), keep=keep, picture=picture, json=json))
