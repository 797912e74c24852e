"""A traffic mirror session's place: a namespace that wraps copies in VXLAN, and holds no process.

The router sends it copies over a wire and gets them back wrapped, from the source's primary address, as packets like
any other: the target's groups, the source's route table and peering say where they may go. Behind the wire a rule gives
each frame back the MAC it had and hands it to a VXLAN link; the exit cuts it to length.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Mapping
from ipaddress import IPv4Address, ip_interface
from pathlib import Path

import structlog

from enid.bpf import syscall
from enid.fabric.linux import names, truncation, wires
from enid.fabric.linux.names import UPPER, mirror_link, wire_mac
from enid.fabric.linux.node import END_SETTINGS, Node, key_of
from enid.fabric.linux.plugs import PORT_MTU
from enid.netlink import expressions as nft
from enid.netlink import links, nftables, offloads
from enid.netlink.classifiers import add_clsact, set_egress
from enid.netlink.message import hardware
from enid.netlink.nftables import NETDEV, in_family
from enid.netlink.routes import Route
from enid.topology.blocks import ANYWHERE
from enid.topology.records import Mirror, Port

log = structlog.get_logger()

VXLAN_PORT = 4789
_WIRE = "in"
_LONGEST = PORT_MTU - truncation.WRAPPING
"""Of a copy, so that it reaches its target in one piece."""
_WIRE_MTU = 65535
"""A copy in its wrapping may be longer than any port carries: it is cut, or, where that cannot be, sent on to the port
in fragments. Groups judge it whole."""
_SETTINGS: Mapping[str, int] = {
    **END_SETTINGS,
    "net/ipv6/conf/all/disable_ipv6": 1,
    "net/ipv6/conf/default/disable_ipv6": 1,
}


class MirrorPlace:
    """The namespace pinned at ``path``; made if it is not there, otherwise taken over as it is.

    :raises OSError: it cannot be made, or not tied to ``router``.
    """

    def __init__(self, session_id: str, path: Path, router: Node, counts: Counter[str]) -> None:
        self.link = mirror_link(session_id)
        """The router's end of the wire."""
        self._router = router
        self.node = Node(path, counts, _SETTINGS)
        if not wires.joined(router, self.link, self.node, _WIRE):
            wires.part(router, self.link, self.node, _WIRE)
            wires.make(router, self.link, self.node, _WIRE, _WIRE_MTU)
            offloads.do_without(router.namespace, self.link)
        wires.shape(router, self.link, self.node, _WIRE, _WIRE_MTU)

    @property
    def wire(self) -> int:
        """The index of the wire's end in the router."""
        return self._router.links[self.link]

    def become(self, session: Mirror, port: Port) -> None:
        """Do as the record says.

        :raises OSError: nothing is known about the outcome; it may be called again.
        """
        source = port.addresses[0]
        assert isinstance(source, IPv4Address)
        self._cut(session.length)
        device, gateway = self.node.links[_WIRE], UPPER[4]
        self.node.neighbours.announce([((device, gateway), wire_mac(self.link, "upper"))])
        default = Route(ANYWHERE[4], device=device, gateway=gateway, onlink=True)
        self.node.routes.announce([(key_of(default), default)])
        self.node.addresses.announce([(ip_interface(source), True)])
        self.node.settle(everything=True)
        tunnel = self._tunnel(session, source)
        self._hand_over(port.mac, names.router_mac(self._router.path.name), tunnel)

    def _tunnel(self, session: Mirror, source: IPv4Address) -> int:
        """The VXLAN link; it is known by its name, which says all it does. Two of one network cannot be there at once,
        so a former one goes first."""
        said = f"{session.network} {source} {session.target}"
        name = "x" + hashlib.sha256(said.encode()).hexdigest()[:14]
        self.node.delete_links([former for former in self.node.links if former not in (_WIRE, name)])
        if name not in self.node.links:
            index = self.node.index()
            made = links.new_vxlan(
                name, index=index, network=session.network, local=source, remote=session.target, port=VXLAN_PORT
            )
            self.node.route.request(made)
            self.node.links[name] = index
            self.node.route.request(links.set_link(index=index, up=True))
        return self.node.links[name]

    def _hand_over(self, mac: str, router_mac: str, tunnel: int) -> None:
        """From the wire to the tunnel. The table is known by its contents; another one is there before it goes."""
        wanted = rules(mac, router_mac, tunnel)
        name = names.table(zlib.crc32(b"".join(wanted)))
        netfilter = self.node.netfilter
        found = netfilter.dump(in_family(nftables.get_tables(), NETDEV))
        there = [nftables.parse_table(body) for body in found]
        if name not in there:
            netfilter.commit([nftables.in_table(message, name) for message in wanted])
        if old := [in_family(nftables.delete_table(table), NETDEV) for table in there if table != name]:
            netfilter.commit(old)

    def _cut(self, length: int | None) -> None:
        """Copies are cut to ``length``, or to what one packet carries; the latter only where there are programs."""
        try:
            program = syscall.Program(truncation.program(min(length or _LONGEST, _LONGEST)).assemble({}, {}), "enid")
        except OSError:
            if length is not None:
                raise
            return
        device = self.node.links[_WIRE]
        for step in (add_clsact(device), set_egress(device, program.descriptor, "enid")):
            self.node.route.request(step)
        program.close()

    def close(self) -> None:
        """The namespace stays."""
        self.node.close()

    def destroy(self) -> None:
        """The namespace goes, and the wire with it."""
        self._router.delete_links([self.link])
        self.node.destroy()


def rules(mac: str, router_mac: str, tunnel: int) -> list[bytes]:
    """The nftables table: what comes for one of the two MACs came from the other. Pure."""
    table, chain = names.TABLE, "wire"
    ends = [(hardware(mac), hardware(router_mac)), (hardware(router_mac), hardware(mac))]
    handed = [
        nftables.add_rule(
            table,
            chain,
            nft.ether_destination(),
            nft.equal(receiver),
            nft.set_ether_source(sender),
            nft.forward(tunnel),
        )
        for receiver, sender in ends
    ]
    messages = [nftables.add_table(table), nftables.add_ingress_chain(table, chain, _WIRE), *handed]
    return [in_family(message, NETDEV) for message in (*messages, nftables.add_rule(table, chain, nft.drop()))]
