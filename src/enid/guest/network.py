"""Makes a guest's network namespace equal its wanted configuration, touching only what differs.

What was applied is kept in memory, so that a hot-attached interface costs one question and one batch. After the agent
was restarted the namespace is read once; only what enid made is taken from it, the rest is the guest's own business.
Decides nothing: see :mod:`enid.guest.netconfig`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from enid.guest import netconfig
from enid.guest.netconfig import NetworkConfiguration
from enid.netlink import addresses, links, routes, rules
from enid.netlink.addresses import LinkAddress
from enid.netlink.links import Link
from enid.netlink.routes import Route
from enid.netlink.rules import Rule
from enid.netlink.socket import RouteSocket
from enid.topology.records import Port

_T = TypeVar("_T")
_Item = LinkAddress | Route | Rule
_I = TypeVar("_I", LinkAddress, Route, Rule)


class GuestNetwork:
    """One guest's network. ``namespace`` is a descriptor that stays the caller's; nothing is opened before its use."""

    def __init__(self, namespace: int, *, fresh: bool = False) -> None:
        """:param fresh: nobody has configured anything there yet, so it need not be read."""
        self.namespace = namespace
        self._socket: RouteSocket | None = None
        self._applied = NetworkConfiguration() if fresh else None
        self._named: dict[int, str] = {}
        """Link index → the port it was last named after."""

    @property
    def route(self) -> RouteSocket:
        """rtnetlink inside; opened once."""
        self._socket = self._socket or RouteSocket(self.namespace)
        return self._socket

    def apply(self, ports: Sequence[Port]) -> None:
        """Configure ``ports``, which are plugged. Raises OSError naming the first that failed; the others are done."""
        socket = self.route
        if self._applied is None:
            self._applied = read(socket)
        found = {port.id: link for port in ports if (link := self._link(socket, port))}
        plugged = [port for port in ports if port.id in found]
        socket.batch([links.set_link(index=link.index, up=True) for link in found.values() if not link.up])
        devices = {port_id: link.index for port_id, link in found.items()}
        failure = self._change(socket, self._applied, netconfig.wanted(plugged, devices))
        self._name(socket, plugged, found)
        missing = [port for port in ports if port.id not in found]
        if missing:
            raise OSError(errno.ENODEV, f"{missing[0].id}: there is no {missing[0].device} in {missing[0].instance_id}")
        if failure:
            raise failure

    def refresh(self, ports: Sequence[Port]) -> None:
        """Put back what is missing of that configuration, whoever took it away, and nothing of a link that is down:
        whoever took that down meant it. Raises OSError as :meth:`apply`."""
        socket = self.route
        found = {port.id: link for port in ports if (link := self._link(socket, port))}
        plugged = [port for port in ports if port.id in found]
        wanted = netconfig.wanted(plugged, {port_id: link.index for port_id, link in found.items()})
        down = {link.index for link in found.values() if not link.up}
        there, whole = _common(read(socket), wanted), _without(wanted, down)
        failure = self._change(socket, _common(there, whole), whole)
        self._applied = _together(self._applied or whole, there)
        self._name(socket, plugged, found)
        if failure:
            raise failure

    def close(self) -> None:
        """Let go of the namespace."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def _link(self, socket: RouteSocket, port: Port) -> Link | None:
        try:
            return links.parse_link(socket.request(links.get_link(name=port.device))[0])
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            return None

    def _name(self, socket: RouteSocket, ports: Sequence[Port], found: Mapping[str, Link]) -> None:
        """Give links their further names, once. Last: no packet waits for a name, and one that is taken is no reason to
        leave the machine without a network."""
        requests = []
        for port in ports:
            link = found[port.id]
            missing = [name for name in netconfig.altnames(port) if name not in link.altnames]
            if missing and self._named.get(link.index) != port.id:
                requests.append(links.add_altnames(*missing, index=link.index))
        self._named = {found[port.id].index: port.id for port in ports}
        socket.batch(requests)

    def _change(self, socket: RouteSocket, old: NetworkConfiguration, new: NetworkConfiguration) -> OSError | None:
        """One batch from ``old`` to ``new``: first what is new, each after what it needs, then the rest."""
        added: list[_Item] = [*_absent(new.addresses, old.addresses)]
        added += [*_absent(new.routes, old.routes), *_absent(new.rules, old.rules)]
        gone: list[_Item] = [*_absent(old.rules, new.rules), *_absent(old.routes, new.routes)]
        kept = {(each.device, each.interface.ip) for each in new.addresses}
        dropped = _absent(old.addresses, new.addresses)
        # The kernel knows an address of a link by its value: one whose prefix length changes has to go first.
        first = [each for each in dropped if (each.device, each.interface.ip) in kept]
        last = [*gone, *(each for each in dropped if each not in first)]
        requests = [*map(_removal, first), *map(_addition, added), *map(_removal, last)]
        results = socket.batch(requests)[len(first) : len(first) + len(added)]
        failed = {item: code for item, code in zip(added, results, strict=True) if code not in (0, -errno.EEXIST)}
        self._applied = NetworkConfiguration(
            tuple(item for item in new.addresses if item not in failed),
            tuple(item for item in new.routes if item not in failed),
            tuple(item for item in new.rules if item not in failed),
        )
        return next((OSError(-code, f"{os.strerror(-code)}: {item}") for item, code in failed.items()), None)


def read(socket: RouteSocket) -> NetworkConfiguration:
    """What enid made in a namespace, as far as the kernel can tell.

    Routes carry enid's protocol number; rules are known by their place; an address is enid's when its link has routes
    of enid's and it was added without a route for its prefix, as nobody does by hand.
    """
    own_rules = [
        rule for version in (4, 6) for rule in _dump(socket, rules.get_rules(version), rules.parse_rule)
        if netconfig.is_own_rule(rule)
    ]  # fmt: skip
    own_routes = [
        route for version in (4, 6) for route in _dump(socket, routes.get_routes(version), routes.parse_route)
        if route and route.protocol == netconfig.PROTOCOL
    ]  # fmt: skip
    own_devices = {route.device for route in own_routes}
    found = [
        each for each in _dump(socket, addresses.get_addresses(), addresses.parse_address)
        if each.flags & addresses.NOPREFIXROUTE and each.device in own_devices
    ]  # fmt: skip
    own_addresses = [netconfig.address_of(each.device, each.interface.ip, each.interface.network) for each in found]
    return NetworkConfiguration(tuple(own_addresses), tuple(own_routes), tuple(own_rules))


def _common(one: NetworkConfiguration, other: NetworkConfiguration) -> NetworkConfiguration:
    """What is in both."""
    return NetworkConfiguration(
        tuple(each for each in one.addresses if each in other.addresses),
        tuple(each for each in one.routes if each in other.routes),
        tuple(each for each in one.rules if each in other.rules),
    )


def _together(one: NetworkConfiguration, other: NetworkConfiguration) -> NetworkConfiguration:
    """What is in either."""
    return NetworkConfiguration(
        (*one.addresses, *_absent(other.addresses, one.addresses)),
        (*one.routes, *_absent(other.routes, one.routes)),
        (*one.rules, *_absent(other.rules, one.rules)),
    )


def _without(wanted: NetworkConfiguration, devices: Collection[int]) -> NetworkConfiguration:
    return NetworkConfiguration(
        tuple(each for each in wanted.addresses if each.device not in devices),
        tuple(each for each in wanted.routes if each.device not in devices),
        wanted.rules,
    )


def _dump(socket: RouteSocket, request: bytes, parse: Callable[[bytes], _T]) -> list[_T]:
    """Nothing, where the kernel lacks the family."""
    try:
        return [parse(body) for body in socket.dump(request)]
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EAFNOSUPPORT):
            raise
        return []


def _absent(items: Iterable[_I], others: Iterable[_I]) -> list[_I]:
    known = set(others)
    return [item for item in items if item not in known]


def _addition(item: _Item) -> bytes:
    if isinstance(item, LinkAddress):
        return addresses.add_address(item.device, item.interface, flags=item.flags)
    return routes.replace_route(item) if isinstance(item, Route) else rules.add_rule(item)


def _removal(item: _Item) -> bytes:
    if isinstance(item, LinkAddress):
        return addresses.delete_address(item.device, item.interface)
    return routes.delete_route(item) if isinstance(item, Route) else rules.delete_rule(item)
