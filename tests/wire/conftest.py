"""A store with one account and its key, toy operations under real names, and a live server over them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from sqlalchemy import insert
from toy_operations import TOYS
from wire_signing import ACCOUNT, KEY_ID, SECRET

from enid.settings import Settings
from enid.store.database import Database
from enid.store.tables import access_keys, accounts
from enid.wire.app import create_app
from enid.wire.dispatch import Dispatcher
from fresh_store import fresh_store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path / "state", run_dir=tmp_path / "run", region="us-east-1", settle_timeout=2.0)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = fresh_store(settings)
    with database.write() as db:
        db.execute(insert(accounts), {"id": ACCOUNT})
        db.execute(insert(access_keys), {"id": KEY_ID, "secret": SECRET, "account_id": ACCOUNT})
    yield database
    database.close()


@pytest.fixture
def dispatcher(settings: Settings, database: Database) -> Dispatcher:
    return Dispatcher(settings, database, TOYS, strict=True)


@pytest.fixture
def endpoint(settings: Settings, database: Database) -> Iterator[str]:
    """The URL of a running server."""
    app = create_app(settings, database, operations=TOYS, strict=True)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, loop="uvloop", http="httptools", ws="none", log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline, "the server did not start in time"
            thread.join(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
        assert not thread.is_alive()


@pytest.fixture
def client(endpoint: str) -> Iterator[Any]:
    """A boto3 EC2 client that does not try again."""
    from wire_signing import boto_client

    client = boto_client("ec2", endpoint)
    yield client
    client.close()
