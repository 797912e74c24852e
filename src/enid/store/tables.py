"""The schema. The database is the judge: every conflict AWS reports is a unique constraint here.

Times are ISO 8601 text in UTC (AWS answers them as text; SQLite has no type for them). JSON columns hold what is only
stored and shown. Deleting a row means the resource is gone; only ``instances`` keep a terminated row for a while.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _text(name: str, *, index: bool = False, default: str | None = "", unique: bool = False) -> Column[str]:
    return Column(name, Text, nullable=False, index=index, unique=unique, server_default=default)


def _maybe(name: str, *, index: bool = False, unique: bool = False) -> Column[str | None]:
    return Column(name, Text, nullable=True, index=index, unique=unique)


def _flag(name: str, default: str = "0") -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=false() if default == "0" else text("true"))


def _number(name: str, default: int = 0) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=str(default))


def _id(name: str = "id") -> Column[str]:
    return Column(name, Text, primary_key=True)


def _parent(name: str, target: str) -> Column[str]:
    return Column(name, Text, ForeignKey(target, ondelete="CASCADE"), nullable=False, index=True)


def _owner() -> Column[str]:
    return Column("account_id", Text, nullable=False, index=True)


# --- who asks, and what changed ---------------------------------------------------------------------------------------

accounts = Table("accounts", metadata, _id(), _text("created_at"))
access_keys = Table("access_keys", metadata, _id(), _text("secret"), _parent("account_id", "accounts.id"))

journal = Table(
    "journal",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("id", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""Written in the transaction of the rows it speaks of: "look at this key again", never "do this"."""

hosts = Table("hosts", metadata, _id(), Column("seq", BigInteger, nullable=False, server_default="0"), _text("seen_at"))
"""One row per agent: the last journal entry it has carried out."""

client_tokens = Table(
    "client_tokens",
    metadata,
    Column("account_id", Text),
    Column("action", Text),
    Column("token", Text),
    _text("request_hash"),
    Column("result", JSON, nullable=False),
    _text("created_at"),
    PrimaryKeyConstraint("account_id", "action", "token"),
)

# --- VPCs and subnets -------------------------------------------------------------------------------------------------

vpcs = Table(
    "vpcs",
    metadata,
    _id(),
    _owner(),
    _text("cidr_block", index=True),
    _text("state", default="available"),
    _flag("is_default"),
    _text("instance_tenancy", default="default"),
    _text("dhcp_options_id", default="default"),
    _flag("enable_dns_support", "1"),
    _flag("enable_dns_hostnames"),
    _flag("enable_network_address_usage_metrics"),
    _text("created_at"),
)
vpc_cidr_blocks = Table(
    "vpc_cidr_blocks",
    metadata,
    _id(),  # vpc-cidr-assoc-…
    _parent("vpc_id", "vpcs.id"),
    _text("cidr_block"),
    _number("family", 4),
    _flag("is_primary"),
    _text("state", default="associated"),
    UniqueConstraint("vpc_id", "cidr_block"),
)
"""All of a VPC's blocks, IPv4 (the primary one included) and IPv6."""

subnets = Table(
    "subnets",
    metadata,
    _id(),
    _owner(),
    _parent("vpc_id", "vpcs.id"),
    _text("availability_zone", index=True),
    _text("availability_zone_id"),
    _text("cidr_block", index=True),
    _maybe("ipv6_cidr_block"),
    _maybe("ipv6_association_id"),
    _text("state", default="available"),
    _flag("default_for_az"),
    _flag("map_public_ip_on_launch"),
    _flag("assign_ipv6_address_on_creation"),
    _flag("enable_dns64"),
    _text("private_dns_hostname_type", default="ip-name"),
    _flag("resource_name_dns_a"),
    _flag("resource_name_dns_aaaa"),
    _number("next_offset", 4),  # where the next automatic IPv4 address is looked for, from the subnet's base
    _text("created_at"),
    UniqueConstraint("vpc_id", "cidr_block"),
    UniqueConstraint("vpc_id", "ipv6_cidr_block"),
)

# --- gateways ---------------------------------------------------------------------------------------------------------

internet_gateways = Table(
    "internet_gateways", metadata, _id(), _owner(), _maybe("vpc_id", unique=True), _text("created_at")
)
vpn_gateways = Table(
    "vpn_gateways",
    metadata,
    _id(),
    _owner(),
    _text("type", default="ipsec.1"),
    Column("amazon_side_asn", BigInteger, nullable=False, server_default="64512"),
    _maybe("availability_zone"),
    _text("state", default="available"),
    _maybe("vpc_id", unique=True),
    _text("created_at"),
)
customer_gateways = Table(
    "customer_gateways",
    metadata,
    _id(),
    _owner(),
    _text("type", default="ipsec.1"),
    Column("bgp_asn", BigInteger, nullable=False, server_default="65000"),
    _maybe("ip_address", index=True),
    _maybe("certificate_arn"),
    _maybe("device_name"),
    _text("state", default="available"),
    _text("created_at"),
)
vpn_connections = Table(
    "vpn_connections",
    metadata,
    _id(),
    _owner(),
    _parent("customer_gateway_id", "customer_gateways.id"),
    _maybe("vpn_gateway_id", index=True),
    _text("type", default="ipsec.1"),
    _flag("static_routes_only"),
    _text("state", default="available"),
    Column("tunnels", JSON, nullable=False),  # [{"OutsideIpAddress", "TunnelInsideCidr", "PreSharedKey"}]
    _text("created_at"),
)
vpn_connection_routes = Table(
    "vpn_connection_routes",
    metadata,
    Column("vpn_connection_id", Text, ForeignKey("vpn_connections.id", ondelete="CASCADE")),
    Column("destination_cidr_block", Text),
    PrimaryKeyConstraint("vpn_connection_id", "destination_cidr_block"),
)

# --- route tables -----------------------------------------------------------------------------------------------------

route_tables = Table("route_tables", metadata, _id(), _owner(), _parent("vpc_id", "vpcs.id"), _text("created_at"))
route_table_associations = Table(
    "route_table_associations",
    metadata,
    _id(),  # rtbassoc-…
    _parent("route_table_id", "route_tables.id"),
    _parent("vpc_id", "vpcs.id"),
    _maybe("subnet_id", unique=True),
    _maybe("gateway_id", unique=True),
    _flag("main"),
    Index("uq_main_route_table", "vpc_id", unique=True, sqlite_where=text("main"), postgresql_where=text("main")),
)
"""A subnet without a row here uses its VPC's main table (the one row of the VPC with ``main``)."""
route_propagations = Table(
    "route_propagations",
    metadata,
    Column("route_table_id", Text, ForeignKey("route_tables.id", ondelete="CASCADE")),
    Column("gateway_id", Text, index=True),
    PrimaryKeyConstraint("route_table_id", "gateway_id"),
)
routes = Table(
    "routes",
    metadata,
    Column("route_table_id", Text, ForeignKey("route_tables.id", ondelete="CASCADE")),
    Column("destination", Text),  # canonical CIDR, or pl-…
    _text("target_kind"),  # internet_gateway | vpn_gateway | network_interface | nat_gateway | …
    _text("target_id", index=True),
    _text("origin", default="CreateRoute"),
    PrimaryKeyConstraint("route_table_id", "destination"),
)
"""Local routes follow from the VPC's blocks and propagated ones from VPN connections: neither is stored. ``active`` or
``blackhole`` is worked out when asked. A route to an instance is stored as a route to its interface."""

# --- security groups and prefix lists ---------------------------------------------------------------------------------

security_groups = Table(
    "security_groups",
    metadata,
    _id(),
    _owner(),
    _parent("vpc_id", "vpcs.id"),
    _text("name", index=True),
    _text("description"),
    _text("created_at"),
    UniqueConstraint("vpc_id", "name"),
)
security_group_rules = Table(
    "security_group_rules",
    metadata,
    _id(),  # sgr-…
    _owner(),
    _parent("group_id", "security_groups.id"),
    _flag("is_egress"),
    _text("ip_protocol"),  # "-1", "tcp", "udp", "icmp", "icmpv6" or a number
    _number("from_port", -1),  # ICMP: the type; -1 is any
    _number("to_port", -1),  # ICMP: the code; -1 is any
    _maybe("cidr_ipv4"),
    _maybe("cidr_ipv6"),
    _maybe("prefix_list_id", index=True),
    _maybe("referenced_group_id", index=True),
    _maybe("description"),
    _text("identity"),  # everything but the description, so that a duplicate is a constraint
    UniqueConstraint("group_id", "identity"),
)
prefix_lists = Table(
    "prefix_lists",
    metadata,
    _id(),  # pl-…
    _owner(),
    _text("name", index=True),
    _text("address_family", default="IPv4"),
    _number("max_entries", 1),
    _number("version", 1),
    _text("state", default="create-complete"),
    _text("created_at"),
)
prefix_list_entries = Table(
    "prefix_list_entries",
    metadata,
    Column("prefix_list_id", Text, ForeignKey("prefix_lists.id", ondelete="CASCADE"), index=True),
    Column("cidr", Text),
    _maybe("description"),
    _number("added_in", 1),
    Column("removed_in", Integer, nullable=True),
    PrimaryKeyConstraint("prefix_list_id", "cidr", "added_in"),
)
"""An entry is in version V when ``added_in <= V`` and ``removed_in`` is null or ``> V``."""

# --- network interfaces -----------------------------------------------------------------------------------------------

network_interfaces = Table(
    "network_interfaces",
    metadata,
    _id(),
    _owner(),
    Column("vpc_id", Text, ForeignKey("vpcs.id"), nullable=False, index=True),
    Column("subnet_id", Text, ForeignKey("subnets.id"), nullable=False, index=True),
    _text("availability_zone"),
    _text("availability_zone_id"),
    _text("description"),
    _text("mac_address", unique=True),
    _text("private_ip_address", index=True),  # the primary one, for life
    _flag("source_dest_check", "1"),
    _text("status", default="available", index=True),  # available | in-use (what AWS shows while attached or moving)
    _text("interface_type", default="interface"),
    _maybe("requester_id"),
    _flag("requester_managed"),
    _flag("associate_public_ip_address"),
    _flag("enable_primary_ipv6"),
    Column("connection_tracking", JSON, nullable=True),
    _text("created_at"),
)
network_interface_groups = Table(
    "network_interface_groups",
    metadata,
    Column("network_interface_id", Text, ForeignKey("network_interfaces.id", ondelete="CASCADE")),
    Column("group_id", Text, ForeignKey("security_groups.id"), index=True),
    _number("position"),
    PrimaryKeyConstraint("network_interface_id", "group_id"),
)
private_addresses = Table(
    "private_addresses",
    metadata,
    Column("subnet_id", Text, ForeignKey("subnets.id")),
    Column("ip", Text, index=True),
    _number("family", 4),
    Column("address_offset", BigInteger, nullable=True),  # IPv4: distance from the subnet's base
    Column(
        "network_interface_id",
        Text,
        ForeignKey("network_interfaces.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    _flag("is_primary"),
    _number("position"),  # order of assignment, primary first
    PrimaryKeyConstraint("subnet_id", "ip"),
    UniqueConstraint("subnet_id", "address_offset"),
)
"""Every private IPv4 and IPv6 address of every interface. The key is the judge of "in use"."""
attachments = Table(
    "attachments",
    metadata,
    _id(),  # eni-attach-…
    Column("network_interface_id", Text, ForeignKey("network_interfaces.id"), nullable=False, unique=True),
    Column("instance_id", Text, ForeignKey("instances.id"), nullable=False, index=True),
    _number("device_index"),
    _number("network_card_index"),
    _text("status", default="attaching"),  # attaching | attached | detaching
    _text("attach_time"),
    _flag("delete_on_termination"),
    UniqueConstraint("instance_id", "network_card_index", "device_index"),
)
public_addresses = Table(
    "public_addresses",
    metadata,
    Column("ip", Text, primary_key=True),
    _owner(),
    _maybe("allocation_id", unique=True),  # null: auto-assigned, never the user's
    _maybe("association_id", unique=True),
    _maybe("network_interface_id", index=True),
    _maybe("private_ip"),
    _text("network_border_group"),
    _text("created_at"),
    UniqueConstraint("network_interface_id", "private_ip"),
)
"""Elastic IPs and auto-assigned public addresses, from one pool; one per private address of an interface."""

# --- instances --------------------------------------------------------------------------------------------------------

instances = Table(
    "instances",
    metadata,
    _id(),
    _owner(),
    _text("reservation_id", index=True),
    _number("launch_index"),
    _text("image_id"),
    _text("instance_type"),
    _number("vcpus", 1),
    _number("memory_mib", 512),
    _maybe("key_name"),
    _text("availability_zone"),
    _text("availability_zone_id"),
    _text("vpc_id", index=True),
    _text("subnet_id", index=True),
    _text("state", default="pending", index=True),
    # pending | running | stopping | stopped | shutting-down | terminated
    _text("state_reason_code"),
    _text("state_reason_message"),
    _text("state_transition_reason"),
    _text("health", default="initializing"),  # initializing | ok | impaired
    _text("launch_time"),
    _number("boot", 1),  # grows with each start and reboot: the agent compares it with what runs
    _maybe("user_data"),  # base64, as given
    _text("host_id"),
    _flag("disable_api_termination"),
    _flag("disable_api_stop"),
    _flag("ebs_optimized"),
    _flag("monitoring"),
    _text("shutdown_behavior", default="stop"),
    _maybe("tenancy"),
    Column("metadata_options", JSON, nullable=True),
    Column("extra", JSON, nullable=True),  # fields that are only stored and shown
    _text("changed_at"),
)
key_pairs = Table(
    "key_pairs",
    metadata,
    _id(),  # key-…
    _owner(),
    _text("name"),
    _text("fingerprint"),
    _text("type", default="rsa"),
    _text("public_key"),  # OpenSSH format
    _text("created_at"),
    UniqueConstraint("account_id", "name"),
)
tags = Table(
    "tags",
    metadata,
    Column("resource_id", Text),
    Column("key", Text),
    _text("value"),
    _owner(),
    _text("resource_type"),
    PrimaryKeyConstraint("resource_id", "key"),
    Index("ix_tags_key_value", "key", "value"),
)

# --- the world outside ------------------------------------------------------------------------------------------------

sites = Table(
    "sites",
    metadata,
    Column("name", Text, primary_key=True),
    _text("public_ip", unique=True),
    _maybe("network"),  # CIDR behind it, e.g. a corporate network
    _maybe("host_ip"),  # the host's own address in that network
)
"""A place outside AWS that enid plays: a host on the internet, or a corporate network behind a customer gateway whose
``ip_address`` is the site's ``public_ip``."""
