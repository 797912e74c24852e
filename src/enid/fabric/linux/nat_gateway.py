"""A NAT gateway: a namespace with one interface that sends on what it is given, as if from its own addresses.

It stands in its subnet as an instance would: the VPC's router delivers to it, and takes what it sends by the subnet's
route table. Its addresses are the namespace's own, so a packet to one of them that answers no flow is delivered here,
where there is nobody. What does answer one is translated before any route is looked up.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from ipaddress import IPv4Address, ip_interface
from pathlib import Path

from enid.fabric.linux import names
from enid.fabric.linux.gates import tables
from enid.fabric.linux.names import TABLE
from enid.fabric.linux.node import ROUTER_SETTINGS, Aspect, Node, Shape, key_of
from enid.fabric.linux.plugs import PORT_MTU
from enid.netlink import conntrack, links, nftables
from enid.netlink import expressions as nft
from enid.netlink.nftables import ACCEPT, FORWARD, INPUT, IPV4, MARK, POSTROUTING, Key, Set
from enid.netlink.routes import Route
from enid.topology.blocks import ANYWHERE
from enid.topology.records import Port

IDLE = 350
"""Seconds after which an idle flow is forgotten, as AWS documents."""
_SETTINGS: Mapping[str, int] = {
    **ROUTER_SETTINGS,
    "net/ipv4/conf/all/accept_local": 0,  # what its own subnet's route table leads back to it ends here
    "net/netfilter/nf_conntrack_tcp_timeout_established": IDLE,
    "net/netfilter/nf_conntrack_udp_timeout": IDLE,
    "net/netfilter/nf_conntrack_udp_timeout_stream": IDLE,
    "net/netfilter/nf_conntrack_icmp_timeout": IDLE,
    # A TCP segment of no known connection begins none: its sender is told.
    "net/netfilter/nf_conntrack_tcp_loose": 0,
}
_ICMP, _TCP, _UDP = 1, 6, 17


class NatGateway:
    """The namespace pinned at ``path``; made if it is not there, otherwise taken over as it is."""

    def __init__(self, path: Path, counts: Counter[str]) -> None:
        self.node = Node(path, counts, _SETTINGS)

    def become(self, port: Port, touched: Collection[Aspect] = ()) -> None:
        """Do as the record says; the port's link is there. Flows go on, but for those of addresses that go.

        :param touched: what others may have changed.

        :raises OSError: nothing is known about the outcome; it may be called again.
        """
        own = tuple(address for address in port.addresses if isinstance(address, IPv4Address))
        self._translate(own, anew=Aspect.TABLES in touched)
        (body,) = self.node.route.request(links.get_link(name=port.device))
        device, gateway = links.parse_link(body).index, port.subnet.gateways[0]
        self.node.links[port.device] = device
        self.node.shapes[port.device] = Shape(port.mac.lower(), PORT_MTU)
        former = {interface.ip for interface in self.node.addresses.held}
        self.node.neighbours.announce([((device, gateway), names.mac(names.vpc_pin(port.vpc_id)))])
        default = Route(ANYWHERE[4], device=device, gateway=gateway, onlink=True)
        self.node.routes.announce([(key_of(default), default)])
        self.node.addresses.announce((ip_interface(address), True) for address in own)
        self.node.settle(everything=True)
        conntrack.forget(self.node.netfilter, (), former - set(own))

    def _translate(self, addresses: Sequence[IPv4Address], anew: bool) -> None:
        """The table is known by its contents: what is right stays, and another one is there before the old one goes. A
        flow that began between the two would stay untranslated. So the same contents have two names."""
        netfilter, wanted = self.node.netfilter, rules(addresses)
        number, there = zlib.crc32(b"".join(wanted)), tables(netfilter)
        one, other = names.table(number), names.table(number ^ 1)
        name = one if one in there or other not in there else other
        if anew and name in there:
            name = other if name == one else one
            netfilter.commit([nftables.delete_table(name)] if name in there else [])
        if anew or name not in there:
            netfilter.commit([nftables.in_table(message, name) for message in wanted])
        if old := [table for table in there if table != name]:
            netfilter.commit([nftables.delete_table(table) for table in old])


def rules(addresses: Sequence[IPv4Address]) -> list[bytes]:
    """The nftables table. Pure."""
    version = nft.version(4)
    return [
        nftables.add_table(TABLE),
        *_numbered(addresses),
        nftables.add_base_chain(TABLE, "input", "filter", INPUT, 0, ACCEPT),
        nftables.add_rule(TABLE, "input", nft.drop()),
        nftables.add_base_chain(TABLE, "forward", "filter", FORWARD, 0, ACCEPT),
        nftables.add_rule(
            TABLE, "forward", version, nft.ct_state(nft.INVALID), nft.l4proto(), nft.equal(bytes((_TCP,))), nft.reset()
        ),
        nftables.add_rule(TABLE, "forward", nft.ct_state(nft.INVALID), nft.drop()),
        *(
            nftables.add_rule(TABLE, "forward", version, nft.l4proto(), nft.equal(bytes((protocol,))), nft.accept())
            for protocol in (_TCP, _UDP, _ICMP)
        ),
        nftables.add_rule(TABLE, "forward", nft.drop()),
        nftables.add_base_chain(TABLE, "translate", "nat", POSTROUTING, 100, ACCEPT),
        nftables.add_rule(TABLE, "translate", version, _choice(addresses), nft.nat(to_destination=False)),
    ]


def _numbered(addresses: Sequence[IPv4Address]) -> list[bytes]:
    """Number → address, if there is a choice."""
    if len(addresses) < 2:
        return []
    elements = [(Key(number.to_bytes(4, "little")), address.packed) for number, address in enumerate(addresses)]
    return [
        nftables.add_set(TABLE, Set("addresses", (MARK,), IPV4)),
        *nftables.add_elements(TABLE, "addresses", elements),
    ]


def _choice(addresses: Sequence[IPv4Address]) -> bytes:
    """The address that a flow goes out with, into the first register: by a hash of its ends."""
    if len(addresses) < 2:
        return nft.load(addresses[0].packed)
    hosts = nft.source(4, nft.FIELD) + nft.destination(4, nft.FIELD + 1)
    ports = nft.sport(nft.FIELD + 2) + nft.dport(nft.FIELD + 3)
    return hosts + ports + nft.hashed(16, len(addresses)) + nft.lookup_value("addresses")
