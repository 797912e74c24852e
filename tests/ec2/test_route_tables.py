"""Route tables and their associations with subnets."""

from __future__ import annotations

from typing import Any

import pytest

from accounts import FIRST, Account


class World:
    """A VPC with two subnets and a table beside the main one."""

    def __init__(self, call: Account) -> None:
        self.call = call
        self.vpc = call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.main = call("DescribeRouteTables")["RouteTables"][0]["RouteTableId"]
        self.table = call("CreateRouteTable", VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.left, self.right = (
            call("CreateSubnet", VpcId=self.vpc, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"]
            for number in (1, 2)
        )

    def shown(self, table: str) -> dict[str, Any]:
        return dict(self.call("DescribeRouteTables", RouteTableIds=[table])["RouteTables"][0])

    def main_association(self) -> str:
        tables = self.call("DescribeRouteTables")["RouteTables"]
        [id_] = [one["RouteTableAssociationId"] for item in tables for one in item["Associations"] if one["Main"]]
        return str(id_)

    def associate(self, subnet: str, table: str | None = None) -> str:
        answer = self.call("AssociateRouteTable", RouteTableId=table or self.table, SubnetId=subnet)
        return str(answer["AssociationId"])


@pytest.fixture
def world(call: Account) -> World:
    return World(call)


def test_a_new_table_has_the_local_route_only(world: World) -> None:
    shown = world.shown(world.table)
    assert shown["Associations"] == []
    assert [(route["DestinationCidrBlock"], route["Origin"]) for route in shown["Routes"]] == [
        ("10.0.0.0/16", "CreateRouteTable")
    ]


def test_an_association_moves_one_subnet_and_can_end(world: World) -> None:
    association = world.associate(world.left)
    assert world.call.changed == [("subnet", world.left)]
    [shown] = world.shown(world.table)["Associations"]
    assert shown == {
        "RouteTableAssociationId": association,
        "RouteTableId": world.table,
        "SubnetId": world.left,
        "Main": False,
        "AssociationState": {"State": "associated"},
    }
    assert world.associate(world.left) == association, "the same again is the same"
    world.call("DisassociateRouteTable", AssociationId=association)
    assert world.call.changed == [("subnet", world.left)]
    assert world.shown(world.table)["Associations"] == []


def test_replacing_a_subnets_table(world: World) -> None:
    association = world.associate(world.left)
    other = world.call("CreateRouteTable", VpcId=world.vpc)["RouteTable"]["RouteTableId"]
    answer = world.call("ReplaceRouteTableAssociation", AssociationId=association, RouteTableId=other)
    assert world.call.changed == [("subnet", world.left)]
    assert answer["NewAssociationId"] != association
    assert world.shown(world.table)["Associations"] == []
    assert world.shown(other)["Associations"][0]["SubnetId"] == world.left


def test_replacing_the_main_table_touches_the_subnets_that_follow_it(world: World) -> None:
    world.associate(world.left)
    old = world.main_association()
    answer = world.call("ReplaceRouteTableAssociation", AssociationId=old, RouteTableId=world.table)
    assert world.call.changed == [("subnet", world.right)]
    assert world.main_association() == answer["NewAssociationId"]
    world.call("DeleteRouteTable", RouteTableId=world.main)
    assert world.call.changed == [("route_table", world.main)]


def test_the_main_association_cannot_end(world: World) -> None:
    association = world.main_association()
    error = world.call.refused("DisassociateRouteTable", AssociationId=association)
    assert (error.code, error.message) == (
        "InvalidParameterValue",
        f"cannot disassociate the main route table association {association}",
    )


def test_a_table_in_use_stays(world: World) -> None:
    association = world.associate(world.left)
    for table in (world.table, world.main):
        error = world.call.refused("DeleteRouteTable", RouteTableId=table)
        assert error.code == "DependencyViolation"
        assert f"The routeTable '{table}' has dependencies and cannot be deleted." in error.message
    world.call("DisassociateRouteTable", AssociationId=association)
    world.call("DeleteRouteTable", RouteTableId=world.table)


def test_associations_that_may_not_be(world: World, second_account: Account) -> None:
    call, other = world.call, World(world.call)
    association = world.associate(world.left)
    main = {"RouteTableId": world.main}
    for params, code in (
        ({**main, "SubnetId": world.left}, "Resource.AlreadyAssociated"),
        ({**main, "SubnetId": other.left}, "InvalidParameterValue"),
        ({**main, "GatewayId": "igw-12345678"}, "InvalidGatewayID.NotFound"),
        ({**main, "GatewayId": "eigw-12345678"}, "InvalidGatewayID.NotFound"),
        ({**main, "GatewayId": "igw-12345678", "SubnetId": world.left}, "InvalidParameterCombination"),
        ({**main, "PublicIpv4Pool": "ipv4pool-ec2-1"}, "UnsupportedOperation"),
        (main, "MissingParameter"),
        ({**main, "SubnetId": "subnet-12345678"}, "InvalidSubnetID.NotFound"),
    ):
        assert call.refused("AssociateRouteTable", **params).code == code
    foreign = {"AssociationId": association, "RouteTableId": other.table}
    assert call.refused("ReplaceRouteTableAssociation", **foreign).code == "InvalidParameterValue"
    error = second_account.refused("DisassociateRouteTable", AssociationId=association)
    assert error.code == "InvalidAssociationID.NotFound"
    error = call.refused("DisassociateRouteTable", AssociationId="rtbassoc-x")
    assert error.code == "InvalidRouteTableAssociationId.Malformed"


def test_the_quota(call: Account) -> None:
    call.limit(route_tables_per_vpc=2)
    vpc = World(call).vpc
    assert call.refused("CreateRouteTable", VpcId=vpc).code == "RouteTableLimitExceeded"


def test_association_filters(world: World) -> None:
    association = world.associate(world.left)
    for name, value, expected in (
        ("association.main", "true", world.main),
        ("association.main", "false", world.table),
        ("association.route-table-association-id", association, world.table),
        ("association.route-table-id", world.table, world.table),
        ("association.subnet-id", world.left, world.table),
        ("association.gateway-id", "*", None),
        ("route-table-id", world.main, world.main),
    ):
        assert found(world.call, name, value) == ({expected} - {None}), name
    for name, value in (("owner-id", FIRST), ("vpc-id", world.vpc)):
        assert found(world.call, name, value) == {world.main, world.table}, name


def found(call: Account, name: str, value: str) -> set[str]:
    tables = call("DescribeRouteTables", Filters=[{"Name": name, "Values": [value]}])["RouteTables"]
    return {table["RouteTableId"] for table in tables}


def test_statements_do_not_grow_with_the_page(world: World) -> None:
    world.call("DescribeRouteTables")
    alone = world.call.statements
    for _ in range(10):
        world.call("CreateRouteTable", VpcId=world.vpc)
    world.call("DescribeRouteTables")
    assert world.call.statements == alone
