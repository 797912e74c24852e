"""IPv6 addresses of an interface: from its subnet's block, several at will; never moved, only given back first."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv6Address, IPv6Network
from typing import Any

from sqlalchemy import Row, select

from enid.ec2 import assigned_addresses
from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import invalid_parameter_combination, invalid_parameter_value, missing_parameter
from enid.ec2.network_interface_access import writable
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.ec2.unsupported import refuse
from enid.store import allocation
from enid.store.tables import private_addresses


def block_of(subnet: Row[Any]) -> IPv6Network:
    """The subnet's IPv6 block.

    :raises AwsError: ``InvalidParameterValue``: it has none.
    """
    if subnet.ipv6_cidr_block is None:
        raise invalid_parameter_value(f"The subnet '{subnet.id}' does not have an IPv6 CIDR block.")
    return IPv6Network(subnet.ipv6_cidr_block)


@operation("AssignIpv6Addresses")
def assign_ipv6_addresses(ctx: Context, params: Params) -> Result:
    """Addresses by list or by number: all of them, or none. Answers only the new ones."""
    refuse(params, "Ipv6Prefixes", "Ipv6PrefixCount")
    given, count = params.get("Ipv6Addresses", ()), params.get("Ipv6AddressCount")
    if given and count is not None:
        raise invalid_parameter_combination(
            "The parameters ipv6Addresses and ipv6AddressCount may not be used together."
        )
    if not given and count is None:
        raise missing_parameter("ipv6AddressCount or ipv6Addresses")
    if count is not None and count < 1:
        raise invalid_parameter_value(f"Value ({count}) for parameter ipv6AddressCount is invalid.")
    interface = writable(ctx, params["NetworkInterfaceId"])
    block = block_of(fetch(ctx, "subnet", interface.subnet_id))
    wanted = assigned_addresses.parse(block, given)
    if assigned := assigned_addresses.taken(ctx, interface.subnet_id, wanted):
        raise assigned_addresses.move_not_allowed(assigned)
    position = assigned_addresses.room(ctx, interface.id, 6, count or len(wanted))
    fresh = wanted or allocation.take_ipv6(block, int(count or 0))
    assigned_addresses.add(ctx, interface, block, fresh, position)
    ctx.note("network_interface", interface.id)
    return {
        "NetworkInterfaceId": interface.id,
        "AssignedIpv6Addresses": [str(address) for address in fresh],
        "AssignedIpv6Prefixes": [],
    }


@operation("UnassignIpv6Addresses")
def unassign_ipv6_addresses(ctx: Context, params: Params) -> Result:
    """Give addresses back. The primary one, once enabled, stays for as long as the interface (AWS's rule)."""
    refuse(params, "Ipv6Prefixes")
    interface = writable(ctx, params["NetworkInterfaceId"])
    given = list(dict.fromkeys(_canonical(text) for text in params.get("Ipv6Addresses", ())))
    if not given:
        raise missing_parameter("ipv6Addresses")
    if interface.enable_primary_ipv6 and _primary(ctx, interface.id) in given:
        raise invalid_parameter_value(f"The primary IPv6 address of interface {interface.id} cannot be unassigned.")
    assigned_addresses.give_back(ctx, interface, given, private_addresses.c.family == 6)
    ctx.note("network_interface", interface.id)
    return {"NetworkInterfaceId": interface.id, "UnassignedIpv6Addresses": given, "UnassignedIpv6Prefixes": []}


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
