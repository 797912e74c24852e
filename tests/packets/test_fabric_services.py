"""Which packets reach the sockets behind a VPC's services, and which never do."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from fabric_lab import EVERYWHERE, Lab, checksum, group, nothing_for, port, table, udp_frame, until, vpc

from enid.fabric.linux import names
from enid.fabric.linux.listeners import open_listeners
from enid.netlink import namespaces
from enid.topology.records import Route, Subnet, TargetKind

pytestmark = pytest.mark.root

DENIED = group(ingress=(), egress=())
ONE, TWO = port(4), port(5)
SECOND_SUBNET = Subnet("subnet-c", (ip_network("10.0.3.0/24"),))


class Services:
    """The sockets the agent would hand over."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        opened = open_listeners(lab.fabric.routers()[vpc().id])
        self.metadata, self.datagrams, self.streams, self.leases, *of_ipv6 = self.all = opened
        self.leases6, self.solicitations, self.answers = of_ipv6

    def source(self, listening: socket.socket) -> str:
        """Where the next datagram or connection comes from."""
        assert select.select([listening], [], [], 5)[0]
        if listening.type == socket.SOCK_STREAM:
            accepted, peer = listening.accept()
            accepted.close()
        else:
            _, peer = listening.recvfrom(2000)
        return str(peer[0]).removeprefix("::ffff:")


@pytest.fixture
def services(lab: Lab) -> Iterator[Services]:
    lab.apply(vpc(), DENIED, table(), ONE, TWO)
    made = Services(lab)
    yield made
    for opened in made.all:
        opened.close()


RESOLVERS = ("10.0.0.2", "10.0.1.2", "10.0.2.2", "169.254.169.253", "fd00:ec2::253")


def connects(lab: Lab, to: str, number: int, sender: object = ONE) -> bool:
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    made = lab.guest(sender).socket(family, socket.SOCK_STREAM)  # type: ignore[arg-type]
    made.settimeout(0.3)
    return made.connect_ex((to, number)) == 0


def test_names_are_asked_at_every_address_there_is_for_it(lab: Lab, services: Services) -> None:
    """Whatever the interface's groups say: here they allow nothing."""
    for address in RESOLVERS:
        own = "2001:db8:0:1::4" if ":" in address else "10.0.1.4"
        asking = lab.guest(ONE).udp("::" if ":" in address else "0.0.0.0")
        asking.sendto(b"x", (address, 53))
        assert services.source(services.datagrams) == own
        assert connects(lab, address, 53)
        assert services.source(services.streams) == own


def test_metadata_has_one_address_in_each_family(lab: Lab, services: Services) -> None:
    for address, own in (("169.254.169.254", "10.0.1.4"), ("fd00:ec2::254", "2001:db8:0:1::4")):
        assert connects(lab, address, 80)
        assert services.source(services.metadata) == own
    assert not any(connects(lab, address, 80) for address in RESOLVERS)
    assert not connects(lab, "169.254.169.254", 53)
    assert not connects(lab, "10.0.1.1", 80)
    assert lab.dropped("to_router") >= 7


def test_a_subnet_that_comes_brings_its_resolver_and_takes_it_along(lab: Lab, services: Services) -> None:
    """The sockets stay the same."""
    assert not connects(lab, "10.0.3.2", 53)
    lab.apply(replace(vpc(), subnets=(*vpc().subnets, SECOND_SUBNET)))
    assert connects(lab, "10.0.3.2", 53)
    lab.apply(vpc())
    assert not connects(lab, "10.0.3.2", 53)
    lab.restart()
    assert connects(lab, "10.0.0.2", 53), "a new agent finds everything as it is"
    assert not connects(lab, "10.0.3.2", 53)


@pytest.mark.parametrize("checked", [True, False])
def test_not_from_a_forged_address(lab: Lab, services: Services, checked: bool) -> None:
    lab.apply(replace(ONE, source_dest_check=checked))
    for source, target in (
        ("10.0.1.5", "10.0.0.2"),
        ("2001:db8:0:1::5", "fd00:ec2::253"),
        ("fe80::5", "fd00:ec2::253"),
    ):
        frame = udp_frame(ONE.mac, vpc().id, ip_address(source), ip_address(target), 53)
        lab.guest(ONE).frame("eth0", frame)
    until(lambda: lab.dropped("spoof") + lab.dropped("to_router") >= 3, "all three are dropped")
    assert nothing_for(services.datagrams)
    frame = udp_frame(ONE.mac, vpc().id, ip_address("10.0.1.4"), ip_address("10.0.0.2"), 53)
    lab.guest(ONE).frame("eth0", frame)
    assert services.source(services.datagrams) == "10.0.1.4", "the control: frames do arrive"


def test_not_from_the_internet(lab: Lab, services: Services) -> None:
    """Neither as itself nor as nobody."""
    lab.apply(replace(vpc(), internet=True), table(Route(EVERYWHERE, TargetKind.INTERNET)))
    internet = namespaces.open_pinned(lab.settings.run_dir / "netns" / names.INTERNET)
    assert internet is not None
    link = names.vpc_link(vpc().id)
    macs = bytes.fromhex((names.wire_mac(link, "lower") + names.wire_mac(link, "upper")).replace(":", ""))
    wire = namespaces.run_in(internet, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
    wire.bind((link, 0))
    before = lab.dropped("to_router")
    nobody, everybody = ip_address("0.0.0.0"), ip_address("255.255.255.255")
    for source, target, number in (
        (ip_address("203.0.113.9"), ip_address("10.0.0.2"), 53),
        (ip_address("203.0.113.9"), ip_address("169.254.169.254"), 80),
        (ip_address("203.0.113.9"), ip_address("10.0.1.1"), 67),
        (nobody, everybody, 67),
    ):
        wire.send(macs + udp_frame("02:00:00:00:00:01", vpc().id, source, target, number)[12:])
    link_local = ip_address("fe80::9")
    wire.send(macs + udp_frame("02:00:00:00:00:01", vpc().id, link_local, ip_address("ff02::1:2"), 547)[12:])
    wire.send(macs + solicitation(link_local)[12:])
    until(lambda: lab.dropped("to_router") >= before + 3, "they are dropped")
    wire.close()
    assert nothing_for(services.datagrams)
    assert nothing_for(services.leases)
    assert nothing_for(services.leases6)
    assert nothing_for(services.solicitations)


def test_a_lease_is_asked_for_without_an_address_and_renewed_with_one(lab: Lab, services: Services) -> None:
    nobody, everybody = ip_address("0.0.0.0"), ip_address("255.255.255.255")
    lab.guest(ONE).frame("eth0", udp_frame(ONE.mac, vpc().id, nobody, everybody, 67))
    assert services.source(services.leases) == "0.0.0.0"
    lab.guest(ONE).frame("eth0", udp_frame(ONE.mac, vpc().id, ip_address("10.0.1.4"), ip_address("10.0.1.1"), 67))
    assert services.source(services.leases) == "10.0.1.4"
    lab.guest(ONE).frame("eth0", udp_frame(ONE.mac, vpc().id, nobody, everybody, 68))
    lab.guest(ONE).frame("eth0", udp_frame(ONE.mac, vpc().id, nobody, ip_address("10.0.0.2"), 53))
    lab.guest(ONE).frame("eth0", udp_frame(ONE.mac, vpc().id, ip_address("10.0.1.4"), ip_address("10.0.0.2"), 53))
    assert services.source(services.datagrams) == "10.0.1.4"
    assert nothing_for(services.leases)


def solicitation(source: object) -> bytes:
    """An Ethernet frame that asks for a router; its sender's MAC is ONE's."""
    own, routers = ip_address(str(source)), ip_address("ff02::2")
    message = bytes((133, 0, 0, 0)) + bytes(4) + b"\1\1" + bytes.fromhex(ONE.mac.replace(":", ""))
    summed = checksum(own.packed + routers.packed + struct.pack("!II", len(message), 58) + message)
    head = struct.pack("!IHBB", 6 << 28, len(message), 58, 255) + own.packed + routers.packed
    macs = bytes.fromhex("333300000002" + ONE.mac.replace(":", ""))
    return macs + b"\x86\xdd" + head + message[:2] + summed + message[4:]


def test_a_router_is_asked_for_without_an_address_and_learns_none(lab: Lab, services: Services) -> None:
    for source in ("fe80::9", "::"):
        lab.guest(ONE).frame("eth0", solicitation(source))
        assert services.source(services.solicitations) == "::"
    for source in ("2001:db8:0:1::4", "2001:db8:0:1::5", "fd00:ec2::253"):
        lab.guest(ONE).frame("eth0", solicitation(source))
    lab.guest(TWO).frame("eth0", solicitation("fe80::9"))
    until(lambda: lab.dropped("spoof") >= 3, "from another's MAC, and from others' addresses")
    assert nothing_for(services.solicitations)
    assert all("PERMANENT" in line for line in lab.router().run("ip -6 neighbour").stdout.splitlines())


@pytest.mark.parametrize("checked", [True, False])
def test_a_lease_over_ipv6_is_asked_for_from_the_links_own_address(lab: Lab, services: Services, checked: bool) -> None:
    lab.apply(replace(ONE, source_dest_check=checked))
    many, router = ip_address("ff02::1:2"), ip_address("fe80::1")

    def ask(source: str, target: object, number: int = 547) -> None:
        frame = udp_frame(ONE.mac, vpc().id, ip_address(source), ip_address(str(target)), number)
        lab.guest(ONE).frame("eth0", frame)

    for source, target, number in (
        ("2001:db8:0:1::4", many, 547),
        ("2001:db8:0:1::4", "fd00:ec2::253", 547),
        ("::", many, 547),
        ("fe80::9", many, 546),
        ("fe80::9", "ff02::1", 547),
        ("fe80::9", router, 547),
        ("fe80::9", "ff05::1:3", 547),
    ):
        ask(source, target, number)
    ask("fe80::9", many)
    assert services.source(services.leases6).startswith("fe80::9")
    assert nothing_for(services.leases6)


def test_the_socket_for_answers_hears_nothing(lab: Lab, services: Services) -> None:
    """Whoever holds it could bind it anew, but not take off its filter."""
    every = socket.htons(3)
    namespaces.run_in(
        lab.fabric.routers()[vpc().id], lambda: services.answers.bind((names.port_link(ONE.attachment_id), every))
    )
    with pytest.raises(OSError, match="not permitted"):
        services.answers.setsockopt(socket.SOL_SOCKET, 27, 0)  # SO_DETACH_FILTER
    asking = lab.guest(ONE).udp("0.0.0.0")
    asking.sendto(b"x", ("10.0.0.2", 53))
    assert services.source(services.datagrams) == "10.0.1.4"
    assert nothing_for(services.answers)
