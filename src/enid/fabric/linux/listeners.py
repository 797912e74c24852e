"""Opens the sockets behind a VPC's services in its router's namespace. Nothing is read from them here.

They are bound to every address of the router: its nftables table says which of them answers what. So they stay as they
are when subnets come and go. Whoever serves them must see the whole VPC, and nothing else, through them.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack

from enid.netlink import namespaces
from enid.topology.services import DHCP, DNS, HTTP

BACKLOG = 256
_IPV4_PKTINFO = 8
"""``IP_PKTINFO``, which Python has no name for."""


def open_listeners(namespace: int) -> list[socket.socket]:
    """Sockets in the network namespace of this descriptor, in a fixed order: metadata (TCP), names (UDP), names (TCP),
    both families each, and leases (UDP, IPv4).

    A second set may be opened while the first is still served: both are then asked. Raises OSError.
    """
    return namespaces.run_in(namespace, _open)


def _open() -> list[socket.socket]:
    with ExitStack() as undone:
        metadata = undone.enter_context(_bound(socket.AF_INET6, socket.SOCK_STREAM, HTTP))
        datagrams = undone.enter_context(_bound(socket.AF_INET6, socket.SOCK_DGRAM, DNS))
        streams = undone.enter_context(_bound(socket.AF_INET6, socket.SOCK_STREAM, DNS))
        leases = undone.enter_context(_bound(socket.AF_INET, socket.SOCK_DGRAM, DHCP))
        # Which address was asked, and from which link: the answer must come from there, and go there.
        datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        leases.setsockopt(socket.IPPROTO_IP, _IPV4_PKTINFO, 1)
        leases.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for listening in (metadata, streams):
            listening.listen(BACKLOG)
        undone.pop_all()
        return [metadata, datagrams, streams, leases]


def _bound(family: int, kind: int, port: int) -> socket.socket:
    made = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    made.bind(("", port))
    return made
