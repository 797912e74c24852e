"""What a flow misses when what it is sent to fails over, by what is moved: an interface, one of its addresses, an
Elastic IP, a route, or the interface a route leads to; from a healthy holder and from one that is dead. Beside it
keepalived does the same by VRRP.

A holder that is dead answers nobody, but in every other round its network outlives it: who crashed may still listen.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_interface
from statistics import median

from bench import vrrp
from bench.client import first
from bench.cloud import PORT, Cloud, Instance, cloud, until
from bench.figures import Figure, at_most, told
from bench.measure import percentile
from bench.plan import Bench, Plan
from bench.prober import Flow, Prober
from enid.fabric.linux.names import INTERNET
from enid.netlink import namespaces
from enid.netlink.addresses import add_address
from enid.netlink.socket import RouteSocket

MOVES = 100
PERIOD = 0.0005
"""A flow of 2 kHz."""
P50, P99 = 25.0, 60.0
"""Milliseconds."""
_AROUND = 0.04
_LOOPBACK = 1
_PAUSE = 0.4
"""Seconds after something was detached: enid deletes what is left behind when it is quiet."""


class Kind:
    """What is moved. ``target`` is what the flow is sent to."""

    pause = 0.0
    from_internet = False
    on_loopback = False
    """The holders have the target as an address of their own, on no interface."""

    def __init__(self, there: Cloud) -> None:
        self.there = there
        self.call = there.client.call
        self.target = ""

    def hold(self, holder: Instance) -> None:
        """Put it at a holder, in peace."""
        self.move(holder)

    def move(self, holder: Instance, *, force: bool = False) -> float:
        """Move it to another holder; answers when the old one was said to be out of it, if that is said."""
        raise NotImplementedError


class Eni(Kind):
    """DetachNetworkInterface, by force if the holder is dead, and AttachNetworkInterface."""

    pause = _PAUSE

    def __init__(self, there: Cloud) -> None:
        super().__init__(there)
        made = there.interface()
        self.interface, self.target = made.id, made.address
        self._attachment = ""

    def hold(self, holder: Instance) -> None:
        if self._attachment:
            self.there.detach(self._attachment)
            until("detached", lambda: not self.there.attachment_status(self.interface))
        self._attachment = self.there.attach(self.interface, holder.id)

    def move(self, holder: Instance, *, force: bool = False) -> float:
        self.there.detach(self._attachment, force=force)
        fenced = time.monotonic()
        self._attachment = self.there.attach(self.interface, holder.id)
        return fenced


class Address(Kind):
    """AssignPrivateIpAddresses with AllowReassignment."""

    def __init__(self, there: Cloud) -> None:
        super().__init__(there)
        (keeper,) = there.launch(1)
        answer = self.call(
            "AssignPrivateIpAddresses", NetworkInterfaceId=keeper.interface, SecondaryPrivateIpAddressCount=1
        )
        self.target = first(answer.partition(b"<assignedPrivateIpAddressesSet>")[2], "privateIpAddress")

    def move(self, holder: Instance, *, force: bool = False) -> float:
        self.call(
            "AssignPrivateIpAddresses",
            NetworkInterfaceId=holder.interface,
            AllowReassignment="true",
            **{"PrivateIpAddress.1": self.target},
        )
        return math.inf


class ElasticIp(Kind):
    """AssociateAddress with AllowReassociation; the flow comes from the internet."""

    from_internet = True

    def __init__(self, there: Cloud) -> None:
        super().__init__(there)
        answer = self.call("AllocateAddress", Domain="vpc")
        self._allocation, self.target = first(answer, "allocationId"), first(answer, "publicIp")

    def move(self, holder: Instance, *, force: bool = False) -> float:
        self.call(
            "AssociateAddress",
            AllocationId=self._allocation,
            NetworkInterfaceId=holder.interface,
            AllowReassociation="true",
        )
        return math.inf


class RouteKind(Kind):
    """ReplaceRoute, from an interface of one holder to one of another."""

    on_loopback = True
    block, target_address = "203.0.113.0/24", "203.0.113.9"

    def __init__(self, there: Cloud) -> None:
        super().__init__(there)
        self.target = self.target_address
        self._action = "CreateRoute"

    def move(self, holder: Instance, *, force: bool = False) -> float:
        self.route(holder.interface)
        return math.inf

    def hold(self, holder: Instance) -> None:
        self.transit(holder.interface)
        self.move(holder)

    def transit(self, interface: str) -> None:
        """Let it take what is not for itself."""
        self.call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=interface, **{"SourceDestCheck.Value": "false"})

    def route(self, interface: str) -> None:
        table = self.there.routes
        self.call(self._action, RouteTableId=table, DestinationCidrBlock=self.block, NetworkInterfaceId=interface)
        self._action = "ReplaceRoute"


class RoutedEni(Eni):
    """A route stays, and the interface it leads to moves."""

    on_loopback = True

    def __init__(self, there: Cloud) -> None:
        super().__init__(there)
        way = RouteKind(there)
        way.block, self.target = "198.51.100.0/24", "198.51.100.9"
        way.transit(self.interface)
        way.route(self.interface)


KINDS: Mapping[str, type[Kind]] = {
    "eni": Eni,
    "address": Address,
    "elastic_ip": ElasticIp,
    "route": RouteKind,
    "routed_eni": RoutedEni,
}


@dataclass(slots=True)
class Toll:
    """What the moves of one kind cost: gaps in seconds, and what reached an old holder after it was fenced."""

    gaps: list[float] = field(default_factory=list)
    strays: int = 0


def run(plan: Plan) -> Iterable[Figure]:
    rounds = plan.rounds(MOVES)
    wanted = [name for name in KINDS if any(map(plan.wants, _names(name)))]
    if wanted:
        with cloud() as there:
            there.internet()
            for name in wanted:
                yield from _kind(there, name, rounds)
    if any(map(plan.wants, vrrp.FIGURES)):
        yield from _vrrp(rounds)


def _names(kind: str) -> tuple[str, ...]:
    gaps = (f"failover_{kind}{state}_{part}" for state in ("", "_crashed") for part in ("p50", "p99"))
    return (*gaps, f"failover_{kind}_strays")


def _kind(there: Cloud, name: str, rounds: int) -> Iterable[Figure]:
    moved = KINDS[name](there)
    healthy, crashed = _healthy(there, moved, rounds), _crashed(there, moved, rounds)
    for state, toll in (("", healthy), ("_crashed", crashed)):
        yield at_most(f"failover_{name}{state}_p50", median(toll.gaps) * 1000, "ms", P50)
        yield at_most(f"failover_{name}{state}_p99", percentile(toll.gaps, 99) * 1000, "ms", P99)
    yield at_most(f"failover_{name}_strays", healthy.strays + crashed.strays, "packets", 0)


def _healthy(there: Cloud, moved: Kind, rounds: int) -> Toll:
    """There and back between two instances: the longest time without a packet at either."""
    holders, toll = there.launch(2), Toll()
    if moved.on_loopback:
        for holder in holders:
            RouteKind(there).transit(holder.interface)
    _settle(there, moved, holders[0])
    with _places(there, moved, holders) as (source, places):
        for turn in range(rounds):
            old, new = turn % 2, (turn + 1) % 2
            with _flowing(source, moved, [places[old], places[new]]) as probe:
                fenced = moved.move(holders[new])
                flow = _end(probe, 1)
            toll.gaps.append(flow.gap())
            toll.strays += _strays(flow, 0, 1, fenced)
            time.sleep(moved.pause)
    return toll


def _crashed(there: Cloud, moved: Kind, rounds: int) -> Toll:
    """The holder is dead: from the call to the first packet at the next one."""
    (rescuer,), doomed, toll = there.launch(1), there.launch(rounds), Toll()
    if moved.on_loopback:
        RouteKind(there).transit(rescuer.interface)
    for turn, holder in enumerate(doomed):
        _settle(there, moved, holder)
        # In every other round nobody but init keeps the network alive.
        heard = [rescuer] if turn % 2 else [rescuer, holder]
        with _places(there, moved, heard) as (source, places):
            with _flowing(source, moved, places) as probe:
                os.kill(there.enid.init_pid(holder.id), signal.SIGKILL)
                time.sleep(_AROUND)
                begun = time.monotonic()
                fenced = moved.move(rescuer, force=True)
                flow = _end(probe, 0)
        toll.gaps.append(flow.at(0).first_after(begun))
        toll.strays += _strays(flow, 1, 0, fenced) if len(places) > 1 else 0
        time.sleep(moved.pause)
    there.terminate([holder.id for holder in doomed])
    return toll


def _settle(there: Cloud, moved: Kind, holder: Instance) -> None:
    """Put it at a holder, and wait until packets come there."""
    moved.hold(holder)
    with _places(there, moved, [holder]) as (source, places):
        with Prober(source, [moved.target], PORT, places, PERIOD).running() as probe:
            until("the holder is reached", lambda: probe.has_reached(0), within=10)


@contextmanager
def _places(there: Cloud, moved: Kind, holders: Sequence[Instance]) -> Iterator[tuple[int, Sequence[int]]]:
    """Where the flow comes from, and the holders' networks."""
    with there.inside(there.vantage.id, *(holder.id for holder in holders)) as (inside, *places):
        for place in places if moved.on_loopback else ():
            with RouteSocket(place) as route:
                route.batch([add_address(_LOOPBACK, ip_interface(moved.target))])
        outside = namespaces.open_pinned(there.enid.settings.run_dir / "netns" / INTERNET)
        assert outside is not None
        try:
            yield (outside if moved.from_internet else inside), places
        finally:
            os.close(outside)


@contextmanager
def _flowing(source: int, moved: Kind, places: Sequence[int]) -> Iterator[Prober]:
    with Prober(source, [moved.target], PORT, places, PERIOD).running() as probe:
        time.sleep(_AROUND)
        yield probe


def _end(probe: Prober, new: int) -> Flow:
    """When the new holder has been reached, and some time more."""
    until("the new holder is reached", lambda: probe.has_reached(new), within=10)
    time.sleep(_AROUND)
    return probe.stop()


def _strays(flow: Flow, old: int, new: int, fenced: float) -> int:
    """What the old holder got of what was sent after it was fenced: at the latest when the new one got something."""
    return flow.at(old).since(min(fenced, flow.sent[flow.heard[new][0]]))


def _vrrp(rounds: int) -> Iterable[Figure]:
    """Informs: its gap after a crash has the detection in it, which with AWS and enid is somebody else's."""
    for name, gaps in vrrp.gaps(rounds).items():
        yield told(f"{name}_p50", median(gaps) * 1000, "ms")
        yield told(f"{name}_p99", percentile(gaps, 99) * 1000, "ms")


BENCH = Bench("failover", (*(name for kind in KINDS for name in _names(kind)), *vrrp.FIGURES), run, further=True)
