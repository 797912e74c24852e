"""Deletes a lab's directory: ``python -m enid.scenarios.sweep DIRECTORY``.

An ordinary user's instances have files of their own uids on their disks, which only root of the user's namespace may
delete; hence a process of its own that becomes that.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

MARK = "enid-"


def main(directory: Path) -> None:
    """Delete it and everything in it; a directory that is no lab's is left alone."""
    if not directory.name.startswith(MARK):
        raise SystemExit(f"{directory} is no lab of enid's")
    if os.geteuid() != 0:
        from enid.supervisor.rootless import enter

        enter()
    shutil.rmtree(directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
