"""One VPC's router namespace: records in, kernel state out.

A batch is staged (withdrawals first) and then carried out in an order that never lets a packet slip: new links and
neighbours, then the nftables transaction, then routes. Old links go later, see :meth:`Router.tidy`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_interface
from itertools import chain
from pathlib import Path

from enid.fabric.interface import GuestNamespace
from enid.fabric.linux import elements, groups, names, plugs, routing
from enid.fabric.linux.cells import Cells
from enid.fabric.linux.node import ROUTER_SETTINGS, Node
from enid.fabric.linux.ruleset import no_translation, skeleton, translation
from enid.netlink import conntrack, nftables
from enid.netlink.nftables import Data, Key
from enid.netlink.routes import MAIN, Network
from enid.netlink.routes import Route as KernelRoute
from enid.topology.records import (
    Address,
    Change,
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
"""So many chains and sets nobody uses may pile up before the table is written anew."""
_FIRST_SETS = ("spoof4", "spoof6", "unchecked", "outside", "blocks4", "blocks6", "public", "public_of", "private_of")
"""What running flows need, if a table is too big for one transaction."""


class RouterError(Exception):
    """The kernel refused something that is not one port's fault: this router's state is to be read and built anew."""


class Router:
    """The router of ``vpc``. ``host_id``: ports elsewhere are members of their groups here and nothing more."""

    def __init__(self, vpc: Vpc, path: Path, host_id: str, guest: GuestNamespace, counts: Counter[str]) -> None:
        self.node = Node(path, counts, ROUTER_SETTINGS)
        self.vpc = vpc
        self._host_id = host_id
        self._guest = guest
        self._counts = counts
        self.ports: dict[str, Port] = {}
        self._tables: dict[str, RouteTable] = {}
        self._groups: dict[str, SecurityGroup] = {}
        self._elements: Cells[tuple[str, Key], Data] = Cells()
        self._skeleton: list[bytes] = []
        self._structure: list[bytes] = []
        self._sets: set[str] = set()
        self._features: defaultdict[str, set[groups.Feature]] = defaultdict(set)
        self._combinations: dict[tuple[str, ...], int] = {}
        """Those that have chains, with how many ports carry them."""
        self._carrying: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
        """Group → the combinations it is part of."""
        self._translates = False
        self._users: Counter[str] = Counter()
        self._inside: set[str] = set()
        self._ruling: tuple[set[str], set[str]] | None = None
        self._table_routes: dict[str, list[tuple[int, Network]]] = {}
        self._targeting: dict[str, set[str]] = defaultdict(set)
        self.leaving: dict[str, Port] = {}
        """Links of withdrawn ports, to be deleted."""
        self._fresh = True
        self._present: set[str] = set()

    # Records

    def apply(self, changes: Sequence[Change], wires: Collection[str]) -> dict[RecordKey, str]:
        """Carry out changes of this VPC's records. Answers the keys that failed, each with the reason.

        :param wires: the names of links to gateways that may be used; they exist.
        :raises RouterError: nothing is known about the outcome.
        """
        try:
            failures = self._plug([change for change in changes if isinstance(change.new, Port)])
            carried = [change for change in changes if change.key not in failures]
            carried += [Change(change.old, None) for change in changes if change.key in failures and change.old]
            self._stage(carried, wires)
            failures |= self._settle()
            self._forget_flows(carried)
            return failures
        except OSError as error:
            raise RouterError(str(error)) from error

    def adopt(self, records: Iterable[Record], wires: Collection[str]) -> dict[RecordKey, str]:
        """Make the namespace equal ``records``, keeping what is right. For a router just made."""
        try:
            changes = [Change(None, record) for record in records]
            here = [port for port in (change.new for change in changes) if isinstance(port, Port) and self._here(port)]
            kept = plugs.adoptable(self.node, here, self._guest, self._counts) | set(wires)
            delivered = set(self.node.routes.held)
            self.node.delete_links([name for name in self.node.links if name not in kept])
            counters = self.drops()
            failures = self._plug([change for change in changes if isinstance(change.new, Port)])
            carried = [change for change in changes if change.key not in failures]
            self._stage(carried, wires)
            self._skeleton = skeleton(counters)
            failures |= self._settle(everything=True)
            gone = [network for table, network in delivered if (table, network) not in self.node.routes.held]
            ends = [network.network_address for network in gone if network.prefixlen == network.max_prefixlen]
            conntrack.forget(self.node.netfilter, ends)
            return failures
        except OSError as error:
            raise RouterError(str(error)) from error

    def _here(self, port: Port) -> bool:
        return port.host == self._host_id

    def _device(self, port: Port) -> int:
        return self.node.links.get(names.port_link(port.attachment_id), 0)

    # Links

    def _plug(self, changes: Sequence[Change]) -> dict[RecordKey, str]:
        """Make the links new ports need, after those that stand in their way."""
        wanted = []
        for change in changes:
            port, old = change.new, change.old
            assert isinstance(port, Port)
            if not self._here(port):
                continue
            name = names.port_link(port.attachment_id)
            if isinstance(old, Port) and old.attachment_id == port.attachment_id and old.boot != port.boot:
                self.leaving[name] = old
            if name not in self.node.links or name in self.leaving:
                wanted.append(port)
        if not wanted:
            return {}
        taken = {(port.instance_id, port.device) for port in wanted} | {
            ("", names.port_link(port.attachment_id)) for port in wanted
        }
        in_the_way = [
            name for name, old in self.leaving.items() if (old.instance_id, old.device) in taken or ("", name) in taken
        ]
        self._unplug(in_the_way)
        failures = plugs.plug(self.node, wanted, self._guest, self._counts)
        for port in wanted:
            name = names.port_link(port.attachment_id)
            if port.key in failures and name in self.node.links:
                self.leaving[name] = port
        return failures

    def _unplug(self, doomed: Iterable[str]) -> None:
        doomed = list(doomed)
        for name in doomed:
            self.leaving.pop(name, None)
        self.node.delete_links(doomed)

    def tidy(self) -> bool:
        """Delete some links of withdrawn ports, or rewrite a table full of leftovers; true while there is more."""
        if self.leaving:
            self._unplug(list(self.leaving)[:_BATCH_OF_LINKS])
            return bool(self.leaving)
        if self._garbage() > _GARBAGE:
            self._rewrite()
        return False

    # Staging

    def _stage(self, changes: Sequence[Change], wires: Collection[str]) -> None:
        touched: set[str] = set()
        whole = self._fresh
        self._present = set(wires)
        for change in changes:
            if isinstance(change.old, Port):
                touched |= self._withdraw(change.old, change.new)
            elif isinstance(change.old, SecurityGroup):
                self._elements.withdraw(key for key, _ in groups.elements(change.old))
                self._groups.pop(change.old.id, None)
            elif isinstance(change.old, RouteTable):
                touched |= self._drop_table(change.old)
            elif isinstance(change.old, Vpc):
                self._withdraw_vpc(change.old)
                whole = True
        for change in changes:
            if isinstance(change.new, Vpc):
                self.vpc = change.new
                whole = True
            elif isinstance(change.new, RouteTable):
                touched |= self._add_table(change.new)
            elif isinstance(change.new, SecurityGroup):
                self._announce_group(change.new)
        for change in changes:
            if isinstance(change.new, Port):
                touched |= self._announce(change.new)
        if whole:
            self._announce_vpc()
        self._stage_tables(touched, whole)
        self._fresh = False

    def _withdraw_vpc(self, vpc: Vpc) -> None:
        self._elements.withdraw(key for key, _ in _vpc_elements(vpc, wires(vpc)))
        self.node.routes.withdraw((MAIN, block) for block in vpc.blocks)
        self.node.addresses.withdraw(ip_interface(end) for subnet in vpc.subnets for end in subnet.gateways)

    def _announce_vpc(self) -> None:
        vpc = self.vpc
        self._elements.announce(_vpc_elements(vpc, self._present))
        self.node.routes.announce(((MAIN, block), routing.unreachable(block)) for block in vpc.blocks)
        self.node.addresses.announce((ip_interface(end), True) for subnet in vpc.subnets for end in subnet.gateways)
        if vpc.internet != self._translates:
            self._structure += translation() if vpc.internet else no_translation()
            self._translates = vpc.internet

    def _announce_group(self, group: SecurityGroup) -> None:
        self._groups[group.id] = group
        for feature in groups.features(group) - self._features[group.id]:
            self._features[group.id].add(feature)
            self._know_sets(groups.sets(group.id, feature))
            self._structure += [groups.allow(carried, group.id, feature) for carried in self._carrying[group.id]]
        self._elements.announce(groups.elements(group))

    def _know_sets(self, wanted: Iterable[nftables.Set]) -> None:
        for declared in wanted:
            if declared.name not in self._sets:
                self._sets.add(declared.name)
                self._structure.append(nftables.add_set(names.TABLE, declared))

    def _know_combination(self, combination: tuple[str, ...]) -> None:
        if combination in self._combinations:
            return
        self._combinations[combination] = 0
        self._structure += groups.chains(combination)
        for group in combination:
            self._carrying[group].append(combination)
            self._structure += [groups.allow(combination, group, feature) for feature in self._features[group]]
        self._elements.announce(groups.dispatch(combination))

    def _announce_membership(self, port: Port) -> None:
        versions = {address.version for address in port.addresses}
        self._know_sets(groups.members_set(group, version) for group in port.groups for version in versions)
        self._elements.announce(elements.membership(port))

    def _withdraw(self, port: Port, new: Record | None) -> set[str]:
        """Route tables this concerns are answered."""
        self.ports.pop(port.id, None)
        self._elements.withdraw(key for key, _ in elements.membership(port))
        if not self._here(port):
            return set(self._targeting[port.id])
        self._users[port.route_table_id] -= 1
        self._combinations[port.groups] -= 1
        self._elements.withdraw(key for key, _ in elements.plug(port))
        self.node.routes.withdraw((MAIN, routing.host(address)) for address in port.addresses)
        name = names.port_link(port.attachment_id)
        device = self.node.links.get(name, 0)
        stays = isinstance(new, Port) and new.attachment_id == port.attachment_id and self._here(new)
        if stays:
            self.node.neighbours.withdraw((device, address) for address in port.addresses)
        elif device:
            self.leaving[name] = port
        return set(self._targeting[port.id])

    def _announce(self, port: Port) -> set[str]:
        self.ports[port.id] = port
        self._announce_membership(port)
        if self._here(port):
            device = self._device(port)
            self._users[port.route_table_id] += 1
            self._know_combination(port.groups)
            self._combinations[port.groups] += 1
            self._elements.announce(elements.plug(port))
            self.node.neighbours.announce(((device, address), port.mac) for address in port.addresses)
            self.node.routes.announce(
                ((MAIN, routing.host(address)), routing.delivery(address, device)) for address in port.addresses
            )
        return set(self._targeting[port.id])

    # Route tables

    def _drop_table(self, table: RouteTable) -> set[str]:
        self._tables.pop(table.id, None)
        self._inside.discard(table.id)
        for route in table.routes:
            self._targeting[route.target].discard(table.id)
        return {table.id}

    def _add_table(self, table: RouteTable) -> set[str]:
        self._tables[table.id] = table
        if routing.inside(table, self.vpc.blocks):
            self._inside.add(table.id)
        for route in table.routes:
            if route.kind is TargetKind.PORT:
                self._targeting[route.target].add(table.id)
        return {table.id}

    @property
    def _ruled(self) -> bool:
        """The route tables in use are kernel tables of their own."""
        return self._ruling is not None

    def _stage_tables(self, touched: set[str], whole: bool) -> None:
        """Stage the routes of the tables concerned: all of them when the VPC goes over to own tables or back."""
        if whole:
            blocks = self.vpc.blocks
            self._inside = {table.id for table in self._tables.values() if routing.inside(table, blocks)}
        used = {table for table, ports in self._users.items() if ports > 0}
        inside = used & self._inside
        ruling = (used, inside) if len(used) > 1 or inside else None
        if whole or (ruling is None) != (self._ruling is None):
            touched = used | set(self._table_routes)
        else:
            touched = touched | (used ^ set(self._table_routes))
        if ruling != self._ruling or whole:
            self._ruling = ruling
            self._stage_rules()
        for table in touched:
            self.node.routes.withdraw(self._table_routes.pop(table, ()))
        for table in touched & used:
            cells = [((route.table, route.destination), route) for route in self._kernel_routes(table)]
            self._table_routes[table] = [key for key, _ in cells]
            self.node.routes.announce(cells)

    def _stage_rules(self) -> None:
        self.node.rules.withdraw(list(self.node.rules.held))
        if self._ruling is not None:
            used, inside = self._ruling
            wanted = [rule for table in used for rule in routing.own_rules(table, table in inside)]
            self.node.rules.announce((rule, True) for rule in (*routing.LOCAL_RULES, *wanted))

    def _kernel_routes(self, table: str) -> Iterator[KernelRoute]:
        record = self._tables.get(table) or RouteTable(table, self.vpc.id, ())
        if self._ruled:
            return routing.own_routes(record, self.vpc.blocks, self._resolve)
        return routing.shared_routes(record, self._resolve)

    def _resolve(self, route: Route) -> routing.Hop | None:
        if route.kind is TargetKind.BLACKHOLE:
            return None
        if route.kind is TargetKind.PORT:
            port = self.ports.get(route.target)
            if port is None or port.source_dest_check or not self._here(port) or route.via not in port.addresses:
                return None
            device = self._device(port)
            return routing.Hop(device, route.via) if device else None
        wire = names.INTERNET if route.kind is TargetKind.INTERNET else names.vpn_link(route.target)
        return routing.upper_hop(self.node.links[wire], route.destination) if wire in self._present else None

    # The kernel

    def _settle(self, everything: bool = False) -> dict[RecordKey, str]:
        failed = self.node.settle_neighbours(everything)
        self._commit()
        failed = self.node.settle_routes(everything) | failed
        if 0 in failed or 1 in failed:
            raise RouterError(next(iter(failed.values())))
        owners = {self._device(port): port for port in self.ports.values()} if failed else {}
        if failed.keys() - owners.keys():
            raise RouterError("; ".join(f"link {device}: {reason}" for device, reason in failed.items()))
        broken = [Change(owners[device], None) for device in failed]
        if broken:
            self._stage(broken, self._present)
            self._settle()
        return {owners[device].key: f"the instance is gone ({reason})" for device, reason in failed.items()}

    def _commit(self) -> None:
        """One transaction, unless it is too big for an ordinary user's socket."""
        work = self._elements.take()
        doomed: dict[str, list[Key]] = defaultdict(list)
        for (name, key), _ in chain(work.removed, work.changed):
            doomed[name].append(key)
        fresh: dict[str, list[tuple[Key, Data]]] = defaultdict(list)
        for (name, key), data in chain(work.added, work.changed):
            fresh[name].append((key, data or None))
        added = {name: nftables.add_elements(names.TABLE, name, cells) for name, cells in fresh.items()}
        first = [message for name in _FIRST_SETS for message in added.pop(name, ())]
        last = [message for messages in added.values() for message in messages]
        gone = [m for name, keys in doomed.items() for m in nftables.delete_elements(names.TABLE, name, keys)]
        messages = [*self._skeleton, *gone, *first, *self._structure, *last]
        self._skeleton, self._structure = [], []
        for part in _parts(messages, self.node.netfilter.capacity):
            self.node.netfilter.commit(part)

    def _forget_flows(self, changes: Sequence[Change]) -> None:
        """An address that leaves an interface takes no flow along, neither to its next holder nor to the old one."""
        private: set[Address] = set()
        public: set[Address] = set()
        for change in changes:
            old, new = change.old, change.new
            if isinstance(old, Port) and self._here(old):
                kept = (new.addresses, new.public) if isinstance(new, Port) else ((), ())
                private.update(address for address in old.addresses if address not in kept[0])
                public.update(pair[1] for pair in old.public if pair not in kept[1])
        conntrack.forget(self.node.netfilter, private, public)

    def _garbage(self) -> int:
        unused = sum(1 for ports in self._combinations.values() if not ports)
        return unused + len(self._features.keys() - self._groups.keys())

    def _rewrite(self) -> None:
        """The table anew, from the records, with the same elements."""
        self._skeleton = skeleton(self.drops())
        self._sets.clear()
        self._features.clear()
        self._combinations.clear()
        self._carrying.clear()
        self._elements = Cells()
        self._translates = False
        for group in self._groups.values():
            self._announce_group(group)
        for port in self.ports.values():
            self._announce_membership(port)
            if self._here(port):
                self._know_combination(port.groups)
                self._combinations[port.groups] += 1
                self._elements.announce(elements.plug(port))
        self._announce_vpc()
        self._commit()

    def drops(self) -> Mapping[str, int]:
        """Packets dropped so far, by reason."""
        try:
            bodies = list(self.node.netfilter.dump(nftables.get_counters(names.TABLE)))
        except OSError:
            return {}
        return dict(map(nftables.parse_counter, bodies))


def _vpc_elements(vpc: Vpc, links: Iterable[str]) -> Iterator[groups.Element]:
    yield from elements.blocks(vpc.blocks)
    for link in links:
        yield from elements.gateway(link, vpc.id)


def wires(vpc: Vpc) -> set[str]:
    """The links to gateways a VPC may have."""
    found = {names.vpn_link(link.id) for link in vpc.vpn}
    return found | {names.INTERNET} if vpc.internet else found


def _parts(messages: list[bytes], capacity: int) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    size = 0
    for message in messages:
        if part and size + len(message) > capacity:
            yield part
            part, size = [], 0
        part.append(message)
        size += len(message)
    if part:
        yield part
