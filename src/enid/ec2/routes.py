"""The routes a client makes in a route table, and which tables a gateway's fate touches.

Local and propagated routes are nobody's to make; see :mod:`enid.ec2.route_listing` and :mod:`enid.ec2.local_routes`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.sql.dml import Delete, Update

from enid.ec2 import gateway_route_tables, local_routes, route_destinations, route_quota, route_targets
from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import (
    AwsError,
    invalid_parameter_value,
    unsupported,
)
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.ec2.route_destinations import Destination
from enid.ec2.route_listing import EGRESS_ONLY_INTERNET_GATEWAY, NAT_GATEWAY, VPN_GATEWAY
from enid.store.tables import route_propagations, routes


def note_tables_towards(ctx: Context, *gateway_ids: str) -> None:
    """Note every table with a route to one of the gateways, stored or propagated: the gateway's state changed."""
    stored = select(routes.c.route_table_id).where(routes.c.target_id.in_(gateway_ids))
    propagated = select(route_propagations.c.route_table_id).where(route_propagations.c.gateway_id.in_(gateway_ids))
    for id_ in ctx.db.execute(stored.union(propagated)).scalars():
        ctx.note("route_table", id_)


def _check(ctx: Context, table: Any, destination: Destination, target: route_targets.Target) -> None:
    """What may not be: a way around the local routes, what a gateway does not carry, what its table must not have."""
    local_routes.check(ctx, table, destination, target)
    gateway_route_tables.check_route(ctx, table, destination, target)
    if target.kind == VPN_GATEWAY and destination.version == 6:
        raise invalid_parameter_value(f"Virtual private gateway {target.id} does not carry IPv6.")
    if target.kind == EGRESS_ONLY_INTERNET_GATEWAY and destination.version == 4:
        raise invalid_parameter_value(f"Egress-only internet gateway {target.id} carries IPv6 only.")
    if target.kind == NAT_GATEWAY and destination.version == 6:
        raise unsupported(f"NAT gateway {target.id} does not carry IPv6: NAT64 is not there.")


@operation("CreateRoute")
def create_route(ctx: Context, params: Params) -> Result:
    """Making a route again that is there already, to the same target, succeeds, as it does at AWS."""
    table, destination = fetch(ctx, "rtb", params["RouteTableId"]), route_destinations.parse(ctx, params)
    target = route_targets.resolve(ctx, params, table)
    _check(ctx, table, destination, target)
    local_routes.refuse_creation(ctx, table, destination)
    existing = ctx.db.execute(_where(select(routes), table.id, destination)).one_or_none()
    if existing is not None:
        if (existing.target_kind, existing.target_id) == target:
            return {"Return": True}
        raise AwsError("RouteAlreadyExists", f"The route identified by {destination} already exists.")
    ctx.db.execute(
        insert(routes).values(
            route_table_id=table.id, destination=str(destination), target_kind=target.kind, target_id=target.id
        )
    )
    route_quota.check(ctx, [table.id])
    ctx.note("route_table", table.id)
    return {"Return": True}


@operation("ReplaceRoute")
def replace_route(ctx: Context, params: Params) -> Result:
    """Give a route another target. A local one may have an appliance's, and ``LocalTarget`` gives it its own again."""
    table, destination = fetch(ctx, "rtb", params["RouteTableId"]), route_destinations.parse(ctx, params)
    if params.get("LocalTarget"):
        local_routes.restore(ctx, table, destination)
        return {}
    target = route_targets.resolve(ctx, params, table)
    _check(ctx, table, destination, target)
    if local_routes.is_local(ctx, table, destination):
        local_routes.replace(ctx, table, destination, target)
        return {}
    changed = update(routes).values(target_kind=target.kind, target_id=target.id)
    _changed_one(ctx, table.id, destination, changed)
    return {}


@operation("DeleteRoute")
def delete_route(ctx: Context, params: Params) -> Result:
    table, destination = fetch(ctx, "rtb", params["RouteTableId"]), route_destinations.parse(ctx, params)
    if local_routes.is_local(ctx, table, destination):
        raise invalid_parameter_value(f"cannot remove local route {destination} in route table {table.id}")
    _changed_one(ctx, table.id, destination, delete(routes))
    return {}


def _changed_one(ctx: Context, table_id: str, destination: Destination, statement: Update | Delete) -> None:
    if not ctx.db.execute(_where(statement, table_id, destination)).rowcount:
        raise AwsError(
            "InvalidRoute.NotFound",
            f"no route with destination-cidr-block {destination} in route table {table_id}",
        )
    ctx.note("route_table", table_id)


def _where(statement: Any, table_id: str, destination: Destination) -> Any:
    return statement.where(routes.c.route_table_id == table_id, routes.c.destination == str(destination))


@operation("EnableVgwRoutePropagation")
def enable_vgw_route_propagation(ctx: Context, params: Params) -> Result:
    """The table shows, and follows, what lies behind the gateway's VPN connections. Enabling twice is no error."""
    table, gateway = fetch(ctx, "rtb", params["RouteTableId"]), fetch(ctx, "vgw", params["GatewayId"])
    if gateway.vpc_id != table.vpc_id:
        raise AwsError("Gateway.NotAttached", f"resource {gateway.id} is not attached to network {table.vpc_id}")
    gateway_route_tables.refuse_others(ctx, table, "no routes are propagated to it")
    key = {"route_table_id": table.id, "gateway_id": gateway.id}
    if ctx.db.execute(select(route_propagations).filter_by(**key)).first() is None:
        ctx.db.execute(insert(route_propagations).values(key))
        ctx.note("route_table", table.id)
    return {}


@operation("DisableVgwRoutePropagation")
def disable_vgw_route_propagation(ctx: Context, params: Params) -> Result:
    table, gateway = fetch(ctx, "rtb", params["RouteTableId"]), fetch(ctx, "vgw", params["GatewayId"])
    ctx.db.execute(delete(route_propagations).filter_by(route_table_id=table.id, gateway_id=gateway.id))
    ctx.note("route_table", table.id)
    return {}
