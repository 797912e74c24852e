"""Network interfaces, their private and public addresses and prefixes, and where they are plugged in."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, PrimaryKeyConstraint, Table, Text, UniqueConstraint

from enid.store.tables.columns import flag, id_column, listed_by, metadata, number, optional_text, owner, text_column

network_interfaces = Table(
    "network_interfaces",
    metadata,
    id_column(),
    owner(index=False),
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
    listed_by("id"),
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
    number("block"),  # number of the prefix-sized block of the subnet that the address lies in
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
    Index("ix_private_addresses_block", "subnet_id", "family", "block"),
)
"""Every private IPv4 and IPv6 address of every interface. The key is the judge of "in use"."""
delegated_prefixes = Table(
    "delegated_prefixes",
    metadata,
    Column("subnet_id", Text, ForeignKey("subnets.id")),
    number("family", 4),
    number("block"),  # IPv4: which /28 of the subnet; IPv6: which /80
    text_column("cidr"),
    Column(
        "network_interface_id",
        Text,
        ForeignKey("network_interfaces.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    PrimaryKeyConstraint("subnet_id", "family", "block"),
)
"""Every prefix of every interface. A block holds addresses or is a prefix: what the key cannot say, that the other
table has nothing there, a call reads, and its transaction is serializable."""


def _link(context: Any) -> str:
    return str(context.get_current_parameters()["id"])[-14:]


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
    # What its end at the router is named after, see enid.fabric.linux.names.
    Column("link", Text, default=_link, index=True, unique=True),
    UniqueConstraint("instance_id", "network_card_index", "device_index"),
)
"""To an instance, or to something of AWS's own that the agent makes (nat-…): never to both."""
public_addresses = Table(
    "public_addresses",
    metadata,
    Column("ip", Text, primary_key=True),
    owner(index=False),
    optional_text("allocation_id", unique=True),  # null: auto-assigned, never the user's
    optional_text("association_id", unique=True),
    optional_text("network_interface_id", index=True),
    optional_text("private_ip", index=True),
    text_column("network_border_group"),
    optional_text("ptr_record"),  # the domain name of the reverse lookup, with its final dot
    text_column("created_at"),
    UniqueConstraint("network_interface_id", "private_ip"),
    listed_by("allocation_id"),
)
"""Elastic IPs and auto-assigned public addresses, from one pool; one per private address of an interface."""
network_interface_permissions = Table(
    "network_interface_permissions",
    metadata,
    id_column(),  # eni-perm-…
    owner(),
    Column(
        "network_interface_id",
        Text,
        ForeignKey("network_interfaces.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    text_column("aws_account_id", index=True),
    text_column("permission"),  # INSTANCE-ATTACH | EIP-ASSOCIATE
    text_column("state", default="granted"),
    text_column("created_at"),
    UniqueConstraint("network_interface_id", "permission", name="uq_network_interface_permissions_grant"),
)
"""What the owner of an interface lets another account do with it."""
address_transfers = Table(
    "address_transfers",
    metadata,
    Column("allocation_id", Text),
    owner(),
    text_column("public_ip", index=True),
    text_column("transfer_account_id", index=True),
    text_column("expires_at"),
    optional_text("accepted_at"),
    PrimaryKeyConstraint("allocation_id", "account_id"),
)
"""Elastic IPs offered to another account, by the account that offers; accepted ones stay in sight for a while."""
