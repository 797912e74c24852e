"""ICMP echo to many addresses from one raw socket: who is there?"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Iterable

_ID = os.getpid() & 0xFFFF
_PATIENCE = 0.02
_REPLY = 0


def raw_socket() -> socket.socket:
    """To be opened in the namespace that asks."""
    made = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    made.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)  # SO_RCVBUFFORCE: answers come faster than they are read
    made.setblocking(False)
    return made


def ask(prober: socket.socket, addresses: Iterable[str]) -> None:
    for address in addresses:
        try:
            prober.sendto(_request(), (address, 0))
        except OSError:
            continue  # an answer to an earlier request: not there yet


def answers(prober: socket.socket) -> set[str]:
    """Who has answered; waits a moment for the first."""
    found: set[str] = set()
    select.select([prober], [], [], _PATIENCE)
    while True:
        try:
            packet, (address, _) = prober.recvfrom(128)
        except BlockingIOError:
            return found
        except OSError:
            continue
        kind, _, _, identity = struct.unpack_from("!BBHH", packet, (packet[0] & 15) * 4)
        if (kind, identity) == (_REPLY, _ID):
            found.add(address)


def _request() -> bytes:
    head = struct.pack("!BBHHH", 8, 0, 0, _ID, 1)
    total = sum(struct.unpack("!4H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return head[:2] + struct.pack("!H", ~total & 0xFFFF) + head[4:]
