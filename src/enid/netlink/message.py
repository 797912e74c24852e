"""The framing every netlink family shares: message headers and attributes, to bytes and back.

Pure. What a message means is the business of the modules named after what they configure (:mod:`links`,
:mod:`routes`, …); sending is :mod:`socket`'s. The sequence number is left 0: the socket that sends a batch numbers it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

REQUEST = 0x01
ACK = 0x04
REPLACE = 0x100
EXCL = 0x200
CREATE = 0x400
APPEND = 0x800
DUMP = 0x300

NOOP, ERROR, DONE = 1, 2, 3

NESTED = 0x8000
_TYPE_MASK = 0x3FFF

HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_U32 = struct.Struct("=I")


def message(kind: int, flags: int, *parts: bytes) -> bytes:
    """One request of type ``kind``; ``parts`` are the family's own header and its attributes, each already aligned."""
    body = b"".join(parts)
    return HEADER.pack(HEADER.size + len(body), kind, flags | REQUEST, 0, 0) + body


def attribute(kind: int, payload: bytes) -> bytes:
    """An attribute, padded to four bytes."""
    size = 4 + len(payload)
    return _ATTRIBUTE.pack(size, kind) + payload + b"\0" * (-size % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute made of attributes."""
    return attribute(kind | NESTED, b"".join(attributes))


def u8(kind: int, value: int) -> bytes:
    return attribute(kind, bytes((value,)))


def u32(kind: int, value: int) -> bytes:
    return attribute(kind, _U32.pack(value))


def u64(kind: int, value: int) -> bytes:
    return attribute(kind, value.to_bytes(8, "little"))


def be32(kind: int, value: int) -> bytes:
    return attribute(kind, value.to_bytes(4, "big"))


def be64(kind: int, value: int) -> bytes:
    return attribute(kind, value.to_bytes(8, "big"))


def text(kind: int, value: str) -> bytes:
    """A zero-terminated string."""
    return attribute(kind, value.encode() + b"\0")


def address(kind: int, value: IPv4Address | IPv6Address) -> bytes:
    return attribute(kind, value.packed)


def hardware(mac: str) -> bytes:
    """``02:00:…`` → six bytes."""
    return bytes.fromhex(mac.replace(":", ""))


def hardware_text(mac: bytes) -> str:
    return mac.hex(":")


def attributes(data: bytes | memoryview) -> Iterator[tuple[int, bytes]]:
    """The attributes in ``data``: (type without the nesting bits, payload)."""
    offset, end = 0, len(data)
    while offset + 4 <= end:
        size, kind = _ATTRIBUTE.unpack_from(data, offset)
        if size < 4 or offset + size > end:
            return
        yield kind & _TYPE_MASK, bytes(data[offset + 4 : offset + size])
        offset += (size + 3) & ~3


def messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """The messages in one datagram: (type, flags, sequence, body)."""
    offset, end = 0, len(data)
    while offset + HEADER.size <= end:
        size, kind, flags, sequence, _ = HEADER.unpack_from(data, offset)
        if size < HEADER.size or offset + size > end:
            return
        yield kind, flags, sequence, data[offset + HEADER.size : offset + size]
        offset += (size + 3) & ~3


def to_text(payload: bytes) -> str:
    return payload.split(b"\0", 1)[0].decode()


def to_u32(payload: bytes) -> int:
    return int(_U32.unpack(payload)[0])
