"""What is PostgreSQL's alone: many writers at once, and a whole enid on it.

That operations and the reconciler do the same as on SQLite is what their own tests say: they run on both.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import InternalError, OperationalError

from enid.store import journal
from enid.store.database import Conflict, Database
from enid.store.migrate import migrate
from enid.store.tables import accounts, metadata
from postgresql_server import Store, empty_database
from whole_enid import running_enid

pytestmark = pytest.mark.postgresql


@pytest.fixture
def store(postgresql_store: Store) -> Iterator[Database]:
    """An empty store."""
    postgresql_store.clear()
    database = Database(postgresql_store.url)
    yield database
    database.close()


def test_a_migrated_store_has_the_tables_of_this_version(postgresql: str) -> None:
    with empty_database(postgresql) as url:
        database = Database(url)
        migrate(database)
        migrate(database)
        with database.read() as db:
            assert compare_metadata(MigrationContext.configure(db), metadata) == []
        database.close()


def test_of_two_writers_that_contradict_each_other_one_meets_a_conflict(store: Database) -> None:
    with store.write() as db:
        db.execute(insert(accounts).values(id="1", created_at="x"))

    def write_late() -> None:
        with store.write() as slow:
            slow.execute(select(accounts)).all()
            with store.write() as fast:
                fast.execute(update(accounts).values(created_at="fast"))
            slow.execute(update(accounts).values(created_at="slow"))

    with pytest.raises(Conflict):
        write_late()
    with store.read() as db:
        assert db.execute(select(accounts.c.created_at)).scalar_one() == "fast"


def test_a_writer_alone_waits_for_the_others_and_meets_no_conflict(store: Database) -> None:
    """What they wrote it sees, although it asked before they were done."""
    with store.write() as db:
        db.execute(insert(accounts).values(id="1", created_at=""))

    def write() -> None:
        with store.write(alone=True) as db:
            found = db.execute(select(accounts.c.created_at)).scalar_one()
            db.execute(update(accounts).values(created_at=found + "a"))

    with ThreadPoolExecutor(8) as threads:
        with store.write() as slow:
            slow.execute(update(accounts).values(created_at="slow "))
            asked = [threads.submit(write) for _ in range(8)]
            wait_for_locks(store, 8)
        for each in asked:
            each.result(30)
    with store.read() as db:
        assert db.execute(select(accounts.c.created_at)).scalar_one() == "slow aaaaaaaa"


def wait_for_locks(store: Database, number: int) -> None:
    """Until so many transactions wait for a table."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'")
    deadline = time.monotonic() + 30
    found = 0
    while found < number:
        assert time.monotonic() < deadline
        with store.read() as db:
            found = db.execute(waiting).scalar_one()


def test_a_reader_sees_one_moment_and_cannot_write(store: Database) -> None:
    with store.read() as reader:
        assert reader.execute(select(accounts)).all() == []
        with store.write() as db:
            db.execute(insert(accounts).values(id="1", created_at=""))
        assert reader.execute(select(accounts)).all() == []
    with pytest.raises(InternalError, match="read-only"), store.read() as reader:
        reader.execute(insert(accounts).values(id="2", created_at=""))
    with store.write() as db:  # and the connection it had can write again
        db.execute(insert(accounts).values(id="2", created_at=""))


def test_journal_entries_become_visible_in_the_order_of_their_numbers(store: Database) -> None:

    def note_second() -> None:
        with store.write() as second:
            second.execute(text("SET LOCAL lock_timeout = 50"))
            journal.note(second, [("vpc", "vpc-2")])  # has to wait for the first one's commit

    with store.write() as first:
        journal.note(first, [("vpc", "vpc-1")])
        with pytest.raises(OperationalError, match="lock timeout"):
            note_second()
    with store.read() as db:
        assert journal.after(db, 0)[1] == [("vpc", "vpc-1")]


def test_writers_at_once_lose_no_journal_entry(store: Database) -> None:
    """A reader that follows the journal while eight threads write to it."""
    seen: list[journal.Key] = []
    done = threading.Event()

    def follow() -> None:
        seq, last = 0, False
        while not last:
            last = done.is_set()
            with store.read() as db:
                seq, keys = journal.after(db, seq)
            seen.extend(keys)

    def write(thread: int) -> None:
        for number in range(25):
            with store.write() as db:
                db.execute(text("SELECT 1"))
                journal.note(db, [("vpc", f"vpc-{thread}-{number}")])

    follower = threading.Thread(target=follow)
    follower.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(8)))
    finally:
        done.set()
        follower.join(20)
    assert sorted(seen) == sorted(("vpc", f"vpc-{thread}-{number}") for thread in range(8) for number in range(25))


@pytest.mark.root
def test_a_whole_enid_runs_on_it(postgresql: str) -> None:
    with empty_database(postgresql) as url, running_enid(database_url=url) as enid:
        subnet = enid.subnet()
        (instance,) = enid.launch(subnet)
        (peer,) = enid.launch(subnet)
        ip = peer["PrivateIpAddress"]
        assert "1 received" in enid.run(instance["InstanceId"], "ping", "-c", "1", "-W", "5", ip)
