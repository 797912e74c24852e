"""A lean EC2 client: a signed query, one connection kept open, the answer as bytes.

boto3 spends more time on a call than enid does; a comparison of servers needs a client that costs next to nothing, the
same for both. It signs as AWS's do (SigV4), and asks for nothing in parallel.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import re
from datetime import UTC, datetime
from functools import cache
from urllib.parse import urlencode

REGION, SERVICE = "us-east-1", "ec2"
VERSION = "2016-11-15"
_SIGNED = "content-type;host;x-amz-date"
_FORM = "application/x-www-form-urlencoded"


class Refused(Exception):
    """The server answered with an error: its status and what it said."""


class Client:
    """``client.call("CreateSubnet", VpcId="vpc-…")``; members of structures are given flat: ``**{"Group.1": …}``."""

    def __init__(self, port: int, access_key: str, secret: str) -> None:
        self._host = f"127.0.0.1:{port}"
        self._access_key, self._secret = access_key, secret
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def close(self) -> None:
        self._connection.close()

    def call(self, action: str, **parameters: str | int) -> bytes:
        """The answer's body.

        :raises Refused: with the error's body.
        """
        body = urlencode({"Action": action, "Version": VERSION, **parameters}).encode()
        self._connection.request("POST", "/", body, self._headers(body))
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise Refused(f"{action}: {answer.status} {content.decode(errors='replace')[:500]}")
        return content

    def _headers(self, body: bytes) -> dict[str, str]:
        time = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{time[:8]}/{REGION}/{SERVICE}/aws4_request"
        canonical = (
            f"POST\n/\n\ncontent-type:{_FORM}\nhost:{self._host}\nx-amz-date:{time}\n\n{_SIGNED}\n"
            f"{hashlib.sha256(body).hexdigest()}"
        )
        text = f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.new(_signing_key(self._secret, time[:8]), text.encode(), "sha256").hexdigest()
        credential = f"Credential={self._access_key}/{scope}, SignedHeaders={_SIGNED}, Signature={signature}"
        return {
            "Host": self._host,
            "Content-Type": _FORM,
            "X-Amz-Date": time,
            "Authorization": f"AWS4-HMAC-SHA256 {credential}",
        }


@cache
def _signing_key(secret: str, day: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, REGION, SERVICE, "aws4_request"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return key


def every(answer: bytes, tag: str) -> list[str]:
    """The texts of all elements of this name, in order."""
    return [text.decode() for text in re.findall(rf"<{tag}>([^<]*)</{tag}>".encode(), answer)]


def first(answer: bytes, tag: str) -> str:
    """The text of the first element of this name.

    :raises IndexError: there is none.
    """
    return every(answer, tag)[0]


def numbered(name: str, values: list[str]) -> dict[str, str | int]:
    """A list as the query protocol writes it: ``numbered("InstanceId", ["i-1"])`` → ``{"InstanceId.1": "i-1"}``."""
    return {f"{name}.{place}": value for place, value in enumerate(values, 1)}
