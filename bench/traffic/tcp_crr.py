"""TCP connect, request, response, close: every connection is new to the firewall. A round gives connections a
second."""

from __future__ import annotations

import os
import socket
from time import perf_counter

from bench.traffic.path import Path
from bench.traffic.worker import Worker, patient, serve

CONNECTIONS = 200


class TcpCrr:
    def __init__(self, path: Path) -> None:
        self._listener = path.server_socket(socket.SOCK_STREAM)
        self._listener.listen(64)
        place = (path.target, self._listener.getsockname()[1])
        self._answering = serve(path.server, lambda: _answer(self._listener))
        self._worker = Worker(path.client, lambda: _connect(place))
        self.round = self._worker.round

    def close(self) -> None:
        self._worker.close()
        self._answering.kill()
        self._answering.join()
        self._listener.close()


def _answer(listener: socket.socket) -> None:
    accept, read, write, close = listener._accept, os.read, os.write, os.close  # type: ignore[attr-defined]
    while True:
        descriptor, _ = accept()
        read(descriptor, 64)
        write(descriptor, b"!")
        close(descriptor)


def _connect(place: tuple[str, int]) -> float:
    begun = perf_counter()
    for _ in range(CONNECTIONS):
        with patient(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as client:
            client.connect(place)
            client.send(b"?")
            if client.recv(64) != b"!":
                raise ConnectionError("closed without an answer")
    return CONNECTIONS / (perf_counter() - begun)
