"""The agent's numbers: how long its steps take, how far it is behind, what it holds, what its fabric drops.

On the way of a change there is arithmetic and nothing else. What has to be asked of the kernel is asked when the file
is written, which is when the agent has nothing else to do. The file is read by the API: the agent answers nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from prometheus_client import Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from enid import exposition
from enid.fabric.interface import Load

log = structlog.get_logger()

WRITE_EVERY = 5.0
"""Seconds between two files."""
SHARE = 100
"""Writing takes at most one part in so many of the agent's time, however many VPCs have to be asked."""
_ENTRIES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the agent has now."""

    instances: int
    interfaces: int
    retries: int
    """Keys that are to be looked at again."""


class Metrics:
    """Of one agent. Not thread-safe, as the agent is not."""

    def __init__(self) -> None:
        self.registry = exposition.registry("enid_agent")
        self._steps = Histogram(
            "enid_agent_step_seconds",
            "Steps that had something to do, by duration.",
            buckets=exposition.SECONDS,
            registry=self.registry,
        )
        self._lag = Histogram(
            "enid_agent_lag_seconds",
            "From a change in the journal until it was carried out and its status written, at most.",
            buckets=exposition.SECONDS,
            registry=self.registry,
        )
        self._behind = Histogram(
            "enid_agent_behind_entries",
            "Keys in the journal that a look found waiting.",
            buckets=_ENTRIES,
            registry=self.registry,
        )
        self._failures = Counter(
            "enid_agent_failures", "Records that could not be carried out, each attempt.", registry=self.registry
        )
        self._repairs = Counter(
            "enid_agent_repairs",
            "Places where others had changed what is enid's, and that were put right.",
            registry=self.registry,
        )
        self._woken = self._looked = time.monotonic()

    def woken(self) -> None:
        """News ended the agent's sleep: there was none before."""
        self._woken = time.monotonic()

    def looked(self) -> float:
        """The journal is about to be read; answers since when, at the earliest, what is found there can have been.

        That is the end of the last sleep or, when there was none in between, the look before.
        """
        since, self._looked = max(self._woken, self._looked), time.monotonic()
        return since

    def repaired(self) -> None:
        """What others had done was undone somewhere."""
        self._repairs.inc()

    def stepped(self, since: float, entries: int, failures: int) -> None:
        """A step is done. ``since`` is what :meth:`looked` answered."""
        now = time.monotonic()
        self._steps.observe(now - self._looked)
        self._failures.inc(failures)
        if entries:
            self._behind.observe(entries)
            self._lag.observe(now - since)


class Report:
    """The file, written now and then."""

    def __init__(
        self,
        metrics: Metrics,
        path: Path,
        holdings: Callable[[], Holdings],
        loads: Callable[[], Mapping[str, Load]],
    ) -> None:
        self._registry = metrics.registry
        self._path = path
        self._holdings = holdings
        self._loads = loads
        self._next = 0.0
        self._registry.register(self)

    def write_if_due(self) -> None:
        """What cannot be written, or asked, is told in the log and tried again the next time."""
        begun = time.monotonic()
        if begun < self._next:
            return
        try:
            exposition.write(self._path, self._registry)
        except OSError as error:
            log.warning("no metrics written", reason=str(error))
        now = time.monotonic()
        self._next = now + max(WRITE_EVERY, SHARE * (now - begun))

    def describe(self) -> list[Metric]:
        """Registering asks for names; nothing is collected for that."""
        return []

    def collect(self) -> Iterator[Metric]:
        """What is read when it is asked for."""
        held = self._holdings()
        yield GaugeMetricFamily("enid_agent_instances", "Live instances.", held.instances)
        yield GaugeMetricFamily("enid_agent_interfaces", "Interfaces that are plugged in.", held.interfaces)
        yield GaugeMetricFamily("enid_agent_retries", "Keys that wait to be looked at again.", held.retries)
        dropped = CounterMetricFamily("enid_dropped_packets", "Packets a VPC has dropped.", labels=("vpc", "reason"))
        flows = GaugeMetricFamily("enid_conntrack_entries", "Flows a VPC tracks.", labels=("vpc",))
        for vpc, load in self._loads().items():
            flows.add_metric((vpc,), load.flows)
            for reason, packets in load.drops.items():
                dropped.add_metric((vpc, reason), packets)
        yield dropped
        yield flows
        limit = GaugeMetricFamily("enid_conntrack_entries_limit", "Flows a VPC can track.")
        if (most := most_flows()) is not None:
            limit.add_metric((), most)
        yield limit


def most_flows() -> int | None:
    """The kernel's limit, which holds for each namespace by itself; ``None`` where it cannot be read."""
    try:
        return int(Path("/proc/sys/net/netfilter/nf_conntrack_max").read_text())
    except OSError:
        return None
