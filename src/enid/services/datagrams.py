"""Datagrams that come to a socket of a VPC's router, each answered by itself."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

Told = list[tuple[int, int, bytes]]
"""What the kernel says beside a datagram: level, kind, data."""
Serve = Callable[[bytes, Told, tuple[Any, ...]], Awaitable[None]]
"""A datagram, what is told of it, and who sent it; answers it, if it is to be answered."""

_AT_ONCE = 256
"""Most datagrams of a socket under way; more are dropped, as a datagram may be."""
_PER_WAKE = 64
_BYTES = 4096
_PKTINFO_BYTES = 20


class Datagrams:
    """Reads until it is closed, and then the socket is closed, too."""

    def __init__(self, opened: socket.socket, serve: Serve) -> None:
        self._socket = opened
        self._serve = serve
        self._tasks: set[asyncio.Future[None]] = set()
        asyncio.get_running_loop().add_reader(opened, self._read)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        for task in self._tasks:
            task.cancel()
        self._socket.close()

    def _read(self) -> None:
        for _ in range(_PER_WAKE):
            try:
                data, told, _, peer = self._socket.recvmsg(_BYTES, socket.CMSG_SPACE(_PKTINFO_BYTES))
            except OSError:  # nothing more, or the error of an earlier answer
                return
            if len(self._tasks) < _AT_ONCE:
                task = asyncio.ensure_future(self._serve(data, told, peer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
