"""A client that outlives the servers it calls, and says what it knows of each call: refused, done, or nobody knows."""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from xml.etree import ElementTree

from bench.client import Client, Refused

PATIENCE = 120.0
"""Seconds until a server that was killed must answer again."""
IDLE = 20.0
"""Seconds after which a connection is not used again: the server closes it after 75, and a call could meet that."""
BUSY = frozenset(("RequestLimitExceeded",))
"""What a client answers by trying again."""
NEVER = frozenset(("InternalError", "Unavailable"))
"""What no client should ever be told while the store is well."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, and the moments between which the call happened, if it did."""

    begin: float
    end: float
    body: bytes = b""
    code: str = ""
    """The error's; empty when there was none."""
    message: str = ""

    @property
    def done(self) -> bool:
        return not self.code and self.answered

    @property
    def answered(self) -> bool:
        return self.end < math.inf


class Caller:
    """One client of several servers: each call goes to one of them."""

    def __init__(self, ports: Sequence[int], key: tuple[str, str], draw: random.Random) -> None:
        self._clients = [Client(port, *key) for port in ports]
        self._draw = draw
        self._used = time.monotonic()

    def call(self, action: str, **parameters: str | int) -> Reply:
        """Once; again only when no server took it."""
        deadline = time.monotonic() + PATIENCE
        if time.monotonic() - self._used > IDLE:
            self.close()
        while True:
            client, begin = self._draw.choice(self._clients), time.monotonic()
            try:
                body = client.call(action, **parameters)
            except Refused as refusal:
                code, message = _error(str(refusal))
                return Reply(begin, time.monotonic(), code=code, message=message)
            except ConnectionRefusedError:
                assert begin < deadline, "no server answers"
                time.sleep(0.05)
            except OSError:
                client.close()
                return Reply(begin, math.inf)
            else:
                self._used = time.monotonic()
                return Reply(begin, self._used, body)

    def insist(self, action: str, **parameters: str | int) -> Reply:
        """Until it is answered: for what may be repeated. It happened between the first attempt and the answer."""
        first = reply = self.call(action, **parameters)
        while not reply.answered:
            reply = self.call(action, **parameters)
        return Reply(first.begin, reply.end, reply.body, reply.code, reply.message)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for client in self._clients:
            client.close()


def items(body: bytes, set_: str) -> list[ElementTree.Element]:
    """The items of a set in an answer."""
    tree = ElementTree.fromstring(re.sub(rb'xmlns="[^"]*"', b"", body, count=1))
    return tree.findall(f"{set_}/item")


def _error(text: str) -> tuple[str, str]:
    code, message = (re.search(f"<{tag}>([^<]*)", text) for tag in ("Code", "Message"))
    assert code is not None, text
    return code[1], message[1] if message else ""
