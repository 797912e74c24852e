"""Files that others read at any time, and that a kill at any time leaves as they were or as they are to be."""

from __future__ import annotations

from pathlib import Path


def write(path: Path, content: bytes, mode: int | None = None) -> None:
    """In place of what is there, whole or not at all. One process at a time writes a file.

    :param mode: who may do what with it, before anything is in it; by default what the umask leaves.
    """
    draft = path.with_name(path.name + ".new")
    draft.touch()
    if mode is not None:
        draft.chmod(mode)
    draft.write_bytes(content)
    draft.replace(path)
