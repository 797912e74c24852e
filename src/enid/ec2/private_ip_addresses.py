"""Private IPv4 addresses of an interface: assigning, moving and unassigning the secondary ones.

An address moves together with its Elastic IP, in one transaction; the primary one never moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from sqlalchemy import Row, bindparam, update

from enid.ec2 import addresses, assigned_addresses
from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import AwsError, invalid_parameter_combination, invalid_parameter_value, missing_parameter
from enid.ec2.network_interface_access import writable
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.ec2.unsupported import refuse
from enid.store import allocation
from enid.store.tables import private_addresses, public_addresses


def choose(ctx: Context, subnet: Row[Any], count: int, given: Sequence[IPv4Address] = ()) -> list[IPv4Address]:
    """``count`` free addresses of the subnet, besides the ``given``.

    :raises AwsError: ``InsufficientFreeAddressesInSubnet``.
    """
    block = IPv4Network(subnet.cidr_block)
    try:
        return allocation.take_ipv4(ctx.db, subnet.id, block, subnet.next_offset, count, given)
    except allocation.Exhausted:
        raise AwsError(
            "InsufficientFreeAddressesInSubnet",
            "The specified subnet does not have enough free addresses to satisfy the request.",
        ) from None


@operation("AssignPrivateIpAddresses")
def assign_private_ip_addresses(ctx: Context, params: Params) -> Result:
    """Secondary addresses by list or by number: all of them, or none. Answers only the new ones."""
    refuse(params, "Ipv4Prefixes", "Ipv4PrefixCount")
    given, count = params.get("PrivateIpAddresses", ()), params.get("SecondaryPrivateIpAddressCount")
    if given and count is not None:
        raise invalid_parameter_combination(
            "The parameters privateIpAddresses and secondaryPrivateIpAddressCount may not be used together."
        )
    if not given and count is None:
        raise missing_parameter("secondaryPrivateIpAddressCount or privateIpAddresses")
    if count is not None and count < 1:
        raise invalid_parameter_value(f"Value ({count}) for parameter secondaryPrivateIpAddressCount is invalid.")
    interface = writable(ctx, params["NetworkInterfaceId"])
    subnet = fetch(ctx, "subnet", interface.subnet_id)
    block = IPv4Network(subnet.cidr_block)
    wanted = assigned_addresses.parse(block, given)
    assigned = _movable(ctx, interface, wanted, bool(params.get("AllowReassignment")))
    moved = [row for row in assigned if row.network_interface_id != interface.id]
    known = {row.ip for row in assigned}
    fresh = [address for address in wanted if str(address) not in known]
    position = assigned_addresses.room(ctx, interface.id, 4, count or len(moved) + len(fresh))
    if count:
        fresh = choose(ctx, subnet, count)
    assigned_addresses.add(ctx, interface, block, fresh, position)
    _move(ctx, interface, moved, position + len(fresh))
    ctx.note("network_interface", interface.id)
    new = [*map(str, fresh), *(row.ip for row in moved)]
    return {
        "NetworkInterfaceId": interface.id,
        "AssignedPrivateIpAddresses": [{"PrivateIpAddress": ip} for ip in new],
        "AssignedIpv4Prefixes": [],
    }


def _movable(
    ctx: Context, interface: Row[Any], wanted: Sequence[IPv4Address], allow_reassignment: bool
) -> list[Row[Any]]:
    """The rows of wanted addresses that some interface has, all of which may move.

    :raises AwsError: one may not: it is a primary address, or moving was not allowed.
    """
    rows = list(assigned_addresses.taken(ctx, interface.subnet_id, wanted).values())
    stuck = [row.ip for row in rows if row.is_primary or not allow_reassignment]
    if stuck:
        raise assigned_addresses.move_not_allowed(stuck)
    for former in {row.network_interface_id for row in rows} - {interface.id}:
        writable(ctx, former)
    return rows


_MOVE = (
    update(private_addresses)
    .where(private_addresses.c.subnet_id == bindparam("in_subnet"), private_addresses.c.ip == bindparam("address"))
    .values(network_interface_id=bindparam("to"), position=bindparam("at"))
)
_MOVE_PUBLIC = (
    update(public_addresses)
    .where(
        public_addresses.c.network_interface_id == bindparam("former"),
        public_addresses.c.private_ip == bindparam("address"),
    )
    .values(network_interface_id=bindparam("to"))
)


def _move(ctx: Context, interface: Row[Any], rows: Sequence[Row[Any]], position: int) -> None:
    """Give the interface these addresses of other interfaces, each with the Elastic IP it has."""
    if not rows:
        return
    places = [{"in_subnet": row.subnet_id, "address": row.ip, "to": interface.id} for row in rows]
    ctx.db.execute(_MOVE, [place | {"at": position + index} for index, place in enumerate(places)])
    ctx.db.execute(
        _MOVE_PUBLIC,
        [{"former": row.network_interface_id, "address": row.ip, "to": interface.id} for row in rows],
    )
    for row in rows:
        ctx.note("network_interface", row.network_interface_id)


@operation("UnassignPrivateIpAddresses")
def unassign_private_ip_addresses(ctx: Context, params: Params) -> Result:
    """Give secondary addresses back; an Elastic IP on one of them is disassociated and stays allocated."""
    refuse(params, "Ipv4Prefixes")
    interface = writable(ctx, params["NetworkInterfaceId"])
    given = list(dict.fromkeys(params.get("PrivateIpAddresses", ())))
    if not given:
        raise missing_parameter("privateIpAddresses")
    secondary = private_addresses.c.is_primary.is_(False)
    assigned_addresses.give_back(ctx, interface, given, secondary, private_addresses.c.family == 4)
    addresses.unmap(ctx, interface.id, given)
    ctx.note("network_interface", interface.id)
    return {}
