"""What every command starts from: the settings, the store opened, and the words of its failures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from enid.settings import Settings
    from enid.store.database import Database

RUNNING_SETTINGS = "settings.json"
"""In the run directory: what the enid that is up was started with, so that later commands agree with it."""


class Problem(Exception):
    """Something a person can do something about; the message says what, in one sentence."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command ``enid`` itself."""

    state_dir: Path | None = None
    run_dir: Path | None = None
    debug: bool = False


def fresh_settings(context: typer.Context, **given: Any) -> Settings:
    """The settings to start an enid with: the environment's, changed by what the command line gives.

    :raises Problem: an ``ENID_…`` variable that makes no sense.
    """
    from pydantic import ValidationError

    from enid.settings import Settings

    options = context.find_object(Options) or Options()
    named = {"state_dir": options.state_dir, "run_dir": options.run_dir, **given}
    try:
        return Settings(**{name: value for name, value in named.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        where = "__".join(str(part) for part in first["loc"])
        raise Problem(f"the setting ENID_{where.upper()} is not valid: {first['msg']}", 2) from None


def settings_of(context: typer.Context) -> Settings:
    """The settings of the enid that is up; where none is, those it would be started with."""
    from enid.settings import Settings

    own = fresh_settings(context)
    try:
        return Settings.model_validate_json((own.run_dir / RUNNING_SETTINGS).read_text())
    except (OSError, ValueError):
        return own


@contextmanager
def store(settings: Settings) -> Iterator[Database]:
    """The store, opened.

    :raises Problem: there is none, or it is somebody else's.
    """
    from enid.store.database import Database

    if not settings.database_url:
        _look_at(settings.state_dir / "store" / "enid.db", settings)
    database = Database(settings.url)
    try:
        yield database
    finally:
        database.close()


def _look_at(path: Path, settings: Settings) -> None:
    """A missing or foreign SQLite file has a sentence of its own; SQLite would make an empty one."""
    try:
        path.stat()
    except FileNotFoundError:
        raise Problem(f"there is no enid in {settings.state_dir} yet: start one with `enid up`{_roots()}") from None
    except PermissionError:
        raise Problem(f"the enid in {settings.state_dir} is not yours: try `sudo enid …`") from None
    if not os.access(path, os.R_OK | os.W_OK):
        raise Problem(f"the store {path} is not yours: try `sudo enid …`")


def _roots() -> str:
    if os.geteuid() and Path("/run/enid/supervisor.pid").exists():
        return ", or speak to root's, which is up, with `sudo enid …`"
    return ""


def sentence(error: Exception) -> str:
    """An error as one sentence, with what to do where that is known."""
    from sqlalchemy.exc import DatabaseError

    from enid.supervisor import UpError

    if isinstance(error, UpError):
        return str(error)
    if isinstance(error, PermissionError):
        whose = f" {error.filename}" if error.filename else " this"
        return f"no permission for{whose}: try `sudo enid …`"
    if isinstance(error, DatabaseError):
        reason = str(error.orig).splitlines()[0]
        if "no such table" in reason:
            return "the store is empty or of another version: `enid up` brings it up to date"
        return f"the store does not answer: {reason}"
    if isinstance(error, ModuleNotFoundError):
        return f"this installation lacks {error.name}: install enid again"
    words = str(error).splitlines()
    return f"{words[0] if words else type(error).__name__} (`--debug` shows where)"
