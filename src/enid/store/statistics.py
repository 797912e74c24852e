"""What SQLite's planner should know of a store that has grown, told in advance.

Without statistics it takes every index to be as good as any other, and the one of an account's rows, which they have in
order, for the best of all: it would read all that an account has for a subnet's three interfaces. Measured statistics
(``ANALYZE``) would say what is so today, and another plan for the same call tomorrow. PostgreSQL measures by itself.
"""

from __future__ import annotations

from sqlalchemy import Connection, Index, text

from enid.store.tables import metadata

_ROWS = 1_000_000
_FEW = 10
"""Rows of a value in a column that says much: SQLite's own guess."""
_COARSE = frozenset(("account_id", "availability_zone", "key", "state", "status"))
"""Columns of few values: an index on one alone finds a good part of the table."""


def tell(db: Connection) -> None:
    """Write the statistics; connections that are opened from now on plan by them."""
    if db.dialect.name != "sqlite":
        return
    db.execute(text("ANALYZE sqlite_master"))  # makes the table that is written to
    db.execute(text("DELETE FROM sqlite_stat1"))
    rows = [
        {"table": table.name, "index": index.name, "numbers": _numbers(index)}
        for table in metadata.sorted_tables
        for index in table.indexes
        if index.columns[0].name in _COARSE
    ]
    db.execute(text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:table, :index, :numbers)"), rows)
    db.execute(text("ANALYZE sqlite_master"))  # this connection reads them


def _numbers(index: Index) -> str:
    """All rows, then how many have the same first column, the same first two …"""
    return " ".join(map(str, (_ROWS, _ROWS, *[_FEW] * (len(index.columns) - 1))))
