"""Counts that are kept instead of counted: what a call asks of them costs the same with one row and with a million.

The database's triggers keep them in ``tallies``, whoever inserts or deletes, cascades included. They are made anew, and
everything is counted, whenever a store is opened for its first process: :func:`keep`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, ScalarSelect, func, literal, select, text

from enid.store.tables import tallies


@dataclass(frozen=True, slots=True)
class _Kind:
    """Rows of a table that are counted for their owner."""

    table: str
    owner: str = "account_id"
    condition: str = "TRUE"
    """Which rows count; ``{row}`` stands before a column."""

    def where(self, row: str = "") -> str:
        return self.condition.format(row=row)


NETWORK_INTERFACES, SECURITY_GROUPS, VPCS = "network_interfaces", "security_groups", "vpcs"
INTERNET_GATEWAYS, ELASTIC_IPS = "internet_gateways", "public_addresses"
"""Of an account."""
ADDRESSES, PREFIXES = "private_addresses", "delegated_prefixes"
"""IPv4 ones of a subnet."""

_KINDS = (
    _Kind(NETWORK_INTERFACES),
    _Kind(SECURITY_GROUPS),
    _Kind(VPCS),
    _Kind(INTERNET_GATEWAYS),
    _Kind(ELASTIC_IPS, condition="{row}allocation_id IS NOT NULL"),
    _Kind(ADDRESSES, "subnet_id", "{row}family = 4"),
    _Kind(PREFIXES, "subnet_id", "{row}family = 4"),
)


def tally(kind: str, owner: ColumnElement[Any]) -> ScalarSelect[int]:
    """How many of ``kind`` belong to ``owner``, as part of a statement."""
    number = select(tallies.c.number).where(tallies.c.kind == kind, tallies.c.owner == owner)
    return func.coalesce(number.scalar_subquery(), literal(0))  # type: ignore[return-value]


def keep(db: Connection) -> None:
    """Make the triggers, and count what is there. Nobody else writes yet."""
    make = _sqlite if db.dialect.name == "sqlite" else _postgresql
    db.execute(tallies.delete())
    for kind in _KINDS:
        for statement in make(kind):
            db.execute(text(statement))
        counted = f"SELECT '{kind.table}', {kind.owner}, count(*) FROM {kind.table} WHERE {kind.where()}"
        db.execute(text(f"INSERT INTO tallies (kind, owner, number) {counted} GROUP BY {kind.owner}"))


def _events(kind: _Kind) -> Iterator[tuple[str, str, str, str]]:
    """What happens to a row, a name for it, the row that says whether it counts, and what is to be done then."""
    one_more, one_less = _change(kind, "NEW", 1), _change(kind, "OLD", -1)
    yield "INSERT", f"tally_insert_{kind.table}", kind.where("NEW."), one_more
    yield "DELETE", f"tally_delete_{kind.table}", kind.where("OLD."), one_less
    yield f"UPDATE OF {kind.owner}", f"tally_update_{kind.table}", kind.where("NEW."), one_less + one_more


def _change(kind: _Kind, row: str, by: int) -> str:
    return (
        f"INSERT INTO tallies (kind, owner, number) VALUES ('{kind.table}', {row}.{kind.owner}, {by}) "
        f"ON CONFLICT (kind, owner) DO UPDATE SET number = tallies.number + {by}; "
    )


def _sqlite(kind: _Kind) -> Iterator[str]:
    for event, name, counts, change in _events(kind):
        yield f"DROP TRIGGER IF EXISTS {name}"
        yield f"CREATE TRIGGER {name} AFTER {event} ON {kind.table} WHEN {counts} BEGIN {change}END"


def _postgresql(kind: _Kind) -> Iterator[str]:
    for event, name, counts, change in _events(kind):
        body = f"$$ BEGIN {change}RETURN NULL; END $$"
        yield f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS {body}"
        yield f"DROP TRIGGER IF EXISTS {name} ON {kind.table}"
        when = f"FOR EACH ROW WHEN ({counts}) EXECUTE FUNCTION {name}()"
        yield f"CREATE TRIGGER {name} AFTER {event} ON {kind.table} {when}"
