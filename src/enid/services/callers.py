"""Who asks: the VPC is known by the socket, the interface by the source address.

The router lets an interface send to its services only from an address of its own, so an address is proof.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from sqlalchemy import Connection

from enid.services import holders
from enid.topology.records import Address


def source(host: str) -> Address:
    """The address of a socket's peer; a socket of both families shows IPv4 as ``::ffff:10.0.1.5``."""
    address = ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def instance(db: Connection, vpc_id: str, address: Address) -> str | None:
    """The instance whose interface in the VPC has this address; None when none has."""
    holder = holders.attachment(db, vpc_id, address)
    return holder.instance_id if holder else None
