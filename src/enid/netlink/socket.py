"""Netlink sockets that live in another network namespace: batches of messages, acknowledgements, dumps.

The kernel handles a netlink message inside ``send``, so when it returns every answer is already queued and nothing
here waits. Only the last message of a batch asks for an acknowledgement; errors come back unasked and carry the number
of the message they belong to.
"""

from __future__ import annotations

import os
import socket
import struct
from collections import Counter
from collections.abc import Iterator, Sequence

from enid.netlink.message import ACK, DONE, DUMP, ERROR, messages
from enid.netlink.namespaces import run_in

NETLINK_ROUTE = 0
NETLINK_NETFILTER = 12

_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10
_SO_SNDBUFFORCE = 32
_SO_RCVBUFFORCE = 33
_BUFFER = 1 << 20
_SEQUENCE_OFFSET = 8
_ERROR = struct.Struct("=i")

_BATCH_BYTES = 128 * 1024
_BATCH_MESSAGES = 256
"""So many answers, at the worst all errors, fit into the default receive buffer of an ordinary user."""


class NetlinkSocket:
    """A netlink socket; ``namespace`` is a descriptor of the network namespace to open it in, None for our own.

    An open socket keeps its namespace alive: keep sockets only in namespaces that are yours.
    """

    def __init__(self, family: int, namespace: int | None = None, counts: Counter[str] | None = None) -> None:
        def make() -> socket.socket:
            return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)

        self._socket = make() if namespace is None else run_in(namespace, make)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        self._grow(_SO_SNDBUFFORCE, socket.SO_SNDBUF, _BUFFER)
        self._grow(_SO_RCVBUFFORCE, socket.SO_RCVBUF, _BUFFER)
        self._socket.bind((0, 0))
        self._sequence = 1
        self.counts: Counter[str] = Counter() if counts is None else counts
        """``messages`` and ``batches`` sent, for whoever guards the cost of a change."""

    def _grow(self, force: int, ordinary: int, size: int) -> None:
        """Without CAP_NET_ADMIN in the initial user namespace the system's maximum has to do."""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, force, size)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, ordinary, size)

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def port(self) -> int:
        """By what the kernel tells this socket from others of its namespace."""
        return int(self._socket.getsockname()[0])

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> NetlinkSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _number(self, requests: Sequence[bytes], buffer: bytearray) -> int:
        """Append ``requests`` to ``buffer`` with consecutive sequence numbers; the first one."""
        first = self._sequence
        for request in requests:
            offset = len(buffer)
            buffer += request
            buffer[offset + _SEQUENCE_OFFSET : offset + _SEQUENCE_OFFSET + 4] = self._sequence.to_bytes(4, "little")
            self._sequence = self._sequence % 0x7FFFFFFF + 1
        return first

    def _transmit(self, buffer: bytearray | bytes, count: int) -> None:
        self.counts["messages"] += count
        self.counts["batches"] += 1
        self._socket.send(buffer)

    def _receive(self) -> bytes | None:
        """One datagram, or None when no more is queued."""
        try:
            return self._socket.recv(1 << 18, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None

    def errors(self) -> dict[int, int]:
        """Drain the queue: sequence number → 0 or -errno of every acknowledgement and error in it."""
        found: dict[int, int] = {}
        while (data := self._receive()) is not None:
            for kind, _, sequence, body in messages(data):
                if kind == ERROR:
                    found[sequence] = _ERROR.unpack_from(body)[0]
        return found

    def batch(self, requests: Sequence[bytes]) -> list[int]:
        """Send independent messages in order; for each 0 or -errno. One failure does not stop the others."""
        results: list[int] = []
        for chunk in _chunks(requests):
            results += self._batch(chunk)
        return results

    def _batch(self, requests: Sequence[bytes]) -> list[int]:
        buffer = bytearray()
        last_offset = sum(len(request) for request in requests[:-1])
        first = self._number(requests, buffer)
        buffer[last_offset + 6] |= ACK
        self._transmit(buffer, len(requests))
        errors = self.errors()
        return [errors.get(first + place, 0) for place in range(len(requests))]

    def request(self, message: bytes) -> list[bytes]:
        """Send one message; the bodies of its answers. Raises OSError with the kernel's errno."""
        buffer = bytearray()
        sequence = self._number([message], buffer)
        buffer[6] |= ACK
        self._transmit(buffer, 1)
        answers = []
        while (data := self._receive()) is not None:
            for kind, _, number, body in messages(data):
                if number != sequence:
                    continue
                if kind == ERROR:
                    _raise(_ERROR.unpack_from(body)[0])
                else:
                    answers.append(body)
        return answers

    def dump(self, message: bytes) -> Iterator[bytes]:
        """The bodies of everything a dump request lists. Raises OSError."""
        buffer = bytearray()
        sequence = self._number([message], buffer)
        buffer[6:8] = (int.from_bytes(buffer[6:8], "little") | DUMP).to_bytes(2, "little")
        self._transmit(buffer, 1)
        while True:
            data = self._socket.recv(1 << 18)
            for kind, _, number, body in messages(data):
                if number != sequence:
                    continue
                if kind == ERROR:
                    _raise(_ERROR.unpack_from(body)[0])
                    return
                if kind == DONE:
                    if len(body) >= 4:
                        _raise(_ERROR.unpack_from(body)[0])
                    return
                yield body


class RouteSocket(NetlinkSocket):
    """rtnetlink: links, addresses, routes, rules, neighbours."""

    def __init__(self, namespace: int | None = None, counts: Counter[str] | None = None) -> None:
        super().__init__(NETLINK_ROUTE, namespace, counts)

    def __enter__(self) -> RouteSocket:
        return self


def _raise(code: int) -> None:
    if code < 0:
        raise OSError(-code, os.strerror(-code))


def _chunks(requests: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    start = size = 0
    for place, request in enumerate(requests):
        if place > start and (size + len(request) > _BATCH_BYTES or place - start >= _BATCH_MESSAGES):
            yield requests[start:place]
            start, size = place, 0
        size += len(request)
    if start < len(requests):
        yield requests[start:]
