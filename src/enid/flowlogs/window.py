"""One capture window: what was seen of each flow at each interface. Pure, and bounded in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from enid.fabric.linux.flow_logging import ACCEPTED, ARRIVING
from enid.flowlogs.header import Header

MOST_FLOWS = 100_000
"""In one window, of all interfaces together: some 50 MB."""


class Sighting(NamedTuple):
    """A flow as one interface sees it: what there is one record for."""

    link: str
    """The router's end of the interface's attachment."""
    egress: bool
    accepted: bool
    path: str
    """Of egress: how it leaves, as the field ``traffic-path`` has it; else ``-``."""
    source: bytes
    destination: bytes
    source_port: int
    destination_port: int
    protocol: int


@dataclass(slots=True)
class Count:
    packets: int
    bytes: int
    first: int
    """Unix seconds."""
    last: int
    flags: int


class Window:
    """Counts since ``start`` (Unix seconds)."""

    def __init__(self, start: int, most: int = MOST_FLOWS) -> None:
        self.start = start
        self.skipped: set[str] = set()
        """Links of which something was not counted."""
        self._most = most
        self._counts: dict[Sighting, Count] = {}

    def add(self, seen: Sighting, packets: int, size: int, flags: int, now: int) -> None:
        count = self._counts.get(seen)
        if count is not None:
            count.packets += packets
            count.bytes += size
            count.last = now
            count.flags |= flags
        elif len(self._counts) < self._most:
            self._counts[seen] = Count(packets, size, now, now, flags)
        else:
            self.skipped.add(seen.link)

    def flows(self) -> Iterator[tuple[Sighting, Count]]:
        """In the order in which they began."""
        return iter(self._counts.items())


def sightings(letter: str, source: str, destination: str, header: Header) -> Iterator[Sighting]:
    """Which interfaces see a packet, and what becomes of it there: a packet that the receiver's groups reject was
    accepted where it left.

    :param letter: see :mod:`enid.fabric.linux.flow_logging`.
    :param source: name of the link the packet comes by.
    :param destination: name of the link it leaves the router by.
    """
    leaves, arrives = is_interface(source), is_interface(destination)
    flow = header[:5]
    if leaves:
        yield Sighting(source, True, letter in (ACCEPTED, ARRIVING), _path(destination), *flow)
    if arrives and (letter in (ACCEPTED, ARRIVING) or not leaves):
        yield Sighting(destination, False, letter == ACCEPTED, "-", *flow)


def is_interface(link: str) -> bool:
    """The link is an interface's, not a gateway's."""
    return link.startswith("a")


_PATHS = {"a": "1", "i": "8", "n": "3", "p": "4"}
"""To another interface of the VPC, the internet gateway, a VPN, a peer; by the first letter of a link's name."""


def _path(link: str) -> str:
    return _PATHS.get(link[:1], "-")
