"""Forgetting tracked flows of an address, so that whoever has it next inherits none of them."""

from __future__ import annotations

import errno
import struct
from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from enid.netlink.message import address, attribute, attributes, message, nested, u32
from enid.netlink.socket import NetlinkSocket

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_SUBSYSTEM = 1
_GET, _DELETE, _GET_STATS = 1, 2, 5
_TUPLE_ORIGINAL, _TUPLE_REPLY, _ZONE, _FILTER = 1, 2, 18, 25
_ENTRIES = 1
_HEADER = struct.Struct(">BBH")
_FAMILY = {4: 2, 6: 10}
_FEW = 4
"""Up to so many addresses the kernel is asked once each; for more, all flows are listed once."""


def _message(kind: int, version: int | None, *parts: bytes) -> bytes:
    return message(_SUBSYSTEM << 8 | kind, 0, _HEADER.pack(_FAMILY[version] if version else 0, 0, 0), *parts)


def flows(netfilter: NetlinkSocket) -> int:
    """How many flows the socket's namespace tracks."""
    (body,) = netfilter.request(_message(_GET_STATS, None))
    return int.from_bytes(dict(attributes(body[_HEADER.size :]))[_ENTRIES], "big")


def _matching(side: int, end: int, value: Address) -> bytes:
    """Delete the flows whose tuple ``side`` has ``value`` as its source (``end`` 1) or destination (2)."""
    ip = nested(1, address(end if value.version == 4 else end + 2, value))
    flags = nested(_FILTER, u32(1 if side == _TUPLE_ORIGINAL else 2, end))
    return _message(_DELETE, value.version, nested(side, ip), flags)


def forget(
    netfilter: NetlinkSocket,
    private: Collection[Address],
    public: Collection[Address] = (),
    blocks: Collection[Network] = (),
) -> None:
    """Forget every flow from or to the ``private`` addresses and ``blocks`` (as seen inside), and those translated to
    ``public`` addresses.

    A private address is the source of one of a flow's two directions; a public one the destination.
    """
    if not (private or public or blocks) or not flows(netfilter):
        return
    if len(private) + len(public) > _FEW or blocks:
        _forget_listed(netfilter, frozenset(private), frozenset(public), blocks)
        return
    requests = [_matching(side, 1, value) for value in private for side in (_TUPLE_ORIGINAL, _TUPLE_REPLY)]
    requests += [_matching(side, 2, value) for value in public for side in (_TUPLE_ORIGINAL, _TUPLE_REPLY)]
    results = netfilter.batch(requests)
    if any(result in (-errno.EINVAL, -errno.EOPNOTSUPP) for result in results):  # kernels before 6.8
        _forget_listed(netfilter, frozenset(private), frozenset(public))


def _forget_listed(
    netfilter: NetlinkSocket,
    private: frozenset[Address],
    public: frozenset[Address],
    blocks: Collection[Network] = (),
) -> None:
    sources = {value.packed for value in private}
    destinations = {value.packed for value in public}
    for version in (4, 6):
        doomed = []
        wide = [block for block in blocks if block.version == version]
        for body in netfilter.dump(_message(_GET, version)):
            found = dict(attributes(memoryview(body)[_HEADER.size :]))
            ends = [_ends(found[side]) for side in (_TUPLE_ORIGINAL, _TUPLE_REPLY)]
            if any(
                source in sources or destination in destinations or any(ip_address(source) in block for block in wide)
                for source, destination in ends
            ):
                parts = [attribute(_TUPLE_ORIGINAL | 0x8000, found[_TUPLE_ORIGINAL])]
                if _ZONE in found:
                    parts.append(attribute(_ZONE, found[_ZONE]))
                doomed.append(_message(_DELETE, version, *parts))
        netfilter.batch(doomed)


def _ends(flow: bytes) -> tuple[bytes, bytes]:
    ip = dict(attributes(dict(attributes(flow))[1]))
    return ip.get(1) or ip[3], ip.get(2) or ip[4]
