"""A report keeps count of promises."""

from __future__ import annotations

import io

from rich.console import Console

from enid.scenarios.report import Check, Report


def written(*checks: tuple[str, bool]) -> tuple[Report, str]:
    out = io.StringIO()
    report = Report(Console(file=out, width=120))
    report.step("Something")
    for promise, kept in checks:
        report.check(promise, kept, "this was seen")
    report.verdict()
    return report, out.getvalue()


def test_all_kept() -> None:
    report, text = written(("one", True), ("two", True))
    assert not report.failed
    assert "All 2 checks passed" in text


def test_one_broken() -> None:
    report, text = written(("one", True), ("two", False))
    assert [check.promise for check in report.failed] == ["two"]
    last = text.strip().splitlines()[-2:]
    assert last[0].startswith("1 of 2 checks failed")
    assert "✗ two  this was seen" in last[1]


def test_rows_are_checks() -> None:
    out = io.StringIO()
    report = Report(Console(file=out, width=120))
    checks = Check("a → b", True, ""), Check("c → d", False, "")
    report.table(("from", "to"), zip(checks, (("a", "b"), ("c", "d")), strict=True))
    assert [row.split() for row in out.getvalue().splitlines()[1:]] == [["✓", "a", "b"], ["✗", "c", "d"]]
    assert [check.promise for check in report.failed] == ["c → d"]
