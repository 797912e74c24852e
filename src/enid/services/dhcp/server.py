"""DHCP on the socket of a VPC's router: who asks is told by the link and the MAC together.

A message names a MAC, which its sender may have made up; the link it came by is the fabric's. They must belong to one
attachment, or nothing is said.
"""

from __future__ import annotations

import socket
from concurrent.futures import Executor
from contextlib import suppress
from ipaddress import IPv4Address

from enid.services.dhcp import leases, packet
from enid.services.dhcp.packet import Message
from enid.services.links import Question, questions, told4
from enid.store.database import Database

_CLIENT = 68
_EVERYBODY = "255.255.255.255"

_Answer = tuple[Message, IPv4Address]
"""An answer, and the address it comes from."""


class Leases:
    def __init__(self, opened: socket.socket, database: Database, threads: Executor, vpc_id: str) -> None:
        self._socket = opened
        self._database = database
        self._vpc_id = vpc_id
        self._questions = questions(opened, threads, self._answer, self._send)

    def close(self) -> None:
        self._questions.close()

    def _answer(self, question: Question) -> _Answer | None:
        asked = packet.parse(question.data)
        if asked is None:
            return None
        with self._database.read() as db:
            lease = leases.of(db, self._vpc_id, asked.mac)
        if lease is None or not lease.attachment_id.endswith(question.link.attachment):
            return None
        answer = leases.answer(asked, lease)
        return None if answer is None else (answer, lease.gateway)

    def _send(self, question: Question, said: _Answer) -> None:
        """To the client's address where it has one or can take it, otherwise to everybody on its link: that is it."""
        answer, origin = said
        target = answer.client if int(answer.client) else answer.yours
        to_all = answer.to_all or not int(target)
        with suppress(OSError):  # whoever asked is gone
            destination = (_EVERYBODY if to_all else str(target), _CLIENT)
            through = told4(question.link, origin.packed)
            self._socket.sendmsg([packet.encode(answer)], [through], 0, destination)
