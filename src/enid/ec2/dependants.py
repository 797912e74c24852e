"""What stands in the way of a deletion: the refusal names it, since AWS's own sentence never says who."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, union_all

from enid.ec2.context import Context
from enid.ec2.errors import dependency_violation

NAMED, KNOWN = 5, 100
"""How many of the dependants a refusal names, and how many it knows."""


def refuse_if_any(ctx: Context, sentence: str, *dependants: Select[Any]) -> None:
    """Ask for all kinds of dependants in one statement.

    :param sentence: AWS's words; the dependants' ids are added in parentheses.
    :param dependants: each selects one column of ids.
    :raises AwsError: ``DependencyViolation`` if there is any.
    """
    statement = dependants[0] if len(dependants) == 1 else union_all(*dependants)
    found = list(ctx.db.execute(statement.limit(KNOWN)).scalars())
    if found:
        more = ", …" if len(found) > NAMED else ""
        raise dependency_violation(f"{sentence} ({', '.join(found[:NAMED])}{more})", found)
