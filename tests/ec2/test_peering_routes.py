"""Routes to a VPC peering connection."""

from __future__ import annotations

import pytest
from peers import accept, agent, ask, vpc_of

from accounts import Account

WAY = {"DestinationCidrBlock": "10.1.0.0/16"}


def main_table(account: Account, vpc: str) -> str:
    found = account("DescribeRouteTables", Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    return str(found[0]["RouteTableId"])


def route(account: Account, table: str) -> dict[str, str]:
    (found,) = account("DescribeRouteTables", RouteTableIds=[table])["RouteTables"]
    return dict(found["Routes"][-1])


def test_a_route_is_a_black_hole_until_the_connection_is_active_and_when_it_is_gone(
    call: Account, second_account: Account
) -> None:
    mine, theirs = vpc_of(call), vpc_of(second_account, "10.1.0.0/16")
    table, id_ = main_table(call, mine), ask(call, mine, theirs, second_account)
    call("CreateRoute", RouteTableId=table, VpcPeeringConnectionId=id_, **WAY)
    shown = {**WAY, "VpcPeeringConnectionId": id_, "Origin": "CreateRoute", "State": "blackhole"}
    assert route(call, table) == shown
    accept(second_account, id_)
    assert route(call, table) == {**shown, "State": "active"}
    other = main_table(second_account, theirs)
    second_account("CreateRoute", RouteTableId=other, VpcPeeringConnectionId=id_, DestinationCidrBlock="10.0.0.0/24")
    assert route(second_account, other)["State"] == "active"
    second_account("DeleteVpcPeeringConnection", VpcPeeringConnectionId=id_)
    assert route(call, table)["State"] == "blackhole"
    agent(call)
    assert route(call, table)["State"] == "blackhole"
    call("DeleteRoute", RouteTableId=table, **WAY)


def test_a_route_may_be_replaced_and_filtered_by_its_connection(call: Account) -> None:
    mine = vpc_of(call)
    first, second = (ask(call, mine, vpc_of(call, f"10.{number}.0.0/16")) for number in (1, 2))
    table = main_table(call, mine)
    call("CreateRoute", RouteTableId=table, VpcPeeringConnectionId=first, DestinationCidrBlock="0.0.0.0/0")
    call("ReplaceRoute", RouteTableId=table, VpcPeeringConnectionId=second, DestinationCidrBlock="0.0.0.0/0")
    for id_, count in ((first, 0), (second, 1)):
        filters = [{"Name": "route.vpc-peering-connection-id", "Values": [id_]}]
        assert len(call("DescribeRouteTables", Filters=filters)["RouteTables"]) == count
    call("CreateRoute", RouteTableId=table, VpcPeeringConnectionId=second, DestinationIpv6CidrBlock="::/0")


@pytest.mark.parametrize("destination", ["10.0.0.0/16", "10.0.1.0/24"])
def test_the_local_route_comes_first(call: Account, destination: str) -> None:
    mine = vpc_of(call)
    id_ = ask(call, mine, vpc_of(call, "10.1.0.0/16"))
    request = {"RouteTableId": main_table(call, mine), "VpcPeeringConnectionId": id_}
    error = call.refused("CreateRoute", **request, DestinationCidrBlock=destination)
    assert error.code == "InvalidParameterValue"


def test_routes_that_may_not_be(call: Account, second_account: Account) -> None:
    mine, other = vpc_of(call), vpc_of(call, "10.2.0.0/16")
    ours = ask(call, mine, vpc_of(call, "10.1.0.0/16"))
    foreign = ask(second_account, vpc_of(second_account), vpc_of(second_account, "10.1.0.0/16"))
    table = main_table(call, other)
    error = call.refused("CreateRoute", RouteTableId=table, VpcPeeringConnectionId=ours, **WAY)
    assert (error.code, "different networks" in error.message) == ("InvalidParameterValue", True)
    call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=ours)
    table = main_table(call, mine)
    for id_ in (ours, foreign, "pcx-00000000"):
        error = call.refused("CreateRoute", RouteTableId=table, VpcPeeringConnectionId=id_, **WAY)
        assert error.code == "InvalidVpcPeeringConnectionID.NotFound"
    request = {"VpcPeeringConnectionId": ours, "GatewayId": "igw-00000000"}
    assert call.refused("CreateRoute", RouteTableId=table, **request, **WAY).code == "InvalidParameterCombination"
