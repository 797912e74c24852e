"""What a program may ask of the running kernel: its functions by name, and where members of its structures are."""

from __future__ import annotations

from enid.bpf.assembler import KernelFunction
from enid.bpf.btf import DIRECTORY, VMLINUX, Types
from enid.bpf.syscall import module_types


class Kernel:
    """The running kernel, with ``module`` where that was not built in: then its types are held for good.

    :raises OSError: it does not tell its types, or not to us.
    :raises ValueError: it tells them in a way we do not know.
    """

    def __init__(self, module: str) -> None:
        self._types = Types((DIRECTORY / VMLINUX).read_bytes())
        self._module: int | None = None
        place = DIRECTORY / module
        if place.exists():
            self._types = Types(place.read_bytes(), self._types)
            self._module = module_types(module)

    def function(self, name: str) -> KernelFunction:
        """Raises UnknownType."""
        number = self._types.function(name)
        return KernelFunction(number, self._module if self._types.owns(number) else None)

    def offset(self, structure: str, *path: str) -> int:
        """In bytes. Raises UnknownType."""
        return self._types.offset(structure, *path)
