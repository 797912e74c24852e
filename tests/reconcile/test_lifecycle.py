"""What an instance needs next, for every combination of what is wanted and what is there."""

from __future__ import annotations

import pytest

from enid.reconcile.lifecycle import Action, decide


@pytest.mark.parametrize(
    ("state", "health", "guest", "starting", "expected"),
    [
        ("pending", "initializing", None, None, Action.START),
        ("pending", "initializing", None, 2, Action.NOTHING),
        ("pending", "initializing", 2, None, Action.NOTHING),
        ("running", "ok", 2, None, Action.NOTHING),
        ("running", "ok", 1, None, Action.RESTART),
        ("running", "ok", None, None, Action.START),
        ("running", "impaired", None, None, Action.NOTHING),
        ("running", "initializing", None, None, Action.START),
        ("stopping", "ok", 2, None, Action.STOP),
        ("stopping", "impaired", None, None, Action.STOP),
        ("stopping", "initializing", None, 2, Action.NOTHING),
        ("shutting-down", "ok", 2, None, Action.TERMINATE),
        ("shutting-down", "initializing", None, 2, Action.NOTHING),
        ("stopped", "initializing", None, None, Action.NOTHING),
        ("terminated", "ok", None, None, Action.NOTHING),
    ],
)
def test_the_next_step(state: str, health: str, guest: int | None, starting: int | None, expected: Action) -> None:
    assert decide(state, health, boot=2, guest_boot=guest, starting_boot=starting) is expected
