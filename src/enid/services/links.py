"""The links of a VPC's router, as one of its sockets knows them, and what was asked over them.

A link is the fabric's, and named after its attachment (:mod:`enid.fabric.linux.names`): whatever a guest writes into a
packet, who asks is known by the link it comes over.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from enid.services.datagrams import Datagrams, Told

log = structlog.get_logger()

IPV4_PKTINFO = 8
"""``IP_PKTINFO``, which Python has no name for."""
PKTINFO4, _PKTINFO6 = struct.Struct("=I4s4s"), struct.Struct("=16sI")
"""Both: a link's number, and addresses."""
_SIOCGIFNAME, _SIOCGIFHWADDR = 0x8910, 0x8927

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Link:
    """A port's link. ``mac`` is that of the router's end, which its guest sees the router by."""

    number: int
    name: str
    mac: bytes

    @property
    def attachment(self) -> str:
        """The end of the attachment's id."""
        return self.name[1:]


def find(opened: socket.socket, number: int) -> Link | None:
    """None when the link is gone, or not a port's.

    :param opened: a socket in the router.
    """
    try:
        named = fcntl.ioctl(opened, _SIOCGIFNAME, struct.pack("=16si20x", b"", number))
        name = named[:16].split(b"\0")[0]
        mac = fcntl.ioctl(opened, _SIOCGIFHWADDR, struct.pack("=16s24x", name))[18:24]
    except OSError:
        return None
    return Link(number, name.decode(), mac) if name.startswith(b"a") else None


@dataclass(frozen=True, slots=True)
class Question:
    data: bytes
    sender: str
    """An address, or ``::``."""
    link: Link


def questions(
    opened: socket.socket,
    threads: Executor,
    think: Callable[[Question], T | None],
    say: Callable[[Question, T], None],
) -> Datagrams:
    """Answers what comes by the links of ports.

    :param opened: a socket that tells which link each datagram came by.
    :param think: a question → what there is to say; in a thread, and may wait for the store. None is silence.
    :param say: says it, at once.
    """

    def thought(question: Question) -> T | None:
        try:
            return think(question)
        except Exception:  # the store is out of reach, or a bug: neither may end the service
            log.exception("a question not answered")
            return None

    async def serve(data: bytes, told: Told, sender: tuple[Any, ...]) -> None:
        link = find(opened, _number(told))
        if link is None:
            return
        question = Question(data, sender[0].partition("%")[0], link)
        answer = await asyncio.get_running_loop().run_in_executor(threads, thought, question)
        if answer is not None:
            say(question, answer)

    return Datagrams(opened, serve)


def _number(told: Told) -> int:
    """The number of the link that a datagram came by."""
    for level, kind, info in told:
        if (level, kind) == (socket.IPPROTO_IP, IPV4_PKTINFO):
            return int(PKTINFO4.unpack(info)[0])
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            return int(_PKTINFO6.unpack(info)[1])
    return 0


def told4(link: Link, origin: bytes) -> tuple[int, int, bytes]:
    """Sends an IPv4 datagram over a link, from an address."""
    return (socket.IPPROTO_IP, IPV4_PKTINFO, PKTINFO4.pack(link.number, origin, bytes(4)))
