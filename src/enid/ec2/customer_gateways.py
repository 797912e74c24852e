"""Customer gateways: the far side's public address, as AWS is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from sqlalchemy import Row, String, and_, cast, insert, select

from enid.ec2 import filters, quotas, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import AwsError, invalid_parameter_value, missing_parameter, unsupported
from enid.ec2.registry import operation
from enid.ec2.resources import bury, fetch, is_alive
from enid.store.ids import new_id
from enid.store.tables import customer_gateways, vpn_connections

_LONG_ASN = 2**31
"""From here on AWS shows an ASN as ``BgpAsnExtended``."""


@operation("CreateCustomerGateway")
def create_customer_gateway(ctx: Context, params: Params) -> Result:
    """The same type, address, ASN and device name again answer the gateway that is there (and add no tags)."""
    if params["Type"] != "ipsec.1":
        raise invalid_parameter_value(f"Value ({params['Type']}) for parameter type is invalid.")
    if "CertificateArn" in params:
        raise unsupported("Customer gateways with certificates are not there; give an IpAddress.")
    values = {
        "ip_address": _address(params),
        "bgp_asn": _asn(params),
        "device_name": params.get("DeviceName"),
    }
    same = [customer_gateways.c[name].is_not_distinct_from(value) for name, value in values.items()]
    mine = and_(customer_gateways.c.account_id == ctx.account_id, is_alive(customer_gateways))
    query = select(customer_gateways).where(mine, *same)
    row = ctx.db.execute(query).first()
    if row is None:
        quotas.check(
            ctx,
            customer_gateways,
            mine,
            ctx.settings.quotas.customer_gateways,
            "CustomerGatewayLimitExceeded",
            "The maximum number of customer gateways has been reached.",
        )
        id_ = new_id("cgw")
        ctx.db.execute(
            insert(customer_gateways).values(id=id_, account_id=ctx.account_id, created_at=ctx.now, **values)
        )
        tags.on_creation(ctx, params, "customer-gateway", [id_])
        row = fetch(ctx, "cgw", id_)
    return {"CustomerGateway": _shown(ctx, [row])[0]}


def _address(params: Params) -> str:
    text = params.get("IpAddress") or params.get("PublicIp")
    if not text:
        raise missing_parameter("ipAddress")
    try:
        return str(IPv4Address(text))
    except AddressValueError:
        raise invalid_parameter_value(
            f"Value ({text}) for parameter ipAddress is invalid. Invalid IPv4 address."
        ) from None


def _asn(params: Params) -> int:
    asn = int(params.get("BgpAsnExtended", params.get("BgpAsn", 65000)))
    if not 1 <= asn < 2**32:
        raise invalid_parameter_value(f"Value ({asn}) for parameter bgpAsn is invalid.")
    return asn


@operation("DeleteCustomerGateway")
def delete_customer_gateway(ctx: Context, params: Params) -> Result:
    row = fetch(ctx, "cgw", params["CustomerGatewayId"])
    used = and_(vpn_connections.c.customer_gateway_id == row.id, is_alive(vpn_connections))
    query = select(vpn_connections.c.id).where(used)
    if connection := ctx.db.execute(query.limit(1)).scalar():
        raise AwsError("IncorrectState", f"The customer gateway is in use. ({connection})", dependants=[connection])
    bury(ctx, "cgw", row.id)
    return {}


_FILTERS = {
    "bgp-asn": filters.text(cast(customer_gateways.c.bgp_asn, String)),
    "customer-gateway-id": filters.text(customer_gateways.c.id),
    "ip-address": filters.text(customer_gateways.c.ip_address),
    "state": filters.text(customer_gateways.c.state),
    "type": filters.text(customer_gateways.c.type),
}


@operation("DescribeCustomerGateways")
def describe_customer_gateways(ctx: Context, params: Params) -> Result:
    rows, _ = describe(ctx, params, "cgw", _FILTERS, "CustomerGatewayIds")
    return {"CustomerGateways": _shown(ctx, rows)}


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    tags_of = tags.shown(ctx, [row.id for row in rows])
    return [
        {
            "CustomerGatewayId": row.id,
            "State": row.state,
            "Type": row.type,
            "IpAddress": row.ip_address,
            "BgpAsn" if row.bgp_asn < _LONG_ASN else "BgpAsnExtended": str(row.bgp_asn),
            "DeviceName": row.device_name,
            "Tags": tags_of[row.id],
        }
        for row in rows
    ]
