"""Writers that share a commit: each has all of its own work on the disk or none, and knows which."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, insert, select

from enid.settings import Settings
from enid.store import writers
from enid.store.database import Database
from enid.store.tables import accounts
from enid.store.writers import driver
from fresh_store import fresh_store


class Refused(Exception):
    pass


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    made = fresh_store(Settings(state_dir=tmp_path))
    yield made
    made.close()


def ids(store: Database) -> list[str]:
    with store.read() as db:
        return sorted(db.execute(select(accounts.c.id)).scalars())


def commits(store: Database, work: Callable[[], object]) -> int:
    """How often SQLite is asked to commit meanwhile."""
    found = []

    def count(_: object) -> None:
        found.append(1)

    event.listen(store.engine, "commit", count)
    work()
    event.remove(store.engine, "commit", count)
    return len(found)


def together(store: Database, *calls: Callable[[Connection], None]) -> list[Future[None]]:
    """Run these in this order, the first waiting inside its transaction until all others queue."""
    queue = store.writers
    first_is_in = threading.Event()

    def run(number: int, call: Callable[[Connection], None]) -> None:
        with store.write() as db:
            if number == 0:
                first_is_in.set()
                until(lambda: queue._waiting == len(calls) - 1)
            call(db)

    with ThreadPoolExecutor(len(calls)) as threads:
        asked = [threads.submit(run, 0, calls[0])]
        assert first_is_in.wait(10)
        for number, call in enumerate(calls[1:], 1):
            asked.append(threads.submit(run, number, call))
            until(lambda: queue._waiting >= number or any(each.done() for each in asked))  # noqa: B023
    return asked


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def add(*names: str) -> Callable[[Connection], None]:
    def call(db: Connection) -> None:
        for name in names:
            db.execute(insert(accounts), {"id": name})

    return call


def add_and_fail(name: str, error: Exception) -> Callable[[Connection], None]:
    def call(db: Connection) -> None:
        add(name)(db)
        raise error

    return call


def outcome(asked: Future[None]) -> str:
    error = asked.exception(10)
    return "kept" if error is None else type(error).__name__


def test_those_who_wait_share_one_commit(store: Database) -> None:
    assert commits(store, lambda: together(store, *(add(str(number)) for number in range(5)))) == 1
    assert ids(store) == ["0", "1", "2", "3", "4"]


def test_no_more_than_a_few_share_one(store: Database) -> None:
    calls = [add(f"{number:02}") for number in range(writers.MOST + 1)]
    assert commits(store, lambda: together(store, *calls)) == 2
    assert len(ids(store)) == len(calls)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_that_fails_takes_back_its_own_work_alone(store: Database, place: int) -> None:
    calls = [add("a"), add("b")]
    calls.insert(place, add_and_fail("x", Refused()))
    assert sorted(map(outcome, together(store, *calls))) == ["Refused", "kept", "kept"]
    assert ids(store) == ["a", "b"]


def test_a_refusal_is_heard_when_everybody_can_see_why(store: Database) -> None:
    """Its reason may be the work of another one, who is not done."""
    heard = threading.Event()

    def refused() -> list[str]:
        with suppress(Refused), store.write() as db:
            raise Refused(db.execute(select(accounts.c.id)).scalars().all())
        heard.set()
        return ids(store)

    def slow() -> None:
        with store.write():
            heard.wait(0.2)  # in vain

    with ThreadPoolExecutor(2) as threads:
        with store.write() as db:
            add("a")(db)
            asked = threads.submit(refused)
            until(lambda: store.writers._waiting == 1)
            others = threads.submit(slow)
            until(lambda: store.writers._waiting == 2)
        assert asked.result(10) == ["a"]
        others.result(10)


def test_a_violated_key_is_its_own_callers_trouble(store: Database) -> None:
    """Whoever comes later sees what the earlier one wrote, although it is not committed yet."""
    asked = together(store, add("a"), add("b", "a"), add("c"))
    assert [outcome(each) for each in asked] == ["kept", "IntegrityError", "kept"]
    assert ids(store) == ["a", "c"]


def test_when_sqlite_gives_up_the_transaction_nobody_is_told_it_was_kept(store: Database) -> None:
    """As it does by itself when the disk is full."""

    def lose(db: Connection) -> None:
        driver(db).execute("ROLLBACK")

    asked = together(store, add("a"), lose)
    assert [outcome(each) for each in asked] == ["OperationalError", "OperationalError"]
    assert ids(store) == []
    with store.write() as db:
        add("b")(db)
    assert ids(store) == ["b"]


def test_a_commit_that_fails_fails_all_of_them(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with store.write() as db:
        add("before")(db)
    with monkeypatch.context() as patch:
        patch.setattr(Connection, "commit", full)
        assert {outcome(each) for each in together(store, add("a"), add("b"))} == {"OperationalError"}
    assert ids(store) == ["before"]


WRITER = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from sqlalchemy import insert
from enid.store.database import Database
from enid.store.tables import accounts

store = Database(sys.argv[1])

def write(thread):
    for number in range(10**6):
        with store.write() as db:
            db.execute(insert(accounts), {"id": f"{thread}-{number}"})
        sys.stdout.write(f"{thread}-{number}\\n")
        sys.stdout.flush()

with ThreadPoolExecutor(6) as threads:
    list(threads.map(write, range(6)))
"""


def test_what_was_acknowledged_survives_kill_9(store: Database, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(store.engine.url)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(100)]
        os.kill(process.pid, signal.SIGKILL)
        acknowledged += process.stdout.readlines()
    told = {line.strip() for line in acknowledged if line.endswith("\n")}
    assert len(told) >= 100
    assert told <= set(ids(store))


def test_a_checkpoint_empties_the_log_while_others_read(store: Database) -> None:
    with store.read() as db:
        db.execute(select(accounts)).all()
        with store.write() as other:
            add("a")(other)
    store.checkpoint()
    with store.read() as db:
        busy, pages, moved = driver(db).execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    assert (busy, pages) == (0, moved)
