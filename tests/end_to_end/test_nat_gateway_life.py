"""A NAT gateway through boto3, from its creation to its end, with packets through it all the while."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from whole_enid import Enid, until

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]

CAFE = "198.19.255.10"
PYTHON = ("/usr/bin/python3", "-c")
WHO = """
import socket
s = socket.socket()
s.bind(("0.0.0.0", 80))
s.listen()
print("ready", flush=True)
while True:
    c, (peer, _) = s.accept()
    c.sendall(peer.encode() + b"\\n")
    while data := c.recv(100):
        c.sendall(data)
    c.close()
"""
ASK = """
import socket, sys
s = socket.create_connection((sys.argv[1], 80), timeout=5)
print(s.recv(100).decode().strip(), flush=True)
for line in sys.stdin:
    s.sendall(line.encode())
    print(s.recv(100).decode().strip(), flush=True)
"""
CONNECT = """
import json, socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1).close()
    print(json.dumps("connected"))
except OSError as error:
    print(json.dumps(type(error).__name__))
"""


@pytest.fixture
def network(enid: Enid) -> dict[str, Any]:
    """A public subnet with a NAT gateway in one zone, a private one in another whose way out it is, and a cafe."""
    ec2 = enid.ec2
    public = enid.subnet()
    (found,) = ec2.describe_subnets(SubnetIds=[public])["Subnets"]
    vpc = found["VpcId"]
    private = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.2.0/24", AvailabilityZone="us-east-1b")["Subnet"]["SubnetId"]
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    elastic = ec2.allocate_address(Domain="vpc")
    nat = ec2.create_nat_gateway(SubnetId=public, AllocationId=elastic["AllocationId"])["NatGateway"]["NatGatewayId"]
    ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[nat], WaiterConfig={"Delay": 1, "MaxAttempts": 10})
    for subnet, target in ((public, {"GatewayId": igw}), (private, {"NatGatewayId": nat})):
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **target)
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    (inside,) = enid.launch(private)
    made = enid.command("site", "create", "cafe", "--public-ip", CAFE)
    _, err = made.communicate(timeout=20)
    assert made.returncode == 0, err
    until("the site is there", lambda: _is_up(enid))
    return {"nat": nat, "inside": inside["InstanceId"], "eip": elastic["PublicIp"], "table": table}


def _is_up(enid: Enid) -> bool:
    process = enid.command("exec", "site/cafe", "--", "true")
    process.communicate(timeout=20)
    return process.returncode == 0


def test_from_creation_to_deletion(enid: Enid, network: dict[str, Any]) -> None:
    server = enid.command("exec", "site/cafe", "--", *PYTHON, WHO)
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    client = enid.command("exec", network["inside"], "--", *PYTHON, ASK, CAFE, stdin=subprocess.PIPE)
    assert client.stdin is not None
    assert client.stdout is not None
    try:
        assert client.stdout.readline() == network["eip"] + "\n"
        assert enid.run(network["inside"], "ping", "-c1", "-W2", CAFE)
        assert _tries(enid, network["eip"], 22) != "connected"

        before = enid.kill("agent")
        until("the agent is started again", lambda: enid.pid("agent") != before)
        client.stdin.write("still here\n")
        client.stdin.flush()
        assert client.stdout.readline() == "still here\n"
        assert _reaches(enid, network)

        enid.ec2.delete_nat_gateway(NatGatewayId=network["nat"])
        done = {"Delay": 1, "MaxAttempts": 10}
        enid.ec2.get_waiter("nat_gateway_deleted").wait(NatGatewayIds=[network["nat"]], WaiterConfig=done)
        (found,) = enid.ec2.describe_route_tables(RouteTableIds=[network["table"]])["RouteTables"]
        assert "blackhole" in [route["State"] for route in found["Routes"]]
        assert not _reaches(enid, network)
    finally:
        for process in (client, server):
            process.kill()
            process.communicate()


def _tries(enid: Enid, address: str, port: int) -> str:
    """What comes of a connection from the cafe."""
    return str(json.loads(enid.run("site/cafe", *PYTHON, CONNECT, address, str(port))))


def _reaches(enid: Enid, network: dict[str, Any]) -> bool:
    """Whether the private instance gets out."""
    answer = enid.run(network["inside"], *PYTHON, CONNECT, CAFE, "80")
    return bool(json.loads(answer) == "connected")
