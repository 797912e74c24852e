"""One-way UDP in 64-byte frames. One process sends a burst, then receives it, so that no scheduler has a say; counted
is what arrived. A round gives packets a second of processor time for both ends and the path."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from time import perf_counter

from bench.traffic.path import Path
from bench.traffic.worker import Worker

FRAME = 64
PAYLOAD = FRAME - 14 - 20 - 8
BURST = 64
BURSTS = 150

_libc = ctypes.CDLL(None, use_errno=True)
_MSG_DONTWAIT = 0x40


class _Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class _Header(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class _Message(ctypes.Structure):
    _fields_ = [("header", _Header), ("length", ctypes.c_uint32)]


class UdpFlood:
    def __init__(self, path: Path) -> None:
        receiver = path.server_socket(socket.SOCK_DGRAM)
        sender = path.client_socket(socket.SOCK_DGRAM)
        sender.connect((path.target, receiver.getsockname()[1]))
        self._worker = Worker(path.client, lambda: _flood(sender, receiver))
        sender.close()
        receiver.close()
        self.round = self._worker.round

    def close(self) -> None:
        self._worker.close()


def _messages() -> ctypes.Array[_Message]:
    """A burst of messages, all with one buffer: what is in them does not matter."""
    buffer = ctypes.create_string_buffer(PAYLOAD)
    vector = _Vector(ctypes.addressof(buffer), PAYLOAD)
    messages = (_Message * BURST)()
    for message in messages:
        message.header.vectors = ctypes.pointer(vector)
        message.header.vector_count = 1
    messages.kept_alive = (buffer, vector)  # type: ignore[attr-defined]
    return messages


def _flood(sender: socket.socket, receiver: socket.socket) -> float:
    outgoing, incoming = _messages(), _messages()
    begun = perf_counter()
    arrived = 0
    for _ in range(BURSTS):
        if _libc.sendmmsg(sender.fileno(), outgoing, BURST, 0) < 0:
            raise OSError(ctypes.get_errno(), "sendmmsg")
        received = _libc.recvmmsg(receiver.fileno(), incoming, BURST, _MSG_DONTWAIT, None)
        if received < 0 and ctypes.get_errno() != errno.EAGAIN:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        arrived += max(received, 0)
    rate = arrived / (perf_counter() - begun)
    if arrived < BURST * BURSTS * 0.9:
        raise OSError(errno.EIO, f"only {arrived} of {BURST * BURSTS} packets arrived")
    return rate
