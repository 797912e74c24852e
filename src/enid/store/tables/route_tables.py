"""Route tables: their routes, and who uses them."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, PrimaryKeyConstraint, Table, Text, text

from enid.store.tables.columns import flag, id_column, listed_by, metadata, optional_text, owner, parent, text_column

route_tables = Table(
    "route_tables",
    metadata,
    id_column(),
    owner(index=False),
    parent("vpc_id", "vpcs.id"),
    text_column("created_at"),
    listed_by("id"),
)
route_table_associations = Table(
    "route_table_associations",
    metadata,
    id_column(),  # rtbassoc-…
    parent("route_table_id", "route_tables.id"),
    parent("vpc_id", "vpcs.id"),
    optional_text("subnet_id", unique=True),
    optional_text("gateway_id", unique=True),
    flag("main"),
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
    text_column("target_kind"),  # internet_gateway | vpn_gateway | network_interface | vpc_peering_connection | …
    text_column("target_id", index=True),
    text_column("origin", default="CreateRoute"),
    PrimaryKeyConstraint("route_table_id", "destination"),
)
"""Local routes follow from the VPC's blocks and propagated ones from VPN connections: neither is stored. ``active`` or
``blackhole`` is worked out when asked. A route to an instance is stored as a route to its interface."""
