"""Which flows an interface's security groups track, and which they still allow. Pure.

As AWS documents it ("Security group connection tracking"): a TCP or UDP flow that a rule allows from or to everywhere
is not tracked, if the rules of the other direction let everything pass that could answer it, from or to everywhere, at
any port. Its packets are judged one by one, so a change of these rules ends it, where a tracked one goes on. Everything
else is always tracked, and so is what goes out through a NAT gateway or an egress-only internet gateway.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from enid.topology.blocks import ANYWHERE, within
from enid.topology.places import Traffic
from enid.topology.records import (
    Address,
    Port,
    Route,
    RouteTable,
    Rule,
    SecurityGroup,
    TargetKind,
    Vpc,
)

PROTOCOLS = (6, 17)
"""TCP and UDP: others are always tracked."""
VERSIONS = (4, 6)
ALL_PORTS = (0, 65535)
_EVERYWHERE = {str(block): version for version, block in ANYWHERE.items()}

Range = tuple[int, int]
"""First and last port, both included."""


class Way(NamedTuple):
    """A kind of flows of an interface: how their first packet goes."""

    inward: bool
    version: int
    protocol: int

    @property
    def back(self) -> Way:
        """How those go that answer."""
        return self._replace(inward=not self.inward)


WAYS = tuple(
    Way(inward, version, protocol) for inward in (True, False) for version in VERSIONS for protocol in PROTOCOLS
)
Openness = Mapping[Way, tuple[Range, ...]]
"""The ports that are open to everywhere: sorted, with something closed between any two."""


def wide(group: SecurityGroup) -> set[tuple[bool, Rule]]:
    """A group's rules from (true) or to everywhere."""
    inward = {(True, rule) for rule in group.ingress if rule.cidr in _EVERYWHERE}
    return inward | {(False, rule) for rule in group.egress if rule.cidr in _EVERYWHERE}


def openness(groups: Iterable[SecurityGroup]) -> Openness:
    """Of an interface that has these groups."""
    rules = [rule for group in groups for rule in wide(group)]
    return {way: merged(_speaking(rules, way)) for way in WAYS}


def _speaking(rules: Iterable[tuple[bool, Rule]], way: Way) -> Iterator[Range]:
    for inward, rule in rules:
        if inward == way.inward and _EVERYWHERE[rule.cidr] == way.version and rule.protocol in (-1, way.protocol):
            yield ALL_PORTS if rule.protocol == -1 else (rule.from_port, rule.to_port)


def merged(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The same ports in as few ranges as can be."""
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return tuple(found)


def untracked(open_: Openness, way: Way) -> tuple[Range, ...]:
    """The destination ports of the flows that are not tracked, but for those that :func:`automatically` are."""
    return open_[way] if open_[way.back] == (ALL_PORTS,) else ()


def is_tracked(groups: Iterable[SecurityGroup], way: Way, port: int) -> bool:
    """Whether an interface with these groups tracks its flows to this destination port."""
    return way not in WAYS or not holds(untracked(openness(groups), way), port)


def holds(ranges: Iterable[Range], port: int) -> bool:
    return any(first <= port <= last for first, last in ranges)


def narrowed(old: Openness, new: Openness) -> set[tuple[Way, Range]]:
    """Where flows that were not tracked may be allowed no more: only these need be looked at."""
    return {(way, ports) for way in WAYS for ports in without(untracked(old, way), new[way])}


def without(ranges: Iterable[Range], holes: Iterable[Range]) -> Iterator[Range]:
    """What is left; both are sorted and merged."""
    for low, high in ranges:
        for first, last in holes:
            if low < first <= high:
                yield low, first - 1
            if first <= high and last >= low:
                low = last + 1
        if low <= high:
            yield low, high


def speaks(rule: Rule, version: int, protocol: int, port: int) -> bool:
    """Whether a rule allows flows of TCP or UDP to this destination port, whoever is at the far end."""
    family = {4: ".", 6: ":"}[version]
    return Traffic(protocol, port).allowed_by(rule) and (not rule.cidr or family in rule.cidr)


def allowing(groups: Iterable[SecurityGroup], way: Way, port: int) -> list[Rule]:
    """The rules that speak of such flows, whoever is at the far end."""
    rules = [rule for group in groups for rule in (group.ingress if way.inward else group.egress)]
    return [rule for rule in rules if speaks(rule, way.version, way.protocol, port)]


def automatically(vpc: Vpc, table: RouteTable | None, ports: Mapping[str, Port], port: Port, far: Address) -> bool:
    """Whether what an interface sends there is tracked whatever its groups say, because of the way it goes."""
    found = _route(vpc, table, port, far)
    if found is None or found.kind is TargetKind.EGRESS_ONLY:
        return found is not None
    target = ports.get(found.target)
    return found.kind is TargetKind.PORT and target is not None and target.appliance is not None


def _route(vpc: Vpc, table: RouteTable | None, port: Port, far: Address) -> Route | None:
    """The route that leads there; ``None`` for the local one, or for none."""
    there = [route for route in table.routes if far in route.destination] if table else []
    found = max(there, key=lambda route: route.destination.prefixlen, default=None)
    if found is None or not any(far in block for block in vpc.blocks):
        return found
    inside = within(found.destination, vpc.blocks) and not any(far in block for block in port.subnet.blocks)
    return found if inside else None
