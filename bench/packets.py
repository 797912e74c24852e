"""What a packet pays: traffic from ENI to ENI beside a bare veth pair, and beside itself with many ENIs and rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from statistics import median
from typing import Protocol

from bench.figures import Figure, compared
from bench.measure import Samples, interleave, ratio
from bench.network import network
from bench.plan import Bench, Plan
from bench.traffic.path import Path
from bench.traffic.tcp_bulk import TcpBulk
from bench.traffic.tcp_crr import TcpCrr
from bench.traffic.udp_flood import UdpFlood
from bench.traffic.udp_rr import UdpRr
from bench.wires import bare

MANY_PORTS, MANY_RULES = 1000, 10_000
TURNS = 120
FLAT = 0.97


class Ends(Protocol):
    """Both ends of some traffic over a path."""

    def round(self) -> float: ...

    def close(self) -> None: ...


_TRAFFIC: Mapping[str, tuple[Callable[[Path], Ends], str, float]] = {
    "udp_rr": (UdpRr, "transactions/s", 0.77),
    "tcp_crr": (TcpCrr, "connections/s", 0.75),
    "udp_flood": (UdpFlood, "packets/s", 0.65),
    "tcp_bulk": (TcpBulk, "bytes/s", 0.85),
}
_FRESH = {"tcp_bulk": 12}
"""How often in a run traffic begins anew. Where a connection's buffers happen to lie makes it a fifth faster or slower,
as long as it lasts: one of each path would compare buffers."""
_TRANSLATED = ("udp_rr_nat", 0.72)


def run(plan: Plan) -> Iterable[Figure]:
    with bare() as wire, network() as there:
        paths = {
            "bare": wire,
            "few": there.vpc(1, ports=2, rules=1),
            "many": there.vpc(2, ports=MANY_PORTS, rules=MANY_RULES),
            "public": there.vpc(3, ports=2, rules=1, public=True),
            "public_many": there.vpc(4, ports=MANY_PORTS, rules=MANY_RULES, public=True),
        }
        for name, (kind, unit, goal) in _TRAFFIC.items():
            translated = name == "udp_rr"
            if not any(map(plan.wants, (name, f"flat_{name}", *_translated_names(translated)))):
                continue
            chosen = {key: path for key, path in paths.items() if translated or not key.startswith("public")}
            samples = samples_of(kind, chosen, plan.rounds(TURNS), _FRESH.get(name, 1))
            yield _figure(name, samples, "few", "bare", unit, goal)
            yield _figure(f"flat_{name}", samples, "many", "few", unit, FLAT)
            if translated:
                elastic, its_goal = _TRANSLATED
                yield _figure(elastic, samples, "public", "bare", unit, its_goal)
                yield _figure(f"flat_{elastic}", samples, "public_many", "public", unit, FLAT)


def _translated_names(translated: bool) -> tuple[str, ...]:
    return (_TRANSLATED[0], f"flat_{_TRANSLATED[0]}") if translated else ()


def samples_of(kind: Callable[[Path], Ends], paths: Mapping[str, Path], turns: int, fresh: int = 1) -> Samples:
    """Rounds of this traffic over all the paths, in turns; so often with new ends."""
    samples: Samples = {name: [] for name in paths}
    for _ in range(fresh):
        ends = {name: kind(path) for name, path in paths.items()}
        try:
            for name, found in interleave({name: end.round for name, end in ends.items()}, -(-turns // fresh)).items():
                samples[name] += found
        finally:
            for end in ends.values():
                end.close()
    return samples


def _figure(name: str, samples: Samples, path: str, baseline: str, unit: str, goal: float) -> Figure:
    ours, theirs = samples[path], samples[baseline]
    return compared(name, median(ours), median(theirs), ratio(ours, theirs), unit, goal)


BENCH = Bench(
    "packets",
    (*_TRAFFIC, *(f"flat_{name}" for name in _TRAFFIC), _TRANSLATED[0], f"flat_{_TRANSLATED[0]}"),
    run,
)
