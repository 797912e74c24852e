"""The interfaces that are watched, by link: those of now, and for a moment those that were. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from enid.flowlogs.subjects import Interface

LATE = 2.0
"""Seconds after an interface left in which copies of its packets may still be read: a tenth of one at most, unless the
machine is busy."""


class Watched:
    """Times are seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self.present: Mapping[str, Interface] = {}
        """By link."""
        self._left: dict[str, float] = {}
        """When the others did."""
        self._seen: dict[str, Interface] = {}
        """All that are present or late, and those that were in this window."""

    def become(self, present: Mapping[str, Interface], now: float) -> None:
        self._left |= dict.fromkeys(self.present.keys() - present.keys(), now)
        self._seen |= present
        self.present = present

    def at(self, link: str, now: float) -> Interface | None:
        """Whose packets these are, that are read now."""
        if link in self.present or self._is_late(link, now):
            return self._seen[link]
        return None

    def seen(self, link: str) -> Interface:
        """The same, of packets that were read in this window."""
        return self._seen[link]

    def next_window(self, now: float) -> None:
        self._left = {link: when for link, when in self._left.items() if self._is_late(link, now)}
        self._seen = {link: self._seen[link] for link in self._left} | dict(self.present)

    def _is_late(self, link: str, now: float) -> bool:
        return link in self._left and now < self._left[link] + LATE
