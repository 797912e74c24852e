"""What a flow record needs of a packet, from the first bytes of it. Pure."""

from __future__ import annotations

import struct
from typing import NamedTuple

TCP = 6
_WITH_PORTS = frozenset((TCP, 17, 33, 132, 136))
"""TCP, UDP, DCCP, SCTP, UDP-Lite."""
_EXTENSIONS = frozenset((0, 43, 60))
"""Hop-by-hop, routing, destination options: their length is in the second byte."""
_FRAGMENT, _AUTHENTICATION = 44, 51
_PORTS = struct.Struct(">HH")
_IPV6_HEADER = 40
_FIN_SYN_RST, _SYN, _ACK = 0x07, 0x02, 0x10


class Header(NamedTuple):
    """Addresses are packed: four bytes or sixteen."""

    source: bytes
    destination: bytes
    source_port: int
    """0 where the protocol has no ports, as in AWS's records; ICMP's type and code are not in them."""
    destination_port: int
    protocol: int
    flags: int
    """FIN 1, SYN 2, RST 4, and SYN with ACK 18; of other flags nothing, as AWS has it."""
    size: int
    """Bytes of the packet, its IP header included."""
    head: int
    """Bytes of the headers which each part repeats, if the packet is sent in parts."""


def parse(data: bytes) -> Header | None:
    """The header of an IPv4 or IPv6 packet; None for what is neither, or too short."""
    if len(data) < 20:
        return None
    if data[0] >> 4 == 4:
        head = (data[0] & 15) << 2
        first = not (data[6] & 0x1F or data[7])
        size = data[2] << 8 | data[3]
        return _transport(data, data[12:16], data[16:20], data[9], head, size, first)
    if data[0] >> 4 == 6 and len(data) >= _IPV6_HEADER:
        protocol, head, first = _upper(data)
        size = _IPV6_HEADER + (data[4] << 8 | data[5])
        return _transport(data, data[8:24], data[24:40], protocol, head, size, first)
    return None


def _upper(data: bytes) -> tuple[int, int, bool]:
    """Behind an IPv6 header's extensions: protocol, place, and whether it is there (not in an earlier fragment)."""
    protocol, place, first = data[6], _IPV6_HEADER, True
    while place + 8 <= len(data):
        if protocol in _EXTENSIONS:
            step = (data[place + 1] + 1) << 3
        elif protocol == _FRAGMENT:
            step, first = 8, not (data[place + 2] or data[place + 3] & 0xF8)
        elif protocol == _AUTHENTICATION:
            step = (data[place + 1] + 2) << 2
        else:
            break
        protocol, place = data[place], place + step
    return protocol, place, first


def _transport(
    data: bytes, source: bytes, destination: bytes, protocol: int, head: int, size: int, first: bool
) -> Header:
    ports, flags = (0, 0), 0
    if first and protocol in _WITH_PORTS and len(data) >= head + 4:
        ports = _PORTS.unpack_from(data, head)
    if first and protocol == TCP and len(data) >= head + 14:
        given = data[head + 13]
        flags = given & _FIN_SYN_RST | (given & _ACK if given & _SYN else 0)
        head += data[head + 12] >> 4 << 2
    return Header(source, destination, *ports, protocol, flags, size, head)


def on_the_wire(header: Header, mtu: int) -> tuple[int, int]:
    """(packets, bytes) that a packet is on a link of this MTU: the kernel carries many TCP segments, or the fragments
    of a datagram, as one packet and parts them at the end of the way, or never."""
    room = mtu - header.head
    if header.size <= mtu or room <= 0:
        return 1, header.size
    payload = header.size - header.head
    parts = -(-payload // room)
    return parts, payload + parts * header.head
