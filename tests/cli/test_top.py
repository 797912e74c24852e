"""``enid top``: what two readings of ``/metrics`` say of the time between them, and what it says when enid is down."""

from __future__ import annotations

import socket
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from enid.cli.scrape import Reading, Span, read, summary

BOUNDS = (0.001, 0.01, 0.1, 1.0)


def reading(at: float, calls: Mapping[str, list[float]], drops: int = 0, started: float = 0.0) -> Reading:
    """What an API that was started at ``started`` would show at ``at``."""
    registry = CollectorRegistry()
    seconds = Histogram("enid_call_seconds", "", ("operation",), buckets=BOUNDS, registry=registry)
    for operation, durations in calls.items():
        for duration in durations:
            seconds.labels(operation).observe(duration)
    Counter("enid_dropped_packets", "", ("vpc", "reason"), registry=registry).labels("vpc-1", "spoof").inc(drops)
    Gauge("process_start_time_seconds", "", registry=registry).set(started)
    Gauge("enid_agent_process_start_time_seconds", "", registry=registry).set(started)
    Gauge("enid_agent_metrics_age_seconds", "", registry=registry).set(2)
    return read(generate_latest(registry).decode(), at)


def test_since_the_start() -> None:
    found = summary(Span(None, reading(110.0, {"A": [0.005] * 20, "B": [0.05]}, started=100.0)))
    assert found["calls_per_second"] == pytest.approx(2.1)
    assert [(row["operation"], row["calls"]) for row in found["operations"]] == [("A", 20), ("B", 1)]
    assert 0.001 < found["operations"][0]["p50"] <= found["operations"][0]["p99"] <= 0.01
    assert found["convergence"]["p50"] is None
    assert found["drops"] == []


def test_between_two_looks() -> None:
    before = reading(200.0, {"A": [0.05] * 1000, "B": [0.5]}, drops=5)
    after = reading(204.0, {"A": [0.05] * 1000 + [0.005] * 8, "B": [0.5]}, drops=45)
    found = summary(Span(before, after))
    assert {row["operation"]: row["per_second"] for row in found["operations"]} == {"A": 2.0, "B": 0.0}
    a, b = found["operations"]
    assert a["p99"] <= 0.01  # the thousand slow ones were before
    assert b["p50"] is None
    assert found["drops"] == [{"vpc": "vpc-1", "reason": "spoof", "packets": 45, "per_second": 10.0}]


def test_a_process_that_was_started_again_counts_from_nothing() -> None:
    before = reading(200.0, {"A": [0.05] * 1000}, started=100.0)
    after = reading(204.0, {"A": [0.05] * 6}, started=201.0)
    assert summary(Span(before, after))["calls_per_second"] == 2.0


@given(st.lists(st.floats(0, 5), min_size=1, max_size=60), st.sampled_from((0.5, 0.9, 0.99)))
def test_a_quantile_lies_in_the_bucket_of_the_observation_it_stands_for(durations: list[float], share: float) -> None:
    found = Span(None, reading(1.0, {"A": durations})).quantile("enid_call_seconds", share, operation="A")
    assert found is not None
    exact = sorted(durations)[max(0, -(-int(share * 100) * len(durations) // 100) - 1)]
    upper = next((bound for bound in BOUNDS if exact <= bound), BOUNDS[-1])
    lower = max((bound for bound in BOUNDS if bound < exact), default=0.0)
    assert min(lower, BOUNDS[-1]) <= found <= upper


class TestCommand:
    def test_nobody_answers(self, enid, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        monkeypatch.setenv("ENID_PORT", str(port))
        result = enid("top", "--once")
        assert (result.code, result.out) == (1, "")
        assert result.err == f"enid: nobody answers at http://127.0.0.1:{port}: `enid up` starts enid\n"
