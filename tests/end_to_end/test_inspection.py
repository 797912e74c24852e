"""A firewall between the internet and a subnet, as an operator sets it up: route tables, and packets that obey them."""

from __future__ import annotations

from typing import Any

import pytest

from whole_enid import Enid, until

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]

CAFE = "198.19.255.10"
FORWARDED = "grep ^Ip: /proc/net/snmp | tail -1 | cut -d' ' -f7"


@pytest.fixture
def network(enid: Enid) -> dict[str, Any]:
    """A server and a firewall, each in a subnet of its own and with an Elastic IP, and a cafe."""
    ec2 = enid.ec2
    server_subnet = enid.subnet()
    (found,) = ec2.describe_subnets(SubnetIds=[server_subnet])["Subnets"]
    vpc = found["VpcId"]
    box_subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.2.0/24")["Subnet"]["SubnetId"]
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    (server,), (box,) = enid.launch(server_subnet), enid.launch(box_subnet)
    enis = [one["NetworkInterfaces"][0]["NetworkInterfaceId"] for one in (server, box)]
    addresses = [ec2.allocate_address(Domain="vpc") for _ in enis]
    for eni, address in zip(enis, addresses, strict=True):
        ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=eni)
    ec2.modify_network_interface_attribute(NetworkInterfaceId=enis[1], SourceDestCheck={"Value": False})
    enid.run(box["InstanceId"], "sysctl", "-w", "net.ipv4.ip_forward=1")
    tables = [ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(3)]
    ec2.create_route(RouteTableId=tables[0], DestinationCidrBlock="0.0.0.0/0", NetworkInterfaceId=enis[1])
    ec2.create_route(RouteTableId=tables[1], DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)
    ec2.create_route(RouteTableId=tables[2], DestinationCidrBlock="10.0.1.0/24", NetworkInterfaceId=enis[1])
    for table, subnet in zip(tables, (server_subnet, box_subnet), strict=False):
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    made = enid.command("site", "create", "cafe", "--public-ip", CAFE)
    _, err = made.communicate(timeout=20)
    assert made.returncode == 0, err
    return {
        "server": server["InstanceId"],
        "box": box["InstanceId"],
        "public": addresses[0]["PublicIp"],
        "igw": igw,
        "edge": tables[2],
    }


def test_the_firewall_sees_both_directions_and_stands_in_the_way(enid: Enid, network: dict[str, Any]) -> None:
    def answers() -> bool:
        process = enid.command("exec", "site/cafe", "--", "ping", "-c1", "-W1", network["public"])
        process.communicate(timeout=20)
        return process.returncode == 0

    def forwarded() -> int:
        return int(enid.run(network["box"], "sh", "-c", FORWARDED))

    association = enid.ec2.associate_route_table(RouteTableId=network["edge"], GatewayId=network["igw"])
    until("the firewall passes it on", answers)
    before = forwarded()
    assert answers()
    assert forwarded() == before + 2, "there and back"
    why = enid.command("why", "--json", "site/cafe", network["server"], "icmp")
    out, err = why.communicate(timeout=20)
    assert why.returncode == 0, err
    assert network["box"] in out

    enid.run(network["box"], "sysctl", "-w", "net.ipv4.ip_forward=0")
    until("a firewall that passes nothing on", lambda: not answers())
    enid.ec2.disassociate_route_table(AssociationId=association["AssociationId"])
    assert not answers(), "the answer still goes by the firewall"
    enid.run(network["box"], "sysctl", "-w", "net.ipv4.ip_forward=1")
    until("it comes straight in, and out through the firewall", answers)
