"""DHCP option sets."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, PrimaryKeyConstraint, Table, Text

from enid.store.tables.columns import id_column, metadata, number, optional_text, owner, text_column

dhcp_options = Table(
    "dhcp_options",
    metadata,
    id_column(),  # dopt-…
    owner(),
    optional_text("default_of", unique=True),  # the account whose new VPCs get this set; null: made by its owner
    text_column("created_at"),
)
dhcp_option_values = Table(
    "dhcp_option_values",
    metadata,
    Column("dhcp_options_id", Text, ForeignKey("dhcp_options.id", ondelete="CASCADE")),
    number("position"),  # in the order given
    text_column("key", index=True),
    text_column("value", index=True),
    PrimaryKeyConstraint("dhcp_options_id", "position"),
)
