"""The copies that flow logs are counted from: one a packet, only of logged interfaces, and a loss is told."""

from __future__ import annotations

import os
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, ip_address

import pytest
from fabric_lab import EVERYWHERE, OTHER, Lab, delivers, group, port, table, until, vpc

from enid.fabric.linux.names import INTERNET, port_link
from enid.flowlogs.header import parse
from enid.flowlogs.tap import Tap
from enid.netlink import namespaces
from enid.netlink.netfilter import NetfilterSocket
from enid.netlink.nftables import get_chains, parse_chain
from enid.netlink.packet_log import Lost
from enid.topology.records import AclEntry, NetworkAcl, Port, Route, Site, TargetKind

pytestmark = pytest.mark.root

A, B, C = port(5), port(6), port(7)
LOGGED = replace(B, logged=True)
PORT = 5300


@pytest.fixture
def tap(lab: Lab) -> Iterator[Tap]:
    """Of a VPC in which only B has a flow log."""
    lab.apply(vpc(), table(), group(), A, LOGGED, C)
    made = Tap(lab.settings.run_dir / "netns" / vpc().id)
    yield made
    made.close()


class Copies:
    """What the tap has said so far: (letter, from, to) → packets to or from the port of the test."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self.counts: Counter[tuple[str, str, str]] = Counter()

    def read(self) -> Counter[tuple[str, str, str]]:
        while batch := list(self._tap.copies()):
            for copy in batch:
                found = parse(copy.payload)
                assert found is not None
                if PORT in (found.source_port, found.destination_port):
                    self.counts[copy.letter, copy.source, copy.destination] += 1
        return self.counts

    def become(self, expected: dict[tuple[str, str, str], int]) -> None:
        until(lambda: self.read() == expected, f"{expected}")


def link(plug: Port) -> str:
    return port_link(plug.attachment_id)


def send(lab: Lab, sender: Port, receiver: Port, count: int, version: int = 4) -> None:
    place = int(version == 6)
    made = lab.guest(sender).udp(sender.addresses[place])
    for _ in range(count):
        made.sendto(b"x", (str(receiver.addresses[place]), PORT))
    made.close()


def test_of_the_internet_s_packets_the_private_address_is_copied(lab: Lab) -> None:
    inside = replace(A, logged=True, public=((IPv4Address("10.0.1.5"), IPv4Address("198.18.0.5")),))
    cafe = Site("cafe", IPv4Address("198.19.0.1"))
    lab.apply(vpc(internet=True), table(Route(EVERYWHERE, TargetKind.INTERNET)), group(), cafe, inside)
    tap = Tap(lab.settings.run_dir / "netns" / vpc().id)
    outside = lab.site("cafe").udp(cafe.public_ip, PORT)
    own = lab.guest(A).udp(A.addresses[0], PORT)
    delivers(outside, own, "198.18.0.5")
    delivers(own, outside, cafe.public_ip)
    found: list[tuple[str, str, str, str]] = []

    def read() -> bool:
        for copy in tap.copies():
            head = parse(copy.payload)
            assert head is not None
            found.append(
                (copy.source, str(ip_address(head.source)), copy.destination, str(ip_address(head.destination)))
            )
        return len(found) >= 2

    until(read, "both directions are copied")
    tap.close()
    assert found == [
        (INTERNET, "198.19.0.1", link(A), "10.0.1.5"),
        (link(A), "10.0.1.5", INTERNET, "198.19.0.1"),
    ]


@pytest.mark.parametrize("version", [4, 6])
def test_one_copy_of_each_packet_of_a_logged_interface(lab: Lab, tap: Tap, version: int) -> None:
    copies = Copies(tap)
    send(lab, A, B, 3, version)
    send(lab, B, C, 2, version)
    send(lab, A, C, 5, version)
    copies.become({("A", link(A), link(B)): 3, ("A", link(B), link(C)): 2})
    lab.apply(replace(A, logged=True))
    send(lab, A, B, 4, version)
    copies.become({("A", link(A), link(B)): 7, ("A", link(B), link(C)): 2})


def test_what_the_groups_reject_is_copied_with_where_it_ended(lab: Lab, tap: Tap) -> None:
    copies = Copies(tap)
    lab.apply(group("sg-closed", ingress=(), egress=()), replace(LOGGED, groups=("sg-closed",)))
    send(lab, A, B, 2)
    send(lab, B, A, 3)
    copies.become({("I", link(A), link(B)): 2, ("L", link(B), link(A)): 3})
    assert lab.dropped("ingress_denied") == 2
    assert lab.dropped("egress_denied") == 3


def test_nobody_pays_in_a_vpc_without_a_logged_interface(lab: Lab, tap: Tap) -> None:
    namespace = namespaces.open_pinned(lab.settings.run_dir / "netns" / vpc().id)
    assert namespace is not None

    def chains() -> bool:
        with NetfilterSocket(namespace) as netfilter:
            return any(name.startswith("flow_log") for _, name, _ in map(parse_chain, netfilter.dump(get_chains())))

    assert chains()
    lab.apply(B)
    assert not chains()
    delivers(lab.guest(A).udp(A.addresses[0]), lab.guest(B).udp(B.addresses[0], PORT), B.addresses[0])
    assert Copies(tap).read() == {}
    lab.apply(LOGGED)
    assert chains()
    lab.apply(group("sg-closed", ingress=()), replace(LOGGED, groups=("sg-closed",)))
    send(lab, A, C, 1)
    send(lab, C, B, 1)
    Copies(tap).become({("I", link(C), link(B)): 1})
    assert lab.dropped("ingress_denied") == 1
    os.close(namespace)


def test_a_restarted_agent_doubles_and_loses_no_copy(lab: Lab, tap: Tap) -> None:
    copies, sent, stop = Copies(tap), [0], threading.Event()
    sender, receiver = lab.guest(A).udp(A.addresses[0]), lab.guest(B).udp(B.addresses[0], PORT)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    payload = iter(range(1 << 30))

    def flow() -> None:
        while not stop.wait(0.001):
            sender.sendto(next(payload).to_bytes(8, "big"), (str(B.addresses[0]), PORT))
            sent[0] += 1

    thread = threading.Thread(target=flow)
    thread.start()
    try:
        until(lambda: sent[0] > 20)
        for _ in range(3):
            lab.restart()
            before = sent[0]
            until(lambda before=before: sent[0] > before + 20)
    finally:
        stop.set()
        thread.join()
    copies.become({("A", link(A), link(B)): sent[0]})


def test_packets_that_look_the_same_are_each_copied_after_a_refresh_too(lab: Lab, tap: Tap) -> None:
    lab.restart()  # its table is no longer the first
    copies = Copies(tap)
    sender, receiver = lab.guest(A).udp(A.addresses[1]), lab.guest(B).udp(B.addresses[1], PORT)  # IPv6 numbers none
    for count in range(1, 4):
        sender.sendto(b"x", receiver.getsockname())
        copies.become({("A", link(A), link(B)): count})
        tap.refresh()


def test_what_was_copied_is_read_after_the_link_is_gone(lab: Lab, tap: Tap) -> None:
    copies = Copies(tap)
    send(lab, A, B, 1)
    copies.become({("A", link(A), link(B)): 1})
    tap.refresh()
    send(lab, A, B, 2)
    lab.remove(LOGGED)
    until(lambda: not lab.fabric.tidy(), "the old link goes")
    assert link(B) not in lab.router().run("ip -oneline link").stdout
    copies.become({("A", link(A), link(B)): 3})


def test_a_move_is_seen_under_the_new_link(lab: Lab, tap: Tap) -> None:
    copies = Copies(tap)
    send(lab, A, B, 2)
    copies.become({("A", link(A), link(B)): 2})
    moved = replace(LOGGED, instance_id="i-9", attachment_id="eni-attach-" + "9" * 17)
    lab.apply(moved)
    send(lab, A, B, 3)
    copies.become({("A", link(A), link(B)): 2, ("A", link(A), link(moved)): 3})


def test_who_reads_too_slowly_is_told(lab: Lab, tap: Tap) -> None:
    tap._log._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    send(lab, A, B, 5000)
    until(lambda: _loses(tap), "a loss is told")
    copies = Copies(tap)
    send(lab, C, B, 1)
    until(lambda: copies.read()["A", link(C), link(B)] == 1, "what comes afterwards is copied again")


def _loses(tap: Tap) -> bool:
    try:
        list(tap.copies())
    except Lost:
        return True
    return False


def test_what_a_network_acl_rejects_is_copied_where_it_ended(lab: Lab) -> None:
    far = port(8, subnet=OTHER, addresses=(ip_address("10.0.2.8"),), logged=True)
    near = replace(A, logged=True)
    lab.apply(vpc(), table(), group(), near, far)
    everything, nothing = AclEntry(100, True, -1, EVERYWHERE), AclEntry(90, False, -1, EVERYWHERE)
    lab.apply(NetworkAcl("acl-far", vpc().id, (4,), (OTHER.id,), ingress=(nothing,), egress=(everything,)))
    tap = Tap(lab.settings.run_dir / "netns" / vpc().id)
    copies = Copies(tap)
    send(lab, near, far, 2)
    copies.become({("I", link(near), link(far)): 2})
    lab.apply(NetworkAcl("acl-far", vpc().id, (4,), (OTHER.id,), ingress=(everything,), egress=(nothing,)))
    send(lab, far, near, 3)
    copies.become({("I", link(near), link(far)): 2, ("L", link(far), link(near)): 3})
    tap.close()
    assert (lab.dropped("network_acl_ingress"), lab.dropped("network_acl_egress")) == (2, 3)
