"""A network in AWS's terms, and its records as the store and the compiler make them.

What the plan says is all that :mod:`aws_oracle` knows. Plans are values whose ``repr`` can be pasted into a test.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from types import SimpleNamespace as Row

from enid.topology import compile as compiler
from enid.topology.records import Record

Address = IPv4Address | IPv6Address

to_address = lru_cache(1 << 14)(ip_address)
to_network = lru_cache(1 << 14)(ip_network)
"""Parsed once: the oracle reads the same few texts for each packet."""


@lru_cache(1 << 14)
def _parsed(addresses: tuple[str, ...]) -> tuple[Address, ...]:
    return tuple(map(to_address, addresses))


@dataclass(frozen=True)
class Vpc:
    id: str
    blocks: tuple[str, ...]
    internet_gateway: bool = False
    egress_only: bool = False


@dataclass(frozen=True)
class Peering:
    """Between two VPCs that have no address in common; active."""

    id: str
    ends: tuple[str, str]


@dataclass(frozen=True)
class Subnet:
    id: str
    vpc: str
    table: str
    blocks: tuple[str, ...]


@dataclass(frozen=True)
class Route:
    destination: str
    kind: str
    """``internet``, ``egress_only``, ``peering`` or ``interface``."""
    target: str = ""


@dataclass(frozen=True)
class Table:
    id: str
    vpc: str
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True)
class Permission:
    """A rule of a security group; exactly one of ``cidr``, ``group`` and ``prefix_list`` is given."""

    egress: bool
    protocol: str
    """``-1``, ``tcp``, ``udp``, ``icmp``, ``icmpv6``, or a number."""
    first: int = -1
    last: int = -1
    cidr: str = ""
    group: str = ""
    """Of the same VPC, or of one that may be a peer."""
    prefix_list: str = ""


@dataclass(frozen=True)
class Group:
    id: str
    vpc: str
    permissions: tuple[Permission, ...] = ()


@dataclass(frozen=True)
class PrefixList:
    id: str
    blocks: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """One of a network ACL."""

    number: int
    egress: bool
    allow: bool
    protocol: int
    block: str
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True)
class Acl:
    id: str
    vpc: str
    subnets: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Interface:
    """Attached to a running instance."""

    id: str
    instance: str
    device_index: int
    subnet: str
    mac: str
    addresses: tuple[str, ...]
    """The primary first; IPv6 last."""
    groups: tuple[str, ...]
    source_dest_check: bool = True
    public: tuple[tuple[str, str], ...] = ()
    """(private, public) pairs."""
    boot: int = 1
    attachment: int = 0
    """Counts its attachments."""

    def parsed(self) -> tuple[Address, ...]:
        return _parsed(self.addresses)


Thing = Vpc | Peering | Subnet | Table | Group | PrefixList | Acl | Interface


@dataclass(frozen=True)
class Plan:
    vpcs: tuple[Vpc, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    tables: tuple[Table, ...] = ()
    groups: tuple[Group, ...] = ()
    lists: tuple[PrefixList, ...] = ()
    acls: tuple[Acl, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    peerings: tuple[Peering, ...] = ()

    def vpc_of(self, interface: Interface) -> Vpc:
        return self._homes[interface.subnet]

    def peers(self, vpc: str) -> dict[str, str]:
        """Peering connection → the VPC at its other end."""
        ends = ((each.id, each.ends) for each in self.peerings if vpc in each.ends)
        return {id_: two if one == vpc else one for id_, (one, two) in ends}

    def disjoint(self, one: Vpc, other: Vpc) -> bool:
        """They have no address in common, so that they may be peers."""
        pairs = ((to_network(a), to_network(b)) for a in one.blocks for b in other.blocks)
        return not any(a.version == b.version and a.overlaps(b) for a, b in pairs)

    @cached_property
    def _homes(self) -> dict[str, Vpc]:
        return {subnet.id: named(self.vpcs, subnet.vpc) for subnet in self.subnets}


def named(things: tuple, id_: str):  # type: ignore[no-untyped-def,type-arg]
    """The one of this id. Raises KeyError."""
    for thing in things:
        if thing.id == id_:
            return thing
    raise KeyError(id_)


def records(plan: Plan) -> dict[tuple[object, str], Record]:
    """What the fabric is given: rows as the store would read them, through the compiler."""
    return {record.key: record for record in _records(plan)}


def _records(plan: Plan) -> Iterator[Record]:
    lists = {each.id: each.blocks for each in plan.lists}
    owners = {vpc.id: _owner(plan, vpc) for vpc in plan.vpcs}
    targets = {
        each.id: compiler.RouteTarget(
            each.id,
            IPv4Address(each.addresses[0]),
            next((address for address in each.parsed() if address.version == 6), None),
        )
        for each in plan.interfaces
    }
    for vpc in plan.vpcs:
        yield compiler.vpc(owners[vpc.id])
    for table in plan.tables:
        rows = [_route(route, table.vpc) for route in table.routes]
        yield compiler.route_table(table.id, owners[table.vpc], rows, False, targets, lambda id_: lists[id_])
    homes = {group.id: group.vpc for group in plan.groups}
    for group in plan.groups:
        rows = [_permission(each, homes.get(each.group), group.vpc) for each in group.permissions]
        peers = {vpc: id_ for id_, vpc in plan.peers(group.vpc).items()}
        yield compiler.security_group(group.id, group.vpc, rows, lambda id_: lists[id_], peers)
    for acl in plan.acls:
        six = any(":" in block for block in named(plan.vpcs, acl.vpc).blocks)
        entries = [_entry(each) for each in acl.entries]
        yield compiler.network_acl(Row(id=acl.id, vpc_id=acl.vpc), acl.subnets, entries, six)
    for interface in plan.interfaces:
        yield _port(plan, interface)


def _owner(plan: Plan, vpc: Vpc) -> compiler.VpcRows:
    return compiler.VpcRows(
        vpc.id,
        blocks=list(vpc.blocks),
        subnets=[_subnet(each) for each in plan.subnets if each.vpc == vpc.id],
        internet=f"igw-{vpc.id}" if vpc.internet_gateway else None,
        egress_only=f"eigw-{vpc.id}" if vpc.egress_only else None,
        peerings=[(id_, peer, named(plan.vpcs, peer).blocks) for id_, peer in plan.peers(vpc.id).items()],
    )


def _subnet(subnet: Subnet) -> Row:
    four, six = (*subnet.blocks, None)[:2]
    return Row(id=subnet.id, cidr_block=four, ipv6_cidr_block=six)


def _route(route: Route, vpc: str) -> Row:
    kinds = {
        "internet": ("internet_gateway", f"igw-{vpc}"),
        "egress_only": ("egress_only_internet_gateway", f"eigw-{vpc}"),
        "interface": ("network_interface", route.target),
        "peering": ("vpc_peering_connection", route.target),
    }
    kind, target = kinds[route.kind]
    return Row(destination=route.destination, target_kind=kind, target_id=target)


def _permission(given: Permission, home: str | None, vpc: str) -> Row:
    """:param home: the VPC of the group it refers to."""
    six = ":" in given.cidr
    return Row(
        is_egress=given.egress,
        ip_protocol=given.protocol,
        from_port=given.first,
        to_port=given.last,
        referenced_group_id=given.group or None,
        referenced_vpc_id=None if home == vpc else home,
        prefix_list_id=given.prefix_list or None,
        cidr_ipv4=None if six else given.cidr or None,
        cidr_ipv6=given.cidr if six else None,
    )


def _entry(given: Entry) -> Row:
    icmp, six = given.protocol in (1, 58), ":" in given.block
    return Row(
        rule_number=given.number,
        egress=given.egress,
        rule_action="allow" if given.allow else "deny",
        protocol=str(given.protocol),
        cidr_block=None if six else given.block,
        ipv6_cidr_block=given.block if six else None,
        from_port=None if icmp else given.first,
        to_port=None if icmp else given.last,
        icmp_type=given.first if icmp else None,
        icmp_code=given.last if icmp else None,
    )


def _port(plan: Plan, interface: Interface) -> Record:
    subnet = named(plan.subnets, interface.subnet)
    tail = interface.id.removeprefix("eni-")
    shared = _subnet(subnet)
    row = Row(
        id=interface.id,
        attachment_id=f"eni-attach-{interface.attachment:02x}{tail[-12:]}",
        vpc_id=subnet.vpc,
        subnet_id=subnet.id,
        cidr_block=shared.cidr_block,
        ipv6_cidr_block=shared.ipv6_cidr_block,
        route_table_id=subnet.table,
        appliance_id=None,
        instance_id=interface.instance,
        boot=interface.boot,
        device_index=interface.device_index,
        network_card_index=0,
        mac_address=interface.mac,
        source_dest_check=interface.source_dest_check,
        interface_type="interface",
        connection_tracking=None,
        logged=False,
    )
    return compiler.port(row, interface.addresses, interface.groups, interface.public, "host-1")
