"""Filters and wildcards over lists that are not in the database (instance types, images).

The rules are those of :mod:`enid.ec2.filters`: AND between filters, OR inside one, ``*`` and ``?`` in values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from enid.ec2.errors import AwsError, invalid_parameter_value
from enid.ec2.filters import MAX_VALUES

Item = TypeVar("Item")


def matches(value: str, patterns: Iterable[str]) -> bool:
    """``value`` equals one of ``patterns``, in which ``*`` is any text, ``?`` any one character, ``\\`` escapes."""
    return any(_compiled(pattern).fullmatch(value) for pattern in patterns)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    tokens = re.findall(r"\\.|.", pattern, re.DOTALL)
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(token) or re.escape(token[-1]) for token in tokens), re.DOTALL)


def keep(
    items: Iterable[Item],
    given: Sequence[Mapping[str, Any]],
    properties: Mapping[str, Callable[[Item], Sequence[str]]],
) -> list[Item]:
    """The items that satisfy a request's ``Filters``.

    :param properties: filter name → the texts an item has for it; one of them must match one of the values.
    :raises AwsError: ``InvalidParameterValue`` for an unknown filter, ``FilterLimitExceeded`` for too many values.
    """
    if sum(len(filter_.get("Values", ())) for filter_ in given) > MAX_VALUES:
        raise AwsError("FilterLimitExceeded", f"The maximum number of filter values is {MAX_VALUES}.")
    for filter_ in given:
        name, values = filter_.get("Name", ""), [str(value) for value in filter_.get("Values", ())]
        if not values:
            raise invalid_parameter_value(f"The filter '{name}' must have at least one value.")
        if name not in properties:
            raise invalid_parameter_value(f"The filter '{name}' is invalid")
        texts = properties[name]
        items = [item for item in items if any(matches(text, values) for text in texts(item))]
    return list(items)
