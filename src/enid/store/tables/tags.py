"""Tags of every kind of resource."""

from __future__ import annotations

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, Text

from enid.store.tables.columns import metadata, owner, text_column

tags = Table(
    "tags",
    metadata,
    Column("resource_id", Text),
    Column("key", Text),
    text_column("value"),
    owner(),
    text_column("resource_type"),
    PrimaryKeyConstraint("resource_id", "key", "account_id"),
    Index("ix_tags_key_value", "key", "value"),
)
"""Tags belong to who gave them: of a peering connection each of the two accounts has its own."""
