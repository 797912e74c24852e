"""rtnetlink messages about neighbours (ARP and IPv6 neighbour discovery). Pure."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

from enid.netlink.message import (
    CREATE,
    REPLACE,
    address,
    attribute,
    attributes,
    hardware,
    hardware_text,
    message,
    nested,
    text,
    u32,
    u64,
)

NEW = _NEWNEIGH = 28
_DELNEIGH, _GETNEIGH, _SETNEIGHTBL = 29, 30, 67
_DST, _LLADDR = 1, 2
_HEADER = struct.Struct("=BBHiHBB")
_PERMANENT = 0x80
_TABLE_NAME, _TABLE_PARAMETERS, _PARAMETERS_DEVICE, _PARAMETERS_PROXY_DELAY = 1, 6, 1, 13

Address = IPv4Address | IPv6Address


def _header(version: int, device: int, state: int = 0) -> bytes:
    return _HEADER.pack(socket.AF_INET if version == 4 else socket.AF_INET6, 0, 0, device, state, 0, 0)


def replace_neighbour(device: int, neighbour: Address, mac: str) -> bytes:
    """A permanent entry: never asked for, never learned over."""
    head = _header(neighbour.version, device, _PERMANENT)
    body = (address(_DST, neighbour), attribute(_LLADDR, hardware(mac)))
    return message(_NEWNEIGH, CREATE | REPLACE, head, *body)


def delete_neighbour(device: int, neighbour: Address) -> bytes:
    return message(_DELNEIGH, 0, _header(neighbour.version, device), address(_DST, neighbour))


def get_neighbours(version: int) -> bytes:
    """To dump."""
    return message(_GETNEIGH, 0, _header(version, 0))


def parse_neighbour(body: bytes) -> tuple[int, Address, str] | None:
    """(link index, address, MAC) of a permanent entry; None for any other."""
    _, _, _, device, state, _, _ = _HEADER.unpack_from(body)
    found = dict(attributes(memoryview(body)[_HEADER.size :]))
    if not state & _PERMANENT or _DST not in found or _LLADDR not in found:
        return None
    return device, ip_address(found[_DST]), hardware_text(found[_LLADDR])


def key_of(body: bytes) -> tuple[int, Address] | None:
    """(link index, address) of any entry of IP."""
    family, _, _, device, _, _, _ = _HEADER.unpack_from(body)
    found = dict(attributes(memoryview(body)[_HEADER.size :]))
    known = family in (socket.AF_INET, socket.AF_INET6) and _DST in found
    return (device, ip_address(found[_DST])) if known else None


def answer_at_once(device: int) -> bytes:
    """Proxy ARP on this link without its random delay of up to 0.8 s."""
    parameters = nested(_TABLE_PARAMETERS, u32(_PARAMETERS_DEVICE, device), u64(_PARAMETERS_PROXY_DELAY, 0))
    return message(
        _SETNEIGHTBL, REPLACE, struct.pack("=BBH", socket.AF_INET, 0, 0), text(_TABLE_NAME, "arp_cache"), parameters
    )
