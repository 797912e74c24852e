"""rtnetlink messages about routing rules. Pure."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from enid.netlink.message import CREATE, EXCL, address, attributes, message, to_u32, u32
from enid.netlink.routes import MAIN

NEW = _NEWRULE = 32
_DELRULE, _GETRULE = 33, 34
_DST, _SRC, _PRIORITY, _FWMARK, _SUPPRESS, _TABLE, _FWMASK = 1, 2, 6, 10, 14, 15, 16
_HEADER = struct.Struct("=BBBBBBBBI")
_TO_TABLE = 1
_NONE = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Rule:
    """``lookup table`` for what matches every given condition; ``version`` is the IP version."""

    version: int
    priority: int
    table: int = MAIN
    source: IPv4Network | IPv6Network | None = None
    destination: IPv4Network | IPv6Network | None = None
    mark: int = 0
    mask: int = 0xFFFFFFFF
    suppress_prefix_length: int | None = None
    """Go on to the next rule when the route found is no longer than this."""


def _build(request: int, flags: int, rule: Rule) -> bytes:
    family = socket.AF_INET if rule.version == 4 else socket.AF_INET6
    length = rule.source.prefixlen if rule.source is not None else 0
    reach = rule.destination.prefixlen if rule.destination is not None else 0
    table = rule.table if rule.table < 256 else 0
    parts = [u32(_TABLE, rule.table), u32(_PRIORITY, rule.priority)]
    if rule.source is not None and length:
        parts.append(address(_SRC, rule.source.network_address))
    if rule.destination is not None and reach:
        parts.append(address(_DST, rule.destination.network_address))
    if rule.mark:
        parts += [u32(_FWMARK, rule.mark), u32(_FWMASK, rule.mask)]
    if rule.suppress_prefix_length is not None:
        parts.append(u32(_SUPPRESS, rule.suppress_prefix_length))
    return message(request, flags, _HEADER.pack(family, reach, length, 0, table, 0, 0, _TO_TABLE, 0), *parts)


def add_rule(rule: Rule) -> bytes:
    """EEXIST when it is there already."""
    return _build(_NEWRULE, CREATE | EXCL, rule)


def delete_rule(rule: Rule) -> bytes:
    """ENOENT when it is not there."""
    return _build(_DELRULE, 0, rule)


def get_rules(version: int) -> bytes:
    """To dump."""
    return message(_GETRULE, 0, _HEADER.pack(socket.AF_INET if version == 4 else socket.AF_INET6, *[0] * 8))


def parse_rule(body: bytes) -> Rule:
    family, reach, length, _, table, _, _, _, _ = _HEADER.unpack_from(body)
    found = dict(attributes(memoryview(body)[_HEADER.size :]))
    suppress = to_u32(found[_SUPPRESS]) if _SUPPRESS in found else _NONE
    return Rule(
        version=4 if family == socket.AF_INET else 6,
        priority=to_u32(found[_PRIORITY]) if _PRIORITY in found else 0,
        table=to_u32(found[_TABLE]) if _TABLE in found else table,
        source=ip_network((found[_SRC], length)) if _SRC in found else None,
        destination=ip_network((found[_DST], reach)) if _DST in found else None,
        mark=to_u32(found[_FWMARK]) if _FWMARK in found else 0,
        mask=to_u32(found[_FWMASK]) if _FWMASK in found else _NONE,
        suppress_prefix_length=None if suppress == _NONE else suppress,
    )
