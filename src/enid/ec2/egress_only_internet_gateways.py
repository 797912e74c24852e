"""Egress-only internet gateways: IPv6 of a VPC goes out to the internet, and only replies come back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select

from enid.ec2 import quotas, routes, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import invalid_parameter_value
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store.ids import new_id
from enid.store.tables import egress_only_internet_gateways as gateways


@operation("CreateEgressOnlyInternetGateway")
def create_egress_only_internet_gateway(ctx: Context, params: Params) -> Result:
    """One per VPC, attached from the first."""
    vpc = fetch(ctx, "vpc", params["VpcId"])
    if ctx.db.execute(select(gateways.c.id).where(gateways.c.vpc_id == vpc.id)).first():
        raise invalid_parameter_value(f"Network {vpc.id} already has an egress-only internet gateway attached")
    quotas.check(
        ctx,
        gateways,
        gateways.c.account_id == ctx.account_id,
        ctx.settings.quotas.egress_only_internet_gateways,
        "EgressOnlyInternetGatewayLimitExceeded",
        "The maximum number of egress-only internet gateways has been reached.",
    )
    id_ = new_id("eigw")
    ctx.db.execute(insert(gateways).values(id=id_, account_id=ctx.account_id, vpc_id=vpc.id, created_at=ctx.now))
    ctx.note("vpc", vpc.id)
    tags.on_creation(ctx, params, "egress-only-internet-gateway", [id_])
    shown = _shown(ctx, [fetch(ctx, "eigw", id_)])[0]
    return {"EgressOnlyInternetGateway": shown, "ClientToken": params.get("ClientToken")}


@operation("DeleteEgressOnlyInternetGateway")
def delete_egress_only_internet_gateway(ctx: Context, params: Params) -> Result:
    """Routes to the gateway stay, as black holes."""
    row = fetch(ctx, "eigw", params["EgressOnlyInternetGatewayId"])
    ctx.db.execute(delete(gateways).where(gateways.c.id == row.id))
    tags.forget(ctx, [row.id])
    ctx.note("vpc", row.vpc_id)
    routes.note_tables_towards(ctx, row.id)
    return {"ReturnCode": True}


@operation("DescribeEgressOnlyInternetGateways")
def describe_egress_only_internet_gateways(ctx: Context, params: Params) -> Result:
    """Unlike most, AWS leaves unknown ids out of the answer here. Tags are the only filters."""
    ids = params.get("EgressOnlyInternetGatewayIds")
    named = gateways.c.id.in_(ids) if ids else None
    rows, token = describe(ctx, params, "eigw", {}, "", sizes=(5, 255), condition=named)
    return {"EgressOnlyInternetGateways": _shown(ctx, rows), "NextToken": token}


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    tags_of = tags.shown(ctx, [row.id for row in rows])
    return [
        {
            "EgressOnlyInternetGatewayId": row.id,
            "Attachments": [{"State": "attached", "VpcId": row.vpc_id}],
            "Tags": tags_of[row.id],
        }
        for row in rows
    ]
