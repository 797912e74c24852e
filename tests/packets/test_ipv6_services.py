"""Router advertisements and DHCPv6 between a guest's kernel, or a client in it, and the process that serves a VPC."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address

import pytest
from fabric_lab import Lab, udp_frame, until, vpc
from served_lab import Client, Served, told

from enid.services.ipv6 import message as m
from enid.topology.records import Port

pytestmark = [pytest.mark.root, pytest.mark.timeout(120)]

LEASED = (140, 450)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for all: each test has ports of its own."""
    lab = Lab(tmp_path_factory.mktemp("served"))
    made = None
    try:
        made = Served(lab)
        yield made
    finally:
        if made is not None:
            made.close()
        lab.close()


def own(plug: Port) -> str:
    """The IPv6 address that a port begins with."""
    return str(plug.addresses[1])


def default_route(served: Served, plug: Port) -> str:
    return served.lab.guest(plug).run("ip -6 route show default").stdout


def solicit(served: Served, plug: Port) -> None:
    """Let the guest's kernel ask for a router, as it does when a link comes up."""
    settings = "accept_ra=1 router_solicitation_delay=0 dad_transmits=0"
    commands = [f"sysctl -qw net.ipv6.conf.eth0.{each}" for each in settings.split()]
    served.lab.guest(plug).run("; ".join(["ip link set eth0 down", *commands, "ip link set eth0 up"]))


def test_the_kernel_of_a_guest_finds_its_router(served: Served) -> None:
    plug = served.port()
    solicit(served, plug)

    def found() -> bool:
        served.look()
        return "via fe80::1 dev eth0 proto ra" in default_route(served, plug)

    until(found, "a default route", 20)
    assert 1700 < int(default_route(served, plug).split("expires ")[1].split("sec")[0]) <= 1800
    addresses = served.lab.guest(plug).run("ip -6 address show dev eth0 scope global").stdout
    assert addresses == "", "it makes itself none"
    neighbours = served.lab.router().run("ip -6 neighbour").stdout
    assert all("PERMANENT" in line for line in neighbours.splitlines()), "the router has learned nobody's MAC"


def test_without_an_ipv6_address_there_is_no_router(served: Served) -> None:
    without, control = served.port(), served.port()
    served.give(without)
    for plug in (without, control):
        served.lab.guest(plug).run("ip -6 route delete default")
        solicit(served, plug)
    until(lambda: "proto ra" in default_route(served, control), "the control", 20)
    assert default_route(served, without) == ""


def test_an_advertisement_comes_with_a_lease_and_disturbs_nobody_else(served: Served) -> None:
    """Not the guest that enid has configured: its kernel does not look at it."""
    configured, listening = served.port(), served.port()
    before = default_route(served, configured)
    assert Client(served, configured).lease() == {own(configured): LEASED}
    served.lab.guest(listening).run("ip -6 route delete default; sysctl -qw net.ipv6.conf.eth0.accept_ra=1")
    assert Client(served, listening).lease() == {own(listening): LEASED}
    until(lambda: "proto ra" in default_route(served, listening), "the control: one that listens has heard it")
    assert default_route(served, configured) == before


def test_a_lease_follows_what_the_interface_has(served: Served) -> None:
    plug = served.port()
    client, one, added = Client(served, plug), own(plug), "2001:db8:0:1::44"
    assert client.ask(m.SOLICIT) == {one: LEASED}
    client.send(m.REQUEST)
    reply = client.hear()
    assert reply is not None
    assert reply.first(m.DNS) == IPv6Address("fd00:ec2::253").packed
    served.give(plug, one, added)
    assert client.ask(m.RENEW, IPv6Address(one)) == {one: LEASED, added: LEASED}
    served.give(plug, added)
    assert client.ask(m.RENEW, IPv6Address(one), IPv6Address(added)) == {added: LEASED, one: (0, 0)}
    served.give(plug)
    assert client.ask(m.RENEW, IPv6Address(added)) == {added: (0, 0)}, "also when it was the last one"
    assert client.ask(m.REBIND, IPv6Address(added)) == {added: (0, 0)}
    client.send(m.SOLICIT)
    assert client.hear(0.5) is None


def test_the_option_set_says_how_long(served: Served) -> None:
    plug = served.port()
    client = Client(served, plug)
    assert client.lease() == {own(plug): LEASED}
    served.options(ipv6_address_preferred_lease_time="86400")
    try:
        assert client.ask(m.RENEW, IPv6Address(own(plug))) == {own(plug): (86400, 86710)}
    finally:
        served.options()


def test_whoever_one_says_to_be(served: Served) -> None:
    """An identifier is the client's to choose. The link is not, nor is the MAC."""
    victim, plug = served.port(), served.port()
    thief = Client(served, plug, bytes.fromhex("00030001" + victim.mac.replace(":", "")))
    assert thief.lease() == {own(plug): LEASED}
    assert thief.ask(m.RENEW, IPv6Address(own(victim))) == {own(plug): LEASED, own(victim): (0, 0)}
    before = served.lab.dropped("spoof")
    asks = udp_frame(victim.mac, vpc().id, ip_address("fe80::9"), ip_address("ff02::1:2"), 547)
    served.lab.guest(plug).frame("eth0", asks)
    until(lambda: served.lab.dropped("spoof") > before, "another's MAC")


def test_what_was_asked_while_nobody_served_is_answered(served: Served) -> None:
    plug = served.port()
    client = Client(served, plug)
    assert client.ask(m.SOLICIT) == {own(plug): LEASED}
    served.kill()
    client.send(m.REQUEST)
    assert client.hear(0.2) is None
    served.serve()
    assert told(client.hear()) == {own(plug): LEASED}
    assert client.ask(m.RENEW, IPv6Address(own(plug))) == {own(plug): LEASED}


def test_more_than_the_rate_is_counted_and_dropped(served: Served) -> None:
    plug, other = served.port(), served.port()
    asks = udp_frame(plug.mac, vpc().id, ip_address("fe80::9"), ip_address("ff02::1:2"), 547)
    flood = served.lab.guest(plug).socket(socket.AF_PACKET, socket.SOCK_RAW)
    flood.bind(("eth0", 0))
    deadline = time.monotonic() + 20
    while not served.lab.dropped("too_fast"):
        assert time.monotonic() < deadline
        for _ in range(2000):
            flood.send(asks)
    assert Client(served, other).lease() == {own(other): LEASED}, "which is nobody else's affair"
