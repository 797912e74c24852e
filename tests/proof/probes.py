"""Which packets to try in a plan, and what is expected of each: by the oracle, and by ``reach``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from aws_oracle import ICMP, ICMP6, TCP, UDP, Arrival, Packet, answered, arrival
from aws_plan import Address, Interface, Plan, to_address
from random_plans import FAR, PORTS, TYPES

from enid.topology.places import Place, Traffic
from enid.topology.reach import Part, reach
from enid.topology.records import Kind, Port, Route, TargetKind, World

FIRST_CLIENT_PORT = 33000
_CLIENT_PORTS = 27000
_GRE = 47
_KINDS = 6


@dataclass(frozen=True)
class Probe:
    """``aim``: the interface it is meant for, or empty."""

    number: int
    sender: Interface
    packet: Packet
    aim: str
    spoofed: bool = False

    @property
    def client_port(self) -> int:
        """Of its own: no two probes are one flow, and none is another's reply."""
        return FIRST_CLIENT_PORT + self.number % _CLIENT_PORTS


def probes(plan: Plan, random: Random) -> Iterator[Probe]:
    """From every interface to every address of every other and to what lies behind one, :data:`_KINDS` of traffic."""
    number = 0
    asked: set[tuple[Address, Address]] = set()
    for sender in plan.interfaces:
        for aim, address in _aims(plan, sender):
            sources = [own for own in sender.parsed() if own.version == address.version]
            if not sources:
                continue
            for protocol, port, code in random.sample(_traffic(address), _KINDS):
                source = random.choice(sources)
                if protocol == _GRE:  # It has no ports: the other direction would be its reply.
                    if sender.id >= (aim or "z") or {(address, source), (source, address)} & asked:
                        continue  # Nor may two peers of one VPC begin a flow that looks the same.
                    asked.add((source, address))
                packet = Packet(source, address, protocol, port, code)
                yield Probe(number, sender, packet, aim)
                number += 1
        for packet, aim in _spoofed(plan, sender, random):
            yield Probe(number, sender, packet, aim, spoofed=True)
            number += 1


def _aims(plan: Plan, sender: Interface) -> Iterator[tuple[str, Address]]:
    """What stays inside a guest is no probe, whoever else has the address."""
    own = {address for each in plan.interfaces if each.instance == sender.instance for address in each.addresses}
    for other in plan.interfaces:
        public = tuple(address for _, address in other.public)
        for address in (*other.addresses, *public) if other.instance != sender.instance else ():
            if address not in own:
                yield other.id, to_address(address)
    for address in (*FAR, "10.0.1.99"):
        yield "", to_address(address)


def _traffic(address: Address) -> list[tuple[int, int, int]]:
    kinds = [(protocol, port, 0) for protocol in (TCP, UDP) for port in PORTS]
    kinds += [(ICMP if address.version == 4 else ICMP6, *kind) for kind in TYPES[address.version]] * 3
    return [*kinds, (_GRE, 0, 0)]


def _spoofed(plan: Plan, sender: Interface, random: Random) -> Iterator[tuple[Packet, str]]:
    """As if from somebody else, to a neighbour in the VPC."""
    vpc = plan.vpc_of(sender)
    others = [each for each in plan.interfaces if each.instance != sender.instance and plan.vpc_of(each) == vpc]
    for other in others:
        to = random.choice(other.parsed())
        pool = [address for each in others if each != other for address in each.parsed()]
        pool += [to_address(address) for address in FAR]
        protocol, port, code = random.choice([kind for kind in _traffic(to) if kind[0] != _GRE])
        source = random.choice([address for address in pool if address.version == to.version])
        if source not in other.parsed():
            yield Packet(source, to, protocol, port, code), other.id


@dataclass(frozen=True)
class Expected:
    """What the oracle says."""

    came: Arrival | None
    answered: bool
    conversation: bool
    """It arrives, and so does a reply to any port a client may have sent from."""


def expected(plan: Plan, probe: Probe, ports: list[int]) -> Expected:
    """:param ports: see :func:`aws_oracle.client_ports`."""
    came = arrival(plan, probe.sender, probe.packet)
    if came is None:
        return Expected(None, False, False)
    back = answered(plan, probe.sender, probe.packet, came, probe.client_port)
    return Expected(came, back, back and all(answered(plan, probe.sender, probe.packet, came, port) for port in ports))


def reach_disagrees(plan: Plan, world: World, probe: Probe, wanted: Expected) -> str:
    """What ``reach`` says otherwise than the oracle, or nothing."""
    packet, port = probe.packet, world[Kind.PORT, probe.sender.id]
    assert isinstance(port, Port)
    icmp = packet.protocol in (ICMP, ICMP6)
    numbered = icmp or packet.protocol in (TCP, UDP)
    traffic = Traffic(packet.protocol, packet.number if numbered else -1, packet.code if icmp else -1)
    if wanted.came and wanted.came.interface == probe.sender.id:
        return ""  # Routed back to where it came from: reach calls that a loop, and AWS says nothing about it.
    verdict = reach(world, Place(port, packet.source), Place(address=packet.destination), traffic)
    if wanted.came and wanted.came.destination not in _addresses(plan, wanted.came.interface):
        # reach follows it through the instance it was routed into; here only whether it got there is asked.
        into = next(each.instance for each in plan.interfaces if each.id == wanted.came.interface)
        there = any(hop.part is Part.INSTANCE and hop.id == into for hop in verdict.hops)
        return "" if there else f"not delivered to {into}: {verdict.sentence}"
    if probe.spoofed and wanted.came:
        return "" if verdict.reachable else _unless_a_reply(verdict.sentence)
    if verdict.reachable is wanted.conversation:
        return ""
    ways_back = [hop.by for hop in verdict.hops if hop.reply and isinstance(hop.by, Route)]
    if wanted.came and any(way.kind is TargetKind.PORT for way in ways_back):
        return ""  # The same with a reply: here nothing in the instance it is routed into passes it on.
    if wanted.came is None and verdict.reachable is False:
        return ""
    return f"{'reachable' if verdict.reachable else verdict.sentence}"


def _unless_a_reply(sentence: str) -> str:
    return "" if sentence.startswith("the request arrives, but") else sentence


def _addresses(plan: Plan, interface: str) -> set[Address]:
    (found,) = (each for each in plan.interfaces if each.id == interface)
    return set(found.parsed())


def port_pair(probe: Probe, reply: bool) -> tuple[int, int]:
    """The two numbers in front of a transport header."""
    packet = probe.packet
    if packet.protocol in (ICMP, ICMP6):
        answers = {8: 0, 13: 14, 128: 129}
        return (answers[packet.number], 0) if reply else (packet.number, packet.code)
    pair = (probe.client_port, packet.number)
    return pair[::-1] if reply else pair
