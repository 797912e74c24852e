"""The test's end of :mod:`fuse.sitecustomize`: when the agent or the API of an enid is to die, and how far it came."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_THREE = struct.Struct("=qqq")
ROLES = ("agent", "api")


class Fuse:
    """One role's. It burns down by one with each step of the process, and the process dies at its end."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(_THREE.size))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _THREE.size)
        self._slow = 0

    def light(self, steps: int) -> None:
        """Die at the step of this number from now on."""
        _THREE.pack_into(self._memory, 0, steps, 0, self._slow)

    def put_out(self) -> bool:
        """Nobody dies any more; whether somebody has."""
        left, passed, slow = _THREE.unpack_from(self._memory)
        _THREE.pack_into(self._memory, 0, 0, passed, slow)
        return bool(left < 0)

    def slow(self, milliseconds: int) -> None:
        """Each commit to the disk takes so much longer."""
        self._slow = milliseconds
        _THREE.pack_into(self._memory, 0, 0, 0, milliseconds)

    @property
    def passed(self) -> int:
        """Steps since it was lit."""
        return int(_THREE.unpack_from(self._memory)[1])


@contextmanager
def laid(directory: Path) -> Iterator[dict[str, Fuse]]:
    """Fuses for the processes of an enid that is started in this block."""
    directory.mkdir()
    found = {role: Fuse(directory / role) for role in ROLES}
    before = dict(os.environ)
    os.environ["ENID_TEST_FUSES"] = str(directory)
    folders = [str(Path(__file__).parent / "fuse"), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(folders)
    try:
        yield found
    finally:
        os.environ.clear()
        os.environ.update(before)
