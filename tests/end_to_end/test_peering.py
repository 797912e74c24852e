"""Two accounts, their own keys, a VPC each: from the request to the packet, with an unmodified SDK."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from whole_enid import Enid, until

pytestmark = pytest.mark.root

PORT = 8080
SERVER = f"""
import socket
server = socket.create_server(("0.0.0.0", {PORT}))
print("ready", flush=True)
while True:
    connection, peer = server.accept()
    connection.sendall(peer[0].encode())
    connection.close()
"""
CLIENT = f"import socket, sys; print(socket.create_connection((sys.argv[1], {PORT}), 1).recv(64).decode())"


class Side:
    """An account's client, VPC, instance and server."""

    def __init__(self, enid: Enid, ec2: Any, number: int) -> None:
        self.enid, self.ec2, self.block = enid, ec2, f"10.{number}.0.0/16"
        self.vpc = ec2.create_vpc(CidrBlock=self.block)["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.{number}.1.0/24")["Subnet"]["SubnetId"]
        mine = [{"Name": "vpc-id", "Values": [self.vpc]}]
        self.table = ec2.describe_route_tables(Filters=mine)["RouteTables"][0]["RouteTableId"]
        self.group = ec2.create_security_group(VpcId=self.vpc, GroupName="app", Description="app")["GroupId"]
        image = ec2.describe_images()["Images"][0]["ImageId"]
        (made,) = ec2.run_instances(
            ImageId=image,
            MinCount=1,
            MaxCount=1,
            InstanceType="t3.small",
            NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": subnet, "Groups": [self.group]}],
        )["Instances"]
        self.id, self.address = made["InstanceId"], made["PrivateIpAddress"]
        self.owner = ec2.describe_vpcs(VpcIds=[self.vpc])["Vpcs"][0]["OwnerId"]

    def is_running(self) -> bool:
        (found,) = self.ec2.describe_instances(InstanceIds=[self.id])["Reservations"]
        return bool(found["Instances"][0]["State"]["Name"] == "running")

    def serve(self) -> Any:
        process = self.enid.command("exec", self.id, "--", "python3", "-c", SERVER)
        assert process.stdout.readline() == "ready\n"
        return process

    def reaches(self, other: Side) -> bool:
        """A TCP connection; the server saw the sender's private address."""
        process = self.enid.command("exec", self.id, "--", "python3", "-c", CLIENT, other.address)
        out, _ = process.communicate(timeout=20)
        assert process.returncode != 0 or out == f"{self.address}\n"
        return process.returncode == 0

    def lead(self, other: Side, connection: str) -> None:
        self.ec2.create_route(
            RouteTableId=self.table, DestinationCidrBlock=other.block, VpcPeeringConnectionId=connection
        )

    def admit(self, other: Side) -> None:
        pair = {"GroupId": other.group, "UserId": other.owner}
        permission = {"IpProtocol": "tcp", "FromPort": PORT, "ToPort": PORT, "UserIdGroupPairs": [pair]}
        self.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[permission])

    def state(self, connection: str) -> str:
        found = self.ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[connection])
        return str(found["VpcPeeringConnections"][0]["Status"]["Code"])


def account(enid: Enid, *arguments: str) -> str:
    """``enid account …``; its output."""
    process = enid.command("account", *arguments)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    return str(out)


def second_client(enid: Enid) -> Any:
    """A client of an account that was just made."""
    made = json.loads(account(enid, "create", "--json"))
    return enid.client(made["id"], made["secret"])


def test_a_removed_key_is_refused(enid: Enid) -> None:
    made = json.loads(account(enid, "create", "--json"))
    client, other = enid.client(made["id"], made["secret"]), json.loads(account(enid, "key", made["account"], "--json"))
    client.create_vpc(CidrBlock="10.0.0.0/16")
    account(enid, "remove-key", made["id"])

    def refused() -> bool:
        try:
            client.describe_vpcs()
        except ClientError as error:
            return bool(error.response["Error"]["Code"] == "AuthFailure")
        return False

    until("the key is forgotten", refused)
    assert len(enid.client(other["id"], other["secret"]).describe_vpcs()["Vpcs"]) == 1
    assert enid.ec2.describe_vpcs()["Vpcs"] == []


def test_two_accounts_peer_their_vpcs(enid: Enid) -> None:
    one, two = Side(enid, enid.ec2, 1), Side(enid, second_client(enid), 2)
    assert one.owner != two.owner
    until("both instances run", lambda: one.is_running() and two.is_running())
    servers = [one.serve(), two.serve()]
    asked = one.ec2.create_vpc_peering_connection(VpcId=one.vpc, PeerVpcId=two.vpc, PeerOwnerId=two.owner)
    connection = asked["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    two.ec2.get_waiter("vpc_peering_connection_exists").wait(VpcPeeringConnectionIds=[connection])
    one.lead(two, connection)
    two.lead(one, connection)
    assert not one.reaches(two), "nobody has accepted"

    two.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=connection)
    until("packets can cross", lambda: one.state(connection) == "active")
    assert not one.reaches(two), "no rule of the other side lets it in"
    two.admit(one)
    until("a rule refers to the peer's group", lambda: one.reaches(two))
    assert not two.reaches(one), "rules are one way"
    one.admit(two)
    until("the other way round", lambda: two.reaches(one))

    enid.kill("agent")
    until("the agent is back", lambda: one.reaches(two) and two.reaches(one))
    two.ec2.delete_route(RouteTableId=two.table, DestinationCidrBlock=one.block)
    until("a route on one side is not enough", lambda: not one.reaches(two))
    two.lead(one, connection)
    until("both routes", lambda: one.reaches(two))

    two.ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=connection)
    until("it is deleted", lambda: one.state(connection) == "deleted")
    one.ec2.get_waiter("vpc_peering_connection_deleted").wait(VpcPeeringConnectionIds=[connection])
    assert not one.reaches(two)
    assert not two.reaches(one)
    (route,) = [
        route
        for route in one.ec2.describe_route_tables(RouteTableIds=[one.table])["RouteTables"][0]["Routes"]
        if route.get("VpcPeeringConnectionId") == connection
    ]
    assert route["State"] == "blackhole"
    for server in servers:
        server.kill()
        server.communicate()
