"""The writers of one process on SQLite: who comes while another one is at work shares its transaction.

A commit waits for the disk, and SQLite has one writer at a time: committed one by one, calls would queue for the disk.
So whoever finds others waiting leaves the commit to them. Each works alone, in turn, on the one connection; from the
second on within a savepoint, so that a call that fails takes back its own work and nothing else. All of them wait until
the one commit is on the disk, and fail if it does: also those that failed by themselves, since what made them fail may
be another one's work that no reader sees yet.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

MOST = 8
"""Members of one transaction: more gain little, and the first waits for the work of all."""


def driver(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection below SQLAlchemy's."""
    found = connection.connection.driver_connection
    assert isinstance(found, sqlite3.Connection)
    return found


class _Shared:
    """One transaction, and how it ended."""

    def __init__(self, connection: Connection) -> None:
        connection.begin()
        self.connection = connection
        self.driver = driver(connection)
        self.driver.execute("BEGIN IMMEDIATE")
        self.members = 0
        self.ended = threading.Event()
        self.error: Exception | None = None

    def admit(self) -> None:
        self.members += 1
        if self.members > 1:
            self.driver.execute("SAVEPOINT member")

    def dismiss(self, *, keep: bool) -> None:
        """End the latest member's part."""
        try:
            if not self.driver.in_transaction:  # SQLite ends it by itself when the disk is full or fails
                raise sqlite3.OperationalError("the transaction was rolled back")
            if self.members == 1:
                if not keep:
                    self.driver.execute("ROLLBACK")
                return
            if not keep:
                self.driver.execute("ROLLBACK TO member")
            self.driver.execute("RELEASE member")
        except sqlite3.Error as error:
            self._fail(error)

    def end(self) -> None:
        try:
            self.connection.commit()
        except (sqlite3.Error, DBAPIError) as error:
            self._fail(error)
        self.ended.set()

    def await_end(self) -> None:
        """:raises sqlite3.OperationalError: nothing of it stays."""
        self.ended.wait()
        if self.error is not None:
            raise sqlite3.OperationalError(str(self.error)) from self.error

    def _fail(self, error: Exception) -> None:
        """Nothing of any member stays."""
        self.error = error
        with suppress(sqlite3.Error, DBAPIError):
            self.connection.rollback()


class Writers:
    """Thread-safe; one per process and store."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._turn = threading.Lock()
        """Its holder works on the connection and may look at what is below."""
        self._shared: _Shared | None = None
        """A transaction that was left to those who wait."""
        self._waiting = 0
        self._counting = threading.Lock()
        self.commits = 0
        """Transactions that reached the disk."""
        self.writes = 0
        """Their members, those that took back their own work among them."""

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that is on the disk when the block has ended without an exception.

        :raises sqlite3.OperationalError: it could not be had, or not be committed.
        """
        shared = self._join()
        try:
            yield shared.connection
        except BaseException:
            self._leave(shared, keep=False)
            shared.await_end()
            raise
        self._leave(shared, keep=True)
        shared.await_end()

    def close(self) -> None:
        """Nobody is at work any more."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _join(self) -> _Shared:
        with self._counting:
            self._waiting += 1
        try:
            self._turn.acquire()
        finally:
            with self._counting:
                self._waiting -= 1
        try:
            shared, self._shared = self._shared or self._begin(), None
            shared.admit()
        except BaseException:
            self._turn.release()
            raise
        return shared

    def _begin(self) -> _Shared:
        if self._connection is None:
            self._connection = self._connect()
        try:
            return _Shared(self._connection)
        except BaseException:
            self._connection.rollback()
            raise

    def _leave(self, shared: _Shared, *, keep: bool) -> None:
        """Commit, unless somebody waits who will."""
        try:
            shared.dismiss(keep=keep)
            if shared.driver.in_transaction and self._waiting and shared.members < MOST:
                self._shared = shared
            else:
                shared.end()
                if shared.error is None:
                    self.commits += 1
                    self.writes += shared.members
        finally:
            self._turn.release()
