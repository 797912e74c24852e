"""The kernel's own types (BTF): the ids of functions a program may call, and where a structure's members are.

Only what that takes is read: one pass over some hundred thousand types, a tenth of a second. A module's types go on
where those of ``vmlinux`` end, and so do its strings.
"""

from __future__ import annotations

import struct
from array import array
from pathlib import Path

DIRECTORY = Path("/sys/kernel/btf")
VMLINUX = "vmlinux"

_HEADER = struct.Struct("<HBBIIIII")
_TYPE = struct.Struct("<III")
_MEMBER = struct.Struct("<III")
_MAGIC = 0xEB9F
_STRUCT, _UNION, _TYPEDEF, _VOLATILE, _CONST, _RESTRICT, _FUNCTION, _TAG = 4, 5, 8, 9, 10, 11, 12, 18
_MODIFIERS = {_TYPEDEF, _VOLATILE, _CONST, _RESTRICT, _TAG}
_EXTRA = {1: (4, 0), 3: (12, 0), 4: (0, 12), 5: (0, 12), 6: (0, 8), 13: (0, 8), 14: (4, 0), 15: (0, 12), 17: (4, 0)}
_EXTRA[19] = (0, 12)
"""Kind → bytes after the type: fixed, and per member. Kinds that are not here have none."""
_LAST_KIND = 19


class UnknownType(Exception):
    """The kernel does not have a function, a structure or a member of this name."""


class Types:
    """The types in ``data``; ``base`` those it goes on from.

    :raises ValueError: this is no BTF as we know it.
    """

    def __init__(self, data: bytes, base: Types | None = None) -> None:
        magic, version, _, length, types, types_size, strings, strings_size = _HEADER.unpack_from(data)
        if magic != _MAGIC or version != 1:
            raise ValueError("not BTF version 1")
        self._base = base
        self._data = data
        self._strings = b"\0" + data[length + strings : length + strings + strings_size]
        self._first_id: int = base._end_id if base else 1
        self._first_string: int = base._end_string if base else 0
        self._places = self._index(length + types, length + types + types_size)
        self._end_id: int = self._first_id + len(self._places)
        self._end_string: int = self._first_string + strings_size

    def _index(self, place: int, end: int) -> array[int]:
        """Where each type is."""
        places = array("I")
        data, unpack = self._data, _TYPE.unpack_from
        while place < end:
            places.append(place)
            _, info, _ = unpack(data, place)
            kind = info >> 24 & 0x1F
            if kind > _LAST_KIND:
                raise ValueError(f"BTF of unknown kind {kind}")
            fixed, each = _EXTRA.get(kind, (0, 0))
            place += _TYPE.size + fixed + each * (info & 0xFFFF)
        return places

    def _name(self, name: str) -> set[int]:
        """The offsets that stand for a name: here, and in the base if it has it."""
        found = self._base._name(name) if self._base else set()
        place = self._strings.find(b"\0" + name.encode() + b"\0")
        return found | {self._first_string + place} if place >= 0 else found

    def _find(self, name: str, kind: int) -> int:
        """A function, or a structure with members: here, or in the base."""
        wanted, data, unpack = self._name(name), self._data, _TYPE.unpack_from
        for number, place in enumerate(self._places):
            offset, info, _ = unpack(data, place)
            if offset in wanted and info >> 24 & 0x1F == kind and (kind == _FUNCTION or info & 0xFFFF):
                return self._first_id + number
        if self._base is None:
            raise UnknownType(name)
        return self._base._find(name, kind)

    def function(self, name: str) -> int:
        """The id of a function. Raises UnknownType."""
        return self._find(name, _FUNCTION)

    def owns(self, number: int) -> bool:
        """Whether a type is one of these, not one of the base's."""
        return number >= self._first_id

    def offset(self, structure: str, *path: str) -> int:
        """How many bytes into a structure a member of a member … is. Raises UnknownType."""
        found, bits = self._find(structure, _STRUCT), 0
        for member in path:
            step = self._member(found, member)
            if step is None:
                raise UnknownType(f"{structure}.{'.'.join(path)}")
            bits, found = bits + step[0], step[1]
        return bits // 8

    def _type(self, number: int) -> tuple[Types, int]:
        """Who holds a type, and where."""
        if number < self._first_id and self._base:
            return self._base._type(number)
        return self, self._places[number - self._first_id]

    def _member(self, number: int, name: str) -> tuple[int, int] | None:
        """(offset in bits, type) of a member, also of one in a nameless structure or union within."""
        holder, place = self._type(number)
        _, info, target = _TYPE.unpack_from(holder._data, place)
        kind = info >> 24 & 0x1F
        if kind in _MODIFIERS:
            return self._member(target, name)
        if kind not in (_STRUCT, _UNION):
            return None
        wanted = self._name(name)
        for index in range(info & 0xFFFF):
            called, kind_of, offset = _MEMBER.unpack_from(holder._data, place + _TYPE.size + index * _MEMBER.size)
            bits = offset & 0xFFFFFF if info >> 31 else offset
            if called in wanted:
                return bits, kind_of
            if not called and (deeper := self._member(kind_of, name)):
                return bits + deeper[0], deeper[1]
        return None
