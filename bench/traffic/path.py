"""From where to where traffic goes."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from enid.netlink.namespaces import run_in


@dataclass(frozen=True, slots=True)
class Path:
    """Two network namespaces (descriptors), the addresses to bind there, and what the client calls the server."""

    client: int
    client_address: str
    server: int
    server_address: str
    target: str
    """The server's address as the client knows it: another one when it is translated."""

    def server_socket(self, kind: socket.SocketKind) -> socket.socket:
        """Bound to a free port."""
        return run_in(self.server, lambda: _bound(kind, self.server_address))

    def client_socket(self, kind: socket.SocketKind) -> socket.socket:
        return run_in(self.client, lambda: _bound(kind, self.client_address))


def _bound(kind: socket.SocketKind, address: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, kind)
    made.bind((address, 0))
    return made


def processor() -> int:
    """The processor both ends run on: the last one we may use, since interrupts prefer the first."""
    return max(os.sched_getaffinity(0))
