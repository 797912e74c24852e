"""``enid up`` and ``enid down``. Keeping processes alive is the supervisor's; here are only its words."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from enid.cli import show
from enid.cli.session import RUNNING_SETTINGS, fresh_settings, settings_of

if TYPE_CHECKING:
    from enid.settings import Settings

_PANEL = "Running it"


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel=_PANEL)(up)
    app.command(rich_help_panel=_PANEL)(down)


def up(
    context: typer.Context,
    rootless: Annotated[
        bool,
        typer.Option("--rootless", help="Run in a user namespace and touch nothing of the host (default for a user)."),
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when everything is up.")] = False,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Where the EC2 API listens.")] = None,
    listen: Annotated[str | None, typer.Option(help="On which address the EC2 API listens.")] = None,
) -> None:
    """Start enid: the EC2 API and the network behind it."""
    from enid.supervisor import UpError, control
    from enid.supervisor import up as start

    without_root = True if rootless or os.geteuid() != 0 else None
    settings = fresh_settings(context, port=port, listen=listen, rootless=without_root)
    if control.running(settings):
        raise UpError(f"enid is up already (run directory {settings.run_dir}); `enid down` takes it down")
    _remember(settings)
    err = show.console(stderr=True)
    try:
        if not detach:
            err.print(_welcome(settings), style="dim")
            raise typer.Exit(start(settings, detach=False))
        with err.status("starting enid …"):
            code = start(settings, detach=True)
    except UpError:
        (settings.run_dir / RUNNING_SETTINGS).unlink(missing_ok=True)
        raise
    err.print(f"[good]enid is up[/] on http://{settings.listen}:{settings.port}")
    err.print(_welcome(settings), style="dim")
    raise typer.Exit(code)


def down(context: typer.Context) -> None:
    """Stop everything and remove every namespace. The store and the instances' disks stay."""
    from enid.supervisor import down as stop

    settings = settings_of(context)
    err = show.console(stderr=True)
    with err.status("stopping enid …"):
        code = stop(settings)
    err.print("enid is down" if code == 0 else "enid was not up", style="dim")
    raise typer.Exit(code)


def _remember(settings: Settings) -> None:
    """Later commands read what this enid was started with; it may hold a database's password."""
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    path = settings.run_dir / RUNNING_SETTINGS
    path.touch(mode=0o600)
    path.write_text(settings.model_dump_json())


def _welcome(settings: Settings) -> str:
    sudo = "sudo " if os.geteuid() == 0 and os.environ.get("SUDO_USER") else ""
    stop = "`enid down` or Ctrl-C stops it" if sudo == "" else f"`{sudo}enid down` stops it"
    return f'In a shell: eval "$({sudo}enid env)" and then aws ec2 …; {stop}. State: {settings.state_dir}'
