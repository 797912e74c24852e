"""Whatever comes in, the answer is well-formed and never our fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert
from toy_operations import TOYS
from wire_shapes import ec2_model
from wire_signing import ACCOUNT, HOST, KEY_ID, SECRET, presigned, signed

from enid.ec2.registry import Operation
from enid.settings import Settings
from enid.store.tables import access_keys, accounts
from enid.wire.decode import wire_name
from enid.wire.dispatch import Dispatcher
from enid.wire.request import Request
from fresh_store import fresh_store

ACTIONS = ["RunInstances", "CreateNetworkInterface", "DescribeNetworkInterfaces", "CreateTags", "ImportKeyPair"]
_WORDS = sorted(
    {
        wire_name(member, name)
        for action in ACTIONS
        for name, member in ec2_model().operation_model(action).input_shape.members.items()
    }
)
NAMES = st.lists(
    st.one_of(st.sampled_from([*_WORDS, "1", "2", "Value", "Tag", "Key", "Name", ""]), st.text(max_size=4)),
    min_size=1,
    max_size=5,
).map(".".join)
VALUES = st.one_of(st.text(max_size=20), st.sampled_from(["", "true", "1", "-1", "9" * 30, "network-interface"]))


@pytest.fixture(scope="module")
def anything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dispatcher]:
    """A dispatcher that knows every operation; what they do is nothing."""
    root: Path = tmp_path_factory.mktemp("fuzz")
    settings = Settings(state_dir=root / "state", run_dir=root / "run", region="us-east-1")
    database = fresh_store(settings)
    with database.write() as db:
        db.execute(insert(accounts), {"id": ACCOUNT})
        db.execute(insert(access_keys), {"id": KEY_ID, "secret": SECRET, "account_id": ACCOUNT})
    names = ec2_model().operation_names
    operations = {name: Operation(name, lambda _context, _params: {}, True, "ec2") for name in names}
    writes = {"CreateNetworkInterface": Operation("CreateNetworkInterface", lambda _c, _p: {}, False, "ec2")}
    yield Dispatcher(settings, database, {**TOYS, **operations, **writes}, strict=True)
    database.close()


def check(dispatcher: Dispatcher, request: Request) -> int:
    answer = dispatcher.answer(request)
    ElementTree.fromstring(answer.body)
    assert answer.status < 500, answer.body
    return answer.status


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(ACTIONS), st.dictionaries(NAMES, VALUES, max_size=6))
def test_any_parameters(anything: Dispatcher, action: str, parameters: dict[str, str]) -> None:
    status = check(anything, signed({"Action": action, "Version": "2016-11-15", **parameters}))
    assert status not in (401, 403)  # it got past the signature


@settings(deadline=None)
@given(st.text(max_size=20), st.text(max_size=20), st.sampled_from(["ec2", "sts", "s3"]))
def test_any_action_and_version(anything: Dispatcher, action: str, version: str, service: str) -> None:
    check(anything, signed({"Action": action, "Version": version}, service=service))
    check(anything, presigned({"Action": action, "Version": version}, service=service))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_signed_body(anything: Dispatcher, body: bytes) -> None:
    check(anything, signed(body))


SCOPE = f"{KEY_ID}/20240101/us-east-1/ec2/aws4_request"
DATES = ["20240101T000000Z", "99999999T999999Z", "00000000T000000Z"]
AUTHORIZATIONS = [
    f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host;{name}, Signature={signature}"
    for name in ("x", "authorization", "é", ";")
    for signature in ("0", "é")
]
LIKELY = [text.encode("latin-1") for text in (*AUTHORIZATIONS, *DATES)]
HEADERS = st.tuples(
    st.sampled_from([b"host", b"authorization", b"x-amz-date", b"x-amz-security-token", b"x-amz-content-sha256"]),
    st.one_of(
        st.binary(max_size=40), st.sampled_from([*AUTHORIZATIONS, *DATES]).map(lambda text: text.encode("latin-1"))
    ),
)
QUERIES = st.one_of(
    st.binary(max_size=60),
    st.fixed_dictionaries(
        {},
        optional={
            f"X-Amz-{name}": st.one_of(st.text(max_size=8), st.sampled_from(likely))
            for name, likely in {
                "Algorithm": ["AWS4-HMAC-SHA256"],
                "Credential": [SCOPE],
                "Date": DATES,
                "SignedHeaders": ["host", "host;x-amz-date"],
                "Signature": ["0", "é"],
                "Expires": ["60", "0", "٣"],
            }.items()
        },
    ).map(lambda query: urlencode(query).encode()),
)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(["GET", "POST", "PATCH"]), QUERIES, st.lists(HEADERS, max_size=5), st.binary(max_size=40))
def test_any_unsigned_request(
    anything: Dispatcher, method: str, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    status = check(anything, Request(method, query, [(b"host", HOST.encode()), *headers], body))
    assert status >= 400
