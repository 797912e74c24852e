"""DHCP messages (RFC 2131, options of RFC 2132): to fields and back. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
"""Message types."""

MASK, ROUTER, DNS, HOST_NAME, DOMAIN, MTU, BROADCAST = 1, 3, 6, 12, 15, 26, 28
NTP, NETBIOS_SERVERS, NETBIOS_NODE = 42, 44, 46
REQUESTED, LEASE, TYPE, SERVER, WANTED, RENEWAL, REBINDING = 50, 51, 53, 54, 55, 58, 59
SEARCH = 119
"""Options."""

_PAD, _END = 0, 255
_HEAD = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s4s")
_ASKS, _ANSWERS, _ETHERNET = 1, 2, 1
_COOKIE = bytes((99, 130, 83, 99))
_TO_ALL = 0x8000
_SHORTEST = 300
"""Bytes of a BOOTP message; some clients want as many."""
NOBODY = IPv4Address(0)


@dataclass(frozen=True, slots=True)
class Message:
    """What matters of a message. ``options`` by number, raw."""

    transaction: int
    mac: str
    options: Mapping[int, bytes]
    to_all: bool = False
    """The client cannot take a datagram to an address it has not set yet."""
    client: IPv4Address = NOBODY
    """The address the client has already."""
    yours: IPv4Address = NOBODY
    server: IPv4Address = NOBODY
    seconds: int = field(default=0, compare=False)

    @property
    def type(self) -> int:
        return self.options.get(TYPE, b"\0")[0]

    def address(self, option: int) -> IPv4Address | None:
        """The address in an option."""
        value = self.options.get(option, b"")
        return IPv4Address(value) if len(value) == 4 else None


def parse(data: bytes) -> Message | None:
    """A client's message; None for what is none, or came through a relay."""
    if len(data) < _HEAD.size:
        return None
    kind, medium, length, _, transaction, seconds, flags, client, _, _, relay, hardware, _, _, cookie = _HEAD.unpack(
        data[: _HEAD.size]
    )
    if (kind, medium, length, cookie) != (_ASKS, _ETHERNET, 6, _COOKIE) or any(relay):
        return None
    options = _options(data[_HEAD.size :])
    if not options.get(TYPE):
        return None
    mac = hardware[:6].hex(":")
    return Message(transaction, mac, options, bool(flags & _TO_ALL), IPv4Address(client), seconds=seconds)


def _options(data: bytes) -> dict[int, bytes]:
    """What is cut off is left out. The parts of an option that comes more than once belong together (RFC 3396)."""
    found: dict[int, bytes] = {}
    place = 0
    while place < len(data) and data[place] != _END:
        if data[place] == _PAD:
            place += 1
            continue
        if place + 2 > len(data) or place + 2 + data[place + 1] > len(data):
            break
        end = place + 2 + data[place + 1]
        found[data[place]] = found.get(data[place], b"") + data[place + 2 : end]
        place = end
    return found


def encode(answer: Message) -> bytes:
    """A server's message."""
    head = _HEAD.pack(
        _ANSWERS,
        _ETHERNET,
        6,
        0,
        answer.transaction,
        0,
        _TO_ALL if answer.to_all else 0,
        answer.client.packed,
        answer.yours.packed,
        answer.server.packed,
        bytes(4),
        bytes.fromhex(answer.mac.replace(":", "")),
        b"",
        b"",
        _COOKIE,
    )
    options = b"".join(_parts(number, value) for number, value in answer.options.items())
    return (head + options + bytes((_END,))).ljust(_SHORTEST, b"\0")


def _parts(number: int, value: bytes) -> bytes:
    """An option, in several parts if it is long."""
    return b"".join(
        bytes((number, len(value[start : start + 255]))) + value[start : start + 255]
        for start in range(0, max(len(value), 1), 255)
    )


def addresses(values: Iterable[str]) -> bytes:
    """Several IPv4 addresses as one option has them."""
    return b"".join(IPv4Address(value).packed for value in values)
