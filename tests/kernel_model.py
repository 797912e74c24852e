"""A model of the kernel's nf_tables, as far as a VPC's table needs one.

It takes the very messages the fabric sends, keeps the table, and says what a packet meets at a hook or in a chain.
There is no connection tracking in it: what that would say of a packet is part of the :class:`Frame`.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

from enid.netlink.message import HEADER, attributes, to_text
from enid.netlink.nftables import DROP, GOTO, JUMP, RETURN, ifname
from enid.topology.records import Address

_CONTINUE = -1
_APPEND = 0x800
_NEW = 8

Value = bytes | tuple[int, str]
"""Data, or a verdict with its chain."""
Expression = tuple[str, tuple[tuple[int, bytes], ...]]


class Do(IntEnum):
    """What a message asks for."""

    NEWCHAIN = 3
    DELCHAIN = 5
    NEWRULE = 6
    DELRULE = 8
    NEWSET = 9
    NEWSETELEM = 12
    DELSETELEM = 14


class Frame(NamedTuple):
    """A packet being forwarded."""

    incoming: str
    outgoing: str
    source: Address
    destination: Address
    protocol: int
    transport: bytes
    """The first four bytes behind the address header."""
    mac: bytes = b""
    """The sender's."""
    state: int = _NEW
    status: int = 0
    reply: bool = False


_Step = Callable[["Kernel", bytearray, Frame], tuple[int, str] | None]
"""Does one expression. ``None``: go on; a verdict ends the rule."""
_NEXT_RULE = (_CONTINUE, "")
Rule = tuple[_Step, ...]


class Kernel:
    """Stands in for the netfilter socket of a router."""

    capacity = 1 << 30

    def __init__(self) -> None:
        self.chains: dict[str, list[Rule]] = {}
        self.elements: dict[str, dict[bytes, Value]] = {}
        self.counted: Counter[str] = Counter()
        self.mark = 0
        """Of the packet that passes just now."""
        self.rewritten: bytes = b""
        """The address it was given, if it was translated."""
        self.zone = bytes(2)
        """Where its flow is tracked."""
        self._hooks: dict[str, tuple[int, int]] = {}
        """Hook and priority of base chains."""
        self._met: dict[int, list[str]] = {}
        """What :meth:`meets` has answered, until base chains come or go."""
        self._fields: dict[str, tuple[int, ...]] = {}
        """Of sets of intervals: the sizes of their concatenated fields, or nothing for a plain one."""
        self._sizes: dict[str, int] = {}
        self.connection_mark = bytes(4)
        """Of the connection the packet belongs to."""

    def dump(self, _request: bytes) -> Iterator[bytes]:
        return iter(())

    def commit(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            _, kind, flags, _, _ = HEADER.unpack_from(message)
            self._apply(kind & 0xFF, flags, dict(attributes(message[HEADER.size + 4 :])))
        for name, verdict in self._leading():
            assert verdict in self.chains, f"an element of {name} leads to {verdict}, which is not there"

    def _leading(self) -> Iterator[tuple[str, str]]:
        for name, elements in self.elements.items():
            for value in elements.values():
                if isinstance(value, tuple) and value[1]:
                    yield name, value[1]

    def _apply(self, kind: int, flags: int, parts: dict[int, bytes]) -> None:
        match kind:
            case Do.NEWCHAIN:
                self._add_chain(to_text(parts[3]), parts.get(4))
            case Do.DELCHAIN:
                assert self.chains.pop(to_text(parts[3])) == [], "only an empty chain can be deleted"
                self._hooks.pop(to_text(parts[3]), None)
                self._met.clear()
            case Do.NEWRULE:
                rules = self.chains[to_text(parts[2])]
                rules.insert(len(rules) if flags & _APPEND else 0, _rule(parts[4]))
            case Do.DELRULE:
                self.chains[to_text(parts[2])].clear()
            case Do.NEWSET:
                self._add_set(parts)
            case Do.NEWSETELEM:
                held = self.elements[to_text(parts[2])]
                for key, value in _elements(parts[3]):
                    assert held.setdefault(key, value) == value, "an element cannot be changed, only replaced"
                    if isinstance(value, tuple) and value[1]:
                        assert value[1] in self.chains, f"{value[1]} is not there yet"
            case Do.DELSETELEM:
                for key, _ in _elements(parts[3]):
                    del self.elements[to_text(parts[2])][key]

    def _add_chain(self, name: str, hooked: bytes | None) -> None:
        self.chains.setdefault(name, [])
        if hooked is not None:
            hook = dict(attributes(hooked))
            priority = int.from_bytes(hook[2], "big", signed=True)
            self._hooks[name] = (int.from_bytes(hook[1], "big"), priority)
            self._met.clear()

    def _add_set(self, parts: dict[int, bytes]) -> None:
        name, flags = to_text(parts[2]), int.from_bytes(parts[3], "big")
        self.elements.setdefault(name, {})
        self._sizes[name] = int.from_bytes(parts[5], "big")
        if flags & 4:
            fields = dict(attributes(parts[9]))[2] if 9 in parts else b""
            sizes = (int.from_bytes(dict(attributes(field))[1], "big") for _, field in attributes(fields))
            self._fields[name] = tuple(sizes)

    def passes(self, chain: str, frame: Frame) -> bool:
        """Whether the base chain lets the packet through; what it counts is in ``counted``."""
        return self._walk(chain, frame) != DROP

    def meets(self, hook: int) -> list[str]:
        """The base chains at a hook, in the order a packet comes by."""
        if hook not in self._met:
            here = (name for name, (at, _) in self._hooks.items() if at == hook)
            self._met[hook] = sorted(here, key=self._hooks.__getitem__)
        return self._met[hook]

    def _walk(self, chain: str, frame: Frame) -> int:
        registers = bytearray(80)  # A rule loads what it asks for: what the one before it left is in nobody's way.
        for rule in self.chains[chain]:
            for step in rule:
                verdict = step(self, registers, frame)
                if verdict is not None:
                    break
            else:
                continue
            code, target = verdict
            if code in (JUMP, GOTO):
                ends = code == GOTO
                code = self._walk(target, frame)
                if code == RETURN:
                    # From where a packet was sent for good it comes back to whoever jumped to the sender.
                    code = RETURN if ends else _CONTINUE
            if code != _CONTINUE:
                return code
        return RETURN

    def look_up(self, name: str, registers: bytearray, start: int) -> Value | None:
        """What the set or map has for the key in the registers; a set's elements have empty data."""
        elements = self.elements[name]
        if name in self._fields:
            return self._between(elements, self._fields[name], bytes(registers[start:]))
        found = elements.get(bytes(registers[start : start + self._sizes[name]]))
        return elements.get(b"") if found is None else found

    def _between(self, elements: dict[bytes, Value], fields: tuple[int, ...], held: bytes) -> Value | None:
        if not fields:
            return _in_plain_interval(elements, held)
        places, total = _places(fields)
        for key, value in elements.items():
            if all(key[a:b] <= held[a:b] <= key[total + a : total + b] for a, b in places):
                return value
        return None

    def connection(self, key: int, frame: Frame) -> bytes:
        """What connection tracking says."""
        if key == 1:
            return bytes((frame.reply,))
        if key == 17:
            return self.zone
        return {0: frame.state.to_bytes(4, "little"), 2: frame.status.to_bytes(4, "little")}.get(
            key, self.connection_mark
        )

    def rewrite(self, address: bytes) -> None:
        """The packet gets another one: its destination on its way in, its source on its way out."""
        self.rewritten = bytes(address)

    def begin(self, connection_mark: bytes = bytes(4)) -> None:
        """A packet comes; what an earlier one left is forgotten, but for what its connection was marked with."""
        self.mark, self.rewritten, self.zone, self.connection_mark = 0, b"", bytes(2), connection_mark


@lru_cache(256)
def _places(fields: tuple[int, ...]) -> tuple[list[tuple[int, int]], int]:
    """Where the fields of a concatenation begin and end, and where it ends itself."""
    places, place = [], 0
    for size in fields:
        places.append((place, place + size))
        place += (size + 3) & ~3
    return places, place


def _in_plain_interval(elements: dict[bytes, Value], held: bytes) -> Value | None:
    """Each element begins an interval, or (``end`` behind its key) is one past its end."""
    best: tuple[bytes, bool] | None = None
    for key in elements:
        closing = key.endswith(b"end") and len(key) in (7, 19)
        edge = key[:-3] if closing else key
        if edge <= held[: len(edge)] and (best is None or (edge, not closing) > best):
            best = (edge, not closing)
    return elements[best[0]] if best and best[1] else None


@lru_cache(1 << 14)
def _rule(data: bytes) -> Rule:
    return tuple(_step(name, dict(given)) for name, given in _expressions(data))


def _step(name: str, parts: dict[int, bytes]) -> _Step:
    """An expression, read once and done often."""
    number = {kind: int.from_bytes(value, "big") for kind, value in parts.items() if len(value) == 4}
    match name:
        case "meta" if 3 in number:
            return lambda kernel, registers, _: setattr(kernel, "mark", _number(registers, number[3]))
        case "payload" if 5 in number:
            place, inner = _place(number[5]), number[2] == 2
            return lambda kernel, registers, _: None if inner else kernel.rewrite(registers[place : place + 4])
        case "meta" | "payload" | "ct" if 1 in number:
            return _loading(name, number)
        case "ct" if number[2] == 17:
            place = _place(number[4])
            return lambda kernel, registers, _: setattr(kernel, "zone", bytes(registers[place : place + 2]))
        case "ct":
            place = _place(number[4])
            return lambda kernel, registers, _: setattr(kernel, "connection_mark", bytes(registers[place : place + 4]))
        case "bitwise":
            return _masking(number, parts)
        case "cmp":
            return _comparing(number, parts)
        case "lookup":
            return _looking_up(to_text(parts[1]), number)
        case "objref" if number[1] == 1:
            counter = to_text(parts[2])
            return lambda kernel, _, __: kernel.counted.update((counter,))
        case "immediate":
            value = _data(parts[2])
            if isinstance(value, tuple):
                return lambda _, __, ___: value
            place = _place(number[1])
            return lambda _, registers, ___: _put(registers, place, value)
        case "dynset":
            return lambda _, __, ___: _NEXT_RULE  # Nobody is too fast here.
        case "objref" | "log" | "notrack":
            return lambda _, __, ___: None
    raise NotImplementedError(name)


def _loading(name: str, number: dict[int, int]) -> _Step:
    start, key = _place(number[1]), number[2]
    load: Callable[[Kernel, Frame], bytes]
    if name == "payload":
        load = _payload(number[2], number[3], number[4])
    elif name == "ct":
        load = lambda kernel, frame: kernel.connection(key, frame)  # noqa: E731
    elif key == 3:
        load = lambda kernel, _: kernel.mark.to_bytes(4, "little")  # noqa: E731
    else:
        load = _META[key]

    def loads(kernel: Kernel, registers: bytearray, frame: Frame) -> None:
        value = load(kernel, frame)
        size = len(value)
        if size & 3:
            _put(registers, start, value)
        else:
            registers[start : start + size] = value

    return loads


def _masking(number: dict[int, int], parts: dict[int, bytes]) -> _Step:
    data, start, end = _data(parts[4]), _place(number[1]), _place(number[2])
    assert isinstance(data, bytes)
    size, mask = len(data), int.from_bytes(data, "big")

    def apply(_: Kernel, registers: bytearray, __: Frame) -> None:
        held = int.from_bytes(registers[start : start + size], "big")
        _put(registers, end, (held & mask).to_bytes(size, "big"))

    return apply


def _comparing(number: dict[int, int], parts: dict[int, bytes]) -> _Step:
    wanted, start = _data(parts[3]), _place(number[1])
    assert isinstance(wanted, bytes)
    end = start + len(wanted)
    holds: Callable[[Any, Any], bool] = {0: operator.eq, 1: operator.ne, 3: operator.le, 5: operator.ge}[number[2]]

    def compare(_: Kernel, registers: bytearray, __: Frame) -> tuple[int, str] | None:
        return None if holds(registers[start:end], wanted) else _NEXT_RULE

    return compare


def _looking_up(name: str, number: dict[int, int]) -> _Step:
    start, inverted = _place(number[2]), bool(number.get(5))
    target = _place(number[3]) if 3 in number else None

    def look_up(kernel: Kernel, registers: bytearray, _: Frame) -> tuple[int, str] | None:
        found = kernel.look_up(name, registers, start)
        if (found is None) is not inverted:
            return _NEXT_RULE
        if isinstance(found, tuple):
            return found
        if target is not None and found is not None:
            _put(registers, target, found)
        return None

    return look_up


def _number(registers: bytearray, register: int) -> int:
    start = _place(register)
    return int.from_bytes(registers[start : start + 4], "little")


def _place(register: int) -> int:
    """Registers of sixteen bytes, and the same ones as four of four bytes each."""
    return (register - 8) * 4 if register >= 8 else (register - 1) * 16


def _put(registers: bytearray, start: int, value: bytes) -> None:
    """A register of four bytes that is only partly filled is zero behind that."""
    size = len(value)
    if size % 4:
        value += bytes(-size % 4)
        size = len(value)
    registers[start : start + size] = value


_link_name = lru_cache(1 << 12)(ifname)

_PROTOCOLS = [bytes((number, 0, 0, 0)) for number in range(256)]

_META: dict[int, Callable[[Kernel, Frame], bytes]] = {
    6: lambda _, frame: _link_name(frame.incoming),
    7: lambda _, frame: _link_name(frame.outgoing),
    15: lambda _, frame: _PROTOCOLS[2 if frame.source.version == 4 else 10],
    16: lambda _, frame: _PROTOCOLS[frame.protocol],
    19: lambda _, __: bytes(4),
}


def _payload(base: int, offset: int, size: int) -> Callable[[Kernel, Frame], bytes]:
    if base == 0:
        assert (offset, size) == (6, 6)
        return lambda _, frame: frame.mac
    if base == 2:
        return lambda _, frame: frame.transport[offset : offset + size]
    # The address header: a source and a destination of the size that is asked for.
    source = {4: 12, 16: 8}[size]
    assert offset in (source, source + size)

    def address(_: Kernel, frame: Frame) -> bytes:
        assert len(frame.source.packed) == size
        return frame.source.packed if offset == source else frame.destination.packed

    return address


def _expressions(data: bytes) -> Iterator[Expression]:
    for _, expression in attributes(data):
        parts = dict(attributes(expression))
        yield to_text(parts[1]), tuple(attributes(parts.get(2, b"")))


def _elements(data: bytes) -> Iterator[tuple[bytes, Value]]:
    """Keys and data. A key of intervals is followed by its end; one that closes an interval by the word."""
    for _, element in attributes(data):
        parts = dict(attributes(element))
        key = _data(parts[1]) if 1 in parts else b""
        end = _data(parts[10]) if 10 in parts else b""
        assert isinstance(key, bytes)
        assert isinstance(end, bytes)
        closing = b"end" if 3 in parts and key else b""
        yield key + end + closing, _data(parts[2]) if 2 in parts else b""


def _data(data: bytes) -> Value:
    parts = dict(attributes(data))
    if 1 in parts:
        return parts[1]
    verdict = dict(attributes(parts[2]))
    code = int.from_bytes(verdict[1], "big", signed=True)
    return code, to_text(verdict[2]) if 2 in verdict else ""
