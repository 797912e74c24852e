"""A model of the kernel's nf_tables, as far as a stage without conntrack needs one.

It takes the very messages the fabric sends, keeps the table, and says what a packet meets in a chain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from enid.netlink.message import HEADER, attributes, to_text
from enid.netlink.nftables import ACCEPT, CONTINUE, DROP, GOTO, JUMP, RETURN, ifname
from enid.topology.records import Address

_APPEND = 0x800

Value = bytes | tuple[int, str]
"""Data, or a verdict with its chain."""
Expression = tuple[str, tuple[tuple[int, bytes], ...]]
Rule = tuple[Expression, ...]


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


class Kernel:
    """Stands in for the netfilter socket of a router."""

    capacity = 1 << 30

    def __init__(self) -> None:
        self.chains: dict[str, list[Rule]] = {}
        self.elements: dict[str, dict[bytes, Value]] = {}
        self.counted: Counter[str] = Counter()

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
                self.chains.setdefault(to_text(parts[3]), [])
            case Do.DELCHAIN:
                assert self.chains.pop(to_text(parts[3])) == [], "only an empty chain can be deleted"
            case Do.NEWRULE:
                rules = self.chains[to_text(parts[2])]
                rules.insert(len(rules) if flags & _APPEND else 0, tuple(_expressions(parts[4])))
            case Do.DELRULE:
                self.chains[to_text(parts[2])].clear()
            case Do.NEWSET:
                self.elements.setdefault(to_text(parts[2]), {})
            case Do.NEWSETELEM:
                held = self.elements[to_text(parts[2])]
                for key, value in _elements(parts[3]):
                    assert held.setdefault(key, value) == value, "an element cannot be changed, only replaced"
                    if isinstance(value, tuple) and value[1]:
                        assert value[1] in self.chains, f"{value[1]} is not there yet"
            case Do.DELSETELEM:
                for key, _ in _elements(parts[3]):
                    del self.elements[to_text(parts[2])][key]

    def passes(self, chain: str, frame: Frame) -> bool:
        """Whether the base chain lets the packet through; what it counts is in ``counted``."""
        return self._walk(chain, frame) != DROP

    def _walk(self, chain: str, frame: Frame) -> int:
        for rule in self.chains[chain]:
            code, target = self._rule(rule, frame)
            if code in (JUMP, GOTO):
                code = self._walk(target, frame)
                if code == RETURN:
                    code = CONTINUE
            if code != CONTINUE:
                return code
        return RETURN

    def _rule(self, rule: Rule, frame: Frame) -> tuple[int, str]:
        registers = bytearray(64)
        for name, given in rule:
            parts = dict(given)
            number = {kind: int.from_bytes(value, "big") for kind, value in parts.items() if len(value) == 4}
            match name:
                case "meta" | "payload":
                    value = _meta(number[2], frame) if name == "meta" else _payload(number, frame)
                    _put(registers, number[1], value)
                case "bitwise":
                    mask, start = _data(parts[4]), _place(number[1])
                    assert isinstance(mask, bytes)
                    masked = bytes(one & other for one, other in zip(registers[start:], mask, strict=False))
                    _put(registers, number[2], masked)
                case "cmp":
                    wanted, start = _data(parts[3]), _place(number[1])
                    assert isinstance(wanted, bytes)
                    held = bytes(registers[start : start + len(wanted)])
                    if not {0: held == wanted, 1: held != wanted, 3: held <= wanted, 5: held >= wanted}[number[2]]:
                        return CONTINUE, ""
                case "lookup":
                    found = self._look_up(to_text(parts[1]), registers, _place(number[2]))
                    if found is None:
                        return CONTINUE, ""
                    if isinstance(found, tuple):
                        return found
                    if 3 in number:
                        _put(registers, number[3], found)
                case "objref":
                    self.counted[to_text(parts[2])] += 1
                case "immediate":
                    verdict = _data(parts[2])
                    assert isinstance(verdict, tuple)
                    return verdict
                case _:
                    raise NotImplementedError(name)
        return CONTINUE, ""

    def _look_up(self, name: str, registers: bytearray, start: int) -> Value | None:
        elements = self.elements[name]
        size = len(next(iter(elements), b""))
        return elements.get(bytes(registers[start : start + size]))


def _place(register: int) -> int:
    """Registers of sixteen bytes, and the same ones as four of four bytes each."""
    return (register - 8) * 4 if register >= 8 else (register - 1) * 16


def _put(registers: bytearray, register: int, value: bytes) -> None:
    start = _place(register)
    registers[start : start + len(value)] = value


def _meta(key: int, frame: Frame) -> bytes:
    family = b"\2" if frame.source.version == 4 else b"\12"
    return {
        6: ifname(frame.incoming),
        7: ifname(frame.outgoing),
        15: family.ljust(4, b"\0"),
        16: bytes((frame.protocol,)).ljust(4, b"\0"),
    }[key]


def _payload(number: dict[int, int], frame: Frame) -> bytes:
    base, offset, size = number[2], number[3], number[4]
    if base == 2:
        return frame.transport[offset : offset + size]
    place, width = (12, 4) if frame.source.version == 4 else (8, 16)
    header = bytes(place) + frame.source.packed + frame.destination.packed
    assert offset in (place, place + width)
    assert size == width
    return header[offset : offset + size]


def _expressions(data: bytes) -> Iterator[Expression]:
    for _, expression in attributes(data):
        parts = dict(attributes(expression))
        yield to_text(parts[1]), tuple(attributes(parts.get(2, b"")))


def _elements(data: bytes) -> Iterator[tuple[bytes, Value]]:
    for _, element in attributes(data):
        parts = dict(attributes(element))
        key = _data(parts[1]) if 1 in parts else b""
        assert isinstance(key, bytes)
        closing = b"end" if 3 in parts and key else b""
        yield key + closing, _data(parts[2]) if 2 in parts else b""


def _data(data: bytes) -> Value:
    parts = dict(attributes(data))
    if 1 in parts:
        return parts[1]
    verdict = dict(attributes(parts[2]))
    code = int.from_bytes(verdict[1], "big", signed=True)
    assert code in (ACCEPT, DROP, CONTINUE, JUMP, GOTO, RETURN)
    return code, to_text(verdict[2]) if 2 in verdict else ""
