"""Where a VPN connection's tunnels end: a namespace between a VPC's router and the internet.

What the router sends here goes into a tunnel, and what comes out of one goes to the router; nothing passes in clear to
or from the internet. Here are the wires, the addresses and that rule. Keys, tunnels and the link they make are
strongSwan's, which runs in this namespace and is none of the fabric's (see :mod:`enid.vpn`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from ipaddress import ip_interface
from pathlib import Path

from enid.fabric.linux import names, wires
from enid.fabric.linux.internet import Internet
from enid.fabric.linux.node import ROUTER_SETTINGS, Aspect, Node, key_of
from enid.netlink import expressions as nft
from enid.netlink import nftables
from enid.netlink.addresses import Interface
from enid.netlink.nftables import ACCEPT, FORWARD, ifname
from enid.netlink.routes import Route
from enid.topology.records import Record, Vpc, VpnLink


class TunnelsPlace:
    """The namespace pinned at ``path``; made if it is not there, otherwise taken over as it is."""

    def __init__(self, link: VpnLink, path: Path, counts: Counter[str]) -> None:
        self.link = link
        self.node = Node(path, counts, ROUTER_SETTINGS)
        self._own: set[Interface] = set(self.node.addresses.held)
        self.guard()

    def join(self, internet: Internet) -> None:
        """Its public addresses, known to the internet."""
        wire = names.tunnels_link(self.link.id)
        wires.join(internet.node, wire, self.node, names.INTERNET)
        for address in self.link.outside:
            internet.lead(address, wire)
        self._own |= {ip_interface(address) for address in self.link.outside}
        self.node.addresses.announce((address, True) for address in self._own)

    def tie(self, router: Node, vpc: Vpc) -> None:
        """The wire to the router, and the way back to the VPC."""
        self._represent(vpc)
        wire = names.vpn_link(self.link.id)
        wires.join(self.node, wire, router, wire)
        device = self.node.links[wire]
        wanted = [
            Route(block, device=device, gateway=names.LOWER[block.version], onlink=block.version == 4)
            for block in vpc.blocks
        ]
        kept = {key_of(route) for route in wanted}
        held = self.node.routes.held.items()
        self.node.routes.withdraw([key for key, way in held if way.device == device and key not in kept])
        self.node.routes.announce((key_of(route), route) for route in wanted)

    def _represent(self, vpc: Vpc) -> None:
        """strongSwan takes a tunnel for less than everything only if an address of what it is for is here: the first of
        each block, which is nobody's on AWS."""
        former, blocks = self._own, (*vpc.blocks, *(block for subnet in vpc.subnets for block in subnet.blocks))
        self._own = {ip_interface(address) for address in self.link.outside}
        self._own |= {ip_interface(block.network_address) for block in blocks if block.version == 4}
        self.node.addresses.withdraw(former - self._own)
        self.node.addresses.announce((address, True) for address in self._own)

    def guard(self) -> None:
        """Only between the router and a tunnel does a packet pass: not even one for the customer gateway goes out in
        clear."""
        table, chain, wire = names.TABLE, "forward", ifname(names.vpn_link(self.link.id))
        tunnel = names.TUNNEL.encode()  # whatever number follows
        self.node.netfilter.commit(
            [
                *nftables.renew_table(table),
                nftables.add_base_chain(table, chain, "filter", FORWARD, 0, ACCEPT),
                nftables.add_rule(
                    table, chain, nft.iifname(), nft.equal(wire), nft.oifname(), nft.equal(tunnel), nft.accept()
                ),
                nftables.add_rule(
                    table, chain, nft.iifname(), nft.equal(tunnel), nft.oifname(), nft.equal(wire), nft.accept()
                ),
                nftables.add_rule(table, chain, nft.drop()),
            ]
        )

    def leave(self, internet: Internet, router: Node) -> None:
        """The connection is gone. Whoever runs here keeps an empty namespace."""
        for address in self.link.outside:
            internet.leave(address)
        wires.part(internet.node, names.tunnels_link(self.link.id), self.node, names.INTERNET)
        wire = names.vpn_link(self.link.id)
        wires.part(self.node, wire, router, wire)
        self.node.destroy()


class Tunnels:
    """The places of this host's VPN connections, pinned in the directory ``pins``."""

    def __init__(self, pins: Path, counts: Counter[str]) -> None:
        self._pins = pins
        self._counts = counts
        self._made: dict[str, TunnelsPlace] = {}
        """By the name of the router's link there."""

    def pins(self, records: Iterable[Record]) -> set[str]:
        """The names of the pins that there should be."""
        return {names.tunnels_pin(link.id) for vpc in records if isinstance(vpc, Vpc) for link in vpc.vpn}

    def tie(self, internet: Internet, router: Node, vpc: Vpc) -> None:
        """Places for the VPC's connections, each joined to both sides; announced, not settled but for themselves."""
        for link in vpc.vpn:
            name = names.vpn_link(link.id)
            place = self._made.get(name)
            if place is None or place.link.outside != link.outside:
                self.untie(internet, name, router)
                path = self._pins / names.tunnels_pin(link.id)
                place = self._made[name] = TunnelsPlace(link, path, self._counts)
            place.join(internet)
            place.tie(router, vpc)
            place.node.settle(everything=True)

    def untie(self, internet: Internet, name: str, router: Node) -> bool:
        """Remove the place behind the router's link; whether there was one."""
        place = self._made.pop(name, None)
        if place is not None:
            place.leave(internet, router)
        return place is not None

    def mend(self, internet: Internet, node: Node, gone: Collection[str], touched: Collection[Aspect]) -> None:
        """Others changed something in ``node``, and these links of it are gone."""
        for place in self._made.values():
            if names.tunnels_link(place.link.id) in gone or (place.node is node and names.INTERNET in gone):
                place.join(internet)
            if place.node is node and Aspect.TABLES in touched:
                place.guard()
            place.node.settle()

    def entrances(self) -> set[str]:
        """The internet's links to them."""
        return {names.tunnels_link(place.link.id) for place in self._made.values()}

    def nodes(self) -> list[Node]:
        """Their namespaces."""
        return [place.node for place in self._made.values()]

    def close(self) -> None:
        """The namespaces stay."""
        for place in self._made.values():
            place.node.close()
        self._made.clear()
