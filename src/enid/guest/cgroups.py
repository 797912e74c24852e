"""Sizes sandboxes: one cgroup per instance, unified or per controller, whichever the host has.

A path is unique per enid (a checksum of its run directory). Where enid may not make cgroups (an ordinary user without
delegation) instances are simply not limited. The pure part (:func:`limits_for`) is apart from the I/O.
"""

from __future__ import annotations

import os
from binascii import crc32
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from enid.guest.plan import Limit

if TYPE_CHECKING:
    from pathlib import Path  # not at run time: the spawner imports this module and shall stay small

_WANTED = ("cpu", "memory", "pids")
_PERIOD_US = 100_000


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A directory below which instances' cgroups are made, and the controllers it has."""

    directory: str
    unified: bool
    controllers: frozenset[str]


def limits_for(
    hierarchies: Iterable[Hierarchy], instance_id: str, memory_mib: int, vcpus: int, processes: int
) -> tuple[Limit, ...]:
    """The cgroups of an instance of that size."""
    found = []
    for hierarchy in hierarchies:
        values: list[tuple[str, str]] = []
        if "memory" in hierarchy.controllers:
            values.append(("memory.max" if hierarchy.unified else "memory.limit_in_bytes", str(memory_mib << 20)))
        if "pids" in hierarchy.controllers:
            values.append(("pids.max", str(processes)))
        if "cpu" in hierarchy.controllers and hierarchy.unified:
            values.append(("cpu.max", f"{vcpus * _PERIOD_US} {_PERIOD_US}"))
        elif "cpu" in hierarchy.controllers:
            values += [("cpu.cfs_period_us", str(_PERIOD_US)), ("cpu.cfs_quota_us", str(vcpus * _PERIOD_US))]
        found.append(Limit(f"{hierarchy.directory}/{instance_id}", tuple(values)))
    return tuple(found)


def prepare(run_dir: Path, mounts: str = "/proc/self/mounts") -> tuple[Hierarchy, ...]:
    """Make this enid's own directory in every hierarchy that lets it; empty when none does."""
    key = format(crc32(os.fsencode(run_dir.resolve())), "08x")
    hierarchies = []
    for line in _read(mounts).splitlines():
        _, mount_point, kind, options, *_ = line.split(" ")
        with suppress(OSError):
            if kind == "cgroup2":
                hierarchies.append(_prepare_unified(mount_point, key))
            elif kind == "cgroup":
                hierarchies.append(_prepare_legacy(mount_point, frozenset(options.split(",")), key))
    return tuple(found for found in hierarchies if found.controllers)


def _prepare_legacy(mount_point: str, options: frozenset[str], key: str) -> Hierarchy:
    controllers = options & frozenset(_WANTED)
    directory = f"{mount_point}/enid/{key}"
    if controllers:
        os.makedirs(directory, exist_ok=True)
        _check_writable(directory)
    return Hierarchy(directory, False, controllers)


def _prepare_unified(mount_point: str, key: str) -> Hierarchy:
    """Below the root if that is allowed, else beside the agent's own cgroup (systemd delegates that to a user)."""
    own = _read("/proc/self/cgroup").rpartition("0::/")[2].strip()
    beside = os.path.dirname(f"{mount_point}/{own}")
    top = mount_point if os.access(mount_point, os.W_OK) else beside
    directory = f"{top}/enid/{key}"
    available = frozenset(_read(f"{top}/cgroup.controllers").split()) & frozenset(_WANTED)
    if not available:
        return Hierarchy(directory, True, available)
    os.makedirs(directory, exist_ok=True)
    _check_writable(directory)
    enabled = [name for name in available if all(_enable(parent, name) for parent in (top, f"{top}/enid", directory))]
    return Hierarchy(directory, True, frozenset(enabled))


def _enable(directory: str, controller: str) -> bool:
    try:
        _write(f"{directory}/cgroup.subtree_control", f"+{controller}")
    except OSError:
        return False
    return True


def _check_writable(directory: str) -> None:
    probe = f"{directory}/probe-{os.getpid()}"
    os.mkdir(probe)
    os.rmdir(probe)


def enter(limits: Sequence[Limit]) -> tuple[str, ...]:
    """Make the cgroups and move the calling process into them; returns the paths entered."""
    entered = []
    for limit in limits:
        os.makedirs(limit.path, exist_ok=True)
        for name, value in limit.values:
            _write(f"{limit.path}/{name}", value)
        _write(f"{limit.path}/cgroup.procs", "0")
        entered.append(limit.path)
    return tuple(entered)


def join(paths: Iterable[str]) -> None:
    """Move the calling process into cgroups that exist."""
    for path in paths:
        with suppress(OSError):
            _write(f"{path}/cgroup.procs", "0")


def remove(paths: Iterable[str]) -> bool:
    """Remove empty cgroups; false when one still has a process (try again later)."""
    gone = True
    for path in paths:
        try:
            os.rmdir(path)
        except FileNotFoundError:
            continue
        except OSError:
            gone = False
    return gone


def discard(hierarchies: Iterable[Hierarchy]) -> None:
    """Remove this enid's own directories where no instance is left in them."""
    for hierarchy in hierarchies:
        with suppress(OSError):
            os.rmdir(hierarchy.directory)
            os.rmdir(os.path.dirname(hierarchy.directory))


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _write(path: str, value: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(value)
