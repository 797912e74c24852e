"""Programs as bytes: what the kernel's own documents say an instruction looks like."""

from __future__ import annotations

import struct

import pytest

from enid.bpf.assembler import Assembler, KernelFunction, Register

R0, R1, R2, *_, FRAME = Register


def words(program: Assembler, **maps: int) -> list[tuple[int, int, int, int, int]]:
    """(code, destination, source, offset, immediate) of each instruction."""
    code = program.assemble(maps, {}).instructions
    return [(op, regs & 15, regs >> 4, offset, value) for op, regs, offset, value in struct.iter_unpack("<BBhi", code)]


def test_loads_and_stores() -> None:
    program = Assembler()
    program.load(2, R1, R2, 12)
    program.store(8, FRAME, -16, R1)
    program.store(4, FRAME, -4, 7)
    assert words(program) == [(0x69, 1, 2, 12, 0), (0x7B, 10, 1, -16, 0), (0x62, 10, 0, -4, 7)]


def test_a_source_is_a_register_or_a_number() -> None:
    program = Assembler()
    program.do("=", R0, R1)
    program.do("=", R0, 1)
    program.do("+", R0, -1)
    program.call(155)
    program.exit()
    assert words(program) == [
        (0xBF, 0, 1, 0, 0),
        (0xB7, 0, 0, 0, 1),
        (0x07, 0, 0, 0, -1),
        (0x85, 0, 0, 0, 155),
        (0x95, 0, 0, 0, 0),
    ]


def test_jumps_count_from_the_next_instruction_both_ways() -> None:
    program = Assembler()
    program.label("begin")
    program.jump_if(R1, "==", 5, "end")
    program.jump_if(R1, "!=", R2, "begin")
    program.jump("end")
    program.label("end")
    assert words(program) == [(0x15, 1, 0, 2, 5), (0x5D, 1, 2, -2, 0), (0x05, 0, 0, 0, 0)]


def test_a_map_takes_two_instructions_and_jumps_count_both() -> None:
    program = Assembler()
    program.jump("end")
    program.map(R1, "ports")
    program.label("end")
    assert words(program, ports=9) == [(0x05, 0, 0, 2, 0), (0x18, 1, 1, 0, 9), (0, 0, 0, 0, 0)]


def test_a_modules_function_is_called_by_its_place_among_the_modules() -> None:
    program = Assembler()
    for name in ("own", "theirs", "others"):
        program.call_kernel(name)
    functions = {"own": KernelFunction(11), "theirs": KernelFunction(22, 40), "others": KernelFunction(33, 30)}
    code = program.assemble({}, functions)
    calls = list(struct.iter_unpack("<BBhi", code.instructions))
    assert calls == [(0x85, 0x20, 0, 11), (0x85, 0x20, 2, 22), (0x85, 0x20, 1, 33)]
    assert code.modules == (30, 40)


@pytest.mark.parametrize("mistake", [lambda a: a.jump("x"), lambda a: a.map(R1, "x"), lambda a: a.call_kernel("x")])
def test_a_name_nobody_gave_is_an_error(mistake: object) -> None:
    program = Assembler()
    mistake(program)  # type: ignore[operator]
    with pytest.raises(KeyError, match="x"):
        program.assemble({}, {})
