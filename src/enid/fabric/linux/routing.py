"""Route tables as the kernel's routes and rules. Pure.

While one route table serves a whole VPC its routes are simply in the kernel's main table, and no rule costs a packet
anything. Otherwise each is a kernel table of its own, chosen by the packet's mark (its sender's, or that of the gateway
it came in by, see :mod:`enid.fabric.linux.elements`), after the local routes in main. A route within the VPC must come
before those: it is in a second table, asked first, by all but packets that do not leave their subnet.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from enid.fabric.linux.names import LOWER, PORT, TRANSIT, UPPER, mark
from enid.netlink.routes import MAIN, UNREACHABLE, Network
from enid.netlink.routes import Route as KernelRoute
from enid.netlink.rules import Rule
from enid.topology.blocks import DELEGATED_LENGTH, exactly
from enid.topology.records import Address, Route, RouteTable, Subnet, TargetKind

_SUBNET_PRIORITY, _INSIDE_PRIORITY, _LOCAL_PRIORITY, _TABLE_PRIORITY = 3, 5, 10, 20
_INSIDE = 0x80000000
LAST_RESORT = 1 << 20
"""Metric of the route that is left when an instance dies and takes the better one along: a black hole, as AWS has it,
not whatever wider route there is."""
_MARK_MASK = ~(TRANSIT | PORT) & 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Hop:
    """Where a route leads: a next hop on a link."""

    device: int
    gateway: Address


Resolve = Callable[[Route], Hop | None]
"""A route's next hop; None when it leads nowhere now."""


def upper_hop(device: int, network: Network) -> Hop:
    """The far end of a wire towards a gateway."""
    return Hop(device, UPPER[network.version])


def delivery(address: Address, device: int) -> KernelRoute:
    """To a port of this host."""
    return KernelRoute(exactly(address), device=device)


def delegation(prefix: Network, device: int) -> KernelRoute:
    """To a port of this host that has the prefix. Nobody there may answer for an address of it: the next hop is the
    guest, under a name that only this link knows (see :data:`enid.fabric.linux.names.LOWER`)."""
    return KernelRoute(prefix, device=device, gateway=LOWER[prefix.version], onlink=prefix.version == 4)


def unreachable(network: Network, table: int = MAIN) -> KernelRoute:
    return KernelRoute(network, table=table, kind=UNREACHABLE)


def inside(table: RouteTable, blocks: Iterable[Network]) -> frozenset[Network]:
    """Destinations of the table within the VPC."""
    wide = list(blocks)
    return frozenset(
        route.destination for route in table.routes if any(_within(route.destination, block) for block in wide)
    )


def _within(network: Network, block: Network) -> bool:
    if isinstance(network, IPv4Network):
        return isinstance(block, IPv4Network) and network.subnet_of(block)
    return isinstance(block, IPv6Network) and network.subnet_of(block)


def shared_routes(table: RouteTable, resolve: Resolve) -> Iterator[KernelRoute]:
    """The table in main, serving the whole VPC."""
    for route in table.routes:
        yield from _routes(route, MAIN, resolve)


def own_routes(table: RouteTable, blocks: Iterable[Network], resolve: Resolve) -> Iterator[KernelRoute]:
    """The table as one of several. Nobody's addresses within the VPC must not leave by its default route."""
    number = mark(table.id)
    blocks = list(blocks)
    within = inside(table, blocks)
    yield from (unreachable(block, number) for block in blocks)
    for route in table.routes:
        yield from _routes(route, number | _INSIDE if route.destination in within else number, resolve)


def own_rules(table_id: str, has_inside: bool) -> Iterator[Rule]:
    """What sends a marked packet to its table."""
    number = mark(table_id)
    marked = number & _MARK_MASK
    for version in (4, 6):
        yield Rule(version, _TABLE_PRIORITY, number, mark=marked, mask=_MARK_MASK)
        if has_inside:
            yield Rule(version, _INSIDE_PRIORITY, number | _INSIDE, mark=marked, mask=_MARK_MASK)


def subnet_rules(subnets: Iterable[Subnet], covered: Collection[Network]) -> Iterator[Rule]:
    """What keeps packets within their subnet from routes to all of it: they never meet a router at AWS. Main has
    whoever is there, and that nobody else is."""
    for block in sorted({block for subnet in subnets for block in subnet.blocks}, key=str):
        if any(_within(block, wide) for wide in covered):
            yield Rule(block.version, _SUBNET_PRIORITY, source=block, destination=block)


LOCAL_RULES = tuple(
    Rule(version, _LOCAL_PRIORITY, suppress_prefix_length=length - 1) for version, length in DELEGATED_LENGTH.items()
)
"""Wanted as soon as there are own tables: the VPC's addresses, and the prefixes of its ports, are found in main before
any mark is looked at. Beside them main then holds only the VPC's blocks."""


def _routes(route: Route, table: int, resolve: Resolve) -> Iterator[KernelRoute]:
    hop = resolve(route)
    if hop is None:
        yield unreachable(route.destination, table)
        return
    onlink = not hop.gateway.is_link_local
    yield KernelRoute(route.destination, table, device=hop.device, gateway=hop.gateway, onlink=onlink)
    if route.kind is TargetKind.PORT:
        yield KernelRoute(route.destination, table, kind=UNREACHABLE, metric=LAST_RESORT)
