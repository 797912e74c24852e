"""What others change in a network namespace, told by the kernel: the multicast groups of rtnetlink and nfnetlink.

Every message names the socket whose request it tells of. Those of our own requests are filtered out inside the kernel,
so that what we do ourselves costs a listener nothing; what the kernel does by itself names nobody.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from enid.netlink.message import messages
from enid.netlink.namespaces import run_in
from enid.netlink.socket import NETLINK_NETFILTER, NETLINK_ROUTE

_ROUTE_GROUPS = (1, 3, 4, 5, 7, 8, 9, 11, 19)
"""Links, neighbours, traffic control; addresses, routes and rules of either IP version."""
_NFTABLES_GROUPS = (7,)
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE = 26, 33
_ROOM = 1 << 20
_PORT_OFFSET = 12
_INSTRUCTION = struct.Struct("=HBBI")
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06


@dataclass(frozen=True, slots=True)
class Notice:
    """A message of the kernel's; ``family`` is :data:`NETLINK_ROUTE` or :data:`NETLINK_NETFILTER`."""

    family: int
    kind: int
    body: bytes


class Lost(Exception):
    """More was told than fits the socket: anything may have happened."""


class Notifications:
    """Open in the namespace of the descriptor. Raises OSError.

    :param own: the ports of the sockets that are ours, see :attr:`enid.netlink.socket.NetlinkSocket.port`.
    """

    def __init__(self, namespace: int, own: Iterable[int]) -> None:
        program = _all_but(own)
        groups = {NETLINK_ROUTE: _ROUTE_GROUPS, NETLINK_NETFILTER: _NFTABLES_GROUPS}
        self._sockets = run_in(namespace, lambda: {family: _open(family, groups[family], program) for family in groups})

    def filenos(self) -> list[int]:
        return [opened.fileno() for opened in self._sockets.values()]

    def read(self) -> Iterator[Notice]:
        """What has come since; never blocks. Raises :class:`Lost`, after which it may be called again."""
        for family, opened in self._sockets.items():
            while True:
                try:
                    data = opened.recv(1 << 18)
                except BlockingIOError:
                    break
                except OSError as error:
                    if error.errno != errno.ENOBUFS:
                        raise
                    raise Lost from error
                yield from (Notice(family, kind, body) for kind, _, _, body in messages(data))

    def close(self) -> None:
        for opened in self._sockets.values():
            opened.close()


def _open(family: int, groups: Iterable[int], program: bytes) -> socket.socket:
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, family)
    try:
        opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
    except PermissionError:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
    code = ctypes.create_string_buffer(program)
    count = len(program) // _INSTRUCTION.size
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HxxxxxxP", count, ctypes.addressof(code)))
    opened.bind((0, 0))
    for group in groups:
        opened.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
    return opened


def _all_but(own: Iterable[int]) -> bytes:
    """A classic BPF program: lets pass what does not name one of these ports."""
    ports = [int.from_bytes(port.to_bytes(4, "little"), "big") for port in own]  # it loads in network order
    tests = [_INSTRUCTION.pack(_EQUAL, len(ports) - place, 0, port) for place, port in enumerate(ports)]
    load = _INSTRUCTION.pack(_LOAD, 0, 0, _PORT_OFFSET)
    return b"".join([load, *tests, _INSTRUCTION.pack(_RETURN, 0, 0, 1 << 18), _INSTRUCTION.pack(_RETURN, 0, 0, 0)])
