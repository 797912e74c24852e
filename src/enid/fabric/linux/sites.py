"""A site: a place outside AWS, joined to the internet by its public addresses and to VPCs by VPN connections.

The wire that stands for a VPN connection is where an IPsec tunnel would be.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_interface
from pathlib import Path

from enid.fabric.linux import names, wires
from enid.fabric.linux.internet import Internet
from enid.fabric.linux.node import END_SETTINGS, Node, RouteKey, key_of
from enid.netlink.routes import MAIN, Route
from enid.topology.blocks import ANYWHERE
from enid.topology.records import Address, Site, Vpc


class SitePlace:
    """The namespace of ``site``."""

    def __init__(self, site: Site, path: Path, counts: Counter[str]) -> None:
        self.site = site
        self.node = Node(path, counts, END_SETTINGS)
        self.closed = False
        """It is going: VPCs shall not use it any more."""

    def join(self, internet: Internet) -> None:
        """Its public addresses, known to the internet."""
        link = names.site_link(self.site.id)
        wires.join(internet.node, link, self.node, names.INTERNET)
        for own in self.site.public:
            internet.lead(own, link)
            self.node.addresses.announce([(ip_interface(own), True)])
            default = self._default(own)
            self.node.routes.announce([(key_of(default), default)])
        if self.site.host_ip is not None:
            self.node.addresses.announce([(ip_interface(self.site.host_ip), True)])

    def _default(self, own: Address) -> Route:
        """To the internet, from one of its public addresses."""
        device, version = self.node.links[names.INTERNET], own.version
        return Route(ANYWHERE[version], device=device, gateway=names.UPPER[version], source=own, onlink=version == 4)

    def become(self, site: Site) -> None:
        """The record changed; :meth:`join` follows."""
        old, self.site = self.site, site
        gone = [*old.public, *([old.host_ip] if old.host_ip else [])]
        self.node.addresses.withdraw(map(ip_interface, gone))
        self.node.routes.withdraw((MAIN, ANYWHERE[own.version], 0) for own in old.public)

    def takes(self) -> bool:
        """VPN connections can end here."""
        return self.site.network is not None and not self.closed

    def tie(self, router: Node, vpc: Vpc, connection_id: str) -> None:
        """A VPN connection to a VPC: the VPC's blocks lie behind it."""
        link = names.vpn_link(connection_id)
        wires.join(self.node, link, router, link)
        device = self.node.links[link]
        self.node.routes.withdraw(self._behind(device))
        for block in vpc.blocks:
            own = self.site.host_ip if self.site.host_ip and self.site.host_ip.version == block.version else None
            route = Route(
                block, device=device, gateway=names.LOWER[block.version], source=own, onlink=block.version == 4
            )
            self.node.routes.announce([(key_of(route), route)])

    def _behind(self, device: int) -> list[RouteKey]:
        return [key for key, route in self.node.routes.held.items() if route.device == device]

    def untie(self, link: str, router: Node | None) -> None:
        """The connection is gone; its routes go with its link."""
        wires.part(self.node, link, router, link)

    def leave(self, internet: Internet) -> None:
        """The site is gone."""
        for own in self.site.public:
            internet.leave(own)
        wires.part(internet.node, names.site_link(self.site.id), self.node, names.INTERNET)
        self.node.destroy()
