"""The judge is judged: histories of a register that are known to make sense, or not to."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable

from linearizability import Call, contradiction, unknown


def register(state: int, what: tuple[str, int]) -> Iterable[int]:
    kind, value = what
    if kind == "write":
        return (value,)
    return (state,) if state == value else ()


def write(begin: float, end: float, value: int) -> Call:
    return Call(begin, end, ("write", value))


def read(begin: float, end: float, value: int) -> Call:
    return Call(begin, end, ("read", value))


def sound(*calls: Call) -> bool:
    return not contradiction(calls, 0, register)


def test_one_after_the_other() -> None:
    assert sound(write(0, 1, 7), read(2, 3, 7))
    assert not sound(write(0, 1, 7), read(2, 3, 0))


def test_at_once_either_order_will_do() -> None:
    assert sound(write(0, 3, 7), read(1, 2, 7))
    assert sound(write(0, 3, 7), read(1, 2, 0))
    assert sound(write(0, 9, 1), write(0, 9, 2), read(3, 4, 2), read(5, 6, 1))


def test_what_was_seen_is_not_unseen() -> None:
    assert not sound(write(0, 9, 7), read(1, 2, 7), read(3, 4, 0))
    assert not sound(write(0, 2, 1), write(0, 2, 2), read(3, 4, 1), read(5, 6, 2))


def test_an_unknown_outcome_may_come_late_or_never() -> None:
    lost = unknown(1, ("write", 7))
    assert sound(lost, read(2, 3, 0), read(4, 5, 7))
    assert sound(lost, read(2, 3, 0))
    assert not sound(lost, read(2, 3, 7), read(4, 5, 0))
    assert not sound(read(0, 0.5, 7), lost)


def test_a_contradiction_says_where() -> None:
    told = contradiction([write(0, 1, 7), read(2, 3, 8)], 0, register)
    assert "stuck  2.0000 to 3.0000: ('read', 8)" in told


def brute(calls: list[Call]) -> bool:
    """By trying every order."""
    for order in itertools.permutations(calls):
        if any(later.end < earlier.begin for earlier, later in itertools.combinations(order, 2)):
            continue
        state: int | None = 0
        for call in order:
            state = next(iter(register(state, call.what)), None)
            if state is None:
                break
        else:
            return True
    return False


def test_it_agrees_with_trying_every_order() -> None:
    verdicts = set()
    for seed in range(300):
        draw = random.Random(seed)
        calls = []
        for _ in range(draw.randint(1, 6)):
            begin, value = draw.uniform(0, 4), draw.randint(0, 2)
            calls.append(Call(begin, begin + draw.uniform(0, 2), (draw.choice(("read", "write")), value)))
        assert sound(*calls) == brute(calls), (seed, calls)
        verdicts.add(sound(*calls))
    assert verdicts == {True, False}
