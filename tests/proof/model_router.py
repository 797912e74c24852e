"""The fabric's routers over a modelled kernel: their own staging and messages, and no privileges.

Links are names with numbers, routes are what the router says it has set, nf_tables is :mod:`kernel_model`. What the
internet does is written here anew: it leads a public address, or a VPC's IPv6 block, to the VPC that has it. What lies
between two peers is a wire.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from enid.fabric.linux import names, peerings
from enid.fabric.linux import router as router_module
from enid.fabric.linux.accelerator import Accelerator
from enid.fabric.linux.cells import Cells
from enid.fabric.linux.fabric import vpc_of, wires_of
from enid.fabric.linux.peerings import Peers, is_wire
from enid.fabric.linux.router import Router
from enid.netlink.message import hardware
from enid.netlink.nftables import FORWARD, POSTROUTING, PREROUTING
from enid.netlink.routes import MAIN, Route
from enid.topology.records import Address, Change, Port, Record, RecordKey, Vpc
from kernel_model import Frame, Kernel

_ESTABLISHED, _CONFIRMED = 2, 1 << 3


class _Nothing:
    """rtnetlink that is asked for links only, which are not there."""

    def batch(self, requests: Sequence[bytes]) -> list[int]:
        return [0] * len(requests)


class ModelNode:
    """Stands in for a namespace."""

    def __init__(self, path: Path, _counts: object, _settings: object) -> None:
        self.path = path
        self.route = _Nothing()
        self.netfilter = Kernel()
        self.routes: Cells[Any, Route] = Cells()
        self.rules: Cells[Any, bool] = Cells()
        self.addresses: Cells[Any, bool] = Cells()
        self.gateways: Cells[int, bool] = Cells()
        self.neighbours: Cells[Any, str] = Cells()
        self.links: dict[str, int] = {names.INTERNET: 2}
        self.shapes: dict[str, Any] = {}
        self._next = 10
        self._ways: dict[tuple[Address, Address, int], Route | None] = {}
        """The routes that were found, until some are settled."""

    def index(self) -> int:
        self._next += 1
        return self._next

    def delete_links(self, doomed: Iterable[str]) -> None:
        for name in doomed:
            if name != names.INTERNET:
                self.links.pop(name, None)

    def straighten(self) -> set[str]:
        """Nobody bends a link here."""
        return set()

    def settle_neighbours(self, everything: bool = False) -> dict[int, str]:
        for cells in (self.neighbours, self.gateways, self.addresses):
            cells.take(everything)
        return {}

    def settle_routes(self, everything: bool = False) -> dict[int, str]:
        self.routes.take(everything)
        self.rules.take(everything)
        self._ways.clear()
        return {}

    def way(self, source: Address, destination: Address, mark: int) -> str:
        """The link a packet leaves by, as the kernel's rules and routes say; empty: nowhere."""
        key = (source, destination, mark)
        if key not in self._ways:
            self._ways[key] = self._route(*key)
        found = self._ways[key]
        return self._link(found) if found else ""

    def _route(self, source: Address, destination: Address, mark: int) -> Route | None:
        rules = sorted(
            (rule for rule in self.rules.held if rule.version == destination.version), key=lambda rule: rule.priority
        )
        for rule in rules:
            speaks = (rule.source is None or source in rule.source) and (mark & rule.mask == rule.mark or not rule.mark)
            meets = rule.destination is None or destination in rule.destination
            found = self._look_up(rule.table, destination) if speaks and meets else None
            if found and (rule.suppress_prefix_length or -1) < found.destination.prefixlen:
                return found
        return self._look_up(MAIN, destination)

    def _look_up(self, table: int, destination: Address) -> Route | None:
        matching = [
            route for route in self.routes.held.values() if route.table == table and destination in route.destination
        ]
        return min(matching, key=lambda route: (-route.destination.prefixlen, route.metric), default=None)

    def _link(self, route: Route) -> str:
        return next((name for name, index in self.links.items() if index == route.device), "")


class ModelFabric:
    """Routers, given changes as the fabric gives them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(router_module, "Node", ModelNode)
        monkeypatch.setattr(router_module.plugs, "plug", _plug)
        monkeypatch.setattr(router_module.plugs, "set_aside", lambda *_: None)
        monkeypatch.setattr(router_module.plugs, "adoptable", lambda *_: set())
        for change in ("forget", "cut", "forget_flows"):
            monkeypatch.setattr(router_module.conntrack, change, lambda *_, **__: None)
        monkeypatch.setattr(router_module.conntrack, "flows", lambda _: 0)
        monkeypatch.setattr(
            peerings.wires, "joined", lambda one, name, other, _: name in one.links.keys() & other.links
        )
        monkeypatch.setattr(peerings.wires, "make", _make_wire)
        self.world: dict[RecordKey, Record] = {}
        self._of_vpc: defaultdict[str, set[RecordKey]] = defaultdict(set)
        self._routers: dict[str, Router] = {}
        self._marks: dict[str, bytes] = {}
        """What each VPC's router has marked the connection of the last packet with."""
        self._peers = Peers(self._routers, self.world, self._of_vpc, self._apply)

    def become(self, wanted: Mapping[RecordKey, Record]) -> None:
        """A new VPC's router adopts what there is of it; later ones are given what changed."""
        keys = {**self.world, **wanted}
        changes = [Change(self.world.get(key), wanted.get(key)) for key in keys]
        changes = [change for change in changes if change.old != change.new]
        shares: defaultdict[str, list[Change]] = defaultdict(list)
        for change in changes:
            shares[vpc_of(change.new or change.old)].append(change)  # type: ignore[arg-type]
        fresh = [vpc for vpc in wanted.values() if isinstance(vpc, Vpc) and vpc.id not in self._routers]
        for vpc_id in shares.keys() & self._routers.keys():
            self._apply(vpc_id, shares[vpc_id])
        for change in changes:
            self._remember(change)
        for vpc in fresh:
            self._routers[vpc.id] = Router(
                vpc,
                Path(names.vpc_pin(vpc.id)),
                "host-1",
                lambda _: None,
                lambda _: Accelerator(),
                None,  # type: ignore[arg-type]
            )
        for vpc in fresh:
            usable = self._wire(vpc)
            records = [self.world[key] for key in self._of_vpc[vpc.id]]
            router = self._routers[vpc.id]
            assert router.adopt([*records, *self._peers.members(vpc)], usable) == {}
        self._peers.rejoin()
        self._peers.part(shares)
        self._peers.visit(changes)

    def _remember(self, change: Change) -> None:
        held = self._of_vpc[vpc_of(change.new or change.old)]  # type: ignore[arg-type]
        if change.new is None:
            self.world.pop(change.key)
            held.discard(change.key)
        else:
            self.world[change.key] = change.new
            held.add(change.key)

    def _apply(self, vpc_id: str, share: list[Change]) -> None:
        router = self._routers[vpc_id]
        vpc = next((change.new for change in share if isinstance(change.new, Vpc)), None)
        if vpc is not None:
            self._peers.looked(vpc_id)
        usable = self._wire(vpc) if vpc else wires_of(router.vpc) & router.node.links.keys()
        assert router.apply(share, usable) == {}
        while router.leaving:
            router.tidy()

    def _wire(self, vpc: Vpc) -> set[str]:
        router = self._routers[vpc.id]
        self._peers.join(router, vpc)
        return wires_of(vpc) & router.node.links.keys()

    def send(
        self, port: Port, source: Address, destination: Address, protocol: int, transport: bytes, reply: bool = False
    ) -> tuple[str, Address, Address] | None:
        """Where a packet of a new flow (or the reply of an established one) comes out: the interface, and addresses."""
        if not reply:
            self._marks = {}
        link = names.port_link(port.attachment_id)
        frame = Frame(link, "", source, destination, protocol, transport, hardware(port.mac))
        if reply:
            frame = frame._replace(state=_ESTABLISHED, status=_CONFIRMED, reply=True)
        return self._pass(port.vpc_id, frame)

    def _pass(self, vpc_id: str, frame: Frame) -> tuple[str, Address, Address] | None:
        """Through a VPC's router."""
        node: Any = self._routers[vpc_id].node
        kernel: Kernel = node.netfilter
        kernel.begin(self._marks.get(vpc_id, bytes(4)))
        for chain in kernel.meets(PREROUTING):
            if not kernel.passes(chain, frame):
                return None
            if kernel.rewritten:
                frame = frame._replace(destination=IPv4Address(kernel.rewritten))
                kernel.rewritten = b""
        link = node.way(frame.source, frame.destination, kernel.mark)
        frame = frame._replace(outgoing=link)
        if not link or not all(kernel.passes(chain, frame) for chain in kernel.meets(FORWARD)):
            return None
        for chain in kernel.meets(POSTROUTING):
            if not kernel.passes(chain, frame):
                return None
            if kernel.rewritten:
                frame = frame._replace(source=IPv4Address(kernel.rewritten))
        self._marks[vpc_id] = kernel.connection_mark
        if link == names.INTERNET:
            return self._over_the_internet(frame)
        if is_wire(link):
            return self._over_a_wire(vpc_id, frame)
        port = next(
            port for port in self._routers[vpc_id].ports.values() if names.port_link(port.attachment_id) == link
        )
        return port.id, frame.source, frame.destination

    def _over_a_wire(self, vpc_id: str, frame: Frame) -> tuple[str, Address, Address] | None:
        peering = next(
            each for each in self._routers[vpc_id].vpc.peerings if names.peering_link(each.id) == frame.outgoing
        )
        mac = hardware(names.peering_mac(peering.id, vpc_id, peering.vpc_id))
        return self._pass(peering.vpc_id, frame._replace(incoming=frame.outgoing, outgoing="", mac=mac))

    def _over_the_internet(self, frame: Frame) -> tuple[str, Address, Address] | None:
        for vpc_id, router in self._routers.items():
            if frame.destination in self._advertised(router):
                mac = hardware(names.wire_mac(names.vpc_link(vpc_id), "upper"))
                entering = Frame(
                    names.INTERNET, "", frame.source, frame.destination, frame.protocol, frame.transport, mac
                )
                return self._pass(vpc_id, entering)
        return None

    def _advertised(self, router: Router) -> _Blocks:
        vpc = router.vpc
        mine = [port for port in router.ports.values() if port.vpc_id == vpc.id]
        public = {outside for port in mine for _, outside in port.public} if vpc.internet else set()
        return _Blocks(public, [block for block in vpc.blocks if block.version == 6] if vpc.online else [])


class _Blocks:
    def __init__(self, single: set[Any], wide: list[Any]) -> None:
        self._single, self._wide = single, wide

    def __contains__(self, address: object) -> bool:
        return address in self._single or any(address in block for block in self._wide)


def _make_wire(upper: ModelNode, name: str, lower: ModelNode, _name: str, _mtu: int) -> None:
    upper.links[name], lower.links[name] = upper.index(), lower.index()


def _plug(node: ModelNode, _accelerator: object, wanted: Sequence[Port], _guest: object) -> dict[RecordKey, str]:
    for port in wanted:
        node.links[names.port_link(port.attachment_id)] = node.index()
    return {}
