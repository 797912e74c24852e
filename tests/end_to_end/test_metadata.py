"""What an instance is told about itself: real requests from inside, while it changes, and what it cannot be told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from whole_enid import Enid, until

pytestmark = [pytest.mark.root, pytest.mark.timeout(120)]

LATEST = "http://169.254.169.254/latest"
MACS = f"{LATEST}/meta-data/network/interfaces/macs"
TTL = ("-H", "X-aws-ec2-metadata-token-ttl-seconds: 60")


@pytest.fixture
def enid(shared_enid: Enid) -> Enid:
    return shared_enid


def curl(enid: Any, instance: str, *arguments: str) -> str:
    return str(enid.run(instance, "curl", "-sS", "-m", "5", *arguments))


def status(enid: Any, instance: str, *arguments: str) -> int:
    return int(curl(enid, instance, "-o", "/dev/null", "-w", "%{http_code}", *arguments))


def fails(enid: Any, instance: str, *arguments: str) -> bool:
    """No answer at all."""
    process = enid.command("exec", instance, "--", "curl", "-sS", "-m", "2", *arguments)
    process.communicate()
    return bool(process.returncode)


def interface(enid: Any, subnet: str, **params: Any) -> dict[str, Any]:
    return dict(enid.ec2.create_network_interface(SubnetId=subnet, **params)["NetworkInterface"])


def no_way_in_or_out(enid: Any, subnet: str) -> str:
    """A security group without a rule."""
    vpc = enid.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
    group = str(enid.ec2.create_security_group(GroupName="closed", Description="closed", VpcId=vpc)["GroupId"])
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    enid.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=everything)
    return group


def test_the_flow_of_version_2(enid: Any) -> None:
    """And security groups do not stand before it."""
    subnet = enid.subnet()
    groups = [no_way_in_or_out(enid, subnet)]
    (one,) = enid.launch(subnet, MetadataOptions={"HttpTokens": "required"}, SecurityGroupIds=groups)
    id_ = one["InstanceId"]
    assert status(enid, id_, f"{LATEST}/meta-data/instance-id") == 401
    token = curl(enid, id_, "-X", "PUT", *TTL, f"{LATEST}/api/token")
    with_token = ("-H", f"X-aws-ec2-metadata-token: {token}")
    assert curl(enid, id_, *with_token, f"{LATEST}/meta-data/instance-id") == id_
    assert status(enid, id_, *with_token, f"{LATEST}/meta-data/nothing") == 404
    proxied = ("-H", "X-Forwarded-For: 10.0.0.1")
    assert status(enid, id_, "-X", "PUT", *TTL, *proxied, f"{LATEST}/api/token") == 403
    several = curl(enid, id_, *with_token, f"{LATEST}/meta-data/mac", f"{LATEST}/meta-data/local-ipv4")
    assert one["PrivateIpAddress"] in several, "on one connection"

    def change(**options: Any) -> None:
        enid.ec2.modify_instance_metadata_options(InstanceId=id_, **options)

    change(HttpTokens="optional")
    assert curl(enid, id_, f"{LATEST}/meta-data/instance-id") == id_
    change(HttpEndpoint="disabled")
    assert status(enid, id_, *with_token, f"{LATEST}/meta-data/instance-id") == 403


def test_the_answer_with_a_token_does_not_travel_further_than_allowed(enid: Any) -> None:
    """The packets' time to live, as they arrive."""
    (one,) = enid.launch(enid.subnet())
    id_ = one["InstanceId"]
    watcher = """
import socket, subprocess, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
wire.settimeout(5)
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
lives = set()
while True:
    frame = wire.recv(9100)
    if frame[26:30] == bytes([169, 254, 169, 254]) and b"HTTP/1.1 200" in frame:
        print(frame[22])
        break
"""
    put = ("curl", "-sS", "-m", "5", "-X", "PUT", *TTL, f"{LATEST}/api/token")
    get = ("curl", "-sS", "-m", "5", f"{LATEST}/meta-data/")

    def life(*request: str) -> int:
        return int(enid.run(id_, "/usr/bin/python3", "-c", watcher, *request))

    assert life(*put) == 1
    assert life(*get) == 64
    enid.ec2.modify_instance_metadata_options(InstanceId=id_, HttpPutResponseHopLimit=2)
    assert life(*put) == 2


def test_it_follows_what_is_attached(enid: Any) -> None:
    """Whatever the API calls attached, the metadata service knows, through every interface."""
    subnet = enid.subnet()
    (one,) = enid.launch(subnet)
    id_ = one["InstanceId"]
    second = interface(enid, subnet)
    mac, eni = second["MacAddress"], second["NetworkInterfaceId"]
    assert status(enid, id_, f"{MACS}/{mac}/") == 404
    enid.ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=id_, DeviceIndex=1)
    assert curl(enid, id_, f"{MACS}/{mac}/device-number") == "1"
    through = ("--interface", second["PrivateIpAddress"])
    assert curl(enid, id_, *through, f"{LATEST}/meta-data/instance-id") == id_
    added = enid.ec2.assign_private_ip_addresses(NetworkInterfaceId=eni, SecondaryPrivateIpAddressCount=1)
    ip = added["AssignedPrivateIpAddresses"][0]["PrivateIpAddress"]
    assert curl(enid, id_, f"{MACS}/{mac}/local-ipv4s").split() == [second["PrivateIpAddress"], ip]
    until("the secondary address asks too", lambda: not fails(enid, id_, "--interface", ip, f"{LATEST}/"))
    shown = enid.ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]
    enid.ec2.detach_network_interface(AttachmentId=shown["Attachment"]["AttachmentId"])
    assert status(enid, id_, f"{MACS}/{mac}/") == 404


def test_nobody_gets_anothers_data(enid: Any) -> None:
    """A forged source gets no answer and no word in, even with the source check off and the victim's address set."""
    subnet = enid.subnet()
    thief, victim = enid.launch(subnet, 2)
    id_ = thief["InstanceId"]
    forge = ("ip", "address", "add", f"{victim['PrivateIpAddress']}/32", "dev", "eth0")
    enid.run(id_, *forge)
    as_victim = ("--interface", victim["PrivateIpAddress"], f"{LATEST}/meta-data/instance-id")
    assert fails(enid, id_, *as_victim)
    eni = thief["NetworkInterfaces"][0]["NetworkInterfaceId"]
    enid.ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, SourceDestCheck={"Value": False})
    assert fails(enid, id_, *as_victim)
    assert curl(enid, id_, f"{LATEST}/meta-data/instance-id") == id_, "as itself it is served"
    assert curl(enid, victim["InstanceId"], f"{LATEST}/meta-data/instance-id") == victim["InstanceId"]


@pytest.mark.timeout(300)
def test_nobody_gets_anothers_data_by_what_he_says_or_by_the_same_address_elsewhere(enid: Any) -> None:
    """Two VPCs of the same addresses; headers that proxies set; tokens of the other; and IPv6."""
    options = {"HttpProtocolIpv6": "enabled"}
    pair = []
    for _ in range(2):
        vpc = enid.ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
        block = enid.ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
        six = block.replace("/56", "/64")
        subnet = enid.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", Ipv6CidrBlock=six)["Subnet"]["SubnetId"]
        pair += enid.launch(subnet, PrivateIpAddress="10.0.1.50", Ipv6AddressCount=1, MetadataOptions=options)
    url = f"{LATEST}/meta-data/instance-id"
    url6 = "http://[fd00:ec2::254]/latest/meta-data/instance-id"
    tokens = [curl(enid, each["InstanceId"], "-X", "PUT", *TTL, f"{LATEST}/api/token") for each in pair]
    for me, other in (pair, pair[::-1]):
        id_, theirs = me["InstanceId"], other["NetworkInterfaces"][0]["Ipv6Addresses"][0]["Ipv6Address"]
        assert curl(enid, id_, url) == id_
        assert curl(enid, id_, "-g", url6) == id_
        claims = [
            ("-H", f"{name}: 10.0.1.50, {theirs}") for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via")
        ]
        assert curl(enid, id_, *(word for claim in claims for word in claim), url) == id_
        foreign = tokens[pair.index(other)]
        assert status(enid, id_, "-H", f"X-aws-ec2-metadata-token: {foreign}", url) == 401
        enid.run(id_, "ip", "-6", "address", "add", f"{theirs}/128", "dev", "eth0", "nodad")
        assert fails(enid, id_, "-g", "--interface", theirs, url6), "IPv6, under the other's address"


def test_the_router_has_no_other_open_door(enid: Any) -> None:
    (one,) = enid.launch(enid.subnet())
    scan = """
import errno, json, socket
found = []
for address in ("10.0.0.2", "10.0.1.1", "10.0.1.2", "169.254.169.253", "169.254.169.254"):
    for port in (22, 53, 67, 80, 443, 8773):
        s = socket.socket()
        s.settimeout(0.2)
        try:
            s.connect((address, port))
            found.append(f"{address}:{port}")
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                found.append(f"{address}:{port} refused")
print(json.dumps(found))
"""
    open_doors = json.loads(enid.run(one["InstanceId"], "/usr/bin/python3", "-c", scan))
    assert [door for door in open_doors if ":53" not in door] == ["169.254.169.254:80"]


@pytest.mark.parametrize("roles", [("services",), ("agent",), ("agent", "services"), ("services", "agent")])
def test_killed_it_comes_back_by_itself(enid: Any, roles: tuple[str, ...]) -> None:
    """With every VPC, and the tokens it gave."""
    (one,), (two,) = enid.launch(enid.subnet()), enid.launch(enid.subnet())
    ids = [one["InstanceId"], two["InstanceId"]]
    token = curl(enid, ids[0], "-X", "PUT", *TTL, f"{LATEST}/api/token")
    before = {role: enid.kill(role) for role in roles}
    until("they are started again", lambda: all(enid.pid(role) != pid for role, pid in before.items()))
    url = f"{LATEST}/meta-data/instance-id"
    for id_ in ids:
        until(f"{id_} is served", lambda id_=id_: not fails(enid, id_, url))
        assert curl(enid, id_, url) == id_
    assert status(enid, ids[0], "-H", f"X-aws-ec2-metadata-token: {token}", f"{LATEST}/meta-data/") == 200
    vpc = enid.ec2.describe_instances(InstanceIds=[ids[1]])["Reservations"][0]["Instances"][0]["VpcId"]
    assert vpc in {found["VpcId"] for found in enid.ec2.describe_vpcs()["Vpcs"]}
    (three,) = enid.launch(enid.subnet())
    until("a new VPC is served", lambda: not fails(enid, three["InstanceId"], f"{LATEST}/"))
