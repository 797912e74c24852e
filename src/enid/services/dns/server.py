"""DNS on the sockets of a VPC's router: datagrams and streams."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from enid.services.callers import source
from enid.services.crowd import Crowd
from enid.services.datagrams import Datagrams, Told

Answer = Callable[[bytes, bool], Awaitable[bytes | None]]
"""A query, and whether it came as a datagram → the answer, or silence."""

_IDLE = 10.0


def datagrams(opened: socket.socket, answer: Answer) -> Datagrams:
    """Each answer leaves from the address that was asked."""

    async def serve(wire: bytes, told: Told, peer: tuple[Any, ...]) -> None:
        asked = next((data[:16] for _, kind, data in told if kind == socket.IPV6_PKTINFO), bytes(16))
        said = await answer(wire, True)
        if said is not None:
            from_there = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, asked + bytes(4))
            with suppress(OSError):  # whoever asked is gone
                opened.sendmsg([said], [from_there], 0, peer)

    return Datagrams(opened, serve)


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
