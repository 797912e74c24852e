"""One-way UDP in 64-byte frames, a system call a packet, as ordinary programs send and receive. One process sends a
burst, then receives it, so that no scheduler has a say; counted is what arrived. A round gives packets a second of
processor time for both ends and the path."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from time import perf_counter

from bench.traffic.path import Path
from bench.traffic.worker import Worker

FRAME = 64
PAYLOAD = FRAME - 14 - 20 - 8
BURST = 64
BURSTS = 150


class UdpFlood:
    def __init__(self, path: Path) -> None:
        receiver = path.server_socket(socket.SOCK_DGRAM)
        sender = path.client_socket(socket.SOCK_DGRAM)
        sender.connect((path.target, receiver.getsockname()[1]))
        receiver.setblocking(False)
        self._worker = Worker(path.client, lambda: _flood(sender, receiver))
        sender.close()
        receiver.close()
        self.round = self._worker.round

    def close(self) -> None:
        self._worker.close()


def _flood(sender: socket.socket, receiver: socket.socket) -> float:
    send, receive, buffer, payload = sender.send, receiver.recv_into, bytearray(PAYLOAD), bytes(PAYLOAD)
    begun = perf_counter()
    arrived = 0
    for _ in range(BURSTS):
        for _ in range(BURST):
            send(payload)
        with suppress(BlockingIOError):
            for _ in range(BURST):
                receive(buffer)
                arrived += 1
    rate = arrived / (perf_counter() - begun)
    if arrived < BURST * BURSTS * 0.9:
        raise OSError(errno.EIO, f"only {arrived} of {BURST * BURSTS} packets arrived")
    return rate
