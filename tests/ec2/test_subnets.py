"""Subnets: where they may lie, their zone, attributes, free addresses and IPv6 block."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from small_network import Network

from accounts import FIRST, Account


@pytest.fixture
def vpc(call: Account) -> dict[str, Any]:
    return dict(call("CreateVpc", CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"])


def subnet_of(call: Account, vpc: dict[str, Any], cidr: str = "10.0.1.0/24", **params: Any) -> dict[str, Any]:
    return dict(call("CreateSubnet", VpcId=vpc["VpcId"], CidrBlock=cidr, **params)["Subnet"])


def ipv6_of(vpc: dict[str, Any], number: int) -> str:
    block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    first = ip_network(block).network_address
    return f"{first + (number << 64)}/64"


def test_a_new_subnet(call: Account, vpc: dict[str, Any]) -> None:
    subnet = subnet_of(call, vpc, "10.0.1.7/24", AvailabilityZone="us-east-1b")
    expected = {
        "CidrBlock": "10.0.1.0/24",
        "AvailabilityZone": "us-east-1b",
        "AvailabilityZoneId": "use1-az2",
        "AvailableIpAddressCount": 251,
        "State": "available",
        "MapPublicIpOnLaunch": False,
        "SubnetArn": f"arn:aws:ec2:us-east-1:{FIRST}:subnet/{subnet['SubnetId']}",
    }
    assert subnet | expected == subnet
    changed = call.changed
    [acl] = call("DescribeNetworkAcls")["NetworkAcls"]
    assert [association["SubnetId"] for association in acl["Associations"]] == [subnet["SubnetId"]]
    assert set(changed) == {("vpc", vpc["VpcId"]), ("subnet", subnet["SubnetId"]), ("network_acl", acl["NetworkAclId"])}


@pytest.mark.parametrize(
    ("params", "zone"),
    [
        ({}, "us-east-1a"),
        ({"AvailabilityZoneId": "use1-az3"}, "us-east-1c"),
        ({"AvailabilityZone": "us-east-1c", "AvailabilityZoneId": "use1-az3"}, "us-east-1c"),
    ],
)
def test_the_zone(call: Account, vpc: dict[str, Any], params: dict[str, str], zone: str) -> None:
    assert subnet_of(call, vpc, **params)["AvailabilityZone"] == zone


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"CidrBlock": "10.1.0.0/24"}, "InvalidSubnet.Range"),
        ({"CidrBlock": "10.0.0.0/15"}, "InvalidSubnet.Range"),
        ({"CidrBlock": "10.0.0.0/29"}, "InvalidSubnet.Range"),
        ({"CidrBlock": "10.0.9.128/25"}, "InvalidSubnet.Conflict"),
        ({"CidrBlock": "10.0.0.0/16"}, "InvalidSubnet.Conflict"),
        ({"CidrBlock": "ten"}, "InvalidParameterValue"),
        ({}, "MissingParameter"),
        ({"CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-east-1z"}, "InvalidParameterValue"),
        ({"CidrBlock": "10.0.1.0/24", "AvailabilityZoneId": "use1-az9"}, "InvalidParameterValue"),
        (
            {"CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-east-1a", "AvailabilityZoneId": "use1-az2"},
            "InvalidParameterValue",
        ),
        ({"CidrBlock": "10.0.1.0/24", "Ipv6CidrBlock": "2001:db8::/64"}, "InvalidSubnet.Range"),
        ({"CidrBlock": "10.0.1.0/24", "OutpostArn": "arn:x"}, "UnsupportedOperation"),
        ({"CidrBlock": "10.0.1.0/24", "Ipv6Native": True}, "UnsupportedOperation"),
        ({"CidrBlock": "10.0.1.0/24", "VpcId": "vpc-12345678"}, "InvalidVpcID.NotFound"),
    ],
)
def test_subnets_that_may_not_be(call: Account, vpc: dict[str, Any], params: dict[str, Any], code: str) -> None:
    subnet_of(call, vpc, "10.0.9.0/24")
    assert call.refused("CreateSubnet", **{"VpcId": vpc["VpcId"], **params}).code == code


def test_the_quota(call: Account, vpc: dict[str, Any]) -> None:
    call.limit(subnets_per_vpc=2)
    for number in range(2):
        subnet_of(call, vpc, f"10.0.{number}.0/28")
    assert call.refused("CreateSubnet", VpcId=vpc["VpcId"], CidrBlock="10.0.250.0/28").code == "SubnetLimitExceeded"


def test_free_addresses_go_down_with_every_private_ipv4_address(call: Account) -> None:
    network = Network(call)
    network.interface(network.small, SecondaryPrivateIpAddressCount=2)
    network.interface(network.subnet, Ipv6AddressCount=2)
    subnets = call("DescribeSubnets", SubnetIds=[network.small, network.subnet])["Subnets"]
    free = {subnet["SubnetId"]: subnet["AvailableIpAddressCount"] for subnet in subnets}
    assert free == {network.small: 16 - 5 - 3, network.subnet: 256 - 5 - 1}
    for count, subnet in ((8, network.small), (250, network.subnet)):
        wanted = [{"Name": "available-ip-address-count", "Values": [str(count)]}]
        assert [item["SubnetId"] for item in call("DescribeSubnets", Filters=wanted)["Subnets"]] == [subnet]


def test_an_interface_stands_in_the_way_of_deletion(call: Account) -> None:
    network = Network(call)
    interface = network.interface(network.small)
    error = call.refused("DeleteSubnet", SubnetId=network.small)
    assert error.code == "DependencyViolation"
    assert f"The subnet '{network.small}' has dependencies and cannot be deleted." in error.message
    assert interface in error.message
    call("DeleteNetworkInterface", NetworkInterfaceId=interface)
    call("DeleteSubnet", SubnetId=network.small)
    assert set(call.changed) == {("vpc", network.vpc), ("subnet", network.small)}


def test_deletion_ends_the_association_with_a_route_table(call: Account, vpc: dict[str, Any]) -> None:
    subnet = subnet_of(call, vpc)
    table = call("CreateRouteTable", VpcId=vpc["VpcId"])["RouteTable"]["RouteTableId"]
    call("AssociateRouteTable", RouteTableId=table, SubnetId=subnet["SubnetId"])
    call("DeleteSubnet", SubnetId=subnet["SubnetId"])
    [shown] = call("DescribeRouteTables", RouteTableIds=[table])["RouteTables"]
    assert shown["Associations"] == []


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("MapPublicIpOnLaunch", ("MapPublicIpOnLaunch",)),
        ("EnableDns64", ("EnableDns64",)),
        ("EnableResourceNameDnsARecordOnLaunch", ("PrivateDnsNameOptionsOnLaunch", "EnableResourceNameDnsARecord")),
        ("AssignIpv6AddressOnCreation", ("AssignIpv6AddressOnCreation",)),
        (
            "EnableResourceNameDnsAAAARecordOnLaunch",
            ("PrivateDnsNameOptionsOnLaunch", "EnableResourceNameDnsAAAARecord"),
        ),
    ],
)
def test_attributes(call: Account, vpc: dict[str, Any], name: str, path: tuple[str, ...]) -> None:
    subnet_id = subnet_of(call, vpc, Ipv6CidrBlock=ipv6_of(vpc, 1))["SubnetId"]
    for value in (True, False):
        call("ModifySubnetAttribute", SubnetId=subnet_id, **{name: {"Value": value}})
        [shown] = call("DescribeSubnets")["Subnets"]
        for step in path:
            shown = shown[step]
        assert shown is value


def test_the_kind_of_host_names(call: Account, vpc: dict[str, Any]) -> None:
    subnet_id = subnet_of(call, vpc)["SubnetId"]
    call("ModifySubnetAttribute", SubnetId=subnet_id, PrivateDnsHostnameTypeOnLaunch="resource-name")
    [shown] = call("DescribeSubnets")["Subnets"]
    assert shown["PrivateDnsNameOptionsOnLaunch"]["HostnameType"] == "resource-name"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "MissingParameter"),
        (
            {"MapPublicIpOnLaunch": {"Value": True}, "EnableDns64": {"Value": True}},
            "InvalidParameterCombination",
        ),
        ({"AssignIpv6AddressOnCreation": {"Value": True}}, "InvalidParameterValue"),
        ({"MapCustomerOwnedIpOnLaunch": {"Value": True}}, "UnsupportedOperation"),
    ],
)
def test_attributes_that_may_not_be(call: Account, vpc: dict[str, Any], params: dict[str, Any], code: str) -> None:
    subnet_id = subnet_of(call, vpc)["SubnetId"]
    assert call.refused("ModifySubnetAttribute", SubnetId=subnet_id, **params).code == code


def test_an_ipv6_block_comes_and_goes(call: Account, vpc: dict[str, Any], second_account: Account) -> None:
    subnet_id = subnet_of(call, vpc)["SubnetId"]
    block = ipv6_of(vpc, 5)
    added = call("AssociateSubnetCidrBlock", SubnetId=subnet_id, Ipv6CidrBlock=block)["Ipv6CidrBlockAssociation"]
    assert (added["Ipv6CidrBlock"], added["Ipv6CidrBlockState"]["State"]) == (block, "associating")
    assert set(call.changed) == {("vpc", vpc["VpcId"]), ("subnet", subnet_id)}
    again = {"SubnetId": subnet_id, "Ipv6CidrBlock": ipv6_of(vpc, 6)}
    assert call.refused("AssociateSubnetCidrBlock", **again).code == "InvalidSubnet.Conflict"
    other = subnet_of(call, vpc, "10.0.2.0/24")["SubnetId"]
    same = {"SubnetId": other, "Ipv6CidrBlock": block}
    assert call.refused("AssociateSubnetCidrBlock", **same).code == "InvalidSubnet.Conflict"
    id_ = added["AssociationId"]
    error = second_account.refused("DisassociateSubnetCidrBlock", AssociationId=id_)
    assert error.code == "InvalidSubnetCidrBlockAssociationID.NotFound"
    call("DisassociateSubnetCidrBlock", AssociationId=id_)
    assert all(not subnet["Ipv6CidrBlockAssociationSet"] for subnet in call("DescribeSubnets")["Subnets"])


def test_an_interface_holds_the_ipv6_block(call: Account, vpc: dict[str, Any]) -> None:
    subnet = subnet_of(call, vpc, Ipv6CidrBlock=ipv6_of(vpc, 1))
    call("CreateNetworkInterface", SubnetId=subnet["SubnetId"], Ipv6AddressCount=1)
    [association] = subnet["Ipv6CidrBlockAssociationSet"]
    error = call.refused("DisassociateSubnetCidrBlock", AssociationId=association["AssociationId"])
    assert error.code == "DependencyViolation"


def test_every_documented_filter(call: Account, vpc: dict[str, Any]) -> None:
    subnet_of(call, vpc, "10.0.200.0/24")
    tags = [{"ResourceType": "subnet", "Tags": [{"Key": "Name", "Value": "blue"}]}]
    ipv6 = ipv6_of(vpc, 1)
    zone = {"AvailabilityZone": "us-east-1b"}
    subnet = subnet_of(call, vpc, "10.0.1.0/28", Ipv6CidrBlock=ipv6, TagSpecifications=tags, **zone)
    id_ = subnet["SubnetId"]
    for name in ("MapPublicIpOnLaunch", "EnableDns64", "EnableResourceNameDnsARecordOnLaunch"):
        call("ModifySubnetAttribute", SubnetId=id_, **{name: {"Value": True}})
    call("ModifySubnetAttribute", SubnetId=id_, EnableResourceNameDnsAAAARecordOnLaunch={"Value": True})
    call("ModifySubnetAttribute", SubnetId=id_, PrivateDnsHostnameTypeOnLaunch="resource-name")
    dns = "private-dns-name-options-on-launch"
    only_this = {
        "availability-zone": "*1b",
        "availabilityZone": "us-east-1b",
        "availability-zone-id": "use1-az2",
        "available-ip-address-count": "11",
        "cidr-block": "10.0.1.0/28",
        "cidr": "10.0.1.0/28",
        "enable-dns64": "true",
        "ipv6-cidr-block-association.ipv6-cidr-block": ipv6,
        "ipv6-cidr-block-association.association-id": subnet["Ipv6CidrBlockAssociationSet"][0]["AssociationId"],
        "ipv6-cidr-block-association.state": "associated",
        "map-public-ip-on-launch": "true",
        f"{dns}.hostname-type": "resource-name",
        f"{dns}.enable-resource-name-dns-a-record": "true",
        f"{dns}.enable-resource-name-dns-aaaa-record": "true",
        "subnet-arn": f"arn:*:subnet/{id_}",
        "subnet-id": id_,
        "tag:Name": "blue",
        "tag-key": "Name",
    }
    both = {
        "default-for-az": "false",
        "ipv6-native": "false",
        "map-customer-owned-ip-on-launch": "false",
        "owner-id": FIRST,
        "state": "available",
        "vpc-id": vpc["VpcId"],
    }
    neither = {"customer-owned-ipv4-pool": "*", "enable-lni-at-device-index": "1", "outpost-arn": "*"}
    for expected, filters in ((1, only_this), (2, both), (0, neither)):
        for name, value in filters.items():
            shown = call("DescribeSubnets", Filters=[{"Name": name, "Values": [value]}])["Subnets"]
            assert len(shown) == expected, name
            assert expected != 1 or shown[0]["SubnetId"] == id_, name
            assert not call("DescribeSubnets", Filters=[{"Name": name, "Values": ["none"]}])["Subnets"], name


def test_pages(call: Account, vpc: dict[str, Any]) -> None:
    made = {subnet_of(call, vpc, f"10.0.{number}.0/24")["SubnetId"] for number in range(7)}
    first = call("DescribeSubnets", MaxResults=5)
    second = call("DescribeSubnets", MaxResults=5, NextToken=first["NextToken"])
    assert "NextToken" not in second
    assert [len(first["Subnets"]), len(second["Subnets"])] == [5, 2]
    assert {subnet["SubnetId"] for page in (first, second) for subnet in page["Subnets"]} == made


def test_statements_do_not_grow_with_the_page(call: Account, vpc: dict[str, Any]) -> None:
    subnet_of(call, vpc, "10.0.0.0/24")
    call("DescribeSubnets")
    alone = call.statements
    for number in range(1, 20):
        subnet_of(call, vpc, f"10.0.{number}.0/24")
    call("DescribeSubnets")
    assert call.statements == alone
