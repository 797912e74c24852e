"""Names, asked from inside with what instances have: the C library, and plain DNS over UDP and TCP."""

from __future__ import annotations

import json
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import pytest

from whole_enid import Enid, until

pytestmark = [pytest.mark.root, pytest.mark.timeout(120)]

ASK = """
import socket, sys
wire, server, how = bytes.fromhex(sys.argv[1]), sys.argv[2], sys.argv[3]
family = socket.AF_INET6 if ":" in server else socket.AF_INET
if how == "udp":
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(2)
    s.connect((server, 53))
    s.send(wire)
    print(s.recv(65535).hex())
else:
    s = socket.create_connection((server, 53), 2)
    answers = []
    for _ in range(2):
        s.sendall(len(wire).to_bytes(2, "big") + wire)
        f = s.makefile("rb")
        answers.append(f.read(int.from_bytes(f.read(2), "big")))
    assert answers[0], "no answer"
    assert answers[0] == answers[1]
    print(answers[0].hex())
"""


@pytest.fixture
def enid(shared_enid: Enid) -> Enid:
    return shared_enid


def ask(enid: Any, instance: str, name: str, server: str, how: str = "udp", **edns: Any) -> list[str]:
    query = dns.message.make_query(name, "A", **edns)
    out = enid.run(instance, "/usr/bin/python3", "-c", ASK, query.to_wire().hex(), server, how)
    response = dns.message.from_wire(bytes.fromhex(out))
    assert query.is_response(response)
    assert (response.edns >= 0) == bool(edns)
    return [data.to_text() for rrset in response.answer for data in rrset]


def dashed(ip: str) -> str:
    return ip.replace(".", "-")


def test_an_instance_is_named_and_finds_the_others(enid: Any) -> None:
    one, two = enid.launch(enid.subnet(), 2)
    id_, ip, other = one["InstanceId"], one["PrivateIpAddress"], two["PrivateIpAddress"]
    assert enid.run(id_, "hostname").strip() == f"ip-{dashed(ip)}.ec2.internal" == one["PrivateDnsName"]
    assert enid.run(id_, "hostname", "-f").strip() == one["PrivateDnsName"]
    assert enid.run(id_, "cat", "/etc/resolv.conf") == "search ec2.internal\nnameserver 10.0.0.2\n"
    assert enid.run(id_, "getent", "ahostsv4", f"ip-{dashed(other)}").split()[0] == other
    assert enid.run(id_, "getent", "hosts", other).split() == [other, f"ip-{dashed(other)}.ec2.internal"]
    assert enid.run(id_, "getent", "ahostsv4", f"ip-{dashed(ip)}").split()[0] == ip, "its own, and no loopback"
    assert enid.run(id_, "ping", "-c1", "-W2", f"ip-{dashed(other)}.ec2.internal")


def test_every_server_and_every_transport(enid: Any) -> None:
    subnet = enid.subnet()
    one, two = enid.launch(subnet, 2)
    name = two["PrivateDnsName"]
    for server in ("10.0.0.2", "10.0.1.2", "169.254.169.253"):
        for how in ("udp", "tcp"):
            assert ask(enid, one["InstanceId"], name, server, how) == [two["PrivateIpAddress"]], (server, how)
    assert ask(enid, one["InstanceId"], name, "10.0.0.2", use_edns=0, payload=4096) == [two["PrivateIpAddress"]]
    assert ask(enid, one["InstanceId"], "example.com", "10.0.0.2") == []


def test_over_ipv6(enid: Any) -> None:
    vpc = enid.ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("/56", "/64")
    subnet = enid.ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock="10.0.1.0/24", Ipv6CidrBlock=block)["Subnet"]
    options = {"HttpProtocolIpv6": "enabled"}
    (one,) = enid.launch(subnet["SubnetId"], Ipv6AddressCount=1, MetadataOptions=options)
    id_ = one["InstanceId"]
    until("it has an IPv6 route", lambda: "default" in enid.run(id_, "ip", "-6", "route"))
    for how in ("udp", "tcp"):
        assert ask(enid, id_, one["PrivateDnsName"], "fd00:ec2::253", how) == [one["PrivateIpAddress"]]
    url = "http://[fd00:ec2::254]/latest/meta-data/instance-id"
    assert enid.run(id_, "curl", "-sS", "-g", "-m", "5", url) == id_


def test_names_follow_addresses(enid: Any) -> None:
    subnet = enid.subnet()
    (one,) = enid.launch(subnet)
    id_, eni = one["InstanceId"], one["NetworkInterfaces"][0]["NetworkInterfaceId"]
    name = "ip-10-0-1-99.ec2.internal"
    assert ask(enid, id_, name, "10.0.0.2") == []
    enid.ec2.assign_private_ip_addresses(NetworkInterfaceId=eni, PrivateIpAddresses=["10.0.1.99"])
    assert ask(enid, id_, name, "10.0.0.2") == ["10.0.1.99"]
    enid.ec2.unassign_private_ip_addresses(NetworkInterfaceId=eni, PrivateIpAddresses=["10.0.1.99"])
    assert ask(enid, id_, name, "10.0.0.2") == []


def test_the_vpcs_attribute_turns_it_off(enid: Any) -> None:
    (one,) = enid.launch(enid.subnet())
    assert ask(enid, one["InstanceId"], one["PrivateDnsName"], "10.0.0.2")
    vpc = one["VpcId"]
    enid.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})
    enid.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": False})
    wire = dns.message.make_query(one["PrivateDnsName"], "A").to_wire().hex()
    for how in ("udp", "tcp"):
        process = enid.command("exec", one["InstanceId"], "--", "/usr/bin/python3", "-c", ASK, wire, "10.0.0.2", how)
        process.communicate()
        assert process.returncode, how


def test_more_than_1024_packets_a_second_are_too_many(enid: Any) -> None:
    """Of one interface; the others do not feel it."""
    one, two = enid.launch(enid.subnet(), 2)
    wire = dns.message.make_query("ec2.internal", "A").to_wire().hex()
    flood = """
import json, socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("10.0.0.2", 53))
s.setblocking(False)
sent, got, end = 0, 0, time.monotonic() + 2
while time.monotonic() < end:
    try:
        s.send(bytes.fromhex(sys.argv[1]))
        sent += 1
        got += bool(s.recv(600))
    except BlockingIOError:
        pass
print(json.dumps([sent, got]))
"""
    sent, got = json.loads(enid.run(one["InstanceId"], "/usr/bin/python3", "-c", flood, wire))
    assert sent > 5000, "the flood was one"
    assert 0 < got < 4000
    assert ask(enid, two["InstanceId"], two["PrivateDnsName"], "10.0.0.2") == [two["PrivateIpAddress"]]
