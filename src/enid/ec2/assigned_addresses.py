"""IPv4 and IPv6 addresses of interfaces alike: which may be asked for, who has one, how many there may be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Literal, overload

from sqlalchemy import ColumnElement, Row, Subquery, and_, delete, func, select, union_all

from enid.ec2.context import Context, Params
from enid.ec2.errors import AwsError, invalid_parameter_combination, invalid_parameter_value, missing_parameter
from enid.ec2.instance_types import limits
from enid.ec2.network_interface_access import holder
from enid.store import allocation
from enid.store.tables import delegated_prefixes, private_addresses

UNATTACHED_LIMIT = 50
"""Most addresses of a family on an interface that no instance type bounds: as many as the largest types allow."""

_TABLE = private_addresses.c


def exclude(params: Params, *names: str) -> list[str]:
    """Of members that may not be used together, the one that the request has; or none.

    :raises AwsError: ``InvalidParameterCombination``: it has several.
    """
    given = [name for name in names if params.get(name) not in (None, [], ())]
    if len(given) > 1:
        one, other = (name[0].lower() + name[1:] for name in given[:2])
        raise invalid_parameter_combination(f"The parameters {one} and {other} may not be used together.")
    return given


def choice(params: Params, *names: str) -> str:
    """The one of these lists and counts that the request has.

    :raises AwsError: it has none, several, or a count below one.
    """
    given = exclude(params, *names)
    if not given:
        list_, count = (name[0].lower() + name[1:] for name in names[:2])
        raise missing_parameter(f"{count} or {list_}")
    (name,) = given
    if isinstance(params[name], int) and params[name] < 1:
        raise invalid_parameter_value(f"Value ({params[name]}) for parameter {name[0].lower()}{name[1:]} is invalid.")
    return name


@overload
def parse(block: IPv4Network, given: Sequence[str]) -> list[IPv4Address]: ...
@overload
def parse(block: IPv6Network, given: Sequence[str]) -> list[IPv6Address]: ...
def parse(block: IPv4Network | IPv6Network, given: Sequence[str]) -> Sequence[IPv4Address | IPv6Address]:
    """Addresses that interfaces of a subnet with this block may have.

    :raises AwsError: ``InvalidParameterValue``: no address, named twice, outside the subnet, or reserved.
    """
    read = IPv4Address if block.version == 4 else IPv6Address
    result: dict[IPv4Address | IPv6Address, None] = {}
    for text in given:
        try:
            address = read(text)
        except AddressValueError:
            raise _no_address(text) from None
        if "%" in text:  # Python reads a zone index as part of the address: the same address twice
            raise _no_address(text)
        if address not in block:
            raise invalid_parameter_value(f"Address {text} does not fall within the subnet's address range")
        if int(address) - int(block.network_address) not in allocation.usable(block):
            raise invalid_parameter_value("Address is in subnet's reserved address range")
        if address in result:
            raise invalid_parameter_value(f"Address {text} is specified more than once.")
        result[address] = None
    return list(result)


def _no_address(text: str) -> AwsError:
    return invalid_parameter_value(f"invalid value for parameter address: [{text}]")


def taken(ctx: Context, subnet_id: str, given: Iterable[IPv4Address | IPv6Address]) -> dict[str, Row[Any]]:
    """The rows of those of the given addresses that some interface has, by address."""
    ips = [str(ip) for ip in given]
    if not ips:
        return {}
    query = select(private_addresses).where(_TABLE.subnet_id == subnet_id, _TABLE.ip.in_(ips))
    return {row.ip: row for row in ctx.db.execute(query)}


def move_not_allowed(ips: Iterable[str]) -> AwsError:
    """AWS's refusal of addresses that another interface has."""
    return invalid_parameter_value(f"Some of [{', '.join(ips)}] is assigned, but move is not allowed.")


def used() -> Subquery:
    """What counts against an instance type's limits: ``network_interface_id`` and ``family`` of every address and
    prefix. A prefix counts as one address."""
    tables = (private_addresses, delegated_prefixes)
    return union_all(*(select(table.c.network_interface_id, table.c.family) for table in tables)).subquery()


def room(ctx: Context, network_interface_id: str, family: Literal[4, 6], added: int) -> int:
    """The position of the interface's next address, if it may have ``added`` more addresses or prefixes.

    :raises AwsError: ``PrivateIpAddressLimitExceeded``: its instance's type allows fewer.
    """
    prefix = delegated_prefixes.c
    prefixes = select(func.count()).where(prefix.network_interface_id == network_interface_id, prefix.family == family)
    query = select(func.count() + prefixes.scalar_subquery(), func.coalesce(func.max(_TABLE.position) + 1, 0)).where(
        _TABLE.network_interface_id == network_interface_id, _TABLE.family == family
    )
    have, position = ctx.db.execute(query).one()
    instance = holder(ctx, network_interface_id)
    most = UNATTACHED_LIMIT
    if instance is not None:
        bounds = limits(instance.instance_type)
        most = bounds.ipv4_per_interface if family == 4 else bounds.ipv6_per_interface
    check_limit(have + added, most)
    return int(position)


def check_limit(count: int, most: int = UNATTACHED_LIMIT) -> None:
    """:raises AwsError: ``PrivateIpAddressLimitExceeded``: ``count`` addresses are more than ``most``."""
    if count > most:
        raise AwsError("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")


def add(
    ctx: Context,
    interface: Row[Any],
    block: IPv4Network | IPv6Network,
    fresh: Sequence[IPv4Address | IPv6Address],
    position: int,
) -> None:
    """Give the interface free addresses, after the ones it has."""
    rows = [
        allocation.private_row(interface.subnet_id, interface.id, address, block, position + index)
        for index, address in enumerate(fresh)
    ]
    if rows:
        allocation.add_private(ctx.db, rows)


def give_back(ctx: Context, interface: Row[Any], ips: Sequence[str], *conditions: ColumnElement[bool]) -> None:
    """Take addresses off the interface: all of them, or none.

    :raises AwsError: ``InvalidParameterValue``: one of them is none of its own that may go.
    """
    mine = and_(_TABLE.network_interface_id == interface.id, _TABLE.ip.in_(ips), *conditions)
    if ctx.db.execute(delete(private_addresses).where(mine)).rowcount != len(ips):
        raise not_assigned(interface.id)


def not_assigned(network_interface_id: str) -> AwsError:
    """AWS's refusal to take from an interface what it does not have."""
    return invalid_parameter_value(
        f"Some of the specified addresses are not assigned to interface {network_interface_id}"
    )
