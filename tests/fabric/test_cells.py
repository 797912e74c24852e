"""Cells: what passes between owners is changed, what is repeated is no work."""

from __future__ import annotations

from enid.fabric.linux.cells import Cells


def test_the_difference_is_the_work_and_is_done_once() -> None:
    cells: Cells[str, int] = Cells()
    cells.announce([("a", 1), ("b", 2)])
    assert cells.take().added == [("a", 1), ("b", 2)]
    assert not cells.take()
    cells.withdraw(["a", "b", "never"])
    cells.announce([("b", 2), ("c", 3)])
    work = cells.take()
    assert (work.added, work.changed, work.removed) == ([("c", 3)], [], [("a", 1)])


def test_a_key_that_passes_to_another_owner_is_changed() -> None:
    cells: Cells[str, int] = Cells()
    cells.announce([("a", 1)])
    cells.take()
    cells.withdraw(["a"])
    cells.announce([("a", 2)])
    work = cells.take()
    assert (work.added, work.changed, work.removed) == ([], [("a", 2)], [])


def test_everything_removes_what_nobody_wants() -> None:
    cells: Cells[str, int] = Cells()
    cells.held.update(a=1, b=2)
    cells.announce([("b", 2)])
    assert cells.take(everything=True).removed == [("a", 1)]
    assert cells.held == {"b": 2}
