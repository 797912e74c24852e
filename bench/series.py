"""Figures of one thing at several sizes, gathered from results. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_NAME = re.compile(r"(.+)_at_(\d+)")


@dataclass(frozen=True, slots=True)
class Series:
    """``values`` by size, ascending."""

    what: str
    unit: str
    values: Mapping[int, float]


def at_a_size(figure: Mapping[str, Any]) -> bool:
    """Whether it is a point of a series."""
    return _NAME.fullmatch(figure["name"]) is not None


def series(figures: Iterable[Mapping[str, Any]]) -> list[Series]:
    """In the order of their first points."""
    points: dict[str, dict[int, float]] = {}
    units: dict[str, str] = {}
    for figure in figures:
        if found := _NAME.fullmatch(figure["name"]):
            what, size = found[1], int(found[2])
            points.setdefault(what, {})[size] = figure["value"]
            units[what] = figure["unit"]
    return [Series(what, units[what], dict(sorted(values.items()))) for what, values in points.items()]
