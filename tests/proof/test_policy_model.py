"""Random packets through a model of the kernel, given the fabric's own messages, fare as AWS's rules say.

Without root, and many more networks than real packets have time for: a router adopts one, then it changes and changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from random import Random

import pytest
import scale
from aws_oracle import ICMP, ICMP6, TCP, UDP, Arrival, Packet, answered, arrival
from aws_plan import Interface, Plan, records, to_address, to_network
from model_router import ModelFabric
from probes import Probe, port_pair
from random_changes import changed
from random_plans import FAR, PORTS, TYPES, Draw, some_plan

from enid.topology.records import Kind, Port

PACKETS = scale.amount(1_000_000, 10_000_000)
_STAGES = 6
"""Of one network: as it was made, and after each change."""
_OF_EACH = 600
_OF_PAIR = 4
"""Between the same two ends, one after the other."""
_GRE, _SCTP = 47, 132


def packets(plan: Plan, random: Random, count: int) -> Iterator[tuple[Interface, Packet]]:
    """Five-tuples with ends that are there, mostly, and ports that rules speak of, mostly."""
    private = [each for interface in plan.interfaces for each in interface.parsed()]
    public = [to_address(outside) for interface in plan.interfaces for _, outside in interface.public]
    everywhere = [*private, *private, *public, *map(to_address, FAR), to_address("198.19.7.7")]
    own = defaultdict(set)
    for interface in plan.interfaces:
        own[interface.instance].update(interface.parsed())
    while count:
        sender = random.choice(plan.interfaces)
        destination = random.choice(everywhere)
        sources = [each for each in sender.parsed() if each.version == destination.version]
        if destination in own[sender.instance] or not sources:
            continue
        source = random.choice(sources)
        blocks = map(to_network, plan.vpc_of(sender).blocks)
        if random.random() < 0.1 and any(destination in block for block in blocks):
            source = random.choice([each for each in everywhere if each.version == destination.version])
        several = min(_OF_PAIR, count)
        for _ in range(several):
            yield sender, Packet(source, destination, *_transport(random, destination.version))
        count -= several


def _transport(random: Random, version: int) -> tuple[int, int, int]:
    protocol = random.choice((TCP, UDP, TCP, UDP, ICMP if version == 4 else ICMP6, _GRE, _SCTP))
    if protocol in (TCP, UDP):
        return protocol, random.choice(PORTS) + random.choice((0, 0, 0, -1)), 0
    if protocol in (ICMP, ICMP6):
        return protocol, *random.choice((*TYPES[version], (3, 4), (TYPES[version][0][0], 1)))
    return protocol, 0, 0


def wrong(fabric: ModelFabric, plan: Plan, sender: Interface, packet: Packet, said: Arrival | None, client: int) -> str:
    """What the model does otherwise than AWS, which has the packet arrive as ``said``; or nothing."""
    port = fabric.world[Kind.PORT, sender.id]
    assert isinstance(port, Port)
    probe = Probe(client, sender, packet, "")
    came = fabric.send(port, packet.source, packet.destination, packet.protocol, header(probe, reply=False))
    if said is not None and said.unsure:
        return ""
    wanted = said and (said.interface, said.source, said.destination)
    if came != wanted:
        return f"{sender.id} {packet}: came out as {came}, should as {wanted}"
    numbered = packet.protocol in (TCP, UDP) or (packet.number, packet.code) in TYPES[packet.source.version]
    if said is None or packet.source not in sender.parsed() or said.source != packet.source or not numbered:
        return ""
    if plan.vpc_of(sender).id != port.vpc_id or said.interface == sender.id:
        return ""
    receiver = fabric.world[Kind.PORT, said.interface]
    assert isinstance(receiver, Port)
    if receiver.vpc_id != port.vpc_id and not said.over:
        return ""
    transport = header(probe, reply=True)
    back = fabric.send(receiver, said.destination, said.source, packet.protocol, transport, reply=True)
    returns = answered(plan, sender, packet, said, probe.client_port)
    if (back is not None and back[0] == sender.id) is not returns:
        return f"{sender.id} {packet}: its reply came out as {back}, and should {'' if returns else 'not '}come back"
    return ""


def header(probe: Probe, reply: bool) -> bytes:
    """The first four bytes."""
    protocol = probe.packet.protocol
    if protocol in (TCP, UDP):
        return b"".join(number.to_bytes(2, "big") for number in port_pair(probe, reply))
    if protocol in (ICMP, ICMP6):
        return bytes((*port_pair(probe, reply), 0, 0))
    return bytes(4)


def test_packets_fare_as_aws_says(monkeypatch: pytest.MonkeyPatch) -> None:
    seed, tried, arrived = scale.first_seed(), 0, 0
    while tried < PACKETS:
        draw, plan, fabric = Draw(seed), some_plan(seed), ModelFabric(monkeypatch)
        for stage in range(_STAGES):
            fabric.become(records(plan))
            for sender, packet in packets(plan, draw.random, _OF_EACH):
                said = arrival(plan, sender, packet)
                found = wrong(fabric, plan, sender, packet, said, tried)
                assert not found, f"seed {seed} (SEED={seed}), stage {stage}: {found}\nin {plan!r}"
                arrived += said is not None
                tried += 1
            _, plan = changed(plan, draw)
        seed += 1
    assert 0.1 < arrived / tried < 0.9, "networks that let everything or nothing pass prove nothing"
    print(f"{tried} packets, {arrived} of them arrived, up to seed {seed - 1}")
