"""The catalogue of resource kinds: id prefix → AWS's name of the type and the table its rows are in.

Everything that works on "any resource" (tags, lookups, not-found errors) goes through here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, Select, Table, bindparam, select, true, update

from enid.ec2 import vpc_peers
from enid.ec2.context import Context
from enid.ec2.errors import check_id, not_found
from enid.store import tables


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of resource that has an id of its own."""

    prefix: str
    type: str
    """AWS's ``ResourceType``, as tag specifications name it; empty: it has no tags."""
    table: Table
    id: Column[Any]
    visible: Callable[[Any, Any], ColumnElement[bool]]
    """Which rows an account may see and name at a moment: its own, unless two accounts share the resource. Both are
    values, or parameters of a statement."""
    query: Select[Any]
    """Of the living row ``id``, visible to ``account`` ``now``. Built once: building a statement costs more than
    running it."""


def is_alive(table: Table) -> ColumnElement[bool]:
    """Not only still in sight, see :func:`bury`."""
    return table.c.deleted_at.is_(None) if "deleted_at" in table.c else true()


def _resource(
    prefix: str,
    type_: str,
    table: Table,
    id_: str = "id",
    visible: Callable[[Any, Any], ColumnElement[bool]] | None = None,
) -> tuple[str, Resource]:
    seen = visible or (lambda account, _: table.c.account_id == account)
    asked = seen(bindparam("account"), bindparam("now"))
    query = select(table).where(table.c[id_] == bindparam("id"), asked, is_alive(table))
    return prefix, Resource(prefix, type_, table, table.c[id_], seen, query)


RESOURCES: dict[str, Resource] = dict(
    (
        _resource("vpc", "vpc", tables.vpcs),
        _resource("subnet", "subnet", tables.subnets),
        _resource("dopt", "dhcp-options", tables.dhcp_options),
        _resource("igw", "internet-gateway", tables.internet_gateways),
        _resource("eigw", "egress-only-internet-gateway", tables.egress_only_internet_gateways),
        _resource("nat", "natgateway", tables.nat_gateways),
        _resource("vgw", "vpn-gateway", tables.vpn_gateways),
        _resource("cgw", "customer-gateway", tables.customer_gateways),
        _resource("vpn", "vpn-connection", tables.vpn_connections),
        _resource("rtb", "route-table", tables.route_tables),
        _resource("acl", "network-acl", tables.network_acls),
        _resource("sg", "security-group", tables.security_groups),
        _resource("sgr", "security-group-rule", tables.security_group_rules),
        _resource("pl", "prefix-list", tables.prefix_lists),
        _resource("eni", "network-interface", tables.network_interfaces),
        _resource("eni-perm", "", tables.network_interface_permissions),
        _resource("scr", "subnet-cidr-reservation", tables.subnet_cidr_reservations),
        _resource("eipalloc", "elastic-ip", tables.public_addresses, "allocation_id"),
        _resource("i", "instance", tables.instances),
        _resource("key", "key-pair", tables.key_pairs),
        _resource("fl", "vpc-flow-log", tables.flow_logs),
        _resource("vpce", "vpc-endpoint", tables.vpc_endpoints),
        _resource("nip", "network-insights-path", tables.network_insights_paths),
        _resource("nia", "network-insights-analysis", tables.network_insights_analyses),
        _resource("tmf", "traffic-mirror-filter", tables.traffic_mirror_filters),
        _resource("tmfr", "traffic-mirror-filter-rule", tables.traffic_mirror_filter_rules),
        _resource("tmt", "traffic-mirror-target", tables.traffic_mirror_targets),
        _resource("tms", "traffic-mirror-session", tables.traffic_mirror_sessions),
        _resource("pcx", "vpc-peering-connection", tables.vpc_peering_connections, visible=vpc_peers.seen_by),
    )
)


def bury(ctx: Context, prefix: str, id_: str) -> None:
    """Delete a resource that AWS goes on to show as ``deleted`` for a while. Nothing else finds it any more."""
    resource = RESOURCES[prefix]
    values = {"state": "deleted", "deleted_at": ctx.now}
    ctx.db.execute(update(resource.table).where(resource.id == id_).values(values))


def fetch(ctx: Context, prefix: str, id_: str) -> Row[Any]:
    """The row of this id, if it is the caller's.

    :raises AwsError: ``Invalid…Malformed`` or ``Invalid…NotFound``.
    """
    check_id(prefix, id_)
    row = ctx.db.execute(RESOURCES[prefix].query, {"id": id_, "account": ctx.account_id, "now": ctx.now}).one_or_none()
    if row is None:
        raise not_found(prefix, id_)
    return row


def fetch_all(ctx: Context, prefix: str, ids: Iterable[str]) -> dict[str, Row[Any]]:
    """The rows of these ids, by id, in one statement.

    :raises AwsError: for the first malformed id, else for the first missing one (AWS names only the first).
    """
    wanted = [check_id(prefix, id_) for id_ in dict.fromkeys(ids)]
    if not wanted:
        return {}
    resource = RESOURCES[prefix]
    seen = resource.visible(ctx.account_id, ctx.now)
    query = select(resource.table).where(resource.id.in_(wanted), seen, is_alive(resource.table))
    found = {getattr(row, resource.id.name): row for row in ctx.db.execute(query)}
    for id_ in wanted:
        if id_ not in found:
            raise not_found(prefix, id_)
    return found
