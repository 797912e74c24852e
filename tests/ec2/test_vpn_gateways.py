"""Virtual private gateways and customer gateways."""

from __future__ import annotations

from typing import Any

import pytest

from accounts import Account


def vgw_of(call: Account, **params: Any) -> str:
    return str(call("CreateVpnGateway", Type="ipsec.1", **params)["VpnGateway"]["VpnGatewayId"])


def vpc_of(call: Account) -> str:
    return str(call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])


def customer_of(call: Account, **params: Any) -> dict[str, Any]:
    request = {"Type": "ipsec.1", "IpAddress": "198.18.0.9", "BgpAsn": 65000, **params}
    return dict(call("CreateCustomerGateway", **request)["CustomerGateway"])


def test_attaching_and_detaching(call: Account) -> None:
    vpc, gateway = vpc_of(call), vgw_of(call)
    for noted in ([("vpc", vpc)], []):
        answer = call("AttachVpnGateway", VpnGatewayId=gateway, VpcId=vpc)
        assert answer["VpcAttachment"] == {"State": "attached", "VpcId": vpc}
        assert call.changed == noted, "attaching again changes nothing"
    [shown] = call("DescribeVpnGateways")["VpnGateways"]
    assert shown["VpcAttachments"] == [{"State": "attached", "VpcId": vpc}]
    assert call.refused("DeleteVpnGateway", VpnGatewayId=gateway).code == "IncorrectState"
    call("DetachVpnGateway", VpnGatewayId=gateway, VpcId=vpc)
    assert call.changed == [("vpc", vpc)]
    call("DeleteVpnGateway", VpnGatewayId=gateway)
    [shown] = call("DescribeVpnGateways")["VpnGateways"]
    assert (shown["State"], shown["VpcAttachments"]) == ("deleted", [{"State": "detached", "VpcId": vpc}])


def test_one_gateway_per_vpc_and_one_vpc_per_gateway(call: Account) -> None:
    vpc, other, gateway, second = vpc_of(call), vpc_of(call), vgw_of(call), vgw_of(call)
    call("AttachVpnGateway", VpnGatewayId=gateway, VpcId=vpc)
    assert call.refused("AttachVpnGateway", VpnGatewayId=second, VpcId=vpc).code == "InvalidVpcState"
    error = call.refused("AttachVpnGateway", VpnGatewayId=gateway, VpcId=other)
    assert error.code == "VpnGatewayAttachmentLimitExceeded"
    for vpc_id, gateway_id in ((other, gateway), (vpc, second), ("vpc-0123456789abcdef0", gateway)):
        error = call.refused("DetachVpnGateway", VpnGatewayId=gateway_id, VpcId=vpc_id)
        assert error.code == "InvalidVpnGatewayAttachment.NotFound"


@pytest.mark.parametrize(
    "params",
    [{"Type": "ipsec.2"}, {"AmazonSideAsn": 1}, {"AmazonSideAsn": 65535}, {"AvailabilityZone": "us-east-1z"}],
)
def test_gateways_that_may_not_be(call: Account, params: dict[str, Any]) -> None:
    assert call.refused("CreateVpnGateway", **{"Type": "ipsec.1", **params}).code == "InvalidParameterValue"


def test_the_quotas(call: Account) -> None:
    call.limit(vpn_gateways=1, customer_gateways=1)
    vgw_of(call)
    customer_of(call)
    assert call.refused("CreateVpnGateway", Type="ipsec.1").code == "VpnGatewayLimitExceeded"
    request = {"Type": "ipsec.1", "IpAddress": "198.18.0.10", "BgpAsn": 65000}
    assert call.refused("CreateCustomerGateway", **request).code == "CustomerGatewayLimitExceeded"


def test_vpn_gateway_filters(call: Account) -> None:
    vgw_of(call)
    tags = [{"ResourceType": "vpn-gateway", "Tags": [{"Key": "Name", "Value": "corp"}]}]
    zone = {"AvailabilityZone": "us-east-1b"}
    gateway = vgw_of(call, AmazonSideAsn=4200000001, TagSpecifications=tags, **zone)
    vpc = vpc_of(call)
    call("AttachVpnGateway", VpnGatewayId=gateway, VpcId=vpc)
    for name, value in (
        ("amazon-side-asn", "4200000001"),
        ("attachment.state", "attached"),
        ("attachment.vpc-id", vpc),
        ("availability-zone", "us-east-1b"),
        ("vpn-gateway-id", gateway),
        ("tag:Name", "corp"),
        ("tag-key", "N*"),
    ):
        shown = call("DescribeVpnGateways", Filters=[{"Name": name, "Values": [value]}])["VpnGateways"]
        assert [item["VpnGatewayId"] for item in shown] == [gateway], name
    for name, value in (("state", "available"), ("type", "ipsec.1")):
        assert len(call("DescribeVpnGateways", Filters=[{"Name": name, "Values": [value]}])["VpnGateways"]) == 2


def test_the_same_customer_gateway_again_is_the_same(call: Account, second_account: Account) -> None:
    first = customer_of(call)
    assert customer_of(call) == first
    others = [customer_of(call, BgpAsn=65001), customer_of(call, DeviceName="router-2"), customer_of(second_account)]
    assert len({item["CustomerGatewayId"] for item in [first, *others]}) == 4
    assert first | {"State": "available", "IpAddress": "198.18.0.9", "BgpAsn": "65000", "Type": "ipsec.1"} == first
    [gateway] = second_account("DescribeCustomerGateways")["CustomerGateways"]
    call("DeleteCustomerGateway", CustomerGatewayId=first["CustomerGatewayId"])
    error = call.refused("DeleteCustomerGateway", CustomerGatewayId=gateway["CustomerGatewayId"])
    assert error.code == "InvalidCustomerGatewayID.NotFound"


def test_a_long_asn_is_shown_as_such(call: Account) -> None:
    shown = call("CreateCustomerGateway", Type="ipsec.1", PublicIp="198.18.0.9", BgpAsnExtended=4200000000)
    assert shown["CustomerGateway"]["BgpAsnExtended"] == "4200000000"
    assert "BgpAsn" not in shown["CustomerGateway"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Type": "ipsec.2", "IpAddress": "198.18.0.9"}, "InvalidParameterValue"),
        ({"Type": "ipsec.1"}, "MissingParameter"),
        ({"Type": "ipsec.1", "IpAddress": "2001:db8::1"}, "InvalidParameterValue"),
        ({"Type": "ipsec.1", "IpAddress": "198.18.0.9", "BgpAsnExtended": 4294967296}, "InvalidParameterValue"),
        ({"Type": "ipsec.1", "CertificateArn": "arn:x"}, "UnsupportedOperation"),
    ],
)
def test_customer_gateways_that_may_not_be(call: Account, params: dict[str, Any], code: str) -> None:
    assert call.refused("CreateCustomerGateway", **params).code == code


def test_customer_gateway_filters(call: Account) -> None:
    customer_of(call)
    tags = [{"ResourceType": "customer-gateway", "Tags": [{"Key": "Name", "Value": "corp"}]}]
    gateway = customer_of(call, IpAddress="198.18.0.77", BgpAsn=65077, TagSpecifications=tags)["CustomerGatewayId"]
    for name, value in (
        ("bgp-asn", "65077"),
        ("customer-gateway-id", gateway),
        ("ip-address", "198.18.0.77"),
        ("tag:Name", "corp"),
        ("tag-key", "Name"),
    ):
        shown = call("DescribeCustomerGateways", Filters=[{"Name": name, "Values": [value]}])["CustomerGateways"]
        assert [item["CustomerGatewayId"] for item in shown] == [gateway], name
    for name, value in (("state", "available"), ("type", "ipsec.1")):
        shown = call("DescribeCustomerGateways", Filters=[{"Name": name, "Values": [value]}])["CustomerGateways"]
        assert len(shown) == 2


def test_an_empty_zone_is_any_zone(call: Account) -> None:
    """Terraform sends one."""
    made = call("CreateVpnGateway", Type="ipsec.1", AvailabilityZone="")["VpnGateway"]
    assert "AvailabilityZone" not in made
