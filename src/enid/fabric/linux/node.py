"""A network namespace of ours: pinned, holding no process, its links, addresses, routes and rules kept as wanted."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Interface
from pathlib import Path

from enid.fabric.linux.cells import Cells
from enid.netlink import addresses, links, namespaces, neighbours, routes, rules, sysctl
from enid.netlink.addresses import Interface
from enid.netlink.netfilter import NetfilterSocket
from enid.netlink.routes import STATIC, Network, Route
from enid.netlink.rules import Rule
from enid.netlink.socket import RouteSocket
from enid.topology.records import Timeouts

_GONE = {-errno.ESRCH, -errno.ENOENT, -errno.ENODEV, -errno.EADDRNOTAVAIL, -errno.EEXIST}
"""What a delete, or an add that repeats itself, may answer."""
_FIRST_INDEX = 1 << 16
"""Indexes from here on are ours to choose; the kernel chooses from 1 on."""
_LOOPBACK = 1
_GATEWAY = IPv6Interface("fe80::1/128")
_GATEWAY_FLAGS = addresses.NODAD | addresses.NOPREFIXROUTE
_OUR_RULES = range(1, 32766)

ROUTER_SETTINGS: Mapping[str, int] = {
    "net/ipv4/ip_forward": 1,
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
"""The ICMP limits are off because every destination unreachable of a router is one dropped packet counted. Local
sources are accepted because what a router says of a packet too big comes back to it from whoever translated that
packet. Idle flows are forgotten when AWS forgets them."""

END_SETTINGS: Mapping[str, int] = {
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0,
    "net/ipv6/conf/default/accept_ra": 0,
    "net/ipv6/conf/default/addr_gen_mode": 1,
}
"""For a namespace that is an end of the network and forwards nothing."""

RouteKey = tuple[int, Network, int]


def key_of(route: Route) -> RouteKey:
    """What the kernel tells routes apart by: table, destination, metric."""
    return route.table, route.destination, route.metric


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
        self.routes: Cells[RouteKey, Route] = Cells()
        self.rules: Cells[Rule, bool] = Cells()
        self.addresses: Cells[Interface, bool] = Cells()
        self.gateways: Cells[int, bool] = Cells()
        """Links whose other end has its IPv6 default gateway here, the same address on all of them. The kernel walks
        all links that have it whenever one more gets it, so a link that needs none shall have none."""
        self.neighbours: Cells[tuple[int, IPv4Address | IPv6Address], str] = Cells()
        self.links: dict[str, int] = {}
        """Name → index of every link but ``lo``."""
        self._next_index = _FIRST_INDEX
        sysctl.write(self.namespace, settings)
        self.route.batch([links.set_link(index=_LOOPBACK, up=True)])
        if found is not None:
            self._read()

    def _read(self) -> None:
        """What is there already."""
        for body in self.route.dump(links.get_links()):
            link = links.parse_link(body)
            if link.index != _LOOPBACK:
                self.links[link.name] = link.index
        self._next_index = max([_FIRST_INDEX, *(index + 1 for index in self.links.values())])
        for body in self.route.dump(addresses.get_addresses()):
            address = addresses.parse_address(body)
            if address.device == _LOOPBACK and not address.interface.ip.is_loopback:
                self.addresses.held[address.interface] = True
            elif address.interface.ip == _GATEWAY.ip:
                self.gateways.held[address.device] = True
        for version in (4, 6):
            for body in self.route.dump(routes.get_routes(version)):
                route = routes.parse_route(body)
                if route is not None and route.protocol == STATIC:
                    self.routes.held[key_of(route)] = route
            for body in self.route.dump(rules.get_rules(version)):
                rule = rules.parse_rule(body)
                if rule.priority in _OUR_RULES:
                    self.rules.held[rule] = True
            for body in self.route.dump(neighbours.get_neighbours(version)):
                entry = neighbours.parse_neighbour(body)
                if entry is not None:
                    self.neighbours.held[entry[0], entry[1]] = entry[2]

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
        work += [addresses.add_address(_LOOPBACK, interface, flags=addresses.NODAD) for interface, _ in own.added]
        devices += [_LOOPBACK] * len(own.added)
        work += [addresses.add_address(device, _GATEWAY, flags=_GATEWAY_FLAGS) for device, _ in gateways.added]
        devices += [device for device, _ in gateways.added]
        work += [neighbours.delete_neighbour(device, address) for (device, address), _ in near.removed]
        work += [addresses.delete_address(_LOOPBACK, interface) for interface, _ in own.removed]
        work += [addresses.delete_address(device, _GATEWAY) for device, _ in gateways.removed]
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
