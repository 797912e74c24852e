"""The accelerator: what it takes, what it leaves alone, and that nobody can tell by a packet which way it came."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from fabric_lab import (
    EVERYWHERE,
    EVERYWHERE6,
    NEAR,
    OTHER,
    PATIENCE,
    Lab,
    checksum,
    delivers,
    group,
    nothing_for,
    port,
    table,
    udp_frame,
    until,
    vpc,
)

from enid.bpf import syscall
from enid.bpf.btf import UnknownType
from enid.fabric.linux import accelerator, names, router
from enid.fabric.linux.accelerator import BpfAccelerator
from enid.topology.records import AclEntry, NetworkAcl, Port, Route, Site, TargetKind, Timeouts

pytestmark = pytest.mark.root

A, B = port(5), port(6)
FAR = port(
    7, subnet=OTHER, addresses=(ip_address("10.0.2.7"), ip_address("2001:db8:0:2::7")), route_table_id="rtb-other"
)
PUBLIC = IPv4Address("198.18.0.5")
PUBLIC_A = replace(A, public=((A.addresses[0], PUBLIC),))  # type: ignore[arg-type]
CAFE = Site("cafe", IPv4Address("198.19.0.1"))
BY_VERSION = {4: 0, 6: 1}
_NO_CHECK = 11
"""SO_NO_CHECK."""
ENOUGH = 20


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.close()


@pytest.fixture
def fast(lab: Lab) -> Lab:
    """A and B in one subnet, FAR in another; skipped where the kernel has not what it takes."""
    try:
        accelerator._kernel()
    except (OSError, UnknownType) as error:
        pytest.skip(f"no accelerator on this kernel: {error}")
    lab.apply(vpc(), group(), table(), table(name="rtb-other"), A, B, FAR)
    assert isinstance(lab.fabric._routers[vpc().id]._accelerator, BpfAccelerator), "the verifier let the program in"
    return lab


class Flow:
    """A UDP flow between two ports that both sides have spoken in."""

    def __init__(self, lab: Lab, near: Port = A, far: Port = B, version: int = 4, number: int = 4000) -> None:
        place = BY_VERSION[version]
        self.lab, self.near, self.far = lab, near, far
        self.here = lab.guest(near).udp(near.addresses[place], number)
        self.there = lab.guest(far).udp(far.addresses[place], 53)
        self.goes()
        self.answers()

    def goes(self) -> None:
        delivers(self.here, self.there, self.far.addresses[self._place])

    def answers(self) -> None:
        delivers(self.there, self.here, self.near.addresses[self._place])

    @property
    def _place(self) -> int:
        return BY_VERSION[6 if self.here.family == socket.AF_INET6 else 4]

    def is_fast(self) -> bool:
        """Whether the router sees nothing of a packet each way."""
        before = self.lab.forwarded()
        self.goes()
        self.answers()
        return self.lab.forwarded() == before

    def next_is(self, payload: bytes) -> bool:
        """Send this; it is what the far end hears next."""
        self.here.sendto(payload, (str(self.far.addresses[self._place]), 53))
        return self.there.recv(1 << 16) == payload


class Connection:
    """A TCP connection from A to a port, begun."""

    def __init__(self, lab: Lab, far: Port = B, version: int = 4) -> None:
        place = BY_VERSION[version]
        family = socket.AF_INET6 if version == 6 else socket.AF_INET
        with lab.guest(far).socket(family, socket.SOCK_STREAM) as listener:
            listener.bind((str(far.addresses[place]), 80))
            listener.listen()
            self.near = lab.guest(A).socket(family, socket.SOCK_STREAM)
            self.near.connect((str(far.addresses[place]), 80))
            self.far, _ = lab.guest(far).accept(listener)
        self.exchange()

    def exchange(self) -> None:
        for sender, receiver in ((self.near, self.far), (self.far, self.near)):
            sender.send(b"hello")
            assert receiver.recv(10) == b"hello"

    def carry(self, size: int) -> None:
        """So many bytes to the far end."""
        chunk, left = bytes(1 << 18), size
        self.near.settimeout(0)
        while left:
            _, writable, _ = select.select([], [self.near], [], 0)
            if writable:
                self.near.send(chunk)
            readable, _, _ = select.select([self.far], [], [], PATIENCE)
            assert readable, "the connection stalls"
            left -= len(self.far.recv(min(left, 1 << 20)))
        self.near.settimeout(PATIENCE)

    def hears_the_end(self) -> None:
        while self.far.recv(1 << 20):
            pass


def conntrack(lab: Lab) -> str:
    return lab.router().run("cat /proc/thread-self/net/nf_conntrack").stdout


def frames(lab: Lab, plug: Port) -> socket.socket:
    """Every frame that comes in at a port."""
    ear = lab.guest(plug).socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    ear.bind((plug.device, 3))
    return ear


def incoming(ear: socket.socket, number: int) -> bytes:
    """The next frame with a UDP datagram to this port."""
    while True:
        data, (_, _, kind, _, _) = ear.recvfrom(2000)
        transport = 34 if data[12:14] == b"\x08\x00" else 54
        if kind != 4 and data[transport + 2 : transport + 4] == struct.pack("!H", number):
            return bytes(data)


def slow_and_quick(lab: Lab, ear: socket.socket, here: socket.socket, there: socket.socket, to: object) -> list[bytes]:
    """The frames of a new flow's first two datagrams: the router forwards the first one, and not the second."""
    seen = []
    for _ in range(2):
        before = lab.forwarded()
        here.sendto(b"same", (str(to), 53))
        seen.append((incoming(ear, 53), lab.forwarded() - before))
        assert there.recv(10) == b"same", "its checksums are right"
    assert [forwarded for _, forwarded in seen] == [1, 0]
    return [frame for frame, _ in seen]


# What it takes


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("far", [B, FAR], ids=["same subnet", "other subnet"])
def test_an_established_flow_is_fast_both_ways(fast: Lab, far: Port, version: int) -> None:
    assert Flow(fast, far=far, version=version).is_fast()


@pytest.mark.parametrize("version", [4, 6])
def test_the_middle_of_a_connection_is_fast_and_its_ends_are_tracked(fast: Lab, version: int) -> None:
    connection = Connection(fast, version=version)
    before = fast.forwarded()
    for _ in range(ENOUGH):
        connection.exchange()
    connection.carry(8 << 20)
    assert fast.forwarded() == before
    connection.near.close()
    connection.hears_the_end()
    connection.far.close()
    until(lambda: "TIME_WAIT" in conntrack(fast), "conntrack saw the connection end")


@pytest.mark.parametrize("version", [4, 6])
def test_a_fast_packet_looks_like_a_slow_one(fast: Lab, version: int) -> None:
    place = BY_VERSION[version]
    ear = frames(fast, B)
    here, there = fast.guest(A).udp(A.addresses[place], 4000), fast.guest(B).udp(B.addresses[place], 53)
    slow, quick = slow_and_quick(fast, ear, here, there, B.addresses[place])
    if version == 4:  # but for the packet's own number and the checksum over it
        slow, quick = (frame[:18] + frame[20:24] + frame[26:] for frame in (slow, quick))
    assert slow == quick


def test_large_packets_cut_by_the_device_pass(fast: Lab) -> None:
    """TSO and checksum offload stay on; the receiver sums every byte."""
    connection = Connection(fast)
    data = os.urandom(1 << 20)
    before = fast.forwarded()
    connection.near.settimeout(PATIENCE)
    received = bytearray()
    for start in range(0, len(data), 1 << 16):
        connection.near.sendall(data[start : start + (1 << 16)])
        while len(received) < start + (1 << 16):
            received += connection.far.recv(1 << 16)
    assert received == data
    assert fast.forwarded() == before


# What it leaves alone


def test_every_flow_begins_at_the_gates(lab: Lab) -> None:
    """What no rule allows is never fast, however often it is sent."""
    lab.apply(vpc(), group(ingress=()), table(), A, B)
    here, there = lab.guest(A).udp(A.addresses[0]), lab.guest(B).udp(B.addresses[0], 53)
    for _ in range(ENOUGH):
        here.sendto(b"no", (str(B.addresses[0]), 53))
    until(lambda: lab.dropped("ingress_denied") == ENOUGH)
    assert nothing_for(there)


def test_the_first_answer_goes_where_conntrack_sees_it(fast: Lab) -> None:
    here, there = fast.guest(A).udp(A.addresses[0], 4000), fast.guest(B).udp(B.addresses[0], 53)
    for _ in range(3):
        delivers(here, there, B.addresses[0])
    assert "UNREPLIED" in conntrack(fast)
    delivers(there, here, A.addresses[0])
    assert "UNREPLIED" not in conntrack(fast)


def test_a_stream_becomes_one_for_conntrack_too(fast: Lab) -> None:
    flow = Flow(fast)

    def assured() -> bool:
        flow.goes()
        return "ASSURED" in conntrack(fast)

    until(assured, "more than two seconds old, a flow is a stream")
    assert flow.is_fast()


def test_a_packet_at_the_end_of_its_life_dies(fast: Lab) -> None:
    flow = Flow(fast)
    flow.here.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
    flow.here.sendto(b"dead", (str(B.addresses[0]), 53))
    flow.here.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 2)
    assert flow.next_is(b"alive")


@pytest.mark.parametrize(("what", "size"), [("fragments", 20000), ("options", 20)])
def test_a_packet_out_of_the_ordinary_is_slow(fast: Lab, what: str, size: int) -> None:
    flow = Flow(fast)
    assert flow.is_fast()
    before = fast.forwarded()
    if what == "options":
        flow.here.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, bytes((148, 4, 0, 0)))
    assert flow.next_is(bytes(size))
    assert fast.forwarded() > before


def test_options_cannot_pass_for_ports(fast: Lab) -> None:
    """A packet of one flow that shows another's ports where ports would be if it had no options."""
    flow = Flow(fast)
    frame = bytearray(udp_frame(A.mac, vpc().id, A.addresses[0], B.addresses[0], 54))
    frame[14] += 1
    frame[17] += 4
    frame[34:34] = struct.pack("!HH", 4000, 53)
    frame[24:26] = bytes(2)
    frame[24:26] = checksum(bytes(frame[14:38]))
    ear = frames(fast, B)
    fast.guest(A).frame("eth0", bytes(frame))
    assert flow.next_is(b"next")
    assert incoming(ear, 53).endswith(b"next")


def test_icmp_is_slow(fast: Lab) -> None:
    guest = fast.guest(A)
    before = fast.forwarded()
    assert guest.run(f"ping -n -c3 -i.05 -W2 {B.addresses[0]}").returncode == 0
    assert fast.forwarded() == before + 6


@pytest.mark.parametrize("version", [4, 6])
def test_a_forged_packet_of_a_fast_flow_is_dropped(fast: Lab, version: int) -> None:
    place = BY_VERSION[version]
    flow = Flow(fast, version=version)
    assert flow.is_fast()
    payload = udp_frame(FAR.mac, vpc().id, A.addresses[place], B.addresses[place], 53)
    fast.guest(FAR).frame("eth0", payload)
    until(lambda: fast.dropped("spoof") == 1)
    assert nothing_for(flow.there)


def test_a_frame_for_somebody_else_is_nobodys(fast: Lab) -> None:
    flow = Flow(fast)
    frame = udp_frame(A.mac, vpc().id, A.addresses[0], B.addresses[0], 53)
    fast.guest(A).frame("eth0", frame)
    assert flow.there.recv(10) == b"fake", "with the router's MAC it passes"
    fast.guest(A).frame("eth0", bytes.fromhex("02aabbccddee") + frame[6:])
    assert flow.next_is(b"next")


def test_longer_packets_than_a_port_carries_are_told_so(fast: Lab) -> None:
    """Guests that raised their own MTU: the router says what fits, and the connection goes on with that."""
    for plug in (A, B):
        assert fast.guest(plug).run("ip link set eth0 mtu 9600").returncode == 0
    connection = Connection(fast)
    connection.carry(4 << 20)
    (segment,) = struct.unpack_from("I", connection.near.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 16)
    assert segment <= 9001 - 40
    before = fast.forwarded()
    connection.carry(1 << 20)
    assert fast.forwarded() == before


@pytest.mark.parametrize("special", [{"timeouts": Timeouts(udp=60)}, {"logged": True}], ids=["timeouts", "flow log"])
def test_a_port_whose_every_packet_counts_is_slow(fast: Lab, special: dict[str, Any]) -> None:
    flow = Flow(fast)
    fast.apply(replace(B, **special))
    assert not flow.is_fast()
    fast.apply(B)
    assert flow.is_fast()


def test_an_appliance_is_slow(fast: Lab) -> None:
    box = port(9, source_dest_check=False)
    fast.apply(box)
    flow = Flow(fast, far=box)
    assert not flow.is_fast()
    checked = replace(box, source_dest_check=True)
    fast.apply(checked)
    assert flow.is_fast()
    fast.apply(box)
    assert not flow.is_fast()


def test_a_route_within_the_vpc_is_never_bypassed(fast: Lab) -> None:
    box = port(9, source_dest_check=False)
    fast.apply(box)
    flow = Flow(fast, far=FAR)
    assert flow.is_fast()
    inward = Route(ip_network("10.0.2.0/24"), TargetKind.PORT, box.id, box.addresses[0])
    ear = frames(fast, box)
    fast.apply(table(inward))
    flow.here.sendto(b"through", (str(FAR.addresses[0]), 53))
    assert incoming(ear, 53).endswith(b"through"), "the appliance has it"
    assert nothing_for(flow.there)
    fast.apply(table())
    assert flow.is_fast()


@pytest.mark.parametrize("direction", ["ingress", "egress"])
@pytest.mark.parametrize("guarded", [A, FAR], ids=["sender's subnet", "receiver's subnet"])
def test_a_network_acl_sees_every_packet_that_crosses_its_border(fast: Lab, guarded: Port, direction: str) -> None:
    across, beside = Flow(fast, far=FAR), Flow(fast, far=B, number=4001)
    assert across.is_fast()
    everything = tuple(
        AclEntry(100 + version, True, -1, block) for version, block in ((4, EVERYWHERE), (6, EVERYWHERE6))
    )
    port_53 = AclEntry(50, False, 17, EVERYWHERE, 53, 53)
    said = {"ingress": everything, "egress": everything, direction: (port_53, *everything)}
    acl = NetworkAcl("acl-0000000000000000a", vpc().id, (4, 6), (guarded.subnet.id,), said["ingress"], said["egress"])
    fast.apply(acl)
    out = (guarded is A) == (direction == "egress")
    across.here.sendto(b"to 53", (str(FAR.addresses[0]), 53))
    if out:
        until(lambda: fast.dropped(f"network_acl_{direction}") == 1)
        assert nothing_for(across.there)
    else:
        assert across.there.recv(10) == b"to 53", "only what goes to port 53 is denied, the other way"
        assert not across.is_fast()
    assert beside.is_fast(), "within the subnet it has no say"
    fast.apply(replace(acl, ingress=everything, egress=everything))
    assert across.is_fast(), "an ACL that denies nothing is as good as none"


# What comes from the internet


@pytest.fixture
def online(fast: Lab) -> Lab:
    """A has a public address, and a site talks to it."""
    fast.apply(vpc(internet=True), table(Route(EVERYWHERE, TargetKind.INTERNET)), PUBLIC_A, CAFE)
    fast.site("cafe")
    return fast


class Visit:
    """A UDP flow from the site to a public address, answered."""

    def __init__(self, lab: Lab, holder: Port = PUBLIC_A) -> None:
        self.lab, (_, self.public) = lab, holder.public[0]
        self.outside = lab.guests["site cafe"].udp(CAFE.public_ip, 4000)
        self.inside = lab.guest(holder).udp(holder.addresses[0], 53)
        self.comes()
        assert delivers(self.inside, self.outside, CAFE.public_ip) == str(self.public)

    def comes(self) -> None:
        assert delivers(self.outside, self.inside, self.public) == str(CAFE.public_ip)

    def is_fast(self) -> bool:
        """Whether the router sees nothing of a packet that comes in."""
        before = self.lab.forwarded()
        self.comes()
        return self.lab.forwarded() == before


def test_what_comes_to_a_public_address_is_fast_and_what_leaves_is_not(online: Lab) -> None:
    visit = Visit(online)
    assert visit.is_fast()
    before = online.forwarded()
    assert delivers(visit.inside, visit.outside, CAFE.public_ip) == str(PUBLIC)
    assert online.forwarded() == before + 1


def test_a_fast_packet_from_the_internet_looks_like_a_slow_one(online: Lab) -> None:
    ear = frames(online, A)
    outside = online.guests["site cafe"].udp(CAFE.public_ip, 4000)
    inside = online.guest(A).udp(A.addresses[0], 53)
    slow, quick = slow_and_quick(online, ear, outside, inside, PUBLIC)
    slow, quick = (frame[:18] + frame[20:24] + frame[26:] for frame in (slow, quick))
    assert slow == quick


def test_a_connection_from_the_internet_carries_what_was_sent(online: Lab) -> None:
    with online.guest(A).socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((str(A.addresses[0]), 80))
        listener.listen()
        near = online.guests["site cafe"].socket(socket.AF_INET, socket.SOCK_STREAM)
        near.connect((str(PUBLIC), 80))
        far, _ = online.guest(A).accept(listener)
    data = os.urandom(1 << 20)
    near.settimeout(PATIENCE)
    before, received = online.forwarded(), bytearray()
    for start in range(0, len(data), 1 << 15):
        near.sendall(data[start : start + (1 << 15)])
        while len(received) < start + (1 << 15):
            received += far.recv(1 << 16)
    assert received == data
    assert online.forwarded() - before < len(data) / 1448, "only acknowledgements went through the router"


def test_a_datagram_without_a_checksum_stays_without(online: Lab) -> None:
    visit = Visit(online)
    visit.outside.setsockopt(socket.SOL_SOCKET, _NO_CHECK, 1)
    ear = frames(online, A)
    assert visit.is_fast()
    assert incoming(ear, 53)[40:42] == bytes(2)


def test_nobody_outside_passes_for_one_of_the_vpcs_own(online: Lab) -> None:
    """A flow between A and B is fast; what claims to belong to it and comes from the internet is dropped."""
    flow = Flow(online, near=B, far=A)
    assert flow.is_fast()
    forger = online.guests["site cafe"].socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    frame = udp_frame(B.mac, vpc().id, B.addresses[0], PUBLIC, 53)
    forger.sendto(frame[14:], (str(PUBLIC), 0))
    until(lambda: online.dropped("spoof") == 1)
    assert nothing_for(flow.there)


def test_a_public_address_that_moves_is_followed_at_once(online: Lab) -> None:
    visit = Visit(online)
    assert visit.is_fast()
    online.apply(A, replace(B, public=((B.addresses[0], PUBLIC),)))
    at_b = online.guest(B).udp(B.addresses[0], 53)
    for _ in range(3):
        delivers(visit.outside, at_b, PUBLIC)
    assert nothing_for(visit.inside)


def test_a_public_address_that_was_given_up_leads_nowhere(online: Lab) -> None:
    visit = Visit(online)
    online.apply(A)
    visit.outside.sendto(b"late", (str(PUBLIC), 53))
    online.apply(PUBLIC_A)
    visit.comes()
    assert nothing_for(visit.inside)


def test_a_route_table_of_the_internet_gateway_is_never_bypassed(online: Lab) -> None:
    visit = Visit(online)
    edge = replace(table(), id="rtb-edge")
    online.apply(vpc(internet=True, internet_table=edge.id), edge)
    assert not visit.is_fast()
    online.apply(vpc(internet=True))
    assert visit.is_fast()


def test_a_network_acl_sees_what_comes_from_the_internet(online: Lab) -> None:
    visit = Visit(online)
    everything = AclEntry(100, True, -1, EVERYWHERE)
    port_53 = AclEntry(50, False, 17, EVERYWHERE, 53, 53)
    acl = NetworkAcl("acl-0000000000000000a", vpc().id, (4, 6), (A.subnet.id,), (port_53, everything), (everything,))
    online.apply(acl)
    visit.outside.sendto(b"denied", (str(PUBLIC), 53))
    until(lambda: online.dropped("network_acl_ingress") == 1)
    assert nothing_for(visit.inside)


def test_the_entrance_is_fast_again_after_an_agent_and_after_a_drift(online: Lab) -> None:
    visit = Visit(online)
    online.restart()
    assert visit.is_fast()
    assert online.router().run(f"tc qdisc del dev {names.INTERNET} clsact").returncode == 0
    assert not visit.is_fast()
    until(lambda: vpc().id in {place for place in online.fabric.drifted() if online.fabric.repair(place) is not None})
    assert visit.is_fast()


# What changes under a flow


def test_a_tracked_flow_outlives_its_rule_and_is_fast_still(fast: Lab) -> None:
    fast.apply(group(ingress=NEAR))
    flow = Flow(fast)
    fast.apply(group(ingress=()))
    assert flow.is_fast()


@pytest.mark.parametrize("version", [4, 6])
def test_a_flow_that_is_not_tracked_is_cut_where_it_was_fast(fast: Lab, version: int) -> None:
    flow = Flow(fast, version=version)
    assert flow.is_fast()
    fast.apply(group(ingress=()))
    flow.here.sendto(b"again", (str(B.addresses[version == 6]), 53))
    until(lambda: fast.dropped("ingress_denied") == 1)
    assert nothing_for(flow.there)
    fast.apply(group())
    flow.goes()
    flow.answers()
    assert flow.is_fast()


def test_a_flow_from_the_internet_is_cut_where_it_was_fast(online: Lab) -> None:
    visit = Visit(online)
    assert visit.is_fast()
    online.apply(group(ingress=()))
    visit.outside.sendto(b"again", (str(PUBLIC), 53))
    until(lambda: online.dropped("ingress_denied") == 1)
    assert nothing_for(visit.inside)


def test_a_forgotten_flow_is_judged_anew(fast: Lab) -> None:
    fast.apply(group(ingress=NEAR))
    flow = Flow(fast)
    fast.apply(group(ingress=()))
    fast.apply(replace(B, addresses=B.addresses[1:]))
    fast.apply(B)
    flow.here.sendto(b"again", (str(B.addresses[0]), 53))
    until(lambda: fast.dropped("ingress_denied") == 1)
    assert nothing_for(flow.there)


def test_an_address_that_moves_is_followed_at_once(fast: Lab) -> None:
    flow = Flow(fast)
    address = B.addresses[0]
    taker = replace(FAR, addresses=(*FAR.addresses, address))
    fast.guest(FAR).run(f"ip address add {address}/32 dev lo")
    changes = [replace(B, addresses=B.addresses[1:]), taker]
    fast.apply(*changes)
    moved = fast.guest(FAR).udp(address, 53)
    for _ in range(3):
        delivers(flow.here, moved, address)
    assert nothing_for(flow.there)


def test_a_port_that_left_is_not_reached(fast: Lab) -> None:
    flow = Flow(fast)
    fast.remove(B)
    flow.here.sendto(b"too late", (str(B.addresses[0]), 53))
    until(lambda: fast.dropped("no_route") == 1)
    assert nothing_for(flow.there)


def test_conntrack_does_not_forget_a_flow_it_does_not_see(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient = {f"net/netfilter/nf_conntrack_udp_timeout{name}": 1 for name in ("", "_stream")}
    monkeypatch.setattr(router, "ROUTER_SETTINGS", {**router.ROUTER_SETTINGS, **impatient})
    lab.apply(vpc(), group(ingress=NEAR), table(), A, B)
    flow = Flow(lab)
    lab.apply(group(ingress=()))
    begun = time.monotonic()
    while time.monotonic() < begun + 2.5:
        flow.goes()
        select.select([], [], [], 0.1)
    assert lab.dropped("ingress_denied") == 0
    until(lambda: "dport=53" not in conntrack(lab), "an idle flow is forgotten")


@pytest.mark.parametrize("closer", ["FIN", "RST"])
def test_a_connection_ends_though_conntrack_missed_its_middle(fast: Lab, closer: str) -> None:
    """So much of it that sequence numbers look like old ones."""
    connection = Connection(fast)
    connection.carry((1 << 31) + (1 << 20))
    if closer == "RST":
        connection.near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.near.close()
    if closer == "FIN":
        connection.hears_the_end()
    else:
        with pytest.raises(ConnectionResetError):
            connection.hears_the_end()
    assert fast.dropped("invalid") == 0


# Agents come and go


def test_a_restarted_agent_goes_on_accelerating(fast: Lab) -> None:
    flow, connection = Flow(fast), Connection(fast)
    fast.restart()
    assert flow.is_fast()
    connection.exchange()
    fast.remove(B)
    flow.here.sendto(b"too late", (str(B.addresses[0]), 53))
    until(lambda: fast.dropped("no_route") == 1)
    assert nothing_for(flow.there), "no program of the old agent is left to lead there"


def test_a_restarted_agent_knows_what_the_one_before_it_had_come_to_know(fast: Lab) -> None:
    """Step by step or all at once, the maps are the same."""
    box, third = port(9, source_dest_check=False), port(8)
    inward = Route(ip_network("10.0.2.0/24"), TargetKind.PORT, box.id, box.addresses[0])
    fast.apply(box, third, table(inward))
    fast.apply(replace(B, addresses=B.addresses[:1]), replace(FAR, addresses=(*FAR.addresses, B.addresses[1])))
    fast.remove(third)

    def known() -> tuple[object, object]:
        made = fast.fabric._routers[vpc().id]._accelerator
        assert isinstance(made, BpfAccelerator)
        return made._addresses.held, made._switches.held

    before = known()
    assert len(before[0]) == 6, "two of A, one of B, three of FAR"  # type: ignore[arg-type]
    assert before[1], "the main table"
    fast.restart()
    assert known() == before


def test_an_agent_that_shall_not_accelerate_takes_the_programs_away(fast: Lab) -> None:
    flow = Flow(fast)
    fast.settings = fast.settings.model_copy(update={"accelerator": "off"})
    fast.restart()
    assert not flow.is_fast()
    assert "bpf" not in fast.router().run(f"tc filter show dev {names.port_link(A.attachment_id)} ingress").stdout
    fast.settings = fast.settings.model_copy(update={"accelerator": "auto"})
    fast.restart()
    assert flow.is_fast()


def refuse(*_: object) -> None:
    raise PermissionError(1, "not for you")


@pytest.mark.parametrize("refusing", [(syscall, "Map"), (syscall, "Program"), (accelerator, "add_clsact")])
def test_where_the_kernel_refuses_everything_works_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], refusing: tuple[object, str]
) -> None:
    monkeypatch.setattr(*refusing, refuse)
    lab = Lab(tmp_path)
    try:
        second = vpc("vpc-0000000000000000b")
        lab.apply(vpc(), group(), table(), A, B, second)
        assert not Flow(lab).is_fast()
        lab.restart()
        assert not Flow(lab).is_fast()
    finally:
        lab.close()
    assert capsys.readouterr().out.count("no accelerator") == 2, "once in an agent's life"


def test_what_has_to_see_every_packet_says_so_in_one_place(fast: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(fast)
    monkeypatch.setattr(accelerator, "may_accelerate", lambda plug: plug.id != B.id)
    fast.restart()
    assert not flow.is_fast()
    assert Flow(fast, far=FAR).is_fast()
