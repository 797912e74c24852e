"""Packets by hand, right and wrong ones: whatever a raw socket can send.

Each carries the number of its probe in its last bytes, so that it is known wherever, and inside whatever, it comes out.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise

Address = IPv4Address | IPv6Address

ICMP, TCP, UDP, GRE, ICMP6 = 1, 6, 17, 47, 58
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION = 0, 43, 44, 60
ETHER_TYPE = {4: b"\x08\x00", 6: b"\x86\xdd"}
MORE = 0x2000
_MARK = struct.Struct("!4sI")
_MAGIC = b"forg"
MARK_SIZE = _MARK.size


def mark(number: int) -> bytes:
    return _MARK.pack(_MAGIC, number)


def marked(data: bytes) -> int | None:
    """The number of the probe that these bytes end in; ``None`` if they are no probe's."""
    tail = data[-MARK_SIZE:]
    return int(_MARK.unpack(tail)[1]) if len(tail) == MARK_SIZE and tail[:4] == _MAGIC else None


def transport(protocol: int, ports: tuple[int, int], payload: bytes, ends: bytes, flags: int = 0x02) -> bytes:
    """``ports``: source and destination, or ICMP's type and code. ``ends``: both addresses, for the checksum."""
    if protocol in (ICMP, ICMP6):
        body = struct.pack("!BBHHH", *ports, 0, struct.unpack("!I", payload[-4:])[0] & 0xFFFF, 1) + payload
        return _summed(body, 2, ends, protocol if protocol == ICMP6 else 0)
    if protocol == UDP:
        return _summed(struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload, 6, ends, UDP)
    if protocol == TCP:
        return _summed(struct.pack("!HHIIBBHHH", *ports, 1, 1, 5 << 4, flags, 65535, 0, 0) + payload, 16, ends, TCP)
    return bytes(4) + payload


def _summed(body: bytes, place: int, ends: bytes, protocol: int) -> bytes:
    pseudo = ends + struct.pack("!II", len(body), protocol) if protocol else b""
    return body[:place] + checksum(pseudo + body) + body[place + 2 :]


def ip(
    source: Address,
    destination: Address,
    protocol: int,
    body: bytes,
    *,
    hops: int = 64,
    options: bytes = b"",
    ident: int = 0,
    offset: int = 0,
) -> bytes:
    """A packet of the addresses' family.

    :param options: IPv4's, padded here. ``ident`` and ``offset`` (in bytes, with :data:`MORE`) are IPv4's, too.
    """
    ends = source.packed + destination.packed
    if source.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, hops) + ends + body
    options += bytes(-len(options) % 4)
    place = (offset & MORE) | (offset & ~MORE) >> 3
    length = 20 + len(options) + len(body)
    first = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, 0, length, ident, place, hops, protocol, 0)
    head = first + ends + options
    return head[:10] + checksum(head) + head[12:] + body


def fragment(
    source: Address, destination: Address, protocol: int, piece: bytes, ident: int, start: int, more: bool
) -> bytes:
    """One piece of a packet, from byte ``start`` on, a multiple of 8."""
    if source.version == 4:
        return ip(source, destination, protocol, piece, ident=ident & 0xFFFF, offset=start | (MORE if more else 0))
    head = struct.pack("!BBHI", protocol, 0, start | more, ident)
    return ip(source, destination, FRAGMENT, head + piece)


def fragments(
    source: Address, destination: Address, protocol: int, body: bytes, ident: int, cuts: Sequence[int]
) -> list[bytes]:
    """All pieces of a packet, cut at these bytes."""
    edges = [0, *(cut for cut in cuts if cut < len(body)), len(body)]
    return [
        fragment(source, destination, protocol, body[start:end], ident, start, end < len(body))
        for start, end in pairwise(edges)
    ]


def extended(source: Address, destination: Address, protocol: int, body: bytes, header: int, data: bytes) -> bytes:
    """An IPv6 packet with an extension header, whose ``data`` of 6 + 8n bytes follows its length."""
    return ip(source, destination, header, bytes((protocol, (len(data) + 2) // 8 - 1)) + data + body)


def arp(operation: int, sender_mac: bytes, sender: IPv4Address, target_mac: bytes, target: IPv4Address) -> bytes:
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + sender_mac + sender.packed + target_mac + target.packed


def checksum(data: bytes) -> bytes:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)
