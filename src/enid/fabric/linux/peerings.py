"""VPC peering connections: the wires between routers, and the interfaces of peers a router has to know.

Neither router is above the other: at both ends the far one has the address that gateways have elsewhere. Of a peer's
interfaces a router knows those that carry a group its own groups refer to, as members of it and nothing more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping

from enid.fabric.linux import wires
from enid.fabric.linux.names import UPPER, peering_link, peering_mac
from enid.fabric.linux.node import Node
from enid.fabric.linux.plugs import PORT_MTU
from enid.fabric.linux.router import Router
from enid.topology.records import Change, Kind, Peering, Port, Record, RecordKey, SecurityGroup, Vpc


def is_wire(name: str) -> bool:
    """A link of a router that leads to a peer's."""
    return name.startswith("p")


class Peers:
    """Whatever two VPCs have to do with each other. The fabric's routers and records are looked at, never changed."""

    def __init__(
        self,
        routers: Mapping[str, Router],
        world: Mapping[RecordKey, Record],
        of_vpc: Mapping[str, Collection[RecordKey]],
        apply: Callable[[str, list[Change]], object],
    ) -> None:
        """:param apply: give a VPC's router a share of changes."""
        self._routers, self._world, self._of_vpc, self._apply = routers, world, of_vpc, apply
        self._cut_off: set[str] = set()
        """VPCs whose wire to a peer was made anew, and that have not looked at it yet."""
        self._referenced: dict[str, frozenset[str]] = {}
        """VPC → the groups of peers that its groups refer to."""

    # Wires

    def join(self, router: Router, vpc: Vpc) -> None:
        """Make the wires to peers, as far as these are there. A router whose old wire had to go must look again."""
        for peering in vpc.peerings:
            peer = self._routers.get(peering.vpc_id)
            if peer is not None and _tie(router.node, vpc.id, peer.node, peering):
                self._cut_off.add(peering.vpc_id)

    def looked(self, vpc_id: str) -> None:
        """The VPC's router is about to be given everything about its wires."""
        self._cut_off.discard(vpc_id)

    def rejoin(self) -> None:
        """Routers whose wire to a peer was made anew lost what led over the old one."""
        while self._cut_off:
            vpc_id = self._cut_off.pop()
            if (router := self._routers.get(vpc_id)) is not None:
                self._apply(vpc_id, [Change(router.vpc, router.vpc)])

    def part(self, vpc_ids: Iterable[str]) -> None:
        """Remove wires to those that are no peers any more. On both sides no route leads there now."""
        for router in [self._routers[vpc_id] for vpc_id in vpc_ids if vpc_id in self._routers]:
            self._part(router, {peering_link(peering.id) for peering in router.vpc.peerings})

    def leave(self, router: Router) -> None:
        """The VPC goes."""
        self._part(router, set())
        self._referenced.pop(router.vpc.id, None)

    def _part(self, router: Router, kept: Collection[str]) -> None:
        for name in [name for name in router.node.links if is_wire(name) and name not in kept]:
            others = (other for other in self._routers.values() if other is not router and name in other.node.links)
            peer = next(others, None)
            wires.part(router.node, name, peer.node if peer else None, name)

    # Members of groups

    def members(self, vpc: Vpc) -> list[Port]:
        """The interfaces of peers that the VPC's router has to know now."""
        groups = _referenced(self._world[key] for key in self._of_vpc.get(vpc.id, ()))
        self._referenced[vpc.id] = groups
        keys = [key for peering in vpc.peerings for key in self._of_vpc.get(peering.vpc_id, ())] if groups else []
        records = (self._world[key] for key in keys)
        return [record for record in records if isinstance(record, Port) and not groups.isdisjoint(record.groups)]

    def visit(self, changes: Iterable[Change]) -> None:
        """After ``changes``: show routers the interfaces of peers they have to know, and hide the others.

        One interface's change costs a look at each peer of its VPC; only where peers or references changed, all of the
        peers' interfaces are looked at.
        """
        changes = list(changes)
        anew = {vpc_id for change in changes for vpc_id in _looking_anew(change)} & self._routers.keys()
        shares = defaultdict(list, {vpc_id: self._visits(self._routers[vpc_id]) for vpc_id in anew})
        for change in changes:
            for router in self._peers(change):
                if isinstance(change.old, Port):
                    now = self._world.get(change.key)
                    router.forget(change.old, now if isinstance(now, Port) else None)
                if router.vpc.id not in anew:
                    shares[router.vpc.id] += self._visit(change.key, router)
        for vpc_id, share in shares.items():
            if share:
                self._apply(vpc_id, share)

    def _peers(self, change: Change) -> list[Router]:
        """The routers of the peers of a changed interface's VPC."""
        port = change.new or change.old
        vpc = self._world.get((Kind.VPC, port.vpc_id)) if isinstance(port, Port) else None
        found = [self._routers.get(peering.vpc_id) for peering in vpc.peerings] if isinstance(vpc, Vpc) else []
        return [router for router in found if router is not None]

    def _visits(self, router: Router) -> list[Change]:
        wanted = {port.id: port for port in self.members(router.vpc)}
        held = {port.id: port for port in router.ports.values() if port.vpc_id != router.vpc.id}
        changes = [Change(held.get(id_), wanted.get(id_)) for id_ in held.keys() | wanted.keys()]
        return [change for change in changes if change.old != change.new]

    def _visit(self, key: RecordKey, router: Router) -> list[Change]:
        held, port = router.ports.get(key[1]), self._world.get(key)
        wanted = isinstance(port, Port) and not self._referenced.get(router.vpc.id, frozenset()).isdisjoint(port.groups)
        change = Change(held, port if wanted else None)
        return [change] if change.old != change.new else []


def _tie(node: Node, vpc_id: str, other: Node, peering: Peering) -> bool:
    """Join the routers of two VPCs; true when the wire had to be made, so that what led over an older one is gone.

    The neighbours are announced to the nodes, not settled yet.
    """
    name = peering_link(peering.id)
    upper, lower = (node, other) if vpc_id < peering.vpc_id else (other, node)
    made = not wires.joined(upper, name, lower, name)
    if made:
        wires.part(upper, name, lower, name)
        wires.make(upper, name, lower, name, PORT_MTU)
    wires.shape(upper, name, lower, name, PORT_MTU)
    for end, near, far in ((node, vpc_id, peering.vpc_id), (other, peering.vpc_id, vpc_id)):
        mac = peering_mac(peering.id, far, near)
        end.neighbours.announce(((end.links[name], hop), mac) for hop in UPPER.values())
    return made


def _referenced(records: Iterable[Record]) -> frozenset[str]:
    """The groups of peers that security groups among ``records`` refer to."""
    groups = [record for record in records if isinstance(record, SecurityGroup)]
    return frozenset(rule.group for group in groups for rule in group.ingress + group.egress if rule.peering)


def _looking_anew(change: Change) -> set[str]:
    """The VPC whose peers, or the groups of peers it refers to, may be others after a change."""
    found = set()
    for record in (change.old, change.new):
        if isinstance(record, Vpc) and record.peerings:
            found.add(record.id)
        elif isinstance(record, SecurityGroup) and _referenced([record]):
            found.add(record.vpc_id)
    return found
