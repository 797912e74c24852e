"""Simulated eventual consistency: old answers now and then, and the truth in the end."""

from __future__ import annotations

import time
from contextlib import closing

from sqlalchemy import insert, select

from enid.store.database import Database
from enid.store.staleness import StaleReads
from enid.store.tables import sites


def test_a_write_is_seen_by_some_reads_at_once_and_by_all_in_the_end(database: Database) -> None:
    def seen() -> bool:
        with stale.read() as db:
            return db.execute(select(sites.c.name)).first() is not None

    with closing(StaleReads(database, 0.5)) as stale:
        with database.write() as db:
            db.execute(insert(sites).values(name="office", public_ip="198.18.0.9"))
        assert {seen() for _ in range(50)} == {True, False}
        deadline = time.monotonic() + 10
        while not all(seen() for _ in range(50)):
            assert time.monotonic() < deadline
