"""VPC peering connections."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Table

from enid.store.tables.columns import id_column, metadata, optional_text, text_column

vpc_peering_connections = Table(
    "vpc_peering_connections",
    metadata,
    id_column(),  # pcx-…
    text_column("requester_account_id", index=True),
    text_column("requester_vpc_id", index=True),
    text_column("requester_cidr_block"),  # the primary one: it never changes, and outlives the VPC here
    text_column("accepter_account_id", index=True),
    text_column("accepter_vpc_id", index=True),
    text_column("accepter_cidr_block"),
    text_column("state", default="pending-acceptance", index=True),
    # pending-acceptance | provisioning | active | deleting, then one of failed | expired | rejected | deleted
    text_column("ended_by"),  # the account that rejected or deleted it
    optional_text("pair", unique=True),  # both VPCs while it is not over: two VPCs have at most one
    optional_text("expires_at"),  # while pending; a request is expired from then on, whatever ``state`` says
    optional_text("requester_sees_until"),  # null: always
    optional_text("accepter_sees_until"),
    Column("requester_options", JSON, nullable=False),
    Column("accepter_options", JSON, nullable=False),
    text_column("created_at"),
)
"""No foreign keys: one that is over stays in sight for hours, whether its VPCs are still there or not."""
