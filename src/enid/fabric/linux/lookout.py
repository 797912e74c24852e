"""Listens in all namespaces of ours to what others do there, and tells what of ours they may have touched.

A notice is a reason to look, never more: it may be old, and what it tells of may be right again. What is as we hold it
needs no look, so what the kernel does by itself (a carrier comes, a guest ends) costs next to nothing.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterable

from enid.fabric.linux import names
from enid.fabric.linux.node import GATEWAY, LOOPBACK, Aspect, Node, is_our_rule, is_ours, key_of
from enid.netlink import addresses, classifiers, links, neighbours, nftables, routes, rules
from enid.netlink.notifications import Lost, Notice
from enid.netlink.socket import NETLINK_NETFILTER


class Lookout:
    """Over the nodes it is told to follow. What they were told before waits in their sockets."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._nodes: dict[int, Node] = {}
        """By the descriptors of their notifications."""
        self._loud: set[Node] = set()

    def listen(self) -> bool:
        """Whether there is something :meth:`touched` should look into. Cheap: reads nothing."""
        for descriptor, _ in self._epoll.poll(0):
            if descriptor in self._nodes:
                self._loud.add(self._nodes[descriptor])
        return bool(self._loud)

    def follow(self, nodes: Iterable[Node]) -> None:
        """These and no others. A closed descriptor has left by itself."""
        wanted = {descriptor: node for node in nodes for descriptor in node.notifications.filenos()}
        for descriptor in [one for one, node in wanted.items() if self._nodes.get(one) is not node]:
            self._epoll.register(descriptor, select.EPOLLIN | select.EPOLLET)
        self._nodes = wanted
        self._loud &= set(wanted.values())

    def touched(self) -> dict[Node, set[Aspect]]:
        """What may not be as it was left, by what was told since the last call."""
        loud, self._loud = self._loud, set()
        found = {node: _touched(node) for node in loud}
        return {node: aspects for node, aspects in found.items() if aspects}

    def close(self) -> None:
        self._epoll.close()


def _touched(node: Node) -> set[Aspect]:
    found: set[Aspect] = set()
    try:
        for notice in node.notifications.read():
            if (aspect := _judge(node, notice)) is not None:
                found.add(aspect)
    except Lost:
        return set(Aspect)
    return found


def _judge(node: Node, notice: Notice) -> Aspect | None:
    if notice.family == NETLINK_NETFILTER:
        table = nftables.table_of(notice.kind, notice.body)
        ours = table is not None and (table == names.MIRRORS or names.table_number(table) is not None)
        return Aspect.TABLES if ours else None
    gone = notice.kind - 1 in _JUDGES
    aspect, contradicts = _JUDGES.get(notice.kind - gone, (None, None))
    return aspect if contradicts is not None and contradicts(node, notice.body, gone) else None


# Whether a message contradicts what the node holds


def _link(node: Node, body: bytes, gone: bool) -> bool:
    link = links.parse_link(body)
    ours = next((name for name, index in node.links.items() if index == link.index), None)
    if ours is None or ours in node.leaving:
        return False
    shape = node.shapes.get(ours)
    return gone or ours != link.name or (shape is not None and not shape.fits(link))


def _address(node: Node, body: bytes, gone: bool) -> bool:
    address = addresses.parse_address(body)
    if address.interface.ip == GATEWAY.ip:
        return gone == (address.device in node.gateways.held)
    if address.device != LOOPBACK or address.interface.ip.is_loopback:
        return False
    return gone == (address.interface in node.addresses.held)


def _route(node: Node, body: bytes, gone: bool) -> bool:
    route = routes.parse_route(body)
    if route is None:
        return False
    held = node.routes.held.get(key_of(route))
    if gone:
        return held is not None and is_ours(route)
    return held != route and (held is not None or is_ours(route))


def _neighbour(node: Node, body: bytes, gone: bool) -> bool:
    key, entry = neighbours.key_of(body), neighbours.parse_neighbour(body)
    held = None if key is None else node.neighbours.held.get(key)
    return held is not None if gone or entry is None else entry[2] != held


def _rule(node: Node, body: bytes, gone: bool) -> bool:
    rule = rules.parse_rule(body)
    return is_our_rule(rule) and gone == (rule in node.rules.held)


def _program(node: Node, body: bytes, gone: bool) -> bool:
    return classifiers.device_of(body) in node.links.values()


_JUDGES: dict[int, tuple[Aspect, Callable[[Node, bytes, bool], bool]]] = {
    links.NEW: (Aspect.LINKS, _link),
    addresses.NEW: (Aspect.ADDRESSES, _address),
    routes.NEW: (Aspect.ROUTES, _route),
    neighbours.NEW: (Aspect.NEIGHBOURS, _neighbour),
    rules.NEW: (Aspect.RULES, _rule),
    classifiers.NEW_QDISC: (Aspect.PROGRAMS, _program),
    classifiers.NEW_FILTER: (Aspect.PROGRAMS, _program),
}
"""By the kind of message that says that something is there; the next kind says that it is gone."""
