"""What things cost from ten interfaces and rules to ten thousand. It informs, and is drawn in ``docs/performance.md``:
that nothing grows where it must not is what ``flat_…`` and the counts in the tests are judged by."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from statistics import median

from bench.cloud import PORT, ROOM, Cloud, Holder, Instance, cloud
from bench.figures import Figure, told
from bench.launch import killed_agent, rule_changes
from bench.moves import attach_times
from bench.network import network
from bench.packets import samples_of
from bench.plan import Bench, Plan
from bench.traffic.path import Path
from bench.traffic.tcp_crr import TcpCrr
from bench.traffic.udp_rr import UdpRr

SIZES = (10, 100, 1000, 10_000)
QUICK_SIZES = SIZES[:3]
TURNS, ATTACHES, RULES, DESCRIBES, REPLUMBS = 40, 12, 8, 60, 2
AT_ONCE = 50
"""Instances in a call."""
FLOWS = 10
TRAFFIC = {"udp_rr": (UdpRr, "transactions/s"), "tcp_crr": (TcpCrr, "connections/s")}
CALLS = {"attach": "ms", "rule_change": "ms", "describe": "ms", "replumb": "s"}


def name(what: str, size: int) -> str:
    """``udp_rr_at_1000``."""
    return f"{what}_at_{size}"


def run(plan: Plan) -> Iterable[Figure]:
    sizes = QUICK_SIZES if plan.quick else SIZES
    if any(plan.wants(name(what, size)) for what in TRAFFIC for size in sizes):
        yield from _packets(plan, sizes)
    if any(plan.wants(name(what, size)) for what in CALLS for size in sizes):
        yield from _calls(plan, sizes)


def _packets(plan: Plan, sizes: Iterable[int]) -> Iterable[Figure]:
    with network() as there:
        paths: dict[str, Path] = {
            str(size): there.vpc(number, ports=size, rules=size) for number, size in enumerate(sizes, 1)
        }
        for what, (kind, unit) in TRAFFIC.items():
            samples = samples_of(kind, paths, plan.rounds(TURNS))
            for size in sizes:
                yield told(name(what, size), median(samples[str(size)]), unit)


def _calls(plan: Plan, sizes: Iterable[int]) -> Iterable[Figure]:
    with cloud() as there:
        members = there.group("members")
        there.allow(members, PORT, PORT)
        holders: list[Holder] = []
        for size in sizes:
            holders += _fill(there, members, size - len(holders) * (ROOM - 1))
            everyone = [Instance(one.id, part.id, part.address) for one in holders for part in one.interfaces]
            for what, cost in _costs(there, members, everyone, plan).items():
                if plan.wants(name(what, size)):
                    yield told(name(what, size), cost(), CALLS[what])


def _fill(there: Cloud, group: str, missing: int) -> list[Holder]:
    """At least so many interfaces more, on instances that have a place left."""
    made: list[Holder] = []
    while (left := missing - len(made) * (ROOM - 1)) > 0:
        made += there.crowd(min(AT_ONCE, -(-left // (ROOM - 1))), ROOM - 1, group=group)
    return made


def _costs(there: Cloud, group: str, everyone: list[Instance], plan: Plan) -> dict[str, Callable[[], float]]:
    first = everyone[0]
    # The last place of the first holder is free.
    return {
        "attach": lambda: median(attach_times(there, first, plan.rounds(ATTACHES), ROOM - 1)) * 1000,
        "rule_change": lambda: median(rule_changes(there, group, everyone, plan.rounds(RULES))) * 1000,
        "describe": lambda: median(_described(there, first.id) for _ in range(plan.rounds(DESCRIBES))) * 1000,
        "replumb": lambda: killed_agent(there, everyone[:: ROOM - 1][:FLOWS], plan.rounds(REPLUMBS), ROOM - 1)[0],
    }


def _described(there: Cloud, instance: str) -> float:
    """Seconds to describe the interfaces of one instance, found by a filter."""
    begun = time.perf_counter()
    asked = {"Filter.1.Name": "attachment.instance-id", "Filter.1.Value.1": instance}
    answer = there.client.call("DescribeNetworkInterfaces", **asked)
    taken = time.perf_counter() - begun
    if answer.count(b"<networkInterfaceId>") != ROOM - 1:
        raise RuntimeError(f"{instance} was described with other interfaces than its own")
    return taken


BENCH = Bench("sizes", tuple(name(what, size) for what in (*TRAFFIC, *CALLS) for size in SIZES), run, further=True)
