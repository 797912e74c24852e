"""Only the key's holder, only this request, only now."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from hypothesis import given
from hypothesis import strategies as st
from sigv4_vectors import VECTORS, Vector
from wire_signing import HOST, KEY_ID, SECRET, call, ec2, presigned, signed

from enid.ec2.errors import AwsError
from enid.wire import sigv4
from enid.wire.request import Request

CALL = call("CreateVpc", CidrBlock="10.0.0.0/16", TagSpecification__1__ResourceType="vpc")
ALGORITHM = "AWS4-HMAC-SHA256"
SCOPE = f"{KEY_ID}/20240101/us-east-1/ec2/aws4_request"
EXAMPLE_SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
EXAMPLE_TIME = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)


def verify(request: Request, *, secret: str | None = SECRET, region: str = "us-east-1", later: float = 0) -> None:
    now = datetime.now(UTC) + timedelta(seconds=later)
    claim = sigv4.read(request)
    sigv4.check(request, claim, secret if claim.access_key_id == KEY_ID else None, region, now)


def refusal(request: Request, **how: object) -> AwsError:
    with pytest.raises(AwsError) as caught:
        verify(request, **how)  # type: ignore[arg-type]
    return caught.value


def vector(
    method: str,
    query: str,
    headers: list[tuple[str, str]],
    names: str,
    service: str,
    signature: str,
    body: bytes = b"",
) -> None:
    """Check one of the examples AWS publishes."""
    credential = f"AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request"
    authorization = f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    sent = [(name.lower().encode(), value.encode()) for name, value in [*headers, ("Authorization", authorization)]]
    request = Request(method, query.encode(), sent, body)
    services = frozenset((service,))
    claim = sigv4.read(request)
    sigv4.check(request, claim, EXAMPLE_SECRET, "us-east-1", EXAMPLE_TIME, services)
    with pytest.raises(AwsError):
        sigv4.check(request, claim, EXAMPLE_SECRET + "x", "us-east-1", EXAMPLE_TIME, services)


def test_the_example_of_the_general_reference() -> None:
    vector(
        "GET",
        "Action=ListUsers&Version=2010-05-08",
        [
            ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("Host", "iam.amazonaws.com"),
            ("X-Amz-Date", "20150830T123600Z"),
        ],
        "content-type;host;x-amz-date",
        "iam",
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    )


@pytest.mark.parametrize("case", VECTORS, ids=[case.name for case in VECTORS])
def test_aws_published_test_suite(case: Vector) -> None:
    headers = [("Host", "example.amazonaws.com"), ("X-Amz-Date", "20150830T123600Z"), *case.headers]
    names = ";".join(sorted({name.lower() for name, _ in headers}))
    vector(case.method, case.query, headers, names, "service", case.signature, case.body)


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=5), st.sampled_from(["ec2", "sts"]))
def test_what_botocore_signs_is_accepted_in_both_forms(parameters: dict[str, str], service: str) -> None:
    reserved = {name: value for name, value in parameters.items() if not name.startswith("X-Amz-")}
    verify(signed(reserved, service=service))
    verify(presigned({"a": "b", **reserved}, service=service))


def test_parameters_beside_the_body_are_covered_too() -> None:
    request = signed(CALL, query="a=x%20y&b=~%2F")
    verify(replace(request, query=b"b=%7E%2f&a=x+y"))  # the same parameters, written in another way
    assert refusal(replace(request, query=b"a=x+z&b=~%2F")).code == "AuthFailure"


MUTABLE = re.compile(r"(?<=Credential=)\S+(?=,)|(?<=SignedHeaders=)\S+(?=,)|(?<=Signature=)\S+")


@given(st.data())
def test_no_mutant_of_a_signed_request_is_accepted(data: st.DataObject) -> None:
    request = signed(CALL, query="Query=1")
    mutant = data.draw(
        st.one_of(
            _altered_bytes(request.body).map(lambda body: replace(request, body=body)),
            st.sampled_from(["GET", "PUT", "HEAD", "post"]).map(lambda method: replace(request, method=method)),
            st.sampled_from([b"", b"Query=2", b"Query=1&x=", b"query=1", b"Query=1&X-Amz-Signature=a"]).map(
                lambda query: replace(request, query=query)
            ),
            _altered_headers(request),
        )
    )
    assert mutant != request
    refusal(mutant)


@given(st.data())
def test_no_mutant_of_a_presigned_request_is_accepted(data: st.DataObject) -> None:
    request = presigned(CALL)
    pairs = list(request.query_pairs)
    at = data.draw(st.integers(0, len(pairs) - 1))
    key, value = pairs[at]
    what = data.draw(st.sampled_from(["key", "value", "gone", "more", "body", "method"]))
    if what in ("body", "method"):
        mutant = replace(request, **{what: b"a=b" if what == "body" else "POST"})
    else:
        if what == "key":
            key = data.draw(_altered(key))
        elif what == "value":
            value = data.draw(_altered(value))
        changed = {"gone": [], "more": [(key, value), ("More", "")]}.get(what, [(key, value)])
        pairs[at : at + 1] = changed
        text = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in pairs)
        mutant = replace(request, query=text.encode())
    refusal(mutant)


def _altered(text: str) -> st.SearchStrategy[str]:
    """``text`` with one character replaced, or one added."""
    place, character = st.integers(0, len(text)), st.characters(min_codepoint=33, max_codepoint=0x2FF)
    return st.builds(
        lambda at, new, skip: text[:at] + new + text[at + skip :], place, character, st.integers(0, 1)
    ).filter(lambda altered: altered != text)


def _altered_bytes(body: bytes) -> st.SearchStrategy[bytes]:
    flips = st.tuples(st.integers(0, len(body) - 1), st.integers(1, 255))
    return flips.map(lambda flip: body[: flip[0]] + bytes([body[flip[0]] ^ flip[1]]) + body[flip[0] + 1 :])


@st.composite
def _altered_headers(draw: st.DrawFn, request: Request) -> Request:
    headers = list(request.headers)
    signed_ones = [i for i, (name, _) in enumerate(headers) if name != b"user-agent"]
    at = draw(st.sampled_from(signed_ones))
    name, value = headers[at]
    match draw(st.sampled_from(["value", "gone", "twice", "unsigned"])):
        case "gone":
            del headers[at]
        case "twice":
            headers.insert(at, (name, value))
        case "unsigned":
            headers.append((b"x-amz-new", b"1"))
        case "value":
            text = value.decode()
            start, end = 0, len(text)
            if name == b"authorization":
                start, end = draw(st.sampled_from([match.span() for match in MUTABLE.finditer(text)]))
            part = draw(_altered(text[start:end]).filter(lambda part: part.split() != text[start:end].split()))
            headers[at] = (name, (text[:start] + part + text[end:]).encode())
    return replace(request, headers=headers)


def test_nobody_else() -> None:
    assert (refusal(ec2("CreateVpc"), secret="other").code, refusal(ec2("CreateVpc"), secret="other").status) == (
        "AuthFailure",
        401,
    )
    assert refusal(ec2("CreateVpc"), secret=None).code == "AuthFailure"
    sts = signed({"Action": "GetCallerIdentity"}, service="sts")
    assert (refusal(sts, secret="other").code, refusal(sts, secret="other").status) == ("SignatureDoesNotMatch", 403)
    assert (refusal(sts, secret=None).code, refusal(sts, secret=None).status) == ("InvalidClientTokenId", 403)


def test_a_session_token_of_somewhere_else_is_refused() -> None:
    assert "no session token" in refusal(signed(CALL, token="FwoG")).message


def test_meant_for_us() -> None:
    assert "us-east-1" in refusal(signed(CALL, region="eu-west-1")).message
    assert refusal(signed(CALL, service="s3")).code == "AuthFailure"
    forwarded = signed(CALL)
    hosts = [(name, b"evil.example" if name == b"host" else value) for name, value in forwarded.headers]
    assert refusal(replace(forwarded, headers=hosts)).code == "AuthFailure"


@pytest.mark.parametrize("seconds", [-320, 320])
def test_a_signature_is_good_for_five_minutes(seconds: int) -> None:
    request = signed(CALL)
    verify(request, later=seconds * 0.9)
    assert refusal(request, later=seconds).code == "RequestExpired"


def test_a_presigned_request_is_good_until_it_expires() -> None:
    request = presigned(CALL, expires=3600)
    verify(request, later=3590)
    assert refusal(request, later=3610).code == "RequestExpired"
    assert refusal(request, later=-320).code == "RequestExpired"
    assert refusal(presigned(CALL, expires=604_801)).code == "IncompleteSignature"


def test_the_body_s_real_hash_counts() -> None:
    """Clients may say ``UNSIGNED-PAYLOAD`` to some services; EC2 is not one of them."""
    aws = signed(CALL)
    said = replace(aws, headers=[*aws.headers, (b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD")])
    assert refusal(said).code == "AuthFailure"


def test_a_payload_said_to_be_unsigned_is_refused_though_signed_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SigV4Auth, "payload", lambda *_: "UNSIGNED-PAYLOAD")
    assert refusal(signed(CALL)).code == "AuthFailure"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "MissingAuthenticationToken"),
        ("", "IncompleteSignature"),
        ("Basic dXNlcjpwYXNz", "IncompleteSignature"),
        ("AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=0", "IncompleteSignature"),
        (f"{ALGORITHM} Credential={SCOPE}", "IncompleteSignature"),
        (f"{ALGORITHM} Credential={SCOPE}, SignedHeaders=host, Signature=0", "IncompleteSignature"),  # no X-Amz-Date
    ],
)
def test_what_is_not_a_signature(header: str | None, code: str) -> None:
    headers = [(b"host", HOST.encode())]
    if header is not None:
        headers.append((b"authorization", header.encode()))
    assert refusal(Request("POST", b"", headers, b"Action=CreateVpc")).code == code
