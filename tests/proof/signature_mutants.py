"""Changes of a signed request: of its bytes, blindly, and of its parts, with an attacker's mind."""

from __future__ import annotations

import re
from random import Random
from urllib.parse import quote

from signed_requests import HOST, KEY_ID, KEYS, REGION, raw, signed

_SPANS = {
    "method": re.compile(rb"^\S+"),
    "path": re.compile(rb"(?<= )/[^? ]*"),
    "query": re.compile(rb"(?<=\?)[^ ]+"),
    "signed header": re.compile(rb"(?im)^(?:host|x-amz-date|content-type|x-amz-target): [^\r]*"),
    "unsigned header": re.compile(rb"(?im)^(?:user-agent|content-length): [^\r]*"),
    "date": re.compile(rb"[0-9]{8}T[0-9]{6}Z"),
    "scope": re.compile(rb"[0-9]{8}(?:/|%2F)us-east-1(?:/|%2F)\w+(?:/|%2F)aws4_request"),
    "key id": re.compile(rb"AKIA[A-Z0-9]{16}"),
    "signature": re.compile(rb"(?<=Signature=)[0-9a-f]{64}"),
    "signed names": re.compile(rb"(?<=SignedHeaders=)[a-z0-9;%B_-]+"),
    "expiry": re.compile(rb"(?<=X-Amz-Expires=)[0-9]+"),
    "body": re.compile(rb"(?s)(?<=\r\n\r\n).+"),
    "anywhere": re.compile(rb"(?s).+"),
}
REGIONS = list(_SPANS)


def blind(random: Random, request: bytes) -> tuple[str, bytes]:
    """The name of a region, and the request with that changed somehow; it may mean the same."""
    while True:
        name = random.choice(REGIONS)
        spans = [match.span() for match in _SPANS[name].finditer(request)]
        if spans:
            start, end = random.choice(spans)
            change = random.choice(_CHANGES)
            return name, request[:start] + change(random, request[start:end]) + request[end:]


def _flip(random: Random, part: bytes) -> bytes:
    at = random.randrange(len(part))
    return part[:at] + bytes((part[at] ^ 1 << random.randrange(8),)) + part[at + 1 :]


def _replace(random: Random, part: bytes) -> bytes:
    at = random.randrange(len(part))
    return part[:at] + bytes((random.choice(b"0aAfzZ%&=+;:/ ,\t\r\n\0\xff-~"),)) + part[at + 1 :]


def _insert(random: Random, part: bytes) -> bytes:
    at = random.randrange(len(part) + 1)
    more = (
        b"0",
        b"a",
        b" ",
        b"%",
        b"&",
        b"=",
        b"&x=",
        b"%00",
        b"+",
        b";",
        b",",
        b"/",
        b"\t",
        b"\r\n",
        b"#",
        b"\xc3\xa9",
    )
    return part[:at] + random.choice(more) + part[at:]


def _delete(random: Random, part: bytes) -> bytes:
    at = random.randrange(len(part))
    return part[:at] + part[at + random.choice((1, 1, 2, 8)) :]


def _swap(random: Random, part: bytes) -> bytes:
    if len(part) < 2:
        return part * 2
    at = random.randrange(len(part) - 1)
    return part[:at] + part[at + 1 : at + 2] + part[at : at + 1] + part[at + 2 :]


def _case(random: Random, part: bytes) -> bytes:
    at = random.randrange(len(part))
    return part[:at] + part[at : at + 1].swapcase() + part[at + 1 :] if random.random() < 0.5 else part.swapcase()


def _encode(random: Random, part: bytes) -> bytes:
    at = random.randrange(len(part))
    percent = b"%%%02x" if random.random() < 0.5 else b"%%%02X"
    return part[:at] + percent % part[at] + part[at + 1 :]


def _twice(random: Random, part: bytes) -> bytes:
    return part + random.choice((b"", b"&", b",", b"\r\n", b" ")) + part


_CHANGES = [_flip, _replace, _replace, _insert, _insert, _delete, _swap, _case, _encode, _twice]


def line(request: bytes, name: str) -> bytes:
    """A header's line."""
    found = re.search(rb"(?im)^" + name.encode() + rb": [^\r]*\r\n", request)
    assert found is not None
    return found[0]


def crafted(call: dict[str, str]) -> dict[str, bytes]:
    """By name; none of them may be accepted."""
    plain, url = signed(call), signed(call, presigned=600)
    both = signed(call, query="Beside=1")
    authorization, date = line(plain, "authorization"), line(plain, "x-amz-date")
    signature = re.search(rb"Signature=([0-9a-f]{64})", plain)
    url_signature = re.search(rb"X-Amz-Signature=[0-9a-f]{64}", url)
    assert signature is not None
    assert url_signature is not None
    unsigned = signed(call, **{"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    head, _, body = plain.partition(b"\r\n\r\n")
    other = next(id_ for id_ in KEYS if id_ != KEY_ID)

    def changed(old: bytes, new: bytes, request: bytes = plain) -> bytes:
        assert old in request, old
        return request.replace(old, new, 1)

    def with_line(text: bytes, request: bytes = plain) -> bytes:
        return request.replace(b"\r\nUser-Agent", b"\r\n" + text + b"\r\nUser-Agent", 1)

    moved = raw("GET", "/?" + body.decode(), [("Host", HOST)]).replace(
        b"\r\n\r\n", b"\r\n" + authorization + date + b"\r\n"
    )
    return {
        "another key's secret": signed(call, secret=KEYS[other]),
        "another key's id": changed(KEY_ID.encode(), other.encode()),
        "no such key": changed(KEY_ID.encode(), b"AKIAENIDEXAMPLE09999"),
        "an empty secret": signed(call, secret="\0"),
        "another region": signed(call, region="eu-west-1"),
        "another service": signed(call, service="s3"),
        "the region written otherwise": changed(REGION.encode(), b"eu-west-1"),
        "the service written otherwise": changed(b"/ec2/", b"/sts/"),
        "no signature": changed(signature[1], b""),
        "half a signature": changed(signature[1], signature[1][:32]),
        "a signature in capitals": changed(signature[1], signature[1].upper()),
        "two signatures": changed(b"Signature=" + signature[1], b"Signature=" + signature[1] + b", Signature=0"),
        "a list of signatures": changed(signature[1], b"0," + signature[1]),
        "two authorizations": changed(authorization, authorization * 2),
        "an authorization and another": changed(authorization, authorization + b"Authorization: Basic x\r\n"),
        "another algorithm": changed(b"AWS4-HMAC-SHA256", b"AWS4-HMAC-SHA1"),
        "SigV4A": changed(b"AWS4-HMAC-SHA256", b"AWS4-ECDSA-P256-SHA256"),
        "no authorization": changed(authorization, b""),
        "no date": changed(date, b""),
        "two dates": changed(date, date * 2),
        "a date of another name": changed(date, b"Date: Mon, 01 Jan 2024 00:00:00 GMT\r\n"),
        "no host": changed(f"Host: {HOST}\r\n".encode(), b""),
        "two hosts": changed(f"Host: {HOST}\r\n".encode(), f"Host: {HOST}\r\n".encode() * 2),
        "another host": changed(f"Host: {HOST}".encode(), b"Host: evil.example"),
        "host not among the signed": changed(b"content-type;host;", b"content-type;"),
        "a signed header left out": changed(b"SignedHeaders=content-type;", b"SignedHeaders="),
        "a header more among the signed": changed(b"host;x-amz-date", b"host;user-agent;x-amz-date"),
        "an empty header among the signed": changed(b"host;x-amz-date", b"host;nothing;x-amz-date"),
        "an x-amz header more": with_line(b"X-Amz-Target: evil"),
        "a token": with_line(b"X-Amz-Security-Token: FwoG"),
        "an unsigned payload": with_line(b"X-Amz-Content-Sha256: UNSIGNED-PAYLOAD"),
        "an unsigned payload, signed so": changed(b"Action=", b"action=", unsigned),
        "a streaming payload": with_line(b"X-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        "no body": head.replace(b"Content-Length: %d" % len(body), b"Content-Length: 0") + b"\r\n\r\n",
        "body and query": moved,
        "a parameter beside the body": changed(b"POST / ", b"POST /?DryRun=true "),
        "the query left out": changed(b"?Beside=1", b"", both),
        "a query parameter more": changed(b"?Beside=1", b"?Beside=1&DryRun=true", both),
        "a query parameter twice": changed(b"?Beside=1", b"?Beside=1&Beside=1", both),
        "a URL's signature beside the header": changed(b"POST / ", b"POST /?" + url_signature[0] + b" "),
        "a URL made a POST": changed(b"GET ", b"POST ", url),
        "a URL with a body": url.replace(b"\r\n\r\n", b"\r\nContent-Length: 7\r\n\r\nDryRun=1"[:-1]),
        "a longer life": changed(b"X-Amz-Expires=600", b"X-Amz-Expires=604800", url),
        "a life of years": signed(call, presigned=604_801),
        "no life": changed(b"&X-Amz-Expires=600", b"", url),
        "a URL without signature": changed(b"&" + url_signature[0], b"", url),
        "a URL's signature twice": changed(url_signature[0], url_signature[0] + b"&X-Amz-Signature=0", url),
        "a URL's signature second": changed(url_signature[0], b"X-Amz-Signature=0&" + url_signature[0], url),
        "a URL's action twice": changed(b"?Action=", b"?Action=DeleteVpc&Action=", url),
        "a URL's parameter in capitals": changed(b"X-Amz-Expires", b"X-AMZ-EXPIRES", url),
        "a URL's token": changed(b"&X-Amz-Expires", b"&X-Amz-Security-Token=x&X-Amz-Expires", url),
        "a URL for another host": changed(f"Host: {HOST}".encode(), b"Host: evil.example", url),
        "a doubly encoded scope": changed(b"%2F", b"%252F", url),
        "a chunked body": head.replace(b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked")
        + b"\r\n\r\n5\r\nEvil=\r\n0\r\n\r\n",
    }


def rewritten(call: dict[str, str]) -> dict[str, bytes]:
    """Other bytes for the very same; each is accepted."""
    plain, url, both = signed(call), signed(call, presigned=600), signed(call, query="One=a%20b&Two=~")
    length = line(plain, "content-length")
    body = plain.partition(b"\r\n\r\n")[2]
    chunks = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    return {
        "as it is": plain,
        "a URL as it is": url,
        "names of headers in capitals": re.sub(rb"(?m)^[\w-]+(?=: )", lambda match: match[0].upper(), plain),
        "spaces around a value": plain.replace(b"Host: ", b"Host: \t ").replace(
            HOST.encode(), HOST.encode() + b"  ", 1
        ),
        "more spaces in the authorization": plain.replace(b", SignedHeaders", b",  SignedHeaders"),
        "no spaces in the authorization": plain.replace(b", Signature", b",Signature"),
        "another unsigned header": plain.replace(b"User-Agent: x", b"User-Agent: y\r\nAccept: */*"),
        "an order of headers": plain.replace(length, b"").replace(b"User-Agent: x\r\n", length + b"User-Agent: x\r\n"),
        "a body in chunks": plain.replace(length, b"").replace(b"\r\n\r\n" + body, b"\r\n" + chunks),
        "an order of the query": both.replace(b"One=a%20b&Two=~", b"Two=~&One=a%20b"),
        "other escapes": both.replace(b"One=a%20b&Two=~", b"%4fne=a+b&Two=%7e"),
        "empty pieces of the query": both.replace(b"?One", b"?&One"),
        "the whole URL as target": plain.replace(b"POST / ", f"POST http://{HOST}/ ".encode()),
        "a URL's scope not escaped": url.replace(b"%2F", b"/"),
        "a quoted letter in a URL": url.replace(b"Action", quote("A").encode().replace(b"A", b"%41") + b"ction"),
    }
