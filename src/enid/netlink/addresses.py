"""rtnetlink messages about the addresses of links. Pure."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_interface

from enid.netlink.message import CREATE, REPLACE, address, attributes, message, u32

Interface = IPv4Interface | IPv6Interface

NEW = _NEWADDR = 20
_DELADDR, _GETADDR = 21, 22
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_HEADER = struct.Struct("=BBBBi")

NODAD = 0x02
NOPREFIXROUTE = 0x200
_LINK_SCOPE = 253


@dataclass(frozen=True, slots=True)
class LinkAddress:
    """An address on a link; ``flags`` are the kernel's IFA_F_…"""

    device: int
    interface: Interface
    flags: int = 0


def family(interface: IPv4Address | IPv6Address) -> int:
    return socket.AF_INET if interface.version == 4 else socket.AF_INET6


def _build(kind: int, message_flags: int, device: int, interface: Interface, flags: int) -> bytes:
    scope = _LINK_SCOPE if interface.version == 6 and interface.is_link_local else 0
    return message(
        kind,
        message_flags,
        _HEADER.pack(family(interface.ip), interface.network.prefixlen, flags & 0xFF, scope, device),
        address(_IFA_LOCAL, interface.ip),
        address(_IFA_ADDRESS, interface.ip),
        u32(_IFA_FLAGS, flags),
    )


def add_address(device: int, interface: Interface, *, flags: int = 0) -> bytes:
    """Put an address with its prefix on link ``device``; no-op when it is there.

    IPv6: give ``NODAD`` to use it at once; even so the kernel receives for it only a moment after the acknowledgement,
    when its route is in table ``local``.
    """
    return _build(_NEWADDR, CREATE | REPLACE, device, interface, flags)


def delete_address(device: int, interface: Interface) -> bytes:
    return _build(_DELADDR, 0, device, interface, 0)


def get_addresses() -> bytes:
    """To dump: both families."""
    return message(_GETADDR, 0, _HEADER.pack(0, 0, 0, 0, 0))


def parse_address(body: bytes) -> LinkAddress:
    _, length, flags, _, device = _HEADER.unpack_from(body)
    found: dict[int, bytes] = dict(attributes(memoryview(body)[_HEADER.size :]))
    packed = found.get(_IFA_LOCAL) or found[_IFA_ADDRESS]
    if _IFA_FLAGS in found:
        flags = int.from_bytes(found[_IFA_FLAGS], "little")
    return LinkAddress(device, ip_interface((packed, length)), flags)
