"""Can A reach B at any of these ports? :mod:`enid.topology.reach` asked at the few ports that can make a difference."""

from __future__ import annotations

from collections.abc import Iterator

from enid.topology import services
from enid.topology.places import Place, Traffic
from enid.topology.reach import Verdict, reach
from enid.topology.records import NetworkAcl, SecurityGroup, Vpc, World

ALL_PORTS = (0, 65535)


def reach_any(
    world: World, source: Place, destination: Place, protocol: int, ports: tuple[int, int]
) -> tuple[Verdict, int]:
    """The answer for the first port that gets through, and the port; where none does, for the one that gets furthest.

    :param protocol: TCP's or UDP's number.
    :param ports: first and last, both included.
    :raises UnknownPlace: as :func:`reach`.
    """
    best: tuple[Verdict, int] | None = None
    for port in _edges(world, protocol, *ports):
        verdict = reach(world, source, destination, Traffic(protocol, port))
        if verdict.reachable:
            return verdict, port
        if best is None or len(verdict.hops) > len(best[0].hops):
            best = verdict, port
    assert best is not None
    return best


def _edges(world: World, protocol: int, first: int, last: int) -> list[int]:
    """Where what rules say about ports can change: between two of these nothing does."""
    return [first, *sorted({port for port in _bounds(world, protocol) if first < port <= last})]


def _bounds(world: World, protocol: int) -> Iterator[int]:
    """First ports of ranges, and those after the last ones; of what a VPC itself answers, the port."""
    for record in world.values():
        if isinstance(record, SecurityGroup):
            limits = [(rule.protocol, rule.from_port, rule.to_port) for rule in (*record.ingress, *record.egress)]
        elif isinstance(record, NetworkAcl):
            limits = [(entry.protocol, entry.from_port, entry.to_port) for entry in (*record.ingress, *record.egress)]
        elif isinstance(record, Vpc):
            limits = [(about, port, port) for _, about, port in services.endpoints(record)]
        else:
            continue
        for about, low, high in limits:
            if about == protocol:
                yield from (low, high + 1)
