"""Accounts that call the registered operations on a store.

An :class:`Account` does what the wire does around an operation and nothing more: it checks the parameters against
botocore's model, runs the function in a transaction, writes the journal, and checks that the answer has the model's
shape, so that a misspelt member fails the test instead of vanishing from the XML.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from hypothesis import settings as hypothesis_settings
from sqlalchemy import Connection, event, select, text

import enid.ec2.catalogue  # noqa: F401  (registers every operation)
from enid.ec2.context import Context
from enid.ec2.errors import AwsError
from enid.ec2.registry import OPERATIONS
from enid.settings import Settings
from enid.store import journal
from enid.store.database import Database
from enid.store.tables import metadata, tallies

hypothesis_settings.register_profile("enid", deadline=None)
hypothesis_settings.load_profile("enid")  # a busy machine is no failure

FIRST, SECOND = "111111111111", "222222222222"


@cache
def model(service: str) -> ServiceModel:
    """botocore's description of a service; the newest version."""
    return (
        botocore.session.get_session()
        .create_client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        .meta.service_model
    )


def check_shape(value: dict[str, Any], shape: Any, what: str) -> None:
    """``value`` has only members of ``shape``, of the right types."""
    if shape is None:
        assert not value, f"{what} has no members"
        return
    report = ParamValidator().validate(value, shape)
    assert not report.has_errors(), f"{what}: {report.generate_report()}"


def without_none(value: Any) -> Any:
    """The answer as a client sees it: members that are ``None`` are left out."""
    if isinstance(value, dict):
        return {key: without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [without_none(item) for item in value]
    return value


_TABLES = [table for table in metadata.sorted_tables if table is not tallies]
_EVERYTHING = text(" UNION ALL ".join(f"SELECT '{table.name}', t::text FROM {table.name} AS t" for table in _TABLES))
"""For PostgreSQL."""


class Account:
    """``call("CreateVpc", CidrBlock="10.0.0.0/16")`` → the answer; a refusal raises :class:`AwsError`."""

    def __init__(self, database: Database, settings: Settings, account_id: str) -> None:
        self.database, self.settings, self.account_id = database, settings, account_id
        self.statements = 0
        """How many SQL statements the last call ran."""
        self.changed: list[journal.Key] = []
        """What the last call noted for the agent."""
        self.settling: set[str] = set()

    def __call__(self, action: str, **params: Any) -> dict[str, Any]:
        assert action in OPERATIONS, f"{action} is not registered"
        operation = OPERATIONS[action]
        shapes = model(operation.service).operation_model(action)
        check_shape(params, shapes.input_shape, f"request of {action}")
        transaction = self.database.read if operation.reads else self.database.write
        with transaction() as db:
            ctx = Context(db, self.account_id, self.settings, user_id="AIDATEST", request_id="req-1")
            with self._counted():
                result = without_none(operation.function(ctx, params))
            journal.note(db, ctx.changed)
        if operation.reads:
            assert not ctx.changed, f"{action} reads but notes changes"
        self.changed, self.settling = list(dict.fromkeys(ctx.changed)), ctx.settling
        check_shape(result, shapes.output_shape, f"answer of {action}")
        return result

    def refused(self, action: str, **params: Any) -> AwsError:
        """The call is refused and changes nothing; answers the error."""
        before = self.dump()
        with pytest.raises(AwsError) as caught:
            self(action, **params)
        assert self.dump() == before, f"{action} was refused but changed the store"
        return caught.value

    def dump(self) -> dict[str, list[str]]:
        """Every row of every table, to compare; a count of none is no count."""
        with self.database.read() as db:
            if self.database.is_sqlite:  # by the driver itself: SQLAlchemy takes ten times as long
                run = db.connection.driver_connection.execute  # type: ignore[union-attr]
                found = [(table.name, repr(row)) for table in _TABLES for row in run(f"SELECT * FROM {table.name}")]
            else:  # a question for each table would be a way there and back for each
                found = [(name, row) for name, row in db.execute(_EVERYTHING)]
            found += [("tallies", repr(row)) for row in db.execute(select(tallies).where(tallies.c.number != 0))]
        dumped: dict[str, list[str]] = {name: [] for name in metadata.tables}
        for name, row in sorted(found):
            dumped[name].append(row)
        return dumped

    def limit(self, **quotas: int) -> None:
        """Give this account other quotas, e.g. ``limit(vpcs=2)``."""
        changed = self.settings.quotas.model_copy(update=quotas)
        self.settings = self.settings.model_copy(update={"quotas": changed})

    def put(self, statement: Any) -> None:
        """Write a row by hand, for what this module's operations do not make (an agent's status, a site …)."""
        with self.database.write() as db:
            db.execute(statement)

    def _counted(self) -> Any:
        return _Counter(self)


class _Counter:
    def __init__(self, account: Account) -> None:
        self.account = account

    def __enter__(self) -> None:
        self.account.statements = 0
        event.listen(self.account.database.engine, "before_cursor_execute", self._count)

    def __exit__(self, *_: object) -> None:
        event.remove(self.account.database.engine, "before_cursor_execute", self._count)

    def _count(self, _db: Connection, *_: object) -> None:
        self.account.statements += 1
