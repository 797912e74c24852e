"""One TCP connection as fast as it goes, one process writing and reading in turn. A round gives bytes a second."""

from __future__ import annotations

import socket
from contextlib import suppress
from time import perf_counter

from bench.traffic.path import Path
from bench.traffic.worker import Worker, patient

CHUNK = 256 * 1024
ROUND = 64 * 1024 * 1024


class TcpBulk:
    def __init__(self, path: Path) -> None:
        with path.server_socket(socket.SOCK_STREAM) as listener:
            _cubic(listener)
            listener.listen(1)
            sender = path.client_socket(socket.SOCK_STREAM)
            _cubic(sender)
            patient(sender).connect((path.target, listener.getsockname()[1]))
            receiver, _ = listener.accept()
        self._worker = Worker(path.client, lambda: _transfer(sender, receiver))
        sender.close()
        receiver.close()
        self.round = self._worker.round

    def close(self) -> None:
        self._worker.close()


def _cubic(end: socket.socket) -> None:
    """The host's default may be one that paces, and swings too much to compare with."""
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")


def _transfer(sender: socket.socket, receiver: socket.socket) -> float:
    sender.setblocking(False)
    receiver.setblocking(False)
    data, buffer = bytes(CHUNK), bytearray(4 * CHUNK)
    begun = perf_counter()
    arrived = 0
    while arrived < ROUND:
        with suppress(BlockingIOError):
            sender.send(data)
        with suppress(BlockingIOError):
            arrived += receiver.recv_into(buffer)
        if perf_counter() - begun > 10:
            raise TimeoutError(f"only {arrived} of {ROUND} bytes arrived in ten seconds")
    return arrived / (perf_counter() - begun)
