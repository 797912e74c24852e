"""Security groups and the prefix lists their rules refer to."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, PrimaryKeyConstraint, Table, Text, UniqueConstraint

from enid.store.tables.columns import (
    flag,
    id_column,
    listed_by,
    metadata,
    number,
    optional_text,
    owner,
    parent,
    text_column,
)

security_groups = Table(
    "security_groups",
    metadata,
    id_column(),
    owner(index=False),
    parent("vpc_id", "vpcs.id"),
    text_column("name", index=True),
    text_column("description"),
    text_column("created_at"),
    UniqueConstraint("vpc_id", "name"),
    listed_by("id"),
)
security_group_rules = Table(
    "security_group_rules",
    metadata,
    id_column(),  # sgr-…
    owner(index=False),
    parent("group_id", "security_groups.id"),
    flag("is_egress"),
    text_column("ip_protocol"),  # "-1", "tcp", "udp", "icmp", "icmpv6" or a number
    number("from_port", -1),  # ICMP: the type; -1 is any
    number("to_port", -1),  # ICMP: the code; -1 is any
    optional_text("cidr_ipv4"),
    optional_text("cidr_ipv6"),
    optional_text("prefix_list_id", index=True),
    optional_text("referenced_group_id", index=True),
    optional_text("referenced_account_id"),  # these three: of a group of another VPC, and the peering it was seen over
    optional_text("referenced_vpc_id", index=True),
    optional_text("referenced_peering_id"),
    optional_text("description"),
    text_column("identity"),  # everything but the description, so that a duplicate is a constraint
    UniqueConstraint("group_id", "identity"),
    listed_by("id"),
)
prefix_lists = Table(
    "prefix_lists",
    metadata,
    id_column(),  # pl-…
    owner(),
    text_column("name", index=True),
    text_column("address_family", default="IPv4"),
    number("max_entries", 1),
    number("version", 1),
    text_column("state", default="create-complete"),
    text_column("created_at"),
)
prefix_list_entries = Table(
    "prefix_list_entries",
    metadata,
    Column("prefix_list_id", Text, ForeignKey("prefix_lists.id", ondelete="CASCADE"), index=True),
    Column("cidr", Text),
    optional_text("description"),
    number("added_in", 1),
    Column("removed_in", Integer, nullable=True),
    PrimaryKeyConstraint("prefix_list_id", "cidr", "added_in"),
)
"""An entry is in version V when ``added_in <= V`` and ``removed_in`` is null or ``> V``."""
