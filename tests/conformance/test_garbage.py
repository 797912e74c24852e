"""Requests that are none, or nobody's: refused with a 4xx in the form every AWS client can read."""

from __future__ import annotations

import socket
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

import pytest
from api_server import Api
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

CALL = {"Action": "DescribeVpcs", "Version": "2016-11-15"}
_PRIVATE_NAT_GATEWAY = b"Action=CreateNatGateway&Version=2016-11-15&SubnetId=subnet-1&ConnectivityType=private"
_MIRROR_SESSION = (
    b"Action=CreateTrafficMirrorSession&Version=2016-11-15&NetworkInterfaceId=eni-1&SessionNumber=1&ClientToken=a"
)
"""Each may lack what botocore would not let its user leave out, or give what it would not send."""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def exchange(api: Api, raw: bytes) -> tuple[int, bytes]:
    """Send bytes; answer the status and the body that came."""
    url = urlsplit(api.endpoint)
    with socket.create_connection((url.hostname, url.port), timeout=20) as connection:
        connection.sendall(raw)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body


def request(method: str, target: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def signed(api: Api, body: bytes, *, secret: str | None = None, key_id: str | None = None) -> bytes:
    """A correct POST, unless told to use another key."""
    aws = AWSRequest("POST", api.endpoint + "/", data=body, headers={**FORM, "Host": urlsplit(api.endpoint).netloc})
    SigV4Auth(Credentials(key_id or api.key_id, secret or api.secret), "ec2", "us-east-1").add_auth(aws)
    return request("POST", "/", dict(aws.headers.items()), body)


def code(body: bytes) -> str:
    """The error's code, from AWS's envelope and no other."""
    root = ElementTree.fromstring(body)
    assert [root.tag, *(child.tag for child in root)] == ["Response", "Errors", "RequestID"]
    (error,) = root.findall("Errors/Error")
    assert [child.tag for child in error] == ["Code", "Message"]
    assert error.findtext("Message")
    assert root.findtext("RequestID")
    return error.findtext("Code") or ""


def test_a_signed_call_works(api: Api) -> None:
    status, body = exchange(api, signed(api, urlencode(CALL).encode()))
    assert status == 200, body


@pytest.mark.parametrize("changes", [{"key_id": "AKIAUNKNOWNUNKNOWNUN"}, {"secret": "wrong"}])
def test_somebody_elses_signature(api: Api, changes: dict[str, str]) -> None:
    status, body = exchange(api, signed(api, urlencode(CALL).encode(), **changes))
    assert (code(body), status) == ("AuthFailure", 401)


def test_no_signature(api: Api) -> None:
    status, body = exchange(api, request("POST", "/", FORM, urlencode(CALL).encode()))
    assert (code(body), status) == ("MissingAuthenticationToken", 403)


def test_a_body_changed_on_the_way(api: Api) -> None:
    raw = signed(api, urlencode(CALL).encode())
    status, body = exchange(api, raw.replace(b"DescribeVpcs", b"DescribeTags"))
    assert (code(body), status) == ("AuthFailure", 401)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "MissingAction"),
        (b"Version=2016-11-15", "MissingAction"),
        (b"Action=DescribeVpcs", "NoSuchVersion"),
        (b"Action=DescribeVpcs&Version=1999-01-01", "NoSuchVersion"),
        (b"Action=MakeCoffee&Version=2016-11-15", "InvalidAction"),
        (b"Action=CreateVolume&Version=2016-11-15", "UnsupportedOperation"),
        (b"Action=DescribeVpcs&Version=2016-11-15&Colour=red", "UnknownParameter"),
        (b"Action=DescribeVpcs&Version=2016-11-15&MaxResults=many", "InvalidParameterValue"),
        (b"Action=DescribeVpcs&Version=2016-11-15&VpcId=vpc-1&VpcId.1=vpc-2", "MalformedQueryString"),
        (b"Action=DescribeVpcs&Action=DescribeTags&Version=2016-11-15", "MalformedQueryString"),
        (_PRIVATE_NAT_GATEWAY + b"&SecondaryPrivateIpAddressCount=-1", "InvalidParameterValue"),
        (_PRIVATE_NAT_GATEWAY + b"&SecondaryPrivateIpAddressCount=0", "InvalidParameterValue"),
        (_MIRROR_SESSION + b"&TrafficMirrorFilterId=tmf-1", "MissingParameter"),
        (_MIRROR_SESSION + b"&TrafficMirrorTargetId=tmt-1", "MissingParameter"),
        (b"\xff\x00\xfe", "MalformedQueryString"),
        (b"%ff=%fe", "MalformedQueryString"),
        (b'{"Action": "DescribeVpcs"}', "MissingAction"),
        (b"<Action>DescribeVpcs</Action>", "MissingAction"),
    ],
)
def test_signed_nonsense(api: Api, body: bytes, expected: str) -> None:
    status, answer = exchange(api, signed(api, body))
    assert (code(answer), status) == (expected, 400)


def test_too_long_a_body(api: Api) -> None:
    status, body = exchange(api, request("POST", "/", FORM, b"a" * ((1 << 20) + 1)))
    assert (code(body), status) == ("RequestEntityTooLarge", 413)


@pytest.mark.parametrize(
    "raw",
    [
        request("POST", "/elsewhere", FORM, urlencode(CALL).encode()),
        request("DELETE", "/", {}),
        request("PUT", "/", FORM, urlencode(CALL).encode()),
    ],
    ids=["another path", "DELETE", "PUT"],
)
def test_what_the_service_has_no_such_thing_for(api: Api, raw: bytes) -> None:
    status, _ = exchange(api, raw)
    assert 400 <= status < 500


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x00" * 4096,
    ],
)
def test_what_is_no_http_does_no_harm(api: Api, raw: bytes) -> None:
    """Hung up on, or told that it is a bad request; the next client is served."""
    url = urlsplit(api.endpoint)
    with socket.create_connection((url.hostname, url.port), timeout=20) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        try:
            answer = connection.recv(65536)
        except ConnectionResetError:
            answer = b""
    assert not answer or answer.split(b" ", 2)[1].startswith(b"4")
    test_a_signed_call_works(api)
