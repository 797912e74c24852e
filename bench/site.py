"""A whole enid of the bench's own: its API, its agent, its store on disk, taken down again whatever happens."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select

from bench.client import Client
from bench.moto import free_port
from enid.settings import Quotas, Settings
from enid.store import tables as t
from enid.store.database import Database
from enid.supervisor import down, up

QUOTAS = Quotas(vpcs=500, addresses=1000, network_interfaces=20_000)


class Site:
    """enid, up: a client to ask it, and ways to look at what it made."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        database = Database(settings.url)
        with database.read() as db:
            key = db.execute(select(t.access_keys)).first()
        database.close()
        assert key is not None
        self._key = key
        self.client = self.new_client()

    def new_client(self) -> Client:
        """One more connection."""
        return Client(self.settings.port, self._key.id, self._key.secret)

    def agent_pid(self) -> int:
        return int((self.settings.run_dir / "agent.pid").read_text())

    def agent_age(self) -> float:
        """Seconds since its supervisor started it."""
        return time.time() - (self.settings.run_dir / "agent.pid").stat().st_mtime

    def init_pid(self, instance_id: str) -> int:
        """The host's pid of an instance's init."""
        return int(json.loads((self.settings.run_dir / "instances" / f"{instance_id}.json").read_text())["pid"])

    def network_namespace(self, instance_id: str) -> int:
        """A descriptor, the caller's to close."""
        return os.open(f"/proc/{self.init_pid(instance_id)}/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@contextmanager
def site() -> Iterator[Site]:
    """Its state below ``/var/tmp``, which is a disk: a durable write shall cost what it costs. What is of the run only
    is in memory, as ``/run`` is on Debian."""
    state, run = (Path(tempfile.mkdtemp(prefix="enid-bench-", dir=place)) for place in ("/var/tmp", "/dev/shm"))
    for directory in (state, run):
        directory.chmod(0o711)  # the API has a user of its own
    settings = Settings(
        state_dir=state,
        run_dir=run,
        port=free_port(),
        host_route=False,
        quotas=QUOTAS,
    )
    try:
        up(settings, detach=True)
        there = Site(settings)
        try:
            yield there
        finally:
            there.client.close()
    finally:
        try:
            down(settings)
        finally:
            for directory in (state, run):
                shutil.rmtree(directory, ignore_errors=True)
