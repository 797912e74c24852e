"""Route tables of gateways: where what comes in through one goes, if not straight to its address.

Internet and VPN gateways may have one. It leads within the VPC only, through interfaces of appliances
(https://docs.aws.amazon.com/vpc/latest/userguide/gateway-route-tables.html). An association ends when the gateway
leaves the VPC.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, select

from enid.ec2 import cidr, vpc_cidr_blocks
from enid.ec2.context import Context
from enid.ec2.errors import AwsError, invalid_parameter_value
from enid.ec2.route_destinations import Destination
from enid.ec2.route_listing import NETWORK_INTERFACE
from enid.ec2.route_targets import Target, gateway
from enid.store.tables import route_propagations, route_table_associations, routes

_ASSOCIATION = route_table_associations.c


def attached(ctx: Context, gateway_id: str, table: Row[Any]) -> Row[Any]:
    """The gateway that a table may be associated with.

    :raises AwsError: unknown, no internet or VPN gateway, or not attached to the table's VPC.
    """
    row = gateway(ctx, gateway_id)
    if row.vpc_id != table.vpc_id:
        raise AwsError("Gateway.NotAttached", f"resource {row.id} is not attached to network {table.vpc_id}")
    return row


def of(ctx: Context, table_id: str) -> list[str]:
    """The gateways a table is associated with."""
    query = select(_ASSOCIATION.gateway_id).where(_ASSOCIATION.route_table_id == table_id)
    return list(ctx.db.execute(query.where(_ASSOCIATION.gateway_id.is_not(None))).scalars())


def check_table(ctx: Context, table: Row[Any], gateway_id: str) -> None:
    """:raises AwsError: the table is the VPC's main one, or has what a gateway's must not have."""
    main = select(_ASSOCIATION.id).where(_ASSOCIATION.route_table_id == table.id, _ASSOCIATION.main)
    if ctx.db.execute(main).first() is not None:
        raise _unfit(table, gateway_id, "it is the main route table")
    propagations = select(route_propagations).where(route_propagations.c.route_table_id == table.id)
    if ctx.db.execute(propagations).first() is not None:
        raise _unfit(table, gateway_id, "route propagation is enabled for it")
    local = vpc_cidr_blocks.networks(ctx, table.vpc_id)
    for route in ctx.db.execute(select(routes).where(routes.c.route_table_id == table.id)):
        block = cidr.parse(route.destination)
        if route.target_kind != NETWORK_INTERFACE or block is None or not cidr.within(block, local):
            raise _unfit(table, gateway_id, f"its route to {route.destination} leads out of the VPC")


def _unfit(table: Row[Any], gateway_id: str, why: str) -> AwsError:
    return invalid_parameter_value(f"Route table {table.id} cannot be associated with gateway {gateway_id}: {why}.")


def check_route(ctx: Context, table: Any, destination: Destination, target: Target) -> None:
    """:raises AwsError: a route that the table of a gateway must not have."""
    gateways = of(ctx, table.id)
    if not gateways:
        return
    local = vpc_cidr_blocks.networks(ctx, table.vpc_id)
    within = all(cidr.within(block, local) for block in destination.blocks) and not destination.text.startswith("pl-")
    if target.kind != NETWORK_INTERFACE or not within:
        raise invalid_parameter_value(
            f"Route table {table.id} is associated with gateway {gateways[0]}: its routes can lead from CIDR blocks of "
            f"the VPC and its subnets to interfaces only, not from {destination} to {target.id}."
        )


def refuse_others(ctx: Context, table: Any, what: str) -> None:
    """:raises AwsError: the table is a gateway's, and ``what`` is nothing for such a one."""
    if gateways := of(ctx, table.id):
        raise invalid_parameter_value(f"Route table {table.id} is associated with gateway {gateways[0]}: {what}.")


def end(ctx: Context, gateway_id: str) -> None:
    """The gateway leaves its VPC."""
    ctx.db.execute(delete(route_table_associations).where(_ASSOCIATION.gateway_id == gateway_id))
