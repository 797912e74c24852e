"""Calls a second, beside the moto server's of the same run: interfaces created, one durable commit each, over several
connections at once, and a thousand described over one. The same clients ask both, in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median
from time import perf_counter

from bench.client import Client, every, first
from bench.figures import Figure, compared
from bench.measure import interleave, ratio
from bench.moto import moto
from bench.plan import Bench, Plan
from bench.site import site

DESCRIBED = 1000
CREATES = 24
"""Created in one round."""
CONNECTIONS = 4


def run(plan: Plan) -> Iterable[Figure]:
    with site() as enid, moto() as other:
        return list(_figures(plan, enid.client, other))


def _figures(plan: Plan, enid: Client, other: Client) -> Iterable[Figure]:
    subnets = {client: _subnet(client) for client in (enid, other)}
    turns = max(plan.rounds(40), 2)
    with _creating(enid, subnets[enid]) as ours, _creating(other, subnets[other]) as theirs:
        samples = interleave({"enid": ours, "moto": theirs}, turns)
    if plan.wants("create_eni"):
        yield _compared("create_eni", samples, "calls/s", 2.0)
    if plan.wants("describe_1000"):
        for client in (enid, other):
            _fill(client, subnets[client])
        samples = interleave({"enid": _describing(enid), "moto": _describing(other)}, plan.rounds(20))
        yield _compared("describe_1000", samples, "calls/s", 10.0)


def _compared(name: str, samples: dict[str, list[float]], unit: str, goal: float) -> Figure:
    ours, theirs = samples["enid"], samples["moto"]
    return compared(name, median(ours), median(theirs), ratio(ours, theirs), unit, goal)


def _subnet(client: Client) -> str:
    vpc = first(client.call("CreateVpc", CidrBlock="10.0.0.0/16"), "vpcId")
    return first(client.call("CreateSubnet", VpcId=vpc, CidrBlock="10.0.0.0/18"), "subnetId")


@contextmanager
def _creating(client: Client, subnet: str) -> Iterator[Callable[[], float]]:
    """A round of creations, a few by each connection."""
    clients = [client.another() for _ in range(CONNECTIONS)]

    def create(one: Client) -> None:
        for _ in range(CREATES // CONNECTIONS):
            one.call("CreateNetworkInterface", SubnetId=subnet)

    def turn() -> float:
        begun = perf_counter()
        list(threads.map(create, clients))
        return CREATES / (perf_counter() - begun)

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        yield turn
    for one in clients:
        one.close()


def _interfaces(client: Client) -> list[str]:
    return every(client.call("DescribeNetworkInterfaces"), "networkInterfaceId")


def _fill(client: Client, subnet: str) -> None:
    """Up to exactly as many interfaces as are described."""
    found = _interfaces(client)
    for _ in range(DESCRIBED - len(found)):
        client.call("CreateNetworkInterface", SubnetId=subnet)


def _describing(client: Client) -> Callable[[], float]:
    def describe() -> float:
        begun = perf_counter()
        found = _interfaces(client)
        elapsed = perf_counter() - begun
        if len(found) != DESCRIBED:
            raise RuntimeError(f"{len(found)} interfaces were described, not {DESCRIBED}")
        return 1 / elapsed

    return describe


BENCH = Bench("api", ("create_eni", "describe_1000"), run)
