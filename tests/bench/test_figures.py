"""Figures: what is reached, what is missed, and how it is written down. No figure is measured here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bench.figures import at_most, compared, told
from bench.measure import interleave, percentile, ratio
from bench.plan import Bench, Plan
from bench.prober import Flow
from bench.series import series
from bench.table import BEGIN, END, between, generated


@pytest.mark.parametrize(("value", "ok"), [(9.9, True), (10.0, True), (10.1, False)])
def test_a_figure_that_should_be_small(value: float, ok: bool) -> None:
    figure = at_most("attach_p50", value, "ms", 10)
    assert figure.ok is ok
    assert figure.as_json()["goal"] == "<= 10 ms"


@pytest.mark.parametrize(("reached", "ok"), [(0.769, False), (0.77, True), (1.0, True)])
def test_a_figure_beside_its_baseline_is_judged_by_the_ratio(reached: float, ok: bool) -> None:
    figure = compared("udp_rr", 5.0, 1_000_000.0, reached, "transactions/s", 0.77)
    assert figure.ok is ok
    assert figure.line().startswith("ok" if ok else "MISS")
    assert figure.as_json() | {"ok": ok, "ratio": reached, "goal": ">= 0.77"} == figure.as_json()


def test_a_ratio_is_the_median_of_the_turns() -> None:
    assert ratio([1.0, 20.0, 3.0], [2.0, 20.0, 4.0]) == 0.75


def test_variants_take_turns_forwards_and_backwards() -> None:
    order: list[str] = []
    samples = interleave({name: lambda name=name: order.append(name) or 1.0 for name in "ab"}, 2)  # type: ignore[misc]
    assert "".join(order) == "ab" + "ab" + "ba"
    assert samples == {"a": [1.0, 1.0], "b": [1.0, 1.0]}


def test_the_percentile_is_the_smallest_value_that_so_many_do_not_exceed() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert (percentile(values, 99), percentile(values, 50), percentile(values, 100)) == (99.0, 50.0, 100.0)
    assert percentile([7.0], 99) == 7.0


def test_a_flow_tells_its_gap_its_losses_and_its_first_arrivals() -> None:
    flow = Flow(sent=[0.0, 0.001, 0.002, 0.010, 0.011], arrived=[0, 3, 4])
    assert flow.lost == 2
    assert flow.gap() == pytest.approx(0.010)
    assert flow.first_after(0.002) == pytest.approx(0.008)
    assert flow.last_of_first(2, 0.0) == pytest.approx(0.010), "datagrams 0 and 4 went to target 0, 3 to target 1"
    with pytest.raises(ValueError, match="1 of 3 received nothing"):
        flow.last_of_first(3, 0.0005)


def test_the_environment_chooses_what_is_measured() -> None:
    bench = Bench("moves", ("attach_p50", "reassign_lost"), lambda plan: [])
    assert bench.wanted(Plan.of({})) == Plan()
    assert bench.wanted(Plan.of({"QUICK": "1", "ONLY": "moves"})) == Plan(quick=True)
    chosen = bench.wanted(Plan.of({"ONLY": "reassign_lost, udp_rr"}))
    assert chosen is not None
    assert chosen.wants("reassign_lost")
    assert not chosen.wants("attach_p50")
    assert bench.wanted(Plan.of({"ONLY": "udp_rr"})) is None
    assert not Plan.of({"QUICK": "0"}).quick
    assert (Plan(quick=True).rounds(100), Plan().rounds(100), Plan(quick=True).rounds(4)) == (25, 100, 2)


def test_a_figure_without_a_goal_only_informs() -> None:
    figure = told("bridge_udp_rr", 5.0, "transactions/s", 6.0, 5 / 6)
    assert figure.ok
    assert figure.as_json()["goal"] == ""
    assert "goal" not in figure.line()


def test_what_takes_its_time_is_measured_when_it_is_asked_for() -> None:
    bench = Bench("failover", ("failover_eni_p50",), lambda plan: [], further=True)
    assert bench.wanted(Plan.of({})) is None
    assert bench.wanted(Plan.of({"ALL": "1", "QUICK": "1"})) == Plan(quick=True)
    assert bench.wanted(Plan.of({"ONLY": "failover"})) == Plan()
    chosen = bench.wanted(Plan.of({"ONLY": "failover_eni_p50"}))
    assert chosen is not None
    assert not chosen.wants("failover_route_p50")


def test_a_flow_is_told_apart_by_holder() -> None:
    flow = Flow(sent=[0.0, 0.001, 0.002, 0.003], arrived=[0, 1, 3], heard=[[0, 1], [3]])
    assert flow.at(1).first_after(0.0) == pytest.approx(0.003)
    assert flow.at(0).since(0.001) == 1


def _entries() -> list[dict[str, Any]]:
    figures = [at_most("replumb_lost", 3, "packets", 0), told("vrrp_p50", 12.5, "ms")]
    figures += [told(f"attach_at_{size}", size / 10, "ms") for size in (100, 10, 1000)]
    return [figure.as_json() for figure in figures]


def test_the_tables_take_their_place_in_the_page() -> None:
    machine = {"processors": 2, "kernel": "6.18", "python": "3.11"}
    text = generated({"machine": machine, "figures": _entries()}, series(_entries()))
    page = between(f"before\n{BEGIN}\nold\n{END}\nafter\n", text)
    assert "| `replumb_lost` | 3 packets |  |  | <= 0 packets | **no** |" in page
    assert "| `vrrp_p50` | 12.5 ms |  |  |  |  |" in page
    assert "| `attach`, ms | 1 | 10 | 100 |" in page
    assert "attach_at" not in page
    assert "(performance/attach.svg)" in page
    assert "old" not in page
    assert page.startswith("before\n")
    assert page.endswith("\nafter\n")
    with pytest.raises(ValueError, match="no place"):
        between("a page", "a table")


def test_a_plot_is_drawn_the_same_each_time(tmp_path: Path) -> None:
    plots = pytest.importorskip("bench.plots", reason="matplotlib comes with scripts/setup bench")
    (drawn,) = series(_entries())
    pages = []
    for name in ("one.svg", "two.svg"):
        plots.draw(drawn, tmp_path / name)
        pages.append((tmp_path / name).read_text())
    assert pages[0] == pages[1]
    assert "1,000" in pages[0]
