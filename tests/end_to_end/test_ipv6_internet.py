"""IPv6 between instances and a place on the internet, as an operator sets it up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from whole_enid import Enid, until

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]

PLACE, ADDRESS, ADDRESS6 = "harbour", "203.0.113.66", "2001:db8:66::1"


@pytest.fixture
def server(enid: Enid) -> dict[str, Any]:
    """An instance with an IPv6 address that goes out through an internet gateway, and a place that has one, too."""
    ec2, subnet = enid.ec2, enid.subnet()
    vpc = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
    ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    (shown,) = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
    block = shown["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("::/56", "::/64")
    ec2.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=block)
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    (table,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    ec2.create_route(RouteTableId=table["RouteTableId"], DestinationIpv6CidrBlock="::/0", GatewayId=gateway)
    (group,) = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]
    ec2.authorize_security_group_ingress(
        GroupId=group["GroupId"], IpPermissions=[{"IpProtocol": "icmpv6", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]
    )
    (instance,) = enid.launch(subnet, Ipv6AddressCount=1)
    made = enid.command("site", "create", PLACE, "--public-ip", ADDRESS, "--public-ipv6", ADDRESS6)
    _, err = made.communicate(timeout=20)
    assert made.returncode == 0, err
    address = instance["NetworkInterfaces"][0]["Ipv6Addresses"][0]["Ipv6Address"]
    return {"vpc": vpc, "table": table["RouteTableId"], "id": instance["InstanceId"], "address": address}


def answers(enid: Enid, where: str, address: str) -> bool:
    process = enid.command("exec", where, "--", "ping", "-c1", "-W1", address)
    process.communicate(timeout=20)
    return process.returncode == 0


def why(enid: Enid, *ends: str) -> str:
    """What ``enid why`` says is in the way."""
    out, _ = enid.command("why", *ends, "icmp", "--json").communicate(timeout=20)
    return str(json.loads(out)["reason"] or "")


def test_both_reach_each_other_until_the_way_out_is_egress_only(enid: Enid, server: dict[str, Any]) -> None:
    inward, outward = (f"site/{PLACE}", server["address"]), (server["id"], ADDRESS6)
    for ends in (inward, outward):
        until(f"{ends[0]} reaches {ends[1]}", lambda ends=ends: answers(enid, *ends))
        assert why(enid, *ends) == ""
    gateway = enid.ec2.create_egress_only_internet_gateway(VpcId=server["vpc"])["EgressOnlyInternetGateway"]
    enid.ec2.replace_route(
        RouteTableId=server["table"],
        DestinationIpv6CidrBlock="::/0",
        EgressOnlyInternetGatewayId=gateway["EgressOnlyInternetGatewayId"],
    )
    until("nobody comes in", lambda: not answers(enid, *inward))
    assert why(enid, *inward) == "no-way-back"
    until("it goes out as before", lambda: answers(enid, *outward))
    assert why(enid, *outward) == ""
