"""``ClientToken``: the same request, sent again, gets the first answer again and does nothing.

The token's row is written in the operation's own transaction, so there is no moment in which the work is done and the
token unknown. Of two requests at once the table's key lets one commit; the other is tried again and finds its answer.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from enid import clock
from enid.clock import timestamp
from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import AwsError, invalid_parameter_value
from enid.ec2.registry import Operation
from enid.store.database import Conflict, Database
from enid.store.tables import client_tokens

_LONGEST_TOKEN = 128  # characters; AWS documents 64 for most operations, 128 for some
REMEMBERED = timedelta(hours=48)
"""AWS promises at least 24."""
_MISMATCH = "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
_NOT_COMPARED = ("ClientToken", "DryRun")


def run_once(operation: Operation, context: Context, params: Params) -> Result:
    """The stored answer for ``params["ClientToken"]``, or the operation's, which is then stored.

    :raises AwsError: ``IdempotentParameterMismatch`` when the token came with other parameters before; the operation's
        own refusal to repeat its answer
    :raises Conflict: another transaction with this token has just committed
    """
    token = params["ClientToken"]
    if len(token) > _LONGEST_TOKEN:
        raise invalid_parameter_value(f"A ClientToken may have up to {_LONGEST_TOKEN} characters.")
    key = {"account_id": context.account_id, "action": operation.name, "token": token}
    found = context.db.execute(
        select(client_tokens.c.request_hash, client_tokens.c.result).where(
            *(client_tokens.c[name] == value for name, value in key.items())
        )
    ).one_or_none()
    asked = _fingerprint(params)
    if found is not None:
        if found.request_hash != asked:
            raise AwsError("IdempotentParameterMismatch", _MISMATCH)
        if operation.repeated is not None:
            operation.repeated(context, found.result)
        return dict(found.result)
    result = operation.function(context, params)
    row = {**key, "request_hash": asked, "result": json.loads(_json(result, sort=False)), "created_at": context.now}
    try:
        context.db.execute(insert(client_tokens), row)
    except IntegrityError as error:
        raise Conflict from error
    return result


def forget_old(database: Database) -> None:
    """Drop what was stored more than :data:`REMEMBERED` ago. Each process of the API may."""
    with database.write(alone=True) as db:
        db.execute(delete(client_tokens).where(client_tokens.c.created_at < clock.now(ago=REMEMBERED)))


def _fingerprint(params: Params) -> str:
    compared = {name: value for name, value in params.items() if name not in _NOT_COMPARED}
    return hashlib.sha256(_json(compared, sort=True).encode()).hexdigest()


def _json(value: Any, *, sort: bool) -> str:
    """Sorted to be compared, as it was to be answered again."""
    return json.dumps(value, sort_keys=sort, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"{value!r} has no JSON form")
