"""A world of its own for each test: a fresh store, and accounts that call the registered operations.

Every test that uses ``database`` runs on SQLite, and on PostgreSQL too where one can be had (see
:mod:`postgresql_server`); ``-m "not postgresql"`` leaves these out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

import postgresql_server
from accounts import FIRST, SECOND, Account
from enid.settings import Settings
from enid.store.database import Database
from enid.store.tables import accounts
from fresh_store import SqliteStore

LONGEST = [
    "proof/test_incremental",
    "conformance/test_ansible",
    "proof/test_address_races",
    "proof/test_policy_model",
    "conformance/test_terraform",
    "scenarios/test_demo",
    "proof/test_overload",
    "proof/test_policy_packets",
    "proof/test_kernel_drift",
    "test_style",
    "proof/test_crash_anywhere",
    "end_to_end/test_crashes",
    "scenarios/test_docs",
    "proof/test_idempotency",
    "proof/test_attach_races",
    "end_to_end/test_metadata",
    "conformance/test_any_request",
    "end_to_end/test_flow_logs_of_packets",
    "ec2/test_network_interfaces",
]
"""Files that take half a minute and more, in this order: they come first, so that nobody waits for one at the end."""

STORES = ["sqlite"]
if postgresql_server.is_available():
    STORES.append(pytest.param("postgresql", marks=pytest.mark.postgresql))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; they are shared out file by file."""
    place = {f"tests/{name}.py": number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.nodeid.partition("::")[0], len(place)))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server for the tests."""
    if not postgresql_server.is_available():
        pytest.skip(f"PostgreSQL is not installed, and {postgresql_server.VARIABLE} names no server")
    with postgresql_server.server() as url:
        yield url


@pytest.fixture(scope="session")
def postgresql_store(postgresql: str) -> Iterator[postgresql_server.Store]:
    """One migrated store for all tests, emptied before each."""
    with postgresql_server.empty_database(postgresql) as url:
        store = postgresql_server.Store(url)
        yield store
        store.close()


@pytest.fixture(scope="session")
def sqlite_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    """One store for all tests, emptied before each."""
    store = SqliteStore(tmp_path_factory.mktemp("sqlite"))
    yield store
    store.close()


@pytest.fixture(params=STORES)
def database_url(request: pytest.FixtureRequest) -> str:
    """Of an empty store; empty text for SQLite at its default place."""
    if request.param == "sqlite":
        return ""
    store: postgresql_server.Store = request.getfixturevalue("postgresql_store")
    store.clear()
    return store.url


@pytest.fixture(params=STORES)
def clean_store(request: pytest.FixtureRequest) -> SqliteStore | postgresql_server.Store:
    store: SqliteStore | postgresql_server.Store = request.getfixturevalue(f"{request.param}_store")
    store.clear()
    return store


@pytest.fixture
def database(clean_store: SqliteStore | postgresql_server.Store) -> Database:
    """A store with two accounts and nothing else."""
    with clean_store.database.write() as db:
        db.execute(insert(accounts), [{"id": FIRST, "created_at": ""}, {"id": SECOND, "created_at": ""}])
    return clean_store.database


@pytest.fixture
def settings(tmp_path: Path, clean_store: SqliteStore | postgresql_server.Store) -> Settings:
    """Default settings under ``tmp_path``, but for the store."""
    return Settings(state_dir=tmp_path / "state", run_dir=tmp_path / "run", database_url=clean_store.url)


@pytest.fixture
def call(database: Database, settings: Settings) -> Account:
    """The first account; see :class:`Account`."""
    return Account(database, settings, FIRST)


@pytest.fixture
def second_account(database: Database, settings: Settings) -> Account:
    """Another account on the same store: it must see nothing of the first's."""
    return Account(database, settings, SECOND)
