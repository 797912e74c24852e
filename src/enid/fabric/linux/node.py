"""A network namespace of ours: pinned, holding no process, its links, addresses, routes and rules kept as wanted."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Interface
from pathlib import Path

from enid.fabric.linux.cells import Cells
from enid.fabric.linux.names import STRONGSWAN, is_tunnel
from enid.netlink import addresses, links, namespaces, neighbours, routes, rules, sysctl
from enid.netlink.addresses import Interface
from enid.netlink.links import Link
from enid.netlink.netfilter import NetfilterSocket
from enid.netlink.notifications import Notifications
from enid.netlink.routes import STATIC, Network, Route
from enid.netlink.rules import Rule
from enid.netlink.socket import RouteSocket
from enid.topology.records import Timeouts

_GONE = {-errno.ESRCH, -errno.ENOENT, -errno.ENODEV, -errno.EADDRNOTAVAIL, -errno.EEXIST}
"""What a delete, or an add that repeats itself, may answer."""
_FIRST_INDEX = 1 << 16
"""Indexes from here on are ours to choose; the kernel chooses from 1 on."""
LOOPBACK = 1
GATEWAY = IPv6Interface("fe80::1/128")
_GATEWAY_FLAGS = addresses.NODAD | addresses.NOPREFIXROUTE
_OUR_RULES = range(1, 32766)
"""Their priorities, but for strongSwan's."""

ROUTER_SETTINGS: Mapping[str, int] = {
    "net/ipv4/ip_forward": 1,
    "net/ipv4/ip_early_demux": 0,
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0,
    "net/ipv4/conf/all/accept_local": 1,
    "net/ipv4/conf/default/proxy_arp": 1,
    "net/ipv4/conf/all/send_redirects": 0,
    "net/ipv4/conf/default/send_redirects": 0,
    "net/ipv4/conf/all/accept_redirects": 0,
    "net/ipv4/conf/default/accept_redirects": 0,
    "net/ipv4/conf/all/log_martians": 0,
    "net/ipv4/icmp_ratelimit": 0,
    "net/ipv6/conf/all/forwarding": 1,
    "net/ipv6/conf/default/accept_ra": 0,
    "net/ipv6/conf/default/dad_transmits": 0,
    "net/ipv6/conf/default/addr_gen_mode": 1,
    "net/ipv6/icmp/ratelimit": 0,
    "net/netfilter/nf_conntrack_tcp_timeout_established": Timeouts().tcp_established,
    "net/netfilter/nf_conntrack_udp_timeout_stream": Timeouts().udp_stream,
    "net/netfilter/nf_conntrack_udp_timeout": Timeouts().udp,
}
"""Few packets are for a socket here, so none is looked for before the route is: that costs each a hundredth of its way.
The ICMP limits are off because every destination unreachable of a router is one dropped packet counted. Local
sources are accepted because what a router says of a packet too big comes back to it from whoever translated that
packet. Idle flows are forgotten when AWS forgets them."""

END_SETTINGS: Mapping[str, int] = {
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0,
    "net/ipv6/conf/default/accept_ra": 0,
    "net/ipv6/conf/default/addr_gen_mode": 1,
}
"""For a namespace that is an end of the network and forwards nothing."""

_parse_route = lru_cache(1 << 13)(routes.parse_route)
"""There are many, and each time they are looked at they are the same."""

RouteKey = tuple[int, Network, int]


class Aspect(Enum):
    """Of a namespace, each to be compared by itself."""

    PIN = auto()
    SETTINGS = auto()
    LINKS = auto()
    ADDRESSES = auto()
    ROUTES = auto()
    RULES = auto()
    NEIGHBOURS = auto()
    TABLES = auto()
    """Of nftables; compared by nobody: whoever owns them writes them anew."""
    PROGRAMS = auto()
    """At links; the same."""


COMPARABLE = tuple(aspect for aspect in Aspect if aspect not in (Aspect.TABLES, Aspect.PROGRAMS))


@dataclass(frozen=True, slots=True)
class Shape:
    """What a link of ours is like, and it is up."""

    mac: str
    mtu: int

    def fits(self, link: Link) -> bool:
        return link.up and link.mac == self.mac and link.mtu == self.mtu


def key_of(route: Route) -> RouteKey:
    """What the kernel tells routes apart by: table, destination, metric."""
    return route.table, route.destination, route.metric


def is_ours(route: Route) -> bool:
    """Not the kernel's own, and not made by a stranger; strongSwan's look like an administrator's."""
    return route.protocol == STATIC and route.table != STRONGSWAN


def is_our_rule(rule: Rule) -> bool:
    """The same of a rule."""
    return rule.priority in _OUR_RULES and rule.priority != STRONGSWAN


class Node:
    """The namespace pinned at ``path``; made if it is not there, otherwise taken over as it is."""

    def __init__(self, path: Path, counts: Counter[str], settings: Mapping[str, int]) -> None:
        found = namespaces.open_pinned(path)
        self.path = path
        self.namespace = namespaces.new_pinned(path) if found is None else found
        if found is None:
            counts["namespaces"] += 1
        self.route = RouteSocket(self.namespace, counts)
        self.netfilter = NetfilterSocket(self.namespace, counts)
        self.notifications = Notifications(self.namespace, (self.route.port, self.netfilter.port))
        self.settings = dict(settings)
        self.routes: Cells[RouteKey, Route] = Cells()
        self.rules: Cells[Rule, bool] = Cells()
        self.addresses: Cells[Interface, bool] = Cells()
        self.gateways: Cells[int, bool] = Cells()
        """Links whose other end has its IPv6 default gateway here, the same address on all of them. The kernel walks
        all links that have it whenever one more gets it, so a link that needs none shall have none."""
        self.neighbours: Cells[tuple[int, IPv4Address | IPv6Address], str] = Cells()
        self.links: dict[str, int] = {}
        """Name → index of every link but ``lo``."""
        self.shapes: dict[str, Shape] = {}
        """By name, of the links that are ours to keep in shape."""
        self.leaving: Collection[str] = ()
        """Names of links that are to be deleted, and may go by themselves."""
        self._next_index = _FIRST_INDEX
        sysctl.write(self.namespace, settings)
        self.route.batch([links.set_link(index=LOOPBACK, up=True)])
        if found is not None:
            self._read()

    # What is there

    def _read(self) -> None:
        """Take over what is there already."""
        self.links = {name: link.index for name, link in self._links_there().items()}
        self._next_index = max([_FIRST_INDEX, *(index + 1 for index in self.links.values())])
        self.addresses.held, self.gateways.held = self._addresses_there()
        self.routes.held = self._routes_there()
        self.rules.held = self._rules_there()
        self.neighbours.held = self._neighbours_there()

    def _links_there(self) -> dict[str, Link]:
        found = map(links.parse_link, self.route.dump(links.get_links()))
        return {link.name: link for link in found if link.index != LOOPBACK and not is_tunnel(link.name)}

    def _addresses_there(self) -> tuple[dict[Interface, bool], dict[int, bool]]:
        """Those of ``lo``, and the links that have the gateway's."""
        found = list(map(addresses.parse_address, self.route.dump(addresses.get_addresses())))
        own = [each.interface for each in found if each.device == LOOPBACK and not each.interface.ip.is_loopback]
        return dict.fromkeys(own, True), {each.device: True for each in found if each.interface.ip == GATEWAY.ip}

    def _routes_there(self) -> dict[RouteKey, Route]:
        bodies = (body for version in (4, 6) for body in self.route.dump(routes.get_routes(version)))
        return {key_of(route): route for route in map(_parse_route, bodies) if route and is_ours(route)}

    def _rules_there(self) -> dict[Rule, bool]:
        bodies = (body for version in (4, 6) for body in self.route.dump(rules.get_rules(version)))
        return dict.fromkeys(filter(is_our_rule, map(rules.parse_rule, bodies)), True)

    def _neighbours_there(self) -> dict[tuple[int, IPv4Address | IPv6Address], str]:
        bodies = (body for version in (4, 6) for body in self.route.dump(neighbours.get_neighbours(version)))
        return {(entry[0], entry[1]): entry[2] for entry in map(neighbours.parse_neighbour, bodies) if entry}

    # Drift

    def differs(self, aspect: Aspect) -> bool:
        """Whether the kernel has something else than what was written last. One aspect at a time, since the answer
        takes as long as there is much of it."""
        self._bury()
        if aspect is Aspect.PIN:
            return not namespaces.is_pinned(self.namespace, self.path)
        if aspect is Aspect.SETTINGS:
            return sysctl.differ(self.namespace, self.settings)
        if aspect is Aspect.LINKS:
            return bool(self._crooked(self._links_there()))
        if aspect is Aspect.ADDRESSES:
            return self._addresses_there() != (self.addresses.held, self.gateways.held)
        if aspect is Aspect.ROUTES:
            return self._routes_there() != self.routes.held
        if aspect is Aspect.RULES:
            return self._rules_there() != self.rules.held
        if aspect is Aspect.NEIGHBOURS:
            return self._neighbours_there() != self.neighbours.held
        return True

    def look_again(self) -> set[str]:
        """Put right what stands alone, and prepare to settle what differs; answers the names of links that are gone."""
        self.repin()
        sysctl.write(self.namespace, self.settings)
        self.route.batch([links.set_link(index=LOOPBACK, up=True)])
        self._bury()
        gone = self.straighten()
        own, gateways = self._addresses_there()
        self.addresses.found(own)
        self.gateways.found(gateways)
        self.routes.found(self._routes_there())
        self.rules.found(self._rules_there())
        self.neighbours.found(self._neighbours_there())
        return gone

    def repin(self) -> None:
        """Its pin leads to it again. Raises OSError."""
        if not namespaces.is_pinned(self.namespace, self.path):
            namespaces.pin(self.namespace, self.path)

    def _bury(self) -> None:
        """Forget links that are to be deleted and went by themselves, with their guest, and all that went with them."""
        if self.leaving:
            there = {link.index for link in self._links_there().values()}
            gone = [name for name in self.leaving if name in self.links and self.links[name] not in there]
            self._forget([self.links.pop(name) for name in gone])

    def straighten(self) -> set[str]:
        """Bring links that are ours back into shape; answers the names of those that are gone."""
        there = self._links_there()
        by_index = {link.index: link for link in there.values()}
        crooked = self._crooked(there)
        gone = {name for name in crooked if self.links[name] not in by_index}
        for name in crooked - gone:
            index, shape = self.links[name], self.shapes.get(name)
            if by_index[index].name != name:
                self.route.batch([links.set_link(index=index, up=False, rename=name)])
            mac, mtu = (shape.mac, shape.mtu) if shape is not None else ("", 0)
            self.route.batch([links.set_link(index=index, up=True, mac=mac, mtu=mtu), links.get_link(index=index)])
        self._forget([self.links.pop(name) for name in gone])
        return gone

    def _crooked(self, there: Mapping[str, Link]) -> set[str]:
        """Names of links that are not there, or out of shape."""
        found = {name for name, index in self.links.items() if name not in there or there[name].index != index}
        shaped = ((name, shape) for name, shape in self.shapes.items() if name in self.links and name not in found)
        found |= {name for name, shape in shaped if not shape.fits(there[name])}
        return found.difference(self.leaving)

    def index(self) -> int:
        """An unused link index: choosing it here lets one batch make a link and go on with it."""
        self._next_index += 1
        return self._next_index

    def delete_links(self, names: Iterable[str]) -> None:
        """Delete links now."""
        doomed = [self.links.pop(name) for name in list(names) if name in self.links]
        self.delete_indexes(doomed)

    def delete_indexes(self, doomed: Iterable[int]) -> None:
        """Several links go as one group: the kernel then waits once for all of them."""
        doomed = list(doomed)
        if not doomed:
            return
        group = 1
        self.route.batch([links.set_link(index=index, group=group) for index in doomed] + [links.delete_group(group)])
        self._forget(doomed)

    def _forget(self, doomed: Iterable[int]) -> None:
        """What went with these links."""
        gone = set(doomed)
        self.gateways.forget(gone)
        self.neighbours.forget([key for key in self.neighbours.held if key[0] in gone])
        self.routes.forget([key for key, route in self.routes.held.items() if route.device in gone])

    def settle_neighbours(self, everything: bool = False) -> dict[int, str]:
        """Make neighbours and addresses so; link index → reason for those that failed."""
        near = self.neighbours.take(everything)
        gateways = self.gateways.take(everything)
        own = self.addresses.take(everything)
        wanted = near.added + near.changed
        work = [neighbours.replace_neighbour(device, address, mac) for (device, address), mac in wanted]
        devices = [device for (device, _), _ in wanted]
        work += [addresses.add_address(LOOPBACK, interface, flags=addresses.NODAD) for interface, _ in own.added]
        devices += [LOOPBACK] * len(own.added)
        work += [addresses.add_address(device, GATEWAY, flags=_GATEWAY_FLAGS) for device, _ in gateways.added]
        devices += [device for device, _ in gateways.added]
        work += [neighbours.delete_neighbour(device, address) for (device, address), _ in near.removed]
        work += [addresses.delete_address(LOOPBACK, interface) for interface, _ in own.removed]
        work += [addresses.delete_address(device, GATEWAY) for device, _ in gateways.removed]
        devices += [0] * (len(work) - len(devices))
        return _failed(zip(devices, self.route.batch(work), strict=True))

    def settle_routes(self, everything: bool = False) -> dict[int, str]:
        """Make routes and rules so, what is new before what is old goes; link index → reason for those that failed."""
        ways = self.routes.take(everything)
        choices = self.rules.take(everything)
        wanted = [route for _, route in ways.added + ways.changed]
        work = [routes.replace_route(route) for route in wanted]
        devices = [route.device for route in wanted]
        # The rule that looks at local routes first comes first and goes last.
        work += [rules.add_rule(rule) for rule, _ in sorted(choices.added, key=lambda cell: cell[0].priority)]
        ordered = sorted(choices.removed, key=lambda cell: -cell[0].priority)
        work += [rules.delete_rule(rule) for rule, _ in ordered]
        work += [routes.delete_route(route) for _, route in ways.removed]
        devices += [0] * (len(work) - len(devices))
        return _failed(zip(devices, self.route.batch(work), strict=True))

    def settle(self, everything: bool = False) -> None:
        """Make all of it so. Raises OSError."""
        failed = self.settle_neighbours(everything) | self.settle_routes(everything)
        if failed:
            raise OSError(errno.EIO, f"{self.path.name}: {failed}")

    def close(self) -> None:
        """The namespace stays, pinned."""
        self.route.close()
        self.netfilter.close()
        self.notifications.close()
        with suppress(OSError):
            os.close(self.namespace)

    def destroy(self) -> None:
        """The namespace goes, with all that is in it."""
        namespaces.unpin(self.path)
        self.close()


def _failed(results: Iterator[tuple[int, int]] | Iterable[tuple[int, int]]) -> dict[int, str]:
    failed: dict[int, str] = {}
    for device, code in results:
        if code < 0 and not (device == 0 and code in _GONE):
            failed.setdefault(device, os.strerror(-code))
    return failed
