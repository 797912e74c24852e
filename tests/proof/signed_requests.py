"""Signed requests as bytes, what an enid takes them for, and what they mean.

Signed by botocore, read by the HTTP parser the API has. :func:`meaning` is written anew and shares no code with the
verifier: two requests that mean the same may both be good; any other than the signer's is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import unquote, urlencode, urlsplit

import httptools
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from enid.ec2.errors import AwsError
from enid.wire import sigv4
from enid.wire.request import Request

REGION, HOST = "us-east-1", "127.0.0.1:8773"
KEYS = {
    "AKIAENIDEXAMPLE00001": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AKIAENIDEXAMPLE00002": "another/secret+key",
}
"""Two accounts'."""
KEY_ID = "AKIAENIDEXAMPLE00001"
Meaning = tuple[object, ...]


def signed(
    parameters: Mapping[str, str],
    *,
    query: str = "",
    service: str = "ec2",
    key_id: str = KEY_ID,
    secret: str = "",
    region: str = REGION,
    presigned: int = 0,
    **headers: str,
) -> bytes:
    """A request on the wire.

    :param presigned: seconds it is good for; its signature is in the query string then, with everything else.
    """
    credentials = Credentials(key_id, secret or KEYS[key_id])
    if presigned:
        aws = AWSRequest("GET", f"http://{HOST}/?{urlencode(parameters)}", headers=headers)
        SigV4QueryAuth(credentials, service, region, presigned).add_auth(aws)
        return raw("GET", "/?" + urlsplit(aws.url).query, [("Host", HOST), ("User-Agent", "x"), *aws.headers.items()])
    body = urlencode(parameters).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", **headers}
    aws = AWSRequest("POST", f"http://{HOST}/{query and '?'}{query}", data=body, headers=headers)
    SigV4Auth(credentials, service, region).add_auth(aws)
    sent = [("Host", HOST), ("User-Agent", "x"), *aws.headers.items(), ("Content-Length", str(len(body)))]
    return raw("POST", f"/{query and '?'}{query}", sent, body)


def raw(method: str, target: str, headers: list[tuple[str, str]], body: bytes = b"") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


class _Parsed:
    """What httptools calls."""

    def __init__(self) -> None:
        self.url, self.body, self.whole = b"", b"", False
        self.headers: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.whole:
            self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        if not self.whole:
            self.body += body

    def on_message_complete(self) -> None:
        self.whole = True


def parsed(data: bytes) -> Request | None:
    """The request as the application gets it; ``None`` when it gets none: not HTTP, not whole, to another path."""
    found = _Parsed()
    parser = httptools.HttpRequestParser(found)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        if not found.whole:
            return None
    if not found.whole:
        return None
    try:
        target = httptools.parse_url(found.url)
        path = unquote((target.path or b"").decode("ascii"))
    except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
        return None
    method = parser.get_method().decode("ascii")
    if path != "/" or method not in ("GET", "POST", "HEAD"):
        return None
    return Request(method, target.query or b"", found.headers, found.body)


def accepted(request: Request, now: datetime) -> bool:
    """As a call is: its signature is checked, then its parameters are told apart."""
    try:
        claim = sigv4.read(request)
        sigv4.check(request, claim, KEYS.get(claim.access_key_id), REGION, now)
        assert request.parameters is not None
    except AwsError:
        return False
    return True


def meaning(request: Request) -> Meaning | None:
    """Everything that the signer vouches for, in one form; ``None`` if it has none."""
    try:
        pairs = _pairs(request.query)
    except UnicodeDecodeError:
        return None
    claim = _claim(request, pairs)
    if claim is None or "SignedHeaders" not in claim:
        return None
    names = claim["SignedHeaders"].split(";")
    vouched = sorted({*names, *(name.decode("latin-1") for name, _ in request.headers if name.startswith(b"x-amz-"))})
    headers = tuple((name, _value(request, name)) for name in vouched)
    in_url = b"authorization" not in dict(request.headers)
    rest = tuple(sorted(pair for pair in pairs if not in_url or pair[0] != b"X-Amz-Signature"))
    return request.method, rest, request.body, headers, tuple(sorted(claim.items()))


def _value(request: Request, name: str) -> bytes:
    return b",".join(b" ".join(value.split()) for key, value in request.headers if key == name.encode("latin-1"))


def _claim(request: Request, pairs: list[tuple[bytes, bytes]]) -> dict[str, str] | None:
    given = [value for name, value in request.headers if name == b"authorization"]
    if given:
        algorithm, _, rest = given[0].decode("latin-1").partition(" ")
        parts = {
            name.strip(" "): value.strip(" ") for name, _, value in (part.partition("=") for part in rest.split(","))
        }
        if len(given) > 1 or set(parts) != {"Credential", "SignedHeaders", "Signature"}:
            return None
        return {"algorithm": algorithm, **parts}
    found = {name.decode(): value.decode() for name, value in pairs if name.startswith(b"X-Amz-")}
    if len(found) != sum(name.startswith(b"X-Amz-") for name, _ in pairs):
        return None
    return {name.removeprefix("X-Amz-"): value for name, value in found.items()} if "X-Amz-Signature" in found else None


def _pairs(query: bytes) -> list[tuple[bytes, bytes]]:
    parts = [part.partition(b"=") for part in query.split(b"&") if part]
    return [(_decoded(name), _decoded(value)) for name, _, value in parts]


def _decoded(text: bytes) -> bytes:
    text = text.replace(b"+", b" ")
    found, place = bytearray(), 0
    while place < len(text):
        digits = text[place + 1 : place + 3]
        if text[place] == 0x25 and len(digits) == 2 and all(digit in b"0123456789abcdefABCDEF" for digit in digits):
            found.append(int(digits, 16))
            place += 3
        else:
            found.append(text[place])
            place += 1
    found.decode("utf-8")
    return bytes(found)
