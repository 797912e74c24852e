"""rtnetlink messages about links. Pure: build with these, send with :class:`enid.netlink.socket.RouteSocket`."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from enid.netlink.message import (
    ACK,
    APPEND,
    CREATE,
    EXCL,
    attribute,
    attributes,
    hardware,
    hardware_text,
    message,
    nested,
    text,
    to_text,
    to_u32,
    u8,
    u32,
)

NEW = _NEWLINK = 16
_DELLINK, _GETLINK, _NEWLINKPROP, _DELLINKPROP = 17, 18, 108, 109
_ADDRESS, _IFNAME, _MTU, _LINK, _LINKINFO, _AF_SPEC = 1, 3, 4, 5, 18, 26
_GROUP, _NET_NS_FD, _EXT_MASK, _PROP_LIST, _ALT_IFNAME = 27, 28, 29, 52, 53
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_VXLAN_ID, _VXLAN_REMOTE, _VXLAN_LOCAL, _VXLAN_LEARNING, _VXLAN_PORT, _VXLAN_UDP_CHECKSUM = 1, 2, 4, 7, 15, 18
_INET6, _INET6_ADDR_GEN_MODE = 10, 8
_SKIP_STATS = 1 << 3
_INFO = struct.Struct("=BBHiII")

UP = 0x1
LOWER_UP = 0x10000


@dataclass(frozen=True, slots=True)
class Link:
    """A link as the kernel tells it."""

    index: int
    name: str
    flags: int
    mac: str
    mtu: int
    group: int
    peer: int
    """A veth's other end: its index in *its* namespace; 0 when there is none."""
    altnames: tuple[str, ...] = ()

    @property
    def up(self) -> bool:
        return bool(self.flags & UP)


def _info(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return _INFO.pack(0, 0, 0, index, flags, change)


def new_veth(
    name: str,
    *,
    index: int = 0,
    mac: str,
    mtu: int,
    peer_name: str,
    peer_mac: str,
    peer_mtu: int,
    peer_namespace: int | None = None,
) -> bytes:
    """A veth pair, the peer created directly in the namespace of descriptor ``peer_namespace`` with its final name.

    Both ends are down (the kernel cannot bring up half a pair). ``index`` 0 lets the kernel choose; choosing it here
    lets the same batch go on with the new link.
    """
    peer = [_info(), text(_IFNAME, peer_name), attribute(_ADDRESS, hardware(peer_mac)), u32(_MTU, peer_mtu)]
    if peer_namespace is not None:
        peer.append(u32(_NET_NS_FD, peer_namespace))
    return message(
        _NEWLINK,
        CREATE | EXCL,
        _info(index),
        text(_IFNAME, name),
        attribute(_ADDRESS, hardware(mac)),
        u32(_MTU, mtu),
        nested(_LINKINFO, text(_INFO_KIND, "veth"), nested(_INFO_DATA, nested(_VETH_PEER, *peer))),
    )


def new_vxlan(name: str, *, index: int, network: int, local: IPv4Address, remote: IPv4Address, port: int) -> bytes:
    """A VXLAN link with one far end. Nothing is learnt from what comes in, and UDP has no checksum (RFC 7348)."""
    return message(
        _NEWLINK,
        CREATE | EXCL,
        _info(index),
        text(_IFNAME, name),
        nested(
            _LINKINFO,
            text(_INFO_KIND, "vxlan"),
            nested(
                _INFO_DATA,
                u32(_VXLAN_ID, network),
                attribute(_VXLAN_REMOTE, remote.packed),
                attribute(_VXLAN_LOCAL, local.packed),
                u8(_VXLAN_LEARNING, 0),
                attribute(_VXLAN_PORT, port.to_bytes(2, "big")),
                u8(_VXLAN_UDP_CHECKSUM, 0),
            ),
        ),
    )


def set_link(
    *,
    index: int = 0,
    name: str = "",
    up: bool | None = None,
    mac: str = "",
    mtu: int = 0,
    group: int | None = None,
    rename: str = "",
    link_local: bool | None = None,
) -> bytes:
    """Change the link of this ``index``, or of this ``name`` when the index is 0; only what is given.

    ``link_local`` False: the kernel makes up no IPv6 link-local address.
    """
    parts = []
    if not index:
        parts.append(text(_IFNAME, name))
    if rename:
        parts.append(text(_IFNAME, rename))
    if mac:
        parts.append(attribute(_ADDRESS, hardware(mac)))
    if mtu:
        parts.append(u32(_MTU, mtu))
    if group is not None:
        parts.append(u32(_GROUP, group))
    if link_local is not None:
        parts.append(nested(_AF_SPEC, nested(_INET6, u8(_INET6_ADDR_GEN_MODE, 0 if link_local else 1))))
    flags = UP if up else 0
    return message(_NEWLINK, 0, _info(index, flags, 0 if up is None else UP), *parts)


def delete_link(*, index: int = 0, name: str = "") -> bytes:
    return message(_DELLINK, 0, _info(index), *([] if index else [text(_IFNAME, name)]))


def delete_group(group: int) -> bytes:
    """Delete every link of the group at once: far cheaper than one by one."""
    return message(_DELLINK, 0, _info(), u32(_GROUP, group))


def add_altnames(*names: str, index: int = 0, name: str = "") -> bytes:
    """Give the link further names (up to 127 characters each)."""
    return _altnames(_NEWLINKPROP, CREATE | APPEND, names, index, name)


def delete_altnames(*names: str, index: int = 0, name: str = "") -> bytes:
    """Take further names from the link."""
    return _altnames(_DELLINKPROP, 0, names, index, name)


def _altnames(kind: int, flags: int, names: Sequence[str], index: int, name: str) -> bytes:
    link = [] if index else [text(_IFNAME, name)]
    alternatives = nested(_PROP_LIST, *(text(_ALT_IFNAME, alternative) for alternative in names))
    return message(kind, ACK | flags, _info(index), *link, alternatives)


def get_link(*, index: int = 0, name: str = "") -> bytes:
    """Ask for one link; the question also makes the kernel notice a carrier that has just come."""
    link = [] if index else [text(_IFNAME, name)]
    return message(_GETLINK, 0, _info(index), *link, u32(_EXT_MASK, _SKIP_STATS))


def get_links() -> bytes:
    """To dump."""
    return message(_GETLINK, 0, _info(), u32(_EXT_MASK, _SKIP_STATS))


def parse_link(body: bytes) -> Link:
    _, _, _, index, flags, _ = _INFO.unpack_from(body)
    name = mac = ""
    mtu = group = peer = 0
    altnames: list[str] = []
    for kind, payload in attributes(memoryview(body)[_INFO.size :]):
        if kind == _IFNAME:
            name = to_text(payload)
        elif kind == _ADDRESS:
            mac = hardware_text(payload)
        elif kind == _MTU:
            mtu = to_u32(payload)
        elif kind == _GROUP:
            group = to_u32(payload)
        elif kind == _LINK:
            peer = to_u32(payload)
        elif kind == _PROP_LIST:
            altnames = [to_text(value) for _, value in attributes(payload)]
    return Link(index, name, flags, mac, mtu, group, peer, tuple(altnames))
