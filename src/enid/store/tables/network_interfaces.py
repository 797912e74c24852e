"""Network interfaces, their private and public addresses, and where they are plugged in."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, PrimaryKeyConstraint, Table, Text, UniqueConstraint

from enid.store.tables.columns import flag, id_column, metadata, number, optional_text, owner, text_column

network_interfaces = Table(
    "network_interfaces",
    metadata,
    id_column(),
    owner(),
    Column("vpc_id", Text, ForeignKey("vpcs.id"), nullable=False, index=True),
    Column("subnet_id", Text, ForeignKey("subnets.id"), nullable=False, index=True),
    text_column("availability_zone"),
    text_column("availability_zone_id"),
    text_column("description"),
    text_column("mac_address", unique=True),
    text_column("private_ip_address", index=True),  # the primary one, for life
    flag("source_dest_check", "1"),
    text_column(
        "status", default="available", index=True
    ),  # available | in-use (what AWS shows while attached or moving)
    text_column("interface_type", default="interface"),
    optional_text("requester_id"),
    flag("requester_managed"),
    flag("associate_public_ip_address"),
    flag("enable_primary_ipv6"),
    Column("connection_tracking", JSON, nullable=True),
    text_column("created_at"),
)
network_interface_groups = Table(
    "network_interface_groups",
    metadata,
    Column("network_interface_id", Text, ForeignKey("network_interfaces.id", ondelete="CASCADE")),
    Column("group_id", Text, ForeignKey("security_groups.id"), index=True),
    number("position"),
    PrimaryKeyConstraint("network_interface_id", "group_id"),
)
private_addresses = Table(
    "private_addresses",
    metadata,
    Column("subnet_id", Text, ForeignKey("subnets.id")),
    Column("ip", Text, index=True),
    number("family", 4),
    Column("address_offset", BigInteger, nullable=True),  # IPv4: distance from the subnet's base
    Column(
        "network_interface_id",
        Text,
        ForeignKey("network_interfaces.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    flag("is_primary"),
    number("position"),  # order of assignment, primary first
    PrimaryKeyConstraint("subnet_id", "ip"),
    UniqueConstraint("subnet_id", "address_offset"),
)
"""Every private IPv4 and IPv6 address of every interface. The key is the judge of "in use"."""
attachments = Table(
    "attachments",
    metadata,
    id_column(),  # eni-attach-…, ela-attach-… to an appliance
    Column("network_interface_id", Text, ForeignKey("network_interfaces.id"), nullable=False, unique=True),
    Column("instance_id", Text, ForeignKey("instances.id"), nullable=True, index=True),
    optional_text("appliance_id", index=True),
    number("device_index"),
    number("network_card_index"),
    text_column("status", default="attaching"),  # attaching | attached | detaching
    text_column("attach_time"),
    flag("delete_on_termination"),
    UniqueConstraint("instance_id", "network_card_index", "device_index"),
)
"""To an instance, or to something of AWS's own that the agent makes (nat-…): never to both."""
public_addresses = Table(
    "public_addresses",
    metadata,
    Column("ip", Text, primary_key=True),
    owner(),
    optional_text("allocation_id", unique=True),  # null: auto-assigned, never the user's
    optional_text("association_id", unique=True),
    optional_text("network_interface_id", index=True),
    optional_text("private_ip"),
    text_column("network_border_group"),
    text_column("created_at"),
    UniqueConstraint("network_interface_id", "private_ip"),
)
"""Elastic IPs and auto-assigned public addresses, from one pool; one per private address of an interface."""
