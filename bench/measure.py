"""How a figure is taken on a machine that is shared and noisy: many short rounds, variants taking turns, medians.

A round of every variant is taken in each turn, forwards and backwards alternately, so that whatever slows the machine
down slows all of them. The ratio of two variants is the median of the turns' ratios.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import median

Round = Callable[[], float]
Samples = dict[str, list[float]]


def interleave(variants: Mapping[str, Round], turns: int) -> Samples:
    """``turns`` samples of each variant, after one round of each that does not count."""
    for run in variants.values():
        run()
    samples: Samples = {name: [] for name in variants}
    for turn in range(turns):
        order = list(variants)
        if turn % 2:
            order.reverse()
        for name in order:
            samples[name].append(variants[name]())
    return samples


def ratio(values: Sequence[float], baselines: Sequence[float]) -> float:
    """The median of the turns' ratios."""
    return median(value / baseline for value, baseline in zip(values, baselines, strict=True))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that ``percent`` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)]
