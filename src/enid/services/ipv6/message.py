"""DHCPv6 messages (RFC 8415): to fields and back. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address

import dns.exception
import dns.name

SOLICIT, ADVERTISE, REQUEST, CONFIRM, RENEW, REBIND, REPLY, RELEASE, DECLINE, _, INFORMATION_REQUEST = range(1, 12)
"""Message types."""

CLIENT, SERVER, ADDRESSES, TEMPORARY, ADDRESS, PREFERENCE, STATUS, DNS, SEARCH = 1, 2, 3, 4, 5, 7, 13, 23, 24
PREFIXES, SNTP, REFRESH, NTP = 25, 31, 32, 56
"""Options."""

SUCCESS, NO_ADDRESSES, NOT_ON_LINK, NO_PREFIXES = 0, 2, 4, 6
"""Status codes."""

NO_TIMES = (0, 0)
_HEAD = struct.Struct("!B3s")
_OPTION = struct.Struct("!HH")
_ASSOCIATION = struct.Struct("!4sII")
_ADDRESS = struct.Struct("!16sII")
_NTP_ADDRESS = 1

Options = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Message:
    """``options`` by number, raw, in their order."""

    type: int
    transaction: bytes
    """Three bytes."""
    options: Options = ()

    def all(self, number: int) -> Iterator[bytes]:
        return (value for each, value in self.options if each == number)

    def first(self, number: int) -> bytes | None:
        return next(self.all(number), None)


@dataclass(frozen=True, slots=True)
class Association:
    """The addresses (or prefixes) that a client asks for, or is given, together."""

    id: bytes
    """Four bytes of the client's choice."""
    times: tuple[int, int] = NO_TIMES
    """Seconds until it asks to renew them, and until it asks anybody."""
    addresses: tuple[tuple[IPv6Address, int, int], ...] = ()
    """Each with the seconds for which it is preferred, and valid."""
    status: int = SUCCESS


def parse(data: bytes) -> Message | None:
    """A client's message; None for what is none, or was cut off."""
    if len(data) < _HEAD.size:
        return None
    kind, transaction = _HEAD.unpack_from(data)
    options = _options(data[_HEAD.size :])
    return None if options is None else Message(kind, transaction, options)


def _options(data: bytes) -> Options | None:
    found = []
    place = 0
    while place < len(data):
        if place + _OPTION.size > len(data):
            return None
        number, length = _OPTION.unpack_from(data, place)
        place += _OPTION.size + length
        if place > len(data):
            return None
        found.append((number, data[place - length : place]))
    return tuple(found)


def encode(message: Message) -> bytes:
    return _HEAD.pack(message.type, message.transaction) + _encoded(message.options)


def _encoded(options: Iterable[tuple[int, bytes]]) -> bytes:
    return b"".join(_OPTION.pack(number, len(value)) + value for number, value in options)


def association(value: bytes) -> Association | None:
    """An option that asks for addresses; None if it is malformed."""
    if len(value) < _ASSOCIATION.size:
        return None
    id_, *times = _ASSOCIATION.unpack_from(value)
    inner = _options(value[_ASSOCIATION.size :])
    if inner is None or any(number == ADDRESS and len(each) < _ADDRESS.size for number, each in inner):
        return None
    named = (_ADDRESS.unpack_from(each) for number, each in inner if number == ADDRESS)
    addresses = tuple((IPv6Address(packed), preferred, valid) for packed, preferred, valid in named)
    told = next((each for number, each in inner if number == STATUS), b"\0\0")
    return Association(id_, (times[0], times[1]), addresses, int.from_bytes(told[:2], "big"))


def encode_association(given: Association) -> bytes:
    inner = [(ADDRESS, _ADDRESS.pack(address.packed, *seconds)) for address, *seconds in given.addresses]
    inner += [(STATUS, status(given.status))] if given.status != SUCCESS else []
    return _ASSOCIATION.pack(given.id, *given.times) + _encoded(inner)


def status(code: int) -> bytes:
    return code.to_bytes(2, "big")


def addresses(values: Iterable[str]) -> bytes:
    """Several addresses as one option has them."""
    return b"".join(IPv6Address(value).packed for value in values)


def time_servers(values: Iterable[str]) -> bytes:
    """The same, as RFC 5908 has them."""
    return _encoded((_NTP_ADDRESS, IPv6Address(value).packed) for value in values)


def domains(values: Iterable[str]) -> bytes:
    """Domain names as RFC 1035 writes them; what cannot be written so is left out."""
    return b"".join(map(_domain, values))


def _domain(value: str) -> bytes:
    try:
        return dns.name.from_text(value).to_wire() or b""
    except dns.exception.DNSException:
        return b""
