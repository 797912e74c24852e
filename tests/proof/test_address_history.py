"""The judge of addresses is judged: what must not be is found, what may be is not."""

from __future__ import annotations

import math
from typing import Any

import pytest
from address_history import Event, Held, Histories
from callers import Reply

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
