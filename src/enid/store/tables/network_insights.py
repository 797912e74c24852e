"""What was asked about reachability, and what the answer was."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Integer, Table, Text

from enid.store.tables.columns import id_column, metadata, optional_text, owner, text_column

network_insights_paths = Table(
    "network_insights_paths",
    metadata,
    id_column(),  # nip-…
    owner(),
    text_column("source"),
    optional_text("destination"),
    optional_text("source_ip"),
    optional_text("destination_ip"),
    text_column("protocol"),  # tcp | udp
    Column("destination_port", Integer, nullable=True),
    Column("filter_at_source", JSON(none_as_null=True), nullable=True),
    Column("filter_at_destination", JSON(none_as_null=True), nullable=True),
    text_column("created_at"),
)
network_insights_analyses = Table(
    "network_insights_analyses",
    metadata,
    id_column(),  # nia-…
    owner(),
    Column("path_id", Text, ForeignKey("network_insights_paths.id"), nullable=False, index=True),
    text_column("started_at"),
    text_column("status", default="succeeded"),
    Column("path_found", Boolean, nullable=False),
    Column("findings", JSON, nullable=False),  # components and explanations, as they are shown
)
"""``findings`` is how the network was then: it is never worked out again."""
