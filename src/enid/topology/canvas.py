"""A sheet of characters to draw on: boxes and lines that join where they meet, and words with a role.

A role (``"vpc"``, ``"address"``, …) is the meaning of a character; which colour it gets, if any, is for whoever shows
the sheet to choose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

LIGHT, HEAVY = 1, 2
_NORTH, _EAST, _SOUTH, _WEST = range(4)

Segment = tuple[str, str]
"""Text and its role."""

_JOINTS = {
    # weights towards north, east, south, west
    (0, 1, 0, 1): "─", (1, 0, 1, 0): "│", (0, 1, 1, 0): "╭", (0, 0, 1, 1): "╮", (1, 1, 0, 0): "╰", (1, 0, 0, 1): "╯",
    (1, 1, 1, 0): "├", (1, 0, 1, 1): "┤", (0, 1, 1, 1): "┬", (1, 1, 0, 1): "┴", (1, 1, 1, 1): "┼",
    (0, 2, 0, 2): "━", (2, 0, 2, 0): "┃", (0, 2, 2, 0): "┏", (0, 0, 2, 2): "┓", (2, 2, 0, 0): "┗", (2, 0, 0, 2): "┛",
    (1, 2, 1, 2): "┿", (1, 2, 0, 2): "┷", (0, 2, 1, 2): "┯", (2, 1, 2, 1): "╂",
    (0, 1, 0, 0): "╶", (0, 0, 0, 1): "╴", (1, 0, 0, 0): "╵", (0, 0, 1, 0): "╷",
}  # fmt: skip


@dataclass
class Canvas:
    """Grows downwards as it is drawn on; what lies beyond ``width`` is cut off."""

    width: int
    _words: dict[tuple[int, int], Segment] = field(default_factory=dict)
    _lines: dict[tuple[int, int], tuple[list[int], str]] = field(default_factory=dict)

    @property
    def height(self) -> int:
        return max((y for _, y in (*self._words, *self._lines)), default=-1) + 1

    def write(self, x: int, y: int, text: str, role: str = "", room: int | None = None) -> int:
        """Put a word, shortened to ``room`` characters; the column after it."""
        shown = shorten(text, self.width - x if room is None else min(room, self.width - x))
        for offset, character in enumerate(shown):
            self._words[x + offset, y] = (character, role)
        return x + len(shown)

    def across(self, x: int, end: int, y: int, role: str, weight: int = LIGHT) -> None:
        """A horizontal line, both ends included."""
        left, right = sorted((x, end))
        for column in range(left, right + 1):
            if column > left:
                self._join(column, y, _WEST, role, weight)
            if column < right:
                self._join(column, y, _EAST, role, weight)

    def down(self, x: int, y: int, end: int, role: str, weight: int = LIGHT) -> None:
        """A vertical line, both ends included."""
        top, bottom = sorted((y, end))
        for row in range(top, bottom + 1):
            if row > top:
                self._join(x, row, _NORTH, role, weight)
            if row < bottom:
                self._join(x, row, _SOUTH, role, weight)

    def box(self, x: int, y: int, width: int, height: int, role: str, weight: int = LIGHT) -> None:
        """A frame; nothing inside it is erased."""
        right, bottom = x + width - 1, y + height - 1
        self.across(x, right, y, role, weight)
        self.across(x, right, bottom, role, weight)
        self.down(x, y, bottom, role, weight)
        self.down(right, y, bottom, role, weight)

    def lines(self) -> list[list[Segment]]:
        """The sheet from the top, each line as runs of one role, without blanks at its end."""
        return [self._line(y) for y in range(self.height)]

    def _join(self, x: int, y: int, side: int, role: str, weight: int) -> None:
        weights, before = self._lines.get((x, y), ([0, 0, 0, 0], role))
        weights[side] = max(weights[side], weight)
        self._lines[x, y] = (weights, role if weight == HEAVY else before)

    def _line(self, y: int) -> list[Segment]:
        cells = [self._cell(x, y) for x in range(self.width)]
        while cells and cells[-1][0] == " ":
            cells.pop()
        runs = groupby(cells, key=lambda cell: cell[1])
        return [("".join(character for character, _ in run), role) for role, run in runs]

    def _cell(self, x: int, y: int) -> Segment:
        if (x, y) in self._words:
            return self._words[x, y]
        if (x, y) in self._lines:
            weights, role = self._lines[x, y]
            north, east, south, west = weights
            return _JOINTS.get((north, east, south, west), "┼"), role
        return " ", ""


def shorten(text: str, room: int) -> str:
    """``text`` in at most ``room`` characters, with an ellipsis where something was cut."""
    return text if len(text) <= room else text[: max(room - 1, 0)] + "…"[: max(room, 0)]
