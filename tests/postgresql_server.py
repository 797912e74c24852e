"""A PostgreSQL for the tests: one that is there (``ENID_TEST_POSTGRESQL=postgresql://…``), or a throw-away server.

The tests make databases of their own on it (``enid_test_…``) and drop them. The throw-away server needs Debian's
package ``postgresql`` installed, not running: its data lies in a temporary directory, and it ends with the tests.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy.engine import URL, make_url

from enid.store.database import Database
from enid.store.migrate import migrate
from enid.store.tables import metadata

VARIABLE = "ENID_TEST_POSTGRESQL"
START_DEADLINE = 60.0
SUPERUSER = "enid"
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")


def programs() -> Path | None:
    """Where the newest installed PostgreSQL has its programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def is_available() -> bool:
    """Whether the tests can have a server."""
    return VARIABLE in os.environ or programs() is not None


@contextmanager
def server() -> Iterator[str]:
    """The URL of a running server, as somebody who may create databases."""
    if VARIABLE in os.environ:
        yield os.environ[VARIABLE]
        return
    directory = Path(tempfile.mkdtemp(prefix="enid-postgresql-"))
    try:
        with _throw_away(directory) as url:
            yield url
    finally:
        shutil.rmtree(directory)


@contextmanager
def _throw_away(directory: Path) -> Iterator[str]:
    where, port = programs(), _free_port()
    assert where is not None
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(directory, "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
    data, log = directory / "data", directory / "log"
    initdb = [*as_user, str(where / "initdb"), f"--pgdata={data}", f"--username={SUPERUSER}"]
    options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    subprocess.run([*initdb, *options], check=True, cwd=directory, stdout=subprocess.DEVNULL)
    command = [*as_user, str(where / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port)]
    command += ["-k", str(directory), *(part for setting in _FAST for part in ("-c", setting))]
    with log.open("wb") as output:  # setpriv becomes the server: the process we start is the one we end
        process = subprocess.Popen(command, cwd=directory, stdout=output, stderr=output, start_new_session=True)
    try:
        url = f"postgresql://{SUPERUSER}@127.0.0.1:{port}/postgres"
        _await(url, process, log)
        yield url
    finally:
        process.send_signal(signal.SIGINT)  # a fast shutdown: does not wait for clients
        process.wait(30)


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_DEADLINE
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            assert process.poll() is None, f"PostgreSQL did not start:\n{log.read_text()}"
            assert time.monotonic() < deadline, f"PostgreSQL did not start in time:\n{log.read_text()}"
            time.sleep(0.02)
        else:
            return


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def empty_database(server_url: str) -> Iterator[str]:
    """The URL of a database without tables, dropped afterwards."""
    name = f"enid_test_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield _plain(make_url(server_url).set(database=name))
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


class Store:
    """A migrated store for one test after the other: :meth:`clear` empties it, far faster than a new one is made. It
    stays open, so SQLAlchemy keeps the statements it has compiled."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.database = Database(url)
        migrate(self.database)
        self._connection = psycopg.connect(url, autocommit=True)
        tables = [table.name for table in reversed(metadata.sorted_tables)]
        # What is deleted is counted, so the counts come last.
        ordered = [*(f"DELETE FROM {table}" for table in tables), "DELETE FROM tallies"]
        self._statements = [*ordered, "ALTER SEQUENCE journal_seq_seq RESTART"]

    def clear(self) -> None:
        self._connection.execute(";".join(self._statements).encode())

    def close(self) -> None:
        self._connection.close()
        self.database.close()


def _plain(url: URL) -> str:
    return url.render_as_string(hide_password=False)
