"""How many there are of what a store may have very many of."""

from __future__ import annotations

from sqlalchemy import Column, PrimaryKeyConstraint, Table, Text

from enid.store.tables.columns import metadata, number

tallies = Table(
    "tallies",
    metadata,
    Column("kind", Text),  # network_interfaces …, see enid.store.tallies
    Column("owner", Text),  # the account or the subnet they belong to
    number("number"),
    PrimaryKeyConstraint("kind", "owner"),
)
"""Kept by triggers, so that no statement can forget it. No row: none."""
