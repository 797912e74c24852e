"""The judge of addresses is judged: what must not be is found, what may be is not."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import linearizability
import pytest
from address_history import (
    LOOKS,
    Event,
    Held,
    Histories,
    interface_is_away,
    step_address,
    step_interface,
    wakes_address,
    wakes_interface,
)
from callers import Reply
from linearizability import Call, Step, contradiction, unknown

A, B = "10.0.1.4", "10.0.1.5"
ONE, TWO = "eni-1", "eni-2"
ELASTIC = "198.18.0.9"


def event(kind: str, begin: float, end: float, interface: str = "", *got: str, **more: Any) -> Event:
    code = more.pop("code", "")
    return Event(kind, Reply(begin, end, code=code), interface=interface, got=got, **more)


def wrong(*events: Event) -> list[str]:
    return [told.split("\n")[0] for told in Histories({}, events).contradictions()]


BORN = event("create", 0, 1, ONE, A), event("create", 0, 1, TWO, B)


def seen(begin: float, interface: str, *addresses: str, elastic: str | None = None) -> Event:
    shown = {address: Held(interface, n == 0, elastic if n else None) for n, address in enumerate(addresses)}
    return event("show", begin, begin + 1, interface, shown=shown)


def test_two_cannot_have_the_same() -> None:
    assert wrong(event("create", 0, 1, ONE, A), event("create", 0, 1, TWO, A)) == [f"address {A}"]
    assert wrong(*BORN, event("assign", 2, 3, ONE, B)) == [f"address {B}"]


def test_one_after_the_other_may() -> None:
    assert not wrong(event("create", 0, 1, ONE, A), event("delete", 0.5, 3, ONE), event("create", 2, 4, TWO, A))
    assert wrong(event("create", 0, 1, ONE, A), event("delete", 3, 4, ONE), event("create", 1.5, 2, TWO, A))


def test_a_move_takes_the_elastic_ip_along() -> None:
    moved = (
        *BORN,
        event("assign", 2, 3, ONE, "10.0.1.9"),
        event("associate", 4, 5, ONE, wanted=("10.0.1.9",), elastic=ELASTIC),
        event("move", 6, 7, TWO, "10.0.1.9", wanted=("10.0.1.9",)),
    )
    assert not wrong(*moved, seen(8, TWO, B, "10.0.1.9", elastic=ELASTIC), seen(8, ONE, A))
    assert wrong(*moved, seen(8, TWO, B, "10.0.1.9")) == ["address 10.0.1.9"]
    assert wrong(*moved, seen(8, ONE, A, "10.0.1.9", elastic=ELASTIC)) == ["address 10.0.1.9", f"interface {ONE}"]


@pytest.mark.parametrize("kind", ["delete", "unassign"])
def test_what_was_acknowledged_must_be_there(kind: str) -> None:
    begun = *BORN, event("assign", 2, 3, ONE, "10.0.1.9")
    assert not wrong(*begun, seen(4, ONE, A, "10.0.1.9"))
    assert wrong(*begun, seen(4, ONE, A)) == [f"interface {ONE}"]
    ended = event(kind, 5, 6, ONE, wanted=("10.0.1.9",))
    assert f"interface {ONE}" in wrong(*begun, ended, seen(7, ONE, A, "10.0.1.9"))


def test_what_nobody_knows_may_be_there_or_not() -> None:
    lost = event("assign", 2, math.inf, ONE, wanted=("10.0.1.9",))
    assert not wrong(*BORN, lost, seen(4, ONE, A, "10.0.1.9"))
    assert not wrong(*BORN, lost, seen(4, ONE, A))
    assert (
        wrong(*BORN, lost, seen(4, ONE, A, "10.0.1.9"), seen(6, ONE, A)) == ["address 10.0.1.9", f"interface {ONE}"][1:]
    )


def test_a_refusal_must_have_had_a_reason() -> None:
    taken = event("create", 2, 3, "", A, code="InvalidIPAddress.InUse")
    assert not wrong(*BORN, taken)
    assert wrong(*BORN, event("delete", 1.2, 1.5, ONE), taken) == [f"address {A}"]
    missing = event("delete", 2, 3, ONE, code="InvalidNetworkInterfaceID.NotFound")
    assert wrong(*BORN, missing) == [f"interface {ONE}"]


def test_of_many_calls_that_nobody_knows_of_any_set_may_have_happened() -> None:
    """A server that was killed owes many answers, each of which may have given an interface any address."""
    lost = [unknown(0, ("add", frozenset([n % 40]))) for n in range(80)]
    lost += [unknown(1, ("stolen", n)) for n in range(40)]

    def shown(begin: float, *addresses: int) -> Call:
        return Call(begin, begin + 1, ("show", frozenset(addresses)))

    begun = [shown(2, 0, 1), shown(4, 0, 1, 7, 9), Call(4, 9, ("add", frozenset([30]))), shown(6, 0, 7, 9)]
    ended = [Call(10, 11, ("die",)), Call(12, 13, ("missing",))]
    for following in ([shown(10, *range(3, 31))], ended):
        assert not contradiction([*lost, *begun, *following], frozenset([0]), step_interface, away=interface_is_away)


def test_many_that_change_nothing_at_the_same_time_are_no_riddle() -> None:
    """Orders of these alone are more than any search could look at."""
    moved = [Call(n / 100, 5 + n / 100, ("stolen", n)) for n in range(100, 160)]
    shown = [Call(2, 5, ("show", frozenset([0, 1]))), Call(6, 7, ("show", frozenset([0])))]
    history = [*moved, Call(1, 3, ("add", frozenset([1]))), *shown, Call(4, 8, ("stolen", 1))]
    judged = {"looks": LOOKS, "away": interface_is_away, "wakes": wakes_interface}
    assert not contradiction(history, frozenset([0]), step_interface, **judged)
    assert contradiction([*history, Call(9, 10, ("show", frozenset([1])))], frozenset([0]), step_interface, **judged)


@pytest.mark.parametrize("some", [linearizability.SOME, 4], ids=["at once", "in several tries"])
def test_what_is_known_of_the_way_changes_no_verdict(some: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linearizability, "SOME", some)
    verdicts = []
    for seed in range(800):
        draw = random.Random(seed)
        calls = [_any_call(draw) for _ in range(draw.randint(2, 6))]
        told = contradiction(calls, frozenset([0]), step_interface, LOOKS, interface_is_away, wakes_interface)
        assert (not told) == _some_order_makes_sense(calls, frozenset([0]), step_interface), (seed, calls)
        verdicts.append(not told)
    assert 80 < sum(verdicts) < 720


def test_nor_what_is_known_of_an_address() -> None:
    verdicts = []
    for seed in range(800):
        draw = random.Random(seed)
        calls = [_timed(draw, _anything_about_an_address(draw)) for _ in range(draw.randint(2, 6))]
        told = contradiction(calls, Held(ONE, False), step_address, LOOKS, wakes=wakes_address)
        assert (not told) == _some_order_makes_sense(calls, Held(ONE, False), step_address), (seed, calls)
        verdicts.append(not told)
    assert 80 < sum(verdicts) < 720


def _any_call(draw: random.Random) -> Call:
    some = frozenset(draw.sample(range(3), draw.randint(1, 2)))
    kinds = [("add", some), ("remove", some), ("show", some), ("take", some, frozenset()), ("may take", some)]
    stolen = [("stolen", draw.randrange(3)) for _ in range(3)]
    return _timed(draw, draw.choice([*kinds, *stolen, ("show", some), ("die",), ("missing",)]))


def _anything_about_an_address(draw: random.Random) -> tuple[Any, ...]:
    who, elastic = draw.choice([ONE, TWO]), draw.choice([ELASTIC, "198.18.0.10"])
    seen_so = draw.choice([None, Held(who, False), Held(who, False, elastic)])
    kinds = [("gain", who, False), ("move", who), ("lose", who), ("stand", who, elastic), ("off", elastic)]
    return draw.choice([*kinds, ("gone", who), ("gone", who), ("left", elastic), ("left", elastic), ("seen", seen_so)])


def _timed(draw: random.Random, what: tuple[Any, ...]) -> Call:
    begin = draw.uniform(0, 4)
    return unknown(begin, what) if draw.random() < 0.4 else Call(begin, begin + draw.uniform(0, 2), what)


def _some_order_makes_sense(calls: list[Call], initial: Any, step: Step) -> bool:
    certain = [call for call in calls if call.certain]
    doubtful = [call for call in calls if not call.certain]
    return any(
        _makes_sense(order, initial, step)
        for number in range(len(doubtful) + 1)
        for some in itertools.combinations(doubtful, number)
        for order in itertools.permutations([*certain, *some])
    )


def _makes_sense(order: tuple[Call, ...], initial: Any, step: Step) -> bool:
    states: set[Any] = {initial}
    for call in order:
        states = {after for state in states for after in step(state, call.what)}
    return bool(states) and not any(b.end < a.begin for a, b in itertools.combinations(order, 2))
