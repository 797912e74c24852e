"""A figure: one number, what it is compared with, the goal if it has one, and whether it was reached. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """``goal`` is about the ratio where there is a baseline, else about the value."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    """None: it only informs."""
    at_least: bool = False
    """The goal is a lower bound; else an upper one."""
    baseline: float | None = None
    ratio: float | None = None

    @property
    def ok(self) -> bool:
        """Nothing is missed where there is no goal."""
        if self.goal is None:
            return True
        judged = self.value if self.ratio is None else self.ratio
        return judged >= self.goal if self.at_least else judged <= self.goal

    @property
    def goal_text(self) -> str:
        """``>= 0.77``, ``<= 10 ms``, or nothing."""
        if self.goal is None:
            return ""
        unit = "" if self.ratio is not None else f" {self.unit}"
        return f"{'>=' if self.at_least else '<='} {self.goal:g}{unit}"

    def as_json(self) -> dict[str, Any]:
        rounded = {
            name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in asdict(self).items()
        }
        del rounded["at_least"]
        return {**rounded, "goal": self.goal_text, "ok": self.ok}

    def line(self) -> str:
        """For a person to read."""
        beside = "" if self.ratio is None else f"  ÷ {self.baseline:,.4g} = {self.ratio:.3f}"
        word = "    " if self.goal is None else "ok  " if self.ok else "MISS"
        goal = f"  (goal {self.goal_text})" if self.goal_text else ""
        return f"{word} {self.name:28} {self.value:,.4g} {self.unit}{beside}{goal}"


def at_most(name: str, value: float, unit: str, goal: float) -> Figure:
    """A figure that should be small."""
    return Figure(name, value, unit, goal, at_least=False)


def told(name: str, value: float, unit: str, baseline: float | None = None, ratio: float | None = None) -> Figure:
    """A figure that only informs."""
    return Figure(name, value, unit, baseline=baseline, ratio=ratio)


def compared(name: str, value: float, baseline: float, ratio: float, unit: str, goal: float) -> Figure:
    """A figure that should be so large beside its baseline."""
    return Figure(name, value, unit, goal, at_least=True, baseline=baseline, ratio=ratio)
