"""What is left when a tool has destroyed all that it made."""

from __future__ import annotations

from typing import Any

from whole_enid import Enid

_MEMBERS = {
    "describe_addresses": "Addresses",
    "describe_customer_gateways": "CustomerGateways",
    "describe_egress_only_internet_gateways": "EgressOnlyInternetGateways",
    "describe_flow_logs": "FlowLogs",
    "describe_internet_gateways": "InternetGateways",
    "describe_key_pairs": "KeyPairs",
    "describe_nat_gateways": "NatGateways",
    "describe_network_acls": "NetworkAcls",
    "describe_network_insights_analyses": "NetworkInsightsAnalyses",
    "describe_network_insights_paths": "NetworkInsightsPaths",
    "describe_network_interfaces": "NetworkInterfaces",
    "describe_route_tables": "RouteTables",
    "describe_security_group_rules": "SecurityGroupRules",
    "describe_security_groups": "SecurityGroups",
    "describe_subnets": "Subnets",
    "describe_traffic_mirror_filter_rules": "TrafficMirrorFilterRules",
    "describe_traffic_mirror_filters": "TrafficMirrorFilters",
    "describe_traffic_mirror_sessions": "TrafficMirrorSessions",
    "describe_traffic_mirror_targets": "TrafficMirrorTargets",
    "describe_vpc_endpoints": "VpcEndpoints",
    "describe_vpcs": "Vpcs",
    "describe_vpn_connections": "VpnConnections",
    "describe_vpn_gateways": "VpnGateways",
}
"""Operations, and where each would say what is left."""


def left_over(enid: Enid) -> dict[str, list[Any]]:
    """Operation → what it still finds, except what is only shown as deleted. Empty: nothing is left."""
    found = {
        operation: [item for item in getattr(enid.ec2, operation)()[member] if item.get("State") != "deleted"]
        for operation, member in _MEMBERS.items()
    }
    found["describe_instances"] = [
        instance
        for reservation in enid.ec2.describe_instances()["Reservations"]
        for instance in reservation["Instances"]
        if instance["State"]["Name"] != "terminated"
    ]
    found["describe_vpc_peering_connections"] = [
        peering
        for peering in enid.ec2.describe_vpc_peering_connections()["VpcPeeringConnections"]
        if peering["Status"]["Code"] != "deleted"
    ]
    return {operation: items for operation, items in found.items() if items}
