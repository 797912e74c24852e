"""DHCP on packets: an instance whose network enid leaves alone asks for it, and is then reachable."""

from __future__ import annotations

import json
from typing import Any

import pytest

from whole_enid import Enid, until

pytestmark = [pytest.mark.root, pytest.mark.timeout(120)]

BY_DHCP = [{"ResourceType": "instance", "Tags": [{"Key": "enid:network", "Value": "dhcp"}]}]

CLIENT = """
import json, socket, struct, sys
device, mac, request = sys.argv[1], bytes.fromhex(sys.argv[2].replace(":", "")), json.loads(sys.argv[3])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", 68))
s.settimeout(3)

def ask(kind, client="0.0.0.0", to="255.255.255.255", flags=0x8000, **options):
    head = struct.pack("!BBBBIHH", 1, 1, 6, 0, 99, 0, flags) + socket.inet_aton(client) + bytes(12)
    body = head + mac.ljust(16, b"\\0") + bytes(192) + bytes((99, 130, 83, 99, 53, 1, kind))
    for number, value in options.items():
        body += bytes((int(number[1:]), 4)) + socket.inet_aton(value)
    s.sendto(body + b"\\xff", (to, 67))
    data, (server, port) = s.recvfrom(2000)
    found, place = {}, 240
    while data[place] != 255:
        found[data[place]] = data[place + 2 : place + 2 + data[place + 1]]
        place += 2 + data[place + 1]
    return {"yours": socket.inet_ntoa(data[16:20]), "from": server, **{n: v.hex() for n, v in found.items()}}

try:
    print(json.dumps(ask(**request)))
except TimeoutError:
    print("null")
"""


@pytest.fixture
def enid(shared_enid: Enid) -> Enid:
    return shared_enid


def ask(enid: Any, instance: str, mac: str, device: str = "eth0", **request: Any) -> dict[str, str] | None:
    """Send a DHCP message from inside and answer the reply's fields."""
    out = enid.run(instance, "/usr/bin/python3", "-c", CLIENT, device, mac, json.dumps(request))
    answer: dict[str, str] | None = json.loads(out)
    return answer


def own(instance: dict[str, Any]) -> tuple[str, str, str]:
    return (
        instance["InstanceId"],
        instance["NetworkInterfaces"][0]["MacAddress"],
        instance["PrivateIpAddress"],
    )


def test_an_instance_that_configures_itself(enid: Any) -> None:
    subnet = enid.subnet()
    (one,), (two,) = enid.launch(subnet, TagSpecifications=BY_DHCP), enid.launch(subnet)
    id_, mac, ip = own(one)
    assert "inet " not in enid.run(id_, "ip", "address", "show", "dev", "eth0")
    offer = ask(enid, id_, mac, kind=1)
    assert offer is not None
    assert (offer["yours"], offer["from"]) == (ip, "10.0.1.1")
    assert bytes.fromhex(offer["12"]).decode() == f"ip-{ip.replace('.', '-')}"
    assert bytes.fromhex(offer["15"]).decode() == "ec2.internal"
    assert bytes.fromhex(offer["6"]) == bytes((10, 0, 0, 2))
    assert int(offer["26"], 16) == 9001
    assert int(offer["51"], 16) == 3600
    ack = ask(enid, id_, mac, kind=3, _50=ip, _54="10.0.1.1")
    assert ack is not None
    assert ack["53"] == "05"
    enid.run(id_, "ip", "address", "add", f"{ip}/24", "dev", "eth0")
    enid.run(id_, "ip", "route", "add", "default", "via", "10.0.1.1")
    assert enid.run(two["InstanceId"], "ping", "-c1", "-W2", ip)
    assert enid.run(id_, "curl", "-sS", "-m", "5", "http://169.254.169.254/latest/meta-data/local-ipv4") == ip
    renewed = ask(enid, id_, mac, kind=3, client=ip, to="10.0.1.1", flags=0)
    assert renewed is not None
    assert (renewed["53"], renewed["from"]) == ("05", "10.0.1.1")

    killed = enid.kill("agent")
    until("the agent is started again", lambda: enid.pid("agent") != killed)
    eni = enid.ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
    enid.ec2.attach_network_interface(NetworkInterfaceId=eni["NetworkInterfaceId"], InstanceId=id_, DeviceIndex=1)
    until("eth1 is there", lambda: "eth1" in enid.run(id_, "ip", "link"))
    assert "inet " not in enid.run(id_, "ip", "address", "show", "dev", "eth1"), "a new agent leaves it alone as well"
    enid.run(id_, "ip", "address", "flush", "dev", "eth0")  # this client's kernel would lend eth1 its address
    second = ask(enid, id_, eni["MacAddress"], "eth1", kind=1)
    assert second is not None
    assert second["yours"] == eni["PrivateIpAddress"]


def test_what_is_refused(enid: Any) -> None:
    subnet = enid.subnet()
    one, two = enid.launch(subnet, 2, TagSpecifications=BY_DHCP)
    id_, mac, ip = own(one)
    _, other_mac, other_ip = own(two)
    assert ask(enid, id_, other_mac, kind=1) is None, "the MAC of another interface"
    nak = ask(enid, id_, mac, kind=3, _50=other_ip)
    assert nak is not None
    assert nak["53"] == "06"
    ack = ask(enid, id_, mac, kind=3, _50=ip)
    assert ack is not None
    assert ack["53"] == "05"


LISTEN = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.settimeout(4)
print("ready", flush=True)
try:
    while True:
        frame = s.recv(2000)
        if frame[23] == 17 and int.from_bytes(frame[36:38], "big") == int(sys.argv[1]) and b"forged" in frame + b"%s":
            print("heard")
            break
except TimeoutError:
    print("silence")
"""
FORGE = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.bind(("", 67))
for target in ("255.255.255.255", "10.0.1.255"):
    s.sendto(b"forged" + bytes(300), (target, 68))
"""


def listening(enid: Any, instance: str, port: int, word: str = "") -> Any:
    """A process inside that says whether a datagram to ``port`` arrives (one with the forger's mark, or any)."""
    process = enid.command("exec", instance, "--", "/usr/bin/python3", "-c", LISTEN % word, str(port))
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_false_server_is_heard_by_nobody_and_hears_nobody(enid: Any) -> None:
    subnet = enid.subnet()
    (asks,), (lies,) = enid.launch(subnet, TagSpecifications=BY_DHCP), enid.launch(subnet)
    id_, mac, ip = own(asks)
    ear, client = listening(enid, lies["InstanceId"], 67, "forged"), listening(enid, id_, 68)
    enid.run(lies["InstanceId"], "/usr/bin/python3", "-c", FORGE)
    for _ in range(3):
        offer = ask(enid, id_, mac, kind=1)
        assert offer is not None
        assert (offer["yours"], offer["from"]) == (ip, "10.0.1.1")
    assert ear.communicate(timeout=20)[0] == "silence\n", "no question came by"
    assert client.communicate(timeout=20)[0] == "silence\n", "no false answer came by"


def test_an_option_set_reaches_the_instance(enid: Any) -> None:
    subnet = enid.subnet()
    vpc = enid.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
    given = [
        {"Key": "domain-name", "Values": ["corp.example.com"]},
        {"Key": "domain-name-servers", "Values": ["10.0.1.53", "AmazonProvidedDNS"]},
        {"Key": "ntp-servers", "Values": ["10.0.1.123"]},
    ]
    made = enid.ec2.create_dhcp_options(DhcpConfigurations=given)["DhcpOptions"]["DhcpOptionsId"]
    (before,) = enid.launch(subnet, TagSpecifications=BY_DHCP)
    enid.ec2.associate_dhcp_options(VpcId=vpc, DhcpOptionsId=made)
    (one,) = enid.launch(subnet)
    id_, _, ip = own(one)
    name = f"ip-{ip.replace('.', '-')}.corp.example.com"
    assert enid.run(id_, "hostname").strip() == name
    assert enid.run(id_, "cat", "/etc/resolv.conf") == (
        "search corp.example.com\nnameserver 10.0.1.53\nnameserver 10.0.0.2\n"
    )
    url = "http://169.254.169.254/latest/meta-data/local-hostname"
    assert enid.run(id_, "curl", "-sS", "-m", "5", url) == name
    id_, mac, ip = own(before)
    renewed = ask(enid, id_, mac, kind=3, _50=ip)
    assert renewed is not None
    assert bytes.fromhex(renewed["15"]) == b"corp.example.com", "an older instance learns of it with its next lease"
    assert bytes.fromhex(renewed["42"]) == bytes((10, 0, 1, 123))


def test_an_instance_that_finds_its_router_itself(enid: Any) -> None:
    """Its kernel does. That of an instance which enid configures does not look."""
    vpc = enid.ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("/56", "/64")
    made = enid.ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock="10.0.1.0/24", Ipv6CidrBlock=block)
    subnet = made["Subnet"]["SubnetId"]
    options = {"MetadataOptions": {"HttpProtocolIpv6": "enabled"}, "Ipv6AddressCount": 1}
    (asks,) = enid.launch(subnet, TagSpecifications=BY_DHCP, **options)
    (configured,) = enid.launch(subnet, Ipv6AddressCount=1)
    show = ("ip", "-6", "route", "show", "default")
    until("a default route", lambda: "via fe80::1 dev eth0 proto ra" in enid.run(asks["InstanceId"], *show))
    assert "proto ra" not in enid.run(configured["InstanceId"], *show)
    (own,) = asks["NetworkInterfaces"][0]["Ipv6Addresses"]
    (other,) = configured["NetworkInterfaces"][0]["Ipv6Addresses"]
    enid.run(asks["InstanceId"], "ip", "address", "add", f"{own['Ipv6Address']}/128", "dev", "eth0", "nodad")
    metadata = ("curl", "-sS", "-m", "5", "http://[fd00:ec2::254]/latest/meta-data/local-ipv4")
    assert enid.run(asks["InstanceId"], *metadata) == asks["PrivateIpAddress"], "by that route"
    assert enid.run(configured["InstanceId"], "ip", "-6", "address", "show").count(other["Ipv6Address"]) == 1
