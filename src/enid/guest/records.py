"""What is written down about a running sandbox, so that the next agent finds it: ``run_dir/instances/<id>.json``.

The setup process writes it *before* the sandbox can outlive anyone (``starting``), and again when init runs
(``running``). Whoever finds a ``starting`` record without its setup process ends that sandbox: it was never announced.
A pid alone proves nothing after a while; pid, start time and the host's boot id together do.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path  # not at run time: the spawner imports this module and shall stay small

STARTING = "starting"
RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Record:
    """One sandbox, as the run directory knows it."""

    id: str
    boot: int
    pid: int
    born: int
    """Start time of ``pid`` in clock ticks after the host's boot (field 22 of ``/proc/<pid>/stat``)."""
    host_boot: str
    state: str
    cgroups: tuple[str, ...] = ()
    leave_network: bool = False
    """Its network is its own affair."""

    @property
    def alive(self) -> bool:
        """Whether that very process still runs (a zombie does not)."""
        return self.host_boot == host_boot() and birth(self.pid) == self.born


def host_boot() -> str:
    """The kernel's id of this boot of the host."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def birth(pid: int) -> int | None:
    """Start time of a live process, or None when there is none (or only its zombie)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def path_of(run_dir: Path, instance_id: str) -> Path:
    """Where an instance's record is."""
    return run_dir / "instances" / f"{instance_id}.json"


def write(path: str, record: Record) -> None:
    """Write it whole or not at all."""
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(asdict(record), file)
    os.replace(temporary, path)


def read(path: Path) -> Record | None:
    """The record at ``path``, or None when there is none."""
    try:
        fields = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return Record(**{**fields, "cgroups": tuple(fields["cgroups"])})


def read_all(run_dir: Path) -> list[Record]:
    """Every record of the run directory."""
    found = [read(path) for path in sorted((run_dir / "instances").glob("*.json"))]
    return [record for record in found if record is not None]
