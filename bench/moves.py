"""How long an interface's traffic waits when it is attached or moved through the API, and what a reassigned address
loses: a prober counts packets while a client makes the calls."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Sequence
from statistics import median

from bench.cloud import PORT, Cloud, Instance, Interface, cloud, until
from bench.figures import Figure, at_most
from bench.measure import percentile
from bench.plan import Bench, Plan
from bench.prober import PERIOD, Prober

ATTACHES = 100
MOVES = 100
CRASHES = 40
REASSIGNMENTS = 80
_AROUND = 0.03
"""Seconds the prober runs before and after."""
_PAUSE = 0.5
"""Seconds between two moves: enid deletes what an interface has left behind when it has been quiet for a while."""


def run(plan: Plan) -> Iterable[Figure]:
    with cloud() as there:
        holders = there.launch(2)
        if plan.wants("attach_p50") or plan.wants("attach_p99"):
            yield from attached(there, holders[0], plan.rounds(ATTACHES), "attach")
        if plan.wants("move_p50") or plan.wants("move_p99"):
            yield from _moved(there, holders, plan.rounds(MOVES))
        if plan.wants("move_crashed_p50") or plan.wants("move_crashed_p99"):
            yield from _rescued(there, holders[0], plan.rounds(CRASHES))
        if plan.wants("reassign_lost"):
            yield _reassigned(there, holders, plan.rounds(REASSIGNMENTS))


def spread(name: str, seconds: Sequence[float], middle: float, high: float) -> Iterable[Figure]:
    """The median and the 99th percentile, in milliseconds, with their goals."""
    yield at_most(f"{name}_p50", median(seconds) * 1000, "ms", middle)
    yield at_most(f"{name}_p99", percentile(seconds, 99) * 1000, "ms", high)


def attached(there: Cloud, holder: Instance, rounds: int, name: str) -> Iterable[Figure]:
    """From the call AttachNetworkInterface to the first packet in the instance."""
    return spread(name, attach_times(there, holder, rounds), 10, 50)


def attach_times(there: Cloud, holder: Instance, rounds: int, index: int = 1) -> list[float]:
    """The same, in seconds, each round; at this device index, which is free."""
    interface = there.interface()
    with there.inside(there.vantage.id, holder.id) as (source, place):
        return [_attach(there, interface, holder, index, source, place) for _ in range(rounds)]


def _attach(there: Cloud, interface: Interface, holder: Instance, index: int, source: int, place: int) -> float:
    with Prober(source, [interface.address], PORT, [place], PERIOD / 2).running() as probe:
        time.sleep(_AROUND)
        begun = time.monotonic()
        attachment = there.attach(interface.id, holder.id, index)
        _await_arrival(probe)
        flow = probe.stop()
    there.detach(attachment)
    _await_free(there, interface)
    time.sleep(_PAUSE)
    return flow.first_after(begun)


def _await_arrival(probe: Prober) -> None:
    """At the one holder that there is; and some time more."""
    until("a packet arrives", lambda: probe.has_reached(0), within=10)
    time.sleep(_AROUND)


def _await_free(there: Cloud, interface: Interface) -> None:
    until("detached", lambda: not there.attachment_status(interface.id))


def _moved(there: Cloud, holders: Sequence[Instance], rounds: int) -> Iterable[Figure]:
    """Detach and attach, one after the other: the longest time without a packet at either holder."""
    interface = there.interface()
    gaps = []
    with there.inside(there.vantage.id, *(holder.id for holder in holders)) as (source, *places):
        attachment = there.attach(interface.id, holders[0].id)
        for turn in range(rounds):
            with Prober(source, [interface.address], PORT, places).running() as probe:
                time.sleep(_AROUND)
                there.detach(attachment)
                attachment = there.attach(interface.id, holders[(turn + 1) % 2].id)
                time.sleep(_AROUND)
                gaps.append(probe.stop().gap())
            time.sleep(_PAUSE)
    there.detach(attachment)
    return spread("move", gaps, 25, 60)


def _rescued(there: Cloud, rescuer: Instance, rounds: int) -> Iterable[Figure]:
    """The holder is dead: from the call that detaches by force to the first packet at the next holder."""
    doomed = there.launch(rounds)
    gaps = []
    for holder in doomed:
        interface = there.interface()
        attachment = there.attach(interface.id, holder.id)
        with there.inside(there.vantage.id, rescuer.id) as (source, place):
            with Prober(source, [interface.address], PORT, [place]).running() as probe:
                os.kill(there.enid.init_pid(holder.id), signal.SIGKILL)
                time.sleep(_AROUND)
                begun = time.monotonic()
                there.detach(attachment, force=True)
                attachment = there.attach(interface.id, rescuer.id)
                _await_arrival(probe)
                gaps.append(probe.stop().first_after(begun))
        there.detach(attachment)
        _await_free(there, interface)
        time.sleep(_PAUSE)
    there.terminate([holder.id for holder in doomed])
    return spread("move_crashed", gaps, 25, 60)


def _reassigned(there: Cloud, holders: Sequence[Instance], rounds: int) -> Figure:
    """A secondary address goes from one instance's first interface to the other's and back: packets lost in all."""
    answer = there.client.call(
        "AssignPrivateIpAddresses", NetworkInterfaceId=holders[0].interface, SecondaryPrivateIpAddressCount=1
    )
    address = answer.decode().split("<privateIpAddress>")[1].split("<")[0]
    lost = 0
    with there.inside(there.vantage.id, *(holder.id for holder in holders)) as (source, *places):
        _await_reached(source, address, places[0])
        for turn in range(rounds):
            with Prober(source, [address], PORT, places).running() as probe:
                time.sleep(_AROUND)
                _assign(there, holders[(turn + 1) % 2].interface, address)
                time.sleep(2 * _AROUND)
                lost += probe.stop().lost
    return at_most("reassign_lost", lost, "packets", 0)


def _await_reached(source: int, address: str, place: int) -> None:
    with Prober(source, [address], PORT, [place]).running() as probe:
        time.sleep(0.5)
        if not probe.stop().arrived:
            raise TimeoutError(f"{address} is not reached")


def _assign(there: Cloud, interface: str, address: str) -> None:
    there.client.call(
        "AssignPrivateIpAddresses",
        NetworkInterfaceId=interface,
        AllowReassignment="true",
        **{"PrivateIpAddress.1": address},
    )


BENCH = Bench(
    "moves",
    ("attach_p50", "attach_p99", "move_p50", "move_p99", "move_crashed_p50", "move_crashed_p99", "reassign_lost"),
    run,
)
