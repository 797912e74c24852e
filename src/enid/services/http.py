"""HTTP/1.1 on one accepted connection: httptools parses, an asynchronous handler answers, in order.

Small on purpose: requests without bodies, answers in one piece. What an instance can make it hold is bounded.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus

import httptools
import structlog

from enid.services.callers import source
from enid.services.crowd import Crowd
from enid.topology.records import Address

log = structlog.get_logger()

HEAD_BYTES = 16384
"""Most bytes of one request, body included."""
IDLE = 30.0
"""Seconds without a request after which a connection is closed."""
_HOPS = 64


@dataclass(slots=True)
class Request:
    method: str
    path: str
    """Without the query."""
    headers: Mapping[str, str]
    """Names in lower case."""
    keep_alive: bool = True


@dataclass(slots=True)
class Response:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    hop_limit: int = _HOPS
    """The IP packets' time to live."""

    def encode(self, request: Request) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        fixed = {"Server": "EC2ws", "Date": formatdate(usegmt=True), "Content-Length": str(len(self.body))}
        fixed["Connection"] = "keep-alive" if request.keep_alive else "close"
        lines += [f"{name}: {value}" for name, value in {**fixed, **self.headers}.items()]
        body = b"" if request.method == "HEAD" else self.body
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


Handler = Callable[[Address, Request], Awaitable[Response | None]]
"""Answers a request of an address; None closes the connection without a word."""


class Connection(asyncio.Protocol):
    """One connection of a ``crowd``."""

    def __init__(self, handler: Handler, crowd: Crowd) -> None:
        self._handler = handler
        self._crowd = crowd
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport | None = None
        self._peer: Address | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._work: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._clear()

    def _clear(self) -> None:
        self._bytes = 0
        self._url = b""
        self._headers: dict[str, str] = {}

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peername = transport.get_extra_info("peername")
        if not peername:  # gone already
            transport.abort()
            return
        self._peer = source(peername[0])
        if self._crowd.enters(self._peer):
            self._be_patient()
        else:
            transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        if self._peer is not None:
            self._crowd.leaves(self._peer)
        if self._idle is not None:
            self._idle.cancel()
        if self._work is not None:
            self._work.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._bytes += len(data)
        try:
            if self._bytes > HEAD_BYTES:
                raise httptools.HttpParserError("too long")
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._transport.abort()
        except httptools.HttpParserError:
            self._reply(Request("GET", "", {}, keep_alive=False), Response(400, b""))

    def _be_patient(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        assert self._transport is not None
        self._idle = asyncio.get_running_loop().call_later(IDLE, self._transport.abort)

    # What the parser calls

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_message_complete(self) -> None:
        path = self._url.decode("latin-1").partition("?")[0]
        method = self._parser.get_method().decode("latin-1")
        request = Request(method, path, self._headers, self._parser.should_keep_alive())
        self._clear()
        self._waiting.append(request)
        if self._work is None:
            assert self._transport is not None
            self._transport.pause_reading()
            self._work = asyncio.get_running_loop().create_task(self._answer())

    # Answers

    async def _answer(self) -> None:
        assert self._transport is not None
        assert self._peer is not None
        while self._waiting:
            await self._writable.wait()
            request = self._waiting.popleft()
            try:
                response = await self._handler(self._peer, request)
            except Exception:  # the store is out of reach, or a bug: neither may end the service
                log.exception("metadata not served", path=request.path)
                response = Response(500, b"")
            if response is None:
                self._transport.abort()
                return
            self._reply(request, response)
        self._work = None
        if not self._transport.is_closing():
            self._be_patient()
            self._transport.resume_reading()

    def _reply(self, request: Request, response: Response) -> None:
        assert self._transport is not None
        if self._transport.is_closing():
            return
        self._limit_hops(response.hop_limit)
        self._transport.write(response.encode(request))
        if not request.keep_alive:
            self._transport.close()

    def _limit_hops(self, hops: int) -> None:
        assert self._transport is not None
        raw: socket.socket = self._transport.get_extra_info("socket")
        with suppress(OSError):
            if self._peer is not None and self._peer.version == 6:
                raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
            else:
                raw.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
