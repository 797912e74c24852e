"""VPC peering connections; rules that refer to groups of peers; tags that belong to who gave them."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vpc_peering_connections",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("requester_account_id", sa.Text(), server_default="", nullable=False),
        sa.Column("requester_vpc_id", sa.Text(), server_default="", nullable=False),
        sa.Column("requester_cidr_block", sa.Text(), server_default="", nullable=False),
        sa.Column("accepter_account_id", sa.Text(), server_default="", nullable=False),
        sa.Column("accepter_vpc_id", sa.Text(), server_default="", nullable=False),
        sa.Column("accepter_cidr_block", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="pending-acceptance", nullable=False),
        sa.Column("ended_by", sa.Text(), server_default="", nullable=False),
        sa.Column("pair", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.Text(), nullable=True),
        sa.Column("requester_sees_until", sa.Text(), nullable=True),
        sa.Column("accepter_sees_until", sa.Text(), nullable=True),
        sa.Column("requester_options", sa.JSON(), nullable=False),
        sa.Column("accepter_options", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vpc_peering_connections")),
        sa.UniqueConstraint("pair", name=op.f("uq_vpc_peering_connections_pair")),
    )
    with op.batch_alter_table("vpc_peering_connections", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_vpc_peering_connections_accepter_account_id"), ["accepter_account_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_vpc_peering_connections_accepter_vpc_id"), ["accepter_vpc_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_vpc_peering_connections_requester_account_id"), ["requester_account_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_vpc_peering_connections_requester_vpc_id"), ["requester_vpc_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_vpc_peering_connections_state"), ["state"], unique=False)

    with op.batch_alter_table("security_group_rules", schema=None) as batch_op:
        batch_op.add_column(sa.Column("referenced_account_id", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("referenced_vpc_id", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("referenced_peering_id", sa.Text(), nullable=True))
        batch_op.create_index(
            batch_op.f("ix_security_group_rules_referenced_vpc_id"), ["referenced_vpc_id"], unique=False
        )

    with op.batch_alter_table("tags", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("pk_tags"), type_="primary")
        batch_op.create_primary_key(batch_op.f("pk_tags"), ["resource_id", "key", "account_id"])


def downgrade() -> None:
    with op.batch_alter_table("tags", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("pk_tags"), type_="primary")
        batch_op.create_primary_key(batch_op.f("pk_tags"), ["resource_id", "key"])

    with op.batch_alter_table("security_group_rules", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_security_group_rules_referenced_vpc_id"))
        batch_op.drop_column("referenced_peering_id")
        batch_op.drop_column("referenced_vpc_id")
        batch_op.drop_column("referenced_account_id")

    with op.batch_alter_table("vpc_peering_connections", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_vpc_peering_connections_state"))
        batch_op.drop_index(batch_op.f("ix_vpc_peering_connections_requester_vpc_id"))
        batch_op.drop_index(batch_op.f("ix_vpc_peering_connections_requester_account_id"))
        batch_op.drop_index(batch_op.f("ix_vpc_peering_connections_accepter_vpc_id"))
        batch_op.drop_index(batch_op.f("ix_vpc_peering_connections_accepter_account_id"))

    op.drop_table("vpc_peering_connections")
