"""AWS's quotas, checked when something is added; how much is allowed is in :class:`~enid.settings.Quotas`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Table, func, literal, select

from enid.ec2.context import Context
from enid.ec2.errors import AwsError
from enid.store.tallies import tally


def check(ctx: Context, table: Table, condition: ColumnElement[Any], limit: int, code: str, message: str) -> None:
    """One more row may be added to those of ``table`` for which ``condition`` holds.

    :raises AwsError: ``code`` when there are already ``limit``.
    """
    if ctx.db.execute(select(func.count()).select_from(table).where(condition)).scalar_one() >= limit:
        raise AwsError(code, message)


def check_tally(ctx: Context, kind: str, limit: int, code: str, message: str) -> None:
    """The same for what the account has of a kind that is tallied, see :mod:`enid.store.tallies`."""
    if ctx.db.execute(select(tally(kind, literal(ctx.account_id)))).scalar_one() >= limit:
        raise AwsError(code, message)
