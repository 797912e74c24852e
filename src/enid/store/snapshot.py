"""The wanted network, read from the store: all of it, or just the records that a set of journal keys touches.

The number of statements is constant; what they read grows with what was asked for, never with the whole store.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from ipaddress import IPv4Address, ip_address
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    and_,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    true,
    union_all,
)

from enid.store import peerings
from enid.store import tables as t
from enid.store.about import About, Among, is_one_of
from enid.store.journal import Key
from enid.topology import compile as compiler
from enid.topology.records import Kind, Mirror, Record, RecordKey

LIVE_STATES = ("pending", "running")
"""States of an instance in which its interfaces are plugged in."""


Wanted = dict[Kind, set[str]]
"""Ids by kind of record."""


def world(db: Connection, host_id: str | None = None) -> dict[RecordKey, Record]:
    """Every record there should be (ports of live instances and of appliances, all VPCs)."""
    return {record.key: record for record in _read(db, None, host_id)}


def world_of(db: Connection, account_id: str, host_id: str | None = None) -> dict[RecordKey, Record]:
    """The same, as far as one account has it, and the sites, which are everybody's."""
    wanted: Wanted = {
        kind: set(_column(db, table.c.id, table.c.account_id == account_id)) for kind, table in _OWNED.items()
    }
    wanted[Kind.SITE] = set(_column(db, t.sites.c.name, true()))
    return {record.key: record for record in _read(db, wanted, host_id)}


_OWNED = {
    Kind.VPC: t.vpcs,
    Kind.ROUTE_TABLE: t.route_tables,
    Kind.NETWORK_ACL: t.network_acls,
    Kind.SECURITY_GROUP: t.security_groups,
    Kind.PORT: t.network_interfaces,
}


def records(db: Connection, keys: Collection[Key], host_id: str | None = None) -> dict[RecordKey, Record | None]:
    """The records that the journal's ``keys`` touch; ``None`` where there should be none (any more)."""
    wanted = affected(db, keys)
    result: dict[RecordKey, Record | None] = {(kind, id_): None for kind, ids in wanted.items() for id_ in ids}
    result.update((record.key, record) for record in _read(db, wanted, host_id))
    return result


def affected(db: Connection, keys: Collection[Key]) -> Wanted:
    """What has to be compiled again when these keys changed."""
    changed: defaultdict[str, set[str]] = defaultdict(set)
    for kind, id_ in keys:
        changed[kind].add(id_)
    vpcs, groups, ports = changed["vpc"], changed["security_group"], changed["network_interface"]
    tables = changed["route_table"]
    joined = peerings.ends(db, changed["vpc_peering_connection"])
    vpcs.update(joined)
    groups.update(peerings.referring(db, joined))
    if changed["site"]:
        # A deleted site's address is gone with its row, so look at every VPN: there are few.
        vpcs.update(_column(db, t.vpn_gateways.c.vpc_id, t.vpn_gateways.c.vpc_id.is_not(None)))
    if changed["prefix_list"]:
        rules = t.security_group_rules.c
        groups.update(_column(db, rules.group_id, rules.prefix_list_id.in_(changed["prefix_list"])))
        tables.update(_column(db, t.routes.c.route_table_id, t.routes.c.destination.in_(changed["prefix_list"])))
    if changed["subnet"]:
        interfaces = t.network_interfaces.c
        ports.update(_column(db, interfaces.id, interfaces.subnet_id.in_(changed["subnet"])))
    if changed["instance"]:
        attachments = t.attachments.c
        ports.update(_column(db, attachments.network_interface_id, attachments.instance_id.in_(changed["instance"])))
    if ports:
        tables.update(_LEADING_TO.of(db, ports).scalars())
    if vpcs:
        tables.update(_column(db, t.route_tables.c.id, t.route_tables.c.vpc_id.in_(vpcs)))
    beyond = {peer for peers in peerings.of(db, vpcs).values() for peer in peers} if vpcs else set()
    return {
        Kind.VPC: vpcs | beyond,  # a peer knows the VPC's blocks
        Kind.ROUTE_TABLE: tables,
        Kind.NETWORK_ACL: changed["network_acl"],
        Kind.SECURITY_GROUP: groups,
        Kind.PORT: ports,
        Kind.SITE: changed["site"],
    }


_LEADING_TO = About(lambda among: select(t.routes.c.route_table_id).where(among(t.routes.c.target_id)))
"""Route tables with a route to an interface."""


def _column(db: Connection, column: ColumnElement[Any], condition: ColumnElement[bool]) -> list[str]:
    return list(db.execute(select(column).where(condition)).scalars())


def _among(column: ColumnElement[Any], ids: Collection[str] | None) -> ColumnElement[bool]:
    return true() if ids is None else column.in_(ids)


def _read(db: Connection, wanted: Wanted | None, host_id: str | None) -> list[Record]:
    """The records of these ids; ``None`` is all of every kind."""
    if wanted is None:
        return [
            *_routers(db, None, None),
            *_acls(db, None),
            *_groups(db, None),
            *_ports(db, None, host_id),
            *_sites(db, None),
        ]
    result: list[Record] = []
    if wanted[Kind.VPC] or wanted[Kind.ROUTE_TABLE]:
        result += _routers(db, wanted[Kind.VPC], wanted[Kind.ROUTE_TABLE])
    if wanted[Kind.NETWORK_ACL]:
        result += _acls(db, wanted[Kind.NETWORK_ACL])
    if wanted[Kind.SECURITY_GROUP]:
        result += _groups(db, wanted[Kind.SECURITY_GROUP])
    if wanted[Kind.PORT]:
        result += _ports(db, wanted[Kind.PORT], host_id)
    if wanted[Kind.SITE]:
        result += _sites(db, wanted[Kind.SITE])
    return result


def _sites(db: Connection, names: Collection[str] | None) -> list[Record]:
    return [compiler.site(row) for row in db.execute(select(t.sites).where(_among(t.sites.c.name, names)))]


# --- routers and route tables -----------------------------------------------------------------------------------------


def _routers(db: Connection, vpcs: set[str] | None, table_ids: set[str] | None) -> list[Record]:
    tables = list(db.execute(select(t.route_tables).where(_among(t.route_tables.c.id, table_ids))))
    routers = _vpc_rows(db, None if vpcs is None else vpcs | {row.vpc_id for row in tables})
    result: list[Record] = [compiler.vpc(rows) for rows in routers.values() if vpcs is None or rows.id in vpcs]
    routes = _by(db, t.routes, t.routes.c.route_table_id, table_ids)
    propagations = _by(db, t.route_propagations, t.route_propagations.c.route_table_id, table_ids)
    targets = _targets(db, [row.target_id for group in routes.values() for row in group])
    lists = {row.destination for group in routes.values() for row in group if row.destination.startswith("pl-")}
    entries = _entries(db, lists)
    for row in tables:
        owner = routers[row.vpc_id]
        propagates = any(entry.gateway_id == owner.vpn_gateway for entry in propagations[row.id])
        result.append(compiler.route_table(row.id, owner, routes[row.id], propagates, targets, entries))
    return result


def _by(
    db: Connection, table: Any, key: ColumnElement[Any], ids: Collection[str] | None
) -> defaultdict[str, list[Any]]:
    result: defaultdict[str, list[Any]] = defaultdict(list)
    if ids is None or ids:
        for row in db.execute(select(table).where(_among(key, ids))):
            result[getattr(row, str(key.key))].append(row)
    return result


def _vpc_rows(db: Connection, ids: Collection[str] | None) -> dict[str, compiler.VpcRows]:
    result = {
        id_: compiler.VpcRows(id_) for id_ in db.execute(select(t.vpcs.c.id).where(_among(t.vpcs.c.id, ids))).scalars()
    }
    blocks = t.vpc_cidr_blocks
    for row in db.execute(select(blocks).where(_among(blocks.c.vpc_id, ids), blocks.c.state == "associated")):
        result[row.vpc_id].blocks.append(row.cidr_block)
    for row in db.execute(select(t.subnets).where(_among(t.subnets.c.vpc_id, ids))):
        result[row.vpc_id].subnets.append(row)
    gateways = (
        (t.internet_gateways, "internet"),
        (t.egress_only_internet_gateways, "egress_only"),
        (t.vpn_gateways, "vpn_gateway"),
    )
    for table, name in gateways:
        for row in db.execute(select(table).where(table.c.vpc_id.is_not(None), _among(table.c.vpc_id, ids))):
            if row.vpc_id in result:
                setattr(result[row.vpc_id], name, row.id)
    _add_gateway_tables(db, result, ids)
    _add_connections(db, {rows.vpn_gateway: rows for rows in result.values() if rows.vpn_gateway})
    _add_peerings(db, result, ids)
    return result


def _add_gateway_tables(db: Connection, routers: dict[str, compiler.VpcRows], ids: Collection[str] | None) -> None:
    associations = t.route_table_associations
    of_gateways = associations.c.gateway_id.is_not(None), _among(associations.c.vpc_id, ids)
    for row in db.execute(select(associations).where(*of_gateways)):
        if row.vpc_id in routers:
            routers[row.vpc_id].gateway_tables[row.gateway_id] = row.route_table_id


def _add_peerings(db: Connection, routers: dict[str, compiler.VpcRows], ids: Collection[str] | None) -> None:
    found = peerings.of(db, ids)
    blocks = peerings.blocks(db, found)
    for vpc_id, peers in found.items():
        if vpc_id in routers:
            routers[vpc_id].peerings += [(id_, peer, blocks[peer]) for peer, id_ in peers.items()]


def _add_connections(db: Connection, gateways: dict[str, compiler.VpcRows]) -> None:
    if not gateways:
        return
    query = (
        select(t.vpn_connections, t.sites.c.name.label("site"))
        .join(t.customer_gateways, t.customer_gateways.c.id == t.vpn_connections.c.customer_gateway_id)
        .outerjoin(t.sites, t.sites.c.public_ip == t.customer_gateways.c.ip_address)
        .where(t.vpn_connections.c.vpn_gateway_id.in_(gateways), t.vpn_connections.c.state == "available")
    )
    connections = list(db.execute(query))
    prefixes = _by(
        db,
        t.vpn_connection_routes,
        t.vpn_connection_routes.c.vpn_connection_id,
        [connection.id for connection in connections],
    )
    for row in connections:
        found = tuple(prefix.destination_cidr_block for prefix in prefixes[row.id])
        outside = tuple(tunnel["OutsideIpAddress"] for tunnel in row.tunnels)
        gateways[row.vpn_gateway_id].connections.append((row.id, row.site, found, outside))


def _targets(db: Connection, ids: Sequence[str]) -> dict[str, compiler.RouteTarget]:
    """The interfaces and appliances among the route targets that are plugged in."""
    interfaces = [id_ for id_ in ids if id_.startswith("eni-")]
    appliances = [id_ for id_ in ids if id_.startswith("nat-")]
    if not interfaces and not appliances:
        return {}
    first_ipv6 = (
        select(func.min(t.private_addresses.c.ip))
        .where(
            t.private_addresses.c.network_interface_id == t.network_interfaces.c.id, t.private_addresses.c.family == 6
        )
        .scalar_subquery()
    )
    query = (
        select(
            t.network_interfaces.c.id,
            t.network_interfaces.c.private_ip_address,
            first_ipv6.label("ipv6"),
            exists().where(t.public_addresses.c.network_interface_id == t.network_interfaces.c.id).label("public"),
            t.attachments.c.appliance_id,
        )
        .join(t.attachments, t.attachments.c.network_interface_id == t.network_interfaces.c.id)
        .outerjoin(t.instances, t.instances.c.id == t.attachments.c.instance_id)
        .where(or_(t.network_interfaces.c.id.in_(interfaces), t.attachments.c.appliance_id.in_(appliances)), _plugged())
    )
    return {
        row.appliance_id or row.id: compiler.RouteTarget(
            row.id,
            IPv4Address(row.private_ip_address),
            ip_address(row.ipv6) if row.ipv6 else None,
            bool(row.public),
        )
        for row in db.execute(query)
    }


def _plugged() -> ColumnElement[bool]:
    appliance = t.attachments.c.appliance_id
    # Nothing is behind a VPC endpoint: no packet flows there.
    works = and_(appliance.is_not(None), ~appliance.startswith("vpce-"))
    lives = or_(works, is_one_of(t.instances.c.state, LIVE_STATES))
    return and_(is_one_of(t.attachments.c.status, ("attaching", "attached")), lives)


# --- network ACLs -----------------------------------------------------------------------------------------------------


def _acls(db: Connection, ids: Collection[str] | None) -> list[Record]:
    rows = list(db.execute(select(t.network_acls).where(_among(t.network_acls.c.id, ids))))
    entries = _by(db, t.network_acl_entries, t.network_acl_entries.c.network_acl_id, ids)
    associations = _by(db, t.network_acl_associations, t.network_acl_associations.c.network_acl_id, ids)
    blocks = t.vpc_cidr_blocks.c
    of_vpcs = _among(blocks.vpc_id, None if ids is None else {row.vpc_id for row in rows})
    with_ipv6 = set(_column(db, blocks.vpc_id, and_(blocks.family == 6, of_vpcs)))
    return [
        compiler.network_acl(
            row, (entry.subnet_id for entry in associations[row.id]), entries[row.id], row.vpc_id in with_ipv6
        )
        for row in rows
    ]


# --- security groups --------------------------------------------------------------------------------------------------


def _groups(db: Connection, ids: Collection[str] | None) -> list[Record]:
    groups = list(db.execute(select(t.security_groups).where(_among(t.security_groups.c.id, ids))))
    rules = _by(db, t.security_group_rules, t.security_group_rules.c.group_id, ids)
    entries = _entries(db, {row.prefix_list_id for group in rules.values() for row in group if row.prefix_list_id})
    across = {row.vpc_id for row in groups if any(rule.referenced_vpc_id for rule in rules[row.id])}
    peers = peerings.of(db, across) if across else {}
    return [
        compiler.security_group(row.id, row.vpc_id, rules[row.id], entries, peers.get(row.vpc_id, {})) for row in groups
    ]


def _entries(db: Connection, ids: set[str]) -> Callable[[str], Sequence[str]]:
    result: defaultdict[str, list[str]] = defaultdict(list)
    if ids:
        entries = t.prefix_list_entries.c
        newest = and_(entries.prefix_list_id.in_(ids), entries.removed_in.is_(None))
        for row in db.execute(select(entries.prefix_list_id, entries.cidr).where(newest)):
            result[row.prefix_list_id].append(row.cidr)
    return lambda id_: result[id_]


# --- ports ------------------------------------------------------------------------------------------------------------

_OWN = t.route_table_associations.alias("own")
_MAIN = t.route_table_associations.alias("main")
_WATCHED_BY = (t.network_interfaces.c.id, t.network_interfaces.c.subnet_id, t.network_interfaces.c.vpc_id)
"""Whose flow log watches an interface."""

_PORT_QUERY = (
    select(
        t.network_interfaces.c.id,
        t.network_interfaces.c.vpc_id,
        t.network_interfaces.c.subnet_id,
        t.network_interfaces.c.mac_address,
        t.network_interfaces.c.source_dest_check,
        t.network_interfaces.c.interface_type,
        t.network_interfaces.c.connection_tracking,
        t.attachments.c.id.label("attachment_id"),
        t.attachments.c.instance_id,
        t.attachments.c.appliance_id,
        t.attachments.c.device_index,
        t.attachments.c.network_card_index,
        t.instances.c.boot,
        t.instances.c.host_id,
        t.subnets.c.cidr_block,
        t.subnets.c.ipv6_cidr_block,
        func.coalesce(_OWN.c.route_table_id, _MAIN.c.route_table_id).label("route_table_id"),
        exists().where(t.flow_logs.c.resource_id.in_(_WATCHED_BY)).label("logged"),
        exists().where(t.traffic_mirror_sessions.c.network_interface_id == t.network_interfaces.c.id).label("mirrored"),
    )
    .join(t.attachments, t.attachments.c.network_interface_id == t.network_interfaces.c.id)
    .outerjoin(t.instances, t.instances.c.id == t.attachments.c.instance_id)
    .join(t.subnets, t.subnets.c.id == t.network_interfaces.c.subnet_id)
    .outerjoin(_OWN, _OWN.c.subnet_id == t.network_interfaces.c.subnet_id)
    .outerjoin(_MAIN, and_(_MAIN.c.vpc_id == t.network_interfaces.c.vpc_id, _MAIN.c.main))
    .where(_plugged())
)
_PORTS = About(lambda among: _PORT_QUERY.where(among(t.network_interfaces.c.id)))


def _belongings(among: Among) -> CompoundSelect[Any]:
    """What a port has several of, in one statement: its addresses, prefixes, groups, and public addresses."""
    private, member, public = t.private_addresses.c, t.network_interface_groups.c, t.public_addresses.c
    prefix = t.delegated_prefixes.c
    return union_all(
        select(
            private.network_interface_id.label("interface"),
            literal("address").label("what"),
            private.ip.label("value"),
            null().label("private_ip"),
            private.position.label("position"),
        ).where(among(private.network_interface_id)),
        select(prefix.network_interface_id, literal("prefix"), prefix.cidr, null(), literal(0)).where(
            among(prefix.network_interface_id)
        ),
        select(member.network_interface_id, literal("group"), member.group_id, null(), member.position).where(
            among(member.network_interface_id)
        ),
        select(public.network_interface_id, literal("public"), public.ip, public.private_ip, literal(0)).where(
            among(public.network_interface_id), public.private_ip.is_not(None)
        ),
    ).order_by("position")


_BELONGINGS = About(_belongings)


def _ports(db: Connection, ids: Collection[str] | None, host_id: str | None) -> list[Record]:
    rows = list(_PORTS.of(db, ids))
    if not rows:
        return []
    found = None if ids is None else [row.id for row in rows]
    addresses: defaultdict[str, list[str]] = defaultdict(list)
    prefixes: defaultdict[str, list[str]] = defaultdict(list)
    groups: defaultdict[str, list[str]] = defaultdict(list)
    public: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in _BELONGINGS.of(db, found):
        if row.what == "address":
            addresses[row.interface].append(row.value)
        elif row.what == "prefix":
            prefixes[row.interface].append(row.value)
        elif row.what == "group":
            groups[row.interface].append(row.value)
        else:
            public[row.interface].append((row.private_ip, row.value))
    mirrors = _mirrors(db, [row.id for row in rows if row.mirrored])
    return [
        compiler.port(
            row,
            addresses[row.id],
            groups[row.id],
            public[row.id],
            row.host_id or host_id or "",
            prefixes[row.id],
            mirrors[row.id],
        )
        for row in rows
    ]


_TARGETS_ADDRESS = t.network_interfaces.c.private_ip_address.label("target")
_MIRRORS = About(
    lambda among: (
        select(t.traffic_mirror_sessions, t.traffic_mirror_filters.c.amazon_dns, _TARGETS_ADDRESS)
        .join(t.traffic_mirror_filters, t.traffic_mirror_filters.c.id == t.traffic_mirror_sessions.c.filter_id)
        .join(t.traffic_mirror_targets, t.traffic_mirror_targets.c.id == t.traffic_mirror_sessions.c.target_id)
        .join(t.network_interfaces, t.network_interfaces.c.id == t.traffic_mirror_targets.c.network_interface_id)
        .where(among(t.traffic_mirror_sessions.c.network_interface_id))
        .order_by(t.traffic_mirror_sessions.c.session_number)
    )
)
"""The sessions of sources, but for those whose target's interface is gone."""


def _mirrors(db: Connection, sources: Collection[str]) -> defaultdict[str, list[Mirror]]:
    """The traffic mirror sessions of each of these interfaces, in order."""
    result: defaultdict[str, list[Mirror]] = defaultdict(list)
    if not sources:
        return result
    rows = list(_MIRRORS.of(db, sources))
    of_filter = t.traffic_mirror_filter_rules.c.filter_id
    rules = _by(db, t.traffic_mirror_filter_rules, of_filter, {row.filter_id for row in rows})
    for row in rows:
        result[row.network_interface_id].append(compiler.mirror(row, rules[row.filter_id]))
    return result
