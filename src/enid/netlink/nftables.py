"""nf_tables messages: tables, chains, rules, sets, elements, counters. Pure.

Written by hand rather than through libnftables because a change must not cost more when there is more: libnftables
reads the whole ruleset back before each command, and a transaction here may carry structure and elements together.
Rules are made of :mod:`expressions`. What is built is in family ``inet``, unless :func:`in_family` says otherwise.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from enid.netlink.message import CREATE, HEADER, attribute, attributes, be32, message, nested, text, to_text

SUBSYSTEM = 10
_NEWTABLE, _GETTABLE, _DELTABLE, _NEWCHAIN, _GETCHAIN, _DELCHAIN, _NEWRULE, _DELRULE = 0, 1, 2, 3, 4, 5, 6, 8
_NEWSET, _GETSET, _DELSET, _NEWSETELEM, _GETSETELEM, _DELSETELEM, _NEWOBJ, _GETOBJ = 9, 10, 11, 12, 13, 14, 18, 19
_NEWGEN = 15
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_INET = 1
NETDEV, IPV4_ONLY, IPV6_ONLY = 5, 2, 10
"""Other families of tables: a link's own, and those of one IP version."""
_HEADER = struct.Struct(">BBH")
_LIST_ELEMENT = 1
_DATA_VALUE, _DATA_VERDICT = 1, 2
_COUNTER = 1
CT_TIMEOUT = 7
"""Kinds of named objects."""
_ELEMENTS_PER_MESSAGE = 256
_METERED = 65536
"""Most elements of a meter."""

PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING = range(5)
"""Hooks."""
DROP, ACCEPT = 0, 1
CONTINUE, JUMP, GOTO, RETURN = -1, -3, -4, -5

_INTERVAL, _MAP, _TIMEOUT, _DYNAMIC, _OBJECTS, _CONCAT = 0x4, 0x8, 0x10, 0x20, 0x40, 0x80
_INTERVAL_END, _CATCH_ALL = 0x1, 0x2


@dataclass(frozen=True, slots=True)
class Type:
    """A data type as nft prints it: its number there and its size in bytes."""

    number: int
    size: int


IPV4 = Type(7, 4)
IPV6 = Type(8, 16)
ETHER = Type(9, 6)
PROTOCOL = Type(12, 1)
SERVICE = Type(13, 2)
MARK = Type(19, 4)
IFNAME = Type(41, 16)
VERDICT = Type(0xFFFFFF00, 16)

_HOST_ENDIAN = (MARK, IFNAME)


@dataclass(frozen=True, slots=True)
class Set:
    """A named set, or a map when ``data`` is given, or ``objects``: the kind of objects it leads to. Several types make
    a concatenated key."""

    name: str
    key: tuple[Type, ...]
    data: Type | None = None
    interval: bool = False
    objects: int = 0
    meter: bool = False
    """Filled by the packets themselves, see :func:`enid.netlink.expressions.over_rate`."""


@dataclass(frozen=True, slots=True)
class Key:
    """An element's key, every field padded to four bytes. ``end`` closes an interval of a concatenated key (inclusive);
    a plain interval is two elements, the second (``closing``) one past its end."""

    start: bytes
    end: bytes = b""
    closing: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict as an element's data."""

    code: int
    chain: str = ""


@dataclass(frozen=True, slots=True)
class Object:
    """A named object as an element's data."""

    name: str


Data = bytes | Verdict | Object | None

CATCH_ALL = Key(b"")
"""The element that stands for every key no other element has."""


def ifname(name: str) -> bytes:
    return name.encode().ljust(16, b"\0")


def _message(kind: int, flags: int, *parts: bytes) -> bytes:
    return message(SUBSYSTEM << 8 | kind, flags, _HEADER.pack(_INET, 0, 0), *parts)


def _batch_edge(kind: int) -> bytes:
    return message(kind, 0, _HEADER.pack(0, 0, SUBSYSTEM))


def transaction(messages: Sequence[bytes]) -> list[bytes]:
    """``messages`` between the marks that make them one transaction."""
    return [_batch_edge(_BATCH_BEGIN), *messages, _batch_edge(_BATCH_END)]


def add_table(table: str) -> bytes:
    return _message(_NEWTABLE, CREATE, text(1, table))


def renew_table(table: str) -> list[bytes]:
    """An empty one, whether it is there or not."""
    return [add_table(table), delete_table(table), add_table(table)]


def delete_table(table: str) -> bytes:
    return _message(_DELTABLE, 0, text(1, table))


def get_tables() -> bytes:
    """To dump."""
    return _message(_GETTABLE, 0)


def parse_table(body: bytes) -> str:
    """The name."""
    return to_text(dict(attributes(body[_HEADER.size :]))[1])


def table_of(kind: int, body: bytes) -> str | None:
    """The table that a message of the kernel's is about; None when it is about none."""
    if kind >> 8 != SUBSYSTEM or kind & 0xFF == _NEWGEN:
        return None
    found = dict(attributes(body[_HEADER.size :]))
    return to_text(found[1]) if 1 in found else None


def in_table(message: bytes, table: str) -> bytes:
    """``message``, which was made for a table with a name as long, for ``table``: each names its table first."""
    name, start = text(1, table), HEADER.size + _HEADER.size
    return message[:start] + name + message[start + len(name) :]


def in_family(message: bytes, family: int) -> bytes:
    """``message`` for a table of another family."""
    return message[: HEADER.size] + bytes((family,)) + message[HEADER.size + 1 :]


def add_chain(table: str, name: str) -> bytes:
    """A chain to jump to."""
    return _message(_NEWCHAIN, CREATE, text(1, table), text(3, name))


def add_base_chain(table: str, name: str, kind: str, hook: int, priority: int, policy: int) -> bytes:
    """A chain packets come by; ``kind`` is ``filter`` or ``nat``."""
    hooked = nested(4, be32(1, hook), be32(2, priority & 0xFFFFFFFF))
    return _message(_NEWCHAIN, CREATE, text(1, table), text(3, name), hooked, be32(5, policy), text(7, kind))


def add_ingress_chain(table: str, name: str, device: str) -> bytes:
    """A chain of family ``netdev``: what comes in by a link meets it first."""
    hooked = nested(4, be32(1, 0), be32(2, 0), text(3, device))
    chain = _message(_NEWCHAIN, CREATE, text(1, table), text(3, name), hooked, be32(5, ACCEPT), text(7, "filter"))
    return in_family(chain, NETDEV)


def delete_chain(table: str, name: str) -> bytes:
    """Its rules go first: see :func:`flush_chain`."""
    return _message(_DELCHAIN, 0, text(1, table), text(3, name))


def chain_of(message: bytes) -> str:
    """The chain that this message adds, or adds a rule to; empty for any other."""
    kind = message[4]
    if kind not in (_NEWCHAIN, _NEWRULE):
        return ""
    found = dict(attributes(message[HEADER.size + _HEADER.size :]))
    return to_text(found[3 if kind == _NEWCHAIN else 2])


def base_chain_of(message: bytes) -> str:
    """The base chain that this message adds; empty for any other."""
    is_base = message[4] == _NEWCHAIN and 4 in dict(attributes(message[HEADER.size + _HEADER.size :]))
    return chain_of(message) if is_base else ""


def get_chains() -> bytes:
    """To dump: the chains of every table."""
    return _message(_GETCHAIN, 0)


def parse_chain(body: bytes) -> tuple[str, str, bool]:
    """(table, chain, whether it is a base chain)."""
    found = dict(attributes(body[_HEADER.size :]))
    return to_text(found[1]), to_text(found[3]), 4 in found


def add_rule(table: str, chain: str, *expressions: bytes) -> bytes:
    """Append a rule."""
    return _message(_NEWRULE, CREATE | 0x800, text(1, table), text(2, chain), nested(4, *expressions))


def insert_rule(table: str, chain: str, *expressions: bytes) -> bytes:
    """Put a rule before all others."""
    return _message(_NEWRULE, CREATE, text(1, table), text(2, chain), nested(4, *expressions))


def flush_chain(table: str, chain: str) -> bytes:
    return _message(_DELRULE, 0, text(1, table), text(2, chain))


def add_set(table: str, declared: Set) -> bytes:
    flags = (_INTERVAL if declared.interval else 0) | (_MAP if declared.data is not None else 0)
    flags |= _OBJECTS if declared.objects else 0
    number = 0
    for part in declared.key:
        number = number << 6 | part.number
    sizes = [(part.size + 3) & ~3 for part in declared.key] if len(declared.key) > 1 else [declared.key[0].size]
    parts = []
    if declared.interval and len(declared.key) > 1:
        flags |= _CONCAT
        fields = [nested(_LIST_ELEMENT, be32(1, part.size)) for part in declared.key]
        parts.append(nested(9, nested(2, *fields)))
    if declared.meter:
        flags |= _TIMEOUT | _DYNAMIC
        parts.append(nested(9, be32(1, _METERED)))
    if declared.data is not None:
        parts += [be32(6, declared.data.number), be32(7, declared.data.size)]
    if declared.objects:
        parts.append(be32(15, declared.objects))
    parts.append(attribute(13, _byte_order(0, declared.key) + _byte_order(1, (declared.data,))))
    return _message(
        _NEWSET,
        CREATE,
        text(1, table),
        text(2, declared.name),
        be32(3, flags),
        be32(4, number),
        be32(5, sum(sizes)),
        be32(10, 1),
        *parts,
    )


def delete_set(table: str, name: str) -> bytes:
    """With all that is in it."""
    return _message(_DELSET, 0, text(1, table), text(2, name))


def get_sets(table: str) -> bytes:
    """To dump."""
    return _message(_GETSET, 0, text(1, table))


def parse_set(body: bytes) -> str:
    """The name."""
    return to_text(dict(attributes(body[_HEADER.size :]))[2])


def get_elements(table: str, name: str) -> bytes:
    """To dump."""
    return _message(_GETSETELEM, 0, text(1, table), text(2, name))


def parse_elements(body: bytes) -> Iterator[Key]:
    """The keys of a part of a set; what is at neither end of an interval is not looked at."""
    for _, element in attributes(dict(attributes(body[_HEADER.size :])).get(3, b"")):
        found = dict(attributes(element))
        start, end = (dict(attributes(found.get(kind, b""))).get(_DATA_VALUE, b"") for kind in (1, 10))
        yield Key(start, end)


def _byte_order(kind: int, types: tuple[Type | None, ...]) -> bytes:
    """A note to the ``nft`` program, which prints some values garbled without it: the key's (0) or data's (1) order."""
    return bytes((kind, 4, 1 if types[0] in _HOST_ENDIAN and len(types) == 1 else 2, 0, 0, 0))


def verdict_data(kind: int, verdict: Verdict) -> bytes:
    """A data attribute ``kind`` that holds a verdict."""
    parts = [be32(1, verdict.code & 0xFFFFFFFF)]
    if verdict.chain:
        parts.append(text(2, verdict.chain))
    return nested(kind, nested(_DATA_VERDICT, *parts))


def value_data(kind: int, value: bytes) -> bytes:
    """A data attribute ``kind`` that holds a value."""
    return nested(kind, attribute(_DATA_VALUE, value))


def _element(key: Key, data: Data) -> bytes:
    parts = [value_data(1, key.start)] if key.start else [be32(3, _CATCH_ALL)]
    if key.end:
        parts.append(value_data(10, key.end))
    if key.closing:
        parts.append(be32(3, _INTERVAL_END))
    if isinstance(data, Verdict):
        parts.append(verdict_data(2, data))
    elif isinstance(data, Object):
        parts.append(text(9, data.name))
    elif data is not None:
        parts.append(value_data(2, data))
    return nested(_LIST_ELEMENT, *parts)


def _elements(kind: int, flags: int, table: str, name: str, elements: Iterable[bytes]) -> Iterator[bytes]:
    encoded = list(elements)
    for start in range(0, len(encoded), _ELEMENTS_PER_MESSAGE):
        part = nested(3, *encoded[start : start + _ELEMENTS_PER_MESSAGE])
        yield _message(kind, flags, text(1, table), text(2, name), part)


def add_elements(table: str, name: str, elements: Iterable[tuple[Key, Data]]) -> list[bytes]:
    return list(_elements(_NEWSETELEM, CREATE, table, name, (_element(key, data) for key, data in elements)))


def delete_elements(table: str, name: str, keys: Iterable[Key]) -> list[bytes]:
    """One that is not there fails the whole transaction."""
    return list(_elements(_DELSETELEM, 0, table, name, (_element(key, None) for key in keys)))


def add_counter(table: str, name: str, packets: int = 0) -> bytes:
    start = nested(4, attribute(1, bytes(8)), attribute(2, packets.to_bytes(8, "big")))
    return _message(_NEWOBJ, CREATE, text(1, table), text(2, name), be32(3, _COUNTER), start)


def add_ct_timeout(table: str, name: str, protocol: int, seconds: Mapping[int, int]) -> bytes:
    """Timeouts of tracked flows of an IP protocol, by the number of the flow's state; the others stay the kernel's."""
    policy = nested(3, *(be32(state, value) for state, value in seconds.items()))
    specification = nested(4, attribute(2, bytes((protocol,))), policy)
    return _message(_NEWOBJ, CREATE, text(1, table), text(2, name), be32(3, CT_TIMEOUT), specification)


def get_counters(table: str) -> bytes:
    """To dump."""
    return _message(_GETOBJ, 0, text(1, table), be32(3, _COUNTER))


def parse_counter(body: bytes) -> tuple[str, int]:
    """(name, packets)."""
    found = dict(attributes(body[_HEADER.size :]))
    counted = dict(attributes(found[4]))
    return to_text(found[2]), int.from_bytes(counted[2], "big")
