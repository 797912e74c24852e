"""Opens the sockets behind a VPC's services in its router's namespace. Nothing is read from them here.

They are bound to every address of the router: its nftables table says which of them answers what. So they stay as they
are when subnets come and go. Whoever serves them must see the whole VPC, and nothing else, through them.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from contextlib import ExitStack

from enid.netlink import namespaces
from enid.topology.services import DHCP, DHCP6, DNS, HTTP

BACKLOG = 256
_IPV4_PKTINFO = 8
"""``IP_PKTINFO``, which Python has no name for."""
_ICMP6_FILTER, _ROUTER_SOLICITATION = 1, 133
_ATTACH_FILTER, _LOCK_FILTER = 26, 44
_NOTHING = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0))
"""The classic BPF program that keeps nothing of a packet."""


def open_listeners(namespace: int) -> list[socket.socket]:
    """Sockets in the network namespace of this descriptor, in a fixed order: metadata (TCP), names (UDP), names (TCP),
    both families each, leases (UDP, IPv4), leases (UDP, IPv6), router solicitations (ICMPv6), and one to answer these
    two with: it sends IPv6 packets over any link of the router, and never receives any.

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
        leases6 = undone.enter_context(_bound(socket.AF_INET6, socket.SOCK_DGRAM, DHCP6))
        solicitations = undone.enter_context(_solicitations())
        for heard in (leases6, solicitations):
            heard.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        answers = undone.enter_context(_mouth())
        for listening in (metadata, streams):
            listening.listen(BACKLOG)
        undone.pop_all()
        return [metadata, datagrams, streams, leases, leases6, solicitations, answers]


def _solicitations() -> socket.socket:
    made = _opened(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    word, bit = divmod(_ROUTER_SOLICITATION, 32)
    blocked = struct.pack("=8I", *(0xFFFFFFFF ^ (number == word) << bit for number in range(8)))
    made.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, blocked)
    return made


def _mouth() -> socket.socket:
    """Of no protocol, so that the kernel offers it nothing; should its holder ask for more, a filter that stays on for
    ever lets nothing through."""
    made = _opened(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    program = struct.pack("@HP", 1, ctypes.addressof(_NOTHING))
    made.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)
    made.setsockopt(socket.SOL_SOCKET, _LOCK_FILTER, 1)
    return made


def _opened(family: int, kind: int, protocol: int = 0) -> socket.socket:
    return socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)


def _bound(family: int, kind: int, port: int) -> socket.socket:
    made = _opened(family, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    made.bind(("", port))
    return made
