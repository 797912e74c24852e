"""Every filter that AWS's own model documents for an operation on networks is known here.

What each one selects is tested with its resource; this test fails when a newer model documents one more.
"""

from __future__ import annotations

import re

import pytest

from accounts import Account, model

OPERATIONS = (
    "DescribeAvailabilityZones",
    "DescribeCustomerGateways",
    "DescribeEgressOnlyInternetGateways",
    "DescribeInternetGateways",
    "DescribeManagedPrefixLists",
    "DescribeNatGateways",
    "DescribeNetworkAcls",
    "DescribeNetworkInsightsAnalyses",
    "DescribeNetworkInsightsPaths",
    "DescribeNetworkInterfacePermissions",
    "DescribePrefixLists",
    "DescribeRegions",
    "DescribeRouteTables",
    "DescribeSecurityGroupRules",
    "DescribeSecurityGroups",
    "DescribeSubnets",
    "DescribeTrafficMirrorFilterRules",
    "DescribeTrafficMirrorFilters",
    "DescribeTrafficMirrorSessions",
    "DescribeTrafficMirrorTargets",
    "DescribeVpcEndpointServices",
    "DescribeVpcEndpoints",
    "DescribeVpcPeeringConnections",
    "DescribeVpcs",
    "DescribeVpnConnections",
    "DescribeVpnGateways",
    "GetSecurityGroupsForVpc",
)


def documented(operation: str) -> tuple[str, list[str]]:
    """The request's member, and the names at the head of each item of the documentation's list."""
    shape = model("ec2").operation_model(operation).input_shape
    assert shape is not None
    member = next(name for name in ("Filters", "Filter") if name in shape.members)
    items = re.findall(r"<li>.*?(?=<li>|</ul>)", shape.members[member].documentation, flags=re.DOTALL)
    names = [
        match[1] or match[2] for item in items if (match := re.search(r"<code>([^<]+)</code>|<p>([a-z-]+) - ", item))
    ]
    return member, ["tag:Name" if name == "tag" else name for name in names]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_documented_filter_is_known(call: Account, operation: str) -> None:
    vpc = call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    more = {"VpcId": vpc} if operation == "GetSecurityGroupsForVpc" else {}
    member, names = documented(operation)
    assert names
    for name in names:
        call(operation, **{member: [{"Name": name, "Values": ["no-such-thing"]}]}, **more)
    error = call.refused(operation, **{member: [{"Name": "colour", "Values": ["blue"]}]}, **more)
    assert error.code == "InvalidParameterValue"
