"""``kill -9`` of the agent, the API, or both, at any moment and at every step: nothing acknowledged is lost.

Clients call without pause, flows run between two instances, and processes die: at random moments, and at the n-th step
of each kind of change (:mod:`fuse.sitecustomize` says what a step is). What clients were told is compared with the
store after each call (:mod:`acts`), and the kernel with the store (:mod:`kernel_truth`) when all has come to rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import acts
import fuses
import pytest
import running_flows
import scale
from acts import Act
from crash_world import Actor, CrashWorld, Founder, Stream
from fuses import Fuse
from kernel_truth import Truth

from enid.settings import Quotas
from whole_enid import Enid, running_enid, until

pytestmark = [pytest.mark.root, pytest.mark.timeout(scale.amount(1800, 36_000))]

KILLS = scale.amount(66, 540)
"""Some come to nothing: a change may take a step less than it took before. about 60 and 500 are left."""
_AT_STEPS = KILLS * 2 // 3
_PEACE_EVERY = 5
"""Kills at random moments between two looks at the kernel."""
CONVERGED = 3.0
"""Seconds after a restart in which all is as it should be, on a machine that has nothing else to do."""
_PATIENCE = scale.patience(10)
"""Times as long on a busy one."""


@pytest.fixture
def lit(tmp_path: Path) -> Iterator[dict[str, Fuse]]:
    with fuses.laid(tmp_path / "fuses") as found:
        yield found


@pytest.fixture
def enid(lit: dict[str, Fuse]) -> Iterator[Enid]:
    with running_enid(quotas=Quotas(vpcs=100, addresses=100)) as enid:
        yield enid


@pytest.fixture
def truth(enid: Enid, tmp_path: Path) -> Iterator[Truth]:
    truth = Truth(enid.settings, tmp_path / "truth")
    yield truth
    truth.close()


class Recovery:
    """Watches enid come back, and notes how long it takes."""

    def __init__(self, enid: Enid, truth: Truth) -> None:
        self._enid, self._truth = enid, truth
        self.seconds: list[float] = []

    def came_back(self, before: dict[str, int]) -> None:
        """Of these roles other processes run."""
        for role, pid in before.items():
            until(f"the {role} is started again", lambda role=role, pid=pid: self._enid.pid(role) != pid, 60)

    def converged(self, where: str) -> None:
        """Nothing is on its way, and the kernel is what the store says; from now on it may take this long."""
        begun, found = time.monotonic(), [""]
        while found and time.monotonic() < begun + _PATIENCE * CONVERGED:
            found = self._truth.unsettled() or self._truth.complaints()
            time.sleep(0.2 if found else 0)  # looking costs what the agent needs
        assert not found, "\n".join([f"not converged after {where}:", *map(str, found[:20])])
        self.seconds.append(time.monotonic() - begun)

    def report(self) -> str:
        took = sorted(self.seconds)
        return f"{len(took)} times converged, seconds: median {took[len(took) // 2]:.2f}, longest {took[-1]:.2f}"


def test_killed_at_random_moments(enid: Enid, truth: Truth) -> None:
    seed = scale.first_seed()
    print(f"SEED={seed}")
    random, world, recovery = Random(seed), CrashWorld(enid), Recovery(enid, truth)
    clients = [Actor(world, number) for number in range(1, 5)]
    founder = Founder(world, "random")
    calls = kills = 0
    with running_flows.running(enid, *_ends(world)) as flow:
        while kills < KILLS - _AT_STEPS:
            with Stream([*(_acting(client, random) for client in clients), _founding(founder, random)]) as stream:
                for _ in range(min(_PEACE_EVERY, KILLS - _AT_STEPS - kills)):
                    time.sleep(random.uniform(0.1, 1.0))
                    roles = random.choice([("agent",), ("api",), ("agent", "api"), ("services", "agent")])
                    recovery.came_back({role: enid.kill(role) for role in roles})
                    kills += 1
            calls += stream.calls
            recovery.converged(f"{kills} kills, SEED={seed}")
    print(f"{kills} kills at random moments, {calls} calls, {flow.sent} datagrams; {recovery.report()}")
    assert calls > kills
    assert flow.complaints() == []


def _ends(world: CrashWorld) -> tuple[str, str, str]:
    return world.one["InstanceId"], world.two["InstanceId"], world.two["PrivateIpAddress"]


def _acting(client: Actor, random: Random) -> Callable[[], None]:
    return lambda: void(acts.perform(client.some_act(random)))


def _founding(founder: Founder, random: Random) -> Callable[[], None]:
    def step() -> None:
        for act in random.choice([founder.vpc, founder.instance, founder.interface])():
            acts.perform(act)

    return step


def void(_: object) -> None:
    """For the effect alone."""


def test_killed_at_every_step(enid: Enid, truth: Truth, lit: dict[str, Fuse]) -> None:
    """Each change is made over and over, and the process dies one step later each time."""
    world, recovery = CrashWorld(enid), Recovery(enid, truth)
    changes = list(_changes(world))
    length = {(name, role): _steps(make, lit[role]) for name, make in changes for role in fuses.ROLES}
    points = _spread(length, _AT_STEPS)
    deaths = 0
    with running_flows.running(enid, *_ends(world)) as flow:
        for name, make in changes:
            for role, step in points[name]:
                where = f"{role}'s step {step} of {length[name, role]} of {name}"
                deaths += _die_at(enid, lit[role], role, step, make(), recovery, where)
    print(f"{deaths} kills at steps of {sum(length.values())}, {flow.sent} datagrams; {recovery.report()}")
    print(", ".join(f"{name}: {length[name, 'agent']}+{length[name, 'api']}" for name, _ in changes))
    assert deaths >= _AT_STEPS // 2
    assert flow.complaints() == []


def _changes(world: CrashWorld) -> Iterator[tuple[str, Callable[[], Iterator[Act]]]]:
    """Each as its name and what makes the acts of it: one of them is the change, those before it prepare."""
    actor, founder = Actor(world, 1), Founder(world, "steps")
    one, two = world.one["InstanceId"], world.two["InstanceId"]

    def now() -> Any:
        return acts.patiently(actor.seen)

    def free() -> Iterator[Act]:
        if now()["holder"]:
            yield actor.detach()

    def held() -> Iterator[Act]:
        if not now()["holder"]:
            yield actor.attach(one)

    def attach() -> Iterator[Act]:
        yield from free()
        yield fatal(actor.attach(one))

    def detach() -> Iterator[Act]:
        yield from held()
        yield fatal(actor.detach())

    def move() -> Iterator[Act]:
        yield from held()
        yield from free()
        yield fatal(actor.attach(two))

    def assign() -> Iterator[Act]:
        yield from held()
        if len(now()["addresses"]) > 1:
            yield actor.unassign(now())
        yield fatal(actor.assign(now()))

    def unassign() -> Iterator[Act]:
        yield from held()
        if len(now()["addresses"]) == 1:
            yield actor.assign(now())
        yield fatal(actor.unassign(now()))

    def associate() -> Iterator[Act]:
        yield from held()
        if now()["public"]:
            yield actor.disassociate(now())
        yield fatal(actor.associate(now()))

    def regroup() -> Iterator[Act]:
        yield from held()
        yield fatal(actor.regroup(now()))

    def rule() -> Iterator[Act]:
        yield fatal(actor.rule())

    yield from (("attach", attach), ("detach", detach), ("move", move), ("assign", assign), ("unassign", unassign))
    yield from (("associate address", associate), ("group change", regroup), ("rule change", rule))
    for name, made in (
        *(("run", founder.instance), ("terminate", founder.instance)),
        *(("create VPC", founder.vpc), ("delete VPC", founder.vpc)),
        *(("create interface", founder.interface), ("delete interface", founder.interface)),
    ):
        yield name, lambda name=name, made=made: (fatal(act) if act.name == name else act for act in made())


def fatal(act: Act) -> Act:
    return replace(act, fatal=True)


def _steps(make: Callable[[], Iterator[Act]], fuse: Fuse) -> int:
    """How many steps the change takes when nobody dies."""
    for act in make():
        if act.fatal:
            fuse.light(0)
        acts.perform(act)
        if act.fatal:
            time.sleep(0.2)  # what is done after the answer
            passed = fuse.passed
    return passed


def _spread(length: dict[tuple[str, str], int], wanted: int) -> dict[str, list[tuple[str, int]]]:
    """So many steps, evenly over all of all changes, every one if there are no more; by the change."""
    every = [(name, role, step) for (name, role), steps in length.items() for step in range(1, steps + 1)]
    chosen = [every[place * len(every) // min(wanted, len(every))] for place in range(min(wanted, len(every)))]
    return {name: [(role, step) for other, role, step in chosen if other == name] for name, _ in length}


def _die_at(enid: Enid, fuse: Fuse, role: str, step: int, made: Iterator[Act], recovery: Recovery, where: str) -> bool:
    died = False
    for act in made:
        before = enid.pid(role)
        if act.fatal:
            fuse.light(step)
        acts.perform(act)
        if act.fatal:
            with suppress(AssertionError):
                until("it dies", lambda: fuse.passed >= step, 0.3)
            died = fuse.put_out()
            if died:
                recovery.came_back({role: before})
            recovery.converged(where)
    return died
