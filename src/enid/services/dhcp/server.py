"""DHCP on the socket of a VPC's router: who asks is told by the link and the MAC together.

A message names a MAC, which its sender may have made up; the link it came by is the fabric's. They must belong to one
attachment, or nothing is said.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Address

import structlog

from enid.services.dhcp import leases, packet
from enid.services.dhcp.packet import Message
from enid.store.database import Database

log = structlog.get_logger()

_IP_PKTINFO = 8
_PKTINFO = struct.Struct("=I4s4s")
_SIOCGIFNAME = 0x8910
_CLIENT = 68
_EVERYBODY = "255.255.255.255"
_BYTES = 2048
_AT_ONCE = 256
_PER_WAKE = 64


class Leases:
    def __init__(self, opened: socket.socket, database: Database, threads: Executor, vpc_id: str) -> None:
        self._socket = opened
        self._database = database
        self._threads = threads
        self._vpc_id = vpc_id
        self._tasks: set[asyncio.Task[None]] = set()
        asyncio.get_running_loop().add_reader(opened, self._read)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        for task in self._tasks:
            task.cancel()
        self._socket.close()

    def _read(self) -> None:
        for _ in range(_PER_WAKE):
            try:
                data, told, _, _ = self._socket.recvmsg(_BYTES, socket.CMSG_SPACE(_PKTINFO.size))
            except OSError:
                return
            asked = packet.parse(data)
            link = next((_PKTINFO.unpack(info)[0] for _, kind, info in told if kind == _IP_PKTINFO), 0)
            if asked is not None and len(self._tasks) < _AT_ONCE:
                task = asyncio.get_running_loop().create_task(self._reply(asked, link))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _reply(self, asked: Message, link: int) -> None:
        name = self._name(link)
        say = partial(self._answer, asked, name)
        answer = await asyncio.get_running_loop().run_in_executor(self._threads, say) if name else None
        if answer is not None:
            self._send(*answer, link)

    def _answer(self, asked: Message, link: str) -> tuple[Message, IPv4Address] | None:
        """The answer, and the address it comes from."""
        try:
            with self._database.read() as db:
                lease = leases.of(db, self._vpc_id, asked.mac)
        except Exception:  # the store is out of reach, or a bug: neither may end the service
            log.exception("lease not given")
            return None
        # A link of the router is named after its attachment: see enid.fabric.linux.names.
        if lease is None or not link.startswith("a") or not lease.attachment_id.endswith(link[1:]):
            return None
        answer = leases.answer(asked, lease)
        return None if answer is None else (answer, lease.gateway)

    def _send(self, answer: Message, origin: IPv4Address, link: int) -> None:
        """To the client's address where it has one or can take it, otherwise to everybody on its link: that is it."""
        target = answer.client if int(answer.client) else answer.yours
        to_all = answer.to_all or not int(target)
        through = (socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO.pack(link, origin.packed, bytes(4)))
        with suppress(OSError):  # whoever asked is gone
            destination = (_EVERYBODY if to_all else str(target), _CLIENT)
            self._socket.sendmsg([packet.encode(answer)], [through], 0, destination)

    def _name(self, link: int) -> str:
        """The name of a link in the router; empty when it is gone."""
        request = struct.pack("=16si20x", b"", link)
        try:
            return fcntl.ioctl(self._socket, _SIOCGIFNAME, request)[:16].split(b"\0")[0].decode()
        except OSError:
            return ""
