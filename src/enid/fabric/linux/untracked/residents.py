"""Who has an address: the interfaces a VPC's router knows, its own and those of peers."""

from __future__ import annotations

from collections.abc import Iterator

from enid.topology.blocks import DELEGATED_LENGTH
from enid.topology.records import Port

_Key = tuple[str, bytes, int]
"""VPC, packed address or a prefix's first one, and how long it is in bits."""


class Residents:
    """Withdraw first, then announce: what passes from one to the other is the latter's."""

    def __init__(self) -> None:
        self._held: dict[_Key, Port] = {}

    def announce(self, port: Port) -> None:
        self._held.update((key, port) for key in _keys(port))

    def withdraw(self, port: Port) -> None:
        for key in _keys(port):
            if (held := self._held.get(key)) is not None and held.id == port.id:
                del self._held[key]

    def at(self, vpc_id: str, address: bytes) -> Port | None:
        """Who has the packed address in this VPC."""
        bits = 8 * len(address)
        length = DELEGATED_LENGTH[4 if bits == 32 else 6]
        whole = self._held.get((vpc_id, address, bits))
        return whole or self._held.get((vpc_id, prefix_of(address), length))


def prefix_of(address: bytes) -> bytes:
    """The first address of the prefix that a packed address would lie in."""
    bits = 8 * len(address)
    rest = bits - DELEGATED_LENGTH[4 if bits == 32 else 6]
    return (int.from_bytes(address, "big") >> rest << rest).to_bytes(len(address), "big")


def _keys(port: Port) -> Iterator[_Key]:
    for address in port.addresses:
        yield port.vpc_id, address.packed, address.max_prefixlen
    for prefix in port.prefixes:
        yield port.vpc_id, prefix.network_address.packed, prefix.prefixlen
