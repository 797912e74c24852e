"""IPv6 addresses and prefixes of an interface: from its subnet's block; never moved, only given back first."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import AddressValueError, IPv6Address, IPv6Network
from typing import Any

from sqlalchemy import Row, select

from enid.ec2 import assigned_addresses, delegated_prefixes, private_ip_addresses
from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import invalid_parameter_value, missing_parameter
from enid.ec2.network_interface_access import holder, writable
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store import allocation
from enid.store.tables import private_addresses


def block_of(subnet: Row[Any]) -> IPv6Network:
    """The subnet's IPv6 block.

    :raises AwsError: ``InvalidParameterValue``: it has none.
    """
    if subnet.ipv6_cidr_block is None:
        raise invalid_parameter_value(f"The subnet '{subnet.id}' does not have an IPv6 CIDR block.")
    return IPv6Network(subnet.ipv6_cidr_block)


def choose(
    ctx: Context, subnet_id: str, block: IPv6Network, count: int, prefixes: Sequence[IPv6Network] = ()
) -> list[IPv6Address]:
    """``count`` free addresses of the subnet, outside of the given prefixes.

    :raises AwsError: ``InsufficientFreeAddressesInSubnet``.
    """
    try:
        return allocation.take_ipv6(ctx.db, subnet_id, block, count, prefixes)
    except allocation.Exhausted:
        raise private_ip_addresses.no_free_address() from None


_WAYS = ("Ipv6Addresses", "Ipv6AddressCount", "Ipv6Prefixes", "Ipv6PrefixCount")


@operation("AssignIpv6Addresses")
def assign_ipv6_addresses(ctx: Context, params: Params) -> Result:
    """Addresses or prefixes, by list or by number: all of them, or none. Answers only the new ones."""
    assigned_addresses.choice(params, *_WAYS)
    interface = writable(ctx, params["NetworkInterfaceId"])
    block = block_of(fetch(ctx, "subnet", interface.subnet_id))
    prefixes = delegated_prefixes.Asked(tuple(params.get("Ipv6Prefixes", ())), params.get("Ipv6PrefixCount") or 0)
    fresh: Sequence[IPv6Address] = ()
    delegated: Sequence[str] = ()
    if prefixes.number:
        delegated = delegated_prefixes.assign(ctx, interface, block, prefixes)
    else:
        fresh = _assign(ctx, interface, block, params)
    ctx.note("network_interface", interface.id)
    return {
        "NetworkInterfaceId": interface.id,
        "AssignedIpv6Addresses": [str(address) for address in fresh],
        "AssignedIpv6Prefixes": list(delegated),
    }


def _assign(ctx: Context, interface: Row[Any], block: IPv6Network, params: Params) -> Sequence[IPv6Address]:
    """Give the interface the addresses asked for; answers them."""
    count = params.get("Ipv6AddressCount") or 0
    wanted = assigned_addresses.parse(block, params.get("Ipv6Addresses", ()))
    assigned = [*assigned_addresses.taken(ctx, interface.subnet_id, wanted)]
    assigned += delegated_prefixes.covering(ctx, interface.subnet_id, block, wanted)
    if assigned:
        raise assigned_addresses.move_not_allowed(assigned)
    position = assigned_addresses.room(ctx, interface.id, 6, count or len(wanted))
    fresh = wanted or choose(ctx, interface.subnet_id, block, count)
    assigned_addresses.add(ctx, interface, block, fresh, position)
    return fresh


@operation("UnassignIpv6Addresses")
def unassign_ipv6_addresses(ctx: Context, params: Params) -> Result:
    """Give addresses and prefixes back. The primary address, once enabled, stays until the interface is detached (AWS's
    rule)."""
    interface = writable(ctx, params["NetworkInterfaceId"])
    given = list(dict.fromkeys(_canonical(text) for text in params.get("Ipv6Addresses", ())))
    prefixes = params.get("Ipv6Prefixes", ())
    if not given and not prefixes:
        raise missing_parameter("ipv6Addresses")
    sticky = interface.enable_primary_ipv6 and holder(ctx, interface.id) is not None
    if sticky and _primary(ctx, interface.id) in given:
        raise invalid_parameter_value(f"The primary IPv6 address of interface {interface.id} cannot be unassigned.")
    assigned_addresses.give_back(ctx, interface, given, private_addresses.c.family == 6)
    gone = delegated_prefixes.give_back(ctx, interface, prefixes, 6)
    ctx.note("network_interface", interface.id)
    return {"NetworkInterfaceId": interface.id, "UnassignedIpv6Addresses": given, "UnassignedIpv6Prefixes": gone}


def _primary(ctx: Context, network_interface_id: str) -> str | None:
    columns = private_addresses.c
    query = select(columns.ip).where(columns.network_interface_id == network_interface_id, columns.family == 6)
    return ctx.db.execute(query.order_by(columns.position).limit(1)).scalar()


def _canonical(text: str) -> str:
    """``2001:DB8::0:5`` → ``2001:db8::5``; what is no address is left as it is, and will be nobody's."""
    try:
        return str(IPv6Address(text))
    except AddressValueError:
        return text
