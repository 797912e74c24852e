"""Copies of packets that nf_tables' ``log`` sends to user space (NFLOG): one socket, one group, one namespace.

Packets come in batches: the kernel sends one when it is full, or a tenth of a second old. Who reads too slowly loses
batches, and is told so.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from enid.netlink.message import attribute, be32, message
from enid.netlink.socket import NETLINK_NETFILTER, NetlinkSocket

_SUBSYSTEM = 4
_PACKET, _CONFIG = 0, 1
_COMMAND, _MODE, _BATCH_SIZE, _TIMEOUT, _THRESHOLD = 1, 2, 3, 4, 5
_BIND = 1
_COPY_PACKET = 2
_HEADER = struct.Struct(">BBH")
_MODE_LAYOUT = struct.Struct(">IBx")
_ATTRIBUTE = struct.Struct("=HH")
_INPUT, _OUTPUT, _PAYLOAD, _PREFIX = 4, 5, 9, 10

_BYTES = 96
"""Of each packet: the longest IPv4 header and what of TCP's stands before its options; IPv6 with some extensions."""
_BATCH_BYTES = 64 << 10
_BATCH_PACKETS = 256
_PATIENCE = 10
"""Hundredths of a second."""
_ROOM = 32 << 20


class Lost(Exception):
    """Batches were lost: they came faster than they were read."""


class Packet(NamedTuple):
    """A packet as the rule with ``log`` saw it."""

    prefix: bytes
    """What the rule calls itself."""
    source: int
    """Index of the link it came in by; 0: none."""
    destination: int
    """Index of the link it leaves by; 0: none."""
    payload: bytes
    """From the IP header on, cut short."""


class PacketLog(NetlinkSocket):
    """The packets of log group ``group`` in a namespace. Nobody else may have that group."""

    def __init__(self, group: int, namespace: int | None = None) -> None:
        super().__init__(NETLINK_NETFILTER, namespace)
        self._grow(33, socket.SO_RCVBUF, _ROOM)
        for part in (
            attribute(_COMMAND, bytes((_BIND,))),
            attribute(_MODE, _MODE_LAYOUT.pack(_BYTES, _COPY_PACKET)),
            be32(_BATCH_SIZE, _BATCH_BYTES),
            be32(_TIMEOUT, _PATIENCE),
            be32(_THRESHOLD, _BATCH_PACKETS),
        ):
            self.request(message(_SUBSYSTEM << 8 | _CONFIG, 0, _HEADER.pack(socket.AF_UNSPEC, 0, group), part))

    def __enter__(self) -> PacketLog:
        return self

    def packets(self) -> Iterator[Packet]:
        """What one batch holds; nothing when none is waiting.

        :raises Lost: there is a gap before what comes next.
        """
        try:
            data = self._receive()
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                raise Lost from None
            raise
        return iter(()) if data is None else parse(data)


def parse(data: bytes) -> Iterator[Packet]:
    """The packets of a batch. It is read here for every packet, so without the detours of :mod:`message`."""
    unpack, end = _ATTRIBUTE.unpack_from, len(data)
    start = 0
    while start + 16 <= end:
        size, kind = struct.unpack_from("=IH", data, start)
        stop = start + size
        if size < 16 or stop > end:
            return
        if kind == _SUBSYSTEM << 8 | _PACKET:
            found: dict[int, bytes] = {}
            place = start + 20
            while place + 4 <= stop:
                length, name = unpack(data, place)
                if length < 4 or place + length > stop:
                    break
                found[name & 0x3FFF] = data[place + 4 : place + length]
                place += length + 3 & ~3
            yield Packet(
                found.get(_PREFIX, b"").rstrip(b"\0"),
                int.from_bytes(found.get(_INPUT, b""), "big"),
                int.from_bytes(found.get(_OUTPUT, b""), "big"),
                found.get(_PAYLOAD, b""),
            )
        start = stop + 3 & ~3
