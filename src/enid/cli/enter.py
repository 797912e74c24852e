"""``enid exec``, ``enid crash``, ``enid console``: into a machine, out of it the hard way, and what it said."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from enid.cli import naming
from enid.cli.session import Problem, settings_of, store

if TYPE_CHECKING:
    from enid.settings import Settings

_PANEL = "Instances"
_SHELL = ["/bin/sh", "-l"]
_INSTANCE = re.compile("i-[0-9a-f]{17}")
_VERBATIM = {"ignore_unknown_options": True, "allow_interspersed_args": False}


def register(app: typer.Typer) -> None:
    app.command("exec", rich_help_panel=_PANEL, context_settings=_VERBATIM)(execute)
    app.command(rich_help_panel=_PANEL)(crash)
    app.command(rich_help_panel=_PANEL)(console)


def execute(
    context: typer.Context,
    target: Annotated[str, typer.Argument(help="i-…, a Name tag, or site/NAME.", show_default=False)],
    command: Annotated[
        list[str] | None, typer.Argument(help="After `--`; a shell by default.", show_default=False)
    ] = None,
) -> None:
    """Run a command inside an instance or at a site; its exit code is the command's."""
    settings = settings_of(context)
    words = command or []
    argv = (words[1:] if words[:1] == ["--"] else words) or _SHELL
    from enid.guest.enter import NotRunning, enter, exec_in_namespace

    try:
        if target.startswith(naming.SITE):
            raise typer.Exit(exec_in_namespace(settings.run_dir, _site(settings, target), argv))
        raise typer.Exit(enter(settings.run_dir, _running(settings, target), argv))
    except NotRunning as absent:
        raise Problem(f"{absent}: is enid up, on this host?") from None


def crash(
    context: typer.Context,
    target: Annotated[str, typer.Argument(help="i-… or a Name tag.", show_default=False)],
) -> None:
    """Kill an instance without telling anyone, as failed hardware would.

    Its interfaces stay in-use and its status checks turn impaired: moving them is your automation's work.
    """
    settings = settings_of(context)
    instance = _running(settings, target)
    from enid.guest.enter import NotRunning
    from enid.guest.enter import crash as kill

    try:
        kill(settings.run_dir, instance)
    except NotRunning as absent:
        raise Problem(f"{absent}: has it crashed already?") from None
    typer.echo(f"{instance} has crashed; its interfaces stay in-use until someone moves them", err=True)


def console(
    context: typer.Context,
    target: Annotated[str, typer.Argument(help="i-… or a Name tag.", show_default=False)],
) -> None:
    """Print an instance's console: its boot and its user data's output."""
    settings = settings_of(context)
    with store(settings) as database, database.read() as db:
        instance = naming.instance(db, target)
    try:
        # The instance's root may write there: follow no link, and send no control sequence to this terminal.
        descriptor = os.open(settings.instances_dir / instance / "console.log", os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise Problem(f"{instance} has no console yet: it has not booted") from None
    with os.fdopen(descriptor, errors="replace") as log:
        typer.echo("".join(letter for letter in log.read() if letter.isprintable() or letter in "\n\t"), nl=False)


def site_namespace(settings: Settings, name: str) -> Path:
    """Where the fabric pins a site's network namespace."""
    return settings.run_dir / "netns" / f"site-{name}"


# The store takes a second to open: it is asked only for what cannot be seen from the run directory, and for why not.


def _site(settings: Settings, target: str) -> Path:
    """The namespace of ``site/NAME``."""
    name = target.removeprefix(naming.SITE)
    if not (naming.SITE_NAME.fullmatch(name) and site_namespace(settings, name).exists()):
        with store(settings) as database, database.read() as db:
            naming.site(db, target)
    return site_namespace(settings, name)


def _running(settings: Settings, target: str) -> str:
    """The id of an instance that runs."""
    from enid.guest import records

    if _INSTANCE.fullmatch(target):
        record = records.read(records.path_of(settings.run_dir, target))
        if record is not None and record.state == records.RUNNING and record.alive:
            return target
    from sqlalchemy import select

    from enid.store import tables as t

    with store(settings) as database, database.read() as db:
        instance = naming.instance(db, target)
        row = db.execute(select(t.instances.c.state, t.instances.c.health).where(t.instances.c.id == instance)).one()
    if row.state != "running":
        raise Problem(f"{instance} is {row.state}, not running")
    return instance
