"""``python -m bench.table``: the table in ``docs/performance.md``, from the results of the last run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- the table: python -m bench.table -->", "<!-- end of the table -->"


def table(report: Mapping[str, Any]) -> str:
    """Markdown, one line a figure."""
    rows = ["| figure | reached | beside | ratio | goal | |", "|---|---|---|---|---|---|"]
    return "\n".join([*rows, *map(_row, report["figures"])])


def _row(figure: Mapping[str, Any]) -> str:
    beside, ratio = ("", "") if figure["ratio"] is None else (f"{figure['baseline']:,g}", f"{figure['ratio']:g}")
    verdict = "yes" if figure["ok"] else "**no**"
    cells = (f"`{figure['name']}`", f"{figure['value']:,g} {figure['unit']}", beside, ratio, figure["goal"], verdict)
    return f"| {' | '.join(cells)} |"


def between(page: str, text: str) -> str:
    """``page`` with ``text`` in the place of the table.

    :raises ValueError: the page has no such place.
    """
    head, _, rest = page.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise ValueError("the page has no place for the table")
    return f"{head}{BEGIN}\n{text}\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(between(PAGE.read_text(), table(json.loads(RESULTS.read_text()))))
