"""Connections and transactions: SQLite by default (WAL, ``synchronous=FULL``), PostgreSQL by URL, one code.

A write transaction takes SQLite's write lock at its start (``BEGIN IMMEDIATE``) so that what it read stays true; on
PostgreSQL it is SERIALIZABLE, and a serialization failure is raised as :class:`Conflict` for the caller to try again.
Readers never wait for writers on either.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

from enid.store.tables import metadata


class Conflict(Exception):
    """Another transaction won; nothing was written; try again."""


_SERIALIZATION_FAILURES = {"40001", "40P01"}


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

    def create(self) -> None:
        """Make the tables that are missing (tests; a real store goes through the migrations)."""
        metadata.create_all(self.engine)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent snapshot; never waits for a writer, and never meets a :class:`Conflict`."""
        with self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            else:  # SERIALIZABLE may refuse even a reader
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            try:
                yield connection
            finally:
                connection.rollback()
                if self.is_sqlite:
                    _end(connection, "ROLLBACK")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that commits when the block ends without an exception.

        :raises Conflict: PostgreSQL could not serialize it.
        """
        try:
            with self.engine.connect() as connection:
                if self.is_sqlite:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    connection.rollback()
                    if self.is_sqlite:
                        _end(connection, "ROLLBACK")
                    raise
                if self.is_sqlite:
                    _end(connection, "COMMIT")
                else:
                    connection.commit()
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) in _SERIALIZATION_FAILURES:
                raise Conflict from error
            raise

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()


def _end(connection: Connection, word: str) -> None:
    """Commit or roll back on the driver's connection: SQLAlchemy thinks it is in autocommit."""
    driver = connection.connection.driver_connection
    assert driver is not None
    if driver.in_transaction:
        driver.execute(word)


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(
        url, poolclass=QueuePool, pool_size=20, connect_args={"check_same_thread": False, "timeout": 30}
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
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine
