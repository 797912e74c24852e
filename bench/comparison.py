"""What a packet pays on enid's way and on those people build by hand, in turns in one run. It informs: no goal.

Docker-style hosts have rules in a line, so what a new connection pays grows with the number of containers; the first
packet of each walks them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path as Directory
from shutil import which
from statistics import median

from bench import topologies
from bench.figures import Figure, told
from bench.measure import ratio
from bench.network import network
from bench.packets import Ends, samples_of
from bench.plan import Bench, Plan
from bench.traffic.path import Path
from bench.traffic.tcp_crr import TcpCrr
from bench.traffic.udp_flood import UdpFlood
from bench.traffic.udp_rr import UdpRr
from bench.wires import bare

TURNS = 60
FEW, MANY = 10, 1000
"""Containers, each with a published port."""
_TRAFFIC: Mapping[str, tuple[Callable[[Path], Ends], str]] = {
    "udp_rr": (UdpRr, "transactions/s"),
    "tcp_crr": (TcpCrr, "connections/s"),
    "udp_flood": (UdpFlood, "packets/s"),
}
_WAYS = ("enid", "bridge", "forward", f"docker_{FEW}", f"docker_{MANY}")


def _names(way: str) -> tuple[str, ...]:
    return tuple(f"{way}_{traffic}" for traffic in _TRAFFIC)


def run(plan: Plan) -> Iterable[Figure]:
    with ExitStack() as stack:
        paths = {
            "bare": stack.enter_context(bare()),
            "enid": stack.enter_context(network()).vpc(1, ports=2, rules=1),
            "bridge": stack.enter_context(topologies.bridged()),
            "forward": stack.enter_context(topologies.forwarded()),
        }
        if which("iptables-nft-restore"):
            for containers in (FEW, MANY):
                paths[f"docker_{containers}"] = stack.enter_context(topologies.published(containers))
        else:
            print("     docker: iptables is not installed; `scripts/setup bench` does that", flush=True)
        if not Directory("/sys/module/openvswitch").exists():
            print("     OVS: this kernel has no openvswitch module loaded; it is left out", flush=True)
        for name, (kind, unit) in _TRAFFIC.items():
            if not any(plan.wants(f"{way}_{name}") for way in _WAYS):
                continue
            samples = samples_of(kind, paths, plan.rounds(TURNS))
            for way in [way for way in paths if way != "bare"]:
                ours, theirs = samples[way], samples["bare"]
                yield told(f"{way}_{name}", median(ours), unit, median(theirs), ratio(ours, theirs))


BENCH = Bench("comparison", tuple(name for way in _WAYS for name in _names(way)), run, further=True)
