"""The kernel's types: found by name, in what the kernel says of itself and in what a module adds."""

from __future__ import annotations

import struct

import pytest

from enid.bpf.btf import DIRECTORY, VMLINUX, Types, UnknownType

INT, POINTER, ARRAY, STRUCT, UNION, ENUM, FORWARD, CONST, FUNCTION, PROTOTYPE = 1, 2, 3, 4, 5, 6, 7, 10, 12, 13


class Writer:
    """BTF in the making. Ids go on from ``first_id``, strings from ``first_string``."""

    def __init__(self, first_id: int = 1, first_string: int = 0) -> None:
        self.strings = b"" if first_string else b"\0"
        self.types = b""
        self.next_id, self._first_string = first_id, first_string
        self._known = {"": 0}

    def _string(self, text: str) -> int:
        if text not in self._known:
            self._known[text] = self._first_string + len(self.strings)
            self.strings += text.encode() + b"\0"
        return self._known[text]

    def add(self, kind: int, name: str, size: int, extra: bytes = b"", members: int = 0, flag: bool = False) -> int:
        self.types += struct.pack("<III", self._string(name), kind << 24 | members | flag << 31, size) + extra
        self.next_id += 1
        return self.next_id - 1

    def compound(self, kind: int, name: str, *members: tuple[str, int, int], bitfields: bool = False) -> int:
        """Members: (name, type, offset in bits)."""
        extra = b"".join(struct.pack("<III", self._string(called), of, at) for called, of, at in members)
        return self.add(kind, name, 64, extra, len(members), bitfields)

    def bytes(self) -> bytes:
        head = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(self.types), len(self.types), len(self.strings))
        return head + self.types + self.strings


@pytest.fixture
def vmlinux() -> Writer:
    made = Writer()
    number = made.add(INT, "int", 4, bytes(4))
    made.add(ENUM, "colours", 4, bytes(16), members=2)
    made.add(ARRAY, "", 0, bytes(12))
    made.add(FORWARD, "flow", 0)
    made.compound(STRUCT, "flow")
    tcp = made.compound(STRUCT, "tcp", ("seen", number, 0), ("state", number, 96))
    proto = made.compound(UNION, "", ("tcp", tcp, 0), ("word", number, 0))
    inner = made.compound(STRUCT, "", ("mark", number, 32))
    constant = made.add(CONST, "", proto)
    made.compound(STRUCT, "flow", ("use", number, 0), ("", inner, 64), ("proto", constant, 128))
    made.compound(STRUCT, "packed", ("low", number, 3 << 24), ("high", number, 2 << 24 | 40), bitfields=True)
    prototype = made.add(PROTOTYPE, "", number, bytes(8), members=1)
    made.add(FUNCTION, "look_up", prototype)
    return made


def test_a_member_is_found_through_names_and_nameless_ones(vmlinux: Writer) -> None:
    types = Types(vmlinux.bytes())
    assert types.offset("flow", "use") == 0
    assert types.offset("flow", "mark") == 12
    assert types.offset("flow", "proto", "tcp", "state") == 16 + 12
    assert types.offset("packed", "high") == 5


def test_a_function_is_found_by_its_name(vmlinux: Writer) -> None:
    assert Types(vmlinux.bytes()).function("look_up") == vmlinux.next_id - 1


def test_a_module_goes_on_where_vmlinux_ends(vmlinux: Writer) -> None:
    module = Writer(vmlinux.next_id, len(vmlinux.strings))
    module.compound(STRUCT, "options", ("way", 1, 0), ("zone", 1, 64))
    module.compound(STRUCT, "wrapped", ("flow", vmlinux.next_id - 4, 64))
    function = module.add(FUNCTION, "release", vmlinux.next_id - 2)
    types = Types(module.bytes(), Types(vmlinux.bytes()))
    assert types.function("release") == function
    assert types.owns(function)
    assert types.offset("options", "zone") == 8
    assert types.offset("wrapped", "flow", "mark") == 8 + 12
    assert types.offset("flow", "mark") == 12
    assert not types.owns(types.function("look_up"))


@pytest.mark.parametrize("path", [("flow", "colour"), ("flow", "use", "less"), ("nobody", "home"), ("int", "x")])
def test_what_is_not_there_is_named(vmlinux: Writer, path: tuple[str, ...]) -> None:
    with pytest.raises(UnknownType, match=path[0]):
        Types(vmlinux.bytes()).offset(*path)
    with pytest.raises(UnknownType, match="flow"):
        Types(vmlinux.bytes()).function("flow")


def test_what_we_do_not_understand_is_refused() -> None:
    future = Writer()
    future.add(30, "new", 0)
    with pytest.raises(ValueError, match="kind 30"):
        Types(future.bytes())
    with pytest.raises(ValueError, match="BTF"):
        Types(bytes(100))


@pytest.mark.skipif(not (DIRECTORY / VMLINUX).exists(), reason="this kernel tells no types")
def test_the_running_kernel_is_understood() -> None:
    types = Types((DIRECTORY / VMLINUX).read_bytes())
    assert types.offset("list_head", "prev") == struct.calcsize("P")
    assert types.function("bpf_task_acquire") > 0
