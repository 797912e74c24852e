"""Traffic mirroring: what is copied (filters and their rules), from where (sessions), and to where (targets)."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, Table, Text, UniqueConstraint

from enid.store.tables.columns import flag, id_column, metadata, number, optional_text, owner, parent, text_column

traffic_mirror_filters = Table(
    "traffic_mirror_filters",
    metadata,
    id_column(),  # tmf-…
    owner(),
    optional_text("description"),
    flag("amazon_dns"),
)
traffic_mirror_filter_rules = Table(
    "traffic_mirror_filter_rules",
    metadata,
    id_column(),  # tmfr-…
    owner(),
    parent("filter_id", "traffic_mirror_filters.id"),
    text_column("direction"),  # ingress | egress
    number("rule_number"),
    text_column("rule_action"),  # accept | reject
    Column("protocol", Integer, nullable=True),  # IANA number; none is any
    text_column("source_cidr_block"),
    text_column("destination_cidr_block"),
    Column("source_from_port", Integer, nullable=True),
    Column("source_to_port", Integer, nullable=True),
    Column("destination_from_port", Integer, nullable=True),
    Column("destination_to_port", Integer, nullable=True),
    optional_text("description"),
    UniqueConstraint("filter_id", "direction", "rule_number", name="uq_traffic_mirror_filter_rules_number"),
)
traffic_mirror_targets = Table(
    "traffic_mirror_targets",
    metadata,
    id_column(),  # tmt-…
    owner(),
    text_column("network_interface_id", index=True),
    optional_text("description"),
)
"""A target stays when its interface is deleted; nothing arrives there any more."""
traffic_mirror_sessions = Table(
    "traffic_mirror_sessions",
    metadata,
    id_column(),  # tms-…
    owner(),
    Column("network_interface_id", Text, ForeignKey("network_interfaces.id"), nullable=False),
    Column("target_id", Text, ForeignKey("traffic_mirror_targets.id"), nullable=False, index=True),
    Column("filter_id", Text, ForeignKey("traffic_mirror_filters.id"), nullable=False, index=True),
    number("session_number"),
    number("virtual_network_id"),
    Column("packet_length", Integer, nullable=True),  # none: whole packets
    optional_text("description"),
    UniqueConstraint("network_interface_id", "session_number", name="uq_traffic_mirror_sessions_number"),
)
"""The interface is the source."""
