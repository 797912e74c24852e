"""The way into an instance that ``enid exec`` takes, without the command line, which takes half a second to load."""

from __future__ import annotations

import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from enid.guest.enter import NotRunning, enter
try:
    sys.exit(enter(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
except NotRunning as absent:
    sys.exit(str(absent))
"""


def inside(run_dir: Path, instance_id: str, *argv: str) -> list[str]:
    """The command that runs ``argv`` there."""
    return [sys.executable, "-c", PROGRAM, str(run_dir), instance_id, *argv]
