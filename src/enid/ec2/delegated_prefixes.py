"""Prefixes of an interface: blocks of its subnet that belong to it whole, /28 of IPv4 and /80 of IPv6.

Packets for any address of a prefix arrive at the interface, and it may send from any; what the guest does with them is
its own affair. A prefix counts as one address of the instance type's limit (AWS: *Assign prefixes to network
interfaces*).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, overload

from sqlalchemy import Row, delete, select

from enid.ec2 import assigned_addresses, cidr
from enid.ec2.context import Context, Params
from enid.ec2.errors import AwsError, invalid_parameter_value
from enid.store import allocation, prefixes
from enid.store.tables import delegated_prefixes

Network = IPv4Network | IPv6Network

_TABLE = delegated_prefixes.c


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for of one family: prefixes by name, or a number of them."""

    named: tuple[str, ...] = ()
    count: int = 0

    @property
    def number(self) -> int:
        return len(self.named) or self.count


NOTHING = Asked()


def asked(params: Params, family: int) -> Asked:
    """What CreateNetworkInterface's or RunInstances' parameters ask for."""
    name = f"Ipv{family}Prefix"
    return Asked(tuple(item.get(name, "") for item in params.get(f"{name}es", ())), params.get(f"{name}Count") or 0)


@overload
def parse(block: IPv4Network, given: Sequence[str]) -> list[IPv4Network]: ...
@overload
def parse(block: IPv6Network, given: Sequence[str]) -> list[IPv6Network]: ...
def parse(block: Network, given: Sequence[str]) -> Sequence[Network]:
    """Prefixes that interfaces of a subnet with this block may have.

    :raises AwsError: ``InvalidParameterValue``: no prefix, of the wrong length, named twice, outside the subnet, or one
        that holds addresses AWS keeps.
    """
    length = prefixes.LENGTHS[block.version]
    result: list[Network] = []
    for text in given:
        prefix = cidr.parse(text)
        if prefix is None or prefix.version != block.version or prefix.prefixlen != length or str(prefix) != text:
            raise invalid_parameter_value(
                f"Invalid value '{text}' for prefix. It must be an IPv{block.version} /{length}."
            )
        if not cidr.within(prefix, [block]):
            raise invalid_parameter_value(f"Prefix {text} does not fall within the subnet's address range")
        if allocation.block_number(block, prefix.network_address) not in prefixes.usable(block):
            raise invalid_parameter_value(f"Prefix {text} overlaps the subnet's reserved address range")
        if prefix in result:
            raise invalid_parameter_value(f"Prefix {text} is specified more than once.")
        result.append(prefix)
    return result


def give(ctx: Context, subnet_id: str, network_interface_id: str, block: Network, wanted: Asked) -> list[str]:
    """Give an interface the prefixes asked for: all, or none.

    :raises AwsError: ``InvalidIPAddress.InUse``: one that was named has an owner; ``InsufficientCidrBlocks``.
    """
    named = parse(block, wanted.named)
    for prefix in prefixes.taken(ctx.db, subnet_id, block, named):
        raise AwsError("InvalidIPAddress.InUse", f"Address {prefix} is in use.")
    try:
        chosen = named or prefixes.take(ctx.db, subnet_id, block, wanted.count)
    except allocation.Exhausted:
        raise AwsError(
            "InsufficientCidrBlocks",
            "The specified subnet does not have enough free cidr blocks to satisfy the request.",
        ) from None
    prefixes.add(ctx.db, subnet_id, network_interface_id, block, chosen)
    return [str(prefix) for prefix in chosen]


def assign(ctx: Context, interface: Row[Any], block: Network, wanted: Asked) -> list[str]:
    """Give an interface more prefixes; answers the new ones. A prefix is never moved, only given back first.

    :raises AwsError: see :func:`give`; ``PrivateIpAddressLimitExceeded``.
    """
    assigned_addresses.room(ctx, interface.id, 4 if block.version == 4 else 6, wanted.number)
    return give(ctx, interface.subnet_id, interface.id, block, wanted)


def give_back(ctx: Context, interface: Row[Any], given: Sequence[str], family: int) -> list[str]:
    """Take prefixes off the interface: all of them, or none. Answers them as they are shown.

    :raises AwsError: ``InvalidParameterValue``: one of them is none of its own.
    """
    texts = list(dict.fromkeys(str(cidr.parse(text) or text) for text in given))
    mine = _TABLE.network_interface_id == interface.id, _TABLE.family == family, _TABLE.cidr.in_(texts)
    if texts and ctx.db.execute(delete(delegated_prefixes).where(*mine)).rowcount != len(texts):
        raise assigned_addresses.not_assigned(interface.id)
    return texts


def covering(
    ctx: Context, subnet_id: str, block: Network, addresses: Sequence[IPv4Address] | Sequence[IPv6Address]
) -> list[str]:
    """Those of the addresses that lie in some interface's prefix."""
    if not addresses:
        return []
    numbers = {allocation.block_number(block, address) for address in addresses}
    here = _TABLE.subnet_id == subnet_id, _TABLE.family == block.version, _TABLE.block.in_(numbers)
    delegated = set(ctx.db.execute(select(_TABLE.block).where(*here)).scalars())
    return [str(address) for address in addresses if allocation.block_number(block, address) in delegated]
