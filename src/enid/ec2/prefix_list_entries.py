"""The entries of prefix lists, version by version. An entry is never overwritten: it ends, and another begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, func, insert, or_, select, update

from enid.ec2 import cidr
from enid.ec2.context import Context
from enid.ec2.errors import AwsError, invalid_parameter_value
from enid.store.tables import prefix_list_entries

Entries = dict[str, str | None]
"""Canonical block → description."""

_COLUMNS = prefix_list_entries.c
MOST = 100
"""Entries in one request."""


def parse(given: Iterable[Mapping[str, Any]], family: str) -> Entries:
    """A request's entries.

    :param family: ``IPv4`` or ``IPv6``.
    :raises AwsError: ``InvalidParameterValue`` for a block that is none, of the other family, or there twice.
    """
    entries: Entries = {}
    for item in given:
        text = item.get("Cidr", "")
        block = str(cidr.ipv4(text, "cidr") if family == "IPv4" else cidr.ipv6(text, "cidr"))
        if block in entries:
            raise invalid_parameter_value(f"The CIDR {block} must not appear multiple times.")
        entries[block] = item.get("Description") or None
    if len(entries) > MOST:
        raise invalid_parameter_value(f"No more than {MOST} entries are allowed in one request.")
    return entries


def add(ctx: Context, list_id: str, entries: Entries, *, version: int) -> None:
    """Entries that begin with ``version``."""
    rows = [
        {"prefix_list_id": list_id, "cidr": block, "description": text, "added_in": version}
        for block, text in entries.items()
    ]
    if rows:
        ctx.db.execute(insert(prefix_list_entries), rows)


def change(ctx: Context, list_id: str, added: Entries, removed: Entries, *, version: int) -> None:
    """Make ``version``. Adding a block that is there gives it another description, as at AWS.

    :raises AwsError: ``InvalidPrefixListModification`` for a block that is not there, or both added and removed.
    """
    current = set(ctx.db.execute(select(_COLUMNS.cidr).where(*_now(list_id))).scalars())
    wrong = (set(removed) - current) | (set(removed) & set(added))
    if wrong:
        raise AwsError("InvalidPrefixListModification", f"The entry {min(wrong)} cannot be removed: it is not there.")
    ending = [*removed, *(set(added) & current)]
    if ending:
        ended = update(prefix_list_entries).where(*_now(list_id), _COLUMNS.cidr.in_(ending))
        ctx.db.execute(ended.values(removed_in=version))
    add(ctx, list_id, added, version=version)


def restore(ctx: Context, list_id: str, before: int, *, version: int) -> None:
    """Make ``version`` with the entries, and their descriptions, of the version ``before``."""
    query = select(_COLUMNS.cidr, _COLUMNS.description)
    then, now = (
        {row.cidr: row.description for row in ctx.db.execute(query.where(*conditions))}
        for conditions in ((_COLUMNS.prefix_list_id == list_id, in_version(before)), _now(list_id))
    )
    added = {block: text for block, text in then.items() if now.get(block, "") != text}
    removed = {block: text for block, text in now.items() if block not in then}
    change(ctx, list_id, added, removed, version=version)


def in_version(version: int) -> ColumnElement[bool]:
    """The entry belongs to this version."""
    return and_(_COLUMNS.added_in <= version, or_(_COLUMNS.removed_in.is_(None), _COLUMNS.removed_in > version))


def current(ctx: Context, list_id: str) -> list[str]:
    """The blocks the list has now."""
    return list(ctx.db.execute(select(_COLUMNS.cidr).where(*_now(list_id)).order_by(_COLUMNS.cidr)).scalars())


def count(ctx: Context, list_id: str) -> int:
    """How many entries the list has now."""
    query = select(func.count()).select_from(prefix_list_entries).where(*_now(list_id))
    return int(ctx.db.execute(query).scalar_one())


def _now(list_id: str) -> tuple[Any, Any]:
    return _COLUMNS.prefix_list_id == list_id, _COLUMNS.removed_in.is_(None)
