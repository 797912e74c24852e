"""Far more calls than an API can carry out: many connections, each sending the same signed request again and again.

A client that builds and signs each call would be slower than what it floods. So one request is signed, and its bytes
are sent; nothing forbids to say the same twice.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_ENI = re.compile(rb"<networkInterfaceId>(eni-[0-9a-f]+)</networkInterfaceId>")
_CODE = re.compile(rb"<Response><Errors><Error><Code>(\w+)</Code><Message>[^<]+</Message>")
_UNREACHABLE = "no answer"


@dataclass
class Tally:
    """What was answered."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """``200``, an error's code, or that no answer came."""
    made: list[str] = field(default_factory=list)
    """Ids of interfaces."""
    longest: float = 0.0
    """Seconds for one answer."""
    strange: list[bytes] = field(default_factory=list)
    """Answers that are neither a result nor an error in AWS's envelope."""

    @property
    def answers(self) -> int:
        return self.outcomes.total() - self.outcomes[_UNREACHABLE]


def signed(enid: Any, action: str, parameters: Mapping[str, str]) -> bytes:
    """A whole HTTP request."""
    body = urlencode({"Action": action, "Version": "2016-11-15", **parameters}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    request = AWSRequest("POST", f"{enid.endpoint}/", headers=headers, data=body)
    SigV4Auth(Credentials(enid.key.id, enid.key.secret), "ec2", enid.settings.region).add_auth(request)
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    head = "\r\n".join(["POST / HTTP/1.1", f"Host: {urlsplit(enid.endpoint).netloc}", *lines])
    return f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def pour(enid: Any, request: bytes, connections: int, seconds: float) -> Tally:
    """Send it over so many connections for so long, and wait for the last answers."""
    tally = Tally()
    asyncio.run(_pour(urlsplit(enid.endpoint).port or 0, request, connections, time.monotonic() + seconds, tally))
    return tally


async def _pour(port: int, request: bytes, connections: int, end: float, tally: Tally) -> None:
    await asyncio.gather(*(_connection(port, request, end, tally) for _ in range(connections)))


async def _connection(port: int, request: bytes, end: float, tally: Tally) -> None:
    while time.monotonic() < end:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while time.monotonic() < end:
                await _ask(reader, writer, request, tally)
        except (OSError, EOFError):
            tally.outcomes[_UNREACHABLE] += 1
            await asyncio.sleep(0.05)
        else:
            writer.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, tally: Tally) -> None:
    begun = time.monotonic()
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    body = await reader.readexactly(int(length[1]) if length else 0)
    tally.longest = max(tally.longest, time.monotonic() - begun)
    if head.startswith(b"HTTP/1.1 200"):
        tally.outcomes["200"] += 1
        tally.made += [found.decode() for found in _ENI.findall(body)[:1]]
    elif code := _CODE.search(body):
        tally.outcomes[code[1].decode()] += 1
    else:
        tally.strange.append(head + body)
