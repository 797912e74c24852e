"""What the agent says of itself: arithmetic on the way of a change, a file when it is idle."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from doubles import FakeGuests
from prometheus_client.parser import text_string_to_metric_families

from enid.fabric.interface import Load
from enid.fabric.memory import MemoryFabric
from enid.reconcile.metrics import Holdings, Metrics, Report
from enid.reconcile.reconciler import Reconciler
from enid.store.database import Database
from enid.topology.records import Kind

NOTHING = Holdings(0, 0, 0)


def values(metrics: Metrics) -> dict[str, float]:
    """Samples without labels, by name."""
    families = metrics.registry.collect()
    return {sample.name: sample.value for family in families for sample in family.samples if not sample.labels}


def report(metrics: Metrics, path: Path, loads: Mapping[str, Load], held: Holdings = NOTHING) -> Report:
    return Report(metrics, path, lambda: held, lambda: loads)


def test_a_change_is_counted_with_its_lag_and_a_failure(database: Database, call: Any) -> None:
    metrics, fabric = Metrics(), MemoryFabric()
    agent = Reconciler(database, fabric, FakeGuests(), "host-1", lambda: None, metrics=metrics)
    agent.start()
    assert not agent.look()
    assert values(metrics)["enid_agent_step_seconds_count"] == 0
    vpc = call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    fabric.refuse = {(Kind.VPC, vpc): "for the sake of it"}
    assert agent.look()
    found = values(metrics)
    assert found["enid_agent_step_seconds_count"] == found["enid_agent_lag_seconds_count"] == 1
    assert found["enid_agent_behind_entries_sum"] >= 1
    assert found["enid_agent_failures_total"] == 1
    assert found["enid_agent_lag_seconds_sum"] >= found["enid_agent_step_seconds_sum"] > 0
    assert agent.holdings().retries == 1
    fabric.refuse = {}
    agent.retry()
    found = values(metrics)
    assert (found["enid_agent_step_seconds_count"], found["enid_agent_lag_seconds_count"]) == (2, 1)
    assert agent.holdings() == NOTHING


def test_repairs_are_counted(database: Database) -> None:
    metrics, fabric = Metrics(), MemoryFabric()
    agent = Reconciler(database, fabric, FakeGuests(), "host-1", lambda: None, metrics=metrics)
    agent.start()
    fabric.touched |= {"vpc-1", "internet"}
    agent.repair_drifted()
    agent.repair_drifted()
    assert values(metrics)["enid_agent_repairs_total"] == 2


def test_a_change_is_as_old_as_the_awakening_or_else_as_the_look_before(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    metrics = Metrics()
    now = 107.0
    metrics.woken()
    now = 107.5
    assert metrics.looked() == 107.0
    now = 109.0
    assert metrics.looked() == 107.5  # whatever is found came since the last look; nobody slept
    metrics.stepped(107.5, 3, 0)
    assert values(metrics)["enid_agent_lag_seconds_sum"] == 1.5


def test_the_file_has_drops_and_flows_by_vpc_and_anyone_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "agent.prom"
    loads = {"vpc-1": Load({"spoof": 3}, 9), "vpc-2": Load({"spoof": 0}, 0)}
    report(Metrics(), path, loads, Holdings(2, 5, 1)).write_if_due()
    assert path.stat().st_mode & 0o777 == 0o644
    assert [one.name for one in tmp_path.iterdir()] == ["agent.prom"]
    found = {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
    }
    assert found["enid_dropped_packets_total", "spoof", "vpc-1"] == 3
    assert found["enid_conntrack_entries", "vpc-1"] == 9
    assert found["enid_agent_instances",] == 2
    assert found["enid_agent_interfaces",] == 5
    assert found["enid_agent_retries",] == 1


def test_it_is_written_every_five_seconds_and_seldom_where_that_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, cost = 0.0, 0.0
    asked: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def loads() -> Mapping[str, Load]:
        nonlocal now
        asked.append(now)
        now += cost
        return {}

    there = Report(Metrics(), tmp_path / "agent.prom", lambda: NOTHING, loads)

    def written_at(*times: float) -> list[float]:
        nonlocal now
        asked.clear()
        for moment in times:
            now = moment
            there.write_if_due()
        return list(asked)

    assert written_at(1000.0, 1001.0, 1004.9, 1005.1) == [1000.0, 1005.1]
    cost = 0.2  # many VPCs
    assert written_at(1010.2, 1015.6, 1030.0, 1031.0) == [1010.2, 1031.0]


def test_a_fabric_that_does_not_answer_costs_a_line_in_the_log_and_leaves_the_last_file(tmp_path: Path) -> None:
    path = tmp_path / "agent.prom"
    path.write_text("as it was")

    def away() -> Mapping[str, Load]:
        raise OSError("netlink")

    Report(Metrics(), path, lambda: NOTHING, away).write_if_due()
    assert path.read_text() == "as it was"
