"""Internet gateways: one per VPC, and closed only when nobody has a public address."""

from __future__ import annotations

import pytest
from small_network import Network

from accounts import FIRST, Account


def gateway_of(call: Account) -> str:
    return str(call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"])


def vpc_of(call: Account) -> str:
    return str(call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])


def test_attaching_and_detaching(call: Account) -> None:
    vpc, gateway = vpc_of(call), gateway_of(call)
    call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    assert call.changed == [("vpc", vpc)]
    [shown] = call("DescribeInternetGateways")["InternetGateways"]
    assert shown["Attachments"] == [{"State": "available", "VpcId": vpc}], "as AWS says it, whatever its model says"
    call("DetachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    assert call.changed == [("vpc", vpc)]
    [shown] = call("DescribeInternetGateways")["InternetGateways"]
    assert shown["Attachments"] == []
    call("DeleteInternetGateway", InternetGatewayId=gateway)
    assert call("DescribeInternetGateways")["InternetGateways"] == []


def test_the_tables_that_lead_to_the_gateway_are_looked_at_again(call: Account) -> None:
    vpc, gateway = vpc_of(call), gateway_of(call)
    call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    table = call("CreateRouteTable", VpcId=vpc)["RouteTable"]["RouteTableId"]
    call("CreateRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    call("DetachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    assert set(call.changed) == {("vpc", vpc), ("route_table", table)}


def test_what_may_not_be_attached(call: Account) -> None:
    vpc, other = vpc_of(call), vpc_of(call)
    gateway, second = gateway_of(call), gateway_of(call)
    call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    error = call.refused("AttachInternetGateway", InternetGatewayId=gateway, VpcId=other)
    assert (error.code, error.message) == (
        "Resource.AlreadyAssociated",
        f"resource {gateway} is already attached to network {vpc}",
    )
    error = call.refused("AttachInternetGateway", InternetGatewayId=second, VpcId=vpc)
    assert (error.code, error.message) == (
        "InvalidParameterValue",
        f"Network {vpc} already has an internet gateway attached",
    )
    for gateway_id, vpc_id in ((gateway, other), (second, vpc)):
        error = call.refused("DetachInternetGateway", InternetGatewayId=gateway_id, VpcId=vpc_id)
        assert error.code == "Gateway.NotAttached"
    error = call.refused("DeleteInternetGateway", InternetGatewayId=gateway)
    assert error.code == "DependencyViolation"
    assert vpc in error.message


def test_a_mapped_public_address_keeps_the_gateway_attached(call: Account) -> None:
    network = Network(call)
    interface = network.interface()
    address = call("AllocateAddress", Domain="vpc")["AllocationId"]
    call("AssociateAddress", AllocationId=address, NetworkInterfaceId=interface)
    error = call.refused("DetachInternetGateway", InternetGatewayId=network.gateway, VpcId=network.vpc)
    [shown] = call("DescribeAddresses")["Addresses"]
    assert (error.code, error.message) == (
        "DependencyViolation",
        f"Network {network.vpc} has some mapped public address(es). "
        f"Please unmap those public address(es) before detaching the gateway. ({shown['AssociationId']})",
    )
    call("DisassociateAddress", AssociationId=shown["AssociationId"])
    call("DetachInternetGateway", InternetGatewayId=network.gateway, VpcId=network.vpc)


def test_the_quota(call: Account) -> None:
    for _ in range(5):
        gateway_of(call)
    assert call.refused("CreateInternetGateway").code == "InternetGatewayLimitExceeded"


def test_ids(call: Account, second_account: Account) -> None:
    gateway = gateway_of(call)
    for id_, code in (("igw-x", "InvalidInternetGatewayId.Malformed"), (gateway, "InvalidInternetGatewayID.NotFound")):
        assert second_account.refused("DeleteInternetGateway", InternetGatewayId=id_).code == code


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attachment.state", "available"),
        ("attachment.vpc-id", "vpc-*"),
        ("internet-gateway-id", "{id}"),
        ("tag:Name", "door"),
        ("tag-key", "Name"),
    ],
)
def test_filters(call: Account, name: str, value: str) -> None:
    gateway_of(call)
    tags = [{"ResourceType": "internet-gateway", "Tags": [{"Key": "Name", "Value": "door"}]}]
    gateway = call("CreateInternetGateway", TagSpecifications=tags)["InternetGateway"]["InternetGatewayId"]
    call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc_of(call))
    shown = call("DescribeInternetGateways", Filters=[{"Name": name, "Values": [value.format(id=gateway)]}])
    assert [item["InternetGatewayId"] for item in shown["InternetGateways"]] == [gateway]
    both = call("DescribeInternetGateways", Filters=[{"Name": "owner-id", "Values": [FIRST]}])
    assert len(both["InternetGateways"]) == 2
