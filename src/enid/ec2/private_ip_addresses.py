"""Private IPv4 addresses of an interface: what may be asked for, and assigning, moving and unassigning secondary ones.

An address is moved together with its Elastic IP, in one transaction; the primary one never moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any

from sqlalchemy import Row, and_, bindparam, delete, func, select, update

from enid.ec2 import addresses
from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import AwsError, invalid_parameter_combination, invalid_parameter_value, missing_parameter
from enid.ec2.instance_types import limits
from enid.ec2.network_interface_access import holder, writable
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.ec2.unsupported import refuse
from enid.store import allocation
from enid.store.tables import private_addresses, public_addresses

UNATTACHED_LIMIT = 50
"""Most IPv4 or IPv6 addresses of an interface that no instance type bounds (that of the largest types)."""


def parse(block: IPv4Network, given: Sequence[str]) -> list[IPv4Address]:
    """Addresses that interfaces of this subnet may have.

    :raises AwsError: ``InvalidParameterValue``: no address, given twice, outside the subnet, or reserved.
    """
    usable = allocation.usable(block)
    result: list[IPv4Address] = []
    for text in given:
        try:
            address = IPv4Address(text)
        except AddressValueError:
            raise invalid_parameter_value(f"invalid value for parameter address: [{text}]") from None
        if address not in block:
            raise invalid_parameter_value(f"Address {text} does not fall within the subnet's address range")
        if int(address) - int(block.network_address) not in usable:
            raise invalid_parameter_value("Address is in subnet's reserved address range")
        if address in result:
            raise invalid_parameter_value(f"Address {text} is specified more than once.")
        result.append(address)
    return result


def choose(
    ctx: Context, subnet_id: str, block: IPv4Network, next_offset: int, count: int, given: Sequence[IPv4Address] = ()
) -> list[IPv4Address]:
    """``count`` free addresses of the subnet, besides the ``given``.

    :raises AwsError: ``InsufficientFreeAddressesInSubnet``.
    """
    try:
        return allocation.take_ipv4(ctx.db, subnet_id, block, next_offset, count, given)
    except allocation.Exhausted:
        raise AwsError(
            "InsufficientFreeAddressesInSubnet",
            "The specified subnet does not have enough free addresses to satisfy the request.",
        ) from None


def taken(ctx: Context, subnet_id: str, given: Sequence[Any]) -> dict[str, Row[Any]]:
    """The rows of those of the given addresses (IPv4 or IPv6) that some interface has, by address."""
    if not given:
        return {}
    columns = private_addresses.c
    query = select(private_addresses).where(columns.subnet_id == subnet_id, columns.ip.in_([str(ip) for ip in given]))
    return {row.ip: row for row in ctx.db.execute(query)}


def move_not_allowed(given: Sequence[Any]) -> AwsError:
    """AWS's refusal of addresses that another interface has."""
    return invalid_parameter_value(f"Some of [{', '.join(map(str, given))}] is assigned, but move is not allowed.")


def positions(ctx: Context, network_interface_id: str, family: int) -> tuple[int, int]:
    """How many addresses of the family the interface has, and the position of its next one."""
    columns = private_addresses.c
    query = select(func.count(), func.coalesce(func.max(columns.position) + 1, 0)).where(
        columns.network_interface_id == network_interface_id, columns.family == family
    )
    count, position = ctx.db.execute(query).one()
    return count, position


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
    wanted = parse(block, given)
    moved = _to_move(ctx, interface, wanted, bool(params.get("AllowReassignment")))
    mine = [ip for ip, row in moved.items() if row.network_interface_id == interface.id]
    have, position = positions(ctx, interface.id, 4)
    added = len(wanted) - len(mine) if given else int(count or 0)
    if have + added > _limit(ctx, interface.id):
        raise AwsError("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")
    if not given:
        wanted = choose(ctx, subnet.id, block, subnet.next_offset, added)
    fresh = [address for address in wanted if str(address) not in mine]
    _move(ctx, interface, [row for ip, row in moved.items() if ip not in mine])
    _add(ctx, interface, block, position, [address for address in fresh if str(address) not in moved])
    _put_last(ctx, interface, position, [address for address in fresh if str(address) in moved])
    ctx.note("network_interface", interface.id)
    return {
        "NetworkInterfaceId": interface.id,
        "AssignedPrivateIpAddresses": [{"PrivateIpAddress": str(address)} for address in wanted],
        "AssignedIpv4Prefixes": [],
    }


def _limit(ctx: Context, network_interface_id: str) -> int:
    instance = holder(ctx, network_interface_id)
    return limits(instance.instance_type).ipv4_per_interface if instance else UNATTACHED_LIMIT


def _to_move(
    ctx: Context, interface: Row[Any], wanted: Sequence[IPv4Address], allowed: bool
) -> dict[str, Row[Any]]:
    """The rows of wanted addresses that some interface has already; a primary address is never moved."""
    rows = taken(ctx, interface.subnet_id, wanted)
    stuck = [ip for ip, row in rows.items() if row.is_primary or not allowed]
    if stuck:
        raise move_not_allowed(stuck)
    for former in {row.network_interface_id for row in rows.values()} - {interface.id}:
        writable(ctx, former)
    return rows


def _add(ctx: Context, interface: Row[Any], block: IPv4Network, position: int, fresh: Sequence[IPv4Address]) -> None:
    rows = [
        allocation.private_row(interface.subnet_id, interface.id, address, block, position + index)
        for index, address in enumerate(fresh)
    ]
    if rows:
        allocation.add_private(ctx.db, rows)


_REHOME = (
    update(private_addresses)
    .where(private_addresses.c.subnet_id == bindparam("in_subnet"), private_addresses.c.ip == bindparam("address"))
    .values(network_interface_id=bindparam("to"))
)
_REHOME_PUBLIC = (
    update(public_addresses)
    .where(
        public_addresses.c.network_interface_id == bindparam("former"),
        public_addresses.c.private_ip == bindparam("address"),
    )
    .values(network_interface_id=bindparam("to"))
)
