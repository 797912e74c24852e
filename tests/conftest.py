"""A world of its own for each test: a fresh store, and accounts that call the registered operations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from accounts import FIRST, SECOND, Account
from enid.settings import Settings
from enid.store.database import Database
from enid.store.tables import accounts


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Default settings under ``tmp_path``."""
    return Settings(state_dir=tmp_path / "state", run_dir=tmp_path / "run")


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """A fresh SQLite store with two accounts."""
    database = Database(settings.url)
    database.create()
    with database.write() as db:
        db.execute(insert(accounts), [{"id": FIRST, "created_at": ""}, {"id": SECOND, "created_at": ""}])
    yield database
    database.close()


@pytest.fixture
def call(database: Database, settings: Settings) -> Account:
    """The first account; see :class:`Account`."""
    return Account(database, settings, FIRST)


@pytest.fixture
def second_account(database: Database, settings: Settings) -> Account:
    """Another account on the same store: it must see nothing of the first's."""
    return Account(database, settings, SECOND)
