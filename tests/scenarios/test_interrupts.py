"""A signal is neither lost nor obeyed too early."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from enid.scenarios.interrupts import held_back


def interrupted(number: int, then: Callable[[], None]) -> None:
    """A block that gets the signal and goes on with ``then``."""
    with held_back():
        os.kill(os.getpid(), number)
        then()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_waits_for_the_end_of_the_block(number: int) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(number, lambda: done.append("all of it"))
    assert done == ["all of it"]


def test_a_failure_of_the_interrupted_block_is_told_as_the_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt) as told:
        interrupted(signal.SIGINT, lambda: print(1 // 0))
    assert isinstance(told.value.__cause__, ZeroDivisionError)


def test_a_failure_without_a_signal_stays_what_it_is() -> None:
    with pytest.raises(ZeroDivisionError), held_back():
        print(1 // 0)


def test_without_a_signal_nothing_happens_and_the_handlers_are_the_old_ones() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with held_back():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
