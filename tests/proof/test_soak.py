"""A network that changes all the time loses no packet and leaves nothing behind.

Calls of all kinds change interfaces, addresses, groups and routes, and undo it; meanwhile flows run. After each window
the network is what it was before, and so must be what the kernel and the processes hold. In a long run what may move a
little (memory, files, the journal) must not grow.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import pytest
import scale
from bench.churn import Churn
from bench.client import first
from bench.cloud import PORT, ROOM, Cloud, Holder, cloud
from bench.growth import Growth, growth
from bench.prober import Prober

from bench import census
from enid.fabric.linux.names import INTERNET
from enid.netlink import namespaces

pytestmark = pytest.mark.root

SECONDS = scale.amount(0, 8 * 3600) - 1
"""How long; in CI not by the clock, but two windows."""
LONG = SECONDS > 0
HOLDERS, EACH = (34, ROOM - 1) if LONG else (3, 5)
"""Instances, and the interfaces each has for good: in the long run some 500, one place at each being left free."""
WINDOW, RATE = 50, 5.0 if LONG else 1000.0
"""Calls, and how many of them a second at most."""
FLOWS, PERIOD = 4, 0.004
SETTLED_WITHIN = 30.0
QUIET = 2.0
"""Seconds without a change, after which nothing more is expected to be cleared away."""
LEFT_BEHIND = 2048
"""Objects of nf_tables that may lie about, until the table is written anew."""


@contextmanager
def flowing(there: Cloud, holders: list[Holder], public: str) -> Iterator[list[Prober]]:
    """Streams within the VPC, and one from the internet to a public address of the first holder."""
    outside = namespaces.open_pinned(there.enid.settings.run_dir / "netns" / INTERNET)
    assert outside is not None
    with ExitStack() as stack:
        inside, *places = stack.enter_context(there.inside(there.vantage.id, *(one.id for one in holders)))
        targets = [one.interfaces[0].address for one in holders]
        streams = [
            Prober(inside, targets, PORT, places, PERIOD),
            Prober(outside, [public], PORT + 1, places[:1], PERIOD),
        ]
        yield [stack.enter_context(stream.running()) for stream in streams]


def public_address(there: Cloud, holder: Holder) -> str:
    answer = there.client.call("AllocateAddress", Domain="vpc")
    allocation, interface = first(answer, "allocationId"), holder.interfaces[0].id
    there.client.call("AssociateAddress", AllocationId=allocation, NetworkInterfaceId=interface)
    return first(answer, "publicIp")


def differences(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """What is not as it was. Of what groups leave behind there may be more, or less once it was cleared away."""
    allowed = {name: LEFT_BEHIND if name.startswith(census.NFT) else 0 for name in before}
    return {name: (before[name], now[name]) for name in before if abs(now[name] - before[name]) > allowed[name]}


def settled(there: Cloud) -> Mapping[str, float]:
    """What is counted when nothing more is being cleared away."""
    deadline = time.monotonic() + SETTLED_WITHIN
    counted, since = census.counts(there.enid.settings), time.monotonic()
    while time.monotonic() - since < QUIET:
        time.sleep(0.1)
        now = census.counts(there.enid.settings)
        if now != counted:
            assert time.monotonic() < deadline, f"never still: {counted} {now}"
            counted, since = now, time.monotonic()
    return counted


def await_the_same(there: Cloud, before: Mapping[str, float]) -> None:
    """What is deleted off the path of a call is gone some time later."""
    deadline = time.monotonic() + SETTLED_WITHIN
    while found := differences(before, census.counts(there.enid.settings)):
        assert time.monotonic() < deadline, f"left behind (before, now): {found}"
        time.sleep(0.1)


def acceptable(grown: Growth) -> bool:
    """Python's memory comes in arenas and the journal is shortened once a minute: some of a swing looks like growth."""
    if grown.name.startswith("memory"):
        return grown.within(0.03, slack=2 << 20)
    return grown.within(0.10, slack=1 << 20 if grown.name == "database" else 300)


def test_churn_loses_nothing_and_leaves_nothing() -> None:
    seed = scale.first_seed()
    print(f"\nSEED={seed}")
    with cloud() as there:
        there.internet()
        holders = there.crowd(HOLDERS, EACH)
        public = public_address(there, holders[0])
        standing = [interface.id for holder in holders for interface in holder.interfaces[1:]]
        churn = Churn(there, [holder.id for holder in holders], standing, seed)
        churn.spend(WINDOW)
        started = census.pids(there.enid.settings)
        before = settled(there)
        samples, sent, begun = [], 0, time.monotonic()
        while time.monotonic() - begun < SECONDS or len(samples) < 2:
            with flowing(there, holders[:FLOWS], public) as streams:
                churn.spend(WINDOW, 1 / RATE)
                for flow in [stream.stop() for stream in streams]:
                    assert flow.lost == 0, f"{flow.lost} of {len(flow.sent)} packets were lost (SEED={seed})"
                    sent += len(flow.sent)
            await_the_same(there, before)
            counted = {**census.counts(there.enid.settings), **census.sizes(there.enid.settings)}
            samples.append((time.monotonic() - begun, counted))
            if LONG:
                print(f"{samples[-1][0]:7.0f} s  {counted}")
        assert census.pids(there.enid.settings) == started, "a process was started again"
        print(f"{churn.calls.total()} calls, {sent} packets, none lost: {dict(churn.calls)}")
        if LONG:
            found = list(growth(samples))
            print("\n".join(grown.line() for grown in found))
            assert [grown.line() for grown in found if not acceptable(grown)] == []
