"""rtnetlink messages about routes. Pure: a :class:`Route` is both what one asks for and what the kernel tells."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from enid.netlink.message import CREATE, REPLACE, address, attributes, message, to_u32, u32

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAIN = 254
LOCAL = 255
UNICAST, BLACKHOLE, UNREACHABLE = 1, 6, 7
STATIC = 4
"""Routing protocol number: an administrator's route (the kernel's own are 2, router advertisements' 9)."""

NEW = _NEWROUTE = 24
_DELROUTE, _GETROUTE = 25, 26
_DST, _OIF, _GATEWAY, _PRIORITY, _PREFSRC, _TABLE = 1, 4, 5, 6, 7, 15
_HEADER = struct.Struct("=BBBBBBBBI")
_ONLINK = 4
_UNIVERSE, _LINK = 0, 253
_DEFAULT_METRIC_6 = 1024


@dataclass(frozen=True, slots=True)
class Route:
    """``device`` is a link's index (0: none, as unreachable routes have none); ``metric`` 0 is the kernel's default.

    The kernel takes an ``onlink`` gateway only in a namespace whose ``lo`` is up.

    With a ``gateway``, ``onlink`` says it is reached directly although no address of the link tells so.
    """

    destination: Network
    table: int = MAIN
    kind: int = UNICAST
    device: int = 0
    gateway: Address | None = None
    source: Address | None = None
    metric: int = 0
    onlink: bool = False
    protocol: int = STATIC


def _build(request: int, flags: int, route: Route) -> bytes:
    destination = route.destination
    version4 = destination.version == 4
    scope = _LINK if version4 and route.kind == UNICAST and route.gateway is None else _UNIVERSE
    header = _HEADER.pack(
        socket.AF_INET if version4 else socket.AF_INET6,
        destination.prefixlen,
        0,
        0,
        route.table if route.table < 256 else 0,
        route.protocol,
        scope,
        route.kind,
        _ONLINK if route.onlink else 0,
    )
    parts = [u32(_TABLE, route.table)]
    if destination.prefixlen:
        parts.append(address(_DST, destination.network_address))
    if route.device:
        parts.append(u32(_OIF, route.device))
    if route.gateway is not None:
        parts.append(address(_GATEWAY, route.gateway))
    if route.source is not None:
        parts.append(address(_PREFSRC, route.source))
    if route.metric:
        parts.append(u32(_PRIORITY, route.metric))
    return message(request, flags, header, *parts)


def replace_route(route: Route) -> bytes:
    """Make it so: added, or put in place of the route with the same destination, table and metric without a gap."""
    return _build(_NEWROUTE, CREATE | REPLACE, route)


def delete_route(route: Route) -> bytes:
    """ESRCH when no such route is there."""
    return _build(_DELROUTE, 0, route)


def get_routes(version: int) -> bytes:
    """To dump: every table of IP ``version``."""
    return message(_GETROUTE, 0, _HEADER.pack(socket.AF_INET if version == 4 else socket.AF_INET6, *[0] * 8))


def parse_route(body: bytes) -> Route | None:
    """None for what is not an ordinary route (cached, or several next hops)."""
    family, length, source_length, _, table, protocol, _, kind, flags = _HEADER.unpack_from(body)
    if family not in (socket.AF_INET, socket.AF_INET6) or source_length or flags & 0x200:
        return None
    found = dict(attributes(memoryview(body)[_HEADER.size :]))
    packed = found.get(_DST, bytes(4 if family == socket.AF_INET else 16))
    gateway, source = found.get(_GATEWAY), found.get(_PREFSRC)
    metric = to_u32(found[_PRIORITY]) if _PRIORITY in found else 0
    return Route(
        destination=ip_network((packed, length)),
        table=to_u32(found[_TABLE]) if _TABLE in found else table,
        kind=kind,
        device=to_u32(found[_OIF]) if _OIF in found and kind == UNICAST else 0,
        gateway=None if gateway is None else ip_address(gateway),
        source=None if source is None else ip_address(source),
        metric=0 if family == socket.AF_INET6 and metric == _DEFAULT_METRIC_6 else metric,
        onlink=bool(flags & _ONLINK),
        protocol=protocol,
    )
