"""What the kernel holds as it was last written, and what is wanted instead: the difference is the work."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class Difference(Generic[K, V]):
    added: list[tuple[K, V]] = field(default_factory=list)
    changed: list[tuple[K, V]] = field(default_factory=list)
    """New values of keys that had another."""
    removed: list[tuple[K, V]] = field(default_factory=list)
    """With the values they had."""

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


class Cells(Generic[K, V]):
    """A keyed collection in the kernel.

    Withdraw first, then announce: a key that passes from one owner to another is then changed, not removed.
    """

    def __init__(self) -> None:
        self.held: dict[K, V] = {}
        self._wanted: dict[K, V | None] = {}

    def announce(self, cells: Iterable[tuple[K, V]]) -> None:
        self._wanted.update(cells)

    def withdraw(self, keys: Iterable[K]) -> None:
        for key in keys:
            self._wanted[key] = None

    def forget(self, keys: Iterable[K]) -> None:
        """The kernel drops these by itself."""
        for key in keys:
            self.held.pop(key, None)

    def found(self, there: dict[K, V]) -> None:
        """The kernel holds this, whatever was written last: that is wanted again, and nothing else."""
        last, self.held = self.held, there
        wanted: dict[K, V | None] = {key: value for key, value in last.items() if there.get(key) != value}
        wanted.update((key, None) for key in there.keys() - last.keys())
        self._wanted = wanted | self._wanted

    def take(self, everything: bool = False) -> Difference[K, V]:
        """The work; from here on it counts as done. ``everything``: what was not announced is unwanted."""
        wanted, self._wanted = self._wanted, {}
        if everything:
            wanted.update((key, None) for key in self.held if key not in wanted)
        difference: Difference[K, V] = Difference()
        for key, value in wanted.items():
            old = self.held.get(key)
            if value is None:
                if old is not None:
                    difference.removed.append((key, old))
                    del self.held[key]
            elif old is None:
                difference.added.append((key, value))
                self.held[key] = value
            elif old != value:
                difference.changed.append((key, value))
                self.held[key] = value
        return difference
