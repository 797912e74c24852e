"""Network ACLs: their numbered entries, and the subnets they guard."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table, Text, text

from enid.store.tables.columns import flag, id_column, metadata, optional_text, owner, parent, text_column

network_acls = Table(
    "network_acls",
    metadata,
    id_column(),
    owner(),
    parent("vpc_id", "vpcs.id"),
    flag("is_default"),
    text_column("created_at"),
    Index(
        "uq_default_network_acl",
        "vpc_id",
        unique=True,
        sqlite_where=text("is_default"),
        postgresql_where=text("is_default"),
    ),
)
network_acl_entries = Table(
    "network_acl_entries",
    metadata,
    Column("network_acl_id", Text, ForeignKey("network_acls.id", ondelete="CASCADE")),
    Column("egress", Boolean),
    Column("rule_number", Integer),
    text_column("rule_action"),  # allow | deny
    text_column("protocol"),  # IANA number; -1 is any
    optional_text("cidr_block"),
    optional_text("ipv6_cidr_block"),
    Column("from_port", Integer, nullable=True),
    Column("to_port", Integer, nullable=True),
    Column("icmp_type", Integer, nullable=True),  # -1 is any
    Column("icmp_code", Integer, nullable=True),
    PrimaryKeyConstraint("network_acl_id", "egress", "rule_number"),
)
"""The last entry of each direction and family, the one that denies whatever is left, is not stored: nobody can change
it."""
network_acl_associations = Table(
    "network_acl_associations",
    metadata,
    id_column(),  # aclassoc-…
    parent("network_acl_id", "network_acls.id"),
    Column("subnet_id", Text, ForeignKey("subnets.id", ondelete="CASCADE"), nullable=False, unique=True),
)
"""Every subnet has exactly one."""
