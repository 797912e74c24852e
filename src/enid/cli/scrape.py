"""The page ``/metrics`` read, and what two readings say of the time between them. How it looks is ``enid top``'s."""

from __future__ import annotations

import math
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from enid.cli.session import Problem

TIMEOUT = 5.0
API, AGENT = "process", "enid_agent_process"
"""What the names of the processes' own metrics begin with."""
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """Every sample at one moment, by name and sorted labels."""

    at: float
    """Seconds since the epoch."""
    samples: dict[str, dict[Labels, float]]

    def value(self, name: str, **labels: str) -> float:
        """0 where there is none."""
        return self.samples.get(name, {}).get(tuple(sorted(labels.items())), 0.0)

    def labelled(self, name: str) -> Iterator[tuple[dict[str, str], float]]:
        for labels, value in self.samples.get(name, {}).items():
            yield dict(labels), value

    def moment(self, process: str) -> float:
        """When the numbers of the process whose metrics begin with this were taken: the agent's are older."""
        return self.at - (self.value("enid_agent_metrics_age_seconds") if process == AGENT else 0.0)


def fetch(endpoint: str) -> str:
    """The page.

    :raises Problem: enid is not up, or its metrics are switched off.
    """
    try:
        with urllib.request.urlopen(f"{endpoint}/metrics", timeout=TIMEOUT) as page:
            return str(page.read().decode())
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise Problem("this enid shows no metrics: it was started with ENID_METRICS=false") from None
        raise Problem(f"{endpoint}/metrics answers {error.code}") from None
    except OSError:
        raise Problem(f"nobody answers at {endpoint}: `enid up` starts enid") from None


def read(page: str, at: float) -> Reading:
    """Parse a page that was fetched at ``at``."""
    samples: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            samples.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return Reading(at, samples)


@dataclass(frozen=True, slots=True)
class Span:
    """The time between two readings; with ``before`` None, since each process started."""

    before: Reading | None
    after: Reading

    def more(self, name: str, **labels: str) -> float:
        """How much a counter has grown. A process that was started again in between counts from 0."""
        now = self.after.value(name, **labels)
        then = self.before.value(name, **labels) if self.before else 0.0
        return now - then if now >= then else now

    def seconds(self, process: str = API) -> float:
        """Its length, in the life of the process whose metrics begin with this."""
        started = self.after.value(f"{process}_start_time_seconds")
        return max(self.after.moment(process) - max(started, self.before.moment(process) if self.before else 0.0), 1e-3)

    def quantile(self, name: str, share: float, **labels: str) -> float | None:
        """Of a histogram's observations in this time; those of a bucket count as evenly spread, as with Prometheus."""
        buckets = []
        for found, _ in self.after.labelled(f"{name}_bucket"):
            le = found.pop("le")
            if found == labels:
                buckets.append((float(le), self.more(f"{name}_bucket", le=le, **labels)))
        buckets.sort()
        rank = share * buckets[-1][1] if buckets else 0.0
        if not rank:
            return None
        lower = below = 0.0
        for bound, count in buckets:
            if count >= rank:
                inside = 0.0 if math.isinf(bound) else (bound - lower) * (rank - below) / (count - below)
                return min(lower + inside, bound)
            lower, below = bound, count
        return lower


def summary(span: Span) -> dict[str, Any]:
    """What `enid top` shows. Times are in seconds, memory in bytes, CPU in processors."""
    seconds, agent_seconds, after = span.seconds(), span.seconds(AGENT), span.after
    operations: list[dict[str, Any]] = []
    for labels, total in after.labelled("enid_call_seconds_count"):
        count = span.more("enid_call_seconds_count", **labels)
        operations.append(
            {
                "operation": labels["operation"],
                "calls": int(total),
                "per_second": count / seconds,
                **_quantiles(span, "enid_call_seconds", **labels),
            }
        )
    operations.sort(key=lambda row: (-row["per_second"], -row["calls"], row["operation"]))
    errors = [{**labels, "answers": int(value)} for labels, value in after.labelled("enid_errors_total")]
    drops = [
        {
            **labels,
            "packets": int(value),
            "per_second": span.more("enid_dropped_packets_total", **labels) / agent_seconds,
        }
        for labels, value in after.labelled("enid_dropped_packets_total")
        if value
    ]
    return {
        "seconds": seconds,
        "calls_per_second": sum(row["per_second"] for row in operations),
        "calls_in_progress": int(after.value("enid_calls_in_progress")),
        "operations": operations,
        "errors": sorted(errors, key=lambda row: -row["answers"]),
        "convergence": {
            **_quantiles(span, "enid_agent_lag_seconds"),
            "retries": int(after.value("enid_agent_retries")),
            "instances": int(after.value("enid_agent_instances")),
            "interfaces": int(after.value("enid_agent_interfaces")),
            "seconds_old": after.value("enid_agent_metrics_age_seconds"),
        },
        "drops": sorted(drops, key=lambda row: (-row["per_second"], -row["packets"])),
        "conntrack": {
            "limit": int(after.value("enid_conntrack_entries_limit")),
            "entries": {labels["vpc"]: int(value) for labels, value in after.labelled("enid_conntrack_entries")},
        },
        "processes": [_process(span, "api", API), _process(span, "agent", AGENT)],
    }


def _quantiles(span: Span, name: str, **labels: str) -> dict[str, float | None]:
    return {"p50": span.quantile(name, 0.5, **labels), "p99": span.quantile(name, 0.99, **labels)}


def _process(span: Span, role: str, prefix: str) -> dict[str, Any]:
    return {
        "process": role,
        "memory": int(span.after.value(f"{prefix}_resident_memory_bytes")),
        "cpu": span.more(f"{prefix}_cpu_seconds_total") / span.seconds(prefix),
        "restarts": int(span.after.value("enid_restarts_total", process=role)),
    }
