"""The command tree, the options that every command takes, and the one place where a failure becomes a sentence."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from enid.cli import (
    account,
    doctor,
    enter,
    environment,
    flow_logs,
    net,
    orphans,
    ps,
    scenario,
    site,
    top,
    up,
    version,
    why,
    why_not_delete,
)
from enid.cli.session import Options, Problem, sentence

app = typer.Typer(
    name="enid",
    help="AWS elastic network interfaces, real on your own Linux.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    up,
    environment,
    scenario,
    enter,
    ps,
    top,
    net,
    why,
    why_not_delete,
    orphans,
    flow_logs,
    doctor,
    version,
):
    module.register(app)
app.add_typer(site.app, name="site", rich_help_panel="The world outside")
app.add_typer(account.app, name="account", rich_help_panel="Who may ask")


@app.callback()
def _options(
    context: typer.Context,
    state_dir: Annotated[
        Path | None, typer.Option(help="What survives a reboot: database, disks. Also [cyan]ENID_STATE_DIR[/].")
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Sockets and namespaces of the running enid. Also [cyan]ENID_RUN_DIR[/].")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=version.only, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The first three may stand anywhere before a `--`."""
    context.obj = Options(state_dir, run_dir, debug)


def run(arguments: Sequence[str]) -> int:
    """Carry out a command line; its exit code: 0 done, 1 failed, 2 not understood, else the executed command's own."""
    ordered = _globals_first(arguments)
    try:
        app(ordered, prog_name="enid")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        return 130
    except Problem as problem:
        print(f"enid: {problem}", file=sys.stderr)
        return problem.code
    except Exception as error:
        if "--debug" in ordered:
            raise
        print(f"enid: {sentence(error)}", file=sys.stderr)
        return 1
    return 0


def _globals_first(arguments: Sequence[str]) -> list[str]:
    """``enid up --state-dir X`` means ``enid --state-dir X up``."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    words, front, rest = iter(arguments[:end]), [], []
    for word in words:
        if word in ("--state-dir", "--run-dir"):
            front += [word, *([value] if (value := next(words, None)) is not None else [])]
        elif word == "--debug" or word.startswith(("--state-dir=", "--run-dir=")):
            front.append(word)
        else:
            rest.append(word)
    return [*front, *rest, *arguments[end:]]
