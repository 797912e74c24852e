"""``python -m bench.table``: the part of ``docs/performance.md`` that is made from results: tables and plots.

What is written by hand is outside of the two marks and stays.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.series import Series, at_a_size, series

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
PLOTS = PAGE.with_suffix("")
BEGIN, END = "<!-- the tables: python -m bench.table -->", "<!-- end of the tables -->"

Entry = Mapping[str, Any]
"""A figure as ``results.json`` has it."""


def main() -> None:
    from bench import plots  # here, because only drawing needs what draws

    report = json.loads(RESULTS.read_text())
    drawn = series(report["figures"])
    PLOTS.mkdir(exist_ok=True)
    for each in drawn:
        plots.draw(each, PLOTS / f"{each.what}.svg")
    PAGE.write_text(between(PAGE.read_text(), generated(report, drawn)))


def generated(report: Mapping[str, Any], drawn: Iterable[Series]) -> str:
    """Markdown: the machine, what has a goal, what only informs, and what was measured at several sizes."""
    machine = report["machine"]
    figures = [figure for figure in report["figures"] if not at_a_size(figure)]
    judged = [figure for figure in figures if figure["goal"]]
    telling = [figure for figure in figures if not figure["goal"]]
    parts = [
        f"{machine['processors']} processors, Linux {machine['kernel'].partition('-')[0]}, Python {machine['python']}. "
        "Rows marked ° are of a quick run.",
        table(judged),
    ]
    if telling:
        parts += ["Without a goal, to compare with:", table(telling)]
    sizes = list(drawn)
    if sizes:
        parts += ["Against the number of interfaces and rules:", _sizes(sizes), "\n".join(map(_picture, sizes))]
    return "\n\n".join(parts)


def table(figures: Iterable[Entry]) -> str:
    """One line a figure."""
    rows = ["| figure | reached | beside | ratio | goal | |", "|---|---|---|---|---|---|"]
    return "\n".join([*rows, *map(_row, figures)])


def _row(figure: Entry) -> str:
    beside, ratio = ("", "") if figure["ratio"] is None else (f"{figure['baseline']:,g}", f"{figure['ratio']:g}")
    verdict = ("yes" if figure["ok"] else "**no**") if figure["goal"] else ""
    name = f"`{figure['name']}`{'°' if figure.get('quick') else ''}"
    cells = (name, f"{figure['value']:,g} {figure['unit']}", beside, ratio, figure["goal"], verdict)
    return f"| {' | '.join(cells)} |"


def _sizes(drawn: Iterable[Series]) -> str:
    return "\n".join(_lines(list(drawn)))


def _lines(drawn: list[Series]) -> Iterator[str]:
    sizes = sorted({size for each in drawn for size in each.values})
    yield f"| | {' | '.join(f'{size:,}' for size in sizes)} |"
    yield "|---" * (len(sizes) + 1) + "|"
    for each in drawn:
        cells = (f"{each.values[size]:,g}" if size in each.values else "" for size in sizes)
        yield f"| `{each.what}`, {each.unit} | {' | '.join(cells)} |"


def _picture(each: Series) -> str:
    return f"![{each.what} against size]({PLOTS.name}/{each.what}.svg)"


def between(page: str, text: str) -> str:
    """``page`` with ``text`` in the place between the marks.

    :raises ValueError: the page has no such place.
    """
    head, _, rest = page.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise ValueError("the page has no place for the tables")
    return f"{head}{BEGIN}\n{text}\n{END}{tail}"


if __name__ == "__main__":
    main()
