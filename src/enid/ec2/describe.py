"""What every Describe operation shares: ids, filters, pages. What a row looks like is the resource's own affair."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, select

from enid.ec2.context import Context, Params
from enid.ec2.errors import AwsError, check_id, invalid_parameter_combination, invalid_parameter_value, not_found
from enid.ec2.filters import Catalogue, where
from enid.ec2.resources import RESOURCES

Page = tuple[list[Row[Any]], str | None]
"""The rows, and the token of the next page."""


_LONGEST_OFFSET = 9
"""Digits. Python refuses to read numbers of thousands."""


def describe(
    ctx: Context,
    params: Params,
    prefix: str,
    catalogue: Catalogue,
    ids: str,
    *,
    sizes: tuple[int, int] = (5, 1000),
    condition: ColumnElement[bool] | None = None,
) -> Page:
    """The caller's rows of one kind that the request selects, in the order of their ids.

    :param prefix: the kind, see :data:`~enid.ec2.resources.RESOURCES`.
    :param catalogue: the filters of this operation.
    :param ids: the request's member with ids, e.g. ``"VpcIds"``.
    :param sizes: least and most of ``MaxResults``.
    :param condition: an extra restriction.
    :raises AwsError: malformed or unknown ids (only the first missing one is named, as AWS does), unknown filters,
        ``MaxResults`` out of range or together with ids, a token that is none of ours.
    """
    resource = RESOURCES[prefix]
    table, key = resource.table, resource.id
    wanted = [check_id(prefix, id_) for id_ in dict.fromkeys(params.get(ids, ()))]
    limit = limit_of(params, sizes, ids if wanted else "")
    query = select(table).where(resource.visible(ctx.account_id, ctx.now))
    if condition is not None:
        query = query.where(condition)
    if wanted:
        _require(ctx, prefix, wanted, condition)
        query = query.where(key.in_(wanted))
    query = query.where(where(params.get("Filters", ()), catalogue, key, ctx.account_id)).order_by(key)
    if token := params.get("NextToken"):
        query = query.where(key > decode(token))
    rows = list(ctx.db.execute(query if limit is None else query.limit(limit + 1)))
    if limit is None or len(rows) <= limit:
        return rows, None
    return rows[:limit], encode(getattr(rows[limit - 1], key.name))


def slice_page(
    params: Params, rows: Sequence[Any], sizes: tuple[int, int] = (5, 1000)
) -> tuple[Sequence[Any], str | None]:
    """Pages over a list that is not a table (zones, instance types …): the token is an offset."""
    limit = limit_of(params, sizes, "")
    token = params.get("NextToken")
    start = _number(decode(token)) if token else 0
    end = len(rows) if limit is None else start + limit
    return rows[start:end], encode(str(end)) if end < len(rows) else None


def _require(ctx: Context, prefix: str, ids: Sequence[str], condition: ColumnElement[bool] | None) -> None:
    resource = RESOURCES[prefix]
    query = select(resource.id).where(resource.id.in_(ids), resource.visible(ctx.account_id, ctx.now))
    if condition is not None:
        query = query.where(condition)
    found = set(ctx.db.execute(query).scalars())
    for id_ in ids:
        if id_ not in found:
            raise not_found(prefix, id_)


def limit_of(params: Params, sizes: tuple[int, int] = (5, 1000), ids: str = "") -> int | None:
    """How much a page holds at most; ``None``: everything.

    :param ids: the member with ids, if the request has some: a page of them cannot be asked for.
    """
    limit = params.get("MaxResults")
    if limit is None:
        return None
    if ids:
        raise invalid_parameter_combination(f"The parameter {ids} cannot be used with the parameter MaxResults")
    least, most = sizes
    if not least <= limit <= most:
        raise invalid_parameter_value(
            f"Value ( {limit} ) for parameter maxResults is invalid. Expecting a value between {least} and {most}."
        )
    return int(limit)


def encode(key: str) -> str:
    """The token of the page after ``key``."""
    return urlsafe_b64encode(f"enid:{key}".encode()).decode()


def decode(token: str) -> str:
    """The key that the page of this token comes after.

    :raises AwsError: it is none of ours.
    """
    try:
        text = urlsafe_b64decode(token.encode()).decode()
    except ValueError:
        text = ""
    if not text.startswith("enid:") or "\0" in text:  # which PostgreSQL takes no text with
        raise AwsError("InvalidPaginationToken", f"The token '{token}' is not valid")
    return text[5:]


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > _LONGEST_OFFSET:
        raise AwsError("InvalidPaginationToken", "The token is not valid for this operation")
    return int(text)
