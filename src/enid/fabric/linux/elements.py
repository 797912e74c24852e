"""What ports and gateways put into the sets and maps of their VPC's table. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network

from enid.fabric.linux.groups import EGRESS, INGRESS, Element
from enid.fabric.linux.names import INTERNET, TRANSIT, combination_chain, mark, members, port_link
from enid.fabric.linux.ruleset import FROM_INTERNET, FROM_VPN, TO_INTERNET
from enid.netlink.nftables import ACCEPT, GOTO, Key, Verdict, ifname
from enid.topology.records import Port


def membership(port: Port) -> Iterator[Element]:
    """The port's addresses as members of its groups: wanted wherever the port is."""
    for group in port.groups:
        for address in port.addresses:
            yield (members(group, address.version), Key(address.packed)), b""


def plug(port: Port) -> Iterator[Element]:
    """What lets a port of this host send and be reached."""
    device = ifname(port_link(port.attachment_id))
    table = mark(port.route_table_id)
    for address in port.addresses:
        yield (f"spoof{address.version}", Key(device + address.packed)), table.to_bytes(4, "little")
    if not port.source_dest_check:
        yield ("unchecked", Key(device)), (table | TRANSIT).to_bytes(4, "little")
    yield ("egress", Key(device)), Verdict(GOTO, combination_chain(port.groups, EGRESS))
    yield ("ingress", Key(device)), Verdict(GOTO, combination_chain(port.groups, INGRESS))
    for private, public in port.public:
        yield ("public", Key(private.packed)), b""
        yield ("public_of", Key(private.packed)), public.packed
        yield ("private_of", Key(public.packed)), private.packed


def internet() -> Iterator[Element]:
    """The link to the internet."""
    device = Key(ifname(INTERNET))
    yield ("outside", device), b""
    yield ("egress", device), Verdict(GOTO, FROM_INTERNET)
    yield ("ingress", device), Verdict(GOTO, TO_INTERNET)


def vpn(link: str) -> Iterator[Element]:
    """The link to a VPN connection's far end."""
    device = Key(ifname(link))
    yield ("outside", device), b""
    yield ("egress", device), Verdict(GOTO, FROM_VPN)
    yield ("ingress", device), Verdict(ACCEPT)


def blocks(networks: Iterable[IPv4Network | IPv6Network]) -> Iterator[Element]:
    """The VPC's blocks; they never overlap."""
    for network in networks:
        name = f"blocks{network.version}"
        yield (name, Key(network.network_address.packed)), b""
        after = int(network.broadcast_address) + 1
        if after < 1 << network.max_prefixlen:
            yield (name, Key(after.to_bytes(network.max_prefixlen // 8, "big"), closing=True)), b""
