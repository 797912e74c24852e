"""The Linux driver: which namespaces there are, what ties them together, and the order things happen in.

What happens inside a VPC is :mod:`router`'s; this module keeps the records carried out so far, hands each router its
share of a batch, and keeps the internet and the sites in step with them.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import structlog

from enid.fabric.interface import Failures, GuestPlace, Load, Look, Place, Repair
from enid.fabric.linux import names, wires
from enid.fabric.linux.accelerator import LENIENT, Accelerator, BpfAccelerator, Unavailable
from enid.fabric.linux.appliances import Appliances
from enid.fabric.linux.internet import Internet, host_device, leave_host
from enid.fabric.linux.lookout import Lookout
from enid.fabric.linux.node import COMPARABLE, Aspect, Node
from enid.fabric.linux.peerings import Peers, is_wire
from enid.fabric.linux.plugs import PORT_MTU
from enid.fabric.linux.router import Router, RouterError
from enid.fabric.linux.sites import SitePlace
from enid.fabric.linux.tunnels import Tunnels
from enid.netlink import namespaces
from enid.settings import Settings
from enid.topology.records import Change, Kind, Port, Record, RecordKey, Site, Vpc, VpnLink, World

log = structlog.get_logger()


class LinuxFabric:
    """Network namespaces, veth pairs and nftables; see :class:`enid.fabric.interface.Fabric`.

    Works as root, and unchanged as uid 0 of a user namespace. One thread at a time may call it.

    :param host_id: ports of other hosts are not plugged here; the settings' own by default.
    """

    def __init__(self, settings: Settings, guest_place: GuestPlace, host_id: str | None = None) -> None:
        self._settings = settings
        self._guest = guest_place
        self._host_id = host_id or settings.host_id
        self._pins = settings.run_dir / "netns"
        self._host_device = host_device(settings.run_dir)
        self._accelerates = settings.accelerator == "auto"
        self._encrypts = settings.vpn == "ipsec"
        self.counts: Counter[str] = Counter(processes=0)
        """What the kernel was asked so far: messages, batches, transactions, namespaces; processes is always 0."""
        self.changed_routers: set[str] = set()
        """VPCs whose router came, went or was taken over; for whoever serves in them to look at and clear."""
        self._lookout = Lookout()
        self._reset()

    def _reset(self) -> None:
        self._world: dict[RecordKey, Record] = {}
        self._of_vpc: defaultdict[str, set[RecordKey]] = defaultdict(set)
        self._routers: dict[str, Router] = {}
        self._sites: dict[str, SitePlace] = {}
        self._appliances = Appliances(self._pins, self._host_id, self.counts)
        self._tunnels = Tunnels(self._pins, self.counts)
        self._internet: Internet | None = None
        self._broken: set[str] = set()
        self._peers = Peers(self._routers, self._world, self._of_vpc, self._apply_vpc)
        self._touched: dict[str, set[Aspect]] = {}
        """By place, what others may have changed there."""

    # The interface

    def resync(self, world: World) -> Failures:
        self.close()
        self._reset()
        internet = self._start(settle=False)
        self._unpin_unknown(world)
        failures: dict[RecordKey, str] = {}
        for record in world.values():
            self._remember(record.key, record)
        for record in world.values():
            if isinstance(record, Site):
                self._sites[record.id] = self._join_site(SitePlace(record, self._site_pin(record.id), self.counts))
        vpcs = [record for record in world.values() if isinstance(record, Vpc)]
        for vpc in vpcs:
            failures |= self._open(vpc)  # all of them before any is adopted: peers are joined in between
        for vpc in vpcs:
            failures |= self._adopt(vpc.id) if vpc.id in self._routers else {}
        failures |= self._homeless()
        for place in self._sites.values():
            ties = {
                names.vpn_link(link.id) for record in world.values() if isinstance(record, Vpc) for link in record.vpn
            }
            place.node.delete_links([name for name in place.node.links if name not in ties | {names.INTERNET}])
            place.node.settle(everything=True)
        known = {names.vpc_link(vpc) for vpc in self._routers} | {names.site_link(site) for site in self._sites}
        known |= self._tunnels.entrances()
        internet.node.delete_links([name for name in internet.node.links if name[0] in "vsg" and name not in known])
        internet.node.settle(everything=True)
        lost = [Change(self._world.get(key), None) for key in failures]
        self._forget(failures)
        self._peers.visit(lost)
        return failures

    def apply(self, changes: Sequence[Change]) -> Failures:
        internet = self._start()
        lost: dict[RecordKey, str] = {}
        for vpc_id in list(self._broken):
            lost |= self._rebuild(vpc_id).failures
        failures: dict[RecordKey, str] = {}
        effective = [Change(self._world.get(change.key), change.new) for change in changes]
        effective = [change for change in effective if change.old != change.new]
        for change in effective:
            self._retract(internet, change.old)
        sites = [change for change in effective if change.key[0] is Kind.SITE]
        for change in sites:
            self._apply_site(change)
        shares = self._shares(effective, sites)
        for vpc_id in sorted(shares, key=lambda vpc_id: _gains_public(shares[vpc_id])):
            failures |= self._apply_vpc(vpc_id, shares[vpc_id])
        for change in effective:
            if change.key not in failures:
                self._remember(change.key, change.new)
                self._advertise(internet, change.old, change.new)
            else:
                self._remember(change.key, change.old if change.old and _survives(change) else None)
        self._peers.rejoin()
        self._peers.part(change.key[1] for change in effective if change.key[0] is Kind.VPC)
        self._peers.visit(effective)
        self._settle_outside(internet)
        for change in sites:
            if change.new is None:
                self._sites.pop(change.key[1]).leave(internet)
        settled = {change.key for change in changes if change.new is None} | self._world.keys()
        return {key: reason for key, reason in lost.items() if key not in settled} | failures

    def tidy(self) -> bool:
        sound = [router for vpc_id, router in self._routers.items() if vpc_id not in self._broken]
        busy = next((router for router in sound if router.leaving), None)
        if busy is not None:
            busy.tidy()
            return True
        more = [router.tidy() for router in sound]
        return any(more)

    def close(self) -> None:
        for router in self._routers.values():
            router.close()
        for place in self._sites.values():
            place.node.close()
        self._appliances.close()
        self._tunnels.close()
        if self._internet is not None:
            self._internet.node.close()
        self._reset()

    def destroy(self) -> None:
        self.close()
        self._lookout.close()
        if self._pins.exists():
            for pin in self._pins.iterdir():
                namespaces.unpin(pin)
            namespaces.discard(self._pins)
        if self._may_touch_host():
            leave_host(self._host_device)

    def listen(self) -> bool:
        return self._lookout.listen() or bool(self._broken)

    def drifted(self) -> Collection[str]:
        self._lookout.follow(self._nodes().values())
        self._lookout.listen()
        for node, aspects in self._lookout.touched().items():
            if any(map(node.differs, aspects)):
                self._touched[node.path.name] = aspects
        return {*self._touched, *self._broken}

    def sweep(self) -> Sequence[Look]:
        return [partial(self._look, place, aspect) for place in self._nodes() for aspect in COMPARABLE]

    def _look(self, place: str, aspect: Aspect) -> str | None:
        node = self._nodes().get(place)
        return place if node is not None and node.differs(aspect) else None

    def repair(self, place: str) -> Repair:
        touched = self._touched.pop(place, set())
        try:
            if place in self._broken:
                return self._rebuild(place)
            if place in self._routers:
                return self._repair_vpc(place, touched)
            if (node := self._nodes().get(place)) is not None:
                self._repair_outside(node, touched)
        except (RouterError, OSError) as error:
            log.error("not repaired", place=place, reason=str(error))
            self._broken |= {place} & self._routers.keys()
        return Repair({})

    def routers(self) -> dict[str, int]:
        """Each VPC's router namespace: a descriptor that stays the fabric's."""
        return {vpc_id: router.node.namespace for vpc_id, router in self._routers.items()}

    def drops(self, vpc_id: str) -> Mapping[str, int]:
        """Packets a VPC's router has dropped, by reason (see :data:`enid.fabric.linux.ruleset.DROPS`)."""
        router = self._routers.get(vpc_id)
        return {} if router is None else router.drops()

    def loads(self) -> Mapping[str, Load]:
        return {id_: Load(router.drops(), router.flows()) for id_, router in self._routers.items()}

    # Namespaces

    def _start(self, settle: bool = True) -> Internet:
        """The internet, which is always there.

        :param settle: make it so at once. A resync does that at its end, when all that is wanted there is announced.
        """
        if self._internet is None:
            namespaces.prepare(self._pins)
            self._internet = Internet(self._pins / names.INTERNET, self._settings.public_pool, self.counts)
            if self._may_touch_host():
                try:
                    self._internet.join_host(self._host_device, self._settings.public_pool)
                except OSError as error:
                    log.warning("the host has no way to public addresses", reason=str(error))
            if settle:
                self._internet.node.settle()
        return self._internet

    def _may_touch_host(self) -> bool:
        return self._settings.host_route and not self._settings.rootless and os.geteuid() == 0

    def _site_pin(self, site: str) -> Path:
        return self._pins / names.site_pin(site)

    def _unpin_unknown(self, world: World) -> None:
        known = {names.INTERNET}
        known |= {names.vpc_pin(id_) for kind, id_ in world if kind is Kind.VPC}
        known |= {names.site_pin(id_) for kind, id_ in world if kind is Kind.SITE}
        known |= self._appliances.pins(world)
        known |= self._tunnels.pins(world.values()) if self._encrypts else set()
        for pin in self._pins.iterdir():
            if pin.name.partition(".")[0] not in known:  # behind a dot: a part of a VPC, which its router knows
                namespaces.unpin(pin)

    # Records

    def _remember(self, key: RecordKey, record: Record | None) -> None:
        old = self._world.pop(key, None)
        if old is not None and (vpc := vpc_of(old)):
            self._of_vpc[vpc].discard(key)
        if record is not None:
            self._world[key] = record
            if vpc := vpc_of(record):
                self._of_vpc[vpc].add(key)

    def _forget(self, failures: Failures) -> None:
        for key in failures:
            self._remember(key, None)

    def _shares(self, changes: Sequence[Change], sites: Sequence[Change]) -> dict[str, list[Change]]:
        """The changes by VPC; a VPC whose sites came or went looks at its wires again."""
        shares: defaultdict[str, list[Change]] = defaultdict(list)
        for change in changes:
            for vpc_id in {vpc_of(record) for record in (change.old, change.new) if record is not None} - {""}:
                shares[vpc_id].append(change)
        moved = {change.key[1] for change in sites}
        if moved:
            for router in self._routers.values():
                vpc = router.vpc
                linked = any(link.site in moved for link in vpc.vpn)
                if linked and not any(change.key == vpc.key for change in shares[vpc.id]):
                    shares[vpc.id].append(Change(vpc, vpc))
        return {vpc_id: share for vpc_id, share in shares.items() if share}

    # A VPC

    def _apply_vpc(self, vpc_id: str, share: list[Change]) -> dict[RecordKey, str]:
        vpc = next((change for change in share if change.key[0] is Kind.VPC), None)
        if vpc is not None:
            self._peers.looked(vpc_id)
        if vpc is not None and vpc.new is None:
            self._remove_vpc(vpc_id)
            share = [change for change in share if change is not vpc]
        router = self._routers.get(vpc_id)
        try:
            if router is None and vpc is not None and isinstance(vpc.new, Vpc):
                return self._new_vpc(vpc.new, share)
            if router is None:
                return _unplaced(share)
            new = vpc.new if vpc is not None and isinstance(vpc.new, Vpc) else router.vpc
            usable = self._wire(router, new) if vpc is not None else self._usable(router, new)
            wanted = [change.new for change in share]
            self._appliances.make(wanted)
            failures = self._furnish(router, wanted, usable, router.apply(share, usable))
            self._appliances.remove(vpc_id, [change.old for change in share if change.new is None])
            if vpc is not None:
                self._unwire(router, usable)
            return failures
        except (RouterError, OSError) as error:
            log.error("router in doubt", vpc=vpc_id, reason=str(error))
            self._broken.add(vpc_id)
            return {change.key: str(error) for change in share}

    def _new_vpc(self, vpc: Vpc, share: Iterable[Change]) -> dict[RecordKey, str]:
        for change in share:
            self._remember(change.key, change.new)
        return self._renew(vpc.id)

    def _renew(self, vpc_id: str) -> dict[RecordKey, str]:
        """Read the VPC's namespace again and make it equal the records."""
        vpc = self._world.get((Kind.VPC, vpc_id))
        if (old := self._routers.get(vpc_id)) is not None:
            try:
                old.node.repin()  # or it would end with the last descriptor, and all links with it
            except OSError as error:
                return self._doubt(vpc_id, error)
            self._routers.pop(vpc_id).close()
            self.changed_routers.add(vpc_id)
        self._broken.discard(vpc_id)
        return self._open(vpc) or self._adopt(vpc_id) if isinstance(vpc, Vpc) else {}

    def _open(self, vpc: Vpc) -> dict[RecordKey, str]:
        """A router for the VPC, in whatever namespace is there; :meth:`_adopt` follows."""
        self.changed_routers.add(vpc.id)
        try:
            path = self._pins / names.vpc_pin(vpc.id)
            self._routers[vpc.id] = Router(vpc, path, self._host_id, self._place, self._accelerate, self.counts)
        except OSError as error:
            return self._doubt(vpc.id, error)
        return {}

    def _doubt(self, vpc_id: str, error: Exception) -> dict[RecordKey, str]:
        log.error("router in doubt", vpc=vpc_id, reason=str(error))
        self._broken.add(vpc_id)
        return {key: str(error) for key in self._of_vpc[vpc_id]}

    def _adopt(self, vpc_id: str) -> dict[RecordKey, str]:
        """Make the VPC's namespace, just opened, equal the records of it."""
        router = self._routers[vpc_id]
        records = [self._world[key] for key in self._of_vpc[vpc_id]]
        self._peers.looked(vpc_id)
        try:
            usable = self._wire(router, router.vpc)
            self._appliances.retain(vpc_id, records)
            self._appliances.make(records)
            failures = router.adopt([*records, *self._peers.members(router.vpc)], usable)
            failures = self._furnish(router, records, usable, failures)
        except (RouterError, OSError) as error:
            return self._doubt(vpc_id, error)
        internet = self._start()
        for record in records:
            if record.key not in failures:
                self._advertise(internet, None, record)
        return failures

    def _furnish(
        self, router: Router, records: Sequence[Record | None], usable: set[str], failures: dict[RecordKey, str]
    ) -> dict[RecordKey, str]:
        """Set the appliances behind the plugged ports to work. A port whose appliance does not is withdrawn."""
        failed = self._appliances.become(records, failures)
        if failed:
            ports = [port for port in self._appliances.ports(records) if port.key in failed]
            router.apply([Change(port, None) for port in ports], usable)
        return failures | failed

    def _place(self, id_: str) -> Place | None:
        """Of an appliance or a guest."""
        return self._appliances.place(id_) or self._guest(id_)

    def _homeless(self) -> dict[RecordKey, str]:
        """Ports whose VPC is not there."""
        ports = [record for record in self._world.values() if isinstance(record, Port)]
        return {port.key: f"{port.vpc_id} is not there" for port in ports if (Kind.VPC, port.vpc_id) not in self._world}

    def _remove_vpc(self, vpc_id: str) -> None:
        router = self._routers.pop(vpc_id, None)
        self._broken.discard(vpc_id)
        self.changed_routers.add(vpc_id)
        if router is None:
            return
        self._unwire(router, set())
        self._peers.leave(router)
        router.destroy()

    def _accelerate(self, node: Node) -> Accelerator:
        """A router's accelerator; one that does nothing, where the kernel refused one before."""
        if self._accelerates:
            try:
                made = BpfAccelerator(node.namespace, names.router_mac(node.path.name), PORT_MTU, self.counts)
                node.settings.update(LENIENT)
                return made
            except Unavailable as problem:
                self._accelerates = False
                log.info("no accelerator: every packet goes the ordinary way", reason=str(problem))
        return Accelerator()

    # Drift

    def _nodes(self) -> dict[str, Node]:
        """All namespaces of ours, by the names of their pins."""
        found = [router.node for router in self._routers.values()] + self._appliances.nodes() + self._tunnels.nodes()
        found += [place.node for place in self._sites.values()]
        found += [self._internet.node] if self._internet is not None else []
        return {node.path.name: node for node in found}

    def _repair_vpc(self, vpc_id: str, touched: set[Aspect], wire_lost: bool = False) -> Repair:
        """:param wire_lost: at its other end."""
        router, internet = self._routers[vpc_id], self._start()
        gone = router.node.look_again()
        if wires_lost := wire_lost or any(not names.is_port_link(name) for name in gone):
            usable = self._wire(router, router.vpc)
        lost, failures = router.repair(gone, touched, usable if wires_lost else None)
        failures = self._furnish(router, lost, self._usable(router, router.vpc), failures)
        for key in self._of_vpc[vpc_id] if wires_lost else ():
            self._advertise(internet, None, self._world[key])
        self._withdrawn([port for port in lost if port.key in failures])
        return Repair(failures, frozenset(port.key for port in lost if port.key not in failures))

    def _withdrawn(self, ports: Iterable[Port]) -> None:
        """The routers have withdrawn them; so does everything else."""
        changes = [Change(port, None) for port in ports]
        internet = self._start()
        for change in changes:
            self._retract(internet, change.old)
        self._forget(dict.fromkeys((change.key for change in changes), ""))
        self._peers.rejoin()
        self._peers.visit(changes)
        self._settle_outside(internet)

    def _rebuild(self, vpc_id: str) -> Repair:
        """A router in doubt: from its records. All guests may have lost something."""
        failures = self._renew(vpc_id)
        ports = [port for key in self._of_vpc[vpc_id] if isinstance(port := self._world[key], Port)]
        if vpc_id in self._broken:
            return Repair({})
        self._withdrawn([port for port in ports if port.key in failures])
        return Repair(failures, frozenset(port.key for port in ports if port.key not in failures))

    def _repair_outside(self, node: Node, touched: set[Aspect]) -> None:
        """The internet, a site or an appliance. What hangs on a VPC's wire is made with the VPC."""
        internet, gone = self._start(), node.look_again()
        if node is internet.node and (names.HOST_LINK in gone or Aspect.TABLES in touched) and self._may_touch_host():
            internet.join_host(self._host_device, self._settings.public_pool)
        for place in self._sites.values():
            if names.site_link(place.site.id) in gone or (place.node is node and names.INTERNET in gone):
                self._join_site(place)
        for vpc_id in [id_ for id_ in self._routers if names.vpc_link(id_) in gone]:
            self._repair_vpc(vpc_id, set(), wire_lost=True)
        ports = [port for port in self._appliances.ports(self._world.values()) if port.instance_id == node.path.name]
        self._appliances.become(ports, (), touched)
        self._tunnels.mend(internet, node, gone, touched)
        self._settle_outside(internet)

    # Wires

    def _usable(self, router: Router, vpc: Vpc) -> set[str]:
        ties = {names.vpn_link(link.id) for link in vpc.vpn if self._encrypts or self._tied(link)}
        return (wires_of(vpc) | ties) & router.node.links.keys()

    def _tied(self, link: VpnLink) -> bool:
        """There is a site for a plain wire to end at."""
        place = self._sites.get(link.site or "")
        return place is not None and place.takes()

    def _wire(self, router: Router, vpc: Vpc) -> set[str]:
        """Make the wires a VPC has a right to, as far as their other ends are there."""
        internet = self._start()
        if vpc.online:
            wires.join(internet.node, names.vpc_link(vpc.id), router.node, names.INTERNET)
        if self._encrypts:
            self._tunnels.tie(internet, router.node, vpc)
        for link in vpc.vpn if not self._encrypts else ():
            if self._tied(link):
                self._sites[link.site or ""].tie(router.node, vpc, link.id)
        self._peers.join(router, vpc)
        return self._usable(router, vpc)

    def _unwire(self, router: Router, usable: set[str]) -> None:
        """Remove wires that are not wanted any more; no route leads there now."""
        internet = self._start()
        ways = [name for name in router.node.links if not names.leads_inside(name) and not is_wire(name)]
        for name in [name for name in ways if name not in usable]:
            if name == names.INTERNET:
                wires.part(internet.node, names.vpc_link(router.vpc.id), router.node, name)
                continue
            if self._tunnels.untie(internet, name, router.node):
                continue
            place = next((place for place in self._sites.values() if name in place.node.links), None)
            if place is not None:
                place.untie(name, router.node)
            else:
                router.node.delete_links([name])

    # Outside the VPCs

    def _join_site(self, place: SitePlace) -> SitePlace:
        place.join(self._start())
        return place

    def _apply_site(self, change: Change) -> None:
        """A site that goes is only closed to VPCs here; it leaves when no route leads there."""
        site = change.new
        place = self._sites.get(change.key[1])
        if not isinstance(site, Site):
            if place is not None:
                place.closed = True
            return
        if place is None:
            place = self._sites[site.id] = SitePlace(site, self._site_pin(site.id), self.counts)
        place.become(site)
        self._join_site(place)

    def _retract(self, internet: Internet, old: Record | None) -> None:
        """Public addresses the internet shall not lead anywhere any more, unless :meth:`_advertise` says otherwise."""
        if isinstance(old, Port):
            for _, public in old.public:
                internet.leave(public)
        elif isinstance(old, Vpc) and old.online:
            for block in old.blocks:
                if block.version == 6:
                    internet.leave(block)
        elif isinstance(old, Site):
            for own in old.public:
                internet.leave(own)

    def _advertise(self, internet: Internet, old: Record | None, new: Record | None) -> None:
        if isinstance(new, Port):
            self._advertise_port(internet, new)
        elif isinstance(new, Vpc):
            if new.online:
                for block in new.blocks:
                    if block.version == 6:
                        internet.lead(block, names.vpc_link(new.id))
            if isinstance(old, Vpc) and old.internet != new.internet:
                for port in self._routers[new.id].ports.values():
                    if port.vpc_id != new.id:
                        continue  # a peer's
                    if new.internet:
                        self._advertise_port(internet, port)
                    else:
                        self._retract(internet, port)

    def _advertise_port(self, internet: Internet, port: Port) -> None:
        router = self._routers.get(port.vpc_id)
        online = router is not None and router.vpc.internet and names.INTERNET in router.node.links
        if online and port.host == self._host_id:
            for _, public in port.public:
                internet.lead(public, names.vpc_link(port.vpc_id))

    def _settle_outside(self, internet: Internet) -> None:
        internet.node.settle()
        for place in self._sites.values():
            place.node.settle()


def vpc_of(record: Record) -> str:
    """The VPC a record belongs to; empty for a site."""
    if isinstance(record, Vpc):
        return record.id
    return "" if isinstance(record, Site) else record.vpc_id


def wires_of(vpc: Vpc) -> set[str]:
    """The wires a VPC has a right to now, but for VPN connections."""
    found = {names.INTERNET} if vpc.online else set()
    return found | {names.peering_link(link.id) for link in vpc.peerings}


def _gains_public(share: Iterable[Change]) -> bool:
    """Whoever only gives a public address up goes first."""
    return any(isinstance(change.new, Port) and bool(change.new.public) for change in share)


def _unplaced(share: Iterable[Change]) -> dict[RecordKey, str]:
    """A port needs its VPC; groups and route tables wait for it."""
    ports = [change.new for change in share if isinstance(change.new, Port)]
    return {port.key: f"{port.vpc_id} is not there" for port in ports}


def _survives(change: Change) -> bool:
    """What is left of a record whose change failed: a port was withdrawn, anything else is as before."""
    return not isinstance(change.old, Port)
