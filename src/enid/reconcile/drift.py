"""What others did to what is enid's is undone: soon after the kernel told of it, and by a round that looks at all.

Neither is on the way of a change. Notices only say where to look; the round takes one small look at a time and never
hurries: it is for what nobody tells of, such as a kernel setting or what a guest's root did to its own network.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from enid.reconcile.reconciler import Reconciler

ROUND = 20.0
"""Seconds in which everything is looked at once."""
_AT_ONCE = 0.005
"""Seconds of looking without asking whether somebody waits."""


class Drift:
    """Of one agent."""

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler
        self._looks: deque[Callable[[], None]] = deque()
        """Left of this round."""
        self._pace = 0.0
        """Seconds between two looks."""
        self._due = time.monotonic()

    def patience(self, most: float) -> float:
        """Seconds, at most so many, in which there is nothing to do."""
        return min(most, max(0.001, self._due - time.monotonic()))

    def work(self) -> None:
        """Repair what was told of, and look at what is due. What could not be looked at while others waited is not
        made up for: the round takes longer."""
        self._reconciler.repair_drifted()
        begun = time.monotonic()
        while self._due <= time.monotonic() < begun + _AT_ONCE:
            self._look()
        self._due = max(self._due, begun)

    def _look(self) -> None:
        if not self._looks:
            self._looks.extend(self._reconciler.sweep())
            self._pace = ROUND / (len(self._looks) + 1)
        else:
            self._looks.popleft()()
        self._due += self._pace
