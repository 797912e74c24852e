"""UDP request/response: one byte there, one byte back, two processes. A round gives transactions per second, from the
median time of one."""

from __future__ import annotations

import socket
from statistics import median
from time import perf_counter_ns

from bench.traffic.path import Path
from bench.traffic.worker import Worker, patient, serve

TRANSACTIONS = 1000


class UdpRr:
    def __init__(self, path: Path) -> None:
        self._server = path.server_socket(socket.SOCK_DGRAM)
        client = patient(path.client_socket(socket.SOCK_DGRAM))
        client.connect((path.target, self._server.getsockname()[1]))
        self._echo = serve(path.server, lambda: _echo(self._server))
        self._worker = Worker(path.client, lambda: _transact(client))
        client.close()
        self.round = self._worker.round

    def close(self) -> None:
        self._worker.close()
        self._echo.kill()
        self._echo.join()
        self._server.close()


def _echo(server: socket.socket) -> None:
    _, peer = server.recvfrom(64)
    server.connect(peer)
    server.send(b"!")
    receive, send = server.recv, server.send
    while True:
        send(receive(64))


def _transact(client: socket.socket) -> float:
    send, receive, now = client.send, client.recv, perf_counter_ns
    times = []
    for _ in range(TRANSACTIONS):
        begun = now()
        send(b"?")
        receive(64)
        times.append(now() - begun)
    return 1e9 / median(times)
