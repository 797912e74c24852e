"""prefixes reservations permissions transfers."""

from ipaddress import IPv6Address

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "address_transfers",
        sa.Column("allocation_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("public_ip", sa.Text(), server_default="", nullable=False),
        sa.Column("transfer_account_id", sa.Text(), server_default="", nullable=False),
        sa.Column("expires_at", sa.Text(), server_default="", nullable=False),
        sa.Column("accepted_at", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("allocation_id", "account_id", name=op.f("pk_address_transfers")),
    )
    with op.batch_alter_table("address_transfers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_address_transfers_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_address_transfers_public_ip"), ["public_ip"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_address_transfers_transfer_account_id"), ["transfer_account_id"], unique=False
        )

    op.create_table(
        "subnet_cidr_reservations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("subnet_id", sa.Text(), nullable=False),
        sa.Column("family", sa.Integer(), server_default="4", nullable=False),
        sa.Column("cidr", sa.Text(), server_default="", nullable=False),
        sa.Column("reservation_type", sa.Text(), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("first_block", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_block", sa.Integer(), server_default="0", nullable=False),
        sa.Column("first_offset", sa.BigInteger(), nullable=True),
        sa.Column("last_offset", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["subnet_id"], ["subnets.id"], name=op.f("fk_subnet_cidr_reservations_subnet_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subnet_cidr_reservations")),
        sa.UniqueConstraint("subnet_id", "cidr", name=op.f("uq_subnet_cidr_reservations_subnet_id_cidr")),
    )
    with op.batch_alter_table("subnet_cidr_reservations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_subnet_cidr_reservations_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_subnet_cidr_reservations_subnet_id"), ["subnet_id"], unique=False)

    op.create_table(
        "delegated_prefixes",
        sa.Column("subnet_id", sa.Text(), nullable=False),
        sa.Column("family", sa.Integer(), server_default="4", nullable=False),
        sa.Column("block", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cidr", sa.Text(), server_default="", nullable=False),
        sa.Column("network_interface_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["network_interface_id"],
            ["network_interfaces.id"],
            name=op.f("fk_delegated_prefixes_network_interface_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["subnet_id"], ["subnets.id"], name=op.f("fk_delegated_prefixes_subnet_id")),
        sa.PrimaryKeyConstraint("subnet_id", "family", "block", name=op.f("pk_delegated_prefixes")),
    )
    with op.batch_alter_table("delegated_prefixes", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_delegated_prefixes_network_interface_id"), ["network_interface_id"], unique=False
        )

    op.create_table(
        "network_interface_permissions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("network_interface_id", sa.Text(), nullable=False),
        sa.Column("aws_account_id", sa.Text(), server_default="", nullable=False),
        sa.Column("permission", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="granted", nullable=False),
        sa.Column("created_at", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["network_interface_id"],
            ["network_interfaces.id"],
            name=op.f("fk_network_interface_permissions_network_interface_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network_interface_permissions")),
        sa.UniqueConstraint("network_interface_id", "permission", name="uq_network_interface_permissions_grant"),
    )
    with op.batch_alter_table("network_interface_permissions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_network_interface_permissions_account_id"), ["account_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_network_interface_permissions_aws_account_id"), ["aws_account_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_network_interface_permissions_network_interface_id"), ["network_interface_id"], unique=False
        )

    with op.batch_alter_table("private_addresses", schema=None) as batch_op:
        batch_op.add_column(sa.Column("block", sa.Integer(), server_default="0", nullable=False))
        batch_op.create_index("ix_private_addresses_block", ["subnet_id", "family", "block"], unique=False)

    with op.batch_alter_table("public_addresses", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ptr_record", sa.Text(), nullable=True))
    number_blocks(op.get_bind())


def number_blocks(db: sa.Connection) -> None:
    """The addresses that are there learn which prefix-sized block of their subnet they lie in."""
    db.execute(sa.text("UPDATE private_addresses SET block = address_offset / 16 WHERE family = 4"))
    query = sa.text("SELECT subnet_id, ip FROM private_addresses WHERE family = 6")
    # A subnet's IPv6 block is a /64, and a prefix a /80: the number is the address's fifth group.
    rows = [
        {"subnet": subnet, "ip": ip, "block": int(IPv6Address(ip)) >> 48 & 0xFFFF} for subnet, ip in db.execute(query)
    ]
    if rows:
        update = "UPDATE private_addresses SET block = :block WHERE subnet_id = :subnet AND ip = :ip"
        db.execute(sa.text(update), rows)


def downgrade() -> None:
    with op.batch_alter_table("public_addresses", schema=None) as batch_op:
        batch_op.drop_column("ptr_record")

    with op.batch_alter_table("private_addresses", schema=None) as batch_op:
        batch_op.drop_index("ix_private_addresses_block")
        batch_op.drop_column("block")

    with op.batch_alter_table("network_interface_permissions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_network_interface_permissions_network_interface_id"))
        batch_op.drop_index(batch_op.f("ix_network_interface_permissions_aws_account_id"))
        batch_op.drop_index(batch_op.f("ix_network_interface_permissions_account_id"))

    op.drop_table("network_interface_permissions")
    with op.batch_alter_table("delegated_prefixes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_delegated_prefixes_network_interface_id"))

    op.drop_table("delegated_prefixes")
    with op.batch_alter_table("subnet_cidr_reservations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_subnet_cidr_reservations_subnet_id"))
        batch_op.drop_index(batch_op.f("ix_subnet_cidr_reservations_account_id"))

    op.drop_table("subnet_cidr_reservations")
    with op.batch_alter_table("address_transfers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_address_transfers_transfer_account_id"))
        batch_op.drop_index(batch_op.f("ix_address_transfers_public_ip"))
        batch_op.drop_index(batch_op.f("ix_address_transfers_account_id"))

    op.drop_table("address_transfers")
