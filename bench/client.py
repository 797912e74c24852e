"""A lean EC2 client: a signed query, one connection kept open, the answer as bytes.

boto3 spends more time on a call than enid does; a comparison of servers needs a client that costs next to nothing, the
same for both. It signs as AWS's do (SigV4), and asks for nothing in parallel.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
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
        self._port = port
        self._host = f"127.0.0.1:{port}"
        self._access_key, self._secret = access_key, secret
        self._connection: socket.socket | None = None

    def another(self) -> Client:
        """One more connection to the same server."""
        return Client(self._port, self._access_key, self._secret)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def call(self, action: str, **parameters: str | int) -> bytes:
        """The answer's body.

        :raises Refused: with the error's body.
        """
        body = urlencode({"Action": action, "Version": VERSION, **parameters}).encode()
        head = "".join(f"{name}: {value}\r\n" for name, value in self._headers(body).items())
        request = f"POST / HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        status, content = self._exchange(request)
        if status != 200:
            raise Refused(f"{action}: {status} {content.decode(errors='replace')[:500]}")
        return content

    def _exchange(self, request: bytes) -> tuple[int, bytes]:
        """Status and body; the connection is kept if the server keeps it."""
        connection = self._connection or socket.create_connection(("127.0.0.1", self._port), timeout=60)
        self._connection = connection
        connection.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._more(connection)
        head, _, content = answer.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        fields = dict(line.partition(b": ")[::2] for line in lines[1:])
        parts, missing = [content], int(fields[b"content-length"]) - len(content)
        while missing > 0:
            parts.append(self._more(connection))
            missing -= len(parts[-1])
        if fields.get(b"connection") == b"close" or lines[0].startswith(b"http/1.0"):
            self.close()
        return int(lines[0].split(b" ")[1]), b"".join(parts)

    def _more(self, connection: socket.socket) -> bytes:
        got = connection.recv(1 << 18)
        if not got:
            self.close()
            raise ConnectionError("the server closed the connection")
        return got

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
