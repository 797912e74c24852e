"""Is there an order in which a history makes sense? Linearizability, decided by search.

A history is what clients saw: calls, each with the moments it was sent and answered. It is linearizable when every call
can be given one moment between its two, so that, done one after the other at these moments, a sequential model answers
each as it was answered (Herlihy and Wing 1990). The search is Wing and Gong's, with Lowe's memory of dead ends: which
calls are done and what state the model is in is looked at once.

A call whose outcome nobody knows has no end, and need not have happened at all. It is tried only where it would make a
difference to a call that may be next: otherwise it may as well come later. Of many such calls any set may have
happened, too many to look at; so a first search tries only those that bring the state nearer to one in which a call
that may be next is possible. It may miss an order: only a second search, of all, may say that there is none.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

State = Hashable
Step = Callable[[Any, Any], Iterable[Any]]
"""(state, what) → the states that may follow; none when what was seen cannot have happened in this state."""
Away = Callable[[Any, Any], float]
"""(state, what) → how many changes the state is away from one in which this can happen, as a guide to the search."""
Wakes = Callable[[Any, Any], bool]
"""(what, other) → whether the first, which is possible and changes nothing, might change something, or not be possible,
once the other has happened."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a history."""

    begin: float
    end: float
    what: Any
    certain: bool = True
    """Whether it was answered; otherwise it may have happened at any time after ``begin``, or never."""


def unknown(begin: float, what: Any) -> Call:
    """A call that was never answered."""
    return Call(begin, math.inf, what, certain=False)


MOST, SOME = 1_000_000, 30_000
"""Places a long search, and a short one, looks at before it gives up."""
_SHORT_ONES = 8


def contradiction(
    history: Sequence[Call],
    initial: State,
    step: Step,
    looks: Collection[str] = (),
    away: Away | None = None,
    wakes: Wakes | None = None,
) -> str:
    """Why the history is not linearizable; empty when it is.

    :param looks: first words of calls that never change the state: as soon as one makes sense, it may be done.
    :raises TooHard: the search gave up.
    """
    calls = sorted((call for call in history if call.certain), key=lambda call: call.begin)
    doubtful = sorted((call for call in history if not call.certain), key=lambda call: call.begin)
    if away is not None and _Search(calls, doubtful, step, looks, wakes, away).succeeds_somehow(initial):
        return ""
    search = _Search(calls, doubtful, step, looks, wakes)
    return "" if search.succeeds_somehow(initial) else search.report()


class TooHard(Exception):
    """It could not be decided; says how far the search came."""


class _Search:
    """Depth first. A place is: the first call that is not done, those behind it that are, the doubtful that are; the
    state."""

    def __init__(
        self,
        calls: Sequence[Call],
        doubtful: Sequence[Call],
        step: Step,
        looks: Collection[str],
        wakes: Wakes | None = None,
        away: Away | None = None,
    ) -> None:
        self._calls, self._doubtful, self._step, self._looks = calls, doubtful, step, looks
        self._wakes, self._away = wakes, away
        self._best: tuple[int, int, State] = (0, 0, None)

    def succeeds_somehow(self, initial: State) -> bool:
        """:raises TooHard: nobody knows."""
        for order in range(_SHORT_ONES):
            try:
                return self._succeeds(initial, SOME, random.Random(order).shuffle if order else None)
            except TooHard:
                continue
        return self._succeeds(initial, MOST)

    def _succeeds(
        self, initial: State, most: int, mix: Callable[[list[tuple[int, int, int, State]]], None] | None = None
    ) -> bool:
        """:param mix: puts what could happen next in some order; the one that ends first comes first by default."""
        start = (0, 0, 0, initial)
        seen, stack = {start}, [start]
        while stack:
            place = stack.pop()
            first, ahead, _, state = place
            if first == len(self._calls):
                return True
            if (first, ahead.bit_count()) >= self._best[:2]:
                self._best = (first, ahead.bit_count(), state)
            following = [each for each in self._following(place) if each not in seen]
            seen.update(following)
            if mix is not None:
                mix(following)
            stack += reversed(following)
            if len(seen) > most:
                raise TooHard(self.report())
        return False

    def _following(self, place: tuple[int, int, int, State]) -> Iterable[tuple[int, int, int, State]]:
        """What could happen next: a call that began before any other that is not done had ended."""
        first, ahead, done, state = place
        open_, limit = self._open(first, ahead)
        found = []
        for number in open_:
            what = self._calls[number].what
            for after in self._step(state, what):
                found.append((*_advance(first, ahead | 1 << (number - first)), done, after))
                if what[0] in self._looks or (after == state and self._sleeps(number, place)):
                    return [found[-1]]
        tried = set()
        for number, call in enumerate(self._doubtful):
            if call.begin > limit:
                break
            if not done >> number & 1 and call.what not in tried:  # of two alike, the one that began first will do
                tried.add(call.what)
                for after in self._step(state, call.what):
                    if after != state and self._matters(state, after, call.what, open_):
                        found.append((first, ahead, done | 1 << number, after))
        return found

    def _sleeps(self, number: int, place: tuple[int, int, int, State]) -> bool:
        """Nothing that may come before the end of this call, which is nothing now, makes it more."""
        if self._wakes is None:
            return False
        call = self._calls[number]
        first, ahead, done, _ = place
        for other in range(first, len(self._calls)):
            if self._calls[other].begin > call.end:
                break
            if other != number and not ahead >> (other - first) & 1 and self._wakes(call.what, self._calls[other].what):
                return False
        for other, doubtful in enumerate(self._doubtful):
            if doubtful.begin > call.end:
                break
            if not done >> other & 1 and self._wakes(call.what, doubtful.what):
                return False
        return True

    def _matters(self, state: State, after: State, doubtful: Any, open_: Iterable[int]) -> bool:
        """Whether some call that may be next goes otherwise after the doubtful one than before it."""
        return any(self._makes_a_difference(state, after, doubtful, self._calls[number].what) for number in open_)

    def _makes_a_difference(self, state: State, after: State, doubtful: Any, what: Any) -> bool:
        now, then = set(self._step(state, what)), set(self._step(after, what))
        if self._away is not None and not now:
            return bool(then) or self._away(after, what) < self._away(state, what)
        later = {end for between in now for end in self._step(between, doubtful)}
        if self._away is not None:
            return not then <= now | later
        return not later or later != then

    def _open(self, first: int, ahead: int) -> tuple[list[int], float]:
        """The calls that may be next, the one that ended first before the others, and until when they began."""
        limit, found = math.inf, []
        for number in range(first, len(self._calls)):
            call = self._calls[number]
            if call.begin > limit:
                break
            if not ahead >> (number - first) & 1:
                found.append(number)
                limit = min(limit, call.end)
        found = [number for number in found if self._calls[number].begin <= limit]
        return sorted(found, key=lambda number: self._calls[number].end), limit

    def report(self) -> str:
        """The furthest the search came."""
        first, _, state = self._best
        before = self._calls[max(0, first - 8) : first]
        after = self._calls[first : first + 8]
        lines = [f"  done   {_told(call)}" for call in before]
        lines += [f"  state  {state}", *(f"  stuck  {_told(call)}" for call in after)]
        lines += [f"  doubt  {_told(call)}" for call in self._doubtful]
        return "\n".join(lines)


def _advance(first: int, ahead: int) -> tuple[int, int]:
    """Skip the calls at the beginning that are done."""
    while ahead & 1:
        first, ahead = first + 1, ahead >> 1
    return first, ahead


def _told(call: Call) -> str:
    return f"{call.begin:.4f} to {call.end:.4f}: {call.what}"
