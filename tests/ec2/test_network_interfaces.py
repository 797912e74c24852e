"""CreateNetworkInterface, DeleteNetworkInterface and what DescribeNetworkInterfaces shows."""

from __future__ import annotations

import re
from typing import Any

import pytest
from small_network import FIRST, Network
from sqlalchemy import select, update

from enid.ec2.context import Context
from enid.ec2.describe import encode
from enid.ec2.network_interfaces import NewInterface, create
from enid.store import tables as t


@pytest.fixture
def net(call: Any) -> Network:
    return Network(call)


def test_a_new_interface_has_the_subnets_first_free_address_and_the_default_group(call: Any, net: Network) -> None:
    created = call(
        "CreateNetworkInterface",
        SubnetId=net.subnet,
        Description="web",
        TagSpecifications=[{"ResourceType": "network-interface", "Tags": [{"Key": "Name", "Value": "web-1"}]}],
    )["NetworkInterface"]
    id_ = created["NetworkInterfaceId"]
    assert re.fullmatch("eni-[0-9a-f]{17}", id_)
    assert re.fullmatch("02(:[0-9a-f]{2}){5}", created["MacAddress"])
    assert created["Status"] == "pending"
    assert call.changed == []  # the agent has nothing to do for what is attached to nothing
    shown = net.shown(id_)
    assert shown == created | {"Status": "available"}
    (group,) = shown.pop("Groups")
    assert group["GroupName"] == "default"
    assert shown == {
        "NetworkInterfaceId": id_,
        "MacAddress": created["MacAddress"],
        "SubnetId": net.subnet,
        "VpcId": net.vpc,
        "AvailabilityZone": "us-east-1a",
        "AvailabilityZoneId": "use1-az1",
        "Description": "web",
        "OwnerId": FIRST,
        "RequesterManaged": False,
        "SourceDestCheck": True,
        "Status": "available",
        "InterfaceType": "interface",
        "PrivateIpAddress": "10.0.1.4",
        "PrivateDnsName": "ip-10-0-1-4.ec2.internal",
        "PrivateIpAddresses": [
            {"PrivateIpAddress": "10.0.1.4", "Primary": True, "PrivateDnsName": "ip-10-0-1-4.ec2.internal"}
        ],
        "Ipv6Addresses": [],
        "Ipv4Prefixes": [],
        "Ipv6Prefixes": [],
        "Operator": {"Managed": False},
        "TagSet": [{"Key": "Name", "Value": "web-1"}],
    }


def test_the_groups_named_are_shown_in_their_order(net: Network) -> None:
    shown = net.shown(net.interface(Groups=[net.web, net.db]))
    assert shown["Groups"] == [{"GroupId": net.web, "GroupName": "web"}, {"GroupId": net.db, "GroupName": "db"}]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"PrivateIpAddress": "10.0.1.77"}, ["10.0.1.77"]),
        (
            {"PrivateIpAddress": "10.0.1.77", "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.9"}]},
            ["10.0.1.77", "10.0.1.9"],
        ),
        (
            {
                "PrivateIpAddresses": [
                    {"PrivateIpAddress": "10.0.1.9", "Primary": False},
                    {"PrivateIpAddress": "10.0.1.8", "Primary": True},
                ]
            },
            ["10.0.1.8", "10.0.1.9"],
        ),
        ({"PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.9"}]}, ["10.0.1.4", "10.0.1.9"]),
        ({"SecondaryPrivateIpAddressCount": 2}, ["10.0.1.4", "10.0.1.5", "10.0.1.6"]),
        (
            {"PrivateIpAddress": "10.0.1.4", "SecondaryPrivateIpAddressCount": 1},
            ["10.0.1.4", "10.0.1.5"],
        ),
    ],
)
def test_private_addresses_are_given_or_chosen_the_primary_one_first(
    net: Network, params: dict[str, Any], expected: list[str]
) -> None:
    shown = net.shown(net.interface(**params))
    assert [item["PrivateIpAddress"] for item in shown["PrivateIpAddresses"]] == expected
    assert [item["Primary"] for item in shown["PrivateIpAddresses"]] == [True] + [False] * (len(expected) - 1)
    assert shown["PrivateIpAddress"] == expected[0]


def test_an_address_that_was_just_freed_is_not_used_again_at_once(call: Any, net: Network) -> None:
    first = net.interface()
    call("DeleteNetworkInterface", NetworkInterfaceId=first)
    assert net.ips(net.interface()) == ["10.0.1.5"]


def test_a_subnet_gives_out_all_its_addresses_and_then_refuses(call: Any, net: Network) -> None:
    ips = {ip for _ in range(11) for ip in net.ips(net.interface(net.small))}
    assert ips == {f"10.0.3.{last}" for last in range(4, 15)}
    error = call.refused("CreateNetworkInterface", SubnetId=net.small)
    assert (error.code, error.message) == (
        "InsufficientFreeAddressesInSubnet",
        "The specified subnet does not have enough free addresses to satisfy the request.",
    )


def test_the_same_addresses_can_be_used_in_another_vpc(net: Network) -> None:
    twin = net.add_subnet(net.add_vpc("10.0.0.0/16"), "10.0.1.0/24")
    assert net.ips(net.interface(PrivateIpAddress="10.0.1.9")) == net.ips(
        net.interface(twin, PrivateIpAddress="10.0.1.9")
    )


def test_ipv6_addresses_are_given_counted_or_assigned_on_creation(call: Any, net: Network) -> None:
    given = net.shown(net.interface(Ipv6Addresses=[{"Ipv6Address": "2001:db8:0:1::0A"}], EnablePrimaryIpv6=True))
    assert given["Ipv6Addresses"] == [{"Ipv6Address": "2001:db8:0:1::a", "IsPrimaryIpv6": True}]
    assert given["Ipv6Address"] == "2001:db8:0:1::a"
    assert len(net.shown(net.interface(Ipv6AddressCount=3))["Ipv6Addresses"]) == 3
    call.put(update(t.subnets).where(t.subnets.c.id == net.subnet).values(assign_ipv6_address_on_creation=True))
    assert len(net.shown(net.interface())["Ipv6Addresses"]) == 1
    assert net.shown(net.interface(Ipv6AddressCount=0))["Ipv6Addresses"] == []


def test_connection_tracking_timeouts_are_kept(net: Network) -> None:
    timeouts = {"TcpEstablishedTimeout": 350, "UdpTimeout": 30}
    shown = net.shown(net.interface(ConnectionTrackingSpecification=timeouts))
    assert shown["ConnectionTrackingConfiguration"] == timeouts


def test_names_follow_the_vpcs_dns_attributes_and_the_region(call: Any, net: Network) -> None:
    interface, elastic = net.interface(), net.elastic_ip()
    call("AssociateAddress", AllocationId=elastic, NetworkInterfaceId=interface)
    dashed = net.address(elastic)["PublicIp"].replace(".", "-")
    assert net.shown(interface)["Association"]["PublicDnsName"] == f"ec2-{dashed}.compute-1.amazonaws.com"
    assert net.shown(interface)["PublicDnsName"] == f"ec2-{dashed}.compute-1.amazonaws.com"
    call.settings = call.settings.model_copy(update={"region": "eu-west-1"})
    shown = net.shown(interface)
    assert shown["PrivateDnsName"] == "ip-10-0-1-4.eu-west-1.compute.internal"
    assert shown["PublicDnsName"] == f"ec2-{dashed}.eu-west-1.compute.amazonaws.com"
    call.put(update(t.vpcs).values(enable_dns_support=False))
    assert "PublicDnsName" not in net.shown(interface)
    call.put(update(t.vpcs).values(enable_dns_hostnames=False))
    assert "PrivateDnsName" not in net.shown(interface)


def test_the_public_address_setting_is_the_subnets_unless_said_otherwise(call: Any, net: Network) -> None:
    def wants(interface: str) -> bool:
        return bool(
            call(
                "DescribeNetworkInterfaceAttribute",
                NetworkInterfaceId=interface,
                Attribute="associatePublicIpAddress",
            )["AssociatePublicIpAddress"]
        )

    assert not wants(net.interface())
    call.put(update(t.subnets).values(map_public_ip_on_launch=True))
    assert wants(net.interface())
    with call.database.write() as db:
        ctx = Context(db, FIRST, call.settings)
        interface = create(ctx, NewInterface(subnet_id=net.subnet, associate_public_ip=False), launching=True)
    assert not wants(interface)


def test_deleting_frees_the_addresses_and_keeps_the_elastic_ip(call: Any, net: Network) -> None:
    interface, elastic = net.interface(PrivateIpAddress="10.0.1.20", Ipv6AddressCount=1), net.elastic_ip()
    call("CreateTags", Resources=[interface], Tags=[{"Key": "a", "Value": "b"}])
    call("AssociateAddress", AllocationId=elastic, NetworkInterfaceId=interface)
    call("DeleteNetworkInterface", NetworkInterfaceId=interface)
    assert call.changed == [("network_interface", interface)]
    assert "NetworkInterfaceId" not in net.address(elastic)
    assert "AssociationId" not in net.address(elastic)
    with call.database.read() as db:
        for table in (t.network_interfaces, t.private_addresses, t.network_interface_groups, t.tags):
            assert db.execute(select(table)).all() == [], table.name
    assert net.ips(net.interface(PrivateIpAddress="10.0.1.20")) == ["10.0.1.20"]


def test_an_account_sees_only_its_own_interfaces(call: Any, second_account: Any, net: Network) -> None:
    interface = net.interface()
    assert second_account("DescribeNetworkInterfaces")["NetworkInterfaces"] == []
    for action in ("DeleteNetworkInterface", "AssignPrivateIpAddresses", "AssociateAddress"):
        params: dict[str, Any] = {"NetworkInterfaceId": interface}
        if action == "AssignPrivateIpAddresses":
            params["SecondaryPrivateIpAddressCount"] = 1
        if action == "AssociateAddress":
            params["AllocationId"] = second_account("AllocateAddress")["AllocationId"]
        assert second_account.refused(action, **params).code == "InvalidNetworkInterfaceID.NotFound"
    assert second_account.refused("CreateNetworkInterface", SubnetId=net.subnet).code == "InvalidSubnetID.NotFound"


def test_pages_hold_every_interface_once(call: Any, net: Network) -> None:
    interfaces = {net.interface() for _ in range(12)}
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = call("DescribeNetworkInterfaces", MaxResults=5, **token)
        seen += [item["NetworkInterfaceId"] for item in page["NetworkInterfaces"]]
        if "NextToken" not in page:
            break
        assert len(page["NetworkInterfaces"]) == 5
        token = {"NextToken": page["NextToken"]}
    assert len(seen) == 12
    assert set(seen) == interfaces


def test_only_the_first_missing_interface_is_named(call: Any, net: Network) -> None:
    missing = ["eni-0000000000000aaa0", "eni-0000000000000aaa1"]
    error = call.refused("DescribeNetworkInterfaces", NetworkInterfaceIds=[net.interface(), *missing])
    assert (error.code, error.message) == (
        "InvalidNetworkInterfaceID.NotFound",
        f"The networkInterface ID '{missing[0]}' does not exist",
    )


def test_the_number_of_statements_does_not_grow_with_the_number_of_interfaces(call: Any, net: Network) -> None:
    large = net.add_subnet(net.vpc, "10.0.16.0/20")
    counts = {"create": set(), "describe": set(), "page": set()}  # type: dict[str, set[int]]
    for goal in (1, 10, 250):
        while len(call("DescribeNetworkInterfaces")["NetworkInterfaces"]) < goal:
            net.interface(large, Groups=[net.web], SecondaryPrivateIpAddressCount=2)
            counts["create"].add(call.statements)
        call("DescribeNetworkInterfaces")
        counts["describe"].add(call.statements)
        call("DescribeNetworkInterfaces", MaxResults=1000)
        counts["page"].add(call.statements)
    # Beyond 200 the answer's rows are found by a list of their ids of its own.
    assert counts == {"create": {7}, "describe": {8, 9}, "page": {8, 9}}


def test_many_interfaces_are_shown_as_one_is(call: Any, net: Network) -> None:
    """The reader takes another way from 200 interfaces on."""
    large = net.add_subnet(net.vpc, "10.0.16.0/20")
    some = [net.interface(large, Groups=[net.db], Ipv6AddressCount=0) for _ in range(201)]
    instance, primary = net.machine(SecondaryPrivateIpAddressCount=1)
    call("AssociateAddress", AllocationId=net.elastic_ip(), InstanceId=instance)
    together = call("DescribeNetworkInterfaces")["NetworkInterfaces"]
    assert together == sorted(
        (net.shown(id_) for id_ in [*some, primary]), key=lambda item: str(item["NetworkInterfaceId"])
    )


@pytest.mark.parametrize("place", ["\0", "eni-\0"])
def test_a_token_that_no_store_can_compare_is_refused(call: Any, place: str) -> None:
    for operation in ("DescribeNetworkInterfaces", "DescribeTags"):
        assert call.refused(operation, NextToken=encode(place)).code == "InvalidPaginationToken"
