"""Counts that are kept, and indexes for an account with very many interfaces."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

LISTED = {
    "instances": ["id"],
    "network_interfaces": ["id"],
    "public_addresses": ["allocation_id"],
    "route_tables": ["id"],
    "security_group_rules": ["id"],
    "security_groups": ["id"],
    "subnets": ["id"],
    "tags": ["resource_id", "key"],
}
"""Tables whose index on the account gains what they are listed by."""


TALLIED = (
    "delegated_prefixes",
    "internet_gateways",
    "network_interfaces",
    "private_addresses",
    "public_addresses",
    "security_groups",
    "vpcs",
)


def upgrade() -> None:
    op.create_table(
        "tallies",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("kind", "owner", name=op.f("pk_tallies")),
    )
    for table, columns in LISTED.items():
        op.drop_index(f"ix_{table}_account_id", table)
        op.create_index("_".join([f"ix_{table}_account_id", *columns]), table, ["account_id", *columns])
    op.create_index("ix_public_addresses_private_ip", "public_addresses", ["private_ip"])
    op.create_index("ix_tags_value", "tags", ["value"])


def downgrade() -> None:
    op.drop_index("ix_tags_value", "tags")
    op.drop_index("ix_public_addresses_private_ip", "public_addresses")
    for table, columns in LISTED.items():
        op.drop_index("_".join([f"ix_{table}_account_id", *columns]), table)
        op.create_index(f"ix_{table}_account_id", table, ["account_id"])
    for table in TALLIED:
        for event in ("insert", "delete", "update"):
            of_table = f" ON {table} CASCADE" if op.get_bind().dialect.name == "postgresql" else ""
            op.execute(f"DROP TRIGGER IF EXISTS tally_{event}_{table}{of_table}")
    op.drop_table("tallies")
