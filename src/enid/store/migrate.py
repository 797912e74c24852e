"""Bring a store to this version's schema, with Alembic. A new revision: ``scripts/new-migration "what it does"``."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from enid.store.database import Database, prepare


def migrate(database: Database) -> None:
    """Apply the revisions that are missing, all in one transaction. Idempotent; nobody else uses the store yet."""
    with database.change_schema() as db:
        config = configuration()
        config.attributes["connection"] = db
        command.upgrade(config, "head")
        prepare(db)


def configuration() -> Config:
    """Alembic's configuration, without a file of its own."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config
