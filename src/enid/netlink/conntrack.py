"""Tracked flows: listed, cut, and forgotten with an address, so that whoever has it next inherits none of them."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from enid.netlink.message import address, attribute, attributes, be32, message, nested, u8, u32
from enid.netlink.socket import NetlinkSocket

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_SUBSYSTEM = 1
_UPDATE, _GET, _DELETE, _GET_STATS = 0, 1, 2, 5
_TUPLE_ORIGINAL, _TUPLE_REPLY, _STATUS, _ZONE, _FILTER, _STATUS_MASK = 1, 2, 3, 18, 25, 26
_IP, _PORTS = 1, 2
"""The parts of a tuple."""
_PROTOCOL, _DESTINATION_PORT = 1, 3
_BY_PROTOCOL, _BY_DESTINATION_PORT = 1 << 3, 1 << 5
"""A filter's flags."""
_ENTRIES = 1
_TCP, _UDP = 6, 17
_SEEN_REPLY, _ASSURED = 1 << 1, 1 << 2
CUT = 1 << 13
"""The status bit of a flow that was cut: whoever asks whether a flow is established looks at it, too. To the kernel it
says that a helper follows the flow. Of those bits that can be set from outside it is the one that changes nothing,
where there are no helpers."""
_HEADER = struct.Struct(">BBH")
_FAMILY = {4: 2, 6: 10}
_GOING = (-errno.ENOENT, -errno.EBUSY)
"""What is said of a flow that is gone, or is just going."""
_FEW = 4
"""Up to so many addresses the kernel is asked once each; for more, all flows are listed once."""


def _message(kind: int, version: int | None, *parts: bytes) -> bytes:
    return message(_SUBSYSTEM << 8 | kind, 0, _HEADER.pack(_FAMILY[version] if version else 0, 0, 0), *parts)


class Flow(NamedTuple):
    """One of TCP or UDP, as its first packet was. Addresses are packed."""

    source: bytes
    destination: bytes
    protocol: int
    port: int
    """The destination's."""
    status: int
    name: bytes
    """What the kernel knows it by."""

    @property
    def is_cut(self) -> bool:
        return bool(self.status & CUT)


_TUPLES = {
    _FAMILY[4]: struct.Struct(">16x4s4x4s8xB15xH"),
    _FAMILY[6]: struct.Struct(">16x16s4x16s8xB15xH"),
}
"""Addresses, protocol, and destination port of a flow, where the kernel has always written them."""


def flows(netfilter: NetlinkSocket) -> int:
    """How many flows the socket's namespace tracks."""
    (body,) = netfilter.request(_message(_GET_STATS, None))
    return int.from_bytes(dict(attributes(body[_HEADER.size :]))[_ENTRIES], "big")


def _matching(side: int, end: int, value: Address) -> bytes:
    """Delete the flows whose tuple ``side`` has ``value`` as its source (``end`` 1) or destination (2)."""
    ip = nested(_IP, address(end if value.version == 4 else end + 2, value))
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


def listed(
    netfilter: NetlinkSocket, version: int | None = None, only: tuple[int, int] | None = None, cut: bool = False
) -> Iterator[Flow]:
    """The flows of TCP and UDP, but for those that are tracked in zones of their own. A kernel that cannot leave out
    those that are not asked for lists them, too.

    :param version: those of this IP version; all by default.
    :param only: with ``version``: those to this port of this protocol (protocol, port).
    :param cut: those that were cut.
    """
    parts = [be32(_STATUS, CUT), be32(_STATUS_MASK, CUT)] if cut else []
    if version and only:
        ends = nested(_PORTS, u8(_PROTOCOL, only[0]), attribute(_DESTINATION_PORT, only[1].to_bytes(2, "big")))
        parts += [nested(_TUPLE_ORIGINAL, ends), nested(_FILTER, u32(1, _BY_PROTOCOL | _BY_DESTINATION_PORT))]
    for body in netfilter.dump(_message(_GET, version, *parts)):
        if (flow := _flow(body)) is not None:
            yield flow


def _flow(body: bytes) -> Flow | None:
    """There may be very many. In front are the tuples of both directions, of one size; where a flow is tracked apart,
    the zone comes next, and otherwise the status."""
    size = int.from_bytes(body[_HEADER.size : _HEADER.size + 2], "little")
    layout, third = _TUPLES[body[0]], _HEADER.size + 2 * size
    if size < layout.size - _HEADER.size or int.from_bytes(body[third + 2 : third + 4], "little") != _STATUS:
        return None
    source, destination, protocol, port = layout.unpack_from(body)
    if protocol not in (_TCP, _UDP):
        return None
    status = int.from_bytes(body[third + 4 : third + 8], "big")
    return Flow(source, destination, protocol, port, status, body[_HEADER.size + 4 : _HEADER.size + size])


def cut(netfilter: NetlinkSocket, doomed: Iterable[Flow]) -> None:
    """Mark flows as cut. They stay tracked, so that nothing that is still on its way begins them anew.

    A bit that only can be set must not be missing, or the kernel refuses, and the flow may have got it meanwhile.
    """
    _change(netfilter, doomed, _UPDATE, CUT | _SEEN_REPLY | _ASSURED)


def forget_flows(netfilter: NetlinkSocket, doomed: Iterable[Flow]) -> None:
    """Forget these: their next packets begin them anew."""
    _change(netfilter, doomed, _DELETE, None)


def _change(netfilter: NetlinkSocket, doomed: Iterable[Flow], kind: int, more: int | None) -> None:
    requests = []
    for flow in doomed:
        status = () if more is None else (be32(_STATUS, flow.status | more),)
        version = 4 if len(flow.source) == 4 else 6
        requests.append(_message(kind, version, attribute(_TUPLE_ORIGINAL | 0x8000, flow.name), *status))
    worst = min((result for result in netfilter.batch(requests) if result not in _GOING), default=0)
    if worst:
        raise OSError(-worst, f"a tracked flow cannot be changed: {os.strerror(-worst)}")


def _ends(flow: bytes) -> tuple[bytes, bytes]:
    ip = dict(attributes(dict(attributes(flow))[1]))
    return ip.get(1) or ip[3], ip.get(2) or ip[4]
