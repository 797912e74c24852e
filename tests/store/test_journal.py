"""The journal keeps an entry until every agent has said that it needs it no more."""

from __future__ import annotations

from sqlalchemy import Connection, delete

from enid.store import journal
from enid.store.database import Database
from enid.store.tables import hosts

NOW = "2026-01-02T03:04:05.678Z"


def left(db: Connection) -> list[journal.Key]:
    return journal.after(db, 0)[1]


def test_an_entry_is_kept_for_the_slowest_agent(database: Database) -> None:
    with database.write() as db:
        for host in ("fast", "slow"):
            journal.reached(db, host, journal.last(db), NOW)
        first = journal.last(db)
        journal.note(db, [("vpc", "vpc-1"), ("vpc", "vpc-2")])
        newest = journal.last(db)
        journal.reached(db, "fast", newest, NOW)
        assert left(db) == [("vpc", "vpc-1"), ("vpc", "vpc-2")]
        journal.reached(db, "slow", newest - 1, NOW)
        assert left(db) == [("vpc", "vpc-2")]
        assert first < newest


def test_an_agent_alone_keeps_nobody_waiting(database: Database) -> None:
    with database.write() as db:
        journal.note(db, [("vpc", "vpc-1")])
        journal.reached(db, "only", journal.last(db), NOW)
        assert left(db) == []
        journal.note(db, [("vpc", "vpc-2")])
        assert left(db) == [("vpc", "vpc-2")]


def test_an_agent_that_is_no_more_is_forgotten_with_its_row(database: Database) -> None:
    with database.write() as db:
        journal.reached(db, "gone", 0, NOW)
        journal.note(db, [("vpc", "vpc-1")])
        journal.reached(db, "here", journal.last(db), NOW)
        assert left(db) == [("vpc", "vpc-1")]
        db.execute(delete(hosts).where(hosts.c.id == "gone"))
        journal.reached(db, "here", journal.last(db), NOW)
        assert left(db) == []
