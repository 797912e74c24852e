"""Reservations in a subnet: ranges that automatic choice keeps out of, for addresses named by hand or for prefixes.

Nothing that is in use is touched, neither when a range is reserved nor when it is given back (AWS: *Subnet CIDR
reservations*). Who chooses, and so keeps out, is :mod:`enid.store.allocation` and :mod:`enid.store.prefixes`.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, insert, select

from enid.ec2 import cidr, filters, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import invalid_parameter_value
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store import allocation, prefixes
from enid.store.ids import new_id
from enid.store.tables import subnet_cidr_reservations

_TABLE = subnet_cidr_reservations.c
_TYPE = "subnet-cidr-reservation"


@operation("CreateSubnetCidrReservation")
def create_subnet_cidr_reservation(ctx: Context, params: Params) -> Result:
    """A range of one of the subnet's blocks that no other reservation overlaps."""
    subnet = fetch(ctx, "subnet", params["SubnetId"])
    block, range_ = _checked(subnet, params["Cidr"], params["ReservationType"])
    others = select(_TABLE.cidr).where(_TABLE.subnet_id == subnet.id)
    for other in ctx.db.execute(others).scalars():
        if cidr.overlaps(range_, [ip_network(other)]):
            raise invalid_parameter_value(f"The CIDR '{range_}' conflicts with the reservation of {other}.")
    values = {
        "id": new_id("scr"),
        "account_id": ctx.account_id,
        "subnet_id": subnet.id,
        "family": range_.version,
        "cidr": str(range_),
        "reservation_type": params["ReservationType"],
        "description": params.get("Description", ""),
        "created_at": ctx.now,
        **_extent(block, range_),
    }
    ctx.db.execute(insert(subnet_cidr_reservations).values(**values))
    tags.on_creation(ctx, params, _TYPE, [values["id"]])
    return {"SubnetCidrReservation": _shown(ctx, [fetch(ctx, "scr", values["id"])])[0]}


def _checked(subnet: Row[Any], text: str, type_: str) -> tuple[cidr.Network, cidr.Network]:
    """The subnet's block of the range's family, and the range.

    :raises AwsError: ``InvalidParameterValue``: no range of the subnet, or one for prefixes that can hold none.
    """
    range_ = cidr.parse(text)
    if range_ is None:
        raise cidr.not_a_block(text, "cidr")
    own = subnet.cidr_block if range_.version == 4 else subnet.ipv6_cidr_block
    if own is None or not cidr.within(range_, [ip_network(own)]):
        raise invalid_parameter_value(f"The CIDR '{text}' does not fall within the subnet's address range")
    length = prefixes.LENGTHS[range_.version]
    if type_ == "prefix" and range_.prefixlen > length:
        raise invalid_parameter_value(f"The CIDR '{text}' is too small for a prefix: it must be a /{length} or larger.")
    return ip_network(own), range_


def _extent(block: cidr.Network, range_: cidr.Network) -> dict[str, int]:
    """Where in the subnet's block the range lies."""
    first, last = range_.network_address, range_.broadcast_address
    result = {
        "first_block": allocation.block_number(block, first),
        "last_block": allocation.block_number(block, last),
    }
    if block.version == 4:
        base = int(block.network_address)
        result |= {"first_offset": int(first) - base, "last_offset": int(last) - base}
    return result


@operation("DeleteSubnetCidrReservation")
def delete_subnet_cidr_reservation(ctx: Context, params: Params) -> Result:
    """What is not in use of the range is free for automatic choice again."""
    row = fetch(ctx, "scr", params["SubnetCidrReservationId"])
    shown = _shown(ctx, [row])[0]
    remove(ctx, _TABLE.id == row.id)
    return {"DeletedSubnetCidrReservation": shown}


def remove(ctx: Context, *conditions: ColumnElement[bool]) -> None:
    """Delete reservations with their tags."""
    gone = delete(subnet_cidr_reservations).where(*conditions).returning(_TABLE.id)
    tags.forget(ctx, list(ctx.db.execute(gone).scalars()))


def remove_of(ctx: Context, subnet_id: str, *families: int) -> None:
    """Delete a subnet's reservations of these IP versions."""
    remove(ctx, _TABLE.subnet_id == subnet_id, _TABLE.family.in_(families))


_FILTERS: filters.Catalogue = {
    "reservationType": filters.text(_TABLE.reservation_type),
    "subnet-id": filters.text(_TABLE.subnet_id),
}


@operation("GetSubnetCidrReservations")
def get_subnet_cidr_reservations(ctx: Context, params: Params) -> Result:
    """One subnet's reservations, by family."""
    subnet = fetch(ctx, "subnet", params["SubnetId"])
    rows, token = describe(ctx, params, "scr", _FILTERS, "", condition=_TABLE.subnet_id == subnet.id)
    shown = list(zip(rows, _shown(ctx, rows), strict=True))
    return {
        "SubnetIpv4CidrReservations": [one for row, one in shown if row.family == 4],
        "SubnetIpv6CidrReservations": [one for row, one in shown if row.family == 6],
        "NextToken": token,
    }


def _shown(ctx: Context, rows: list[Row[Any]]) -> list[Result]:
    tagged = tags.shown(ctx, [row.id for row in rows])
    return [
        {
            "SubnetCidrReservationId": row.id,
            "SubnetId": row.subnet_id,
            "Cidr": row.cidr,
            "ReservationType": row.reservation_type,
            "OwnerId": row.account_id,
            "Description": row.description or None,
            "Tags": tagged[row.id],
        }
        for row in rows
    ]
