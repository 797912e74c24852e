"""A network that came to be by changes is, in the kernel, the one that a full resync makes.

Two fabrics walk through the same random changes. One is given each change as the reconciler gives it; the other is
resynchronized with the whole world. After each change their kernels hold the same. From time to time the first one is
resynchronized too, as by a new agent, and goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import scale
from aws_plan import Plan
from kernel_state import State, differences, state_of
from packet_lab import PacketLab
from random_changes import changed
from random_plans import Draw, some_plan

pytestmark = pytest.mark.root

CHANGES = scale.amount(2_000, 20_000)
_WALK = 50
"""Changes of one network, before the next one."""
_TIDINESS = 0.3
"""How likely the fabric finds time to tidy up between two changes."""


@pytest.fixture
def labs(tmp_path: Path) -> Iterator[tuple[PacketLab, PacketLab]]:
    made = PacketLab(tmp_path / "changed"), PacketLab(tmp_path / "anew")
    yield made
    for lab in made:
        lab.close()


def kernels(lab: PacketLab) -> State:
    """Of all routers and of the internet between them."""
    internet = lab.fabric._internet
    assert internet is not None
    found = {vpc: state_of(router.node, router.leaving) for vpc, router in lab.fabric._routers.items()}
    return {**found, "internet": state_of(internet.node)}


def _told(before: Plan, after: Plan) -> list[str]:
    """What the last change was."""
    old, new = ({thing for part in fields(plan) for thing in getattr(plan, part.name)} for plan in (before, after))
    return [*(f"- {thing}" for thing in old - new), *(f"+ {thing}" for thing in new - old)]


def test_what_changes_made_is_what_a_resync_makes(labs: tuple[PacketLab, PacketLab]) -> None:
    incremental, full = labs
    seed, done = scale.first_seed(), 0
    while done < CHANGES:
        draw, plan = Draw(seed), some_plan(seed)
        names: list[str] = []
        incremental.become(plan)
        for _ in range(min(_WALK, CHANGES - done)):
            name, after = changed(plan, draw)
            names.append(name)
            found = incremental.become(after) or full.resync(after) or differences(kernels(incremental), kernels(full))
            if found:
                where = f"seed {seed} (SEED={seed}), change {len(names)} ({' '.join(names[-5:])})"
                pytest.fail("\n".join([where, *found[:10], *_told(plan, after)]))
            plan = after
            done += 1
            for lab in labs:
                while draw.chance(_TIDINESS) and lab.fabric.tidy():
                    pass
            if draw.chance(0.05):
                incremental.resync(plan)
        for lab in labs:
            lab.clear()
        seed += 1
