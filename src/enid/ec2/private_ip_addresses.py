"""Private IPv4 addresses and prefixes of an interface: assigning, moving and unassigning the secondary ones.

An address moves together with its Elastic IP, in one transaction; the primary one and prefixes never move.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from sqlalchemy import Row, bindparam, update

from enid.ec2 import addresses, assigned_addresses, delegated_prefixes
from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import AwsError, missing_parameter
from enid.ec2.network_interface_access import writable
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
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
        raise no_free_address() from None


def no_free_address() -> AwsError:
    """AWS's refusal when a subnet is full."""
    return AwsError(
        "InsufficientFreeAddressesInSubnet",
        "The specified subnet does not have enough free addresses to satisfy the request.",
    )


@operation("AssignPrivateIpAddresses")
def assign_private_ip_addresses(ctx: Context, params: Params) -> Result:
    """Secondary addresses or prefixes, by list or by number: all of them, or none. Answers only the new ones."""
    assigned_addresses.choice(params, *_WAYS)
    interface = writable(ctx, params["NetworkInterfaceId"])
    subnet = fetch(ctx, "subnet", interface.subnet_id)
    block = IPv4Network(subnet.cidr_block)
    prefixes = delegated_prefixes.Asked(tuple(params.get("Ipv4Prefixes", ())), params.get("Ipv4PrefixCount") or 0)
    if prefixes.number:
        ips, delegated = [], delegated_prefixes.assign(ctx, interface, block, prefixes)
    else:
        ips, delegated = _assign(ctx, interface, subnet, params), []
    ctx.note("network_interface", interface.id)
    return {
        "NetworkInterfaceId": interface.id,
        "AssignedPrivateIpAddresses": [{"PrivateIpAddress": ip} for ip in ips],
        "AssignedIpv4Prefixes": [{"Ipv4Prefix": prefix} for prefix in delegated],
    }


_WAYS = ("PrivateIpAddresses", "SecondaryPrivateIpAddressCount", "Ipv4Prefixes", "Ipv4PrefixCount")


def _assign(ctx: Context, interface: Row[Any], subnet: Row[Any], params: Params) -> list[str]:
    """Give the interface the addresses asked for; answers the new ones."""
    block, count = IPv4Network(subnet.cidr_block), params.get("SecondaryPrivateIpAddressCount")
    wanted = assigned_addresses.parse(block, params.get("PrivateIpAddresses", ()))
    assigned = _movable(ctx, interface, block, wanted, bool(params.get("AllowReassignment")))
    moved = [row for row in assigned if row.network_interface_id != interface.id]
    known = {row.ip for row in assigned}
    fresh = [address for address in wanted if str(address) not in known]
    position = assigned_addresses.room(ctx, interface.id, 4, count or len(moved) + len(fresh))
    if count:
        fresh = choose(ctx, subnet, count)
    assigned_addresses.add(ctx, interface, block, fresh, position)
    _move(ctx, interface, moved, position + len(fresh))
    return [*map(str, fresh), *(row.ip for row in moved)]


def _movable(
    ctx: Context, interface: Row[Any], block: IPv4Network, wanted: Sequence[IPv4Address], allow_reassignment: bool
) -> list[Row[Any]]:
    """The rows of wanted addresses that some interface has, all of which may move.

    :raises AwsError: one may not: it is a primary address, lies in a prefix, or moving was not allowed.
    """
    rows = list(assigned_addresses.taken(ctx, interface.subnet_id, wanted).values())
    stuck = [row.ip for row in rows if row.is_primary or not allow_reassignment]
    stuck += delegated_prefixes.covering(ctx, interface.subnet_id, block, wanted)
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
    """Give secondary addresses and prefixes back; an Elastic IP on one of them is disassociated and stays allocated."""
    interface = writable(ctx, params["NetworkInterfaceId"])
    given, prefixes = list(dict.fromkeys(params.get("PrivateIpAddresses", ()))), params.get("Ipv4Prefixes", ())
    if not given and not prefixes:
        raise missing_parameter("privateIpAddresses")
    secondary = private_addresses.c.is_primary.is_(False)
    assigned_addresses.give_back(ctx, interface, given, secondary, private_addresses.c.family == 4)
    addresses.unmap(ctx, interface.id, given)
    delegated_prefixes.give_back(ctx, interface, prefixes, 4)
    ctx.note("network_interface", interface.id)
    return {}
