"""What a network ACL says about packets: which entry decides. Pure.

A question may be about many packets at once (anybody on the internet, any port a client may have sent from), so what is
asked about is an area, addresses by ports, and every entry takes its part out of what is left. The answer is yes only
when all of it is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from enid.topology.blocks import ANYWHERE, is_private
from enid.topology.places import Traffic
from enid.topology.records import AclEntry, Network, NetworkAcl

INGRESS, EGRESS = "ingress", "egress"
_TCP_UDP, _ICMP = (6, 17), (1, 58)
_ALL_PORTS = (0, 65535)


class Decision(NamedTuple):
    """Whether all of it may pass, and the number of the entry that had the last word: 0 is the one shown as ``*``."""

    allows: bool
    number: int

    @property
    def rule(self) -> str:
        return f"rule {self.number or '*'}"


class _Area(NamedTuple):
    """Far ends by destination ports; all bounds belong to it."""

    first: int
    last: int
    low: int
    high: int


def entries(acl: NetworkAcl, direction: str) -> tuple[AclEntry, ...]:
    """Those of one direction, in order."""
    return acl.egress if direction == EGRESS else acl.ingress


def restricted(acls: Iterable[NetworkAcl]) -> frozenset[str]:
    """The subnets at whose border a packet may be denied. Of the others no packet need be looked at."""
    return frozenset(
        subnet
        for acl in acls
        if acl.restricts(INGRESS) or acl.restricts(EGRESS)
        for subnet in acl.subnets
    )  # fmt: skip


def judge(said: Sequence[AclEntry], traffic: Traffic, peer: Network) -> Decision:
    """Whether ``traffic`` to or from all of ``peer`` passes these entries; of several that deny some, the first.

    Private blocks are no part of the internet: denying them denies nobody there.
    """
    ports = (traffic.number, max(traffic.number, traffic.last)) if traffic.protocol in _TCP_UDP else (0, 0)
    left = [_area(peer, ports)]
    for entry in said:
        part = _part(entry, traffic, peer)
        if part is None or not any(_meet(area, part) for area in left):
            continue
        if not entry.allow:
            if peer == ANYWHERE[peer.version] and is_private(entry.block):
                continue
            return Decision(False, entry.number)
        left = [piece for area in left for piece in _without(area, part)]
        if not left:
            return Decision(True, entry.number)
    return Decision(False, 0)


def _area(block: Network, ports: tuple[int, int]) -> _Area:
    return _Area(int(block.network_address), int(block.broadcast_address), *ports)


def _part(entry: AclEntry, traffic: Traffic, peer: Network) -> _Area | None:
    """What of this traffic the entry speaks about."""
    if entry.block.version != peer.version or entry.protocol not in (-1, traffic.protocol):
        return None
    if entry.protocol in _ICMP and not (
        entry.from_port in (-1, traffic.number) and entry.to_port in (-1, traffic.code)
    ):
        return None
    return _area(entry.block, (entry.from_port, entry.to_port) if entry.protocol in _TCP_UDP else _ALL_PORTS)


def _meet(one: _Area, other: _Area) -> bool:
    return (
        one.first <= other.last and other.first <= one.last and one.low <= other.high and other.low <= one.high
    )  # fmt: skip


def _without(area: _Area, part: _Area) -> Iterator[_Area]:
    """What is left of ``area``: below and above the part's addresses, and of those the ports beside it."""
    if not _meet(area, part):
        yield area
        return
    first, last = max(area.first, part.first), min(area.last, part.last)
    if area.first < first:
        yield area._replace(last=first - 1)
    if last < area.last:
        yield area._replace(first=last + 1)
    if area.low < part.low:
        yield _Area(first, last, area.low, part.low - 1)
    if part.high < area.high:
        yield _Area(first, last, part.high + 1, area.high)
