"""Processes of the API on one store, as ``enid up`` starts them, for clients that outlive them."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import insert, select, text

from enid.settings import Settings
from enid.store import tables as t
from enid.store.database import Database
from enid.supervisor import bootstrap
from enid.supervisor.control import command, environment

START = 120.0
"""Seconds a process may take on a busy machine."""


class ApiProcess:
    """One of them. Its port stays the same from one life to the next."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.port = _free_port()
        self.settings = settings.model_copy(update={"port": self.port})
        self._log = log
        self.start()

    def start(self) -> None:
        """Returns when it answers."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                command("api"), env=environment(self.settings), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        deadline = time.monotonic() + START
        while True:
            assert self._process.poll() is None, f"the API did not start:\n{self._log.read_text()}"
            assert time.monotonic() < deadline, f"the API did not start in time:\n{self._log.read_text()}"
            try:
                httpx.get(f"http://127.0.0.1:{self.port}/", timeout=START)
            except httpx.TransportError:
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """``kill -9``; returns when it is gone."""
        self._process.kill()
        self._process.wait()


class Apis:
    """All of them, their store, and an account's key."""

    def __init__(self, settings: Settings, log: Path) -> None:
        bootstrap.prepare(settings)
        self.settings = settings
        self.database = Database(settings.url)
        with self.database.read() as db:
            key = db.execute(select(t.access_keys)).one()
        self.account, self.key = key.account_id, (key.id, key.secret)
        self.log = log
        self.processes: list[ApiProcess] = []

    def add(self) -> ApiProcess:
        """One more process."""
        self.processes.append(ApiProcess(self.settings, self.log))
        return self.processes[-1]

    @property
    def ports(self) -> list[int]:
        return [process.port for process in self.processes]

    def another_account(self) -> tuple[str, str]:
        """The key of a new account."""
        key, account = bootstrap.new_access_key(), bootstrap.new_account_id()
        with self.database.write() as db:
            db.execute(insert(t.accounts).values(id=account, created_at=""))
            db.execute(insert(t.access_keys).values(**key, account_id=account))
        return key["id"], key["secret"]

    def strike(self, draw: random.Random) -> None:
        """Kill one of them, and start it again."""
        struck = draw.choice(self.processes)
        struck.kill()
        struck.start()

    def quiet(self) -> None:
        """Wait until the store has dealt with what killed processes had asked of it."""
        if self.database.is_sqlite:
            return
        deadline = time.monotonic() + START
        busy = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'")
        while True:
            with self.database.read() as db:
                if db.execute(busy).scalar_one() == 1:  # our own question
                    return
            assert time.monotonic() < deadline, "the store does not come to rest"
            time.sleep(0.02)

    def close(self) -> None:
        for process in self.processes:
            process.kill()
        self.database.close()


@contextmanager
def running_apis(processes: int, database_url: str = "", **settings: Any) -> Iterator[Apis]:
    """``processes`` of them on an empty store, and no agent; gone afterwards, whatever happens."""
    # Not tmp_path: pytest's directories are for root's eyes only, and the API runs as another user.
    directory = Path(tempfile.mkdtemp(prefix="enid-test-"))
    directory.chmod(0o755)
    places = {"state_dir": directory / "state", "run_dir": directory / "run", "database_url": database_url}
    try:
        apis = Apis(Settings(**{"settle_timeout": 0.0, **places, **settings}), directory / "log")
        try:
            for _ in range(processes):
                apis.add()
            yield apis
        finally:
            apis.close()
    finally:
        shutil.rmtree(directory)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
