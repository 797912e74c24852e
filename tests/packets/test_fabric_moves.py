"""Interfaces that come, move and go; agents that restart; a fabric that leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address

import pytest
from fabric_lab import Guest, Lab, delivers, group, nothing_for, port, table, until, vpc

from enid.fabric.linux import names
from enid.fabric.linux.node import Node
from enid.netlink import addresses, links, namespaces
from enid.netlink.socket import RouteSocket
from enid.topology.records import Change, Port

pytestmark = pytest.mark.root

A, B = port(5), port(6)


def moved(plug: Port, step: int) -> Port:
    return replace(plug, instance_id=f"i-holder-{step}", attachment_id=f"eni-attach-{0x1000 + step:017x}")


class Probe:
    """A 1 kHz stream of numbered datagrams from A to B's address."""

    def __init__(self, lab: Lab) -> None:
        self._sender = lab.guest(A).udp(A.addresses[0], 999)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self.sent = 0

    def _send(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            self._sender.sendto(self.sent.to_bytes(4, "big"), (str(B.addresses[0]), 53))
            self.sent += 1
            due += 0.001
            self._stop.wait(max(0.0, due - time.monotonic()))

    @contextmanager
    def running(self) -> Iterator[Probe]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join()

    def advance(self, packets: int) -> None:
        until_sent = self.sent + packets
        until(lambda: self.sent >= until_sent, "the probe runs")


def received(receiver: object) -> list[int]:
    found = []
    while not nothing_for(receiver):  # type: ignore[arg-type]
        found.append(int.from_bytes(receiver.recv(10), "big"))  # type: ignore[attr-defined]
    return found


def test_a_move_loses_next_to_nothing_and_the_old_holder_gets_nothing_more(lab: Lab) -> None:
    lab.apply(vpc(), group(), table(), A, B)
    here = B
    ears = [lab.guest(here).udp(B.addresses[0], 53)]
    arrived: list[int] = []
    with Probe(lab).running() as probe:
        for step in range(5):
            there = moved(B, step)
            # The new holder is configured before the flip only if its address is there already: an address may be
            # bound before it is routed.
            lab.guests[there.instance_id] = Guest()
            lab.guest(there).run(f"ip address add {B.addresses[0]}/32 dev lo")
            ear = lab.guest(there).udp(B.addresses[0], 53)
            probe.advance(20)
            lab.apply(there)
            arrived += received(ears[-1])
            probe.advance(20)
            assert nothing_for(ears[-1]), "the old holder hears nothing once apply has returned"
            ears.append(ear)
            here = there
    arrived += received(ears[-1])
    until(lambda: not lab.fabric.tidy(), "old links go")
    assert len(set(arrived)) == len(arrived)
    assert probe.sent - len(arrived) <= 5, "at most a packet a move"
    assert "eth0" not in lab.guests[moved(B, 0).instance_id].run("ip -br link").stdout


def test_a_detached_interface_neither_hears_nor_speaks(lab: Lab) -> None:
    lab.apply(vpc(), group(), table(), A, B)
    ear, sender = lab.guest(B).udp(B.addresses[0], 53), lab.guest(A).udp(A.addresses[0], 999)
    delivers(sender, ear, B.addresses[0])
    lab.remove(B)
    sender.sendto(b"x", (str(B.addresses[0]), 53))
    until(lambda: lab.dropped("no_route") == 1, "nobody has the address")
    ear.sendto(b"x", (str(A.addresses[0]), 999))
    until(lambda: lab.dropped("spoof") == 1, "its link is not to be trusted")
    assert nothing_for(ear)
    assert nothing_for(sender)


def test_an_address_that_goes_to_another_interface_inherits_no_flow(lab: Lab) -> None:
    c = port(7, groups=("sg-closed",))
    lab.apply(vpc(), group(), group("sg-closed", ingress=()), table(), A, B, c)
    sender = lab.guest(A).udp(A.addresses[0], 999)
    ear = lab.guest(B).udp(B.addresses[0], 53)
    delivers(sender, ear, B.addresses[0])
    lab.apply(replace(B, addresses=(ip_address("10.0.1.66"),)), replace(c, addresses=(*c.addresses, B.addresses[0])))
    sender.sendto(b"x", (str(B.addresses[0]), 53))
    until(lambda: lab.dropped("ingress_denied") == 1, "the new holder's gate is asked")
    assert nothing_for(ear)


@pytest.mark.parametrize(
    "successor", [replace(port(8), instance_id=B.instance_id), replace(B, attachment_id="eni-attach-9")]
)
def test_a_second_interface_at_the_same_index_right_after_the_first(lab: Lab, successor: Port) -> None:
    """The first one's link still waits to be deleted and has the names: it is only put aside for now."""
    lab.apply(vpc(), group(), table(), A, B)
    lab.remove(B)
    lab.apply(successor)
    address = successor.addresses[0]
    guest = lab.guests[B.instance_id]
    assert guest.run("ip -br link").stdout.count("@") == 2
    assert f"link/ether {successor.mac}" in guest.run("ip link show eth0").stdout
    delivers(lab.guest(A).udp(A.addresses[0]), lab.guest(successor).udp(address, 53), address)
    until(lambda: not lab.fabric.tidy(), "the old link goes")
    assert guest.run("ip -br link").stdout.count("@") == 1


def test_a_link_has_an_ipv6_gateway_once_its_port_has_an_ipv6_address(lab: Lab) -> None:
    """The address is the same on all of them, and the kernel walks them all for each that is added."""
    bare = replace(A, addresses=A.addresses[:1])

    def gateways() -> int:
        namespace = lab.settings.run_dir / "netns" / names.vpc_pin(vpc().id)
        pinned = namespaces.open_pinned(namespace)
        assert pinned is not None
        with RouteSocket(pinned) as route:
            found = [addresses.parse_address(body) for body in route.dump(addresses.get_addresses())]
        os.close(pinned)
        return sum(str(address.interface.ip) == "fe80::1" for address in found)

    lab.apply(vpc(), group(), table(), bare, B)
    assert gateways() == 1
    lab.apply(A)
    assert gateways() == 2
    lab.restart()
    assert gateways() == 2
    delivers(lab.guest(A).udp(A.addresses[1]), lab.guest(B).udp(B.addresses[1], 53), B.addresses[1])
    lab.apply(bare)
    assert gateways() == 1


def test_an_instance_that_started_again_is_plugged_anew(lab: Lab) -> None:
    lab.apply(vpc(), group(), table(), A, B)
    lab.guests.pop(B.instance_id).close()
    lab.apply(replace(B, boot=2))
    delivers(lab.guest(A).udp(A.addresses[0]), lab.guest(B).udp(B.addresses[0], 53), B.addresses[0])


def test_a_vanished_guest_hinders_nobody(lab: Lab) -> None:
    lab.apply(vpc(), group(), table(), A, B)
    lab.guests.pop(B.instance_id).close()
    c = port(7)
    lab.guests[c.instance_id] = Guest()
    ghost = replace(port(8), instance_id="i-ghost")
    changes = [Change(B, None), Change(None, c), Change(None, ghost)]
    assert lab.fabric.apply(changes) == {ghost.key: "instance i-ghost is gone"}
    lab.guest(c).configure(c)
    delivers(lab.guest(A).udp(A.addresses[0]), lab.guest(c).udp("10.0.1.7", 53), "10.0.1.7")


def test_a_guest_that_dies_under_a_change_fails_alone(lab: Lab) -> None:
    lab.apply(vpc(), group(), table(), A, B)
    lab.guests.pop(B.instance_id).close()
    router = lab.fabric._routers[vpc().id].node
    until(lambda: _gone(router, names.port_link(B.attachment_id)), "the kernel has taken the link away")
    more = replace(B, addresses=(*B.addresses, ip_address("10.0.1.66")))
    c = port(7)
    lab.guests[c.instance_id] = Guest()
    assert list(lab.fabric.apply([Change(B, more), Change(None, c)])) == [B.key]
    lab.guest(c).configure(c)
    delivers(lab.guest(A).udp(A.addresses[0]), lab.guest(c).udp("10.0.1.7", 53), "10.0.1.7")
    del lab.world[B.key]
    lab.apply(replace(more, boot=2))
    delivers(lab.guest(A).udp(A.addresses[0]), lab.guest(B).udp("10.0.1.66", 53), "10.0.1.66")


def _gone(node: Node, link: str) -> bool:
    return node.route.batch([links.get_link(name=link)]) != [0]


def test_applying_the_same_again_changes_nothing(lab: Lab) -> None:
    lab.apply(vpc(), group(), table(), A, B)
    before = dict(lab.fabric.counts)
    lab.apply(A, B, vpc(), group(), table())
    assert dict(lab.fabric.counts) == before


def test_a_change_costs_the_same_in_a_full_vpc(lab: Lab) -> None:
    def cost() -> tuple[int, ...]:
        before = lab.fabric.counts.copy()
        lab.apply(port(200))
        lab.remove(port(200))
        lab.fabric.tidy()
        spent = lab.fabric.counts - before
        assert spent["processes"] == 0
        return spent["messages"], spent["batches"], spent["transactions"]

    lab.apply(vpc(), group(), table(), A, B)
    cost()
    alone = cost()
    lab.apply(*(group(f"sg-{number}") for number in range(20)))
    lab.apply(*(port(number, groups=(f"sg-{number % 20}",)) for number in range(10, 60)))
    assert cost() == alone


def test_a_restarted_agent_disturbs_no_flow(lab: Lab) -> None:
    lab.apply(vpc(), group(), table(), A, B)
    ear = lab.guest(B).udp(B.addresses[0], 53)
    with Probe(lab).running() as probe:
        probe.advance(20)
        for _ in range(3):
            lab.restart()
            probe.advance(20)
    assert set(range(probe.sent)) - set(received(ear)) == set()


def test_a_restarted_agent_mends_and_sweeps(lab: Lab) -> None:
    second = vpc("vpc-0000000000000000b")
    c = port(7)
    lab.apply(vpc(), group(), table(), A, B, c, second)
    lab.apply(group(egress=()))
    lab.guest(A).udp(A.addresses[0]).sendto(b"x", (str(B.addresses[0]), 53))
    until(lambda: lab.dropped("egress_denied") == 1, "one drop to remember")
    lab.apply(group())
    lab.world.pop(c.key)
    lab.world.pop(second.key)
    moved_b = lab.world[B.key] = moved(B, 1)
    lab.guests[moved_b.instance_id] = Guest()
    lab.restart()
    lab.guest(moved_b).configure(moved_b)
    sender = lab.guest(A).udp(A.addresses[0], 999)
    delivers(sender, lab.guest(moved_b).udp(B.addresses[0], 53), B.addresses[0])
    assert lab.dropped("egress_denied") == 1, "counters are carried over"
    assert "eth0" not in lab.guest(c).run("ip -br link").stdout
    assert sorted(os.listdir(lab.settings.run_dir / "netns")) == ["internet", vpc().id]


def test_a_lost_table_is_mended_by_a_resync(lab: Lab) -> None:
    lab.apply(vpc(), group(), table(), A, B)
    router = Guest(os.dup(lab.fabric._routers[vpc().id].node.namespace))
    router.run("nft flush ruleset; ip route flush 10.0.1.6; ip rule add pref 7 lookup 77")
    router.close()
    lab.restart()
    delivers(lab.guest(A).udp(A.addresses[0]), lab.guest(B).udp(B.addresses[0], 53), B.addresses[0])
    assert lab.fabric._routers[vpc().id].node.rules.held == {}


def test_a_router_the_kernel_refused_something_is_built_anew(lab: Lab) -> None:
    lab.apply(vpc(), group(), table(), A)
    router = Guest(os.dup(lab.fabric._routers[vpc().id].node.namespace))
    router.run("nft flush ruleset")
    router.close()
    lab.guests[B.instance_id] = Guest()
    assert list(lab.fabric.apply([Change(None, B)])) == [B.key]
    lab.apply(B)
    delivers(lab.guest(A).udp(A.addresses[0]), lab.guest(B).udp(B.addresses[0], 53), B.addresses[0])


def test_a_small_send_buffer_only_splits_the_load(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first part holds the fixed rules and the senders' addresses, which is all that running flows need."""
    lab.apply(vpc(), table(), *(group(f"sg-{number}") for number in range(10)), group())
    lab.apply(*(port(number, groups=(f"sg-{number}", "sg-open")) for number in range(5, 10)))
    monkeypatch.setattr("enid.netlink.netfilter._ROOM", 16384)
    with Probe(lab).running() as probe:
        ear = lab.guest(B).udp(B.addresses[0], 53)
        probe.advance(20)
        lab.restart()
        probe.advance(20)
    assert lab.fabric.counts["transactions"] > 3
    arrived = received(ear)
    assert arrived == list(range(arrived[0], probe.sent))


def test_tidying_up_ends_when_old_links_and_old_tables_are_gone(lab: Lab) -> None:
    lab.apply(vpc(), table(), group(), A, B)
    lab.restart()
    lab.remove(B)
    while lab.fabric.tidy():
        pass
    router = Guest(os.dup(lab.fabric._routers[vpc().id].node.namespace))
    chains = router.run("nft list chains").stdout
    router.close()
    assert chains.count("table inet enid") == 1


def test_chains_nobody_uses_are_swept(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enid.fabric.linux.router._GARBAGE", 3)
    lab.apply(vpc(), table(), *(group(f"sg-{number}") for number in range(6)), group(), A, B)
    for number in range(6):
        lab.apply(replace(A, groups=(f"sg-{number}",)))
    router = Guest(os.dup(lab.fabric._routers[vpc().id].node.namespace))
    before = router.run("nft list chains").stdout.count("egress_of_")
    with Probe(lab).running() as probe:
        ear = lab.guest(B).udp(B.addresses[0], 53)
        probe.advance(20)
        assert lab.fabric.tidy(), "the old table is still to be deleted"
        probe.advance(20)
        assert not lab.fabric.tidy()
    after = router.run("nft list chains").stdout.count("egress_of_")
    router.close()
    assert (before, after) == (7, 2)
    arrived = received(ear)
    assert arrived == list(range(arrived[0], probe.sent))


def test_a_vpc_that_goes_leaves_nothing(lab: Lab) -> None:
    lab.apply(vpc(), group(), table(), A)
    lab.remove(A, vpc(), group(), table())
    assert os.listdir(lab.settings.run_dir / "netns") == ["internet"]


def test_destroy_leaves_nothing(lab: Lab) -> None:
    lab.apply(vpc(internet=True), group(), table(), A, B)
    lab.fabric.destroy()
    assert os.listdir(lab.settings.run_dir) == []
    mounts = subprocess.run(["cat", "/proc/self/mountinfo"], capture_output=True, text=True, check=True).stdout
    assert str(lab.settings.run_dir) not in mounts
    until(lambda: "eth0" not in lab.guest(A).run("ip -br link").stdout, "the guest's end is gone, too")
