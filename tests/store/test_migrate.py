"""The migrations make the schema that the tables describe."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from enid.store.database import Database
from enid.store.migrate import migrate
from enid.store.tables import metadata


def test_migrated_store_has_the_tables_of_this_version(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'enid.db'}")
    migrate(database)
    with database.read() as db:
        differences = compare_metadata(MigrationContext.configure(db), metadata)
    database.close()
    assert differences == []


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'enid.db'}")
    migrate(database)
    migrate(database)
    database.close()
