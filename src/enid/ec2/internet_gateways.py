"""Internet gateways: a VPC's one door to the internet. Public addresses must be unmapped before it closes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, and_, case, delete, insert, select, update

from enid.ec2 import dependants, filters, gateway_route_tables, quotas, routes, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import AwsError, invalid_parameter_value
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store.ids import new_id
from enid.store.tables import internet_gateways, network_interfaces, public_addresses
from enid.store.tallies import INTERNET_GATEWAYS

_STATE = "available"
"""What AWS answers for an attached internet gateway, although its enumeration says ``attached``."""


@operation("CreateInternetGateway")
def create_internet_gateway(ctx: Context, params: Params) -> Result:
    quotas.check_tally(
        ctx,
        INTERNET_GATEWAYS,
        ctx.settings.quotas.internet_gateways,
        "InternetGatewayLimitExceeded",
        "The maximum number of internet gateways has been reached.",
    )
    id_ = new_id("igw")
    ctx.db.execute(insert(internet_gateways).values(id=id_, account_id=ctx.account_id, created_at=ctx.now))
    tags.on_creation(ctx, params, "internet-gateway", [id_])
    return {"InternetGateway": _shown(ctx, [fetch(ctx, "igw", id_)])[0]}


@operation("DeleteInternetGateway")
def delete_internet_gateway(ctx: Context, params: Params) -> Result:
    row, gateways = fetch(ctx, "igw", params["InternetGatewayId"]), internet_gateways.c
    dependants.refuse_if_any(
        ctx,
        f"The internetGateway '{row.id}' has dependencies and cannot be deleted.",
        select(gateways.vpc_id).where(gateways.id == row.id, gateways.vpc_id.is_not(None)),
    )
    ctx.db.execute(delete(internet_gateways).where(internet_gateways.c.id == row.id))
    tags.forget(ctx, [row.id])
    return {}


@operation("AttachInternetGateway")
def attach_internet_gateway(ctx: Context, params: Params) -> Result:
    """One gateway per VPC, one VPC per gateway."""
    row = fetch(ctx, "igw", params["InternetGatewayId"])
    vpc = fetch(ctx, "vpc", params["VpcId"])
    if row.vpc_id is not None:
        raise AwsError("Resource.AlreadyAssociated", f"resource {row.id} is already attached to network {row.vpc_id}")
    if ctx.db.execute(select(internet_gateways.c.id).where(internet_gateways.c.vpc_id == vpc.id)).first():
        raise invalid_parameter_value(f"Network {vpc.id} already has an internet gateway attached")
    _attach(ctx, row.id, vpc.id, vpc.id)
    return {}


@operation("DetachInternetGateway")
def detach_internet_gateway(ctx: Context, params: Params) -> Result:
    """Routes to the gateway stay, as black holes; its own route table is its own no more."""
    row = fetch(ctx, "igw", params["InternetGatewayId"])
    vpc = fetch(ctx, "vpc", params["VpcId"])
    if row.vpc_id != vpc.id:
        raise AwsError("Gateway.NotAttached", f"resource {row.id} is not attached to network {vpc.id}")
    dependants.refuse_if_any(
        ctx,
        f"Network {vpc.id} has some mapped public address(es). "
        "Please unmap those public address(es) before detaching the gateway.",
        _mapped(vpc.id),
    )
    gateway_route_tables.end(ctx, row.id)
    _attach(ctx, row.id, None, vpc.id)
    return {}


def _mapped(vpc_id: str) -> Select[Any]:
    """What holds each public address of the VPC: the association of an Elastic IP or, where a user cannot end it, the
    interface."""
    public, interface = public_addresses.c, network_interfaces.c
    ends = and_(public.allocation_id.is_not(None), ~interface.requester_managed)
    return (
        select(case((ends, public.association_id), else_=interface.id))
        .join(network_interfaces, interface.id == public.network_interface_id)
        .where(interface.vpc_id == vpc_id)
        .order_by(public.ip)
    )


def _attach(ctx: Context, id_: str, vpc_id: str | None, concerned: str) -> None:
    ctx.db.execute(update(internet_gateways).where(internet_gateways.c.id == id_).values(vpc_id=vpc_id))
    ctx.note("vpc", concerned)
    routes.note_tables_towards(ctx, id_)


def _attached(inner: filters.Condition) -> filters.Condition:
    return lambda values: internet_gateways.c.vpc_id.is_not(None) & inner(values)


_FILTERS = {
    "attachment.state": _attached(filters.constant(_STATE)),
    "attachment.vpc-id": filters.text(internet_gateways.c.vpc_id),
    "internet-gateway-id": filters.text(internet_gateways.c.id),
    "owner-id": filters.text(internet_gateways.c.account_id),
}


@operation("DescribeInternetGateways")
def describe_internet_gateways(ctx: Context, params: Params) -> Result:
    rows, token = describe(ctx, params, "igw", _FILTERS, "InternetGatewayIds")
    return {"InternetGateways": _shown(ctx, rows), "NextToken": token}


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    tags_of = tags.shown(ctx, [row.id for row in rows])
    return [
        {
            "InternetGatewayId": row.id,
            "OwnerId": row.account_id,
            "Attachments": [{"State": _STATE, "VpcId": row.vpc_id}] if row.vpc_id else [],
            "Tags": tags_of[row.id],
        }
        for row in rows
    ]
