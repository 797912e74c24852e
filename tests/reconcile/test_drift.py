"""What others changed is repaired where it was told of, and by a round; what could not be is tried again."""

from __future__ import annotations

from typing import Any

import pytest
from test_reconciler import Host, host, launch, subnet

from enid.reconcile import drift
from enid.reconcile.drift import Drift
from enid.topology.records import Kind

__all__ = ["host", "subnet"]


def test_a_place_that_was_touched_is_repaired_and_its_guests_told(call: Any, host: Host, subnet: str) -> None:
    instance, eni = launch(call, subnet)
    host.settle()
    host.fabric.touched.add("vpc-1")
    host.reconciler.repair_drifted()
    assert host.fabric.repaired == ["vpc-1"]
    assert [port.id for port in host.guests.refreshed[instance]] == [eni]


def test_what_cannot_be_repaired_is_tried_again(call: Any, host: Host, subnet: str) -> None:
    _, eni = launch(call, subnet)
    host.settle()
    host.fabric.refuse = {(Kind.PORT, eni): "its link cannot be made"}
    host.fabric.touched.add("vpc-1")
    host.reconciler.repair_drifted()
    assert host.port(eni) is None
    host.fabric.refuse = {}
    host.reconciler.retry()
    assert host.port(eni) is not None


def test_a_round_looks_at_everything(call: Any, host: Host, subnet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    instance, _ = launch(call, subnet)
    host.settle()
    monkeypatch.setattr(drift, "ROUND", 0.0)
    host.fabric.touched.add("vpc-1")
    monkeypatch.setattr(host.fabric, "drifted", lambda: ())  # nobody is told
    rounds = Drift(host.reconciler)
    assert rounds.patience(1.0) <= 1.0
    for _ in range(4):
        rounds.work()
    assert host.fabric.repaired[:1] == ["vpc-1"]
    assert instance in host.guests.refreshed


def test_what_is_lost_when_a_place_is_repaired_on_the_way_is_tried_again(
    call: Any, host: Host, subnet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch about one port tells of another one that failed."""
    _, eni = launch(call, subnet)
    host.settle()
    lost = (Kind.PORT, eni)
    carry_out = host.fabric.apply

    def losing(changes: Any) -> Any:
        host.fabric.world.pop(lost, None)
        return {**carry_out(changes), lost: "its guest had no room for it"}

    with monkeypatch.context() as patch:
        patch.setattr(host.fabric, "apply", losing)
        launch(call, subnet)
        host.settle()
    assert host.port(eni) is None
    host.reconciler.retry()
    assert host.port(eni) is not None
