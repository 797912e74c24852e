"""VPN connections between a virtual private gateway and a customer gateway, with static routes.

Where it is a plain link, a connection is up when a site with the customer gateway's address exists: that is the far end
of the data plane. Where it is IPsec, whoever keeps the tunnels has written down which of them are up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, String, and_, cast, delete, insert, select

from enid.ec2 import cidr, filters, quotas, tags, vpn_tunnels
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import AwsError, invalid_parameter_value, missing_parameter, unsupported
from enid.ec2.registry import operation
from enid.ec2.resources import bury, fetch, is_alive
from enid.ec2.vpn_gateways import note_changed
from enid.store.ids import new_id
from enid.store.tables import customer_gateways, sites, vpn_connection_routes, vpn_connections, vpn_gateways

_DEFAULTS: dict[str, Any] = {
    "EnableAcceleration": False,
    "TunnelInsideIpVersion": "ipv4",
    "LocalIpv4NetworkCidr": "0.0.0.0/0",
    "RemoteIpv4NetworkCidr": "0.0.0.0/0",
    "OutsideIpAddressType": "PublicIpv4",
    "TunnelBandwidth": "standard",
}
"""Options that are there with one value only, and are shown with it."""
_ROUTES = vpn_connection_routes.c


@operation("CreateVpnConnection")
def create_vpn_connection(ctx: Context, params: Params) -> Result:
    """Static routing only. Asking again for the same two gateways without tunnel options answers what is there."""
    options = _options(params)
    customer = fetch(ctx, "cgw", params["CustomerGatewayId"])
    gateway = fetch(ctx, "vgw", params["VpnGatewayId"])
    if customer.bgp_asn == gateway.amazon_side_asn:
        raise AwsError("AsnConflict", f"{customer.id} and {gateway.id} have the same ASN {customer.bgp_asn}.")
    others = ctx.db.execute(select(vpn_connections).where(is_alive(vpn_connections))).all()
    here = [row for row in others if row.vpn_gateway_id == gateway.id]
    existing = next((row for row in here if row.customer_gateway_id == customer.id), None)
    if existing is not None:
        if options.get("TunnelOptions"):
            raise AwsError("InvalidOption.Conflict", f"{gateway.id} and {customer.id} already have {existing.id}.")
        return {"VpnConnection": shown(ctx, [existing])[0]}
    quotas.check(
        ctx,
        vpn_connections,
        and_(vpn_connections.c.vpn_gateway_id == gateway.id, is_alive(vpn_connections)),
        ctx.settings.quotas.vpn_connections_per_gateway,
        "VpnConnectionLimitExceeded",
        f"The maximum number of VPN connections of {gateway.id} has been reached.",
    )
    id_ = new_id("vpn")
    ctx.db.execute(
        insert(vpn_connections).values(
            id=id_,
            account_id=ctx.account_id,
            customer_gateway_id=customer.id,
            vpn_gateway_id=gateway.id,
            static_routes_only=True,
            tunnels=_tunnels(ctx, options, others, here),
            created_at=ctx.now,
        )
    )
    tags.on_creation(ctx, params, "vpn-connection", [id_])
    note_changed(ctx, gateway.id, gateway.vpc_id)
    return {"VpnConnection": shown(ctx, [fetch(ctx, "vpn", id_)])[0]}


def _options(params: Params) -> Params:
    """:raises AwsError: for a type that does not exist, and ``UnsupportedOperation`` for what is not there."""
    if params["Type"] != "ipsec.1":
        raise invalid_parameter_value(f"Value ({params['Type']}) for parameter type is invalid.")
    for name in ("TransitGatewayId", "VpnConcentratorId", "PreSharedKeyStorage"):
        if name in params:
            raise unsupported(f"{name} is not there; a VPN connection ends at a virtual private gateway.")
    if "VpnGatewayId" not in params:
        raise missing_parameter("vpnGatewayId")
    options: Params = params.get("Options", {})
    if not options.get("StaticRoutesOnly"):
        raise unsupported("VPN connections with BGP are not there; set Options.StaticRoutesOnly to true.")
    for name, value in options.items():
        if name not in ("StaticRoutesOnly", "TunnelOptions") and _DEFAULTS.get(name) != value:
            raise unsupported(f"The option {name} with the value {value} is not there.")
    return options


def _tunnels(
    ctx: Context, options: Params, others: Sequence[Row[Any]], here: Sequence[Row[Any]]
) -> list[vpn_tunnels.Tunnel]:
    """No tunnel's outside address is anybody else's on the internet."""
    outside = {tunnel["OutsideIpAddress"] for row in others for tunnel in row.tunnels}
    outside.update(ctx.db.execute(select(sites.c.public_ip)).scalars())
    outside.update(filter(None, ctx.db.execute(select(customer_gateways.c.ip_address)).scalars()))
    inside = {tunnel["TunnelInsideCidr"] for row in here for tunnel in row.tunnels}
    return vpn_tunnels.build(options.get("TunnelOptions", ()), outside, inside)


@operation("DeleteVpnConnection")
def delete_vpn_connection(ctx: Context, params: Params) -> Result:
    row = fetch(ctx, "vpn", params["VpnConnectionId"])
    note(ctx, row)
    ctx.db.execute(delete(vpn_connection_routes).where(_ROUTES.vpn_connection_id == row.id))
    bury(ctx, "vpn", row.id)
    return {}


def note(ctx: Context, row: Row[Any]) -> None:
    """Something about the connection has changed."""
    vpc_id = ctx.db.execute(select(vpn_gateways.c.vpc_id).where(vpn_gateways.c.id == row.vpn_gateway_id)).scalar()
    note_changed(ctx, row.vpn_gateway_id, vpc_id)


@operation("CreateVpnConnectionRoute")
def create_vpn_connection_route(ctx: Context, params: Params) -> Result:
    """What lies behind the customer gateway. Making the same route twice is no error."""
    row = fetch(ctx, "vpn", params["VpnConnectionId"])
    key = {"vpn_connection_id": row.id, "destination_cidr_block": _destination(params)}
    if ctx.db.execute(select(vpn_connection_routes).filter_by(**key)).first() is None:
        ctx.db.execute(insert(vpn_connection_routes).values(key))
        note(ctx, row)
    return {}


@operation("DeleteVpnConnectionRoute")
def delete_vpn_connection_route(ctx: Context, params: Params) -> Result:
    row = fetch(ctx, "vpn", params["VpnConnectionId"])
    key = {"vpn_connection_id": row.id, "destination_cidr_block": _destination(params)}
    if not ctx.db.execute(delete(vpn_connection_routes).filter_by(**key)).rowcount:
        raise AwsError("InvalidRoute.NotFound", f"{row.id} has no route to {key['destination_cidr_block']}.")
    note(ctx, row)
    return {}


def _destination(params: Params) -> str:
    return str(cidr.ipv4(params["DestinationCidrBlock"], "destinationCidrBlock"))


def _customer_asn() -> filters.Condition:
    inner = filters.text(cast(customer_gateways.c.bgp_asn, String))
    return filters.related(vpn_connections.c.customer_gateway_id, customer_gateways.c.id, inner)


def _catalogue(ctx: Context) -> filters.Catalogue:
    def configuration(values: Sequence[str]) -> Any:
        rows = ctx.db.execute(select(vpn_connections).where(vpn_connections.c.account_id == ctx.account_id)).all()
        texts = {result["VpnConnectionId"]: result["CustomerGatewayConfiguration"] for result in shown(ctx, rows)}
        return vpn_connections.c.id.in_([id_ for id_, text in texts.items() if text in values])

    return {
        "bgp-asn": _customer_asn(),
        "customer-gateway-configuration": configuration,
        "customer-gateway-id": filters.text(vpn_connections.c.customer_gateway_id),
        "option.static-routes-only": filters.boolean(vpn_connections.c.static_routes_only),
        "route.destination-cidr-block": filters.related(
            vpn_connections.c.id, _ROUTES.vpn_connection_id, filters.text(_ROUTES.destination_cidr_block)
        ),
        "state": filters.text(vpn_connections.c.state),
        "transit-gateway-id": filters.absent,
        "type": filters.text(vpn_connections.c.type),
        "vpn-connection-id": filters.text(vpn_connections.c.id),
        "vpn-gateway-id": filters.text(vpn_connections.c.vpn_gateway_id),
    }


@operation("DescribeVpnConnections")
def describe_vpn_connections(ctx: Context, params: Params) -> Result:
    rows, _ = describe(ctx, params, "vpn", _catalogue(ctx), "VpnConnectionIds")
    return {"VpnConnections": shown(ctx, rows)}


def shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    """Connections as AWS shows them."""
    ids = [row.id for row in rows]
    tags_of = tags.shown(ctx, ids)
    routes_of: dict[str, list[str]] = {id_: [] for id_ in ids}
    ends: dict[str, Any] = {}
    if ids:
        query = select(vpn_connection_routes).where(_ROUTES.vpn_connection_id.in_(ids))
        for route in ctx.db.execute(query.order_by(_ROUTES.destination_cidr_block)):
            routes_of[route.vpn_connection_id].append(route.destination_cidr_block)
        ends = {end.id: end for end in ctx.db.execute(_ends(ids))}
    real = ctx.settings.vpn == "ipsec"
    return [_one(row, ends[row.id], routes_of[row.id], real) | {"Tags": tags_of[row.id]} for row in rows]


def _ends(ids: Sequence[str]) -> Any:
    """Both gateways of each connection, and the site at the far end if there is one."""
    return (
        select(
            vpn_connections.c.id,
            customer_gateways.c.ip_address,
            customer_gateways.c.bgp_asn,
            vpn_gateways.c.amazon_side_asn,
            sites.c.name.label("site"),
        )
        .join_from(vpn_connections, customer_gateways, customer_gateways.c.id == vpn_connections.c.customer_gateway_id)
        .join(vpn_gateways, vpn_gateways.c.id == vpn_connections.c.vpn_gateway_id)
        .outerjoin(sites, sites.c.public_ip == customer_gateways.c.ip_address)
        .where(vpn_connections.c.id.in_(ids))
    )


def _one(row: Row[Any], ends: Any, routes: Sequence[str], real: bool) -> Result:
    """:param real: its tunnels are more than a link."""
    return {
        "VpnConnectionId": row.id,
        "State": row.state,
        "Type": row.type,
        "Category": "VPN",
        "CustomerGatewayId": row.customer_gateway_id,
        "VpnGatewayId": row.vpn_gateway_id,
        "GatewayAssociationState": "associated",
        "CustomerGatewayConfiguration": vpn_tunnels.configuration({**row._mapping, **ends._mapping}),
        "Options": {"StaticRoutesOnly": row.static_routes_only, **_DEFAULTS, "TunnelOptions": row.tunnels},
        "Routes": [{"DestinationCidrBlock": route, "Source": "Static", "State": "available"} for route in routes],
        "VgwTelemetry": _telemetry(row, ends, len(routes), real),
    }


def _telemetry(row: Row[Any], ends: Any, routes: int, real: bool) -> list[Result]:
    trouble = "IPSEC IS DOWN" if real else f"nobody is at {ends.ip_address}"
    never = [{"up": False, "since": row.created_at}] * len(row.tunnels)
    plain = [{"up": bool(ends.site), "since": row.created_at}] * len(row.tunnels)
    states = (row.telemetry or never) if real else plain
    return vpn_tunnels.telemetry(row.tunnels, states if row.state == "available" else never, trouble, routes)
