"""What a scenario tells its reader: steps, what it did, and checks that hold or do not. It keeps count."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Check:
    """A promise, and what was seen."""

    promise: str
    kept: bool
    seen: str


class Report:
    """Prints as it goes; the outcome is :attr:`failed`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._steps = 0
        self.checks: list[Check] = []

    @property
    def failed(self) -> list[Check]:
        """The promises that were not kept."""
        return [check for check in self.checks if not check.kept]

    def step(self, title: str) -> None:
        """Begin a part of the scenario."""
        self._steps += 1
        self._console.print()
        self._line(Text(f"{self._steps}. {title}", "bold"))

    def did(self, what: str) -> None:
        """Something was done that is worth a line."""
        self._line(Text(f"   {what}"))

    def command(self, line: str) -> None:
        """A command is about to run that the reader could type as well."""
        self._line(Text(f"   $ {line}", "cyan"))

    def check(self, promise: str, kept: bool, seen: str = "") -> None:
        """Hold a promise against what was seen."""
        self.checks.append(Check(promise, kept, seen))
        self._line(Text.assemble("   ", _mark(kept), f" {promise}", (f"  {seen}" if seen else "", "dim")))

    def table(self, headings: Sequence[str], rows: Iterable[tuple[Check, Sequence[str]]]) -> None:
        """Checks that read better side by side: a row of cells for each."""
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for heading in ("", *headings):
            table.add_column(heading)
        for check, cells in rows:
            self.checks.append(check)
            table.add_row(Text(*_mark(check.kept)), *(Text(cell) for cell in cells))
        self._console.print(table)

    def verdict(self) -> None:
        """The last line."""
        self._console.print()
        count, seconds = len(self.checks), time.monotonic() - self._began
        if not self.failed:
            self._console.print(f"[bold green]All {count} checks passed[/] in {seconds:.1f} s.")
            return
        self._console.print(f"[bold red]{len(self.failed)} of {count} checks failed[/] in {seconds:.1f} s:")
        for check in self.failed:
            self._console.print(Text.assemble("  ", _mark(False), f" {check.promise}  ", (check.seen, "dim")))

    def _line(self, text: Text) -> None:
        since = Text(f"{time.monotonic() - self._began:5.1f} s  ", "dim")
        self._console.print(Text.assemble(since, text), soft_wrap=True)


def _mark(kept: bool) -> tuple[str, str]:
    return ("✓", "green") if kept else ("✗", "bold red")
