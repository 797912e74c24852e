"""Programs and maps in the kernel: they do what the assembler's words say."""

from __future__ import annotations

import os
import platform
import struct
from collections.abc import Iterator
from contextlib import closing

import pytest

from enid.bpf import syscall
from enid.bpf.assembler import Assembler, KernelFunction, Register
from enid.bpf.syscall import ARRAY, HASH, NO_PREALLOCATION, Map, Program, Refused

pytestmark = pytest.mark.root
R0, R1, R2, R3, *_, FRAME = Register
_TEST_RUN = 10
PACKET = bytes(range(64))


@pytest.fixture(autouse=True)
def allowed() -> None:
    try:
        Map(ARRAY, 4, 4, 1, "probe").close()
    except OSError as error:
        pytest.skip(f"no BPF here: {error}")


def run(program: Assembler, **maps: Map) -> int:
    """What it returns, for one packet."""
    code = program.assemble({name: one.descriptor for name, one in maps.items()}, {})
    with closing(Program(code, "test")) as loaded:
        packet = syscall.ctypes.create_string_buffer(PACKET, len(PACKET))
        place = syscall.ctypes.addressof(packet)
        _, answer = syscall._call(_TEST_RUN, struct.pack("=IIIIQQ", loaded.descriptor, 0, len(PACKET), 0, place, 0))
        return int(struct.unpack_from("=I", answer, 4)[0])


@pytest.mark.parametrize(
    ("operator", "result"), [("+", 23), ("-", 17), ("|", 23), ("&", 0), ("<<", 160), (">>", 2), ("=", 3)]
)
@pytest.mark.parametrize("by_register", [False, True])
def test_arithmetic(operator: str, result: int, by_register: bool) -> None:
    program = Assembler()
    program.do("=", R0, 20)
    program.do("=", R2, 3)
    program.do(operator, R0, R2 if by_register else 3)
    program.exit()
    assert run(program) == result


@pytest.mark.parametrize(
    ("left", "operator", "right", "taken"),
    [
        (5, "==", 5, True), (5, "==", 6, False), (5, "!=", 6, True), (5, ">", 5, False), (5, ">=", 5, True),
        (5, "<", 6, True), (5, "<=", 4, False), (6, "&", 2, True), (6, "&", 1, False), (-1, ">", 1, True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("by_register", [False, True])
def test_jumps(left: int, operator: str, right: int, taken: bool, by_register: bool) -> None:
    program = Assembler()
    program.do("=", R1, left)
    program.do("=", R2, right)
    program.do("=", R0, 1)
    program.jump_if(R1, operator, R2 if by_register else right, "end")
    program.do("=", R0, 0)
    program.label("end")
    program.exit()
    assert run(program) == int(taken)


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_loads_and_stores_of_every_width(width: int) -> None:
    program = Assembler()
    program.store(8, FRAME, -8, 0)
    program.do("=", R2, 0x11223344)
    program.store(width, FRAME, -8, R2)
    program.load(width, R0, FRAME, -8)
    program.exit()
    assert run(program) == 0x11223344 & ((1 << 8 * width) - 1)


@pytest.fixture
def ports() -> Iterator[Map]:
    with closing(Map(HASH, 4, 8, 2, "ports", NO_PREALLOCATION)) as made:
        yield made


def lookup(wanted: int) -> Assembler:
    """Returns the first half of what the map has for a key."""
    program = Assembler()
    program.store(4, FRAME, -4, wanted)
    program.map(R1, "ports")
    program.do("=", R2, FRAME)
    program.do("+", R2, -4)
    program.call(1)
    program.jump_if(R0, "==", 0, "end")
    program.load(4, R0, R0, 0)
    program.label("end")
    program.exit()
    return program


def test_a_program_sees_what_is_put_and_removed(ports: Map) -> None:
    key = struct.pack("=I", 7)
    assert run(lookup(7), ports=ports) == 0
    ports.put(key, struct.pack("=II", 42, 0))
    assert run(lookup(7), ports=ports) == 42
    ports.put(key, struct.pack("=II", 43, 0))
    assert run(lookup(7), ports=ports) == 43
    ports.remove(key)
    ports.remove(key)
    assert run(lookup(7), ports=ports) == 0


def test_a_full_map_says_so(ports: Map) -> None:
    def fill() -> None:
        for number in range(200):
            ports.put(struct.pack("=I", number), bytes(8))

    with pytest.raises(OSError, match="list too long"):
        fill()


def test_the_verifiers_words_are_passed_on() -> None:
    program = Assembler()
    program.load(4, R0, R3, 0)
    program.exit()
    with pytest.raises(Refused, match="R3 !read_ok"):
        run(program)


def test_a_modules_types_are_handed_over_with_the_program() -> None:
    """There may be no module here; so the kernel's own types pretend to be one, and are found out."""
    program = Assembler()
    program.call_kernel("function")
    program.exit()
    types = syscall.module_types("vmlinux")
    try:
        with pytest.raises(Refused, match="not a module"):
            Program(program.assemble({}, {"function": KernelFunction(1, types)}), "test")
    finally:
        os.close(types)


def test_descriptors_are_given_back() -> None:
    before = os.listdir("/proc/self/fd")
    program = Assembler()
    program.do("=", R0, 0)
    program.exit()
    run(program)
    assert os.listdir("/proc/self/fd") == before


def test_a_machine_we_do_not_know_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    with pytest.raises(OSError, match="pdp11"):
        Map(ARRAY, 4, 4, 1, "no")


def test_a_module_that_is_not_there_is_not_found() -> None:
    with pytest.raises(FileNotFoundError, match="no_such_module"):
        syscall.module_types("no_such_module")


def test_the_kernels_own_types_can_be_had_by_name() -> None:
    os.close(syscall.module_types("vmlinux"))
