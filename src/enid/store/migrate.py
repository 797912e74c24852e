"""Bring a store to this version's schema."""

from __future__ import annotations

from enid.store.database import Database


def migrate(database: Database) -> None:
    """Idempotent."""
    database.create()
