"""What the metrics of enid's processes have in common: registries, buckets, and the way into a file.

Which numbers there are is each process's own: :mod:`enid.wire.metrics` and :mod:`enid.reconcile.metrics`.
"""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics, generate_latest

from enid import whole_file

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
"""Upper bounds of the buckets of everything that is a duration."""


def registry(process: str = "") -> CollectorRegistry:
    """A registry of this process alone, with its memory, CPU and descriptors.

    :param process: what its names begin with, ``{process}_process_…``.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside each counter
    made = CollectorRegistry()
    ProcessCollector(namespace=process, registry=made)
    return made


def write(path: Path, metrics: CollectorRegistry) -> None:
    """To a file that anyone may read."""
    whole_file.write(path, generate_latest(metrics), 0o644)
