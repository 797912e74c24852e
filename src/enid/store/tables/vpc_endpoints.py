"""VPC endpoints."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Table

from enid.store.tables.columns import flag, id_column, metadata, owner, parent, text_column

vpc_endpoints = Table(
    "vpc_endpoints",
    metadata,
    id_column(),  # vpce-…
    owner(),
    parent("vpc_id", "vpcs.id"),
    text_column("kind"),  # Interface | Gateway
    text_column("service_name"),
    text_column("state", default="available"),
    text_column("policy_document"),
    text_column("ip_address_type", default="ipv4"),
    flag("private_dns_enabled"),
    Column("dns_options", JSON, nullable=False),
    Column("group_ids", JSON, nullable=False),
    text_column("created_at"),
)
"""Where one leads out of a VPC is not here: an Interface endpoint's interfaces are those plugged into it, a Gateway
endpoint's route tables those with a route to it."""
