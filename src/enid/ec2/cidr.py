"""CIDR blocks as a client writes them → networks, with AWS's refusals. Pure.

AWS canonicalises a block whose host bits are set: ``100.68.0.18/18`` becomes ``100.68.0.0/18``.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from enid.ec2.errors import AwsError, invalid_parameter_value

Network = IPv4Network | IPv6Network


def parse(text: str) -> Network | None:
    """The canonical network, or ``None`` when ``text`` is not an address with a prefix length."""
    address, slash, length = text.partition("/")
    if not slash or not (length.isascii() and length.isdecimal()) or "%" in address:
        return None
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def ipv4(text: str, parameter: str = "cidrBlock") -> IPv4Network:
    """:raises AwsError: ``InvalidParameterValue`` when it is not an IPv4 block."""
    network = parse(text)
    if not isinstance(network, IPv4Network):
        raise not_a_block(text, parameter)
    return network


def ipv6(text: str, parameter: str = "ipv6CidrBlock") -> IPv6Network:
    """:raises AwsError: ``InvalidParameterValue`` when it is not an IPv6 block."""
    network = parse(text)
    if not isinstance(network, IPv6Network):
        raise not_a_block(text, parameter)
    return network


def not_a_block(text: str, parameter: str) -> AwsError:
    """AWS's refusal of a text that is no block."""
    return invalid_parameter_value(
        f"Value ({text}) for parameter {parameter} is invalid. This is not a valid CIDR block."
    )


def within(inner: Network, outer: Iterable[Network]) -> bool:
    """Whether one of the networks ``outer`` holds all of ``inner`` (families apart)."""
    return any(inner.version == block.version and inner.subnet_of(block) for block in outer)  # type: ignore[arg-type]


def overlaps(network: Network, others: Iterable[Network]) -> bool:
    """Whether ``network`` has an address in common with one of ``others``."""
    return any(network.version == other.version and network.overlaps(other) for other in others)
