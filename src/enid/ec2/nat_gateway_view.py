"""How a NAT gateway and its addresses are shown. While it lives, its addresses are its interface's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, and_, select

from enid.ec2 import tags
from enid.ec2.context import Context, Result
from enid.store.tables import private_addresses, public_addresses

_PRIVATE, _PUBLIC = private_addresses.c, public_addresses.c


def describe(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    """``NatGateway`` structures of rows of ``nat_gateways``, in their order, from two statements."""
    tags_of, addresses_of = tags.shown(ctx, [row.id for row in rows]), addresses(ctx, rows)
    return [
        {
            "NatGatewayId": row.id,
            "VpcId": row.vpc_id,
            "SubnetId": row.subnet_id,
            "State": row.state,
            "FailureCode": row.failure_code,
            "FailureMessage": row.failure_message,
            "ConnectivityType": row.connectivity_type,
            "AvailabilityMode": "zonal",
            "CreateTime": row.created_at,
            "DeleteTime": row.deleted_at,
            "NatGatewayAddresses": addresses_of[row.id],
            "Tags": tags_of[row.id],
        }
        for row in rows
    ]


def addresses(ctx: Context, rows: Sequence[Row[Any]]) -> dict[str, list[Result]]:
    """``NatGatewayAddress`` structures by gateway, each list with the primary address first."""
    result = {row.id: list(row.last_addresses or ()) for row in rows}
    living = {row.network_interface_id: row for row in rows if row.last_addresses is None}
    if not living:
        return result
    query = (
        select(private_addresses, _PUBLIC.ip.label("public_ip"), _PUBLIC.allocation_id, _PUBLIC.association_id)
        .outerjoin(
            public_addresses,
            and_(_PUBLIC.network_interface_id == _PRIVATE.network_interface_id, _PUBLIC.private_ip == _PRIVATE.ip),
        )
        .where(_PRIVATE.network_interface_id.in_(living))
        .order_by(_PRIVATE.network_interface_id, _PRIVATE.position)
    )
    found: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    for address in ctx.db.execute(query):
        found[address.network_interface_id].append(address)
    for interface, row in living.items():
        result[row.id] = [_shown(address, row) for address in found[interface]]
    return result


def _shown(address: Row[Any], gateway: Row[Any]) -> Result:
    waiting = "assigning" if address.allocation_id is None else "associating"
    return {
        "AllocationId": address.allocation_id,
        "AssociationId": address.association_id,
        "IsPrimary": address.is_primary,
        "NetworkInterfaceId": address.network_interface_id,
        "PrivateIp": address.ip,
        "PublicIp": address.public_ip,
        "Status": waiting if gateway.state == "pending" else "succeeded",
    }
