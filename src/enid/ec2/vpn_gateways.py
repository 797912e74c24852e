"""Virtual private gateways: the VPC's side of its VPN connections.

Attaching is recorded at once; whether packets flow depends on a VPN connection and somebody at its far end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, and_, case, delete, func, insert, select, update

from enid.ec2 import availability_zones, filters, gateway_route_tables, quotas, routes, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import AwsError, check_id, invalid_parameter_value
from enid.ec2.registry import operation
from enid.ec2.resources import bury, fetch, is_alive
from enid.store.ids import new_id
from enid.store.tables import route_propagations, vpn_connections, vpn_gateways

_ATTACHED, _DETACHED = "attached", "detached"
_LEGACY_ASNS = (7224, 9059, 10124, 17493)


@operation("CreateVpnGateway")
def create_vpn_gateway(ctx: Context, params: Params) -> Result:
    if params["Type"] != "ipsec.1":
        raise invalid_parameter_value(f"Value ({params['Type']}) for parameter type is invalid.")
    asn = params.get("AmazonSideAsn", 64512)
    if not (64512 <= asn <= 65534 or 4200000000 <= asn <= 4294967294 or asn in _LEGACY_ASNS):
        raise invalid_parameter_value(f"Value ({asn}) for parameter amazonSideAsn is invalid: not a private ASN.")
    zone = params.get("AvailabilityZone") or None  # Terraform sends an empty one for "any"
    if zone is not None:
        zone, _ = availability_zones.resolve(ctx.settings, zone, None)
    quotas.check(
        ctx,
        vpn_gateways,
        and_(vpn_gateways.c.account_id == ctx.account_id, is_alive(vpn_gateways)),
        ctx.settings.quotas.vpn_gateways,
        "VpnGatewayLimitExceeded",
        "The maximum number of virtual private gateways has been reached.",
    )
    id_ = new_id("vgw")
    ctx.db.execute(
        insert(vpn_gateways).values(
            id=id_, account_id=ctx.account_id, amazon_side_asn=asn, availability_zone=zone, created_at=ctx.now
        )
    )
    tags.on_creation(ctx, params, "vpn-gateway", [id_])
    return {"VpnGateway": _shown(ctx, [fetch(ctx, "vgw", id_)])[0]}


@operation("DeleteVpnGateway")
def delete_vpn_gateway(ctx: Context, params: Params) -> Result:
    row = fetch(ctx, "vgw", params["VpnGatewayId"])
    if row.vpc_id is not None:
        raise AwsError("IncorrectState", f"The vpnGateway '{row.id}' is attached to {row.vpc_id}.")
    used = and_(vpn_connections.c.vpn_gateway_id == row.id, is_alive(vpn_connections))
    query = select(vpn_connections.c.id).where(used)
    if connection := ctx.db.execute(query.limit(1)).scalar():
        raise AwsError(
            "IncorrectState", f"The vpnGateway '{row.id}' has the VPN connection {connection}.", dependants=[connection]
        )
    bury(ctx, "vgw", row.id)
    return {}


@operation("AttachVpnGateway")
def attach_vpn_gateway(ctx: Context, params: Params) -> Result:
    """One gateway per VPC, one VPC per gateway; attaching again where it is attached is no error."""
    row, vpc = fetch(ctx, "vgw", params["VpnGatewayId"]), fetch(ctx, "vpc", params["VpcId"])
    if row.vpc_id is not None and row.vpc_id != vpc.id:
        raise AwsError("VpnGatewayAttachmentLimitExceeded", f"The vpnGateway {row.id} is attached to {row.vpc_id}.")
    if row.vpc_id is None:
        query = select(vpn_gateways.c.id).where(vpn_gateways.c.vpc_id == vpc.id)
        if other := ctx.db.execute(query).scalar():
            raise AwsError("InvalidVpcState", f"The VPC {vpc.id} already has the virtual private gateway {other}.")
        ctx.db.execute(
            update(vpn_gateways).where(vpn_gateways.c.id == row.id).values(vpc_id=vpc.id, detached_vpc_id=None)
        )
        note_changed(ctx, row.id, vpc.id)
    return {"VpcAttachment": {"State": _ATTACHED, "VpcId": vpc.id}}


@operation("DetachVpnGateway")
def detach_vpn_gateway(ctx: Context, params: Params) -> Result:
    """Propagation from the gateway ends; stored routes to it stay, as black holes.

    Detached already is what Terraform expects to be told when the VPC went first.
    """
    row, vpc_id = fetch(ctx, "vgw", params["VpnGatewayId"]), check_id("vpc", params["VpcId"])
    if row.vpc_id != vpc_id:
        raise AwsError(
            "InvalidVpnGatewayAttachment.NotFound",
            f"The attachment with vpn gateway ID '{row.id}' and vpc ID '{vpc_id}' does not exist",
        )
    note_changed(ctx, row.id, vpc_id)
    ctx.db.execute(update(vpn_gateways).where(vpn_gateways.c.id == row.id).values(vpc_id=None, detached_vpc_id=vpc_id))
    ctx.db.execute(delete(route_propagations).where(route_propagations.c.gateway_id == row.id))
    gateway_route_tables.end(ctx, row.id)
    return {}


def note_changed(ctx: Context, gateway_id: str, vpc_id: str | None) -> None:
    """Note what depends on a gateway and its VPN connections: the VPC's router and the tables that lead there."""
    if vpc_id is not None:
        ctx.note("vpc", vpc_id)
        routes.note_tables_towards(ctx, gateway_id)


_ATTACHMENT_VPC = func.coalesce(vpn_gateways.c.vpc_id, vpn_gateways.c.detached_vpc_id)
_ATTACHMENT_STATE = case(
    (vpn_gateways.c.vpc_id.is_not(None), _ATTACHED), (vpn_gateways.c.detached_vpc_id.is_not(None), _DETACHED)
)


_FILTERS = {
    "amazon-side-asn": filters.number(vpn_gateways.c.amazon_side_asn),
    "attachment.state": filters.text(_ATTACHMENT_STATE),
    "attachment.vpc-id": filters.text(_ATTACHMENT_VPC),
    "availability-zone": filters.text(vpn_gateways.c.availability_zone),
    "state": filters.text(vpn_gateways.c.state),
    "type": filters.text(vpn_gateways.c.type),
    "vpn-gateway-id": filters.text(vpn_gateways.c.id),
}


@operation("DescribeVpnGateways")
def describe_vpn_gateways(ctx: Context, params: Params) -> Result:
    rows, _ = describe(ctx, params, "vgw", _FILTERS, "VpnGatewayIds")
    return {"VpnGateways": _shown(ctx, rows)}


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    tags_of = tags.shown(ctx, [row.id for row in rows])
    return [
        {
            "VpnGatewayId": row.id,
            "State": row.state,
            "Type": row.type,
            "AmazonSideAsn": row.amazon_side_asn,
            "AvailabilityZone": row.availability_zone,
            "VpcAttachments": _attachments(row),
            "Tags": tags_of[row.id],
        }
        for row in rows
    ]


def _attachments(row: Row[Any]) -> list[Result]:
    """The VPC it is attached to, or was last: AWS goes on to show that, and tools wait to see it ``detached``."""
    if row.vpc_id:
        return [{"State": _ATTACHED, "VpcId": row.vpc_id}]
    return [{"State": _DETACHED, "VpcId": row.detached_vpc_id}] if row.detached_vpc_id else []
