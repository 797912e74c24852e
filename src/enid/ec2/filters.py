"""Filters of the Describe operations: values with wildcards become SQL conditions.

A catalogue maps each documented filter name to a :data:`Condition`. Between filters AND, inside one OR, as AWS does;
``tag:<key>`` and ``tag-key`` work for every resource with an id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, Text, and_, cast, false, literal, or_, select

from enid.ec2.errors import AwsError, invalid_parameter_value
from enid.store.tables import tags

Condition = Callable[[Sequence[str]], ColumnElement[bool]]
Catalogue = Mapping[str, Condition]

MAX_VALUES = 200
"""Most values in one request (AWS: 200)."""


def matches(column: ColumnElement[Any], values: Iterable[str]) -> ColumnElement[bool]:
    """``column`` equals one of ``values``, in which ``*`` is any text, ``?`` any one character, ``\\`` escapes."""
    exact: list[str] = []
    patterns: list[ColumnElement[bool]] = []
    for value in values:
        plain, pattern = _translate(value)
        if pattern is None:
            exact.append(plain)
        else:
            patterns.append(column.like(pattern, escape="\\"))
    if exact:
        patterns.append(column == exact[0] if len(exact) == 1 else column.in_(exact))
    return or_(false(), *patterns)


def _translate(value: str) -> tuple[str, str | None]:
    """The literal text, and the LIKE pattern when the value holds a wildcard."""
    plain, pattern, wild, escaped = [], [], False, False
    for character in value:
        if not escaped and character == "\\":
            escaped = True
            continue
        if not escaped and character in "*?":
            wild = True
            pattern.append("%" if character == "*" else "_")
        else:
            plain.append(character)
            pattern.append("\\" + character if character in "%_\\" else character)
        escaped = False
    return "".join(plain), "".join(pattern) if wild else None


def text(column: ColumnElement[Any]) -> Condition:
    """A text column, wildcards allowed."""
    return lambda values: matches(column, values)


def boolean(column: ColumnElement[bool]) -> Condition:
    """A boolean column; values are ``true`` and ``false``."""

    def condition(values: Sequence[str]) -> ColumnElement[bool]:
        wanted = {value.lower() for value in values}
        parts = [column.is_(word == "true") for word in ("true", "false") if word in wanted]
        return or_(false(), *parts)

    return condition


def number(column: ColumnElement[int]) -> Condition:
    """An integer column, compared as text: whatever a client sends is a value, and wildcards work."""
    return text(cast(column, Text))


def related(owner: ColumnElement[Any], key: ColumnElement[Any], inner: Condition, *links: Any) -> Condition:
    """The resource has a related row for which ``inner`` holds: ``owner IN (SELECT key FROM … WHERE inner)``.

    Where it can have but one, the tables are joined instead: the database then begins at whichever end is shorter.
    """
    if _is_key(key):
        return lambda values: and_(key == owner, inner(values), *links)
    return lambda values: owner.in_(select(key).where(inner(values), *links))


def _is_key(column: ColumnElement[Any]) -> bool:
    """No two rows of its table have the same value in it."""
    if not isinstance(column, Column) or not isinstance(column.table, Table):
        return False
    return bool(column.unique) or list(column.table.primary_key) == [column]


def constant(value: str) -> Condition:
    """A property that is the same for every resource here."""

    def condition(values: Sequence[str]) -> ColumnElement[bool]:
        return matches(literal(value), values)

    return condition


def absent(values: Sequence[str]) -> ColumnElement[bool]:
    """A property that AWS documents and no resource here has."""
    return false()


def where(
    given: Sequence[Mapping[str, Any]], catalogue: Catalogue, owner: ColumnElement[Any], account_id: str
) -> ColumnElement[bool]:
    """The condition for a request's ``Filters``.

    :param owner: the resource's id column, for the tag filters.
    :param account_id: whose tags they look at.
    :raises AwsError: ``InvalidParameterValue`` for an unknown filter, ``FilterLimitExceeded`` for too many values.
    """
    if sum(len(item.get("Values", ())) for item in given) > MAX_VALUES:
        raise AwsError("FilterLimitExceeded", f"The maximum number of filter values is {MAX_VALUES}.")
    return and_(*(_one(item, catalogue, owner, account_id) for item in given)) if given else and_(True)


def _one(
    item: Mapping[str, Any], catalogue: Catalogue, owner: ColumnElement[Any], account_id: str
) -> ColumnElement[bool]:
    name, values = item.get("Name", ""), [str(value) for value in item.get("Values", ())]
    if not values:
        raise invalid_parameter_value(f"The filter '{name}' must have at least one value.")
    mine = tags.c.account_id == account_id
    if name.startswith("tag:"):
        return _has_tag(owner, account_id, name[4:], values)
    if name == "tag-key":
        return owner.in_(_tagged(mine, matches(tags.c.key, values)))
    if name == "tag-value":
        return owner.in_(_tagged(mine, matches(tags.c.value, values)))
    condition = catalogue.get(name)
    if condition is None:
        raise invalid_parameter_value(f"The filter '{name}' is invalid")
    return condition(values)


def _has_tag(owner: ColumnElement[Any], account_id: str, key: str, values: Sequence[str]) -> ColumnElement[bool]:
    """A resource has a key once, so that this can be a join, see :func:`related`."""
    tag = tags.alias().c
    return and_(tag.resource_id == owner, tag.account_id == account_id, tag.key == key, matches(tag.value, values))


def _tagged(*conditions: ColumnElement[bool]) -> Select[tuple[str]]:
    return select(tags.c.resource_id).where(*conditions)
