"""Internet, egress-only and NAT gateways, and virtual private gateways with what they connect to."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, PrimaryKeyConstraint, Table, Text

from enid.store.tables.columns import deleted_at, flag, id_column, metadata, optional_text, owner, parent, text_column

internet_gateways = Table(
    "internet_gateways", metadata, id_column(), owner(), optional_text("vpc_id", unique=True), text_column("created_at")
)
egress_only_internet_gateways = Table(
    "egress_only_internet_gateways",
    metadata,
    id_column(),  # eigw-…
    owner(),
    Column("vpc_id", Text, ForeignKey("vpcs.id"), nullable=False, unique=True),
    text_column("created_at"),
)
nat_gateways = Table(
    "nat_gateways",
    metadata,
    id_column(),  # nat-…
    owner(),
    text_column("vpc_id", index=True),
    text_column("subnet_id", index=True),
    text_column("availability_zone"),
    text_column("connectivity_type", default="public"),
    text_column("state", default="pending", index=True),  # pending | available | deleting | deleted | failed
    optional_text("network_interface_id", unique=True),
    optional_text("failure_code"),
    optional_text("failure_message"),
    Column("last_addresses", JSON, nullable=True),  # as they were shown last; null while they are the interface's
    text_column("created_at"),
    deleted_at(),
)
"""One that has ended stays in sight for a while: its subnet and its interface may be gone."""
vpn_gateways = Table(
    "vpn_gateways",
    metadata,
    id_column(),
    owner(),
    text_column("type", default="ipsec.1"),
    Column("amazon_side_asn", BigInteger, nullable=False, server_default="64512"),
    optional_text("availability_zone"),
    text_column("state", default="available"),
    optional_text("vpc_id", unique=True),
    optional_text("detached_vpc_id"),  # the last one, shown as `detached`
    text_column("created_at"),
    deleted_at(),
)
customer_gateways = Table(
    "customer_gateways",
    metadata,
    id_column(),
    owner(),
    text_column("type", default="ipsec.1"),
    Column("bgp_asn", BigInteger, nullable=False, server_default="65000"),
    optional_text("ip_address", index=True),
    optional_text("certificate_arn"),
    optional_text("device_name"),
    text_column("state", default="available"),
    text_column("created_at"),
    deleted_at(),
)
vpn_connections = Table(
    "vpn_connections",
    metadata,
    id_column(),
    owner(),
    parent("customer_gateway_id", "customer_gateways.id"),
    optional_text("vpn_gateway_id", index=True),
    text_column("type", default="ipsec.1"),
    flag("static_routes_only"),
    text_column("state", default="available"),
    Column("tunnels", JSON, nullable=False),  # [{"OutsideIpAddress", "TunnelInsideCidr", "PreSharedKey"}]
    Column("telemetry", JSON, nullable=True),  # [{"up", "since"}] of real tunnels; null before one was up
    text_column("created_at"),
    deleted_at(),
)
vpn_connection_routes = Table(
    "vpn_connection_routes",
    metadata,
    Column("vpn_connection_id", Text, ForeignKey("vpn_connections.id", ondelete="CASCADE")),
    Column("destination_cidr_block", Text),
    PrimaryKeyConstraint("vpn_connection_id", "destination_cidr_block"),
)
