"""One TCP connection as fast as it goes, two processes. A round gives bytes a second."""

from __future__ import annotations

import socket
from time import perf_counter

from bench.traffic.path import Path
from bench.traffic.worker import Worker, patient, serve

CHUNK = 128 * 1024
ROUND = 64 * 1024 * 1024


class TcpBulk:
    """The receiver answers one byte when a whole round has come."""

    def __init__(self, path: Path) -> None:
        with path.server_socket(socket.SOCK_STREAM) as listener:
            _cubic(listener)
            listener.listen(1)
            sender = path.client_socket(socket.SOCK_STREAM)
            _cubic(sender)
            patient(sender).connect((path.target, listener.getsockname()[1]))
            receiver, _ = listener.accept()
        self._receiving = serve(path.server, lambda: _receive(receiver))
        self._worker = Worker(path.client, lambda: _send(sender))
        sender.close()
        receiver.close()
        self.round = self._worker.round

    def close(self) -> None:
        self._worker.close()
        self._receiving.kill()
        self._receiving.join()


def _cubic(end: socket.socket) -> None:
    """The host's default may be one that paces, and swings too much to compare with."""
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")


def _receive(receiver: socket.socket) -> None:
    buffer = bytearray(CHUNK)
    while True:
        missing = ROUND
        while missing:
            arrived = receiver.recv_into(buffer)
            if not arrived:
                return
            missing -= arrived
        receiver.send(b"!")


def _send(sender: socket.socket) -> float:
    data = bytes(CHUNK)
    begun = perf_counter()
    for _ in range(ROUND // CHUNK):
        sender.sendall(data)
    if sender.recv(1) != b"!":
        raise ConnectionError("closed before all had arrived")
    return ROUND / (perf_counter() - begun)
