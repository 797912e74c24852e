"""One VPC's router namespace: records in, kernel state out.

A batch is staged (withdrawals first) and then carried out in an order that never lets a packet slip: new links and
neighbours, then the nftables transaction, then routes. What changes is not accelerated meanwhile. Old links go later,
see :meth:`Router.tidy`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from ipaddress import ip_interface
from pathlib import Path

from enid.fabric.interface import GuestPlace
from enid.fabric.linux import elements, names, network_acls, plugs, routing
from enid.fabric.linux.accelerator import Accelerator
from enid.fabric.linux.gates import Gates
from enid.fabric.linux.groups import Element
from enid.fabric.linux.mirrors import Mirrors
from enid.fabric.linux.node import ROUTER_SETTINGS, Aspect, Node, key_of
from enid.fabric.linux.tables import Tables
from enid.fabric.linux.untracked.cuts import Cuts
from enid.fabric.linux.untracked.judge import Scene
from enid.fabric.linux.untracked.narrowing import narrowing
from enid.fabric.linux.untracked.residents import Residents
from enid.netlink import conntrack
from enid.netlink.addresses import Interface
from enid.netlink.routes import Route as KernelRoute
from enid.topology import services
from enid.topology.records import (
    Address,
    Change,
    Kind,
    Network,
    NetworkAcl,
    Peering,
    Port,
    Record,
    RecordKey,
    Route,
    RouteTable,
    SecurityGroup,
    TargetKind,
    Vpc,
)

_BATCH_OF_LINKS = 64
_GARBAGE = 256
"""So many chains and ways of matching that nobody uses may pile up before the table is written anew."""


class RouterError(Exception):
    """The kernel refused something that is not one port's fault: this router's state is to be read and built anew."""


class Router:
    """The router of ``vpc``.

    :param host_id: ports elsewhere, and those of peers, are members of their groups here and nothing more.
    :param accelerate: makes the accelerator of a router's namespace.
    """

    def __init__(
        self,
        vpc: Vpc,
        path: Path,
        host_id: str,
        guest: GuestPlace,
        accelerate: Callable[[Node], Accelerator],
        counts: Counter[str],
    ) -> None:
        self.node = Node(path, counts, ROUTER_SETTINGS)
        self._accelerator = accelerate(self.node)
        self.vpc = vpc
        self.ports: dict[str, Port] = {}
        self.leaving: dict[str, Port] = {}
        """Links of withdrawn ports, to be deleted."""
        self._host_id = host_id
        self._guest = guest
        self._groups: dict[str, SecurityGroup] = {}
        self._acls: dict[str, NetworkAcl] = {}
        self._residents = Residents()
        self._gates = Gates(self.node.netfilter)
        self._cuts = Cuts(self.node.netfilter)
        self._tables = Tables(self.node, self._resolve)
        self._mirrors = Mirrors(self.node, counts)
        self._wires: set[str] = set()
        self._entrance = 0
        """The link from the internet that has its program."""
        self._middles: set[str] = set()
        """The links of ports that routes lead to."""
        self.node.leaving = self.leaving
        self.drops = self._gates.drops

    # A batch

    def apply(self, changes: Sequence[Change], wires: Collection[str]) -> dict[RecordKey, str]:
        """Carry out changes of this VPC's records. Answers the keys that failed, each with the reason.

        :param wires: the names of links to gateways that may be used; they exist.
        :raises RouterError: nothing is known about the outcome.
        """
        try:
            failures = self._plug(changes)
            self._mirrors.make(self._ports_here(changes))
            carried = [change for change in changes if change.key not in failures]
            carried += [Change(change.old, None) for change in changes if change.key in failures and change.old]
            less = narrowing(carried, self._groups, self._gates.carried, self._here)
            self._stage(carried, wires)
            failures |= self._settle(keep=less is not None)
            self._forget_flows(carried)
            self._cuts.follow(self._scene(), carried, less)
            self._gates.let_go()
            return failures
        except OSError as error:
            raise RouterError(str(error)) from error

    def adopt(self, records: Iterable[Record], wires: Collection[str]) -> dict[RecordKey, str]:
        """Make the namespace equal ``records``, keeping what is right. For a router just made."""
        try:
            changes = [Change(None, record) for record in records]
            here = self._ports_here(changes)
            kept = plugs.adoptable(self.node, here, self._guest) | set(wires) | self._mirrors.make(here)
            self._mirrors.discard_unknown()
            delivered = dict(self.node.routes.held)
            self.node.delete_links([name for name in self.node.links if name not in kept])
            self.node.straighten()
            self._adopt_programs()
            failures = self._plug(changes)
            self._gates.begin(unjudged=True)
            self._stage([change for change in changes if change.key not in failures], wires)
            failures |= self._settle(everything=True)
            gone = {network for _, network, _ in delivered.keys() - self.node.routes.held.keys()}
            private = [network.network_address for network in gone if network.prefixlen == network.max_prefixlen]
            prefixes = [route.destination for route in delivered.values() if route.gateway in names.LOWER.values()]
            conntrack.forget(self.node.netfilter, private, blocks=[prefix for prefix in prefixes if prefix in gone])
            self._cuts.adopt(self._scene(), self._gates.replaced)
            self._gates.let_go()
            return failures
        except OSError as error:
            raise RouterError(str(error)) from error

    def repair(
        self, gone: Collection[str], touched: Collection[Aspect], wires: Collection[str] | None
    ) -> tuple[list[Port], dict[RecordKey, str]]:
        """Undo what others did; flows go on. Answers the ports whose links had to be made anew, and those of them that
        failed and are withdrawn.

        :param gone: the names of links that were taken away; :meth:`Node.look_again` has been asked.
        :param wires: as for :meth:`apply`, if one of them was made anew.
        :raises RouterError: nothing is known about the outcome.
        """
        try:
            lost = [port for port in self.ports.values() if names.port_link(port.attachment_id) in gone]
            severed = self._sever(gone)
            failures = self._replug(lost)
            self._stage([Change(port, port) for port in severed if port not in lost], self._wires)
            if Aspect.TABLES in touched:
                self._mirrors.rewrite()
            if wires is not None:
                self._stage([Change(self.vpc, self.vpc)], wires)
            failures |= self._settle()
            if Aspect.TABLES in touched:
                self._rewrite()
            if Aspect.PROGRAMS in touched:
                self._adopt_programs()
            self._forget_flows([Change(port, None) for port in lost if port.key in failures])
            return lost, failures
        except OSError as error:
            raise RouterError(str(error)) from error

    def _sever(self, gone: Collection[str]) -> list[Port]:
        """The ports with sessions that lost their wires; these are there again."""
        sessions = self._mirrors.sever(gone)
        ports = [port for port in self.ports.values() if any(session.id in sessions for session in port.mirrors)]
        self._mirrors.make(ports)
        return ports

    def _replug(self, ports: Sequence[Port]) -> dict[RecordKey, str]:
        plugs.clear(ports, self._guest)
        self._stage([Change(port, None) for port in ports], self._wires)
        changes = [Change(None, port) for port in ports]
        failures = self._plug(changes)
        self._stage([change for change in changes if change.key not in failures], self._wires)
        return failures

    def _adopt_programs(self) -> None:
        """Ours in place of an older agent's, and nothing is short-cut before all is as it should be."""
        ends = [index for name, index in self.node.links.items() if names.is_port_link(name)]
        self.node.route.batch([step for index in ends for step in self._accelerator.adoption(index)])
        self._entrance = 0
        self._shorten_entrance()

    def _shorten_entrance(self) -> None:
        """A program at the internet's wire, unless it is there."""
        device = self.node.links.get(names.INTERNET, 0)
        if device not in (0, self._entrance):
            self.node.route.batch(self._accelerator.entrance(device))
        self._entrance = device

    def close(self) -> None:
        """Let go of the namespace; what is in it stays and works."""
        self._mirrors.close()
        self.node.close()
        self._accelerator.close()

    def destroy(self) -> None:
        """The namespace goes, with all that is in it."""
        self._mirrors.destroy()
        self.node.destroy()
        self._accelerator.close()

    def tidy(self) -> bool:
        """Delete some links of withdrawn ports, or rewrite a table full of leftovers; true while there is more."""
        if self.leaving:
            self._unplug(list(self.leaving)[:_BATCH_OF_LINKS])
            return bool(self.leaving)
        self._mirrors.tidy()
        self._gates.tidy()
        if self._gates.garbage() > _GARBAGE:
            self._rewrite()
        return self._gates.replaces

    def flows(self) -> int:
        """How many are tracked."""
        return conntrack.flows(self.node.netfilter)

    def _here(self, port: Port) -> bool:
        return port.host == self._host_id and port.vpc_id == self.vpc.id

    def _ports_here(self, changes: Iterable[Change]) -> list[Port]:
        """Of the records that are wanted."""
        return [port for port in (change.new for change in changes) if isinstance(port, Port) and self._here(port)]

    def _device(self, port: Port) -> int:
        return self.node.links.get(names.port_link(port.attachment_id), 0)

    # Links

    def _plug(self, changes: Sequence[Change]) -> dict[RecordKey, str]:
        """Make the links new ports need, after those that stand in their way."""
        wanted = [change.new for change in changes if isinstance(change.new, Port) and self._needs_link(change)]
        if not wanted:
            return {}
        names_taken = {names.port_link(port.attachment_id) for port in wanted}
        places_taken = {(port.instance_id, port.device) for port in wanted}
        self._unplug(name for name in self.leaving if name in names_taken)
        in_the_way = [old for old in self.leaving.values() if (old.instance_id, old.device) in places_taken]
        plugs.set_aside(in_the_way, self._guest)
        failures = plugs.plug(self.node, self._accelerator, wanted, self._guest)
        for port in wanted:
            name = names.port_link(port.attachment_id)
            if port.key in failures and name in self.node.links:
                self.leaving[name] = port
        return failures

    def _needs_link(self, change: Change) -> bool:
        """A port new here, or whose instance has started anew: its old link died with the namespace, or will."""
        port, old = change.new, change.old
        assert isinstance(port, Port)
        name = names.port_link(port.attachment_id)
        if not self._here(port):
            return False
        if isinstance(old, Port) and old.attachment_id == port.attachment_id and old.boot != port.boot:
            self.leaving[name] = old
        return name not in self.node.links or name in self.leaving

    def _unplug(self, doomed: Iterable[str]) -> None:
        doomed = list(doomed)
        for name in doomed:
            self.leaving.pop(name, None)
        self.node.delete_links(doomed)

    # Staging

    def _stage(self, changes: Sequence[Change], wires: Collection[str]) -> None:
        self._wires = set(wires)
        for change in changes:
            if change.old is not None:
                self._withdraw(change.old, change.new)
        for change in changes:
            if not isinstance(change.new, Port | None):
                self._announce(change.new)
        for change in changes:
            if isinstance(change.new, Port):
                self._announce_port(change.new)
        whole = any(change.key == self.vpc.key for change in changes)
        if whole:
            self._announce_vpc()
        self._tables.stage(self.vpc, whole)
        self._stage_local(changes, whole)
        self._stage_middles()
        self._accelerator.steer(self._tables.steering())
        if any(change.key[0] is Kind.NETWORK_ACL for change in changes):
            self._accelerator.guard([subnet for acl in self._acls.values() for subnet in network_acls.guarded(acl)])

    def _stage_local(self, changes: Sequence[Change], whole: bool) -> None:
        """What leads to the VPC's own addresses, and no further. After the tables: the same route may have been one of
        theirs, and is withdrawn there."""
        routes = [routing.unreachable(block) for block in self.vpc.blocks] if whole else []
        for change in changes:
            if isinstance(change.new, Port) and self._here(change.new):
                routes += _deliveries(change.new, self._device(change.new))
        self.node.routes.announce((key_of(route), route) for route in routes)

    def _stage_middles(self) -> None:
        ports = [self.ports[id_] for id_ in self._tables.middles() if id_ in self.ports]
        links = {names.port_link(port.attachment_id) for port in ports if self._here(port)}
        self._gates.withdraw(map(elements.middle, self._middles - links))
        self._gates.announce(map(elements.middle, links - self._middles))
        self._middles = links

    def _withdraw(self, old: Record, new: Record | None) -> None:
        if isinstance(old, Port):
            self._withdraw_port(old, new)
        elif isinstance(old, SecurityGroup):
            self._groups.pop(old.id, None)
            self._gates.withdraw_group(old)
        elif isinstance(old, NetworkAcl):
            self._acls.pop(old.id, None)
            self._gates.withdraw_acl(old)
        elif isinstance(old, RouteTable):
            self._tables.drop(old)
            self._gates.withdraw(elements.way_in(old))
        elif isinstance(old, Vpc):
            self._gates.withdraw(_elements(old, wires(old)))
            for table in old.gateway_tables:
                self._tables.leave(table)
            self.node.routes.withdraw(key_of(routing.unreachable(block)) for block in old.blocks)
            self.node.addresses.withdraw(_own_addresses(old))

    def _announce(self, new: Record) -> None:
        if isinstance(new, SecurityGroup):
            self._groups[new.id] = new
            self._gates.announce_group(new)
        elif isinstance(new, NetworkAcl):
            self._acls[new.id] = new
            self._gates.announce_acl(new)
        elif isinstance(new, RouteTable):
            self._tables.add(new)
            self._gates.announce(elements.way_in(new))
        elif isinstance(new, Vpc):
            self.vpc = new

    def _announce_vpc(self) -> None:
        vpc = self.vpc
        self._gates.announce(_elements(vpc, self._wires))
        self._gates.translate(vpc.internet)
        self._accelerator.admit(vpc.blocks, vpc.internet and not vpc.internet_table)
        self._shorten_entrance()
        for table in vpc.gateway_tables:
            self._tables.use(table)
        self.node.addresses.announce((address, True) for address in _own_addresses(vpc))

    def _withdraw_port(self, port: Port, new: Record | None) -> None:
        self.ports.pop(port.id, None)
        self._residents.withdraw(port)
        self._tables.moved(port.id)
        self._gates.withdraw_port(port, self._here(port))
        if not self._here(port):
            return
        self._tables.leave(port.route_table_id)
        self._accelerator.withdraw(port)
        self._mirrors.withdraw(port)
        self.node.routes.withdraw(key_of(route) for route in _deliveries(port, 0))
        name, device = names.port_link(port.attachment_id), self._device(port)
        if isinstance(new, Port) and new.attachment_id == port.attachment_id and self._here(new):
            self.node.neighbours.withdraw((device, address) for address in _neighbours(port))
            self.node.gateways.withdraw([device])
        elif device:
            self.leaving[name] = port

    def _announce_port(self, port: Port) -> None:
        self.ports[port.id] = port
        self._residents.announce(port)
        self._tables.moved(port.id)
        self._gates.announce_port(port, self._here(port))
        if self._here(port):
            device = self._device(port)
            self._tables.use(port.route_table_id)
            self._accelerator.announce(port, device)
            self._mirrors.announce(port)
            self.node.neighbours.announce(((device, address), port.mac) for address in _neighbours(port))
            if any(part.version == 6 for part in (*port.addresses, *port.prefixes)):
                self.node.gateways.announce([(device, True)])

    def _resolve(self, route: Route) -> routing.Hop | None:
        if route.kind is TargetKind.BLACKHOLE:
            return None
        if route.kind is TargetKind.PORT:
            port = self.ports.get(route.target)
            if port is None or port.source_dest_check or not self._here(port) or route.via not in port.addresses:
                return None
            return routing.Hop(self._device(port), route.via)
        wire = _wire(route)
        return routing.upper_hop(self.node.links[wire], route.destination) if wire in self._wires else None

    # The kernel

    def _settle(self, everything: bool = False, keep: bool = False) -> dict[RecordKey, str]:
        """Carry out what is staged. A link that is suddenly gone is its port's failure, anything else the router's.

        :param keep: see :meth:`Gates.commit`.
        """
        self._accelerator.fence()
        failed = self.node.settle_neighbours(everything)
        self._gates.commit(keep)
        failed |= self.node.settle_routes(everything)
        self._mirrors.commit()
        self._accelerator.open()
        if not failed:
            return {}
        owners = {self._device(port): port for port in self.ports.values() if self._here(port)}
        if failed.keys() - owners.keys():
            raise RouterError("; ".join(f"link {device}: {reason}" for device, reason in failed.items()))
        self._stage([Change(owners[device], None) for device in failed], self._wires)
        return {
            owners[device].key: f"its link is gone ({reason})" for device, reason in failed.items()
        } | self._settle()

    def _scene(self) -> Scene:
        return Scene(self.vpc, self.ports, self._residents, self._groups, self._tables.records(), self._here)

    def _forget_flows(self, changes: Sequence[Change]) -> None:
        """An address that leaves an interface takes no flow along, neither to its next holder nor to the old one."""
        private: set[Address] = set()
        prefixes: set[Network] = set()
        for old, new in ((change.old, change.new) for change in changes):
            if isinstance(old, Port) and self._here(old):
                kept = new if isinstance(new, Port) else None
                private.update(address for address in old.addresses if not kept or address not in kept.addresses)
                prefixes.update(prefix for prefix in old.prefixes if not kept or prefix not in kept.prefixes)
            prefixes.update(block for peering in _parted(old, new) for block in peering.blocks)
        conntrack.forget(self.node.netfilter, private, blocks=prefixes)

    def forget(self, old: Port, new: Port | None) -> None:
        """A peer's interface was ``old`` and is ``new`` now."""
        addresses, prefixes = (new.addresses, new.prefixes) if new else ((), ())
        private = [address for address in old.addresses if address not in addresses]
        gone = [prefix for prefix in old.prefixes if prefix not in prefixes]
        conntrack.forget(self.node.netfilter, private, blocks=gone)

    def _rewrite(self) -> None:
        """The nftables table anew, from the records."""
        self._gates.begin()
        for acl in self._acls.values():
            self._gates.announce_acl(acl)
        for group in self._groups.values():
            self._gates.announce_group(group)
        for port in self.ports.values():
            self._gates.announce_port(port, self._here(port))
        for table in self._tables.records().values():
            self._gates.announce(elements.way_in(table))
        self._gates.announce(_elements(self.vpc, self._wires))
        self._gates.announce(map(elements.middle, self._middles))
        self._gates.translate(self.vpc.internet)
        self._gates.commit()


def _neighbours(port: Port) -> Iterator[Address]:
    """The next hops that are the port's guest."""
    yield from port.addresses
    yield from {prefix.version: names.LOWER[prefix.version] for prefix in port.prefixes}.values()


def _deliveries(port: Port, device: int) -> Iterator[KernelRoute]:
    """The routes to the port's addresses and prefixes."""
    yield from (routing.delivery(address, device) for address in port.addresses)
    yield from (routing.delegation(prefix, device) for prefix in port.prefixes)


def _elements(vpc: Vpc, links: Iterable[str]) -> Iterator[Element]:
    yield from elements.blocks(vpc.blocks)
    yield from elements.own(interface.ip for interface in _own_addresses(vpc))
    yield from elements.answered(vpc)
    peers = {names.peering_link(peering.id): peering for peering in vpc.peerings}
    for link in links:
        yield from elements.peering(peers[link], vpc.id) if link in peers else elements.gateway(link, vpc)


def _wire(route: Route) -> str:
    """The link a route to a gateway leads over."""
    if route.kind is TargetKind.VPN:
        return names.vpn_link(route.target)
    return names.peering_link(route.target) if route.kind is TargetKind.PEERING else names.INTERNET


def _parted(old: Record | None, new: Record | None) -> list[Peering]:
    """The peering connections that ended with a change."""
    if not isinstance(old, Vpc):
        return []
    kept = {peering.id for peering in new.peerings} if isinstance(new, Vpc) else set()
    return [peering for peering in old.peerings if peering.id not in kept]


def _own_addresses(vpc: Vpc) -> Iterator[Interface]:
    """The router's: its subnets' gateways, and those of the services it has for instances."""
    yield from (ip_interface(end) for subnet in vpc.subnets for end in subnet.gateways)
    yield from map(ip_interface, services.addresses(vpc))


def wires(vpc: Vpc) -> set[str]:
    """The links to gateways a VPC may have."""
    found = {names.vpn_link(link.id) for link in vpc.vpn} | {names.peering_link(link.id) for link in vpc.peerings}
    return found | {names.INTERNET} if vpc.online else found
