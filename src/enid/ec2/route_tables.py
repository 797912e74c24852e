"""Route tables and their associations with subnets and gateways. A subnet without one uses its VPC's main table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from enid.ec2 import dependants, filters, gateway_route_tables, quotas, route_listing, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import (
    AwsError,
    check_id,
    invalid_parameter_combination,
    invalid_parameter_value,
    missing_parameter,
    not_found,
    unsupported,
)
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store.ids import new_id
from enid.store.tables import route_propagations, route_table_associations, route_tables, subnets

_ASSOCIATED = {"State": "associated"}


def create_main(ctx: Context, vpc_id: str) -> None:
    """The main route table of a new VPC."""
    id_ = _create(ctx, vpc_id)
    ctx.db.execute(
        insert(route_table_associations).values(id=new_id("rtbassoc"), route_table_id=id_, vpc_id=vpc_id, main=True)
    )


def _create(ctx: Context, vpc_id: str) -> str:
    id_ = new_id("rtb")
    ctx.db.execute(insert(route_tables).values(id=id_, account_id=ctx.account_id, vpc_id=vpc_id, created_at=ctx.now))
    ctx.note("route_table", id_)
    return id_


@operation("CreateRouteTable")
def create_route_table(ctx: Context, params: Params) -> Result:
    vpc = fetch(ctx, "vpc", params["VpcId"])
    quotas.check(
        ctx,
        route_tables,
        route_tables.c.vpc_id == vpc.id,
        ctx.settings.quotas.route_tables_per_vpc,
        "RouteTableLimitExceeded",
        f"The maximum number of route tables of {vpc.id} has been reached.",
    )
    id_ = _create(ctx, vpc.id)
    tags.on_creation(ctx, params, "route-table", [id_])
    return {"RouteTable": _shown(ctx, [fetch(ctx, "rtb", id_)])[0], "ClientToken": params.get("ClientToken")}


@operation("DeleteRouteTable")
def delete_route_table(ctx: Context, params: Params) -> Result:
    """A table with associations stays; the main table always has one."""
    row = fetch(ctx, "rtb", params["RouteTableId"])
    dependants.refuse_if_any(
        ctx,
        f"The routeTable '{row.id}' has dependencies and cannot be deleted.",
        select(route_table_associations.c.id).where(route_table_associations.c.route_table_id == row.id),
    )
    ctx.db.execute(delete(route_tables).where(route_tables.c.id == row.id))
    tags.forget(ctx, [row.id])
    ctx.note("route_table", row.id)
    return {}


@operation("AssociateRouteTable")
def associate_route_table(ctx: Context, params: Params) -> Result:
    """With a subnet or with a gateway. To associate it again with the table it has answers the association there is."""
    if "PublicIpv4Pool" in params:
        raise unsupported("A route table can be associated with a subnet or a gateway, not with a pool of addresses.")
    given = [name for name in ("SubnetId", "GatewayId") if params.get(name)]
    if not given:
        raise missing_parameter("subnetId or gatewayId")
    if len(given) > 1:
        raise invalid_parameter_combination("Only one of subnetId and gatewayId may be specified.")
    table = fetch(ctx, "rtb", params["RouteTableId"])
    place = _of_subnet(ctx, table, params) if given == ["SubnetId"] else _of_gateway(ctx, table, params)
    existing = ctx.db.execute(select(route_table_associations).filter_by(**place)).one_or_none()
    if existing is not None:
        if existing.route_table_id == table.id:
            return {"AssociationId": existing.id, "AssociationState": _ASSOCIATED}
        raise AwsError(
            "Resource.AlreadyAssociated",
            f"the specified association for route table {table.id} conflicts with an existing association",
        )
    row = {"id": new_id("rtbassoc"), "route_table_id": table.id, "vpc_id": table.vpc_id, **place}
    ctx.db.execute(insert(route_table_associations).values(row))
    _note(ctx, **place, vpc_id=table.vpc_id)
    return {"AssociationId": row["id"], "AssociationState": _ASSOCIATED}


def _of_subnet(ctx: Context, table: Row[Any], params: Params) -> dict[str, str]:
    subnet = fetch(ctx, "subnet", params["SubnetId"])
    if table.vpc_id != subnet.vpc_id:
        raise invalid_parameter_value(f"Route table {table.id} and subnet {subnet.id} belong to different networks")
    return {"subnet_id": subnet.id}


def _of_gateway(ctx: Context, table: Row[Any], params: Params) -> dict[str, str]:
    gateway = gateway_route_tables.attached(ctx, params["GatewayId"], table)
    gateway_route_tables.check_table(ctx, table, gateway.id)
    return {"gateway_id": gateway.id}


def _note(ctx: Context, *, vpc_id: str, subnet_id: str | None = None, gateway_id: str | None = None) -> None:
    """What a changed association is of: a subnet, or a gateway, which is a part of the VPC's router."""
    if gateway_id:
        ctx.note("vpc", vpc_id)
    elif subnet_id:
        ctx.note("subnet", subnet_id)


def _association(ctx: Context, id_: str) -> Row[Any]:
    check_id("rtbassoc", id_)
    query = select(route_table_associations).join(route_tables, _OF_TABLE)
    row = ctx.db.execute(
        query.where(route_table_associations.c.id == id_, route_tables.c.account_id == ctx.account_id)
    ).one_or_none()
    if row is None:
        raise not_found("rtbassoc", id_)
    return row


@operation("DisassociateRouteTable")
def disassociate_route_table(ctx: Context, params: Params) -> Result:
    """A subnet falls back to the main table, a gateway to none."""
    row = _association(ctx, params["AssociationId"])
    if row.main:
        raise invalid_parameter_value(f"cannot disassociate the main route table association {row.id}")
    ctx.db.execute(delete(route_table_associations).where(route_table_associations.c.id == row.id))
    _note(ctx, vpc_id=row.vpc_id, subnet_id=row.subnet_id, gateway_id=row.gateway_id)
    return {}


@operation("ReplaceRouteTableAssociation")
def replace_route_table_association(ctx: Context, params: Params) -> Result:
    """Another table for a subnet or a gateway, or another main table for the VPC, under a new association id."""
    row, table = _association(ctx, params["AssociationId"]), fetch(ctx, "rtb", params["RouteTableId"])
    if row.vpc_id != table.vpc_id:
        raise invalid_parameter_value(f"Route table {table.id} and network {row.vpc_id} belong to different networks")
    if row.gateway_id:
        gateway_route_tables.check_table(ctx, table, row.gateway_id)
    if row.main:
        gateway_route_tables.refuse_others(ctx, table, "it cannot be the main route table")
    id_ = new_id("rtbassoc")
    changed = update(route_table_associations).where(route_table_associations.c.id == row.id)
    ctx.db.execute(changed.values(id=id_, route_table_id=table.id))
    for subnet_id in _following_main(ctx, row.vpc_id) if row.main else [row.subnet_id]:
        _note(ctx, vpc_id=row.vpc_id, subnet_id=subnet_id, gateway_id=row.gateway_id)
    return {"NewAssociationId": id_, "AssociationState": _ASSOCIATED}


def _following_main(ctx: Context, vpc_id: str) -> list[str]:
    associated = select(route_table_associations.c.subnet_id).where(
        route_table_associations.c.vpc_id == vpc_id, route_table_associations.c.subnet_id.is_not(None)
    )
    query = select(subnets.c.id).where(subnets.c.vpc_id == vpc_id, subnets.c.id.not_in(associated))
    return list(ctx.db.execute(query).scalars())


_OF_TABLE = route_tables.c.id == route_table_associations.c.route_table_id
_ASSOCIATIONS, _ROUTES = route_table_associations.c, route_listing.LISTED.c


def _association_filter(inner: filters.Condition) -> filters.Condition:
    return filters.related(route_tables.c.id, _ASSOCIATIONS.route_table_id, inner)


def _route_filter(inner: filters.Condition, *links: Any) -> filters.Condition:
    return filters.related(route_tables.c.id, _ROUTES.route_table_id, inner, *links)


def _target_filter(*kinds: str) -> filters.Condition:
    return _route_filter(filters.text(_ROUTES.target_id), _ROUTES.target_kind.in_(kinds))


_IS_IPV6, _IS_LIST = _ROUTES.destination.contains(":"), _ROUTES.destination.startswith("pl-")
_FILTERS = {
    "association.gateway-id": _association_filter(filters.text(_ASSOCIATIONS.gateway_id)),
    "association.main": _association_filter(filters.boolean(_ASSOCIATIONS.main)),
    "association.route-table-association-id": _association_filter(filters.text(_ASSOCIATIONS.id)),
    "association.route-table-id": _association_filter(filters.text(_ASSOCIATIONS.route_table_id)),
    "association.subnet-id": _association_filter(filters.text(_ASSOCIATIONS.subnet_id)),
    "owner-id": filters.text(route_tables.c.account_id),
    "route-table-id": filters.text(route_tables.c.id),
    "route.destination-cidr-block": _route_filter(filters.text(_ROUTES.destination), ~_IS_IPV6, ~_IS_LIST),
    "route.destination-prefix-list-id": _route_filter(filters.text(_ROUTES.destination), _IS_LIST),
    "route.destination-ipv6-cidr-block": _route_filter(filters.text(_ROUTES.destination), _IS_IPV6),
    "route.egress-only-internet-gateway-id": _target_filter(route_listing.EGRESS_ONLY_INTERNET_GATEWAY),
    "route.gateway-id": _target_filter(*route_listing.GATEWAYS),
    "route.instance-id": _route_filter(filters.text(_ROUTES.instance_id)),
    "route.nat-gateway-id": _target_filter(route_listing.NAT_GATEWAY),
    "route.network-interface-id": _target_filter(route_listing.NETWORK_INTERFACE),
    "route.origin": _route_filter(filters.text(_ROUTES.origin)),
    "route.state": _route_filter(filters.text(_ROUTES.state)),
    "route.vpc-peering-connection-id": _route_filter(
        filters.text(_ROUTES.target_id), _ROUTES.target_kind == route_listing.PEERING
    ),
    "vpc-id": filters.text(route_tables.c.vpc_id),
    **dict.fromkeys(
        ("route.transit-gateway-id",),
        filters.absent,
    ),
}


@operation("DescribeRouteTables")
def describe_route_tables(ctx: Context, params: Params) -> Result:
    rows, token = describe(ctx, params, "rtb", _FILTERS, "RouteTableIds", sizes=(5, 100))
    return {"RouteTables": _shown(ctx, rows), "NextToken": token}


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    ids = [row.id for row in rows]
    tags_of, routes_of = tags.shown(ctx, ids), route_listing.of(ctx, ids)
    associations: dict[str, list[Result]] = {id_: [] for id_ in ids}
    vgws: dict[str, list[Result]] = {id_: [] for id_ in ids}
    if ids:
        query = select(route_table_associations).where(_ASSOCIATIONS.route_table_id.in_(ids))
        for row in ctx.db.execute(query.order_by(_ASSOCIATIONS.main.desc(), _ASSOCIATIONS.id)):
            associations[row.route_table_id].append(_shown_association(row))
        for row in ctx.db.execute(select(route_propagations).where(route_propagations.c.route_table_id.in_(ids))):
            vgws[row.route_table_id].append({"GatewayId": row.gateway_id})
    return [
        {
            "RouteTableId": row.id,
            "OwnerId": row.account_id,
            "VpcId": row.vpc_id,
            "Routes": [route_listing.shown(route) for route in routes_of[row.id]],
            "Associations": associations[row.id],
            "PropagatingVgws": vgws[row.id],
            "Tags": tags_of[row.id],
        }
        for row in rows
    ]


def _shown_association(row: Row[Any]) -> Result:
    return {
        "RouteTableAssociationId": row.id,
        "RouteTableId": row.route_table_id,
        "SubnetId": row.subnet_id,
        "GatewayId": row.gateway_id,
        "Main": row.main,
        "AssociationState": _ASSOCIATED,
    }
