"""Frames that pretend, and who may hear them: nobody, but for the few that AWS delivers.

Two things are drawn for each: what it pretends (its source, its MAC, its flow, its kind), and in what it is wrapped
(fragments, options, extension headers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, ip_address
from random import Random

from forgery_lab import WIRE, owner, site_macs
from forgery_world import CAFE, HOME, NAT, PEER, PORTS, PRIVATE, STRANGER, TWIN, UNCHECKED, VICTIM, VPCS

import packets
from enid.fabric.linux import names
from enid.netlink.message import hardware
from enid.topology import services as vpc_services
from enid.topology.records import Port
from packets import ETHER_TYPE, GRE, ICMP, ICMP6, TCP, UDP, Address

SERVER_PORTS = (22, 53, 80, 443)
_BROADCAST = b"\xff" * 6
_FAR = ("8.8.8.8", str(CAFE.public_ip), "169.254.100.1", "100.64.0.1", "198.18.77.77", "2001:db8:ffff::7")
_NOBODY = (
    *("0.0.0.0", "127.0.0.1", "224.0.0.1", "239.1.2.3", "255.255.255.255", "10.0.1.255", "10.0.0.0", "240.0.0.1"),
    *("::", "::1", "ff02::1", "ff02::2", "ff0e::1", "fe80::1", "fe80::6", "::ffff:10.0.1.6", "2002:a00:106::1"),
)
"""What is no machine's address."""
_MANY = ("224.0.0.1", "224.0.0.251", "239.255.255.250", "255.255.255.255", "10.0.1.255", "10.0.2.255", "10.0.255.255")
_MANY6 = ("ff02::1", "ff02::2", "ff02::fb", "ff05::2", "ff0e::1", "ff02::1:ff00:6")
_ETHER_TYPES = ("88b5", "88cc", "8847", "8863", "8864", "8035", "9000", "8906", "0001", "05ff", "0806", "86dc", "0000")

Frames = tuple[tuple[str, bytes], ...]
"""Each from an interface, in this order."""


@dataclass(frozen=True)
class Forgery:
    number: int
    kind: str
    frames: Frames
    to: str = ""
    """The one place where it may come out."""
    must: bool = False
    """And must."""


@dataclass(frozen=True)
class Flow:
    """An established one."""

    near: Port
    far: Port
    version: int
    protocol: int
    ports: tuple[int, int]

    @property
    def ends(self) -> tuple[Address, Address]:
        return address(self.near, self.version), address(self.far, self.version)


@cache
def address(port: Port, version: int) -> Address:
    """Its first of that family."""
    return next(each for each in port.addresses if each.version == version)


@cache
def versions(*ports: Port) -> list[int]:
    """Families they all have."""
    return [version for version in (4, 6) if all(any(a.version == version for a in p.addresses) for p in ports)]


@cache
def router_mac(vpc_id: str) -> bytes:
    return hardware(names.router_mac(vpc_id))


def framed(port: Port, version: int, packet: bytes) -> tuple[str, bytes]:
    """As the interface itself would send it."""
    return port.id, router_mac(port.vpc_id) + hardware(port.mac) + ETHER_TYPE[version] + packet


class Forger:
    """Draws forgeries, with even numbers, and controls, with odd ones.

    Ports and identifiers follow from the number, and come again before conntrack forgets; but no forgery is ever part
    of the flow that a control began.
    """

    def __init__(self, random: Random, flows: list[Flow]) -> None:
        self._random = random
        self._flows = flows
        self._next = 0

    def draw(self) -> Forgery:
        """One of any kind."""
        self._next += self._next % 2
        while True:
            kind = self._random.choices(_KINDS, _WEIGHTS)[0]
            made = KINDS[kind](self)
            if made is not None:
                return Forgery(self._next - 2, kind, *made)

    def control(self) -> Forgery:
        """What it pretends is true: it arrives."""
        self._next += 1 - self._next % 2
        sender, receiver = self._pair()
        version = self._random.choice(versions(sender, receiver))
        source, protocol = address(sender, version), self._random.choice((TCP, UDP, ICMP if version == 4 else ICMP6))
        frame = framed(sender, version, self._plain(source, address(receiver, version), protocol))
        return Forgery(self._next - 2, "control", (frame,), receiver.id, True)

    def honest(self) -> Forgery:
        """In whatever wrapping, and under the sender's own address: most of these arrive."""
        sender, receiver = self._pair()
        version = self._random.choice(versions(sender, receiver))
        ends = address(sender, version), address(receiver, version)
        made = self._wrapped(*ends, self._random.choice((TCP, UDP)))
        return Forgery(self._next - 2, "honest", tuple(framed(sender, version, each) for each in made), receiver.id)

    def outings(self) -> Iterator[Forgery]:
        """What goes to the internet and comes from there."""
        outside = CAFE.public_ip
        for port in (*(port for port in PORTS if port.public), PRIVATE):
            frame = framed(port, 4, self._plain(address(port, 4), outside, UDP))
            yield Forgery(self._next - 2, "to the internet", (frame,), WIRE, True)
        for port in PORTS:
            for _, public in port.public:
                frame = site_macs() + ETHER_TYPE[4] + self._plain(outside, public, UDP)
                yield Forgery(self._next - 2, "into a VPC", ((WIRE, frame),), port.id, True)

    def questions(self) -> Iterator[Forgery]:
        """What asks a VPC's services."""
        for port in PORTS:
            for version in versions(port):
                source = address(port, version)
                resolver = next(each for each in vpc_services.RESOLVER if each.version == version)
                body = self._body(source, resolver, UDP, (9, vpc_services.DNS))
                frame = framed(port, version, packets.ip(source, resolver, UDP, body))
                yield Forgery(self._next - 2, "question", (frame,))

            if 6 in versions(port):
                yield Forgery(self._next, "question", self._lease_question(port, ip_address("fe80::99"), port.mac))
                yield Forgery(self._next, "question", self._router_question(port, ip_address("fe80::99"), port.mac))

    def _lease_question(self, sender: Port, source: Address, mac: str) -> Frames:
        """By DHCPv6."""
        servers = ip_address("ff02::1:2")
        made = packets.ip(source, servers, UDP, self._body(source, servers, UDP, (546, vpc_services.DHCP6)))
        return ((sender.id, b"\x33\x33\0\1\0\2" + hardware(mac) + ETHER_TYPE[6] + made),)

    def _router_question(self, sender: Port, source: Address, mac: str) -> Frames:
        routers = ip_address("ff02::2")
        fields = bytes(4) + b"\x01\x01" + hardware(mac)
        made = packets.ip(source, routers, ICMP6, self._discovery(133, fields, source, routers), hops=255)
        return ((sender.id, b"\x33\x33\0\0\0\2" + hardware(mac) + ETHER_TYPE[6] + made),)

    def _discovery(self, kind: int, fields: bytes, source: Address, destination: Address) -> bytes:
        # An unknown option carries the mark, or it would be no valid message.
        body = bytes((kind, 0, 0, 0)) + fields + b"\xfd\x02" + bytes(6) + self._number()
        ends = source.packed + destination.packed
        summed = packets.checksum(ends + len(body).to_bytes(4, "big") + bytes((0, 0, 0, ICMP6)) + body)
        return body[:2] + summed + body[4:]

    # What is drawn

    def _number(self) -> bytes:
        self._next += 2
        return packets.mark(self._next - 2)

    def _pair(self) -> tuple[Port, Port]:
        """Two that may talk to each other."""
        while True:
            sender, receiver = self._random.sample(PORTS, 2)
            if reachable(sender, receiver) and sender.instance_id != receiver.instance_id:
                return sender, receiver

    def _ports(self, protocol: int) -> tuple[int, int]:
        if protocol in (ICMP, ICMP6):
            return (8 if protocol == ICMP else 128), 0
        return 10_000 + self._next % 50_000, self._random.choice(SERVER_PORTS)

    def _body(self, source: Address, destination: Address, protocol: int, ports: tuple[int, int] = (0, 0)) -> bytes:
        number = self._number()
        padding = bytes(self._random.choice((0, 8, 24, 40)))
        ends = source.packed + destination.packed
        return packets.transport(protocol, ports if any(ports) else self._ports(protocol), padding + number, ends)

    def _plain(self, source: Address, destination: Address, protocol: int) -> bytes:
        return packets.ip(source, destination, protocol, self._body(source, destination, protocol))

    def _protocol(self, version: int) -> int:
        return self._random.choice((TCP, UDP, UDP, ICMP if version == 4 else ICMP6, GRE, 4, 41, 50, 132))

    def _wrapped(
        self, source: Address, destination: Address, protocol: int, ports: tuple[int, int] = (0, 0)
    ) -> list[bytes]:
        """The packet, in one of the ways to disguise it."""
        body = self._body(source, destination, protocol, ports)
        random, ident = self._random, self._next
        way = random.random()
        if way < 0.3:
            cuts = random.choice(((8,), (16,), (8, 16), (24,)))
            pieces = packets.fragments(source, destination, protocol, body, ident, cuts)
            return random.choice((pieces, pieces[::-1], [pieces[-1]], [pieces[0], *pieces]))
        if way < 0.6 and source.version == 4:
            options = random.choice(
                (
                    b"\x94\x04\0\0",
                    b"\x07\x07\x04\0\0\0\0\0",
                    b"\x44\x0c\x05\0" + bytes(8),
                    b"\x83\x07\x04" + destination.packed,
                )
            )
            return [packets.ip(source, destination, protocol, body, options=options)]
        if way < 0.6:
            header, data = random.choice(
                (
                    (packets.HOP_BY_HOP, b"\x05\x02\0\0\x01\0"),
                    (packets.HOP_BY_HOP, b"\x01\x04" + bytes(4)),
                    (packets.DESTINATION, b"\x01\x04" + bytes(4)),
                    (packets.ROUTING, b"\0\0" + bytes(4)),
                    (packets.ROUTING, b"\x02\x01" + bytes(4) + destination.packed),
                )
            )
            return [packets.extended(source, destination, protocol, body, header, data)]
        return [packets.ip(source, destination, protocol, body, hops=random.choice((2, 64, 255)))]

    def _destination(self, sender: Port, version: int) -> Address:
        """Somebody's, or something's."""
        random = self._random
        pool = [each for port in PORTS for each in port.addresses if port.id != sender.id and each.version == version]
        pool += [public for port in PORTS for _, public in port.public if version == 4]
        pool += [each for each in vpc_services.addresses(VPCS[sender.vpc_id]) if each.version == version] * 2
        pool += [each for each in map(ip_address, _FAR) if each.version == version]
        return random.choice([each for each in pool if owner(str(each), sender.vpc_id) != sender])

    def _source(self, sender: Port, version: int) -> Address:
        """Not the sender's."""
        random = self._random
        pool = [each for port in PORTS for each in port.addresses] * 2
        pool += [public for port in (*PORTS, NAT) for _, public in port.public]
        pool += [prefix[random.randrange(16)] for port in PORTS for prefix in port.prefixes]
        pool += [*NAT.addresses, *map(ip_address, _NOBODY), *map(ip_address, _FAR), *own_of_router(sender.vpc_id)]
        pool = [each for each in pool if each.version == version and owner(str(each), sender.vpc_id) != sender]
        return random.choice(pool)


Made = tuple[Frames, str, bool] | None
"""Frames, where they may come out, and whether they must."""


@cache
def own_of_router(vpc_id: str) -> list[Address]:
    vpc = VPCS[vpc_id]
    return [*(gateway for subnet in vpc.subnets for gateway in subnet.gateways), *vpc_services.addresses(vpc)]


@cache
def reachable(sender: Port, receiver: Port) -> bool:
    return sender.vpc_id == receiver.vpc_id or {sender.vpc_id, receiver.vpc_id} in (
        {HOME, PEER},
        {PEER, "vpc-0000000000000000c"},
    )


@cache
def nobodys(source: Address, vpc_id: str) -> bool:
    """No interface whatsoever may pretend to be this."""
    return (
        source.is_multicast
        or source.is_loopback
        or source.is_unspecified
        or source.is_link_local
        or source in own_of_router(vpc_id)
        or source == IPv4Address("255.255.255.255")
        or (isinstance(source, IPv4Address) and source.packed[0] == 0)
    )


def lifted(sender: Port, source: Address, destination: Address) -> tuple[str, bool]:
    """Where an interface without source check may send this, and whether it has to arrive."""
    if sender.source_dest_check or nobodys(source, sender.vpc_id):
        return "", False
    receiver = owner(str(destination), sender.vpc_id)
    if receiver is not None:
        return receiver.id, False
    behind = owner(str(destination), PEER)
    inside = any(source in block for block in VPCS[HOME].blocks if block.version == source.version)
    if behind is not None and inside:
        return behind.id, False
    return "", False


def _some(self: Forger) -> Port:
    return self._random.choice((*PORTS, UNCHECKED, UNCHECKED))


def _source_address(self: Forger) -> Made:
    sender = _some(self)
    version = self._random.choice((4, 6))
    source, destination = self._source(sender, version), self._destination(sender, version)
    if not sender.source_dest_check and _translated(source, destination):
        return None
    made = self._wrapped(source, destination, self._protocol(version))
    return tuple(framed(sender, version, packet) for packet in made), *lifted(sender, source, destination)


def _translated(source: Address, destination: Address) -> bool:
    """A neighbour's address that the internet gateway would translate, or the VPC's IPv6, to the internet: not tried,
    AWS says nothing about it."""
    inside = any(source in block for block in VPCS[HOME].blocks if block.version == source.version)
    return inside and owner(str(destination), HOME) is None and owner(str(destination), PEER) is None


def _somebodys_flow(self: Forger) -> Made:
    """From a third interface, into an established flow."""
    flow = self._random.choice(self._flows)
    forward = self._random.random() < 0.5
    source, destination = flow.ends if forward else flow.ends[::-1]
    ports = flow.ports if forward else flow.ports[::-1]
    true, receiver = (flow.near, flow.far) if forward else (flow.far, flow.near)
    thieves = [each for each in PORTS if each not in (true, receiver) and owner(str(source), each.vpc_id) != each]
    sender = self._random.choice(thieves)
    body = packets.transport(flow.protocol, ports, self._number(), source.packed + destination.packed, flags=0x10)
    made = packets.ip(source, destination, flow.protocol, body)
    mac = self._random.choice((sender.mac, true.mac))
    frame = router_mac(sender.vpc_id) + hardware(mac) + ETHER_TYPE[flow.version] + made
    return ((sender.id, frame),), *lifted(sender, source, destination)


def _source_mac(self: Forger) -> Made:
    sender, receiver = self._pair()
    version = self._random.choice(versions(sender, receiver))
    others = [port.mac for port in PORTS if port.mac != sender.mac] + ["ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"]
    mac = self._random.choice((*map(hardware, others), router_mac(sender.vpc_id), b"\x01\0\x5e\0\0\x01", b"\x02abcde"))
    # With ports, so that it begins a flow of its own: of those that others began a MAC is not asked.
    protocol = self._random.choice((TCP, UDP, ICMP if version == 4 else ICMP6))
    packet = self._plain(address(sender, version), address(receiver, version), protocol)
    return ((sender.id, router_mac(sender.vpc_id) + mac + ETHER_TYPE[version] + packet),), "", False


def _destination_mac(self: Forger) -> Made:
    """To whom it is not: promiscuous listeners, everybody, another VPC's router."""
    sender, receiver = self._pair()
    version = self._random.choice(versions(sender, receiver))
    others = [hardware(port.mac) for port in PORTS] + [router_mac(each) for each in VPCS if each != sender.vpc_id]
    mac = self._random.choice(
        [*others, _BROADCAST, b"\x01\0\x5e\0\0\x01", b"\x33\x33\0\0\0\x01", b"\x01\x80\xc2\0\0\0"]
    )
    packet = self._plain(address(sender, version), address(receiver, version), self._protocol(version))
    return ((sender.id, mac + hardware(sender.mac) + ETHER_TYPE[version] + packet),), "", False


def _tag(self: Forger) -> Made:
    sender, receiver = self._pair()
    version = self._random.choice(versions(sender, receiver))
    tags = self._random.choice(("81000001", "81000fff", "88a80001", "88a8000181000002", "8100000181000002", "91000001"))
    packet = self._plain(address(sender, version), address(receiver, version), self._protocol(version))
    head = self._random.choice((router_mac(sender.vpc_id), hardware(receiver.mac), _BROADCAST)) + hardware(sender.mac)
    return ((sender.id, head + bytes.fromhex(tags) + ETHER_TYPE[version] + packet),), "", False


def _ether_type(self: Forger) -> Made:
    sender, receiver = self._pair()
    version = self._random.choice(versions(sender, receiver))
    packet = self._plain(address(sender, version), address(receiver, version), UDP)
    head = self._random.choice((router_mac(sender.vpc_id), hardware(receiver.mac), _BROADCAST)) + hardware(sender.mac)
    return ((sender.id, head + bytes.fromhex(self._random.choice(_ETHER_TYPES)) + packet),), "", False


def _arp(self: Forger) -> Made:
    """Claims, gratuitous ones, probes, the reverse protocol: with whatever addresses."""
    sender, random = _some(self), self._random
    claimed, other = (self._source(sender, 4) for _ in "xx")
    assert isinstance(claimed, IPv4Address)
    assert isinstance(other, IPv4Address)
    macs = [hardware(sender.mac), hardware(VICTIM.mac), router_mac(sender.vpc_id), _BROADCAST, bytes(6)]
    message = packets.arp(
        random.choice((1, 1, 2, 2, 3, 4, 8, 9)),
        random.choice(macs),
        random.choice((claimed, claimed, IPv4Address(0))),
        random.choice(macs),
        random.choice((claimed, other)),
    )
    head = random.choice((_BROADCAST, router_mac(sender.vpc_id), hardware(VICTIM.mac))) + random.choice(macs[:3])
    kind = random.choice((b"\x08\x06", b"\x08\x06", b"\x80\x35"))
    return ((sender.id, head + kind + message + self._number()),), "", False


def _neighbour_discovery(self: Forger) -> Made:
    """Solicitations, advertisements of neighbours and routers, redirects."""
    sender, random = _some(self), self._random
    own = address(sender, 6) if versions(sender) == [4, 6] else ip_address("fe80::99")
    source = random.choice((own, ip_address("fe80::1"), ip_address("fe80::99"), self._source(sender, 6)))
    destination = random.choice((*map(ip_address, _MANY6), ip_address("fe80::1"), self._destination(sender, 6)))
    if not (destination.is_multicast or destination.is_link_local):
        if source == own:
            return None  # A packet like any other, that its receiver has to ignore because it came over a router.
        if not sender.source_dest_check and _translated(source, destination):
            return None
    target = random.choice((self._source(sender, 6), ip_address("fe80::1")))
    kind = random.choice((133, 134, 134, 135, 135, 136, 136, 137))
    mac = hardware(random.choice((sender.mac, VICTIM.mac)))
    fields = {
        133: bytes(4) + b"\x01\x01" + mac,
        134: b"\x40\xc0\x07\x08"
        + bytes(8)
        + b"\x03\x04\x40\xc0"
        + b"\xff" * 8
        + bytes(4)
        + target.packed
        + b"\x01\x01"
        + mac,
        135: bytes(4) + target.packed + b"\x01\x01" + mac,
        136: b"\xe0\0\0\0" + target.packed + b"\x02\x01" + mac,
        137: bytes(4) + target.packed + destination.packed + b"\x02\x01" + mac,
    }[kind]
    body = self._discovery(kind, fields, source, destination)
    packet = packets.ip(source, destination, ICMP6, body, hops=255)
    head = random.choice((router_mac(sender.vpc_id), b"\x33\x33" + destination.packed[12:], _BROADCAST))
    where = lifted(sender, source, destination)
    return ((sender.id, head + hardware(sender.mac) + ETHER_TYPE[6] + packet),), *where


def _redirect(self: Forger) -> Made:
    """IPv4's: redirects and router advertisements, of flows there are and there are none."""
    sender, receiver = self._pair()
    if versions(sender, receiver)[0] != 4:
        return None
    own, victim = address(sender, 4), address(receiver, 4)
    source = self._random.choice((own, self._source(sender, 4)))
    gateway = own.packed
    inner = packets.ip(victim, ip_address("203.0.113.77"), UDP, b"\x12\x34\0\x35\0\x10\0\0" + self._number())
    kind = self._random.choice((5, 9, 3, 12))
    body = bytes((kind, 1 if kind == 5 else 0, 0, 0)) + gateway + inner
    body = body[:2] + packets.checksum(body) + body[4:]
    packet = packets.ip(source, victim, ICMP, body)
    return (framed(sender, 4, packet),), "", False


def _lease_server(self: Forger) -> Made:
    """Answers of DHCP and DHCPv6 servers, and what makes relays of their clients."""
    sender, random = _some(self), self._random
    version = random.choice((4, 4, 6))
    ports = (67, 68) if version == 4 else (547, 546)
    source = self._source(sender, version)
    if version == 4:
        destination = random.choice((*map(ip_address, ("255.255.255.255", "10.0.1.255")), self._destination(sender, 4)))
    else:
        destination = random.choice((ip_address("ff02::1:2"), ip_address("ff02::1"), self._destination(sender, 6)))
    if not sender.source_dest_check and _translated(source, destination):
        return None
    body = self._body(source, destination, UDP, ports)
    frame = framed(sender, version, packets.ip(source, destination, UDP, body))
    head = random.choice((_BROADCAST, frame[1][:6]))
    return ((sender.id, head + frame[1][6:]),), *lifted(sender, source, destination)


def _asks_over_ipv6(self: Forger) -> Made:
    """For a lease or a router, as somebody else."""
    sender, random = _some(self), self._random
    ask = random.choice((self._lease_question, self._router_question))
    source = random.choice((*map(ip_address, ("fe80::1", "fe80::99", "::")), self._source(sender, 6)))
    return ask(sender, source, random.choice((sender, *PORTS)).mac), "", False


def _to_many(self: Forger) -> Made:
    """Broadcasts and multicasts, with the sender's own address."""
    sender = _some(self)
    version = self._random.choice(versions(sender))
    source = address(sender, version)
    destination = ip_address(self._random.choice(_MANY if version == 4 else _MANY6))
    packet = self._plain(source, destination, self._random.choice((UDP, ICMP if version == 4 else ICMP6, 2, 112)))
    many = b"\x01\0\x5e" + destination.packed[-3:] if version == 4 else b"\x33\x33" + destination.packed[12:]
    head = self._random.choice((_BROADCAST, many, router_mac(sender.vpc_id)))
    return ((sender.id, head + hardware(sender.mac) + ETHER_TYPE[version] + packet),), "", False


def _tunnel(self: Forger) -> Made:
    """A packet in a packet, for the router to unpack."""
    sender, random = _some(self), self._random
    outer, inner = random.choice(versions(sender)), random.choice((4, 6))
    packet = self._plain(self._source(sender, inner), self._destination(sender, inner), UDP)
    router = random.choice([each for each in own_of_router(sender.vpc_id) if each.version == outer])
    protocol = random.choice((GRE, 4 if inner == 4 else 41, 97))
    body = (b"\0\0" + ETHER_TYPE[inner] if protocol == GRE else b"") + packet
    return (framed(sender, outer, packets.ip(address(sender, outer), router, protocol, body)),), "", False


def _foreign(self: Forger) -> Made:
    """To another VPC that is no peer's, under the sender's own address."""
    sender = self._random.choice(PORTS)
    others = [port for port in PORTS if not reachable(sender, port) and TWIN not in (sender.vpc_id, port.vpc_id)]
    receiver = self._random.choice(others) if others else None
    if receiver is None or not versions(sender, receiver):
        return None
    version = self._random.choice(versions(sender, receiver))
    if version == 6 and {sender.vpc_id, receiver.vpc_id} == {HOME, STRANGER}:
        return None  # Both are on the internet.
    destination = address(receiver, version)
    made = self._wrapped(address(sender, version), destination, self._protocol(version))
    return tuple(framed(sender, version, packet) for packet in made), "", False


def _source_route(self: Forger) -> Made:
    """By way of the router, or of a third interface, under the sender's own address."""
    sender, receiver = self._pair()
    version = self._random.choice(versions(sender, receiver))
    source, destination = address(sender, version), address(receiver, version)
    router = self._random.choice([each for each in own_of_router(sender.vpc_id) if each.version == version])
    protocol = self._random.choice((UDP, TCP))
    body = self._body(source, destination, protocol)
    if version == 4:
        option = self._random.choice((b"\x83", b"\x89")) + b"\x07\x04" + destination.packed
        return (framed(sender, 4, packets.ip(source, router, protocol, body, options=option)),), "", False
    kind = self._random.choice((0, 2, 3, 4))
    route = bytes((kind, 1)) + bytes(4) + destination.packed
    packet = packets.extended(source, router, protocol, body, packets.ROUTING, route)
    return (framed(sender, 6, packet),), "", False


def _mixed_fragments(self: Forger) -> Made:
    """A piece of somebody's packet, from another interface, before or after the true pieces."""
    true, receiver = self._pair()
    version = self._random.choice(versions(true, receiver))
    source, destination = address(true, version), address(receiver, version)
    thieves = [port for port in PORTS if owner(str(source), port.vpc_id) != port and port.source_dest_check]
    thief = self._random.choice([port for port in thieves if port.vpc_id == true.vpc_id] or thieves)
    body = self._body(source, destination, UDP)
    begin, *rest = packets.fragments(source, destination, UDP, body, self._next, (8,))
    # The true one is never whole: only the forged piece has an end.
    frames = [framed(true, version, begin), *(framed(thief, version, piece) for piece in rest)]
    return tuple(frames[:: self._random.choice((1, -1))]), "", False


def _from_the_internet(self: Forger) -> Made:
    """As somebody of the VPC, to a public address."""
    destination = self._random.choice([public for port in PORTS for _, public in port.public])
    source = self._random.choice([each for port in PORTS for each in port.addresses if each.version == 4])
    if not any(source in block for block in VPCS[HOME].blocks if block.version == 4) and destination != PORTS[0].public:
        return None
    victim = next(port for port in PORTS for _, public in port.public if public == destination)
    if not any(source in block for block in VPCS[victim.vpc_id].blocks if block.version == 4):
        return None
    frames = [site_macs() + ETHER_TYPE[4] + packet for packet in self._wrapped(source, destination, UDP)]
    return tuple((WIRE, frame) for frame in frames), "", False


OVER_IPV6 = "a question over IPv6"
KINDS: dict[str, Callable[[Forger], Made]] = {
    "a source address": _source_address,
    "somebody's flow": _somebodys_flow,
    "a source MAC": _source_mac,
    "a destination MAC": _destination_mac,
    "a VLAN tag": _tag,
    "another ether type": _ether_type,
    "ARP": _arp,
    "neighbour discovery": _neighbour_discovery,
    "a redirect": _redirect,
    "a lease server": _lease_server,
    OVER_IPV6: _asks_over_ipv6,
    "broadcast, multicast": _to_many,
    "a tunnel": _tunnel,
    "another VPC": _foreign,
    "a source route": _source_route,
    "fragments of somebody's": _mixed_fragments,
    "from the internet": _from_the_internet,
}
_KINDS = list(KINDS)
_WEIGHTS = [5 if kind == "a source address" else 1 for kind in _KINDS]
"""Of the most general kind there are the most."""


def flows() -> Iterator[Flow]:
    """Between all that may talk, over TCP and UDP."""
    number = 0
    for near in PORTS:
        for far in PORTS:
            if near.id < far.id and near.instance_id != far.instance_id and reachable(near, far):
                for version in versions(near, far):
                    for protocol in (TCP, UDP):
                        yield Flow(near, far, version, protocol, (61_000 + number % 4_000, 80))
                        number += 1
