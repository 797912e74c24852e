"""``enid version`` and, as other programs have it, ``enid --version``."""

from __future__ import annotations

import typer

from enid.cli import show


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Running it")(version)


def version(json: show.AsJson = False) -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    number = installed("enid")
    if json:
        show.as_json({"enid": number})
    else:
        typer.echo(f"enid {number}")


def only(wanted: bool) -> None:
    """Print it and do nothing else, if that is ``wanted``."""
    if wanted:
        version()
        raise typer.Exit
