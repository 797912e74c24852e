"""Connections and transactions: SQLite by default (WAL, ``synchronous=FULL``), PostgreSQL by URL, one code.

A write transaction takes SQLite's write lock at its start (``BEGIN IMMEDIATE``) so that what it read stays true, and
writers of one process share commits (:mod:`enid.store.writers`). On PostgreSQL it is SERIALIZABLE, with others at the
same time, and a serialization failure is raised as :class:`Conflict` for the caller to try again: alone, which does not
fail. Readers never wait for writers on either.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

from enid.store import statistics, tallies
from enid.store.writers import Writers, driver


class Conflict(Exception):
    """Another transaction won; nothing was written; try again."""


_SERIALIZATION_FAILURES = {"40001", "40P01"}
_AMONG_OTHERS, _ALONE = (text(f"LOCK TABLE accounts IN {mode} MODE") for mode in ("ROW SHARE", "EXCLUSIVE"))
"""Taken first: unlike any other statement, LOCK TABLE does not yet fix what the transaction sees. The table stands for
the store; whoever reads it does not wait."""
_STATEMENTS = 512
"""Prepared ones that a connection keeps."""
_MAPPED = 1 << 30
"""Bytes of the database that are read where they lie: a write of another process invalidates all that was copied."""
_LONGEST_LOG = 8000
"""Pages in SQLite's log at which a commit moves them into the database itself: 32 MB, if :meth:`Database.checkpoint`
has not come in time."""


def prepare(db: Connection) -> None:
    """What a schema needs beside its tables."""
    statistics.tell(db)
    tallies.keep(db)


class Database:
    """The store, opened. Thread-safe; one per process."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            if parsed.database and parsed.database != ":memory:":
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            self.engine = _sqlite_engine(url)
        else:
            self.engine = create_engine(
                parsed.set(drivername="postgresql+psycopg"), pool_size=20, isolation_level="SERIALIZABLE"
            )
        self.writers = Writers(self.engine.connect)
        self._idle: list[Connection] = []

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent snapshot; never waits for a writer, and never meets a :class:`Conflict`."""
        with self._reader() if self.is_sqlite else self.engine.connect() as connection:
            if self.is_sqlite:
                connection.begin()
                driver(connection).execute("BEGIN")
            else:  # SERIALIZABLE may refuse even a reader
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            try:
                yield connection
            finally:
                connection.rollback()

    @contextmanager
    def write(self, *, alone: bool = False) -> Iterator[Connection]:
        """A transaction that is committed when the block has ended without an exception.

        :param alone: wait for all other writers, and let them wait: then there is no :class:`Conflict`.
        :raises Conflict: PostgreSQL could not serialize it.
        """
        with self.change_schema() as connection:
            if not self.is_sqlite:
                connection.execute(_ALONE if alone else _AMONG_OTHERS)
            yield connection

    @contextmanager
    def change_schema(self) -> Iterator[Connection]:
        """As :meth:`write`, for a store that has no tables yet, or not these.

        :raises Conflict: PostgreSQL could not serialize it.
        """
        if self.is_sqlite:
            with self.writers.transaction() as connection:
                yield connection
            return
        try:
            with self.engine.connect() as connection:
                yield connection
                connection.commit()
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) in _SERIALIZATION_FAILURES:
                raise Conflict from error
            raise

    def checkpoint(self) -> None:
        """Move what SQLite's log holds into the database proper, so that no commit has to. Disturbs nobody."""
        if self.is_sqlite:
            with self._reader() as connection:
                driver(connection).execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def close(self) -> None:
        """Give every connection back."""
        self.writers.close()
        while self._idle:
            self._idle.pop().close()
        self.engine.dispose()

    @contextmanager
    def _reader(self) -> Iterator[Connection]:
        """A connection of SQLite's, the one used last first: it knows the statements, and its way to the pool and back
        would cost as much as a query."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self.engine.connect()
        try:
            yield connection
        finally:
            self._idle.append(connection)


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=20,
        pool_reset_on_return=None,  # a transaction is ended by whoever began it
        connect_args={"check_same_thread": False, "timeout": 30, "cached_statements": _STATEMENTS},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "case_sensitive_like=ON",
            "cache_size=-65536",
            "temp_store=MEMORY",
            f"mmap_size={_MAPPED}",
            f"wal_autocheckpoint={_LONGEST_LOG}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine
