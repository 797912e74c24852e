"""IPv6 packets with what goes over UDP or ICMPv6, whole: they are sent as they are, by no routing table. Pure."""

from __future__ import annotations

import struct
from ipaddress import IPv6Address

UDP, ICMP6 = 17, 58
_HEADER = struct.Struct("!IHBB16s16s")
_VERSION = 6 << 28
_HOPS = 255


def udp(source: IPv6Address, destination: IPv6Address, ports: tuple[int, int], data: bytes) -> bytes:
    """:param ports: from and to."""
    length = 8 + len(data)
    body = struct.pack("!HHHH", *ports, length, 0) + data
    return _packet(source, destination, UDP, body[:6] + _checksum(source, destination, UDP, body) + data)


def icmp6(source: IPv6Address, destination: IPv6Address, message: bytes) -> bytes:
    """:param message: with a checksum of zero."""
    summed = _checksum(source, destination, ICMP6, message)
    return _packet(source, destination, ICMP6, message[:2] + summed + message[4:])


def _packet(source: IPv6Address, destination: IPv6Address, protocol: int, body: bytes) -> bytes:
    return _HEADER.pack(_VERSION, len(body), protocol, _HOPS, source.packed, destination.packed) + body


def _checksum(source: IPv6Address, destination: IPv6Address, protocol: int, body: bytes) -> bytes:
    """RFC 8200, 8.1. Never zero, which over UDP would mean that there is none."""
    covered = source.packed + destination.packed + struct.pack("!II", len(body), protocol) + body
    padded = covered + bytes(len(covered) % 2)
    # A ones' complement sum is the remainder of the whole number.
    rest = int.from_bytes(padded, "big") % 0xFFFF
    return (0xFFFF - rest).to_bytes(2, "big")
