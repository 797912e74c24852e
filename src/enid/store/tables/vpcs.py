"""VPCs, their blocks, and subnets."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, UniqueConstraint

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

vpcs = Table(
    "vpcs",
    metadata,
    id_column(),
    owner(),
    text_column("cidr_block", index=True),
    text_column("state", default="available"),
    flag("is_default"),
    text_column("instance_tenancy", default="default"),
    text_column("dhcp_options_id", default="default"),
    flag("enable_dns_support", "1"),
    flag("enable_dns_hostnames"),
    flag("enable_network_address_usage_metrics"),
    text_column("created_at"),
)
vpc_cidr_blocks = Table(
    "vpc_cidr_blocks",
    metadata,
    id_column(),  # vpc-cidr-assoc-…
    parent("vpc_id", "vpcs.id"),
    text_column("cidr_block"),
    number("family", 4),
    flag("is_primary"),
    text_column("state", default="associated"),
    UniqueConstraint("vpc_id", "cidr_block"),
)
"""All of a VPC's blocks, IPv4 (the primary one included) and IPv6."""

subnets = Table(
    "subnets",
    metadata,
    id_column(),
    owner(index=False),
    parent("vpc_id", "vpcs.id"),
    text_column("availability_zone", index=True),
    text_column("availability_zone_id"),
    text_column("cidr_block", index=True),
    optional_text("ipv6_cidr_block"),
    optional_text("ipv6_association_id"),
    text_column("state", default="available"),
    flag("default_for_az"),
    flag("map_public_ip_on_launch"),
    flag("assign_ipv6_address_on_creation"),
    flag("enable_dns64"),
    text_column("private_dns_hostname_type", default="ip-name"),
    flag("resource_name_dns_a"),
    flag("resource_name_dns_aaaa"),
    number("next_offset", 4),  # where the next automatic IPv4 address is looked for, from the subnet's base
    text_column("created_at"),
    UniqueConstraint("vpc_id", "cidr_block"),
    UniqueConstraint("vpc_id", "ipv6_cidr_block"),
    listed_by("id"),
)
subnet_cidr_reservations = Table(
    "subnet_cidr_reservations",
    metadata,
    id_column(),  # scr-…
    owner(),
    parent("subnet_id", "subnets.id"),
    number("family", 4),
    text_column("cidr"),
    text_column("reservation_type"),  # prefix | explicit
    text_column("description"),
    number("first_block"),  # the prefix-sized blocks of the subnet that it overlaps
    number("last_block"),
    Column("first_offset", BigInteger, nullable=True),  # IPv4: its addresses' distances from the subnet's base
    Column("last_offset", BigInteger, nullable=True),
    text_column("created_at"),
    UniqueConstraint("subnet_id", "cidr"),
)
"""Ranges that no automatic choice touches, but that of prefixes those of type ``prefix``."""
