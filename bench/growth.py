"""Does it grow? A line through what was counted over time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, linear_regression

Sample = tuple[float, Mapping[str, float]]
"""When, in seconds, and what was counted."""
WARM_UP = 1 / 3
"""The share of the samples that is left out: what is allocated once is no growth."""


@dataclass(frozen=True, slots=True)
class Growth:
    """``grown`` is what the fitted line rises by in the time that was looked at."""

    name: str
    mean: float
    per_hour: float
    grown: float

    def within(self, share: float, slack: float = 0.0) -> bool:
        """Whether it rose by no more than a share of itself, and ``slack``."""
        return self.grown <= self.mean * share + slack

    def line(self) -> str:
        """For a person to read."""
        return f"{self.name:20} mean {self.mean:14,.0f}  per hour {self.per_hour:+14,.0f}  grown {self.grown:+12,.0f}"


def growth(samples: Sequence[Sample]) -> Iterable[Growth]:
    """Of everything that was counted, after the warm-up; at least two samples must be left."""
    kept = samples[int(len(samples) * WARM_UP) :]
    moments = [moment for moment, _ in kept]
    for name in kept[0][1]:
        values = [counted[name] for _, counted in kept]
        slope = linear_regression(moments, values).slope
        yield Growth(name, fmean(values), slope * 3600, slope * (moments[-1] - moments[0]))
