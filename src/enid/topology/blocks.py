"""Arithmetic on address blocks. One address is a block too (/32, /128), and anybody on the internet is ``/0``."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from enid.topology.records import Address, Network

DELEGATED_LENGTH = {4: 28, 6: 80}
"""Length of every prefix that is delegated to an interface, by IP version (AWS's rule)."""
ANYWHERE: dict[int, Network] = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}
_PRIVATE = tuple(ip_network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))


@lru_cache(1 << 12)
def block_of(cidr: str) -> Network:
    """A block by its text. The same few are read again and again, and reading one takes longer than most that is done
    with it."""
    return ip_network(cidr)


def exactly(address: Address) -> Network:
    """The block that holds one address."""
    # By number: by text, as ip_network() would have it, takes two to nine times as long.
    return IPv4Network((int(address), 32)) if address.version == 4 else IPv6Network((int(address), 128))


def within(block: Network, blocks: Iterable[Network]) -> bool:
    """Whether one of ``blocks`` holds all of ``block``."""
    return any(
        block.version == outer.version and outer.prefixlen <= block.prefixlen and block.network_address in outer
        for outer in blocks
    )


def covered(block: Network, blocks: Iterable[Network]) -> bool:
    """Whether ``blocks`` together hold all of ``block``."""
    if isinstance(block, IPv4Network):
        return within(block, collapse_addresses(one for one in blocks if isinstance(one, IPv4Network)))
    return within(block, collapse_addresses(one for one in blocks if isinstance(one, IPv6Network)))


def is_private(block: Network) -> bool:
    """RFC 1918 and RFC 4193: never seen on the internet."""
    return within(block, _PRIVATE)


def show(block: Network) -> str:
    """For a sentence: an address, a block, or anywhere."""
    if block.num_addresses == 1:
        return str(block.network_address)
    return "anywhere on the internet" if block.prefixlen == 0 else str(block)
