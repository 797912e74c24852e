"""How much fits: two thousand interfaces in two hundred VPCs on one host. How soon they are up, what each takes, and
what they do to an attach."""

from __future__ import annotations

import time
from collections.abc import Iterable
from statistics import median

from bench.cloud import Cloud, Holder, cloud
from bench.figures import Figure, at_most, told
from bench.launch import SETTLED, available, raise_descriptor_limit
from bench.moves import attach_times
from bench.plan import Bench, Plan

VPCS, QUICK_VPCS = 200, 20
EACH = 10
"""Interfaces of a VPC, all of one instance."""
ATTACHES = 40
FIGURES = (
    "density_up",
    "density_memory_per_eni",
    "density_enis_per_gib",
    "density_attach_p50",
    "density_attach_flat",
)


def run(plan: Plan) -> Iterable[Figure]:
    raise_descriptor_limit()
    with cloud() as there:
        (holder,) = there.launch(1)
        alone = median(attach_times(there, holder, plan.rounds(ATTACHES)))
        before, begun = available(), time.monotonic()
        vpcs = QUICK_VPCS if plan.quick else VPCS
        there.await_running(list(_fill(there, vpcs)))
        yield told("density_up", time.monotonic() - begun, "s")
        time.sleep(SETTLED)
        each = (before - available()) / (vpcs * EACH)
        yield told("density_memory_per_eni", each / 1024, "KiB")
        yield told("density_enis_per_gib", 2**30 / each, "interfaces")
        crowded = median(attach_times(there, holder, plan.rounds(ATTACHES)))
        yield at_most("density_attach_p50", crowded * 1000, "ms", 10)
        yield told("density_attach_flat", crowded * 1000, "ms", alone * 1000, crowded / alone)


def _fill(there: Cloud, vpcs: int) -> Iterable[Holder]:
    for _ in range(vpcs):
        yield from Cloud(there.enid, vantage=False).crowd(1, EACH, wait=False)


BENCH = Bench("density", FIGURES, run, further=True)
