"""Flow logs tell what really passed: every packet, both ends, and what the groups rejected."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from flow_records import FlowLog

from enid.settings import Quotas
from whole_enid import Enid, running_enid, until

pytestmark = [pytest.mark.root, pytest.mark.timeout(120)]

UDP_HEAD, IP_HEAD = 8, 20

SEND = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 4000))
for _ in range(int(sys.argv[4])):
    s.sendto(bytes(int(sys.argv[5])), (sys.argv[2], int(sys.argv[3])))
"""
SEND_WHEN_TOLD = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print("ready", flush=True)
sys.stdin.readline()
s.sendto(b"", (sys.argv[1], 53))
"""
ANSWER = """
import socket
s = socket.create_server(("0.0.0.0", 80))
print("ready", flush=True)
while True:
    c, _ = s.accept()
    c.recv(100)
    c.sendall(b"x" * 50)
    c.close()
"""
ASK = """
import socket, sys
s = socket.create_connection((sys.argv[1], 80), source_address=("", 5000))
s.sendall(b"?" * 10)
while s.recv(100):
    pass
s.close()
"""


@pytest.fixture(scope="module")
def enid() -> Iterator[Enid]:
    with running_enid(flow_log_interval=1, quotas=Quotas(vpcs=100)) as enid:
        yield enid


@pytest.fixture
def own_enid() -> Iterator[Enid]:
    """For a test whose enid cannot write."""
    with running_enid(flow_log_interval=1) as enid:
        yield enid


def send(enid: Enid, sender: str, source: str, to: str, port: int, count: int, size: int) -> None:
    """UDP datagrams from port 4000."""
    enid.run(sender, "/usr/bin/python3", "-c", SEND, source, to, str(port), str(count), str(size))


def interface(instance: dict[str, Any]) -> str:
    return str(instance["NetworkInterfaces"][0]["NetworkInterfaceId"])


def test_each_end_of_a_flow_counts_every_packet(enid: Enid) -> None:
    subnet = enid.subnet()
    one, two = enid.launch(subnet, 2)
    log = FlowLog(enid, "Subnet", subnet)
    log.watching(interface(one), interface(two))
    (quiet, *_) = log.records()
    assert (quiet["log-status"], quiet["srcaddr"], quiet["packets"], quiet["action"]) == ("NODATA", "-", "-", "-")
    a, b = one["PrivateIpAddress"], two["PrivateIpAddress"]
    send(enid, one["InstanceId"], a, b, 53, 7, 100)
    by = ("interface-id", "flow-direction", "srcaddr", "dstaddr", "srcport", "dstport", "action", "traffic-path")
    expected = {
        (interface(one), "egress", a, b, "4000", "53", "ACCEPT", "1"): (7, 7 * (100 + UDP_HEAD + IP_HEAD)),
        (interface(two), "ingress", a, b, "4000", "53", "ACCEPT", "-"): (7, 7 * (100 + UDP_HEAD + IP_HEAD)),
    }
    until("both ends say so", lambda: log.totals(*by, protocol=17) == expected)
    assert {row["instance-id"] for row in log.records() if row["interface-id"] == interface(one)} == {one["InstanceId"]}


def test_a_tcp_connection_with_its_flags(enid: Enid) -> None:
    subnet = enid.subnet()
    one, two = enid.launch(subnet, 2)
    log = FlowLog(enid, "NetworkInterface", interface(two))
    log.watching(interface(two))
    server = enid.command("exec", two["InstanceId"], "--", "/usr/bin/python3", "-c", ANSWER)
    try:
        assert server.stdout.readline() == "ready\n"
        enid.run(one["InstanceId"], "/usr/bin/python3", "-c", ASK, two["PrivateIpAddress"])
    finally:
        server.kill()
        server.communicate()
    until("the answer is logged", lambda: log.totals("srcport", srcport=80))
    until("the question is logged", lambda: log.totals("dstport", dstport=80))
    flags = {"ingress": 0, "egress": 0}
    for row in log.records():
        if row["log-status"] == "OK":
            assert (row["protocol"], row["interface-id"]) == ("6", interface(two))
            flags[row["flow-direction"]] |= int(row["tcp-flags"])
    assert flags == {"ingress": 1 | 2, "egress": 1 | 18}
    ((packets, size),) = log.totals("dstport", dstport=80).values()
    # SYN, the question, acknowledgements, FIN: never fewer than four, each of 40 bytes and options.
    assert packets >= 4
    assert 10 + packets * 40 <= size <= 10 + packets * 60


def test_what_a_group_rejects_was_accepted_where_it_left(enid: Enid) -> None:
    subnet = enid.subnet()
    one, two = enid.launch(subnet, 2)
    vpc = enid.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
    closed = enid.ec2.create_security_group(GroupName="closed", Description="closed", VpcId=vpc)["GroupId"]
    enid.ec2.modify_network_interface_attribute(NetworkInterfaceId=interface(two), Groups=[closed])
    accepts, rejects = (FlowLog(enid, "Subnet", subnet, traffic) for traffic in ("ACCEPT", "REJECT"))
    for log in (accepts, rejects):
        log.watching(interface(one), interface(two))
    a, b = one["PrivateIpAddress"], two["PrivateIpAddress"]
    send(enid, one["InstanceId"], a, b, 53, 5, 0)
    by = ("interface-id", "flow-direction", "action")
    sent = (5, 5 * (UDP_HEAD + IP_HEAD))
    until("rejected", lambda: rejects.totals(*by) == {(interface(two), "ingress", "REJECT"): sent})
    until("accepted", lambda: accepts.totals(*by) == {(interface(one), "egress", "ACCEPT"): sent})
    permissions = enid.ec2.describe_security_groups(GroupIds=[closed])["SecurityGroups"][0]["IpPermissionsEgress"]
    enid.ec2.revoke_security_group_egress(GroupId=closed, IpPermissions=permissions)
    send(enid, two["InstanceId"], b, a, 54, 3, 0)
    refused = {(interface(two), "egress", "REJECT"): (3, 3 * (UDP_HEAD + IP_HEAD))}
    until("rejected where it would leave", lambda: rejects.totals(*by, dstport=54) == refused)
    assert accepts.totals(*by, dstport=54) == {}


def test_secondary_addresses_are_shown_as_the_primary_one(enid: Enid) -> None:
    subnet = enid.subnet()
    one, two = enid.launch(subnet, 2)
    a, b = one["PrivateIpAddress"], two["PrivateIpAddress"]
    enid.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface(two), PrivateIpAddresses=["10.0.1.99"])
    log = FlowLog(enid, "NetworkInterface", interface(two))
    log.watching(interface(two))
    send(enid, one["InstanceId"], a, "10.0.1.99", 53, 2, 0)
    by = ("srcaddr", "dstaddr", "pkt-srcaddr", "pkt-dstaddr")
    until("logged", lambda: log.totals(*by, dstport=53).keys() == {(a, b, a, "10.0.1.99")})


def test_a_log_stays_with_the_interface_that_moves_and_outlives_its_process_and_the_agent(enid: Enid) -> None:
    subnet = enid.subnet()
    one, two, other = enid.launch(subnet, 3)
    eni = enid.ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    address = enid.ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0][
        "PrivateIpAddress"
    ]
    log = FlowLog(enid, "NetworkInterface", eni)

    def arrived(port: int, instance: dict[str, Any]) -> None:
        send(enid, other["InstanceId"], other["PrivateIpAddress"], address, port, 4, 0)
        by = ("interface-id", "instance-id", "flow-direction")
        expected = {(eni, instance["InstanceId"], "ingress"): (4, 4 * (UDP_HEAD + IP_HEAD))}
        until(f"what came to port {port} is logged", lambda: log.totals(*by, dstport=port) == expected)

    plug = enid.ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=one["InstanceId"], DeviceIndex=1)
    log.watching(eni)
    arrived(1001, one)
    enid.ec2.detach_network_interface(AttachmentId=plug["AttachmentId"])
    enid.ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=two["InstanceId"], DeviceIndex=1)
    arrived(1002, two)
    before = enid.kill("agent")
    until("the agent is started again", lambda: enid.pid("agent") != before)
    arrived(1003, two)
    before = enid.kill("flow-logs")
    until("it is started again", lambda: enid.pid("flow-logs") != before)
    until("the gap is told", lambda: any(row["log-status"] == "SKIPDATA" for row in log.records()))
    arrived(1004, two)


def test_the_first_packet_after_a_move_is_in_the_log_of_an_interface_that_was_nowhere(enid: Enid) -> None:
    subnet = enid.subnet()
    one, other = enid.launch(subnet, 2)
    eni = enid.ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
    where = {"NetworkInterfaceId": eni["NetworkInterfaceId"], "InstanceId": one["InstanceId"], "DeviceIndex": 1}
    log = FlowLog(enid, "NetworkInterface", eni["NetworkInterfaceId"])
    plug = enid.ec2.attach_network_interface(**where)
    log.watching(eni["NetworkInterfaceId"])
    enid.ec2.detach_network_interface(AttachmentId=plug["AttachmentId"])
    until("no more is written", log.is_still)
    script = ("/usr/bin/python3", "-c", SEND_WHEN_TOLD, eni["PrivateIpAddress"])
    sender = enid.command("exec", other["InstanceId"], "--", *script, stdin=subprocess.PIPE)
    try:
        assert sender.stdout.readline() == "ready\n"
        enid.ec2.attach_network_interface(**where)
        sender.communicate("now\n", timeout=20)
    finally:
        sender.kill()
    until("it is logged", lambda: log.totals("instance-id", dstport=53).keys() == {(one["InstanceId"],)})


def test_a_deleted_log_says_nothing_more(enid: Enid) -> None:
    subnet = enid.subnet()
    one, two = enid.launch(subnet, 2)
    log = FlowLog(enid, "Subnet", subnet)
    log.watching(interface(one))
    enid.ec2.delete_flow_logs(FlowLogIds=[log.id])
    until("no more is written", log.is_still)
    said = len(log.records())
    send(enid, one["InstanceId"], one["PrivateIpAddress"], two["PrivateIpAddress"], 53, 1, 0)
    until("no more is written", log.is_still)
    assert len(log.records()) == said


def test_to_a_log_group_and_what_happens_when_it_cannot_be_written(own_enid: Enid) -> None:
    enid = own_enid
    subnet = enid.subnet()
    one, two = enid.launch(subnet, 2)
    place = enid.settings.flow_logs_dir
    place.write_text("in the way")
    (log,) = enid.ec2.create_flow_logs(
        ResourceType="NetworkInterface",
        ResourceIds=[interface(two)],
        TrafficType="ACCEPT",
        LogGroupName="/vpc/traffic",
        DeliverLogsPermissionArn="arn:aws:iam::111111111111:role/logs",
    )["FlowLogIds"]

    def delivery() -> str:
        return str(enid.ec2.describe_flow_logs(FlowLogIds=[log])["FlowLogs"][0]["DeliverLogsStatus"])

    until("the failure is told", lambda: delivery() == "FAILED")
    place.unlink()
    until("it is over", lambda: delivery() == "SUCCESS")
    send(enid, one["InstanceId"], one["PrivateIpAddress"], two["PrivateIpAddress"], 53, 2, 0)

    def printed() -> str:
        out, err = enid.command("flow-logs", log).communicate(timeout=20)
        assert not err
        return str(out)

    ends = f"{interface(two)} {one['PrivateIpAddress']} {two['PrivateIpAddress']} 4000 53 17 2 56 "
    until("enid flow-logs prints it", lambda: ends in printed())
    (stream,) = place.rglob("vpc/traffic/*")
    assert stream.name == f"{interface(two)}-accept"
