"""Ethernet frames with a mark in their last bytes, so that a probe is known wherever it comes out."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

Address = IPv4Address | IPv6Address
_TCP, _UDP, _ICMP, _ICMP6 = 6, 17, 1, 58
_MARK = struct.Struct("!4sIHH")
_MAGIC = b"enid"
_ERRORS = (3, 11, 12)


REQUEST, REPLY, AGAIN = range(3)
"""The packets of a conversation. The last is the first sender's again, of what is an established flow by then."""


class Seen(NamedTuple):
    """A probe that came out: its number, which packet of its conversation it is, and its addresses now."""

    number: int
    stage: int
    source: Address
    destination: Address


def frame(
    macs: bytes,
    source: Address,
    destination: Address,
    protocol: int,
    ports: tuple[int, int],
    number: int,
    stage: int = REQUEST,
) -> bytes:
    """``ports``: source and destination port, or the type and code of an ICMP message, whose id is ``number``."""
    mark = _MARK.pack(_MAGIC, number, stage, 0)
    pseudo = source.packed + destination.packed
    body = _transport(protocol, ports, number, stage, mark, pseudo)
    if source.version == 6:
        return macs + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + pseudo + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), number & 0xFFFF, 0, 64, protocol, 0) + pseudo
    return macs + b"\x08\x00" + head[:10] + _checksum(head) + head[12:] + body


def _transport(protocol: int, ports: tuple[int, int], number: int, stage: int, mark: bytes, pseudo: bytes) -> bytes:
    if protocol in (_ICMP, _ICMP6):
        body = struct.pack("!BBHHH", *ports, 0, number & 0xFFFF, 1) + mark
        covered = body if protocol == _ICMP else _pseudo(pseudo, protocol, body) + body
        return body[:2] + _checksum(covered) + body[4:]
    if protocol == _UDP:
        body = struct.pack("!HHHH", *ports, 8 + len(mark), 0) + mark
        return body[:6] + (_checksum(_pseudo(pseudo, protocol, body) + body)) + body[8:]
    if protocol == _TCP:
        # The mark is data in the SYN, which is allowed, and in what follows.
        flags, sequence, acknowledged = {
            REQUEST: (0x02, number, 0),
            REPLY: (0x12, 1, number + 1 + len(mark)),
            AGAIN: (0x10, number + 1 + len(mark), 2 + len(mark)),
        }[stage]
        body = struct.pack("!HHIIBBHHH", *ports, sequence, acknowledged, 5 << 4, flags, 65535, 0, 0) + mark
        return body[:16] + _checksum(_pseudo(pseudo, protocol, body) + body) + body[18:]
    return b"\0\0\0\0" + mark


def _pseudo(addresses: bytes, protocol: int, body: bytes) -> bytes:
    return addresses + struct.pack("!II", len(body), protocol)


def seen(received: bytes) -> Seen | None:
    """The probe in a frame; ``None`` if it is none of ours. An ICMP error that quotes one is none."""
    if len(received) < _MARK.size or received[-_MARK.size : -_MARK.size + 4] != _MAGIC:
        return None
    _, number, stage, _ = _MARK.unpack(received[-_MARK.size :])
    if received[12:14] == b"\x08\x00":
        if received[23] == _ICMP and received[34] in _ERRORS:
            return None
        return Seen(number, stage, IPv4Address(received[26:30]), IPv4Address(received[30:34]))
    if received[20] == _ICMP6 and received[54] < 128:
        return None
    return Seen(number, stage, IPv6Address(received[22:38]), IPv6Address(received[38:54]))


def _checksum(data: bytes) -> bytes:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)
