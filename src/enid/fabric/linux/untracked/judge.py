"""Which running flows end: decided by the rules of one moment, and by what was open until then. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from ipaddress import ip_address
from typing import NamedTuple

from enid.fabric.linux.untracked.residents import Residents
from enid.netlink.conntrack import Flow
from enid.topology.blocks import block_of
from enid.topology.records import Port, RouteTable, Rule, SecurityGroup, Vpc
from enid.topology.tracking import Openness, Way, allowing, automatically, holds, untracked


class Scene(NamedTuple):
    """What there is now. All of it is the router's and changes with it, but for the VPC."""

    vpc: Vpc
    ports: Mapping[str, Port]
    residents: Residents
    groups: Mapping[str, SecurityGroup]
    tables: Mapping[str, RouteTable]
    here: Callable[[Port], bool]


class End(NamedTuple):
    """One of a flow's two ends."""

    port: Port
    way: Way
    """How the flow's first packet passed there."""
    own: bytes
    far: bytes
    """Packed addresses."""


class Sentence(NamedTuple):
    """What becomes of flows: those that end, those that were cut and stay so, and those that were and may go on."""

    cut: list[Flow]
    still: list[Flow]
    pardoned: list[Flow]


def _never(_: Port) -> bool:
    return False


class Judge:
    """Of flows in one router.

    :param concerned: whether the flows that run at an interface are to be looked at.
    :param was: what the interface at an end had open until now; more than once, if its rules have changed meanwhile.
    """

    def __init__(
        self,
        scene: Scene,
        concerned: Callable[[Port], bool] = _never,
        was: Callable[[End], Iterable[Openness]] = lambda _: (),
    ) -> None:
        self._scene, self._concerned, self._was = scene, concerned, was
        self._gated = cache(self._find)
        self._looked_at = cache(self._look_at)
        self._rules: dict[tuple[tuple[str, ...], Way, int], list[Rule]] = {}

    def judge(self, flows: Iterable[Flow]) -> Sentence:
        sentence = Sentence([], [], [])
        for flow in flows:
            if flow.is_cut:
                allowed = all(self._allowed(end, flow.port) for end in self.ends(flow))
                (sentence.pardoned if allowed else sentence.still).append(flow)
            elif self._ends_now(flow):
                sentence.cut.append(flow)
        return sentence

    def _ends_now(self, flow: Flow) -> bool:
        if not (self._looked_at(flow.source) or self._looked_at(flow.destination)):
            return False  # of most of them nobody wants to know
        return any(self._concerned(end.port) and self._ended(end, flow.port) for end in self.ends(flow))

    def ends(self, flow: Flow) -> Iterator[End]:
        """Those with interfaces here that security groups apply to."""
        sides = ((flow.source, flow.destination, False), (flow.destination, flow.source, True))
        for own, far, inward in sides:
            if (port := self._gated(own)) is not None:
                yield End(port, Way(inward, 4 if len(own) == 4 else 6, flow.protocol), own, far)

    def _find(self, address: bytes) -> Port | None:
        port = self._scene.residents.at(self._scene.vpc.id, address)
        return port if port and port.gated and self._scene.here(port) else None

    def _look_at(self, address: bytes) -> bool:
        port = self._gated(address)
        return port is not None and self._concerned(port)

    def _ended(self, end: End, number: int) -> bool:
        """It was not tracked there, and is no longer allowed."""
        if self._allowed(end, number):
            return False
        if not any(holds(untracked(open_, end.way), number) for open_ in self._was(end)):
            return False
        table = self._scene.tables.get(end.port.route_table_id)
        leaves = not end.way.inward
        return not (leaves and automatically(self._scene.vpc, table, self._scene.ports, end.port, ip_address(end.far)))

    def _allowed(self, end: End, number: int) -> bool:
        """A flow like this could begin now, as far as this end is concerned."""
        key = (end.port.groups, end.way, number)
        if (rules := self._rules.get(key)) is None:
            groups = [group for id_ in end.port.groups if (group := self._scene.groups.get(id_)) is not None]
            rules = self._rules[key] = allowing(groups, end.way, number)
        far = ip_address(end.far) if rules else None
        return any(far in block_of(rule.cidr) if rule.cidr else self._is_member(end.far, rule) for rule in rules)

    def _is_member(self, far: bytes, rule: Rule) -> bool:
        """Whether who has the address carries the group a rule refers to."""
        vpc = self._scene.vpc
        peer = next((peering.vpc_id for peering in vpc.peerings if peering.id == rule.peering), vpc.id)
        port = self._scene.residents.at(peer, far)
        return port is not None and rule.group in port.groups
