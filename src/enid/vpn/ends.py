"""The ends of VPN connections that are to be played on this host, as the store has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

from sqlalchemy import Connection, select

from enid.fabric.linux.names import site_pin, tunnels_pin
from enid.store import tables as t
from enid.topology.blocks import ANYWHERE
from enid.topology.records import Network


@dataclass(frozen=True, slots=True)
class Tunnel:
    """One of a connection's two, seen from one end of it."""

    name: str
    gateway: IPv4Address
    """The VPN gateway's address on the internet."""
    inside: IPv4Interface
    """This end's own address in the tunnel."""
    key: str
    """Known to both ends."""

    def __repr__(self) -> str:
        return f"Tunnel({self.name}, {self.gateway})"  # a key is nothing for a traceback


@dataclass(frozen=True, slots=True)
class End:
    """One end of a VPN connection: a namespace with a strongSwan of its own."""

    connection: str
    """vpn-…"""
    site: str | None
    """The site whose end it is; ``None``: the VPN gateway's, which waits for the other one to begin."""
    customer: IPv4Address
    """The customer gateway's address."""
    tunnels: tuple[Tunnel, ...]
    behind: tuple[Network, ...]
    """What the tunnels lead to."""
    source: IPv4Address | None = None
    """What this end itself sends from."""

    @property
    def id(self) -> str:
        """Its directory's name."""
        return self.connection if self.site is None else f"{self.connection}.site"

    @property
    def pin(self) -> str:
        """Its namespace's."""
        return tunnels_pin(self.connection) if self.site is None else site_pin(self.site)

    @property
    def peers(self) -> tuple[IPv4Address, ...]:
        """The addresses of whoever is at the other end."""
        return (self.customer,) if self.site is None else tuple(tunnel.gateway for tunnel in self.tunnels)


def ends(db: Connection) -> list[End]:
    """Those of all VPN connections whose gateway is attached, and of the sites that enid plays at their other ends."""
    gateways, customers, connections = t.vpn_gateways, t.customer_gateways, t.vpn_connections
    query = (
        select(
            connections.c.id,
            connections.c.tunnels,
            gateways.c.vpc_id,
            customers.c.ip_address,
            t.sites.c.name,
            t.sites.c.network,
            t.sites.c.host_ip,
        )
        .join_from(connections, gateways, gateways.c.id == connections.c.vpn_gateway_id)
        .join(customers, customers.c.id == connections.c.customer_gateway_id)
        .outerjoin(t.sites, t.sites.c.public_ip == customers.c.ip_address)
        .where(connections.c.state == "available", gateways.c.vpc_id.is_not(None))
    )
    rows = db.execute(query).all()
    blocks = _blocks(db, {row.vpc_id for row in rows})
    return [end for row in rows for end in _both(row, blocks[row.vpc_id])]


def _blocks(db: Connection, vpcs: set[str]) -> defaultdict[str, list[IPv4Network]]:
    found: defaultdict[str, list[IPv4Network]] = defaultdict(list)
    table = t.vpc_cidr_blocks
    inside = table.c.vpc_id.in_(vpcs), table.c.family == 4, table.c.state == "associated"
    for row in db.execute(select(table).where(*inside)):
        found[row.vpc_id].append(IPv4Network(row.cidr_block))
    return found


def _both(row: Any, blocks: list[IPv4Network]) -> Iterator[End]:
    customer = IPv4Address(row.ip_address)
    yield End(row.id, None, customer, _tunnels(row, 0), (ANYWHERE[4],))
    if row.network is not None:
        own = IPv4Address(row.host_ip) if ":" not in row.host_ip else None
        yield End(row.id, row.name, customer, _tunnels(row, 1), tuple(sorted(blocks)), own)


def _tunnels(row: Any, side: int) -> tuple[Tunnel, ...]:
    """:param side: 0 the VPN gateway's, 1 the customer gateway's: the first or second address inside."""
    return tuple(
        Tunnel(
            f"tunnel-{number}",
            IPv4Address(tunnel["OutsideIpAddress"]),
            _inside(IPv4Network(tunnel["TunnelInsideCidr"]), side),
            tunnel["PreSharedKey"],
        )
        for number, tunnel in enumerate(row.tunnels, 1)
    )


def _inside(block: IPv4Network, side: int) -> IPv4Interface:
    return IPv4Interface((list(block.hosts())[side], block.prefixlen))
