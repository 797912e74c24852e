"""The API alone, in this process: every operation over real HTTP, and no agent. Tests say what the agent would."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import uvicorn
from botocore.config import Config
from sqlalchemy import insert, select

from enid.settings import Quotas, Settings
from enid.store import peerings, status
from enid.store import tables as t
from enid.store.database import Database
from enid.store.tables import access_keys, accounts, metadata
from enid.wire.app import create_app
from fresh_store import fresh_store

QUOTAS = Quotas(network_interfaces=8)
"""AWS's, except one that would take long to reach."""


class Api:
    """A running API, one account of it, and a boto3 client that does not try again."""

    def __init__(self, settings: Settings, database: Database, endpoint: str) -> None:
        self.settings, self.database, self.endpoint = settings, database, endpoint
        self.account_id = str(secrets.randbelow(9 * 10**11) + 10**11)
        self.key_id, self.secret = "AKIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30)
        self.put(insert(accounts).values(id=self.account_id))
        self.put(insert(access_keys).values(id=self.key_id, secret=self.secret, account_id=self.account_id))
        self.ec2 = self.client("ec2")

    def client(self, service: str) -> Any:
        return boto3.client(service, **self._connection())

    def resource(self, service: str) -> Any:
        return boto3.resource(service, **self._connection())

    def _connection(self) -> dict[str, Any]:
        return {
            "region_name": self.settings.region,
            "endpoint_url": self.endpoint,
            "aws_access_key_id": self.key_id,
            "aws_secret_access_key": self.secret,
            "config": Config(retries={"total_max_attempts": 1}, ignore_configured_endpoint_urls=True),
        }

    def put(self, statement: Any) -> None:
        """Write a row by hand."""
        with self.database.write() as db:
            db.execute(statement)

    def agent(self) -> None:
        """Write what the agent writes when it has carried out everything."""
        with self.database.write() as db:
            ids = {row.id: row.state for row in db.execute(select(t.instances.c.id, t.instances.c.state))}
            of = {state: [id_ for id_, found in ids.items() if found == state] for state in set(ids.values())}
            status.attached(db, db.execute(select(t.attachments.c.id)).scalars().all())
            status.detached(db, db.execute(select(t.attachments.c.id)).scalars().all())
            status.running(db, of.get("pending", []))
            status.stopped(db, of.get("stopping", []), "2026-01-01T00:00:00.000Z")
            status.terminated(db, of.get("shutting-down", []), "2026-01-01T00:00:00.000Z")
            peerings.activated(db, db.execute(select(t.vpc_peering_connections.c.id)).scalars().all())
            peerings.cut(db, db.execute(select(t.vpc_peering_connections.c.id)).scalars().all())

    def dump(self) -> dict[str, list[str]]:
        """Every row of every table, to compare."""
        with self.database.read() as db:
            return {table.name: sorted(map(repr, db.execute(select(table)))) for table in metadata.sorted_tables}


@contextmanager
def serve(directory: Path, database_url: str = "", quotas: Quotas = QUOTAS) -> Iterator[tuple[Settings, Database, str]]:
    """Settings, store and URL of a server on an empty store: a new SQLite one, unless another is named."""
    settings = Settings(
        state_dir=directory / "state",
        run_dir=directory / "run",
        database_url=database_url,
        quotas=quotas,
        settle_timeout=0,
    )
    database = Database(settings.url) if database_url else fresh_store(settings)
    config = uvicorn.Config(
        create_app(settings, database, strict=True), loop="uvloop", http="httptools", ws="none", log_level="warning"
    )
    listening, server = socket.create_server(("127.0.0.1", 0)), uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline, "the server did not start in time"
            thread.join(0.01)
        yield settings, database, f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
        database.close()
        assert not thread.is_alive()
