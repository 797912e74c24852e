"""The schema. The database is the judge: every conflict AWS reports is a unique constraint here.

Times are ISO 8601 text in UTC (AWS answers them as text; SQLite has no type for them). JSON columns hold what is only
stored and shown. Deleting a row means the resource is gone; ``instances`` and tables with ``deleted_at`` keep theirs
for a while.
"""

from __future__ import annotations

from enid.store.tables.accounts import access_keys, accounts, client_tokens, hosts, journal
from enid.store.tables.columns import metadata
from enid.store.tables.dhcp_options import dhcp_option_values, dhcp_options
from enid.store.tables.flow_logs import flow_logs
from enid.store.tables.gateways import (
    customer_gateways,
    egress_only_internet_gateways,
    internet_gateways,
    nat_gateways,
    vpn_connection_routes,
    vpn_connections,
    vpn_gateways,
)
from enid.store.tables.instances import instances, key_pairs
from enid.store.tables.network_acls import network_acl_associations, network_acl_entries, network_acls
from enid.store.tables.network_insights import network_insights_analyses, network_insights_paths
from enid.store.tables.network_interfaces import (
    address_transfers,
    attachments,
    delegated_prefixes,
    network_interface_groups,
    network_interface_permissions,
    network_interfaces,
    private_addresses,
    public_addresses,
)
from enid.store.tables.peerings import vpc_peering_connections
from enid.store.tables.route_tables import route_propagations, route_table_associations, route_tables, routes
from enid.store.tables.security_groups import prefix_list_entries, prefix_lists, security_group_rules, security_groups
from enid.store.tables.sites import sites
from enid.store.tables.tags import tags
from enid.store.tables.tallies import tallies
from enid.store.tables.traffic_mirroring import (
    traffic_mirror_filter_rules,
    traffic_mirror_filters,
    traffic_mirror_sessions,
    traffic_mirror_targets,
)
from enid.store.tables.vpc_endpoints import vpc_endpoints
from enid.store.tables.vpcs import subnet_cidr_reservations, subnets, vpc_cidr_blocks, vpcs

__all__ = [
    "access_keys",
    "accounts",
    "address_transfers",
    "attachments",
    "client_tokens",
    "customer_gateways",
    "delegated_prefixes",
    "dhcp_option_values",
    "dhcp_options",
    "egress_only_internet_gateways",
    "flow_logs",
    "hosts",
    "instances",
    "internet_gateways",
    "journal",
    "key_pairs",
    "metadata",
    "nat_gateways",
    "network_acl_associations",
    "network_acl_entries",
    "network_acls",
    "network_insights_analyses",
    "network_insights_paths",
    "network_interface_groups",
    "network_interface_permissions",
    "network_interfaces",
    "prefix_list_entries",
    "prefix_lists",
    "private_addresses",
    "public_addresses",
    "route_propagations",
    "route_table_associations",
    "route_tables",
    "routes",
    "security_group_rules",
    "security_groups",
    "sites",
    "subnet_cidr_reservations",
    "subnets",
    "tags",
    "tallies",
    "traffic_mirror_filter_rules",
    "traffic_mirror_filters",
    "traffic_mirror_sessions",
    "traffic_mirror_targets",
    "vpc_cidr_blocks",
    "vpc_endpoints",
    "vpc_peering_connections",
    "vpcs",
    "vpn_connection_routes",
    "vpn_connections",
    "vpn_gateways",
]
