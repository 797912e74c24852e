"""Routes within the VPC: in place of a local route, or more specific than one, through an appliance's interface.

AWS allows such a route to lead from all of a subnet, or of a block of the VPC, to an interface or a NAT gateway, and
nowhere else. The local routes themselves are nobody's to make or delete: one can be given another target, which is
stored as a route of its own, and be given back to ``local``.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from enid.ec2 import cidr, vpc_cidr_blocks
from enid.ec2.context import Context
from enid.ec2.errors import AwsError, invalid_parameter_value, unsupported
from enid.ec2.route_destinations import Destination
from enid.ec2.route_listing import NAT_GATEWAY, NETWORK_INTERFACE
from enid.ec2.route_targets import Target
from enid.store.tables import routes, subnets

APPLIANCES = (NETWORK_INTERFACE, NAT_GATEWAY)


def check(ctx: Context, table: Any, destination: Destination, target: Target) -> None:
    """What lies within the VPC leads from a whole subnet, or block of the VPC, to an appliance.

    :raises AwsError: it does not.
    """
    local = vpc_cidr_blocks.networks(ctx, table.vpc_id)
    if not any(cidr.within(block, local) for block in destination.blocks):
        return
    if target.kind not in APPLIANCES:
        raise invalid_parameter_value(
            f"The destination CIDR block {destination} is equal to or more specific than one of this VPC's CIDR "
            "blocks. This route can target only an interface or an instance."
        )
    if destination.text.startswith("pl-"):
        raise unsupported(f"{destination} has blocks of this VPC: within it, no prefix list can be routed.")
    if destination.text not in map(str, local) and not _is_subnet(ctx, table.vpc_id, destination.text):
        raise invalid_parameter_value(
            f"The destination CIDR block {destination} is more specific than one of this VPC's CIDR blocks, and must "
            "be the entire CIDR block of one of its subnets."
        )


def _is_subnet(ctx: Context, vpc_id: str, block: str) -> bool:
    columns = subnets.c
    query = select(columns.id).where(columns.vpc_id == vpc_id)
    same = or_(columns.cidr_block == block, columns.ipv6_cidr_block == block)
    return ctx.db.execute(query.where(same).limit(1)).first() is not None


def is_local(ctx: Context, table: Any, destination: Destination) -> bool:
    """The table has a local route with this destination, whatever its target is now."""
    return destination.text in map(str, vpc_cidr_blocks.networks(ctx, table.vpc_id))


def refuse_creation(ctx: Context, table: Any, destination: Destination) -> None:
    """:raises AwsError: there is a local route already."""
    if is_local(ctx, table, destination):
        raise AwsError("RouteAlreadyExists", f"The route identified by {destination} already exists.")


def replace(ctx: Context, table: Any, destination: Destination, target: Target) -> None:
    """Lead what the local route carries to an appliance."""
    place = {"route_table_id": table.id, "destination": destination.text}
    values = {"target_kind": target.kind, "target_id": target.id}
    if not ctx.db.execute(update(routes).filter_by(**place).values(**values)).rowcount:
        ctx.db.execute(insert(routes).values(**place, **values))
    ctx.note("route_table", table.id)


def restore(ctx: Context, table: Any, destination: Destination) -> None:
    """Give the local route its own target again, ``local``; that it has it already is no error."""
    if not is_local(ctx, table, destination):
        raise invalid_parameter_value(f"{destination} is not the destination of a local route of {table.id}.")
    ctx.db.execute(delete(routes).filter_by(route_table_id=table.id, destination=destination.text))
    ctx.note("route_table", table.id)
