"""Reads as an eventually consistent service answers them: now and then, what was so a while ago.

For trying a tool against AWS's habit; nothing uses it unless ``ENID_SIMULATE__STALENESS`` is set.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import Connection

from enid.store.database import Database

_Snapshot = tuple[AbstractContextManager[Connection], Connection]


class StaleReads:
    """Half of the reads see the store as it was up to ``seconds`` ago; a snapshot is kept open for them."""

    def __init__(self, database: Database, seconds: float) -> None:
        self._database = database
        self._seconds = seconds
        self._turn = threading.Lock()
        self._snapshots: deque[_Snapshot] = deque([self._open()])
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._age, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Give the snapshots back."""
        self._ends.set()
        self._thread.join()
        for manager, _ in self._snapshots:
            manager.__exit__(None, None, None)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """As :meth:`Database.read`."""
        if random.random() < 0.5:
            with self._database.read() as connection:
                yield connection
        else:
            with self._turn:
                yield self._snapshots[0][1]

    def _open(self) -> _Snapshot:
        manager = self._database.read()
        connection = manager.__enter__()
        connection.exec_driver_sql("SELECT count(*) FROM accounts")  # what is seen is what is so at the first read
        return manager, connection

    def _age(self) -> None:
        while not self._ends.wait(self._seconds / 2):
            with self._turn:
                self._snapshots.append(self._open())
                if len(self._snapshots) > 2:
                    self._snapshots.popleft()[0].__exit__(None, None, None)
