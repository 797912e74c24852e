"""What a program may ask of the running kernel: its functions by name, and where members of its structures are."""

from __future__ import annotations

from enid.bpf.btf import DIRECTORY, VMLINUX, Types


class Kernel:
    """The running kernel, with ``module`` where that was not built in.

    :raises OSError: it does not tell its types, or not to us.
    :raises ValueError: it tells them in a way we do not know.
    """

    def __init__(self, module: str) -> None:
        self._types = Types((DIRECTORY / VMLINUX).read_bytes())
        place = DIRECTORY / module
        self._module = place.exists()
        if self._module:
            self._types = Types(place.read_bytes(), self._types)

    def function(self, name: str) -> tuple[int, bool]:
        """Its BTF id, and whether it is the module's. Raises UnknownType."""
        number = self._types.function(name)
        return number, self._module and self._types.owns(number)

    def offset(self, structure: str, *path: str) -> int:
        """In bytes. Raises UnknownType."""
        return self._types.offset(structure, *path)
