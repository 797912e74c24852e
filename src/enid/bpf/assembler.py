"""A small assembler for eBPF: instructions as method calls, jumps to labels, maps and kernel functions by name. Pure.

Enough for a program of a page or two; there is no compiler on the machines enid runs on. Little-endian, as the
processors are that have a JIT compiler for what enid needs.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

_INSTRUCTION = struct.Struct("<BBhi")
_LOAD, _STORE_IMMEDIATE, _STORE = 0x61, 0x62, 0x63
_WIDTHS = {4: 0x00, 2: 0x08, 1: 0x10, 8: 0x18}
_WIDE_IMMEDIATE = 0x18
_MAP_DESCRIPTOR, _KERNEL_FUNCTION = 1, 2
_REGISTER = 0x08
_CALL, _EXIT = 0x85, 0x95
_ARITHMETIC = {"+": 0x07, "-": 0x17, "|": 0x47, "&": 0x57, "<<": 0x67, ">>": 0x77, "=": 0xB7}
_JUMPS = {"": 0x05, "==": 0x15, ">": 0x25, ">=": 0x35, "&": 0x45, "!=": 0x55, "<": 0xA5, "<=": 0xB5}
_INSTRUCTIONS_BEFORE = 1
"""A jump counts from the instruction after it."""


class Register(IntEnum):
    """R0 holds results, R1 to R5 arguments (lost in every call), R6 to R9 what is to survive one; FRAME is the stack's
    upper end."""

    R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, FRAME = range(11)


@dataclass(frozen=True, slots=True)
class KernelFunction:
    """A kernel function a program may call: its BTF id, and of a module's the descriptor of the module's BTF."""

    id: int
    module: int | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """A program ready for the kernel."""

    instructions: bytes
    modules: tuple[int, ...]
    """Descriptors of modules' BTF; a call names the n-th of them as n + 1."""


class Assembler:
    """Comparisons are unsigned, arithmetic has 64 bits. A ``source`` is a register or a number."""

    def __init__(self) -> None:
        self._words: list[tuple[int, int, int, int]] = []
        self._labels: dict[str, int] = {}
        self._jumps: list[tuple[int, str]] = []
        self._maps: list[tuple[int, str]] = []
        self._functions: list[tuple[int, str]] = []

    def _emit(self, code: int, destination: int = 0, source: int = 0, offset: int = 0, immediate: int = 0) -> None:
        self._words.append((code, destination | source << 4, offset, immediate))

    def label(self, name: str) -> None:
        """Here is ``name``."""
        assert name not in self._labels, name
        self._labels[name] = len(self._words)

    def load(self, width: int, destination: Register, base: Register, offset: int) -> None:
        """``destination`` = the ``width`` bytes at ``base + offset``."""
        self._emit(_LOAD | _WIDTHS[width], destination, base, offset)

    def store(self, width: int, base: Register, offset: int, source: Register | int) -> None:
        if isinstance(source, Register):
            self._emit(_STORE | _WIDTHS[width], base, source, offset)
        else:
            self._emit(_STORE_IMMEDIATE | _WIDTHS[width], base, 0, offset, source)

    def do(self, operator: str, destination: Register, source: Register | int) -> None:
        """``destination`` ``operator``= ``source``; with ``=`` a plain move."""
        if isinstance(source, Register):
            self._emit(_ARITHMETIC[operator] | _REGISTER, destination, source)
        else:
            self._emit(_ARITHMETIC[operator], destination, immediate=source)

    def jump(self, label: str) -> None:
        self._jumps.append((len(self._words), label))
        self._emit(_JUMPS[""])

    def jump_if(self, left: Register, operator: str, right: Register | int, label: str) -> None:
        """``&``: if any bit is common."""
        self._jumps.append((len(self._words), label))
        if isinstance(right, Register):
            self._emit(_JUMPS[operator] | _REGISTER, left, right)
        else:
            self._emit(_JUMPS[operator], left, immediate=right)

    def map(self, destination: Register, name: str) -> None:
        """``destination`` = the map."""
        self._maps.append((len(self._words), name))
        self._emit(_WIDE_IMMEDIATE, destination, _MAP_DESCRIPTOR)
        self._emit(0)

    def call(self, helper: int) -> None:
        """A helper, by its number (``BPF_FUNC_…``)."""
        self._emit(_CALL, immediate=helper)

    def call_kernel(self, name: str) -> None:
        """A kernel function (kfunc)."""
        self._functions.append((len(self._words), name))
        self._emit(_CALL, 0, _KERNEL_FUNCTION)

    def exit(self) -> None:
        """Return R0."""
        self._emit(_EXIT)

    def assemble(self, maps: Mapping[str, int], functions: Mapping[str, KernelFunction]) -> Code:
        """:param maps: name → descriptor.

        :raises KeyError: a label, map or function is not there.
        """
        words = list(self._words)
        for place, label in self._jumps:
            code, registers, _, immediate = words[place]
            words[place] = (code, registers, self._labels[label] - place - _INSTRUCTIONS_BEFORE, immediate)
        for place, name in self._maps:
            code, registers, offset, _ = words[place]
            words[place] = (code, registers, offset, maps[name])
        modules = sorted({one.module for one in functions.values() if one.module is not None})
        for place, name in self._functions:
            code, registers, _, _ = words[place]
            function = functions[name]
            home = 0 if function.module is None else modules.index(function.module) + 1
            words[place] = (code, registers, home, function.id)
        return Code(b"".join(_INSTRUCTION.pack(*word) for word in words), tuple(modules))
