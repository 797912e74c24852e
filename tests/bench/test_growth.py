"""What grows is found in noise; what is allocated once, or swings, is no growth."""

from __future__ import annotations

from random import Random

import pytest
from bench.growth import Growth, growth


def fitted(values: list[float]) -> Growth:
    (found,) = growth([(10.0 * place, {"memory": value}) for place, value in enumerate(values)])
    return found


def test_a_leak_is_found_in_noise() -> None:
    noise = Random(1)
    leak = fitted([1000 + place + noise.uniform(-20, 20) for place in range(90)])
    assert leak.per_hour == pytest.approx(360, rel=0.1)
    assert leak.grown == pytest.approx(59, rel=0.1)
    assert not leak.within(0.05)
    assert leak.within(0.05, slack=20)


def test_what_is_allocated_once_or_swings_is_no_growth() -> None:
    assert fitted([0.0] * 20 + [1000.0] * 70).within(0.0)
    assert fitted([1000.0 + 100 * (place % 6) for place in range(90)]).within(0.05)
