"""The namespace all internet gateways meet in, and the host's way into it.

It routes each public address to whoever holds it now, and the rest of the public pool to nobody. A host with a link is
protected: only what it asked for comes back to it.
"""

from __future__ import annotations

import errno
import hashlib
from collections import Counter
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, ip_network
from pathlib import Path

import structlog

from enid.fabric.linux import names
from enid.fabric.linux.node import ROUTER_SETTINGS, Node, Shape, key_of
from enid.netlink import addresses, links, neighbours, nftables, routes
from enid.netlink import expressions as nft
from enid.netlink.nftables import ACCEPT, FORWARD, PREROUTING, ifname
from enid.netlink.routes import BLACKHOLE, MAIN, Network, Route
from enid.netlink.socket import RouteSocket
from enid.topology.blocks import exactly
from enid.topology.records import Address

_HOST_MTU = 1500
_TABLE = names.TABLE
_PREFIX = "enid-"

log = structlog.get_logger()


def host_device(run_dir: Path) -> str:
    """The link's name on the host: several installations have several."""
    return _PREFIX + hashlib.sha256(str(run_dir).encode()).hexdigest()[:8]


class Internet:
    """``pool``: the public addresses that are enid's to give."""

    def __init__(self, path: Path, pool: str, counts: Counter[str]) -> None:
        self.node = Node(path, counts, ROUTER_SETTINGS)
        network = IPv4Network(pool)
        nobody = Route(network, kind=BLACKHOLE)
        self.node.routes.announce([(key_of(nobody), nobody)])
        own = names.UPPER[4]
        assert isinstance(own, IPv4Address)
        self.node.addresses.announce([(IPv4Interface(own), True)])

    def lead(self, destination: Network | Address, link: str) -> None:
        """Route a public address, or a VPC's IPv6 block, down the wire ``link``."""
        network = _block(destination)
        gateway = names.LOWER[network.version]
        route = Route(network, device=self.node.links[link], gateway=gateway, onlink=network.version == 4)
        self.node.routes.announce([(key_of(route), route)])

    def leave(self, destination: Network | Address) -> None:
        """Nobody has it any more."""
        self.node.routes.withdraw([(MAIN, _block(destination), 0)])

    def protect_host(self) -> None:
        """Through the host's link only answers go out to the host. Other traffic is not tracked here: it is not ours to
        judge, and tracking costs."""
        to_host = nft.oifname() + nft.equal(ifname(names.HOST_LINK))
        from_host = nft.iifname() + nft.equal(ifname(names.HOST_LINK))
        address = nft.version(4) + nft.destination(4) + nft.equal(names.HOST_ADDRESS.packed)
        self.node.netfilter.commit(
            [
                *nftables.renew_table(_TABLE),
                nftables.add_base_chain(_TABLE, "untracked", "filter", PREROUTING, -300, ACCEPT),
                nftables.add_rule(_TABLE, "untracked", from_host, nft.accept()),
                nftables.add_rule(_TABLE, "untracked", address, nft.accept()),
                nftables.add_rule(_TABLE, "untracked", nft.notrack()),
                nftables.add_base_chain(_TABLE, "host", "filter", FORWARD, 0, ACCEPT),
                nftables.add_rule(_TABLE, "host", to_host, nft.ct_state(nft.ESTABLISHED | nft.RELATED), nft.accept()),
                nftables.add_rule(_TABLE, "host", to_host, nft.drop()),
            ]
        )

    def join_host(self, device: str, pool: str) -> None:
        """Give the host (the namespace we run in) a link, and a route to the pool unless it has one already."""
        network = ip_network(pool)
        with RouteSocket() as outside:
            if not self._host_joined(outside, device):
                self._make_host_link(outside, device)
            (body,) = outside.request(links.get_link(name=device))
            index = links.parse_link(body).index
            gateway = names.UPPER[4]
            mac = names.mac(device, "upper")
            results = outside.batch(
                [
                    addresses.add_address(index, IPv4Interface(names.HOST_ADDRESS)),
                    neighbours.replace_neighbour(index, gateway, mac),
                ]
            )
            if any(code < 0 for code in results):
                log.warning("host link not configured", device=device, results=results)
            self._add_host_route(
                outside, Route(network, device=index, gateway=gateway, source=names.HOST_ADDRESS, onlink=True)
            )
        inside = self.node.links[names.HOST_LINK]
        self.node.shapes[names.HOST_LINK] = Shape(names.mac(device, "upper"), _HOST_MTU)
        self.node.neighbours.announce([((inside, names.HOST_ADDRESS), names.mac(device, "lower"))])
        back = Route(exactly(names.HOST_ADDRESS), device=inside)
        self.node.routes.announce([(key_of(back), back)])
        self.protect_host()

    def _host_joined(self, outside: RouteSocket, device: str) -> bool:
        try:
            (body,) = outside.request(links.get_link(name=device))
        except OSError:
            return False
        return links.parse_link(body).peer == self.node.links.get(names.HOST_LINK)

    def _make_host_link(self, outside: RouteSocket, device: str) -> None:
        self.node.delete_links([names.HOST_LINK])
        outside.batch([links.delete_link(name=device)])
        outside.request(
            links.new_veth(
                device,
                mac=names.mac(device, "lower"),
                mtu=_HOST_MTU,
                peer_name=names.HOST_LINK,
                peer_mac=names.mac(device, "upper"),
                peer_mtu=_HOST_MTU,
                peer_namespace=self.node.namespace,
            )
        )
        (body,) = self.node.route.request(links.get_link(name=names.HOST_LINK))
        self.node.links[names.HOST_LINK] = links.parse_link(body).index
        outside.request(links.set_link(name=device, up=True))
        self.node.route.request(links.set_link(name=names.HOST_LINK, up=True))

    def _add_host_route(self, outside: RouteSocket, wanted: Route) -> None:
        taken = [
            route
            for body in outside.dump(routes.get_routes(4))
            if (route := routes.parse_route(body)) and route.destination == wanted.destination and route.table == MAIN
        ]
        if any(route.device != wanted.device for route in taken):
            log.warning("host route not added: there is one already", destination=str(wanted.destination))
            return
        (code,) = outside.batch([routes.replace_route(wanted)])
        if code < 0:
            log.warning("host route not added", destination=str(wanted.destination), errno=errno.errorcode.get(-code))


def _block(destination: Network | Address) -> Network:
    return exactly(destination) if isinstance(destination, IPv4Address | IPv6Address) else destination


def leave_host(device: str) -> None:
    """Remove the host's link, if it has one."""
    with RouteSocket() as outside:
        outside.batch([links.delete_link(name=device)])
