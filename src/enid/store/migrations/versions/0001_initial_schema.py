"""initial schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
    )
    op.create_table(
        "client_tokens",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("account_id", "action", "token", name=op.f("pk_client_tokens")),
    )
    op.create_table(
        "customer_gateways",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), server_default="ipsec.1", nullable=False),
        sa.Column("bgp_asn", sa.BigInteger(), server_default="65000", nullable=False),
        sa.Column("ip_address", sa.Text(), nullable=True),
        sa.Column("certificate_arn", sa.Text(), nullable=True),
        sa.Column("device_name", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="available", nullable=False),
        sa.Column("created_at", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_gateways")),
    )
    with op.batch_alter_table("customer_gateways", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customer_gateways_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_customer_gateways_ip_address"), ["ip_address"], unique=False)

    op.create_table(
        "hosts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("seen_at", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hosts")),
    )
    op.create_table(
        "instances",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("reservation_id", sa.Text(), server_default="", nullable=False),
        sa.Column("launch_index", sa.Integer(), server_default="0", nullable=False),
        sa.Column("image_id", sa.Text(), server_default="", nullable=False),
        sa.Column("instance_type", sa.Text(), server_default="", nullable=False),
        sa.Column("vcpus", sa.Integer(), server_default="1", nullable=False),
        sa.Column("memory_mib", sa.Integer(), server_default="512", nullable=False),
        sa.Column("key_name", sa.Text(), nullable=True),
        sa.Column("availability_zone", sa.Text(), server_default="", nullable=False),
        sa.Column("availability_zone_id", sa.Text(), server_default="", nullable=False),
        sa.Column("vpc_id", sa.Text(), server_default="", nullable=False),
        sa.Column("subnet_id", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("state_reason_code", sa.Text(), server_default="", nullable=False),
        sa.Column("state_reason_message", sa.Text(), server_default="", nullable=False),
        sa.Column("state_transition_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("health", sa.Text(), server_default="initializing", nullable=False),
        sa.Column("launch_time", sa.Text(), server_default="", nullable=False),
        sa.Column("boot", sa.Integer(), server_default="1", nullable=False),
        sa.Column("user_data", sa.Text(), nullable=True),
        sa.Column("host_id", sa.Text(), server_default="", nullable=False),
        sa.Column("disable_api_termination", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("disable_api_stop", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("ebs_optimized", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("monitoring", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("shutdown_behavior", sa.Text(), server_default="stop", nullable=False),
        sa.Column("tenancy", sa.Text(), nullable=True),
        sa.Column("metadata_options", sa.JSON(), nullable=True),
        sa.Column("extra", sa.JSON(), nullable=True),
        sa.Column("changed_at", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instances")),
    )
    with op.batch_alter_table("instances", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_instances_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_instances_reservation_id"), ["reservation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_instances_state"), ["state"], unique=False)
        batch_op.create_index(batch_op.f("ix_instances_subnet_id"), ["subnet_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_instances_vpc_id"), ["vpc_id"], unique=False)

    op.create_table(
        "internet_gateways",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("vpc_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_internet_gateways")),
        sa.UniqueConstraint("vpc_id", name=op.f("uq_internet_gateways_vpc_id")),
    )
    with op.batch_alter_table("internet_gateways", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_internet_gateways_account_id"), ["account_id"], unique=False)

    op.create_table(
        "journal",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_journal")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "key_pairs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("fingerprint", sa.Text(), server_default="", nullable=False),
        sa.Column("type", sa.Text(), server_default="rsa", nullable=False),
        sa.Column("public_key", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_pairs")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_key_pairs_account_id_name")),
    )
    with op.batch_alter_table("key_pairs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_key_pairs_account_id"), ["account_id"], unique=False)

    op.create_table(
        "prefix_lists",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("address_family", sa.Text(), server_default="IPv4", nullable=False),
        sa.Column("max_entries", sa.Integer(), server_default="1", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("state", sa.Text(), server_default="create-complete", nullable=False),
        sa.Column("created_at", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prefix_lists")),
    )
    with op.batch_alter_table("prefix_lists", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_prefix_lists_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_prefix_lists_name"), ["name"], unique=False)

    op.create_table(
        "public_addresses",
        sa.Column("ip", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("allocation_id", sa.Text(), nullable=True),
        sa.Column("association_id", sa.Text(), nullable=True),
        sa.Column("network_interface_id", sa.Text(), nullable=True),
        sa.Column("private_ip", sa.Text(), nullable=True),
        sa.Column("network_border_group", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("ip", name=op.f("pk_public_addresses")),
        sa.UniqueConstraint("allocation_id", name=op.f("uq_public_addresses_allocation_id")),
        sa.UniqueConstraint("association_id", name=op.f("uq_public_addresses_association_id")),
        sa.UniqueConstraint(
            "network_interface_id", "private_ip", name=op.f("uq_public_addresses_network_interface_id_private_ip")
        ),
    )
    with op.batch_alter_table("public_addresses", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_public_addresses_account_id"), ["account_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_public_addresses_network_interface_id"), ["network_interface_id"], unique=False
        )

    op.create_table(
        "sites",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("public_ip", sa.Text(), server_default="", nullable=False),
        sa.Column("network", sa.Text(), nullable=True),
        sa.Column("host_ip", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sites")),
        sa.UniqueConstraint("public_ip", name=op.f("uq_sites_public_ip")),
    )
    op.create_table(
        "tags",
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), server_default="", nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("resource_type", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("resource_id", "key", name=op.f("pk_tags")),
    )
    with op.batch_alter_table("tags", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tags_account_id"), ["account_id"], unique=False)
        batch_op.create_index("ix_tags_key_value", ["key", "value"], unique=False)

    op.create_table(
        "vpcs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("cidr_block", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="available", nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("instance_tenancy", sa.Text(), server_default="default", nullable=False),
        sa.Column("dhcp_options_id", sa.Text(), server_default="default", nullable=False),
        sa.Column("enable_dns_support", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("enable_dns_hostnames", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("enable_network_address_usage_metrics", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vpcs")),
    )
    with op.batch_alter_table("vpcs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_vpcs_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_vpcs_cidr_block"), ["cidr_block"], unique=False)

    op.create_table(
        "vpn_gateways",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), server_default="ipsec.1", nullable=False),
        sa.Column("amazon_side_asn", sa.BigInteger(), server_default="64512", nullable=False),
        sa.Column("availability_zone", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="available", nullable=False),
        sa.Column("vpc_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vpn_gateways")),
        sa.UniqueConstraint("vpc_id", name=op.f("uq_vpn_gateways_vpc_id")),
    )
    with op.batch_alter_table("vpn_gateways", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_vpn_gateways_account_id"), ["account_id"], unique=False)

    op.create_table(
        "access_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), server_default="", nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_access_keys_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_keys")),
    )
    with op.batch_alter_table("access_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_access_keys_account_id"), ["account_id"], unique=False)

    op.create_table(
        "prefix_list_entries",
        sa.Column("prefix_list_id", sa.Text(), nullable=False),
        sa.Column("cidr", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("added_in", sa.Integer(), server_default="1", nullable=False),
        sa.Column("removed_in", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["prefix_list_id"],
            ["prefix_lists.id"],
            name=op.f("fk_prefix_list_entries_prefix_list_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("prefix_list_id", "cidr", "added_in", name=op.f("pk_prefix_list_entries")),
    )
    with op.batch_alter_table("prefix_list_entries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_prefix_list_entries_prefix_list_id"), ["prefix_list_id"], unique=False)

    op.create_table(
        "route_tables",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("vpc_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["vpc_id"], ["vpcs.id"], name=op.f("fk_route_tables_vpc_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_route_tables")),
    )
    with op.batch_alter_table("route_tables", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_route_tables_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_route_tables_vpc_id"), ["vpc_id"], unique=False)

    op.create_table(
        "security_groups",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("vpc_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["vpc_id"], ["vpcs.id"], name=op.f("fk_security_groups_vpc_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_groups")),
        sa.UniqueConstraint("vpc_id", "name", name=op.f("uq_security_groups_vpc_id_name")),
    )
    with op.batch_alter_table("security_groups", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_security_groups_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_security_groups_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_security_groups_vpc_id"), ["vpc_id"], unique=False)

    op.create_table(
        "subnets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("vpc_id", sa.Text(), nullable=False),
        sa.Column("availability_zone", sa.Text(), server_default="", nullable=False),
        sa.Column("availability_zone_id", sa.Text(), server_default="", nullable=False),
        sa.Column("cidr_block", sa.Text(), server_default="", nullable=False),
        sa.Column("ipv6_cidr_block", sa.Text(), nullable=True),
        sa.Column("ipv6_association_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="available", nullable=False),
        sa.Column("default_for_az", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("map_public_ip_on_launch", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("assign_ipv6_address_on_creation", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("enable_dns64", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("private_dns_hostname_type", sa.Text(), server_default="ip-name", nullable=False),
        sa.Column("resource_name_dns_a", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("resource_name_dns_aaaa", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("next_offset", sa.Integer(), server_default="4", nullable=False),
        sa.Column("created_at", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["vpc_id"], ["vpcs.id"], name=op.f("fk_subnets_vpc_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subnets")),
        sa.UniqueConstraint("vpc_id", "cidr_block", name=op.f("uq_subnets_vpc_id_cidr_block")),
        sa.UniqueConstraint("vpc_id", "ipv6_cidr_block", name=op.f("uq_subnets_vpc_id_ipv6_cidr_block")),
    )
    with op.batch_alter_table("subnets", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_subnets_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_subnets_availability_zone"), ["availability_zone"], unique=False)
        batch_op.create_index(batch_op.f("ix_subnets_cidr_block"), ["cidr_block"], unique=False)
        batch_op.create_index(batch_op.f("ix_subnets_vpc_id"), ["vpc_id"], unique=False)

    op.create_table(
        "vpc_cidr_blocks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("vpc_id", sa.Text(), nullable=False),
        sa.Column("cidr_block", sa.Text(), server_default="", nullable=False),
        sa.Column("family", sa.Integer(), server_default="4", nullable=False),
        sa.Column("is_primary", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("state", sa.Text(), server_default="associated", nullable=False),
        sa.ForeignKeyConstraint(["vpc_id"], ["vpcs.id"], name=op.f("fk_vpc_cidr_blocks_vpc_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vpc_cidr_blocks")),
        sa.UniqueConstraint("vpc_id", "cidr_block", name=op.f("uq_vpc_cidr_blocks_vpc_id_cidr_block")),
    )
    with op.batch_alter_table("vpc_cidr_blocks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_vpc_cidr_blocks_vpc_id"), ["vpc_id"], unique=False)

    op.create_table(
        "vpn_connections",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("customer_gateway_id", sa.Text(), nullable=False),
        sa.Column("vpn_gateway_id", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), server_default="ipsec.1", nullable=False),
        sa.Column("static_routes_only", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("state", sa.Text(), server_default="available", nullable=False),
        sa.Column("tunnels", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_gateway_id"],
            ["customer_gateways.id"],
            name=op.f("fk_vpn_connections_customer_gateway_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vpn_connections")),
    )
    with op.batch_alter_table("vpn_connections", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_vpn_connections_account_id"), ["account_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_vpn_connections_customer_gateway_id"), ["customer_gateway_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_vpn_connections_vpn_gateway_id"), ["vpn_gateway_id"], unique=False)

    op.create_table(
        "network_interfaces",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("vpc_id", sa.Text(), nullable=False),
        sa.Column("subnet_id", sa.Text(), nullable=False),
        sa.Column("availability_zone", sa.Text(), server_default="", nullable=False),
        sa.Column("availability_zone_id", sa.Text(), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("mac_address", sa.Text(), server_default="", nullable=False),
        sa.Column("private_ip_address", sa.Text(), server_default="", nullable=False),
        sa.Column("source_dest_check", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("status", sa.Text(), server_default="available", nullable=False),
        sa.Column("interface_type", sa.Text(), server_default="interface", nullable=False),
        sa.Column("requester_id", sa.Text(), nullable=True),
        sa.Column("requester_managed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("associate_public_ip_address", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("enable_primary_ipv6", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("connection_tracking", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["subnet_id"], ["subnets.id"], name=op.f("fk_network_interfaces_subnet_id")),
        sa.ForeignKeyConstraint(["vpc_id"], ["vpcs.id"], name=op.f("fk_network_interfaces_vpc_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network_interfaces")),
        sa.UniqueConstraint("mac_address", name=op.f("uq_network_interfaces_mac_address")),
    )
    with op.batch_alter_table("network_interfaces", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_network_interfaces_account_id"), ["account_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_network_interfaces_private_ip_address"), ["private_ip_address"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_network_interfaces_status"), ["status"], unique=False)
        batch_op.create_index(batch_op.f("ix_network_interfaces_subnet_id"), ["subnet_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_network_interfaces_vpc_id"), ["vpc_id"], unique=False)

    op.create_table(
        "route_propagations",
        sa.Column("route_table_id", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["route_table_id"],
            ["route_tables.id"],
            name=op.f("fk_route_propagations_route_table_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("route_table_id", "gateway_id", name=op.f("pk_route_propagations")),
    )
    with op.batch_alter_table("route_propagations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_route_propagations_gateway_id"), ["gateway_id"], unique=False)

    op.create_table(
        "route_table_associations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("route_table_id", sa.Text(), nullable=False),
        sa.Column("vpc_id", sa.Text(), nullable=False),
        sa.Column("subnet_id", sa.Text(), nullable=True),
        sa.Column("gateway_id", sa.Text(), nullable=True),
        sa.Column("main", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(
            ["route_table_id"],
            ["route_tables.id"],
            name=op.f("fk_route_table_associations_route_table_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["vpc_id"], ["vpcs.id"], name=op.f("fk_route_table_associations_vpc_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_route_table_associations")),
        sa.UniqueConstraint("gateway_id", name=op.f("uq_route_table_associations_gateway_id")),
        sa.UniqueConstraint("subnet_id", name=op.f("uq_route_table_associations_subnet_id")),
    )
    with op.batch_alter_table("route_table_associations", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_route_table_associations_route_table_id"), ["route_table_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_route_table_associations_vpc_id"), ["vpc_id"], unique=False)
        batch_op.create_index(
            "uq_main_route_table",
            ["vpc_id"],
            unique=True,
            sqlite_where=sa.text("main"),
            postgresql_where=sa.text("main"),
        )

    op.create_table(
        "routes",
        sa.Column("route_table_id", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("target_kind", sa.Text(), server_default="", nullable=False),
        sa.Column("target_id", sa.Text(), server_default="", nullable=False),
        sa.Column("origin", sa.Text(), server_default="CreateRoute", nullable=False),
        sa.ForeignKeyConstraint(
            ["route_table_id"], ["route_tables.id"], name=op.f("fk_routes_route_table_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("route_table_id", "destination", name=op.f("pk_routes")),
    )
    with op.batch_alter_table("routes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_routes_target_id"), ["target_id"], unique=False)

    op.create_table(
        "security_group_rules",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("group_id", sa.Text(), nullable=False),
        sa.Column("is_egress", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("ip_protocol", sa.Text(), server_default="", nullable=False),
        sa.Column("from_port", sa.Integer(), server_default="-1", nullable=False),
        sa.Column("to_port", sa.Integer(), server_default="-1", nullable=False),
        sa.Column("cidr_ipv4", sa.Text(), nullable=True),
        sa.Column("cidr_ipv6", sa.Text(), nullable=True),
        sa.Column("prefix_list_id", sa.Text(), nullable=True),
        sa.Column("referenced_group_id", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("identity", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["security_groups.id"], name=op.f("fk_security_group_rules_group_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_group_rules")),
        sa.UniqueConstraint("group_id", "identity", name=op.f("uq_security_group_rules_group_id_identity")),
    )
    with op.batch_alter_table("security_group_rules", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_security_group_rules_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_security_group_rules_group_id"), ["group_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_security_group_rules_prefix_list_id"), ["prefix_list_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_security_group_rules_referenced_group_id"), ["referenced_group_id"], unique=False
        )

    op.create_table(
        "vpn_connection_routes",
        sa.Column("vpn_connection_id", sa.Text(), nullable=False),
        sa.Column("destination_cidr_block", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["vpn_connection_id"],
            ["vpn_connections.id"],
            name=op.f("fk_vpn_connection_routes_vpn_connection_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("vpn_connection_id", "destination_cidr_block", name=op.f("pk_vpn_connection_routes")),
    )
    op.create_table(
        "attachments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("network_interface_id", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("device_index", sa.Integer(), server_default="0", nullable=False),
        sa.Column("network_card_index", sa.Integer(), server_default="0", nullable=False),
        sa.Column("status", sa.Text(), server_default="attaching", nullable=False),
        sa.Column("attach_time", sa.Text(), server_default="", nullable=False),
        sa.Column("delete_on_termination", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_attachments_instance_id")),
        sa.ForeignKeyConstraint(
            ["network_interface_id"], ["network_interfaces.id"], name=op.f("fk_attachments_network_interface_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
        sa.UniqueConstraint(
            "instance_id",
            "network_card_index",
            "device_index",
            name=op.f("uq_attachments_instance_id_network_card_index_device_index"),
        ),
        sa.UniqueConstraint("network_interface_id", name=op.f("uq_attachments_network_interface_id")),
    )
    with op.batch_alter_table("attachments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attachments_instance_id"), ["instance_id"], unique=False)

    op.create_table(
        "network_interface_groups",
        sa.Column("network_interface_id", sa.Text(), nullable=False),
        sa.Column("group_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["security_groups.id"], name=op.f("fk_network_interface_groups_group_id")
        ),
        sa.ForeignKeyConstraint(
            ["network_interface_id"],
            ["network_interfaces.id"],
            name=op.f("fk_network_interface_groups_network_interface_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("network_interface_id", "group_id", name=op.f("pk_network_interface_groups")),
    )
    with op.batch_alter_table("network_interface_groups", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_network_interface_groups_group_id"), ["group_id"], unique=False)

    op.create_table(
        "private_addresses",
        sa.Column("subnet_id", sa.Text(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=False),
        sa.Column("family", sa.Integer(), server_default="4", nullable=False),
        sa.Column("address_offset", sa.BigInteger(), nullable=True),
        sa.Column("network_interface_id", sa.Text(), nullable=False),
        sa.Column("is_primary", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["network_interface_id"],
            ["network_interfaces.id"],
            name=op.f("fk_private_addresses_network_interface_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["subnet_id"], ["subnets.id"], name=op.f("fk_private_addresses_subnet_id")),
        sa.PrimaryKeyConstraint("subnet_id", "ip", name=op.f("pk_private_addresses")),
        sa.UniqueConstraint("subnet_id", "address_offset", name=op.f("uq_private_addresses_subnet_id_address_offset")),
    )
    with op.batch_alter_table("private_addresses", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_private_addresses_ip"), ["ip"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_private_addresses_network_interface_id"), ["network_interface_id"], unique=False
        )


def downgrade() -> None:
    with op.batch_alter_table("private_addresses", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_private_addresses_network_interface_id"))
        batch_op.drop_index(batch_op.f("ix_private_addresses_ip"))

    op.drop_table("private_addresses")
    with op.batch_alter_table("network_interface_groups", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_network_interface_groups_group_id"))

    op.drop_table("network_interface_groups")
    with op.batch_alter_table("attachments", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_attachments_instance_id"))

    op.drop_table("attachments")
    op.drop_table("vpn_connection_routes")
    with op.batch_alter_table("security_group_rules", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_security_group_rules_referenced_group_id"))
        batch_op.drop_index(batch_op.f("ix_security_group_rules_prefix_list_id"))
        batch_op.drop_index(batch_op.f("ix_security_group_rules_group_id"))
        batch_op.drop_index(batch_op.f("ix_security_group_rules_account_id"))

    op.drop_table("security_group_rules")
    with op.batch_alter_table("routes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_routes_target_id"))

    op.drop_table("routes")
    with op.batch_alter_table("route_table_associations", schema=None) as batch_op:
        batch_op.drop_index("uq_main_route_table", sqlite_where=sa.text("main"), postgresql_where=sa.text("main"))
        batch_op.drop_index(batch_op.f("ix_route_table_associations_vpc_id"))
        batch_op.drop_index(batch_op.f("ix_route_table_associations_route_table_id"))

    op.drop_table("route_table_associations")
    with op.batch_alter_table("route_propagations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_route_propagations_gateway_id"))

    op.drop_table("route_propagations")
    with op.batch_alter_table("network_interfaces", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_network_interfaces_vpc_id"))
        batch_op.drop_index(batch_op.f("ix_network_interfaces_subnet_id"))
        batch_op.drop_index(batch_op.f("ix_network_interfaces_status"))
        batch_op.drop_index(batch_op.f("ix_network_interfaces_private_ip_address"))
        batch_op.drop_index(batch_op.f("ix_network_interfaces_account_id"))

    op.drop_table("network_interfaces")
    with op.batch_alter_table("vpn_connections", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_vpn_connections_vpn_gateway_id"))
        batch_op.drop_index(batch_op.f("ix_vpn_connections_customer_gateway_id"))
        batch_op.drop_index(batch_op.f("ix_vpn_connections_account_id"))

    op.drop_table("vpn_connections")
    with op.batch_alter_table("vpc_cidr_blocks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_vpc_cidr_blocks_vpc_id"))

    op.drop_table("vpc_cidr_blocks")
    with op.batch_alter_table("subnets", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_subnets_vpc_id"))
        batch_op.drop_index(batch_op.f("ix_subnets_cidr_block"))
        batch_op.drop_index(batch_op.f("ix_subnets_availability_zone"))
        batch_op.drop_index(batch_op.f("ix_subnets_account_id"))

    op.drop_table("subnets")
    with op.batch_alter_table("security_groups", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_security_groups_vpc_id"))
        batch_op.drop_index(batch_op.f("ix_security_groups_name"))
        batch_op.drop_index(batch_op.f("ix_security_groups_account_id"))

    op.drop_table("security_groups")
    with op.batch_alter_table("route_tables", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_route_tables_vpc_id"))
        batch_op.drop_index(batch_op.f("ix_route_tables_account_id"))

    op.drop_table("route_tables")
    with op.batch_alter_table("prefix_list_entries", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_prefix_list_entries_prefix_list_id"))

    op.drop_table("prefix_list_entries")
    with op.batch_alter_table("access_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_access_keys_account_id"))

    op.drop_table("access_keys")
    with op.batch_alter_table("vpn_gateways", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_vpn_gateways_account_id"))

    op.drop_table("vpn_gateways")
    with op.batch_alter_table("vpcs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_vpcs_cidr_block"))
        batch_op.drop_index(batch_op.f("ix_vpcs_account_id"))

    op.drop_table("vpcs")
    with op.batch_alter_table("tags", schema=None) as batch_op:
        batch_op.drop_index("ix_tags_key_value")
        batch_op.drop_index(batch_op.f("ix_tags_account_id"))

    op.drop_table("tags")
    op.drop_table("sites")
    with op.batch_alter_table("public_addresses", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_public_addresses_network_interface_id"))
        batch_op.drop_index(batch_op.f("ix_public_addresses_account_id"))

    op.drop_table("public_addresses")
    with op.batch_alter_table("prefix_lists", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_prefix_lists_name"))
        batch_op.drop_index(batch_op.f("ix_prefix_lists_account_id"))

    op.drop_table("prefix_lists")
    with op.batch_alter_table("key_pairs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_key_pairs_account_id"))

    op.drop_table("key_pairs")
    op.drop_table("journal")
    with op.batch_alter_table("internet_gateways", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_internet_gateways_account_id"))

    op.drop_table("internet_gateways")
    with op.batch_alter_table("instances", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_instances_vpc_id"))
        batch_op.drop_index(batch_op.f("ix_instances_subnet_id"))
        batch_op.drop_index(batch_op.f("ix_instances_state"))
        batch_op.drop_index(batch_op.f("ix_instances_reservation_id"))
        batch_op.drop_index(batch_op.f("ix_instances_account_id"))

    op.drop_table("instances")
    op.drop_table("hosts")
    with op.batch_alter_table("customer_gateways", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_customer_gateways_ip_address"))
        batch_op.drop_index(batch_op.f("ix_customer_gateways_account_id"))

    op.drop_table("customer_gateways")
    op.drop_table("client_tokens")
    op.drop_table("accounts")
