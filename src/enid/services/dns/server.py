"""DNS on the sockets of a VPC's router: datagrams and streams."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from enid.services.callers import source
from enid.services.crowd import Crowd

Answer = Callable[[bytes, bool], Awaitable[bytes | None]]
"""A query, and whether it came as a datagram → the answer, or silence."""

_AT_ONCE = 256
"""Most datagrams of a VPC under way; more are dropped, as a datagram may be."""
_PER_WAKE = 64
_BYTES = 4096
_IDLE = 10.0
_PKTINFO_BYTES = 20


class Datagrams:
    """Each answer leaves from the address that was asked."""

    def __init__(self, opened: socket.socket, answer: Answer) -> None:
        self._socket = opened
        self._answer = answer
        self._tasks: set[asyncio.Task[None]] = set()
        asyncio.get_running_loop().add_reader(opened, self._read)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        for task in self._tasks:
            task.cancel()
        self._socket.close()

    def _read(self) -> None:
        for _ in range(_PER_WAKE):
            try:
                wire, told, _, peer = self._socket.recvmsg(_BYTES, socket.CMSG_SPACE(_PKTINFO_BYTES))
            except OSError:  # nothing more, or the error of an earlier answer
                return
            if len(self._tasks) < _AT_ONCE:
                asked = next((data[:16] for _, kind, data in told if kind == socket.IPV6_PKTINFO), bytes(16))
                task = asyncio.get_running_loop().create_task(self._reply(wire, asked, peer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _reply(self, wire: bytes, asked: bytes, peer: tuple[Any, ...]) -> None:
        answer = await self._answer(wire, True)
        if answer is not None:
            from_there = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, asked + bytes(4))
            with suppress(OSError):  # whoever asked is gone
                self._socket.sendmsg([answer], [from_there], 0, peer)


async def streams(opened: socket.socket, answer: Answer) -> asyncio.Server:
    """Queries over TCP, each after its length, answered in their order."""
    crowd = Crowd()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peername = writer.get_extra_info("peername")
        if not peername:  # gone already
            writer.close()
            return
        caller = source(peername[0])
        try:
            if crowd.enters(caller):
                await _converse(reader, writer, answer)
        except (OSError, asyncio.IncompleteReadError):  # gone, or silent for too long
            pass
        finally:
            crowd.leaves(caller)
            writer.close()

    return await asyncio.start_server(serve, sock=opened)


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
    while True:
        async with asyncio.timeout(_IDLE):
            length = int.from_bytes(await reader.readexactly(2), "big")
            wire = await reader.readexactly(length)
        response = await answer(wire, False)
        if response is None:
            return
        writer.write(len(response).to_bytes(2, "big") + response)
        async with asyncio.timeout(_IDLE):
            await writer.drain()
