"""The picture of a VPC: who is in it and what is connected to what, out of the records, before anybody draws it.

:mod:`enid.topology.picture_text` draws it for a terminal and :mod:`enid.topology.picture_dot` for Graphviz.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from enid.topology.places import ports, sites
from enid.topology.records import Kind, Port, Route, RouteTable, Site, Subnet, TargetKind, Vpc, World


@dataclass(frozen=True, slots=True)
class Labels:
    """What people call things; the records know only ids."""

    names: Mapping[str, str] = field(default_factory=dict)
    """Any id → its Name tag; a security group's id → the group's name."""
    zones: Mapping[str, str] = field(default_factory=dict)
    """Subnet id → availability zone."""

    def of(self, id_: str) -> str:
        """The name, or the id where there is none."""
        return self.names.get(id_) or id_


@dataclass(frozen=True, slots=True)
class Machine:
    """An instance, or a NAT gateway, and its interfaces in this VPC, by device index."""

    id: str
    ports: tuple[Port, ...]

    def in_subnet(self, id_: str) -> tuple[Port, ...]:
        return tuple(port for port in self.ports if port.subnet.id == id_)


@dataclass(frozen=True, slots=True)
class Column:
    """A subnet with its route table."""

    subnet: Subnet
    zone: str
    table_id: str
    routes: tuple[Route, ...]

    def leads_to(self, kind: TargetKind) -> bool:
        return any(route.kind is kind for route in self.routes)


@dataclass(frozen=True, slots=True)
class Picture:
    vpc: Vpc
    columns: tuple[Column, ...]
    """Subnets that share an instance are neighbours, those with a way to the internet first."""
    machines: tuple[Machine, ...]
    """Those that span most subnets first."""
    joined: tuple[tuple[str, Site], ...]
    """(vpn-…, the site at its far end), for every tunnel that is up."""
    others: tuple[Site, ...]
    """Places on the internet that have no tunnel to this VPC."""
    labels: Labels
    appliances: Mapping[str, str] = field(default_factory=dict)
    """Interface of an appliance → the appliance (nat-…)."""

    def target(self, route: Route) -> str:
        """In words, where a route leads."""
        match route.kind:
            case TargetKind.INTERNET:
                return "internet"
            case TargetKind.EGRESS_ONLY:
                return "internet, egress only"
            case TargetKind.VPN:
                site = next((site.id for link, site in self.joined if link == route.target), None)
                return f"VPN {site}" if site else f"{route.target} (down)"
            case TargetKind.PEERING:
                peer = next((link.vpc_id for link in self.vpc.peerings if link.id == route.target), route.target)
                return f"peer {self.labels.of(peer)}"
            case TargetKind.PORT:
                return self.labels.of(self.appliances.get(route.target, route.target))
        return "blackhole"

    def guards(self, port: Port) -> str:
        """In words, who judges what comes in there."""
        if port.appliance:
            return port.appliance.replace("nat", "NAT").replace("_", " ")
        return ", ".join(self.labels.of(id_) for id_ in port.groups) or "no group"


def picture(
    world: World, vpc_id: str, labels: Labels | None = None, tables: Mapping[str, str] | None = None
) -> Picture:
    """Draw one VPC.

    :param tables: subnet id → route table id, for subnets that have no interface to tell it (yet).
    :raises KeyError: there is no such VPC.
    """
    labels = labels or Labels()
    vpc = world[(Kind.VPC, vpc_id)]
    assert isinstance(vpc, Vpc)
    inside = [port for port in ports(world) if port.vpc_id == vpc_id]
    machines = _machines(inside, labels)
    table_of = {**(tables or {}), **{port.subnet.id: port.route_table_id for port in inside}}
    columns = [_column(world, subnet, table_of.get(subnet.id, ""), labels) for subnet in vpc.subnets]
    known = {site.id: site for site in sites(world)}
    joined = tuple((link.id, known[link.site]) for link in vpc.vpn if link.site in known)
    tunnelled = {site.id for _, site in joined}
    others = tuple(known[name] for name in sorted(known) if name not in tunnelled)
    appliances = {port.id: port.instance_id for port in inside if port.appliance}
    return Picture(vpc, _ordered(columns, machines), machines, joined, others, labels, appliances)


def _machines(inside: list[Port], labels: Labels) -> tuple[Machine, ...]:
    found: dict[str, list[Port]] = {}
    for port in sorted(inside, key=lambda port: (port.network_card_index, port.device_index)):
        found.setdefault(port.instance_id, []).append(port)
    machines = [Machine(id_, tuple(mine)) for id_, mine in found.items()]
    return tuple(sorted(machines, key=lambda one: (-len(_spanned(one)), labels.of(one.id), one.id)))


def _spanned(machine: Machine) -> set[str]:
    return {port.subnet.id for port in machine.ports}


def _column(world: World, subnet: Subnet, table_id: str, labels: Labels) -> Column:
    table = world.get((Kind.ROUTE_TABLE, table_id))
    routes = table.routes if isinstance(table, RouteTable) else ()
    return Column(subnet, labels.zones.get(subnet.id, ""), table_id, routes)


def _ordered(columns: list[Column], machines: tuple[Machine, ...]) -> tuple[Column, ...]:
    """Start at the left with the most public subnet, and go on with whatever shares an instance with what is there."""
    waiting = sorted(columns, key=lambda column: (_privacy(column), column.subnet.blocks[0].network_address.packed))
    result: list[Column] = []
    while waiting:
        near = {id_ for column in result for id_ in _neighbours(column.subnet.id, machines)}
        chosen = next((column for column in waiting if column.subnet.id in near), waiting[0])
        waiting.remove(chosen)
        result.append(chosen)
    return tuple(result)


def _neighbours(subnet_id: str, machines: tuple[Machine, ...]) -> set[str]:
    spans = (_spanned(machine) for machine in machines)
    return {id_ for span in spans if subnet_id in span for id_ in span}


def _privacy(column: Column) -> int:
    if column.leads_to(TargetKind.INTERNET):
        return 0
    return 2 if column.leads_to(TargetKind.VPN) else 1
