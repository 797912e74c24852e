"""SQLite stores that cost a test next to nothing: copies of one that is made once, and nobody waits for the disk."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import event

from enid.settings import Settings
from enid.store.database import Database, prepare
from enid.store.tables import metadata


def fresh_store(settings: Settings) -> Database:
    """An empty store at the settings' place, opened."""
    database = Database(settings.url)
    Path(database.engine.url.database or "").write_bytes(_empty())

    @event.listens_for(database.engine, "connect")
    def _do_not_wait(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    return database


class SqliteStore:
    """A store for one test after the other: it stays open, so SQLAlchemy keeps the statements it has compiled."""

    def __init__(self, directory: Path) -> None:
        self._empty = directory / "empty.db"
        self._empty.write_bytes(_empty())
        self.database = fresh_store(Settings(state_dir=directory))
        self.url = self.database.engine.url.render_as_string()

    def clear(self) -> None:
        """As it was in the beginning."""
        path = self.database.engine.url.database or ""
        with closing(sqlite3.connect(self._empty)) as empty, closing(sqlite3.connect(path)) as store:
            empty.backup(store)

    def close(self) -> None:
        self.database.close()


@cache
def _empty() -> bytes:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "enid.db"
        database = Database(f"sqlite:///{path}")
        metadata.create_all(database.engine)  # what the migrations make, at once
        with database.write() as db:
            prepare(db)
        database.close()
        return path.read_bytes()
