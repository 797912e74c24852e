"""Routes within the VPC, and the route tables of gateways: what they may be, and what they are for the router."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from small_network import Network
from sqlalchemy import insert

from accounts import Account
from enid.store import snapshot
from enid.store import tables as t
from enid.topology.records import Kind, Route, RouteTable, TargetKind, Vpc


class World(Network):
    """The small network with a route table, a VPN gateway and a running appliance."""

    def __init__(self, call: Account) -> None:
        super().__init__(call)
        self.table = call("CreateRouteTable", VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.vgw = call("CreateVpnGateway", Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
        call("AttachVpnGateway", VpnGatewayId=self.vgw, VpcId=self.vpc)
        main = call("CreateRouteTable", VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        for table, values in (
            (t.vpc_cidr_blocks, {"id": "vpc-cidr-assoc-1", "vpc_id": self.vpc, "cidr_block": "10.0.0.0/16"}),
            (
                t.route_table_associations,
                {"id": "rtbassoc-12345678", "route_table_id": main, "vpc_id": self.vpc, "main": True},
            ),
        ):
            call.put(insert(table).values(**values))
        self.main = main
        _, self.box = self.machine(subnet=self.small)

    def route(self, action: str = "CreateRoute", destination: str = "10.0.1.0/24", **target: Any) -> None:
        self.call(action, RouteTableId=self.table, DestinationCidrBlock=destination, **target)

    def refused(self, action: str = "CreateRoute", destination: str = "10.0.1.0/24", **target: Any) -> str:
        params = {"RouteTableId": self.table, "DestinationCidrBlock": destination, **target}
        error = self.call.refused(action, **params)
        return f"{error.code}: {error.message}"

    def associate(self, gateway: str | None = None) -> str:
        answer = self.call("AssociateRouteTable", RouteTableId=self.table, GatewayId=gateway or self.gateway)
        return str(answer["AssociationId"])

    def shown(self) -> dict[str, Any]:
        return dict(self.call("DescribeRouteTables", RouteTableIds=[self.table])["RouteTables"][0])

    def targets(self) -> dict[str, str]:
        rows = self.shown()["Routes"]
        return {row["DestinationCidrBlock"]: row.get("GatewayId") or row["NetworkInterfaceId"] for row in rows}

    def records(self) -> tuple[Vpc, tuple[Route, ...]]:
        """The router, and the table as it carries it out."""
        with self.call.database.read() as db:
            world = snapshot.world(db)
        vpc, table = world[Kind.VPC, self.vpc], world[Kind.ROUTE_TABLE, self.table]
        assert isinstance(vpc, Vpc)
        assert isinstance(table, RouteTable)
        return vpc, table.routes


@pytest.fixture
def world(call: Account) -> World:
    return World(call)


def test_all_of_a_subnet_can_be_led_through_an_interface(world: World) -> None:
    world.route(NetworkInterfaceId=world.box)
    assert world.targets() == {"10.0.0.0/16": "local", "10.0.1.0/24": world.box}
    _, (route,) = world.records()
    assert (route.destination, route.kind, route.target) == (ip_network("10.0.1.0/24"), TargetKind.PORT, world.box)
    world.route("DeleteRoute")
    assert world.targets() == {"10.0.0.0/16": "local"}


@pytest.mark.parametrize(
    ("destination", "code"),
    [
        ("10.0.1.0/25", "InvalidParameterValue"),
        ("10.0.7.0/24", "InvalidParameterValue"),
        ("10.0.0.0/16", "RouteAlreadyExists"),
    ],
)
def test_a_part_of_a_subnet_cannot_and_what_is_local_is_there_already(
    world: World, destination: str, code: str
) -> None:
    assert world.refused(destination=destination, NetworkInterfaceId=world.box).startswith(f"{code}: ")


def test_no_prefix_list_leads_within_the_vpc(world: World) -> None:
    entries = [{"Cidr": "10.0.1.0/24"}]
    made = world.call(
        "CreateManagedPrefixList", PrefixListName="web", MaxEntries=1, AddressFamily="IPv4", Entries=entries
    )
    params = {"RouteTableId": world.table, "NetworkInterfaceId": world.box}
    list_id = made["PrefixList"]["PrefixListId"]
    assert world.call.refused("CreateRoute", DestinationPrefixListId=list_id, **params).code == "UnsupportedOperation"


def test_a_local_route_can_be_led_elsewhere_and_back(world: World) -> None:
    assert "can target only an interface" in world.refused("ReplaceRoute", "10.0.0.0/16", GatewayId=world.gateway)
    for _ in range(2):
        world.route("ReplaceRoute", "10.0.0.0/16", NetworkInterfaceId=world.box)
        assert world.call.changed == [("route_table", world.table)]
        assert world.targets() == {"10.0.0.0/16": world.box}
    assert "cannot remove local route" in world.refused("DeleteRoute", "10.0.0.0/16")
    assert [route.target for route in world.records()[1]] == [world.box]
    for _ in range(2):
        world.route("ReplaceRoute", "10.0.0.0/16", LocalTarget=True)
        assert world.targets() == {"10.0.0.0/16": "local"}
    assert world.records()[1] == ()


def test_a_gateways_table_comes_and_goes(world: World) -> None:
    world.route(NetworkInterfaceId=world.box)
    association = world.associate()
    assert world.call.changed == [("vpc", world.vpc)]
    assert world.associate() == association, "the same again is the same"
    assert world.shown()["Associations"] == [
        {
            "RouteTableAssociationId": association,
            "RouteTableId": world.table,
            "GatewayId": world.gateway,
            "Main": False,
            "AssociationState": {"State": "associated"},
        }
    ]
    by_gateway = [{"Name": "association.gateway-id", "Values": [world.gateway]}]
    (found,) = world.call("DescribeRouteTables", Filters=by_gateway)["RouteTables"]
    assert found["RouteTableId"] == world.table
    assert world.records()[0].internet_table == world.table
    assert world.call.refused("DeleteRouteTable", RouteTableId=world.table).code == "DependencyViolation"
    world.call("DisassociateRouteTable", AssociationId=association)
    assert world.call.changed == [("vpc", world.vpc)]
    assert (world.records()[0].internet_table, world.shown()["Associations"]) == ("", [])


def test_both_kinds_of_gateways_have_one_and_it_can_be_another(world: World) -> None:
    world.associate()
    association = world.associate(world.vgw)
    assert world.records()[0].gateway_tables == (world.table, world.table)
    other = world.call("CreateRouteTable", VpcId=world.vpc)["RouteTable"]["RouteTableId"]
    answer = world.call("ReplaceRouteTableAssociation", AssociationId=association, RouteTableId=other)
    assert answer["NewAssociationId"] != association
    assert world.call.changed == [("vpc", world.vpc)]
    assert world.records()[0].vpn_table == other
    taken = {"RouteTableId": other, "GatewayId": world.gateway}
    assert world.call.refused("AssociateRouteTable", **taken).code == "Resource.AlreadyAssociated"


def test_an_association_ends_when_the_gateway_leaves(world: World) -> None:
    world.associate()
    world.associate(world.vgw)
    world.call("DetachInternetGateway", InternetGatewayId=world.gateway, VpcId=world.vpc)
    assert world.records()[0].gateway_tables == (world.table,)
    world.call("DetachVpnGateway", VpnGatewayId=world.vgw, VpcId=world.vpc)
    assert world.shown()["Associations"] == []
    error = world.call.refused("AssociateRouteTable", RouteTableId=world.table, GatewayId=world.gateway)
    assert error.code == "Gateway.NotAttached"


def test_what_a_gateways_table_must_not_have(world: World) -> None:
    world.associate()
    for destination, target in (
        ("0.0.0.0/0", {"NetworkInterfaceId": world.box}),
        ("0.0.0.0/0", {"GatewayId": world.gateway}),
        ("10.0.0.0/8", {"NetworkInterfaceId": world.box}),
    ):
        assert world.refused(destination=destination, **target).startswith("InvalidParameterValue: ")
    world.route("ReplaceRoute", "10.0.0.0/16", NetworkInterfaceId=world.box)
    world.route(NetworkInterfaceId=world.box)
    propagation = {"RouteTableId": world.table, "GatewayId": world.vgw}
    assert world.call.refused("EnableVgwRoutePropagation", **propagation).code == "InvalidParameterValue"
    as_main = {"AssociationId": "rtbassoc-12345678", "RouteTableId": world.table}
    assert world.call.refused("ReplaceRouteTableAssociation", **as_main).code == "InvalidParameterValue"


@pytest.mark.parametrize("what", ["internet", "outside", "propagation", "main"])
def test_a_table_that_has_it_cannot_be_a_gateways(world: World, what: str) -> None:
    table = world.main if what == "main" else world.table
    if what == "internet":
        world.route(destination="0.0.0.0/0", GatewayId=world.gateway)
    elif what == "outside":
        world.route(destination="192.168.0.0/16", NetworkInterfaceId=world.box)
    elif what == "propagation":
        world.call("EnableVgwRoutePropagation", RouteTableId=table, GatewayId=world.vgw)
    error = world.call.refused("AssociateRouteTable", RouteTableId=table, GatewayId=world.gateway)
    assert error.code == "InvalidParameterValue"


def test_the_internet_gateway_leads_to_interfaces_with_a_public_address_only(world: World) -> None:
    """AWS's rule; the VPN gateway has none of the kind."""
    world.route(NetworkInterfaceId=world.box)
    association = world.associate(world.vgw)
    assert [route.kind for route in world.records()[1]] == [TargetKind.PORT]
    world.call("DisassociateRouteTable", AssociationId=association)
    world.associate()
    assert [route.kind for route in world.records()[1]] == [TargetKind.BLACKHOLE]
    address = world.elastic_ip()
    world.call("AssociateAddress", AllocationId=address, NetworkInterfaceId=world.box)
    with world.call.database.read() as db:
        (changed,) = [key for key in world.call.changed if key[0] == "network_interface"]
        assert (Kind.ROUTE_TABLE, world.table) in snapshot.records(db, [changed])
    assert [route.kind for route in world.records()[1]] == [TargetKind.PORT]


def test_what_lies_behind_a_vpn_does_not_take_what_is_local(world: World) -> None:
    customer = world.call("CreateCustomerGateway", Type="ipsec.1", IpAddress="198.18.0.9", BgpAsn=65000)
    connection = world.call(
        "CreateVpnConnection",
        Type="ipsec.1",
        CustomerGatewayId=customer["CustomerGateway"]["CustomerGatewayId"],
        VpnGatewayId=world.vgw,
        Options={"StaticRoutesOnly": True},
    )["VpnConnection"]["VpnConnectionId"]
    for block in ("10.0.1.0/24", "172.16.0.0/12"):
        world.call("CreateVpnConnectionRoute", VpnConnectionId=connection, DestinationCidrBlock=block)
    world.call("EnableVgwRoutePropagation", RouteTableId=world.table, GatewayId=world.vgw)
    assert [str(route.destination) for route in world.records()[1]] == ["172.16.0.0/12"]
