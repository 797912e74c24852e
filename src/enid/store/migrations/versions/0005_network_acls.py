"""Network ACLs. Every VPC gets the default one that was worked out for it before, under the same id, and so does every
subnet its association.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "network_acls",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("vpc_id", sa.Text(), nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["vpc_id"], ["vpcs.id"], name=op.f("fk_network_acls_vpc_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network_acls")),
    )
    with op.batch_alter_table("network_acls", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_network_acls_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_network_acls_vpc_id"), ["vpc_id"], unique=False)
        batch_op.create_index(
            "uq_default_network_acl",
            ["vpc_id"],
            unique=True,
            sqlite_where=sa.text("is_default"),
            postgresql_where=sa.text("is_default"),
        )

    op.create_table(
        "network_acl_associations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("network_acl_id", sa.Text(), nullable=False),
        sa.Column("subnet_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["network_acl_id"],
            ["network_acls.id"],
            name=op.f("fk_network_acl_associations_network_acl_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["subnet_id"], ["subnets.id"], name=op.f("fk_network_acl_associations_subnet_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network_acl_associations")),
        sa.UniqueConstraint("subnet_id", name=op.f("uq_network_acl_associations_subnet_id")),
    )
    with op.batch_alter_table("network_acl_associations", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_network_acl_associations_network_acl_id"), ["network_acl_id"], unique=False
        )

    op.create_table(
        "network_acl_entries",
        sa.Column("network_acl_id", sa.Text(), nullable=False),
        sa.Column("egress", sa.Boolean(), nullable=False),
        sa.Column("rule_number", sa.Integer(), nullable=False),
        sa.Column("rule_action", sa.Text(), server_default="", nullable=False),
        sa.Column("protocol", sa.Text(), server_default="", nullable=False),
        sa.Column("cidr_block", sa.Text(), nullable=True),
        sa.Column("ipv6_cidr_block", sa.Text(), nullable=True),
        sa.Column("from_port", sa.Integer(), nullable=True),
        sa.Column("to_port", sa.Integer(), nullable=True),
        sa.Column("icmp_type", sa.Integer(), nullable=True),
        sa.Column("icmp_code", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["network_acl_id"],
            ["network_acls.id"],
            name=op.f("fk_network_acl_entries_network_acl_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("network_acl_id", "egress", "rule_number", name=op.f("pk_network_acl_entries")),
    )
    _fill()


def _fill() -> None:
    op.execute(
        "INSERT INTO network_acls (id, account_id, vpc_id, is_default, created_at) "
        "SELECT 'acl' || substr(id, 4), account_id, id, true, created_at FROM vpcs"
    )
    op.execute(
        "INSERT INTO network_acl_associations (id, network_acl_id, subnet_id) "
        "SELECT 'aclassoc' || substr(id, 7), 'acl' || substr(vpc_id, 4), id FROM subnets"
    )
    with_ipv6 = " WHERE id IN (SELECT vpc_id FROM vpc_cidr_blocks WHERE family = 6)"
    for number, column, block, which in (
        (100, "cidr_block", "0.0.0.0/0", ""),
        (101, "ipv6_cidr_block", "::/0", with_ipv6),
    ):
        for egress in ("true", "false"):
            op.execute(
                f"INSERT INTO network_acl_entries (network_acl_id, egress, rule_number, rule_action, protocol, {column}) "
                f"SELECT 'acl' || substr(id, 4), {egress}, {number}, 'allow', '-1', '{block}' FROM vpcs{which}"
            )


def downgrade() -> None:
    op.drop_table("network_acl_entries")
    with op.batch_alter_table("network_acl_associations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_network_acl_associations_network_acl_id"))

    op.drop_table("network_acl_associations")
    with op.batch_alter_table("network_acls", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_default_network_acl", sqlite_where=sa.text("is_default"), postgresql_where=sa.text("is_default")
        )
        batch_op.drop_index(batch_op.f("ix_network_acls_vpc_id"))
        batch_op.drop_index(batch_op.f("ix_network_acls_account_id"))

    op.drop_table("network_acls")
