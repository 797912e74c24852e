"""The wire of the metadata service: what comes in pieces, in a row, or wrong."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

import pytest

from enid.services import crowd, http
from enid.services.crowd import Crowd
from enid.services.http import Connection, Request, Response
from enid.topology.records import Address


async def echo(_caller: Address, request: Request) -> Response | None:
    """What was asked; nothing for ``/silence``."""
    if request.path == "/silence":
        return None
    if request.path == "/broken":
        raise RuntimeError("broken")
    return Response(200, f"{request.method} {request.path} {request.headers.get('x-a', '')}".encode())


def converse(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
    """Run a client against a server on the loopback."""

    async def run() -> None:
        shared = Crowd()
        listening = socket.create_server(("127.0.0.1", 0))
        server = await asyncio.get_running_loop().create_server(lambda: Connection(echo, shared), sock=listening)
        async with server:
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            await asyncio.wait_for(talk(reader, writer), 10)
            writer.close()

    asyncio.run(run())


async def answer(reader: asyncio.StreamReader) -> tuple[int, str]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(int(line.split(":")[1]) for line in head.splitlines() if line.startswith("Content-Length"))
    return int(head.split()[1]), (await reader.readexactly(length)).decode()


def test_one_after_the_other_and_several_at_once() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for path in ("/a", "/b?query"):
            writer.write(f"GET {path} HTTP/1.1\r\nX-A: 1\r\n\r\n".encode())
            assert await answer(reader) == (200, f"GET {path[:2]} 1")
        writer.write(b"GET /1 HTTP/1.1\r\n\r\nPUT /2 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.0\r\n\r\n")
        assert [(await answer(reader))[1] for _ in range(3)] == ["GET /1 ", "PUT /2 ", "GET /3 "]
        assert await reader.read() == b"", "HTTP/1.0 closes"

    converse(talk)


def test_byte_by_byte() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"GET /slow HTTP/1.1\r\nX-A: b\r\n\r\n":
            writer.write(bytes((byte,)))
            await writer.drain()
        assert await answer(reader) == (200, "GET /slow b")

    converse(talk)


@pytest.mark.parametrize(
    "sent", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nX-A: " + b"a" * http.HEAD_BYTES, b"\x16\x03\x01\x02"]
)
def test_what_is_no_request_ends_the_connection(sent: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        assert (await answer(reader))[0] == 400
        assert await reader.read() == b""

    converse(talk)


def test_silence_and_failure() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET /broken HTTP/1.1\r\n\r\n")
        assert (await answer(reader))[0] == 500
        writer.write(b"HEAD /a HTTP/1.1\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Content-Length: 8" in head
        writer.write(b"GET /silence HTTP/1.1\r\n\r\n")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)

    converse(talk)


def test_nobody_takes_all_connections() -> None:
    one, two = ip_address("10.0.0.4"), ip_address("10.0.0.5")
    full = Crowd()
    assert [full.enters(one) for _ in range(crowd.FROM_ONE + 1)] == [True] * crowd.FROM_ONE + [False]
    assert full.enters(two)
    for _ in range(2):
        full.leaves(one)
    assert full.enters(one)
