"""The API's numbers, and the page that shows them together with the agent's.

The page is unsigned: it names operations that are there, error codes of enid's own and ids of VPCs, and nothing that a
client sent.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from enid import exposition
from enid.settings import PROCESSES, Settings
from enid.store.database import Database

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Metrics:
    """Of one API. Thread-safe."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._registry = exposition.registry()
        self._calls = Histogram(
            "enid_call_seconds",
            "Calls answered, by what they took, settling included.",
            ("operation",),
            buckets=exposition.SECONDS,
            registry=self._registry,
        )
        self._errors = Counter(
            "enid_errors", "Calls answered with an error.", ("operation", "code"), registry=self._registry
        )
        self._in_progress = Gauge("enid_calls_in_progress", "Calls not answered yet.", registry=self._registry)
        self._settling = Histogram(
            "enid_settling_seconds",
            "How long calls waited for the agent; settled is no where they were answered before it was done.",
            ("settled",),
            buckets=exposition.SECONDS,
            registry=self._registry,
        )
        self._registry.register(self)

    @contextmanager
    def call(self) -> Iterator[float]:
        """A call is in progress in this block, which gets its beginning."""
        self._in_progress.inc()
        try:
            yield time.perf_counter()
        finally:
            self._in_progress.dec()

    def answered(self, operation: str, code: str, begun: float) -> None:
        """:param code: of an error; empty when there was none."""
        self._calls.labels(operation).observe(time.perf_counter() - begun)
        if code:
            self._errors.labels(operation, code).inc()

    def settled(self, settled: bool, begun: float) -> None:
        """A call has waited since ``begun``."""
        self._settling.labels("yes" if settled else "no").observe(time.perf_counter() - begun)

    def page(self) -> bytes:
        """In Prometheus' text format: the API's, then the agent's as it last wrote them."""
        return generate_latest(self._registry) + _read(self._settings.agent_metrics)

    def describe(self) -> list[Metric]:
        """Registering asks for names; nothing is collected for that."""
        return []

    def collect(self) -> Iterator[Metric]:
        """What is read when it is asked for."""
        writers = self._database.writers
        yield CounterMetricFamily("enid_commits", "Transactions committed on SQLite.", writers.commits)
        yield CounterMetricFamily("enid_committed_writes", "Writes that shared these commits.", writers.writes)
        restarts = CounterMetricFamily(
            "enid_restarts", "Processes that died and were started again.", labels=["process"]
        )
        for role in PROCESSES:
            restarts.add_metric([role], int(_read(self._settings.restarts(role)) or 0))
        yield restarts
        age = GaugeMetricFamily("enid_agent_metrics_age_seconds", "Since the agent last wrote its metrics.")
        if (written := _written(self._settings.agent_metrics)) is not None:
            age.add_metric((), max(0.0, time.time() - written))
        yield age


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _written(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
