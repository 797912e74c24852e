"""Kernel settings of a network namespace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from enid.netlink.namespaces import run_in


def write(namespace: int, settings: Mapping[str, int | str]) -> None:
    """Set ``net/…`` settings in a namespace; a setting this kernel does not have is left out."""

    def inside() -> None:
        for name, value in settings.items():
            path = Path("/proc/sys") / name
            if path.exists():
                path.write_text(str(value))

    run_in(namespace, inside)


def read(namespace: int, names: Iterable[str]) -> dict[str, str]:
    """What ``net/…`` settings are in a namespace. Raises FileNotFoundError for one this kernel does not have."""

    def inside() -> dict[str, str]:
        return {name: (Path("/proc/sys") / name).read_text().strip() for name in names}

    return run_in(namespace, inside)


def differ(namespace: int, settings: Mapping[str, int | str]) -> bool:
    """Whether one of ``net/…`` settings that this kernel has is another than given."""

    def inside() -> bool:
        paths = {Path("/proc/sys") / name: str(value) for name, value in settings.items()}
        return any(path.read_text().strip() != value for path, value in paths.items() if path.exists())

    return run_in(namespace, inside)
