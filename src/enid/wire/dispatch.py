"""One call, from request to answer: signature, parameters, transaction, operation, XML.

Synchronous and without HTTP: a thread of :mod:`enid.wire.app`'s pool runs it. ``DryRun``, ``ClientToken``, the journal
and trying again after a conflict are here, so that an operation is only its own rules.
"""

from __future__ import annotations

import re
import sqlite3
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import AwsError, unsupported
from enid.ec2.registry import Operation
from enid.settings import Settings
from enid.store import journal
from enid.store.database import Conflict, Database
from enid.store.staleness import StaleReads
from enid.wire import model, sigv4
from enid.wire.errors import envelope
from enid.wire.idempotency import run_once
from enid.wire.keys import AccessKey, AccessKeys
from enid.wire.request import Request
from enid.wire.throttle import Buckets

log = structlog.get_logger()

_ATTEMPTS = 4
_VERSION = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", re.ASCII)
_UNAVAILABLE = (OperationalError, InterfaceError, PoolTimeout, sqlite3.OperationalError)
"""The store cannot be reached, is full, or too busy. SQLite's own error comes from a failing COMMIT."""

UNKNOWN = "unknown"
"""Stands for every operation that is not there: what a client sent is not repeated."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back, and for which interfaces the answer should wait."""

    status: int
    body: bytes
    request_id: str
    settling: frozenset[str] = frozenset()
    operation: str = UNKNOWN
    """Of those that are there."""
    code: str = ""
    """The error's; empty when there is none."""


def refuse(error: AwsError, service: str = "ec2", request_id: str = "", operation: str = UNKNOWN) -> Answer:
    """The answer that says ``error``."""
    request_id = request_id or str(uuid.uuid4())
    body = envelope(service, error, request_id).encode()
    return Answer(error.status, body, request_id, operation=operation, code=error.code)


class _DryRun(Exception):
    """Leaves the transaction, which is thereby rolled back, when the request would have succeeded."""


class Dispatcher:
    """Answers requests. Thread-safe."""

    def __init__(
        self, settings: Settings, database: Database, operations: Mapping[str, Operation], *, strict: bool = False
    ) -> None:
        """:param operations: those supported, by name
        :param strict: a result that does not fit the model is an error; for tests."""
        self._settings = settings
        self._database = database
        self._operations = operations
        self._keys = AccessKeys(database)
        staleness = settings.simulate.staleness
        self._throttle = Buckets(settings.throttle)
        self._read = StaleReads(database, staleness).read if staleness else database.read
        self._services = {
            "ec2": model.Service("ec2", model.EC2_VERSION, strict=strict),
            "sts": model.Service("sts", model.STS_VERSION, strict=strict),
        }

    def answer(self, request: Request) -> Answer:
        """The answer to ``request``; never raises."""
        request_id = str(uuid.uuid4())
        service = "sts" if f"Version={model.STS_VERSION}".encode() in request.query + b"&" + request.body else "ec2"
        try:
            claim = sigv4.read(request)
            service = claim.service if claim.service in self._services else service
            key = self._authenticate(request, claim)
            body, settling = self._call(self._services[service], key, request, request_id)
            return Answer(200, body.encode(), request_id, settling, self._named(request))
        except AwsError as error:
            refusal = error
        except Conflict:
            refusal = AwsError("RequestLimitExceeded", "Too many requests change the same thing at once.", 503)
        except _UNAVAILABLE as error:
            log.error("store unavailable", request_id=request_id, error=str(error))
            refusal = AwsError("Unavailable", "enid's database cannot take the request now (busy, full or away).", 503)
        except Exception:
            log.exception("internal error", request_id=request_id)
            refusal = AwsError("InternalError", "An internal error has occurred; enid's log tells more.", 500)
        return refuse(refusal, service, request_id, self._named(request))

    def _named(self, request: Request) -> str:
        """The name of the operation that was asked for, whether or not it was allowed."""
        try:
            action = request.parameters.get("Action", "")
        except AwsError:
            return UNKNOWN
        return action if action in self._operations else UNKNOWN

    def _authenticate(self, request: Request, claim: sigv4.Claim) -> AccessKey:
        key = self._keys.find(claim.access_key_id)
        sigv4.check(request, claim, key.secret if key else None, self._settings.region, datetime.now(UTC))
        assert key is not None  # check() refuses an unknown key
        return key

    def _call(
        self, service: model.Service, key: AccessKey, request: Request, request_id: str
    ) -> tuple[str, frozenset[str]]:
        text = request.parameters
        operation = self._operation(service, text.get("Action", ""))
        self._throttle.take(key.account_id, operation.reads)
        _check_version(service, text.get("Version", ""))
        spoken = service.operation(operation.name)
        params = spoken.decode({name: value for name, value in text.items() if not _is_common(name)})
        once = spoken.takes_client_token and not operation.reads and bool(params.get("ClientToken"))
        try:
            result, settling = self._transact(operation, key, params, request_id, once=once)
        except _DryRun:
            message = "Request would have succeeded, but DryRun flag is set."
            raise AwsError("DryRunOperation", message, 412) from None
        return spoken.encode(result, request_id), settling

    def _operation(self, service: model.Service, action: str) -> Operation:
        if not action:
            raise AwsError("MissingAction", "The request must contain the parameter Action")
        found = self._operations.get(action)
        if found is not None and found.service == service.name:
            return found
        if not service.knows(action):
            raise AwsError("InvalidAction", f"The action {action} is not valid for this web service.")
        there = sorted(name for name, operation in self._operations.items() if operation.service == service.name)
        raise unsupported(f"enid does not support the operation {action}. It supports: {', '.join(there)}.")

    def _transact(
        self, operation: Operation, key: AccessKey, params: Params, request_id: str, *, once: bool
    ) -> tuple[Result, frozenset[str]]:
        """Run the operation in a transaction, again and alone when another transaction was in its way.

        A violated constraint counts as that: the next attempt sees the other's rows and finds AWS's words for them. Ids
        and addresses drawn at random may meet one that is there, hardly twice.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._attempt(operation, key, params, request_id, once=once, alone=attempt > 1)
            except (Conflict, IntegrityError):
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def _attempt(
        self, operation: Operation, key: AccessKey, params: Params, request_id: str, *, once: bool, alone: bool
    ) -> tuple[Result, frozenset[str]]:
        with self._read() if operation.reads else self._database.write(alone=alone) as db:
            context = Context(db, key.account_id, self._settings, user_id=key.account_id, request_id=request_id)
            result = run_once(operation, context, params) if once else operation.function(context, params)
            if params.get("DryRun"):
                raise _DryRun
            journal.note(db, context.changed)
        if context.changed:
            journal.wake(self._settings.agent_socket)
        return result, frozenset(context.settling)


def _check_version(service: model.Service, version: str) -> None:
    """EC2's older versions are taken for the newest: what enid answers did not change between them."""
    older = service.name == "ec2" and _VERSION.fullmatch(version) and version < service.version
    if version != service.version and not older:
        message = f"The API version '{version}' does not exist; use Version={service.version}."
        raise AwsError("NoSuchVersion", message)


def _is_common(name: str) -> bool:
    return name in ("Action", "Version") or name.startswith("X-Amz-")
