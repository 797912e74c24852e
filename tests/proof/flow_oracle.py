"""What AWS's guide says of running flows when rules change, in loops over rules, and no line of enid's but its records.

A flow is UDP's. Each of its two ends judges for itself: the sender's by what goes out, the receiver's by what comes in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network

from enid.topology.records import Address, Port, Rule, SecurityGroup

_UDP = 17


@dataclass(frozen=True)
class Rules:
    """What is in force at some moment."""

    groups: Mapping[str, SecurityGroup]
    ports: Mapping[str, Port]

    def _speaking(self, holder: str, direction: str, number: int) -> Iterator[Rule]:
        for group in self.ports[holder].groups:
            for rule in getattr(self.groups[group], direction):
                if rule.protocol == -1 or (rule.protocol == _UDP and rule.from_port <= number <= rule.to_port):
                    yield rule

    def allows(self, holder: str, direction: str, far: Address, number: int) -> bool:
        """A packet for this port from (or to) the far end."""
        for rule in self._speaking(holder, direction, number):
            if rule.cidr and ip_network(rule.cidr).version == far.version and far in ip_network(rule.cidr):
                return True
            if rule.group and any(far in one.addresses and rule.group in one.groups for one in self.ports.values()):
                return True
        return False

    def _open(self, holder: str, direction: str, version: int, number: int) -> bool:
        everywhere = "0.0.0.0/0" if version == 4 else "::/0"
        return any(rule.cidr == everywhere for rule in self._speaking(holder, direction, number))

    def tracks(self, holder: str, direction: str, version: int, number: int) -> bool:
        back = "egress" if direction == "ingress" else "ingress"
        answers = all(self._open(holder, back, version, each) for each in (0, 1, 52, 53, 54, 55, 56, 1000, 65535))
        return not (answers and self._open(holder, direction, version, number))


@dataclass(frozen=True)
class Ends:
    """Who began a flow, who was asked, and at which port."""

    near: str
    far: str
    version: int
    number: int

    def _gates(self, rules: Rules) -> Iterator[tuple[str, str, Address]]:
        place = self.version == 6
        yield self.near, "egress", rules.ports[self.far].addresses[place]
        yield self.far, "ingress", rules.ports[self.near].addresses[place]

    def may_begin(self, rules: Rules) -> bool:
        return all(rules.allows(holder, direction, far, self.number) for holder, direction, far in self._gates(rules))

    def ends(self, before: Rules, after: Rules) -> bool:
        """A flow that runs ends with a change."""
        return any(
            not before.tracks(holder, direction, self.version, self.number)
            and not after.allows(holder, direction, far, self.number)
            for holder, direction, far in self._gates(after)
        )
