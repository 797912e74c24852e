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
    from sqlalchemy import Connection

    from enid.settings import Settings

_PANEL = "Instances"
_SHELL = ["/bin/sh", "-l"]
_INSTANCE, _SITE = re.compile("i-[0-9a-f]{17}"), re.compile("[A-Za-z0-9_-]+")
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
    site, instance = _here(settings, target) or _known(settings, target)
    from enid.guest.enter import NotRunning, enter, exec_in_namespace

    try:
        if instance:
            raise typer.Exit(enter(settings.run_dir, instance, argv))
        raise typer.Exit(exec_in_namespace(settings.run_dir, site_namespace(settings, str(site)), argv))
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
    _, instance = _here(settings, target) or _known(settings, target)
    if instance is None:
        raise Problem(f"{target} is a site, and no instance", 2)
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


def _here(settings: Settings, target: str) -> tuple[str | None, str | None] | None:
    """The site or the instance of this name, if it can be seen from the run directory: the store takes a second to
    open, and is asked only for other names, and for why not."""
    from enid.guest import records

    if _INSTANCE.fullmatch(target):
        record = records.read(records.path_of(settings.run_dir, target))
        return (None, target) if record is not None and record.state == records.RUNNING and record.alive else None
    name = target.removeprefix("site/")
    if name != target and _SITE.fullmatch(name) and site_namespace(settings, name).exists():
        return name, None
    return None


def _known(settings: Settings, target: str) -> tuple[str | None, str | None]:
    with store(settings) as database, database.read() as db:
        site = naming.site(db, target)
        return site, None if site else _running(db, target)


def _running(db: Connection, target: str) -> str:
    from sqlalchemy import select

    from enid.store import tables as t

    instance = naming.instance(db, target)
    row = db.execute(select(t.instances.c.state, t.instances.c.health).where(t.instances.c.id == instance)).one()
    if row.state != "running":
        raise Problem(f"{instance} is {row.state}, not running")
    return instance
