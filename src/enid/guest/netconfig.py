"""The network configuration a good guest gives itself: addresses, and a routing table per interface.

As Amazon Linux's ec2-net-utils: interface N has table 10000 + N, and whatever is sent from one of its addresses is
looked up there, so that a reply leaves by the interface its request came in by. In the main table the interfaces'
routes have metric 512 + N: the lowest one wins. A lone interface needs no rule, and without one each of the
guest's connections is cheaper. Pure; :mod:`enid.guest.network` makes it so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Address, IPv6Interface

from enid.netlink.addresses import NODAD, NOPREFIXROUTE, LinkAddress
from enid.netlink.routes import MAIN, Route
from enid.netlink.rules import Rule
from enid.topology.blocks import ANYWHERE, exactly
from enid.topology.records import Address, Network, Port

PROTOCOL = 69
"""Routing protocol number of enid's routes in guests: what others add there is theirs."""

FIRST_TABLE = 10000
_TABLES = 10_000
_FIRST_METRIC = 512
_IPV6_GATEWAY = IPv6Address("fe80::1")


@dataclass(frozen=True, slots=True)
class NetworkConfiguration:
    """What enid has, or wants to have, in a guest's network namespace. ``routes`` in an order that can be added."""

    addresses: tuple[LinkAddress, ...] = ()
    routes: tuple[Route, ...] = ()
    rules: tuple[Rule, ...] = ()


def wanted(ports: Sequence[Port], devices: Mapping[str, int]) -> NetworkConfiguration:
    """The configuration for ``ports``; ``devices`` maps a port's id to the index of its link."""
    addresses: list[LinkAddress] = []
    routes: list[Route] = []
    rules: list[Rule] = []
    for port in sorted(ports, key=lambda port: port.number):
        device = devices[port.id]
        addresses += _addresses(port, device)
        routes += _routes(port, device)
        if len(ports) > 1:
            rules += [_rule(port, address) for address in port.addresses]
    return NetworkConfiguration(tuple(addresses), tuple(routes), tuple(rules))


def altnames(port: Port) -> tuple[str, ...]:
    """Further names of a port's link, as ec2-net-utils gives them: scripts look an interface up by its id."""
    card = f".{port.network_card_index}" if port.network_card_index else ""
    return (port.id, f"device-number-{port.device_index}{card}")


def is_own_rule(rule: Rule) -> bool:
    """Whether a rule found in a guest is one of :func:`wanted`'s."""
    in_range = FIRST_TABLE <= rule.table < FIRST_TABLE + _TABLES
    return in_range and rule.priority == rule.table and rule.source is not None


def address_of(device: int, address: Address, block: Network | None) -> LinkAddress:
    """An address as enid sets it: the primary IPv4 with its subnet's prefix, all others alone."""
    if address.version == 6:
        return LinkAddress(device, IPv6Interface((int(address), 128)), NODAD | NOPREFIXROUTE)
    length = 32 if block is None else block.prefixlen
    # The prefix's route is enid's own: it needs a metric, for two interfaces may share a subnet.
    return LinkAddress(device, IPv4Interface((int(address), length)), NOPREFIXROUTE)


def _block(port: Port, address: Address) -> Network | None:
    return next((block for block in port.subnet.blocks if block.version == address.version and address in block), None)


def _addresses(port: Port, device: int) -> list[LinkAddress]:
    primary = _primary(port)
    return [address_of(device, each, _block(port, each) if each == primary else None) for each in port.addresses]


def _primary(port: Port) -> Address | None:
    return next((address for address in port.addresses if address.version == 4), None)


def _routes(port: Port, device: int) -> list[Route]:
    """To the subnet and to everywhere, in the interface's own table and in the main one."""
    table, metric = FIRST_TABLE + port.number, _FIRST_METRIC + port.number
    routes: list[Route] = []
    primary = _primary(port)
    block = None if primary is None else _block(port, primary)
    if primary is not None and block is not None:
        # The kernel checks a gateway in the main table, so the subnet's route there comes first.
        for place, cost in ((MAIN, metric), (table, 0)):
            routes.append(Route(block, place, device=device, source=primary, metric=cost, protocol=PROTOCOL))
        gateway = block.network_address + 1
        routes += _defaults(Route(ANYWHERE[4], device=device, gateway=gateway, protocol=PROTOCOL), table, metric)
    if any(address.version == 6 for address in port.addresses):
        routes += _defaults(Route(ANYWHERE[6], device=device, gateway=_IPV6_GATEWAY, protocol=PROTOCOL), table, metric)
    return routes


def _defaults(route: Route, table: int, metric: int) -> list[Route]:
    main = Route(route.destination, MAIN, device=route.device, gateway=route.gateway, metric=metric, protocol=PROTOCOL)
    own = Route(route.destination, table, device=route.device, gateway=route.gateway, protocol=PROTOCOL)
    return [main, own]


def _rule(port: Port, address: Address) -> Rule:
    table = FIRST_TABLE + port.number
    return Rule(address.version, table, table, exactly(address))
