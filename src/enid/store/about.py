"""Statements about some ids, or about all there are; built once, since building costs more than running."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, CursorResult, Executable, bindparam, or_, true

Among = Callable[[ColumnElement[Any]], ColumnElement[bool]]
"""The condition that a column holds one of the ids."""


class About:
    """One such statement. About one id, which is what somebody waits for, no list is written into SQL."""

    def __init__(self, build: Callable[[Among], Executable]) -> None:
        """:param build: is given the condition."""
        self._all = build(lambda _: true())
        self._one = build(lambda column: column == bindparam("one"))
        self._some = build(lambda column: column.in_(bindparam("some", expanding=True)))

    def of(self, db: Connection, ids: Collection[str] | None) -> CursorResult[Any]:
        """Its rows; ``None`` is all."""
        if ids is None:
            return db.execute(self._all)
        if len(ids) == 1:
            return db.execute(self._one, {"one": next(iter(ids))})
        return db.execute(self._some, {"some": list(ids)})


def is_one_of(column: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
    """As ``IN``, whose list SQLAlchemy writes into the statement anew each time."""
    return or_(*(column == value for value in values))
