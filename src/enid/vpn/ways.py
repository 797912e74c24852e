"""What leads into strongSwan's links, which come and go with it: addresses and routes of a namespace. Pure, but for
:class:`Ways`.

The routes are not an administrator's to the kernel, so the fabric, which keeps the others in these namespaces, leaves
them alone. While there is no link, what belongs into a tunnel goes nowhere, and above all not out in clear.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network

from enid.fabric.linux.names import INTERNET, UPPER, is_tunnel
from enid.fabric.linux.node import RouteKey, key_of
from enid.fabric.linux.routing import LAST_RESORT
from enid.netlink import addresses, links, routes
from enid.netlink.addresses import Interface
from enid.netlink.routes import MAIN, UNREACHABLE, Route
from enid.netlink.socket import RouteSocket
from enid.topology.blocks import exactly
from enid.vpn.ends import End

PROTOCOL = 86
"""Routing protocol number: ours, and nobody's in iproute2's list."""
_INSIDE = IPv4Network("169.254.0.0/16")


def wanted(devices: Mapping[End, int], internet: int) -> dict[RouteKey, Route]:
    """The routes of a namespace. What is for the other end's own address goes into no tunnel, or a tunnel would go
    into itself.

    :param devices: the ends in it, each with the index of its link; 0: there is none. Where two lead to the same block,
        the first has it.
    :param internet: the index of the link there; 0: there is none.
    """
    found: dict[RouteKey, Route] = {}
    for end in sorted(devices, key=lambda end: end.id):
        for peer in map(exactly, end.peers):
            _announce(found, Route(peer, device=internet, gateway=UPPER[4], onlink=True, protocol=PROTOCOL))
        for block in end.behind:
            _announce(found, Route(block, device=devices[end], source=end.source, protocol=PROTOCOL))
    return found


def _announce(found: dict[RouteKey, Route], route: Route) -> None:
    """What leads nowhere when its link is gone does not take another way."""
    nowhere = Route(route.destination, kind=UNREACHABLE, metric=LAST_RESORT, protocol=PROTOCOL)
    for each in (nowhere, route):
        if each is nowhere or each.device:
            found.setdefault(key_of(each), each)


def _is_former(device: int, address: Interface, devices: Mapping[End, int]) -> bool:
    """An address inside a tunnel that has another one now. Others are not ours."""
    own = {tunnel.inside for end, index in devices.items() if index == device for tunnel in end.tunnels}
    return bool(own) and address.ip in _INSIDE and address not in own


class Ways:
    """Those of the network namespace with this descriptor."""

    def __init__(self, namespace: int) -> None:
        self._route = RouteSocket(namespace)

    def tunnels(self) -> set[str]:
        """The names of strongSwan's links."""
        return set(filter(is_tunnel, self._links()))

    def _links(self) -> dict[str, int]:
        return {link.name: link.index for link in map(links.parse_link, self._route.dump(links.get_links()))}

    def lead(self, names: Mapping[End, str]) -> None:
        """Make it so; what is right is left alone.

        :param names: of the ends' links.
        :raises OSError: something was refused.
        """
        links_there = self._links()
        devices = {end: links_there.get(name, 0) for end, name in names.items()}
        routes_there, wanted_there = self._routes(), wanted(devices, links_there.get(INTERNET, 0))
        addresses_there = self._addresses()
        work = [
            addresses.add_address(device, tunnel.inside)
            for end, device in devices.items()
            for tunnel in end.tunnels
            if device and (device, tunnel.inside) not in addresses_there
        ]
        work += [addresses.delete_address(*each) for each in addresses_there if _is_former(*each, devices)]
        work += [routes.replace_route(way) for key, way in wanted_there.items() if routes_there.get(key) != way]
        work += [routes.delete_route(way) for key, way in routes_there.items() if key not in wanted_there]
        failed = [code for code in self._route.batch(work) if code < 0] if work else []
        if failed:
            raise OSError(-failed[0], "no way into the tunnels")

    def _routes(self) -> dict[RouteKey, Route]:
        found = map(routes.parse_route, self._route.dump(routes.get_routes(4)))
        return {key_of(way): way for way in found if way and way.table == MAIN and way.protocol == PROTOCOL}

    def _addresses(self) -> set[tuple[int, Interface]]:
        found: Iterator[addresses.LinkAddress]
        found = map(addresses.parse_address, self._route.dump(addresses.get_addresses()))
        return {(each.device, each.interface) for each in found}

    def close(self) -> None:
        self._route.close()
