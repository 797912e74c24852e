"""Egress-only internet gateways, and routes to them."""

from __future__ import annotations

from typing import Any

import pytest
from small_network import Network

from accounts import Account


@pytest.fixture
def net(call: Account) -> Network:
    return Network(call)


def create(net: Network, vpc: str = "", **params: Any) -> dict[str, Any]:
    answer = net.call("CreateEgressOnlyInternetGateway", VpcId=vpc or net.vpc, **params)
    return dict(answer["EgressOnlyInternetGateway"])


def test_it_is_attached_from_the_first(net: Network) -> None:
    tags = [{"ResourceType": "egress-only-internet-gateway", "Tags": [{"Key": "Name", "Value": "out"}]}]
    made = create(net, TagSpecifications=tags)
    assert made == {
        "EgressOnlyInternetGatewayId": made["EgressOnlyInternetGatewayId"],
        "Attachments": [{"State": "attached", "VpcId": net.vpc}],
        "Tags": [{"Key": "Name", "Value": "out"}],
    }
    assert made["EgressOnlyInternetGatewayId"].startswith("eigw-")
    assert net.call.changed == [("vpc", net.vpc)]
    assert net.call("DescribeEgressOnlyInternetGateways")["EgressOnlyInternetGateways"] == [made]


def test_a_vpc_has_one(net: Network) -> None:
    create(net)
    error = net.call.refused("CreateEgressOnlyInternetGateway", VpcId=net.vpc)
    assert error.code == "InvalidParameterValue"
    assert create(net, net.other_vpc)["Attachments"] == [{"State": "attached", "VpcId": net.other_vpc}]


def test_it_can_be_found(net: Network, second_account: Account) -> None:
    mine, other = create(net), create(net, net.other_vpc)
    id_ = mine["EgressOnlyInternetGatewayId"]
    net.call("CreateTags", Resources=[id_], Tags=[{"Key": "Name", "Value": "out"}])
    mine["Tags"] = [{"Key": "Name", "Value": "out"}]

    def found(call: Account = net.call, **params: Any) -> Any:
        return call("DescribeEgressOnlyInternetGateways", **params)["EgressOnlyInternetGateways"]

    assert found(EgressOnlyInternetGatewayIds=[id_]) == [mine]
    assert found(Filters=[{"Name": "tag:Name", "Values": ["out"]}]) == [mine]
    assert found(EgressOnlyInternetGatewayIds=["eigw-12345678"]) == []
    assert len(found()) == len([mine, other])
    assert found(second_account) == []
    assert found(second_account, EgressOnlyInternetGatewayIds=[id_]) == []
    wrong = [{"Name": "attachment.colour", "Values": ["red"]}]
    assert net.call.refused("DescribeEgressOnlyInternetGateways", Filters=wrong).code == "InvalidParameterValue"


def test_it_is_deleted(net: Network, second_account: Account) -> None:
    id_ = create(net)["EgressOnlyInternetGatewayId"]
    name = {"EgressOnlyInternetGatewayId": id_}
    assert second_account.refused("DeleteEgressOnlyInternetGateway", **name).code == "InvalidGatewayID.NotFound"
    assert net.call("DeleteEgressOnlyInternetGateway", **name) == {"ReturnCode": True}
    assert net.call.changed == [("vpc", net.vpc)]
    assert net.call.refused("DeleteEgressOnlyInternetGateway", **name).code == "InvalidGatewayID.NotFound"
    create(net)


def test_its_vpc_stays(call: Account) -> None:
    vpc = call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = call("CreateEgressOnlyInternetGateway", VpcId=vpc)["EgressOnlyInternetGateway"]
    error = call.refused("DeleteVpc", VpcId=vpc)
    assert error.code == "DependencyViolation"
    assert made["EgressOnlyInternetGatewayId"] in error.message
    call("DeleteEgressOnlyInternetGateway", EgressOnlyInternetGatewayId=made["EgressOnlyInternetGatewayId"])
    call("DeleteVpc", VpcId=vpc)


def test_routes(net: Network) -> None:
    id_ = create(net)["EgressOnlyInternetGatewayId"]
    table = net.call("CreateRouteTable", VpcId=net.vpc)["RouteTable"]["RouteTableId"]
    target = {"RouteTableId": table, "EgressOnlyInternetGatewayId": id_}
    refused = net.call.refused("CreateRoute", DestinationCidrBlock="0.0.0.0/0", **target)
    assert refused.code == "InvalidParameterValue"
    net.call("CreateRoute", DestinationIpv6CidrBlock="::/0", **target)

    def route() -> Any:
        by_target = [{"Name": "route.egress-only-internet-gateway-id", "Values": [id_]}]
        (found,) = net.call("DescribeRouteTables", Filters=by_target)["RouteTables"]
        return next(one for one in found["Routes"] if one.get("DestinationIpv6CidrBlock") == "::/0")

    expected = {
        "DestinationIpv6CidrBlock": "::/0",
        "EgressOnlyInternetGatewayId": id_,
        "Origin": "CreateRoute",
        "State": "active",
    }
    assert route() == expected
    net.call("DeleteEgressOnlyInternetGateway", EgressOnlyInternetGatewayId=id_)
    assert ("route_table", table) in net.call.changed
    assert route() == expected | {"State": "blackhole"}


def test_a_route_of_another_vpc(net: Network) -> None:
    id_ = create(net, net.other_vpc)["EgressOnlyInternetGatewayId"]
    table = net.call("CreateRouteTable", VpcId=net.vpc)["RouteTable"]["RouteTableId"]
    wanted = {"RouteTableId": table, "DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": id_}
    assert net.call.refused("CreateRoute", **wanted).code == "InvalidParameterValue"
