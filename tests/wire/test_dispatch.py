"""What happens around an operation: authentication, transaction, DryRun, ClientToken, and the refusals."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from botocore.parsers import create_parser
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError
from toy_operations import TOYS
from wire_shapes import ec2_model
from wire_signing import ACCOUNT, call, ec2, presigned, signed

from enid import clock
from enid.ec2.context import Context, Params, Result
from enid.ec2.registry import Operation
from enid.settings import Settings
from enid.store import journal
from enid.store.database import Conflict, Database
from enid.store.tables import access_keys, accounts, client_tokens, vpcs
from enid.wire.dispatch import Answer, Dispatcher
from enid.wire.idempotency import forget_old
from enid.wire.request import PARAMETER_LIMIT, Request


def error(answer: Answer) -> tuple[str, int]:
    return _parsed(answer)["Error"]["Code"], answer.status


def message(answer: Answer) -> str:
    return str(_parsed(answer)["Error"]["Message"])


def _parsed(answer: Answer) -> dict[str, Any]:
    parsed = create_parser("ec2").parse({"status_code": 400, "headers": {}, "body": answer.body}, None)
    assert parsed["ResponseMetadata"]["RequestId"] == answer.request_id
    return parsed


def result(action: str, answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    shape = ec2_model().operation_model(action).output_shape
    return create_parser("ec2").parse({"status_code": 200, "headers": {}, "body": answer.body}, shape)


def count(database: Database) -> int:
    with database.read() as db:
        return db.execute(select(func.count()).select_from(vpcs)).scalar_one()


def with_operation(settings: Settings, database: Database, function: Any, *, reads: bool = False) -> Dispatcher:
    """A dispatcher whose ``CreateVpcEndpoint`` is ``function``."""
    operation = Operation("CreateVpcEndpoint", function, reads, "ec2")
    return Dispatcher(settings, database, {"CreateVpcEndpoint": operation}, strict=True)


def test_a_call_is_carried_out_committed_and_noted(dispatcher: Dispatcher, database: Database) -> None:
    made = result("CreateVpc", dispatcher.answer(ec2("CreateVpc", CidrBlock="10.1.0.0/16")))["Vpc"]
    assert made["CidrBlock"] == "10.1.0.0/16"
    seen = result("DescribeVpcs", dispatcher.answer(presigned(call("DescribeVpcs"))))["Vpcs"]
    assert [vpc["VpcId"] for vpc in seen] == [made["VpcId"]]
    with database.read() as db:
        assert journal.after(db, 0)[1] == [("vpc", made["VpcId"])]


def test_who_am_i(dispatcher: Dispatcher) -> None:
    answer = dispatcher.answer(signed({"Action": "GetCallerIdentity", "Version": "2011-06-15"}, service="sts"))
    assert answer.body.decode().startswith(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Account>{ACCOUNT}</Account><Arn>arn:aws:iam::{ACCOUNT}:root</Arn><UserId>{ACCOUNT}</UserId>"
        "</GetCallerIdentityResult><ResponseMetadata><RequestId>"
    )


def test_a_new_key_works_at_once_and_sees_only_its_account(dispatcher: Dispatcher, database: Database) -> None:
    dispatcher.answer(ec2("CreateVpc"))
    request = signed(call("DescribeVpcs"), key_id="AKIANEW", secret="new")
    assert error(dispatcher.answer(request)) == ("AuthFailure", 401)
    with database.write() as db:
        db.execute(insert(accounts), {"id": "999988887777"})
        db.execute(insert(access_keys), {"id": "AKIANEW", "secret": "new", "account_id": "999988887777"})
    assert result("DescribeVpcs", dispatcher.answer(request))["Vpcs"] == []


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"Version": "2016-11-15"}, "MissingAction"),
        ({"Action": "MakeCoffee", "Version": "2016-11-15"}, "InvalidAction"),
        ({"Action": "GetCallerIdentity", "Version": "2016-11-15"}, "InvalidAction"),  # STS's, not EC2's
        ({"Action": "CreateFleet", "Version": "2016-11-15"}, "UnsupportedOperation"),
        ({"Action": "DescribeVpcs"}, "NoSuchVersion"),
        ({"Action": "DescribeVpcs", "Version": "2017-01-01"}, "NoSuchVersion"),
        ({"Action": "DescribeVpcs", "Version": "one"}, "NoSuchVersion"),
        ({"Action": "DescribeVpcs", "Version": "2011-06-15"}, None),
        ({"Action": "DescribeVpcs", "Version": "2014-10-01"}, None),
        ({"Action": "DescribeVpcs", "Version": "2016-11-15", "Vpc": "x"}, "UnknownParameter"),
        ({"Action": "CreateVpc", "Version": "2016-11-15", "CidrBlock": "1.2.3.4/33"}, "InvalidParameterValue"),
    ],
)
def test_refusals(dispatcher: Dispatcher, parameters: dict[str, str], code: str | None) -> None:
    answer = dispatcher.answer(signed(parameters))
    if code is None:
        assert answer.status == 200
    else:
        assert error(answer) == (code, 400)


def test_an_unsupported_operation_is_told_what_is_there(dispatcher: Dispatcher) -> None:
    text = message(dispatcher.answer(ec2("CreateFleet")))
    assert "CreateFleet" in text
    assert "CreateVpc, CreateVpcEndpoint, DeleteVpc, DescribeSubnets, DescribeVpcs, DetachNetworkInterface." in text


@pytest.mark.parametrize(
    "body",
    [
        b"Action=DescribeVpcs&Version=2016-11-15&Action=CreateVpc",
        b"Action=DescribeVpcs&Version=2016-11-15&VpcId.1=%FF",
        b"Action=DescribeVpcs&Version=2016-11-15&VpcId.1=\xff",
        b"Action=DescribeVpcs&Version=2016-11-15" + b"&a=b" * PARAMETER_LIMIT,
    ],
)
def test_parameters_that_cannot_be_told_apart(dispatcher: Dispatcher, body: bytes) -> None:
    assert error(dispatcher.answer(signed(body))) == ("MalformedQueryString", 400)


def test_sts_has_its_own_envelope(dispatcher: Dispatcher) -> None:
    body = dispatcher.answer(signed({"Action": "AssumeRole", "Version": "2011-06-15"}, service="sts")).body.decode()
    assert "<ErrorResponse xmlns=" in body
    assert "<Code>UnsupportedOperation</Code>" in body
    unsigned = Request("POST", b"", [], b"Action=GetCallerIdentity&Version=2011-06-15")
    assert b"<ErrorResponse xmlns=" in dispatcher.answer(unsigned).body


def test_dry_run_changes_nothing(dispatcher: Dispatcher, database: Database) -> None:
    answer = dispatcher.answer(ec2("CreateVpc", DryRun="true"))
    assert error(answer) == ("DryRunOperation", 412)
    assert message(answer) == "Request would have succeeded, but DryRun flag is set."
    assert error(dispatcher.answer(ec2("DescribeVpcs", DryRun="true"))) == ("DryRunOperation", 412)
    assert error(dispatcher.answer(ec2("CreateVpc", DryRun="true", CidrBlock="1.2.3.4/33")))[0] == (
        "InvalidParameterValue"
    )
    assert error(dispatcher.answer(endpoint("t", DryRun="true"))) == ("DryRunOperation", 412)
    assert count(database) == 0
    with database.read() as db:
        assert journal.last(db) == 0
        assert db.execute(select(client_tokens)).all() == []
    assert dispatcher.answer(ec2("CreateVpc", DryRun="false")).status == 200


def endpoint(token: str, **more: str) -> Request:
    return ec2("CreateVpcEndpoint", VpcId="vpc-1", ServiceName=more.pop("name", "s3"), ClientToken=token, **more)


def test_the_same_token_gets_the_same_answer(dispatcher: Dispatcher, database: Database) -> None:
    first = result("CreateVpcEndpoint", dispatcher.answer(endpoint("t")))
    again = result("CreateVpcEndpoint", dispatcher.answer(endpoint("t", DryRun="false")))
    assert again["VpcEndpoint"] == first["VpcEndpoint"]
    assert count(database) == 1
    other = result("CreateVpcEndpoint", dispatcher.answer(endpoint("u")))
    assert other["VpcEndpoint"] != first["VpcEndpoint"]


def test_the_same_token_with_other_parameters_is_refused(dispatcher: Dispatcher, database: Database) -> None:
    dispatcher.answer(endpoint("t"))
    assert error(dispatcher.answer(endpoint("t", name="sqs"))) == ("IdempotentParameterMismatch", 400)
    assert count(database) == 1


def test_a_refused_call_leaves_its_token_free(settings: Settings, database: Database) -> None:
    answers: Iterator[Any] = iter([KeyError("x"), None])

    def flaky(context: Context, params: Params) -> Result:
        if trouble := next(answers):
            raise trouble
        return TOYS["CreateVpcEndpoint"].function(context, params)

    dispatcher = with_operation(settings, database, flaky)
    assert dispatcher.answer(endpoint("t")).status == 500
    assert dispatcher.answer(endpoint("t", name="sqs")).status == 200


def test_a_token_too_long_is_refused(dispatcher: Dispatcher) -> None:
    assert error(dispatcher.answer(endpoint("t" * 129))) == ("InvalidParameterValue", 400)


def test_of_many_at_once_with_one_token_one_works(dispatcher: Dispatcher, database: Database) -> None:
    start = threading.Barrier(8)

    def go(_: int) -> str:
        start.wait(10)
        return str(result("CreateVpcEndpoint", dispatcher.answer(endpoint("t")))["VpcEndpoint"]["VpcEndpointId"])

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(go, range(8)))) == 1
    assert count(database) == 1


@pytest.mark.parametrize("trouble", [Conflict(), IntegrityError("insert", {}, Exception("unique"))])
def test_a_conflict_is_tried_again(settings: Settings, database: Database, trouble: Exception) -> None:
    attempts = []

    def contested(context: Context, params: Params) -> Result:
        attempts.append(1)
        made = TOYS["CreateVpcEndpoint"].function(context, params)
        if len(attempts) < 3:
            raise trouble
        return made

    assert with_operation(settings, database, contested).answer(endpoint("t")).status == 200
    assert len(attempts) == 3
    assert count(database) == 1  # what the lost attempts wrote is gone


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        (Conflict(), ("RequestLimitExceeded", 503)),
        (OperationalError("insert", {}, Exception("database or disk is full")), ("Unavailable", 503)),
        (sqlite3.OperationalError("disk I/O error"), ("Unavailable", 503)),
        (IntegrityError("insert", {}, Exception("unique")), ("InternalError", 500)),
        (ZeroDivisionError(), ("InternalError", 500)),
    ],
)
def test_trouble_is_told_and_nothing_is_kept(
    settings: Settings, database: Database, trouble: Exception, expected: tuple[str, int]
) -> None:
    def troubled(context: Context, params: Params) -> Result:
        TOYS["CreateVpcEndpoint"].function(context, params)
        raise trouble

    assert error(with_operation(settings, database, troubled).answer(endpoint("t"))) == expected
    assert count(database) == 0


def test_a_result_beside_the_model_is_an_internal_error_in_tests(dispatcher: Dispatcher) -> None:
    assert error(dispatcher.answer(ec2("DescribeSubnets"))) == ("InternalError", 500)
    assert "log" in message(dispatcher.answer(ec2("DeleteVpc", VpcId="vpc-1")))


def test_a_token_is_forgotten_after_two_days_and_not_after_one(dispatcher: Dispatcher, database: Database) -> None:
    for token, age in (("a day", timedelta(hours=25)), ("two days", timedelta(hours=49))):
        dispatcher.answer(endpoint(token))
        with database.write() as db:
            mine = client_tokens.c.token == token
            db.execute(update(client_tokens).where(mine).values(created_at=clock.now(ago=age)))
    forget_old(database)
    with database.read() as db:
        assert list(db.execute(select(client_tokens.c.token)).scalars()) == ["a day"]
