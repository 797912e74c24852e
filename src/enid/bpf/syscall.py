"""The system call bpf(2): maps, programs, and the types of kernel modules. Descriptors are the caller's to close."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator
from contextlib import suppress

from enid.bpf.assembler import Code

HASH, ARRAY, LONGEST_PREFIX = 1, 2, 11
"""Types of maps. The key of the last one is a length in bits (four bytes) and an address."""
NO_PREALLOCATION = 1
"""Flag of a map: its elements take memory only when they are there."""

_SYSTEM_CALLS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361}
_MAP_CREATE, _MAP_UPDATE, _MAP_DELETE, _PROG_LOAD = 0, 2, 3, 5
_OBJECT_INFO, _BTF_BY_ID, _BTF_NEXT_ID = 15, 19, 23
_CLASSIFIER = 3
_LICENSE = b"GPL\0"
"""What the kernel asks of a program before it may call the kernel's functions."""
_LOG = 1 << 20
_ATTRIBUTES = 128
_BTF_INFO = struct.Struct("=QIIQII")

_libc = ctypes.CDLL(None, use_errno=True)


class Refused(OSError):
    """The verifier does not let a program in; the text is the end of what it said."""


def _call(command: int, attributes: bytes) -> tuple[int, bytes]:
    """The result, and the attributes as the kernel left them.

    :raises OSError: with the kernel's errno; ENOSYS on a machine whose system call we do not know.
    """
    number = _SYSTEM_CALLS.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, f"bpf(2) on {platform.machine()}")
    whole = ctypes.create_string_buffer(attributes, _ATTRIBUTES)
    result = int(_libc.syscall(number, command, whole, _ATTRIBUTES))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result, whole.raw


def _bpf(command: int, attributes: bytes) -> int:
    return _call(command, attributes)[0]


def _address(data: ctypes.Array[ctypes.c_char]) -> int:
    return ctypes.addressof(data)


class Map:
    """A map; ``key_size`` and ``value_size`` in bytes.

    :raises OSError: the kernel does not give it.
    """

    def __init__(self, kind: int, key_size: int, value_size: int, entries: int, name: str, flags: int = 0) -> None:
        head = struct.pack("=IIIII", kind, key_size, value_size, entries, flags)
        self.descriptor = _bpf(_MAP_CREATE, head + bytes(8) + name.encode()[:15])

    def put(self, key: bytes, value: bytes) -> None:
        """Raises OSError when the map is full."""
        key_place, value_place = ctypes.create_string_buffer(key), ctypes.create_string_buffer(value)
        _bpf(_MAP_UPDATE, struct.pack("=IxxxxQQ", self.descriptor, _address(key_place), _address(value_place)))

    def remove(self, key: bytes) -> None:
        """No-op when it is not there."""
        place = ctypes.create_string_buffer(key)
        with suppress(FileNotFoundError):
            _bpf(_MAP_DELETE, struct.pack("=IxxxxQ", self.descriptor, _address(place)))

    def close(self) -> None:
        """Programs that use it keep it."""
        os.close(self.descriptor)


class Program:
    """A program for tc. Where it is attached it stays when this is closed.

    :raises Refused: with what the verifier says.
    :raises OSError: the kernel has no such programs, or not for us.
    """

    def __init__(self, code: Code, name: str) -> None:
        try:
            self.descriptor = _load(code, name, None)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EINVAL):
                raise
            self.descriptor = _load_aloud(code, name)

    def close(self) -> None:
        os.close(self.descriptor)


def _load_aloud(code: Code, name: str) -> int:
    """Once more, listening to the verifier: its log costs more than the loading."""
    log = ctypes.create_string_buffer(_LOG)
    try:
        return _load(code, name, log)
    except OSError as error:
        said = log.value.decode(errors="replace").strip().splitlines()
        raise Refused(error.errno, " | ".join(said[-3:]) or error.strerror) from error


def _load(code: Code, name: str, log: ctypes.Array[ctypes.c_char] | None) -> int:
    instructions = ctypes.create_string_buffer(code.instructions, len(code.instructions))
    license_text = ctypes.create_string_buffer(_LICENSE)
    modules = (ctypes.c_int * (len(code.modules) + 1))(-1, *code.modules)
    attributes = struct.pack(
        "=IIQQIIQII16sIIIIQIIQIIIxxxxQ",
        _CLASSIFIER,
        len(code.instructions) // 8,
        _address(instructions),
        _address(license_text),
        1 if log else 0,
        len(log) if log else 0,
        _address(log) if log else 0,
        0,
        0,
        name.encode()[:15],
        *(0,) * 11,
        ctypes.addressof(modules) if code.modules else 0,
    )
    return _bpf(_PROG_LOAD, attributes)


def _all_types() -> Iterator[int]:
    """The ids of all BTF the kernel holds."""
    place = 0
    with suppress(FileNotFoundError):
        while True:
            _, answer = _call(_BTF_NEXT_ID, struct.pack("=III", place, 0, 0))
            (place,) = struct.unpack_from("=xxxxI", answer)
            yield place


def module_types(module: str) -> int:
    """A descriptor of a kernel module's BTF.

    :raises FileNotFoundError: the kernel holds none of this name.
    """
    for place in _all_types():
        try:
            descriptor = _bpf(_BTF_BY_ID, struct.pack("=I", place))
        except FileNotFoundError:
            continue
        if _name_of(descriptor) == module:
            return descriptor
        os.close(descriptor)
    raise FileNotFoundError(errno.ENOENT, f"no BTF of {module}")


def _name_of(descriptor: int) -> str:
    """What BTF is called; empty for a program's."""
    name = ctypes.create_string_buffer(64)
    info = ctypes.create_string_buffer(_BTF_INFO.pack(0, 0, 0, _address(name), len(name), 0), _BTF_INFO.size)
    _bpf(_OBJECT_INFO, struct.pack("=IIQ", descriptor, len(info), _address(info)))
    *_, of_the_kernel = _BTF_INFO.unpack(info.raw)
    return name.value.decode() if of_the_kernel else ""
