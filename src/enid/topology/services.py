"""The addresses at which a VPC itself answers its instances: instance metadata, names, leases. Pure.

They are no routes and no interfaces: no route table leads there, and no security group or network ACL stands before
them. What is answered is :mod:`enid.services`' affair.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from enid.topology.records import Address, Vpc

METADATA: tuple[Address, ...] = (IPv4Address("169.254.169.254"), IPv6Address("fd00:ec2::254"))
RESOLVER: tuple[Address, ...] = (IPv4Address("169.254.169.253"), IPv6Address("fd00:ec2::253"))
TCP, UDP = 6, 17
HTTP, DNS, DHCP, DHCP6 = 80, 53, 67, 547
"""Ports."""
RATE = 1024
"""Packets a second that an interface may send to all of them together, as on AWS."""


def resolvers(vpc: Vpc) -> Iterator[Address]:
    """Where names are asked for: everywhere the same two addresses, and base + 2 of each of its IPv4 blocks and of its
    subnets'."""
    yield from RESOLVER
    subnets = (block for subnet in vpc.subnets for block in subnet.blocks)
    yield from sorted({block.network_address + 2 for block in (*vpc.blocks, *subnets) if block.version == 4})


def addresses(vpc: Vpc) -> Iterator[Address]:
    """What the VPC's router is, beside its subnets' gateways."""
    yield from METADATA
    yield from resolvers(vpc)


def endpoints(vpc: Vpc) -> Iterator[tuple[Address, int, int]]:
    """(address, protocol, port) of everything that is answered. Leases are renewed at a subnet's gateway."""
    yield from ((address, TCP, HTTP) for address in METADATA)
    yield from ((address, protocol, DNS) for address in resolvers(vpc) for protocol in (UDP, TCP))
    gateways = (gateway for subnet in vpc.subnets for gateway in subnet.gateways)
    yield from ((address, UDP, DHCP) for address in gateways if address.version == 4)
