"""Routes: where they may lead, when they are black holes, and what the VPN gateway propagates."""

from __future__ import annotations

from typing import Any

import pytest
from small_network import Network
from sqlalchemy import update

from accounts import Account
from enid.store import tables as t


class World(Network):
    """The small network with a route table and a VPN gateway."""

    def __init__(self, call: Account) -> None:
        super().__init__(call)
        self.table = call("CreateRouteTable", VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.vgw = call("CreateVpnGateway", Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
        self.call.put(
            t.vpc_cidr_blocks.insert().values(id="vpc-cidr-assoc-1", vpc_id=self.vpc, cidr_block="10.0.0.0/16")
        )

    def route(self, action: str = "CreateRoute", destination: str = "0.0.0.0/0", **target: str) -> None:
        self.call(action, **self.request(destination, **target))

    def request(self, destination: str = "0.0.0.0/0", **target: str) -> dict[str, str]:
        member = "DestinationIpv6CidrBlock" if ":" in destination else "DestinationCidrBlock"
        return {"RouteTableId": self.table, member: destination, **target}

    def routes(self) -> dict[str, dict[str, Any]]:
        """The table's routes by destination, without the local one."""
        [table] = self.call("DescribeRouteTables", RouteTableIds=[self.table])["RouteTables"]
        rows = [(row.get("DestinationCidrBlock") or row["DestinationIpv6CidrBlock"], row) for row in table["Routes"]]
        return {destination: row for destination, row in rows if row.get("GatewayId") != "local"}

    def connect(self, *destinations: str, ip: str = "198.18.0.9") -> str:
        """A VPN connection with static routes."""
        customer = self.call("CreateCustomerGateway", Type="ipsec.1", IpAddress=ip, BgpAsn=65000)["CustomerGateway"]
        connection = self.call(
            "CreateVpnConnection",
            Type="ipsec.1",
            CustomerGatewayId=customer["CustomerGatewayId"],
            VpnGatewayId=self.vgw,
            Options={"StaticRoutesOnly": True},
        )["VpnConnection"]["VpnConnectionId"]
        for destination in destinations:
            self.call("CreateVpnConnectionRoute", VpnConnectionId=connection, DestinationCidrBlock=destination)
        return str(connection)

    def attach_vgw(self) -> None:
        self.call("AttachVpnGateway", VpnGatewayId=self.vgw, VpcId=self.vpc)


@pytest.fixture
def world(call: Account) -> World:
    return World(call)


def test_a_route_to_the_internet_comes_and_goes(world: World) -> None:
    world.route(GatewayId=world.gateway)
    assert world.call.changed == [("route_table", world.table)]
    assert world.routes() == {
        "0.0.0.0/0": {
            "DestinationCidrBlock": "0.0.0.0/0",
            "GatewayId": world.gateway,
            "Origin": "CreateRoute",
            "State": "active",
        }
    }
    world.route("DeleteRoute")
    assert world.call.changed == [("route_table", world.table)]
    assert world.routes() == {}


def test_a_route_turns_black_when_its_gateway_leaves(world: World) -> None:
    world.route(GatewayId=world.gateway)
    world.call("DetachInternetGateway", InternetGatewayId=world.gateway, VpcId=world.vpc)
    assert world.routes()["0.0.0.0/0"]["State"] == "blackhole"
    world.call("DeleteInternetGateway", InternetGatewayId=world.gateway)
    assert world.routes()["0.0.0.0/0"]["State"] == "blackhole"


def test_a_route_to_an_interface_is_active_while_it_is_attached_to_a_running_instance(world: World) -> None:
    interface = world.interface()
    world.route(NetworkInterfaceId=interface)
    shown = world.routes()["0.0.0.0/0"]
    assert (shown["NetworkInterfaceId"], shown["State"], "InstanceId" in shown) == (interface, "blackhole", False)
    instance = world.instance()
    world.attach(interface, instance)
    shown = world.routes()["0.0.0.0/0"]
    assert (shown["InstanceId"], shown["InstanceOwnerId"], shown["State"]) == (instance, "111111111111", "active")
    world.call.put(update(t.instances).values(state="stopped"))
    assert world.routes()["0.0.0.0/0"]["State"] == "blackhole"


def test_a_route_to_an_instance_is_one_to_its_only_interface(world: World) -> None:
    instance = world.instance()
    error = world.call.refused("CreateRoute", **world.request(InstanceId=instance))
    assert error.code == "InvalidInstanceID"
    interface = world.interface()
    world.attach(interface, instance, 0)
    world.route(InstanceId=instance)
    assert world.routes()["0.0.0.0/0"]["NetworkInterfaceId"] == interface
    world.attach(world.interface(), instance, 1)
    error = world.call.refused("ReplaceRoute", **world.request(InstanceId=instance))
    assert (error.code, error.message) == (
        "InvalidInstanceID",
        f"There are multiple interfaces attached to instance '{instance}'. "
        "Please specify an interface ID for the operation instead.",
    )


def test_the_same_route_again_is_no_error_and_another_target_is(world: World) -> None:
    world.route(GatewayId=world.gateway)
    world.route(GatewayId=world.gateway)
    assert world.call.changed == []
    error = world.call.refused("CreateRoute", **world.request(NetworkInterfaceId=world.interface()))
    assert (error.code, error.message) == (
        "RouteAlreadyExists",
        "The route identified by 0.0.0.0/0 already exists.",
    )


def test_replacing_the_target(world: World) -> None:
    world.route(GatewayId=world.gateway)
    interface = world.interface()
    world.route("ReplaceRoute", NetworkInterfaceId=interface)
    assert world.call.changed == [("route_table", world.table)]
    assert world.routes()["0.0.0.0/0"]["NetworkInterfaceId"] == interface


def test_destinations_are_canonical(world: World) -> None:
    world.route(destination="192.168.3.4/16", GatewayId=world.gateway)
    assert set(world.routes()) == {"192.168.0.0/16"}
    world.route("DeleteRoute", "192.168.9.9/16")


@pytest.mark.parametrize(
    ("destination", "target", "code"),
    [
        ("0.0.0.0/0", {}, "MissingParameter"),
        ("0.0.0.0/0", {"GatewayId": "local"}, "InvalidParameterValue"),
        ("0.0.0.0/0", {"GatewayId": "igw-12345678"}, "InvalidGatewayID.NotFound"),
        ("0.0.0.0/0", {"GatewayId": "pcx-12345678"}, "InvalidGatewayID.NotFound"),
        ("0.0.0.0/0", {"NetworkInterfaceId": "eni-12345678"}, "InvalidNetworkInterfaceID.NotFound"),
        ("0.0.0.0/0", {"InstanceId": "i-12345678"}, "InvalidInstanceID.NotFound"),
        ("0.0.0.0/0", {"NatGatewayId": "nat-12345678"}, "InvalidNatGatewayID.NotFound"),
        ("0.0.0.0/0", {"NatGatewayId": "nat-me"}, "NatGatewayMalformed"),
        ("::/0", {"EgressOnlyInternetGatewayId": "eigw-12345678"}, "InvalidGatewayID.NotFound"),
        ("0.0.0.0/0", {"TransitGatewayId": "tgw-12345678"}, "UnsupportedOperation"),
        ("0.0.0.0/0", {"GatewayId": "igw-12345678", "InstanceId": "i-12345678"}, "InvalidParameterCombination"),
        ("everywhere", {"GatewayId": "igw-12345678"}, "InvalidParameterValue"),
    ],
)
def test_routes_that_may_not_be(world: World, destination: str, target: dict[str, str], code: str) -> None:
    assert world.call.refused("CreateRoute", **world.request(destination, **target)).code == code


def test_destinations_that_may_not_be(world: World) -> None:
    gateway, table = world.gateway, world.table
    for params, code in (
        ({}, "MissingParameter"),
        ({"DestinationPrefixListId": "pl-12345678"}, "InvalidPrefixListID.NotFound"),
        ({"DestinationCidrBlock": "1.0.0.0/8", "DestinationIpv6CidrBlock": "::/0"}, "InvalidParameterCombination"),
    ):
        assert world.call.refused("CreateRoute", RouteTableId=table, GatewayId=gateway, **params).code == code


def test_no_way_around_the_local_routes(world: World) -> None:
    for destination in ("10.0.0.0/16", "10.0.1.0/24"):
        error = world.call.refused("CreateRoute", **world.request(destination, GatewayId=world.gateway))
        assert (error.code, error.message) == (
            "InvalidParameterValue",
            f"The destination CIDR block {destination} is equal to or more specific than one of this VPC's CIDR "
            "blocks. This route can target only an interface or an instance.",
        )
    error = world.call.refused("DeleteRoute", **world.request("10.0.0.0/16"))
    assert (error.code, error.message) == (
        "InvalidParameterValue",
        f"cannot remove local route 10.0.0.0/16 in route table {world.table}",
    )
    world.call("ReplaceRoute", RouteTableId=world.table, DestinationCidrBlock="10.0.0.0/16", LocalTarget=True)
    world.route(destination="10.0.0.0/8", GatewayId=world.gateway)


def test_targets_of_another_vpc(world: World) -> None:
    gateway = world.add_gateway(world.other_vpc)
    error = world.call.refused("CreateRoute", **world.request(GatewayId=gateway))
    assert (error.code, error.message) == (
        "InvalidParameterValue",
        f"route table {world.table} and network gateway {gateway} belong to different networks",
    )
    interface = world.interface(world.other_subnet)
    assert world.call.refused("CreateRoute", **world.request(NetworkInterfaceId=interface)).code == error.code
    assert world.call.refused("CreateRoute", **world.request(GatewayId=world.vgw)).code == error.code


def test_routes_that_are_not_there(world: World) -> None:
    for action, target in (("DeleteRoute", {}), ("ReplaceRoute", {"GatewayId": world.gateway})):
        assert world.call.refused(action, **world.request(**target)).code == "InvalidRoute.NotFound"


def test_the_quota_counts_each_family_apart(world: World) -> None:
    world.call.limit(routes_per_table=3)
    for number in range(3):
        world.route(destination=f"192.168.{number}.0/24", GatewayId=world.gateway)
    error = world.call.refused("CreateRoute", **world.request("172.16.0.0/16", GatewayId=world.gateway))
    assert error.code == "RouteLimitExceeded"
    world.route(destination="::/0", GatewayId=world.gateway)
    assert world.routes()["::/0"]["GatewayId"] == world.gateway


def test_a_vpn_gateway_carries_no_ipv6(world: World) -> None:
    world.attach_vgw()
    error = world.call.refused("CreateRoute", **world.request("2001:db8::/32", GatewayId=world.vgw))
    assert error.code == "InvalidParameterValue"


# --- propagation ------------------------------------------------------------------------------------------------------


def test_propagation_shows_what_lies_behind_the_vpn_connections(world: World) -> None:
    both = {"GatewayId": world.vgw, "RouteTableId": world.table}
    assert world.call.refused("EnableVgwRoutePropagation", **both).code == "Gateway.NotAttached"
    world.attach_vgw()
    world.connect("192.168.0.0/16", "10.0.0.0/16")
    world.call("EnableVgwRoutePropagation", **both)
    assert world.call.changed == [("route_table", world.table)]
    world.call("EnableVgwRoutePropagation", **both)
    assert world.routes() == {
        "192.168.0.0/16": {
            "DestinationCidrBlock": "192.168.0.0/16",
            "GatewayId": world.vgw,
            "Origin": "EnableVgwRoutePropagation",
            "State": "active",
        }
    }, "and the local route is never shadowed"
    [table] = world.call("DescribeRouteTables", RouteTableIds=[world.table])["RouteTables"]
    assert table["PropagatingVgws"] == [{"GatewayId": world.vgw}]

    connection = world.connect("172.16.0.0/16", ip="198.18.0.10")
    assert set(world.call.changed) == {("vpc", world.vpc), ("route_table", world.table)}
    assert set(world.routes()) == {"192.168.0.0/16", "172.16.0.0/16"}
    world.call("DeleteVpnConnection", VpnConnectionId=connection)
    assert set(world.call.changed) == {("vpc", world.vpc), ("route_table", world.table)}

    world.call("DisableVgwRoutePropagation", **both)
    assert world.routes() == {}


def test_a_static_route_beats_a_propagated_one(world: World) -> None:
    world.attach_vgw()
    world.connect("192.168.0.0/16")
    world.call("EnableVgwRoutePropagation", GatewayId=world.vgw, RouteTableId=world.table)
    world.route(destination="192.168.0.0/16", GatewayId=world.gateway)
    shown = world.routes()["192.168.0.0/16"]
    assert (shown["GatewayId"], shown["Origin"]) == (world.gateway, "CreateRoute")


def test_detaching_the_vpn_gateway_ends_propagation_and_blackens_static_routes(world: World) -> None:
    world.attach_vgw()
    world.connect("192.168.0.0/16")
    world.call("EnableVgwRoutePropagation", GatewayId=world.vgw, RouteTableId=world.table)
    world.route(destination="172.16.0.0/12", GatewayId=world.vgw)
    world.call("DetachVpnGateway", VpnGatewayId=world.vgw, VpcId=world.vpc)
    assert set(world.call.changed) == {("vpc", world.vpc), ("route_table", world.table)}
    assert {destination: row["State"] for destination, row in world.routes().items()} == {"172.16.0.0/12": "blackhole"}


def test_route_filters(world: World) -> None:
    instance, interface = world.machine()
    world.attach_vgw()
    world.connect("192.168.0.0/16")
    world.route(NetworkInterfaceId=interface)
    world.route(destination="2001:db8::/32", GatewayId=world.gateway)
    world.route(destination="172.16.0.0/12", NetworkInterfaceId=world.interface())
    world.call("EnableVgwRoutePropagation", GatewayId=world.vgw, RouteTableId=world.table)
    other = world.call("CreateRouteTable", VpcId=world.other_vpc)["RouteTable"]["RouteTableId"]
    for name, value in (
        ("route.destination-cidr-block", "0.0.0.0/0"),
        ("route.destination-cidr-block", "192.168.*"),
        ("route.destination-ipv6-cidr-block", "2001:db8::/32"),
        ("route.gateway-id", world.gateway),
        ("route.gateway-id", world.vgw),
        ("route.instance-id", instance),
        ("route.network-interface-id", interface),
        ("route.origin", "CreateRoute"),
        ("route.origin", "EnableVgwRoutePropagation"),
        ("route.state", "blackhole"),
        ("route.state", "active"),
    ):
        assert found(world, name, value) == {world.table}, (name, value)
    for name in ("destination-prefix-list-id", "nat-gateway-id", "transit-gateway-id", "vpc-peering-connection-id"):
        assert found(world, f"route.{name}", "*") == set()
    assert found(world, "route.egress-only-internet-gateway-id", "*") == set()
    assert found(world, "route.destination-cidr-block", "2001:db8::/32") == set()
    assert other not in found(world, "route.origin", "*")


def found(world: World, name: str, value: str) -> set[str]:
    tables = world.call("DescribeRouteTables", Filters=[{"Name": name, "Values": [value]}])["RouteTables"]
    return {table["RouteTableId"] for table in tables}
