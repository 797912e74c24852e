"""VPCs: what is made with them, what stands in the way of their deletion, their blocks and attributes."""

from __future__ import annotations

from ipaddress import IPv6Network
from typing import Any

import pytest

from accounts import FIRST, Account


def vpc_of(call: Account, cidr: str = "10.0.0.0/16", **params: Any) -> dict[str, Any]:
    return dict(call("CreateVpc", CidrBlock=cidr, **params)["Vpc"])


def test_a_vpc_comes_with_a_main_table_and_a_default_group(call: Account) -> None:
    vpc = vpc_of(call)
    assert vpc | {"State": "available", "IsDefault": False, "OwnerId": FIRST, "InstanceTenancy": "default"} == vpc
    changed = call.changed

    of_vpc = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    [table] = call("DescribeRouteTables", Filters=of_vpc)["RouteTables"]
    assert [association["Main"] for association in table["Associations"]] == [True]
    assert [(route["DestinationCidrBlock"], route["GatewayId"], route["State"]) for route in table["Routes"]] == [
        ("10.0.0.0/16", "local", "active")
    ]

    [acl] = call("DescribeNetworkAcls", Filters=of_vpc)["NetworkAcls"]
    assert acl["IsDefault"]

    [group] = call("DescribeSecurityGroups", Filters=of_vpc)["SecurityGroups"]
    assert (group["GroupName"], group["Description"]) == ("default", "default VPC security group")
    [ingress] = group["IpPermissions"]
    assert ingress["UserIdGroupPairs"] == [{"GroupId": group["GroupId"], "UserId": FIRST}]
    [egress] = group["IpPermissionsEgress"]
    assert (egress["IpProtocol"], egress["IpRanges"], egress["Ipv6Ranges"]) == ("-1", [{"CidrIp": "0.0.0.0/0"}], [])

    assert set(changed) == {
        ("vpc", vpc["VpcId"]),
        ("route_table", table["RouteTableId"]),
        ("network_acl", acl["NetworkAclId"]),
        ("security_group", group["GroupId"]),
    }


def test_the_block_is_canonicalised(call: Account) -> None:
    assert vpc_of(call, "100.68.0.18/18")["CidrBlock"] == "100.68.0.0/18"


def test_an_amazon_provided_block_is_a_56_of_its_own(call: Account) -> None:
    vpcs = [vpc_of(call, f"10.{number}.0.0/16", AmazonProvidedIpv6CidrBlock=True) for number in range(3)]
    blocks = {IPv6Network(vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]) for vpc in vpcs}
    assert len(blocks) == 3
    assert {block.prefixlen for block in blocks} == {56}
    [group] = call("DescribeSecurityGroups", Filters=[{"Name": "vpc-id", "Values": [vpcs[0]["VpcId"]]}])[
        "SecurityGroups"
    ]
    assert group["IpPermissionsEgress"][0]["Ipv6Ranges"] == [{"CidrIpv6": "::/0"}]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"CidrBlock": "10.0.0.0/15"}, "InvalidVpc.Range"),
        ({"CidrBlock": "10.0.0.0/29"}, "InvalidVpc.Range"),
        ({"CidrBlock": "10.0.0.0"}, "InvalidParameterValue"),
        ({"CidrBlock": "fd00::/56"}, "InvalidParameterValue"),
        ({}, "MissingParameter"),
        ({"Ipv4IpamPoolId": "ipam-pool-1"}, "UnsupportedOperation"),
        ({"CidrBlock": "10.0.0.0/16", "Ipv6Pool": "mine"}, "UnsupportedOperation"),
        ({"CidrBlock": "10.0.0.0/16", "InstanceTenancy": "dedicated"}, "UnsupportedOperation"),
    ],
)
def test_vpcs_that_may_not_be(call: Account, params: dict[str, Any], code: str) -> None:
    assert call.refused("CreateVpc", **params).code == code


def test_the_quota_of_five(call: Account, second_account: Account) -> None:
    for number in range(5):
        vpc_of(call, f"10.{number}.0.0/16")
    assert call.refused("CreateVpc", CidrBlock="10.9.0.0/16").code == "VpcLimitExceeded"
    vpc_of(second_account)


def test_two_vpcs_may_have_the_same_block(call: Account) -> None:
    assert vpc_of(call)["VpcId"] != vpc_of(call)["VpcId"]


def test_deletion_takes_along_what_creation_made(call: Account) -> None:
    call("DescribeDhcpOptions")  # the default set is made once, and outlives any VPC
    before = call.dump()
    vpc_id = vpc_of(call, TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "x"}]}])["VpcId"]
    made = set(call.changed)
    call("DeleteVpc", VpcId=vpc_id)
    assert set(call.changed) == made, "the agent looks at the same keys again, and finds nothing"
    assert call.dump() | {"journal": []} == before | {"journal": []}
    assert call.refused("DescribeVpcs", VpcIds=[vpc_id]).code == "InvalidVpcID.NotFound"


def test_every_dependant_stands_in_the_way_and_is_named(call: Account) -> None:
    vpc_id = vpc_of(call)["VpcId"]
    subnet = call("CreateSubnet", VpcId=vpc_id, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    gateway = call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
    call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc_id)
    vpn = call("CreateVpnGateway", Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    call("AttachVpnGateway", VpnGatewayId=vpn, VpcId=vpc_id)
    group = call("CreateSecurityGroup", GroupName="web", Description="web", VpcId=vpc_id)["GroupId"]
    table = call("CreateRouteTable", VpcId=vpc_id)["RouteTable"]["RouteTableId"]
    ways_out: dict[str, tuple[str, dict[str, str]]] = {
        subnet: ("DeleteSubnet", {"SubnetId": subnet}),
        gateway: ("DetachInternetGateway", {"InternetGatewayId": gateway, "VpcId": vpc_id}),
        vpn: ("DetachVpnGateway", {"VpnGatewayId": vpn, "VpcId": vpc_id}),
        group: ("DeleteSecurityGroup", {"GroupId": group}),
        table: ("DeleteRouteTable", {"RouteTableId": table}),
    }
    for id_, (action, params) in ways_out.items():
        error = call.refused("DeleteVpc", VpcId=vpc_id)
        assert error.code == "DependencyViolation"
        assert f"The vpc '{vpc_id}' has dependencies and cannot be deleted." in error.message
        assert id_ in error.message
        call(action, **params)
    call("DeleteVpc", VpcId=vpc_id)


def test_an_account_sees_only_its_own(call: Account, second_account: Account) -> None:
    vpc_id = vpc_of(call)["VpcId"]
    assert second_account("DescribeVpcs")["Vpcs"] == []
    for action in ("DeleteVpc", "CreateRouteTable"):
        assert second_account.refused(action, VpcId=vpc_id).code == "InvalidVpcID.NotFound"


def test_every_documented_filter(call: Account) -> None:
    plain = vpc_of(call, "10.1.0.0/16")
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "blue"}]}]
    vpc = vpc_of(call, "10.2.0.0/16", AmazonProvidedIpv6CidrBlock=True, TagSpecifications=tags)
    [ipv4], [ipv6] = vpc["CidrBlockAssociationSet"], vpc["Ipv6CidrBlockAssociationSet"]
    only_this = {
        "cidr": "10.2.*",
        "cidr-block-association.cidr-block": "10.2.0.0/16",
        "cidr-block-association.association-id": ipv4["AssociationId"],
        "ipv6-cidr-block-association.ipv6-cidr-block": ipv6["Ipv6CidrBlock"],
        "ipv6-cidr-block-association.ipv6-pool": "Amazon",
        "ipv6-cidr-block-association.association-id": ipv6["AssociationId"],
        "ipv6-cidr-block-association.state": "associated",
        "tag:Name": "bl?e",
        "tag-key": "Name",
        "vpc-id": vpc["VpcId"],
    }
    both = {
        "cidr-block-association.state": "associated",
        "dhcp-options-id": vpc["DhcpOptionsId"],
        "is-default": "false",
        "owner-id": FIRST,
        "state": "available",
    }
    ids = {plain["VpcId"], vpc["VpcId"]}
    for expected, filters in (({vpc["VpcId"]}, only_this), (ids, both)):
        for name, value in filters.items():
            assert found(call, name, value) == expected, name
            assert found(call, name, "no-such-thing") == set(), name


def found(call: Account, name: str, value: str) -> set[str]:
    return {vpc["VpcId"] for vpc in call("DescribeVpcs", Filters=[{"Name": name, "Values": [value]}])["Vpcs"]}


def test_attributes(call: Account) -> None:
    vpc_id = vpc_of(call)["VpcId"]

    def attribute(name: str) -> bool:
        member = name[0].upper() + name[1:]
        return bool(call("DescribeVpcAttribute", VpcId=vpc_id, Attribute=name)[member]["Value"])

    assert attribute("enableDnsSupport")
    assert not attribute("enableDnsHostnames")
    assert not attribute("enableNetworkAddressUsageMetrics")
    call("ModifyVpcAttribute", VpcId=vpc_id, EnableDnsHostnames={"Value": True})
    assert ("vpc", vpc_id) in call.changed
    assert attribute("enableDnsHostnames")
    call("ModifyVpcAttribute", VpcId=vpc_id, EnableDnsHostnames={"Value": False})
    call("ModifyVpcAttribute", VpcId=vpc_id, EnableDnsSupport={"Value": False})
    error = call.refused("ModifyVpcAttribute", VpcId=vpc_id, EnableDnsHostnames={"Value": True})
    assert error.code == "InvalidParameterCombination"
    both = {"EnableDnsHostnames": {"Value": False}, "EnableDnsSupport": {"Value": True}}
    assert call.refused("ModifyVpcAttribute", VpcId=vpc_id, **both).code == "InvalidParameterCombination"
    assert call.refused("ModifyVpcAttribute", VpcId=vpc_id).code == "MissingParameter"


# --- further blocks ---------------------------------------------------------------------------------------------------


def test_a_secondary_block_comes_and_goes_with_its_local_route(call: Account) -> None:
    vpc_id = vpc_of(call)["VpcId"]
    added = call("AssociateVpcCidrBlock", VpcId=vpc_id, CidrBlock="10.1.2.3/16")["CidrBlockAssociation"]
    assert (added["CidrBlock"], added["CidrBlockState"]["State"]) == ("10.1.0.0/16", "associating")
    assert ("vpc", vpc_id) in call.changed
    assert local_routes(call) == ["10.0.0.0/16", "10.1.0.0/16"]
    call("CreateSubnet", VpcId=vpc_id, CidrBlock="10.1.9.0/24")
    error = call.refused("DisassociateVpcCidrBlock", AssociationId=added["AssociationId"])
    assert error.code == "DependencyViolation"
    [subnet] = call("DescribeSubnets")["Subnets"]
    assert subnet["SubnetId"] in error.message
    call("DeleteSubnet", SubnetId=subnet["SubnetId"])
    gone = call("DisassociateVpcCidrBlock", AssociationId=added["AssociationId"])
    assert gone["CidrBlockAssociation"]["CidrBlockState"]["State"] == "disassociating"
    assert local_routes(call) == ["10.0.0.0/16"]


def local_routes(call: Account) -> list[str]:
    [table] = call("DescribeRouteTables")["RouteTables"]
    return [route["DestinationCidrBlock"] for route in table["Routes"]]


def test_an_ipv6_block_can_be_added_and_removed(call: Account) -> None:
    vpc_id = vpc_of(call)["VpcId"]
    added = call("AssociateVpcCidrBlock", VpcId=vpc_id, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]
    assert IPv6Network(added["Ipv6CidrBlock"]).prefixlen == 56
    call("DisassociateVpcCidrBlock", AssociationId=added["AssociationId"])
    assert call("DescribeVpcs")["Vpcs"][0]["Ipv6CidrBlockAssociationSet"] == []


@pytest.mark.parametrize(
    ("block", "code"),
    [
        ("10.0.128.0/17", "InvalidVpc.Range"),
        ("10.1.0.0/15", "InvalidVpc.Range"),
        ("10.1.0.0/29", "InvalidVpc.Range"),
        ("172.16.0.0/16", "InvalidVpc.Range"),
        ("192.168.0.0/16", "InvalidVpc.Range"),
        ("198.19.0.0/16", "InvalidVpc.Range"),
        ("10.1.0.0", "InvalidParameterValue"),
    ],
)
def test_secondary_blocks_that_may_not_be(call: Account, block: str, code: str) -> None:
    vpc_id = vpc_of(call)["VpcId"]
    assert call.refused("AssociateVpcCidrBlock", VpcId=vpc_id, CidrBlock=block).code == code


def test_shared_and_public_space_go_with_a_private_range(call: Account) -> None:
    vpc_id = vpc_of(call)["VpcId"]
    for block in ("100.64.0.0/16", "55.0.0.0/16"):
        call("AssociateVpcCidrBlock", VpcId=vpc_id, CidrBlock=block)


def test_five_blocks_and_no_more(call: Account) -> None:
    vpc_id = vpc_of(call)["VpcId"]
    for number in range(1, 5):
        call("AssociateVpcCidrBlock", VpcId=vpc_id, CidrBlock=f"10.{number}.0.0/16")
    error = call.refused("AssociateVpcCidrBlock", VpcId=vpc_id, CidrBlock="10.5.0.0/16")
    assert error.code == "VpcCidrBlockLimitExceeded"
    call("AssociateVpcCidrBlock", VpcId=vpc_id, AmazonProvidedIpv6CidrBlock=True)


def test_the_primary_block_stays(call: Account, second_account: Account) -> None:
    [primary] = vpc_of(call)["CidrBlockAssociationSet"]
    id_ = primary["AssociationId"]
    assert call.refused("DisassociateVpcCidrBlock", AssociationId=id_).code == "OperationNotPermitted"
    error = second_account.refused("DisassociateVpcCidrBlock", AssociationId=id_)
    assert error.code == "InvalidVpcCidrBlockAssociationID.NotFound"


def test_a_block_of_another_border_group_is_refused(call: Account) -> None:
    elsewhere = {"AmazonProvidedIpv6CidrBlock": True, "Ipv6CidrBlockNetworkBorderGroup": "us-west-2"}
    assert call.refused("CreateVpc", CidrBlock="10.0.0.0/16", **elsewhere).code == "InvalidParameterValue"
    vpc_id = vpc_of(call)["VpcId"]
    assert call.refused("AssociateVpcCidrBlock", VpcId=vpc_id, **elsewhere).code == "InvalidParameterValue"
