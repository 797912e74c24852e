"""Tags of every kind of resource."""

from __future__ import annotations

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, Text

from enid.store.tables.columns import listed_by, metadata, owner, text_column

tags = Table(
    "tags",
    metadata,
    Column("resource_id", Text),
    Column("key", Text),
    text_column("value", index=True),
    owner(index=False),
    text_column("resource_type"),
    PrimaryKeyConstraint("resource_id", "key", "account_id"),
    Index("ix_tags_key_value", "key", "value"),
    listed_by("resource_id", "key"),
)
"""Tags belong to who gave them: of a peering connection each of the two accounts has its own."""
