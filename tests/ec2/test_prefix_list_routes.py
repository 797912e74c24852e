"""Routes whose destination is a prefix list: shown as one, carried out block by block, following the list."""

from __future__ import annotations

from typing import Any

import pytest
from small_network import Network

from accounts import Account
from enid.store import snapshot
from enid.store import tables as t
from enid.topology.records import Kind, RouteTable, TargetKind


class World(Network):
    """The small network with a route table and a prefix list of two blocks."""

    def __init__(self, call: Account) -> None:
        super().__init__(call)
        self.table = call("CreateRouteTable", VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        call.put(t.vpc_cidr_blocks.insert().values(id="vpc-cidr-assoc-1", vpc_id=self.vpc, cidr_block="10.0.0.0/16"))
        blocks = [{"Cidr": "192.0.2.0/24"}, {"Cidr": "198.51.100.0/24"}]
        self.list = self.add_list("offices", blocks)

    def add_list(self, name: str, blocks: list[dict[str, str]], family: str = "IPv4", size: int = 5) -> str:
        made = self.call(
            "CreateManagedPrefixList", PrefixListName=name, MaxEntries=size, AddressFamily=family, Entries=blocks
        )
        return str(made["PrefixList"]["PrefixListId"])

    def request(self, list_: str = "", **target: str) -> dict[str, str]:
        return {"RouteTableId": self.table, "DestinationPrefixListId": list_ or self.list, **target}

    def listed(self) -> list[dict[str, Any]]:
        """The table's routes to prefix lists."""
        [table] = self.call("DescribeRouteTables", RouteTableIds=[self.table])["RouteTables"]
        return [route for route in table["Routes"] if "DestinationPrefixListId" in route]

    def do(self, action: str, **params: Any) -> None:
        """A call that changes something."""
        self.call(action, **params)
        self.changed = self.call.changed

    def carried_out(self) -> dict[str, TargetKind]:
        """What the last change makes of the table, for the agent."""
        with self.call.database.read() as db:
            record = snapshot.records(db, self.changed)[(Kind.ROUTE_TABLE, self.table)]
        assert isinstance(record, RouteTable)
        return {str(route.destination): route.kind for route in record.routes}


@pytest.fixture
def world(call: Account) -> World:
    return World(call)


def test_comes_changes_and_goes(world: World) -> None:
    world.do("CreateRoute", **world.request(GatewayId=world.gateway))
    assert world.listed() == [
        {
            "DestinationPrefixListId": world.list,
            "GatewayId": world.gateway,
            "Origin": "CreateRoute",
            "State": "active",
        }
    ]
    assert world.carried_out() == {"192.0.2.0/24": TargetKind.INTERNET, "198.51.100.0/24": TargetKind.INTERNET}
    named = [{"Name": "route.destination-prefix-list-id", "Values": [world.list]}]
    assert len(world.call("DescribeRouteTables", Filters=named)["RouteTables"]) == 1
    block = [{"Name": "route.destination-cidr-block", "Values": [world.list]}]
    assert world.call("DescribeRouteTables", Filters=block)["RouteTables"] == []

    world.do("ReplaceRoute", **world.request(NetworkInterfaceId=world.interface()))
    assert world.listed()[0]["State"] == "blackhole"
    assert set(world.carried_out().values()) == {TargetKind.BLACKHOLE}
    world.do("DeleteRoute", **world.request())
    assert (world.listed(), world.carried_out()) == ([], {})
    assert world.call.refused("DeleteRoute", **world.request()).code == "InvalidRoute.NotFound"


def test_follows_new_versions_of_its_list(world: World) -> None:
    world.do("CreateRoute", **world.request(GatewayId=world.gateway))
    world.do(
        "ModifyManagedPrefixList",
        PrefixListId=world.list,
        CurrentVersion=1,
        AddEntries=[{"Cidr": "203.0.113.0/24"}],
        RemoveEntries=[{"Cidr": "192.0.2.0/24"}],
    )
    assert list(world.carried_out()) == ["198.51.100.0/24", "203.0.113.0/24"]
    world.do("RestoreManagedPrefixListVersion", PrefixListId=world.list, PreviousVersion=1, CurrentVersion=2)
    assert list(world.carried_out()) == ["192.0.2.0/24", "198.51.100.0/24"]


def test_a_route_to_the_block_itself_has_the_last_word(world: World) -> None:
    world.do(
        "CreateRoute",
        RouteTableId=world.table,
        DestinationCidrBlock="192.0.2.0/24",
        NetworkInterfaceId=world.interface(),
    )
    world.do("CreateRoute", **world.request(GatewayId=world.gateway))
    assert world.carried_out() == {"192.0.2.0/24": TargetKind.BLACKHOLE, "198.51.100.0/24": TargetKind.INTERNET}


def test_never_leads_around_the_local_route(world: World) -> None:
    own = world.add_list("own", [{"Cidr": "10.0.1.0/24"}])
    error = world.call.refused("CreateRoute", **world.request(own, GatewayId=world.gateway))
    assert error.code == "InvalidParameterValue"
    world.do("CreateRoute", **world.request(GatewayId=world.gateway))
    added = [{"Cidr": "10.0.1.0/24"}]
    world.do("ModifyManagedPrefixList", PrefixListId=world.list, CurrentVersion=1, AddEntries=added)
    assert list(world.carried_out()) == ["192.0.2.0/24", "198.51.100.0/24"]


def test_counts_as_many_routes_as_its_list_may_have_entries(world: World) -> None:
    world.call.limit(routes_per_table=8)
    world.do("CreateRoute", **world.request(GatewayId=world.gateway))
    other = world.add_list("branches", [], size=4)
    error = world.call.refused("CreateRoute", **world.request(other, GatewayId=world.gateway))
    assert error.code == "RouteLimitExceeded"
    ipv6 = world.add_list("ipv6", [{"Cidr": "2001:db8:9::/48"}], family="IPv6", size=8)
    world.do("CreateRoute", **world.request(ipv6, GatewayId=world.gateway))
    world.do("ModifyManagedPrefixList", PrefixListId=world.list, MaxEntries=8)
    error = world.call.refused("ModifyManagedPrefixList", PrefixListId=world.list, MaxEntries=9)
    assert error.code == "RouteLimitExceeded"


def test_holds_its_list(world: World) -> None:
    world.do("CreateRoute", **world.request(GatewayId=world.gateway))
    users = world.call("GetManagedPrefixListAssociations", PrefixListId=world.list)["PrefixListAssociations"]
    assert [user["ResourceId"] for user in users] == [world.table]
    error = world.call.refused("DeleteManagedPrefixList", PrefixListId=world.list)
    assert (error.code, error.dependants) == ("DependencyViolation", (world.table,))


def test_another_accounts_list_is_none(world: World, second_account: Account) -> None:
    made = second_account("CreateManagedPrefixList", PrefixListName="x", MaxEntries=1, AddressFamily="IPv4")
    foreign = world.request(made["PrefixList"]["PrefixListId"], GatewayId=world.gateway)
    assert world.call.refused("CreateRoute", **foreign).code == "InvalidPrefixListID.NotFound"


def test_what_a_gateway_does_not_carry(world: World) -> None:
    ipv6 = world.add_list("ipv6", [{"Cidr": "2001:db8:9::/48"}], family="IPv6")
    vgw = world.call("CreateVpnGateway", Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    world.call("AttachVpnGateway", VpnGatewayId=vgw, VpcId=world.vpc)
    assert world.call.refused("CreateRoute", **world.request(ipv6, GatewayId=vgw)).code == "InvalidParameterValue"
