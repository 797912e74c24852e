"""Rows become records. Pure: what the rows mean, and nothing about where they came from.

The row types name just the columns that are read, so that the compiler can be tested without a database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from enid.topology.blocks import block_of, within
from enid.topology.records import (
    AclEntry,
    Address,
    Appliance,
    Mirror,
    MirrorRule,
    Network,
    NetworkAcl,
    Peering,
    Port,
    Route,
    RouteTable,
    Rule,
    SecurityGroup,
    Site,
    Subnet,
    TargetKind,
    Timeouts,
    Vpc,
    VpnLink,
)

_INNER = (TargetKind.PORT, TargetKind.BLACKHOLE)
PROTOCOLS = {"-1": -1, "icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58}


@dataclass(frozen=True, slots=True)
class RouteTarget:
    """An interface that a route leads to, if it is plugged in."""

    id: str
    primary: IPv4Address
    ipv6: Address | None
    public: bool = False
    """It has a public IPv4 address."""


@dataclass(slots=True)
class VpcRows:
    """What belongs to one VPC's router."""

    id: str
    blocks: list[str] = field(default_factory=list)
    subnets: list[Any] = field(default_factory=list)
    internet: str | None = None
    """igw-… attached."""
    egress_only: str | None = None
    """eigw-… of the VPC."""
    vpn_gateway: str | None = None
    """vgw-… attached."""
    connections: list[Any] = field(default_factory=list)
    """(id, site, prefixes, outside addresses) of the gateway's connections."""
    gateway_tables: dict[str, str] = field(default_factory=dict)
    """Gateway (igw-…, vgw-…) → the route table associated with it."""
    peerings: list[tuple[str, str, Sequence[str]]] = field(default_factory=list)
    """(id, the other VPC, its blocks) of active peering connections."""


def subnet(row: Any) -> Subnet:
    """A row of ``subnets`` → :class:`Subnet`."""
    blocks = [row.cidr_block, row.ipv6_cidr_block]
    return Subnet(row.id, tuple(block_of(block) for block in blocks if block))


def vpc(rows: VpcRows) -> Vpc:
    """A VPC's router."""
    return Vpc(
        rows.id,
        blocks=_networks(rows.blocks),
        subnets=tuple(subnet(row) for row in sorted(rows.subnets, key=lambda row: str(row.id))),
        internet=rows.internet is not None,
        vpn=tuple(_vpn_link(*connection) for connection in sorted(rows.connections)),
        peerings=tuple(Peering(id_, other, _networks(behind)) for id_, other, behind in sorted(rows.peerings)),
        egress_only=rows.egress_only is not None,
        internet_table=rows.gateway_tables.get(rows.internet or "", ""),
        vpn_table=rows.gateway_tables.get(rows.vpn_gateway or "", ""),
    )


def _vpn_link(id_: str, site: str | None, behind: Iterable[str], outside: Iterable[str]) -> VpnLink:
    return VpnLink(id_, site, _networks(behind), tuple(map(IPv4Address, outside)))


def _networks(blocks: Iterable[str]) -> tuple[Network, ...]:
    return tuple(sorted(map(block_of, blocks), key=_order))


def route_table(
    id_: str,
    owner: VpcRows,
    routes: Iterable[Any],
    propagates: bool,
    targets: Mapping[str, RouteTarget],
    entries: Callable[[str], Sequence[str]],
) -> RouteTable:
    """A route table as the router carries it out.

    A route to the VPN gateway becomes one route per prefix behind its connections; propagated routes come in where no
    static or local route has their destination; a target that is gone leaves a blackhole. A route to a prefix list
    becomes one per block of it that is not local; where routes meet, one to a block itself has the last word. Within
    the VPC there are routes to interfaces only: whatever lies behind a VPN, what is local is local. What comes in
    through the internet gateway is led to interfaces with a public address only.

    :param entries: the CIDR blocks of a prefix list's newest version.
    """
    local = tuple(map(block_of, owner.blocks))
    of_internet = id_ == owner.gateway_tables.get(owner.internet or "")
    result: dict[Network, Route] = {}
    if propagates and owner.vpn_gateway:
        for connection, _site, prefixes, *_ in owner.connections:
            for prefix in map(block_of, prefixes):
                if prefix not in local:
                    result[prefix] = Route(prefix, TargetKind.VPN, connection)
    for row in sorted(routes, key=lambda row: (not _is_list(row), str(row.destination))):
        blocks = entries(row.destination) if _is_list(row) else [row.destination]
        for destination in map(block_of, blocks):
            if _is_list(row) and within(destination, local):
                continue
            for route in _routes(destination, row.target_kind, row.target_id, owner, targets):
                hidden = of_internet and destination.version == 4 and not _is_public(row.target_id, targets)
                result[route.destination] = Route(destination, TargetKind.BLACKHOLE) if hidden else route
    wanted = [route for route in result.values() if route.kind in _INNER or not within(route.destination, local)]
    ordered = sorted(wanted, key=lambda route: _order(route.destination))
    return RouteTable(id_, owner.id, tuple(ordered))


def _is_public(target: str, targets: Mapping[str, RouteTarget]) -> bool:
    return target in targets and targets[target].public


def _is_list(row: Any) -> bool:
    return str(row.destination).startswith("pl-")


def _routes(
    destination: Network, kind: str, target: str, owner: VpcRows, targets: Mapping[str, RouteTarget]
) -> list[Route]:
    if kind == "internet_gateway" and target == owner.internet:
        return [Route(destination, TargetKind.INTERNET)]
    if kind == "egress_only_internet_gateway" and target == owner.egress_only:
        return [Route(destination, TargetKind.EGRESS_ONLY)]
    if kind == "vpn_gateway" and target == owner.vpn_gateway:
        return _vpn_routes(destination, owner) or [Route(destination, TargetKind.BLACKHOLE)]
    if kind == "vpc_peering_connection" and any(target == id_ for id_, _, _ in owner.peerings):
        return [Route(destination, TargetKind.PEERING, target)]
    if kind in ("network_interface", "nat_gateway") and target in targets:
        found = targets[target]
        via: Address | None = found.primary if destination.version == 4 else found.ipv6
        if via is not None:
            return [Route(destination, TargetKind.PORT, found.id, via)]
    return [Route(destination, TargetKind.BLACKHOLE)]


def _vpn_routes(destination: Network, owner: VpcRows) -> list[Route]:
    """What of ``destination`` lies behind the gateway: its own table of static routes has the last word."""
    result = []
    for connection, _site, prefixes, *_ in owner.connections:
        for prefix in map(block_of, prefixes):
            if prefix.version == destination.version and prefix.overlaps(destination):
                narrower = max(prefix, destination, key=lambda network: network.prefixlen)
                result.append(Route(narrower, TargetKind.VPN, connection))
    return result


def network_acl(row: Any, subnets: Iterable[str], entries: Iterable[Any], with_ipv6: bool) -> NetworkAcl:
    """A network ACL.

    :param subnets: those associated with it.
    :param entries: rows of ``network_acl_entries``.
    :param with_ipv6: its VPC has IPv6.
    """
    sides: dict[bool, list[AclEntry]] = {True: [], False: []}
    for entry in sorted(entries, key=lambda entry: int(entry.rule_number)):
        sides[entry.egress].append(_acl_entry(entry))
    versions = (4, 6) if with_ipv6 else (4,)
    return NetworkAcl(row.id, row.vpc_id, versions, tuple(sorted(subnets)), tuple(sides[False]), tuple(sides[True]))


def _acl_entry(row: Any) -> AclEntry:
    limits = (row.from_port, row.to_port) if row.from_port is not None else (row.icmp_type, row.icmp_code)
    first, last = (-1 if limit is None else limit for limit in limits)
    block = block_of(row.cidr_block or row.ipv6_cidr_block)
    return AclEntry(row.rule_number, row.rule_action == "allow", int(row.protocol), block, first, last)


def security_group(
    id_: str,
    vpc_id: str,
    rules: Iterable[Any],
    entries: Callable[[str], Sequence[str]],
    peerings: Mapping[str, str],
) -> SecurityGroup:
    """A group with its prefix lists expanded, and without rules that refer to a VPC that is no peer any more.

    :param entries: the CIDR blocks of a prefix list's newest version.
    :param peerings: peer VPC → the active peering connection that leads there.
    """
    sides: dict[bool, set[Rule]] = defaultdict(set)
    for row in rules:
        protocol = PROTOCOLS[row.ip_protocol] if row.ip_protocol in PROTOCOLS else int(row.ip_protocol)
        head = (protocol, row.from_port, row.to_port)
        if row.referenced_group_id:
            peering = peerings.get(row.referenced_vpc_id, "") if row.referenced_vpc_id else ""
            if peering or not row.referenced_vpc_id:
                sides[row.is_egress].add(Rule(*head, group=row.referenced_group_id, peering=peering))
            continue
        blocks = entries(row.prefix_list_id) if row.prefix_list_id else [row.cidr_ipv4 or row.cidr_ipv6]
        sides[row.is_egress].update(Rule(*head, cidr=block) for block in blocks)
    return SecurityGroup(id_, vpc_id, ingress=tuple(sorted(sides[False])), egress=tuple(sorted(sides[True])))


def port(
    row: Any,
    addresses: Sequence[str],
    groups: Iterable[str],
    public: Iterable[tuple[str, str]],
    host: str,
    prefixes: Iterable[str] = (),
    mirrors: Sequence[Mirror] = (),
) -> Port:
    """An attached interface of a live instance or of an appliance.

    :param row: interface, attachment, subnet and (of an appliance: absent) instance columns, joined.
    :param addresses: in order of assignment, the primary first.
    :param public: (private, public) pairs.
    :param mirrors: in the order of their session numbers.
    """
    parsed = [ip_address(address) for address in addresses]
    return Port(
        id=row.id,
        attachment_id=row.attachment_id,
        vpc_id=row.vpc_id,
        subnet=Subnet(
            row.subnet_id, tuple(block_of(block) for block in (row.cidr_block, row.ipv6_cidr_block) if block)
        ),
        route_table_id=row.route_table_id,
        host=host,
        instance_id=row.appliance_id or row.instance_id,
        boot=row.boot or 0,
        device_index=row.device_index,
        network_card_index=row.network_card_index,
        mac=row.mac_address,
        addresses=tuple(sorted(parsed, key=lambda address: address.version)),
        groups=tuple(sorted(groups)),
        source_dest_check=row.source_dest_check,
        timeouts=timeouts(row.connection_tracking or {}),
        prefixes=tuple(sorted(map(block_of, prefixes), key=_order)),
        public=tuple(sorted((IPv4Address(private), IPv4Address(ip)) for private, ip in public)),
        appliance=Appliance(row.interface_type) if row.appliance_id else None,
        logged=bool(row.logged),
        mirrors=tuple(mirrors),
    )


def mirror(row: Any, rules: Iterable[Any]) -> Mirror:
    """A traffic mirror session.

    :param row: the session, its filter and the address of its target, joined.
    :param rules: of its filter.
    """
    sides: dict[str, list[MirrorRule]] = {"ingress": [], "egress": []}
    for rule in sorted(rules, key=lambda rule: int(rule.rule_number)):
        sides[rule.direction].append(_mirror_rule(rule))
    ingress, egress = map(tuple, sides.values())
    target = IPv4Address(row.target)
    return Mirror(row.id, target, row.virtual_network_id, row.packet_length, ingress, egress, row.amazon_dns)


def _mirror_rule(row: Any) -> MirrorRule:
    source, destination = (
        (first, last) if first is not None else None
        for first, last in (
            (row.source_from_port, row.source_to_port),
            (row.destination_from_port, row.destination_to_port),
        )
    )
    return MirrorRule(
        row.rule_action == "accept",
        -1 if row.protocol is None else row.protocol,
        block_of(row.source_cidr_block),
        block_of(row.destination_cidr_block),
        source,
        destination,
    )


def timeouts(given: Mapping[str, int]) -> Timeouts:
    """An interface's connection tracking configuration, under AWS's names; what it does not say is the default."""
    default = Timeouts()
    return Timeouts(
        given.get("TcpEstablishedTimeout", default.tcp_established),
        given.get("UdpStreamTimeout", default.udp_stream),
        given.get("UdpTimeout", default.udp),
    )


def site(row: Any) -> Site:
    """A row of ``sites`` → :class:`Site`."""
    return Site(
        row.name,
        IPv4Address(row.public_ip),
        block_of(row.network) if row.network else None,
        ip_address(row.host_ip) if row.host_ip else None,
        IPv6Address(row.public_ipv6) if row.public_ipv6 else None,
    )


def _order(network: Network) -> tuple[int, int, int]:
    return (network.version, int(network.network_address), network.prefixlen)
