"""Router advertisements and DHCPv6 on the sockets of a VPC's router: who asks is told by the link alone.

A solicitation is answered with an advertisement, and so is whoever gets a lease: since it renews that, no advertisement
has to be sent unasked, nobody has to remember to whom, and a default route never runs out.

Answers are whole packets, to the MAC that the store knows: the router has no route to a guest's link-local address, and
learns nobody's MAC.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import suppress
from ipaddress import IPv6Address

from enid.services import links
from enid.services.ipv6 import conversation, frames, lease, message
from enid.services.ipv6.advertisement import advertisement, is_solicitation
from enid.services.ipv6.lease import Lease
from enid.services.links import Link, Question
from enid.store.database import Database

_ROUTER = IPv6Address("fe80::1")
_EVERYBODY = IPv6Address("ff02::1")
_EVERYBODYS_MAC = bytes.fromhex("333300000001")
_PORTS = (547, 546)
_IPV6 = 0x86DD
_DUID_OF_A_MAC = bytes((0, 3, 0, 1))

_Packet = tuple[bytes, bytes]
"""And the MAC it goes to."""


class Router:
    """:param answers: the socket to send with."""

    def __init__(
        self,
        database: Database,
        threads: Executor,
        vpc_id: str,
        questions: socket.socket,
        solicitations: socket.socket,
        answers: socket.socket,
    ) -> None:
        self._answers = answers
        self._database = database
        self._vpc_id = vpc_id
        self._heard = (
            links.questions(questions, threads, self._leased, self._send),
            links.questions(solicitations, threads, self._advertised, self._send),
        )

    def close(self) -> None:
        for heard in self._heard:
            heard.close()
        self._answers.close()

    def _lease(self, link: Link) -> Lease | None:
        with self._database.read() as db:
            return lease.of(db, self._vpc_id, link.attachment)

    def _advertised(self, question: Question) -> list[_Packet]:
        found = self._lease(question.link) if is_solicitation(question.data) else None
        return list(_advertisements(found, question.link)) if found else []

    def _leased(self, question: Question) -> list[_Packet]:
        asked = message.parse(question.data)
        found = self._lease(question.link) if asked else None
        if asked is None or found is None:
            return []
        answer = conversation.answer(asked, found, _DUID_OF_A_MAC + question.link.mac)
        if answer is None:
            return []
        packet = frames.udp(_ROUTER, IPv6Address(question.sender), _PORTS, message.encode(answer))
        also = _advertisements(found, question.link) if answer.type == message.REPLY else ()
        return [(packet, found.mac), *also]

    def _send(self, question: Question, packets: list[_Packet]) -> None:
        for packet, mac in packets:
            with suppress(OSError):  # whoever asked is gone
                self._answers.sendto(packet, (question.link.name, _IPV6, 0, 0, mac))


def _advertisements(found: Lease, link: Link) -> Iterator[_Packet]:
    """One; none for an interface without an IPv6 address: the router has no address on its link."""
    if found.addresses:
        told = advertisement(link.mac, found.router_seconds)
        yield frames.icmp6(_ROUTER, _EVERYBODY, told), _EVERYBODYS_MAC
