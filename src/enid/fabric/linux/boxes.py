"""Security group rules as disjoint boxes (network × protocols × ports), the form a concatenated interval set takes.

The kernel refuses an interval that begins inside another, and which one came first would decide. So what a wider
network already allows is cut out of a narrower one's boxes, and one network's boxes are cut along protocols. Pure.

The third field is a TCP or UDP packet's destination port and an ICMP packet's type and code (``type << 8 | code``); for
other protocols it is the whole range.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import pairwise

from enid.netlink.nftables import Key
from enid.topology.records import Rule

_ICMP = (1, 58)
_PORTED = (6, 17)

Interval = tuple[int, int]
Rectangle = tuple[Interval, Interval]
"""Protocols and ports, both inclusive."""
_Net = tuple[int, int]
"""Network address and prefix length."""


def rectangle(rule: Rule) -> Rectangle:
    """The protocols and ports of a rule."""
    if rule.protocol == -1:
        return (0, 255), (0, 0xFFFF)
    protocols = (rule.protocol, rule.protocol)
    if rule.from_port == -1:
        return protocols, (0, 0xFFFF)
    if rule.protocol in _ICMP:
        low = rule.from_port << 8
        return protocols, (low, low | 0xFF) if rule.to_port == -1 else (low | rule.to_port, low | rule.to_port)
    if rule.protocol in _PORTED:
        return protocols, (rule.from_port, rule.to_port)
    return protocols, (0, 0xFFFF)


def cidr_keys(rules: Iterable[Rule], version: int) -> set[Key]:
    """Elements ``address . protocol . port`` of the rules with a CIDR of IP ``version``."""
    networks: dict[_Net, list[Rectangle]] = defaultdict(list)
    bits = 32 if version == 4 else 128
    for rule in rules:
        if rule.cidr and (":" in rule.cidr) == (version == 6):
            network: IPv4Network | IPv6Network = ip_network(rule.cidr)
            networks[int(network.network_address), network.prefixlen].append(rectangle(rule))
    keys: set[Key] = set()
    for net, own in networks.items():
        wider = [box for parent in _parents(net, bits) if parent in networks for box in networks[parent]]
        first, last = net[0], net[0] | ((1 << (bits - net[1])) - 1)
        low, high = first.to_bytes(bits // 8, "big"), last.to_bytes(bits // 8, "big")
        keys.update(Key(low + start, high + end) for start, end in map(_fields, cut(own, wider)))
    return keys


def reference_keys(rules: Iterable[Rule], group: str) -> set[Key]:
    """Elements ``protocol . port`` of the rules that refer to ``group``."""
    own = [rectangle(rule) for rule in rules if rule.group == group]
    return {Key(*_fields(box)) for box in cut(own, ())}


def _fields(box: Rectangle) -> tuple[bytes, bytes]:
    (protocol, last_protocol), (port, last_port) = box
    return _pack(protocol, port), _pack(last_protocol, last_port)


def _pack(protocol: int, port: int) -> bytes:
    return bytes((protocol, 0, 0, 0)) + port.to_bytes(2, "big") + b"\0\0"


def _parents(net: _Net, bits: int) -> Iterator[_Net]:
    address, length = net
    for shorter in range(length):
        yield address >> (bits - shorter) << (bits - shorter), shorter


def cut(own: Iterable[Rectangle], without: Iterable[Rectangle]) -> Iterator[Rectangle]:
    """Disjoint boxes that cover ``own`` and nothing of ``without``."""
    own, without = list(own), list(without)
    edges = sorted({edge for (low, high), _ in own + without for edge in (low, high + 1)})
    slabs: list[tuple[Interval, list[Interval]]] = []
    for low, high in pairwise(edges):
        ports = _subtract(_ports(own, low), _ports(without, low))
        if slabs and slabs[-1][1] == ports and slabs[-1][0][1] == low - 1:
            slabs[-1] = ((slabs[-1][0][0], high - 1), ports)
        elif ports:
            slabs.append(((low, high - 1), ports))
    for protocols, ports in slabs:
        for interval in ports:
            yield protocols, interval


def _ports(boxes: list[Rectangle], protocol: int) -> list[Interval]:
    """The union of the boxes' ports at one protocol: sorted, merged."""
    merged: list[Interval] = []
    for low, high in sorted(ports for (first, last), ports in boxes if first <= protocol <= last):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def _subtract(intervals: list[Interval], holes: list[Interval]) -> list[Interval]:
    """Both sorted and merged."""
    left = []
    for low, high in intervals:
        for start, end in holes:
            if end < low or start > high:
                continue
            if start > low:
                left.append((low, start - 1))
            low = end + 1
        if low <= high:
            left.append((low, high))
    return left
