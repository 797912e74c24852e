"""What ports and gateways put into the sets and maps of their VPC's table. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from enid.fabric.linux.groups import Element
from enid.fabric.linux.names import (
    INTERNET,
    TRANSIT,
    combination,
    gateway_mark,
    mark,
    member_prefixes,
    members,
    mirror_link,
    peering_link,
    peering_mac,
    peering_mark,
    port_link,
    subnet_number,
    vpc_link,
    wire_mac,
)
from enid.fabric.linux.ruleset import NO_GROUPS, VIA_INTERNET, VIA_PEERING, VIA_VPN
from enid.netlink.message import hardware
from enid.netlink.nftables import Key, ifname
from enid.topology import services
from enid.topology.records import Peering, Port, RouteTable, TargetKind, Vpc


def membership(port: Port) -> Iterator[Element]:
    """The port's addresses and prefixes as members of its groups: wanted wherever the port is."""
    for group in port.groups:
        for address in port.addresses:
            yield (members(group, address.version), Key(address.packed)), b""
        for prefix in port.prefixes:
            yield (member_prefixes(group, prefix.version), Key(prefix.network_address.packed)), b""


def plug(port: Port) -> Iterator[Element]:
    """What lets a port of this host send and be reached."""
    device = ifname(port_link(port.attachment_id))
    table = mark(port.route_table_id)
    for address in port.addresses:
        yield (f"spoof{address.version}", Key(device + address.packed)), table.to_bytes(4, "little")
    for prefix in port.prefixes:
        key = Key(device + prefix.network_address.packed)
        yield (f"delegated{prefix.version}", key), table.to_bytes(4, "little")
    if not port.source_dest_check:
        yield ("unchecked", Key(device)), (table | TRANSIT).to_bytes(4, "little")
    if port.logged:
        yield ("logged", Key(device)), b""
    yield from _attached(device, port, port.mac, combination(port.groups) if port.gated else NO_GROUPS)
    for session in port.mirrors:
        yield from _mirror(mirror_link(session.id), port)
    if any(one.version == 6 for one in (*port.addresses, *port.prefixes)):
        yield ("table_of", Key(device)), table.to_bytes(4, "little")
    for private, public in port.public:
        yield ("public", Key(private.packed)), b""
        yield ("public_of", Key(private.packed)), public.packed
        yield ("private_of", Key(public.packed)), private.packed


def _attached(device: bytes, port: Port, mac: str, groups: bytes) -> Iterator[Element]:
    """A link to where ``port`` is: who sends there, which groups apply, and the subnet."""
    yield _sender(device, mac)
    yield ("combination", Key(device)), groups
    subnet = subnet_number(port.subnet.id)
    yield ("beside", Key(device + subnet)), b""
    yield ("subnet", Key(device)), subnet


def _mirror(link: str, port: Port) -> Iterator[Element]:
    """What lets copies of the port's packets be sent to their target, as if from the port, whose groups do not apply
    to them."""
    device = ifname(link)
    yield ("mirrors", Key(device)), mark(port.route_table_id).to_bytes(4, "little")
    yield from _attached(device, port, wire_mac(link, "lower"), NO_GROUPS)


def middle(link: str) -> Element:
    """What lets a port send for those whose packets a route leads there."""
    return ("middles", Key(ifname(link))), b""


def way_in(table: RouteTable) -> Iterator[Element]:
    """What lets IPv6 in from the internet to the ports that use the table: that their replies go there."""
    if any(route.kind is TargetKind.INTERNET and route.destination.version == 6 for route in table.routes):
        yield ("open6", Key(mark(table.id).to_bytes(4, "little"))), b""


def gateway(link: str, vpc: Vpc) -> Iterator[Element]:
    """The VPC's wire to the internet, or to a VPN connection's far end."""
    device = ifname(link)
    internet = link == INTERNET
    yield _sender(device, wire_mac(vpc_link(vpc.id) if internet else link, "upper"))
    if table := vpc.internet_table if internet else vpc.vpn_table:
        yield ("gateway_table", Key(device)), gateway_mark(table).to_bytes(4, "little")
    yield ("outside", Key(device)), b""
    yield ("combination", Key(device)), VIA_INTERNET if internet else VIA_VPN


def peering(connection: Peering, vpc_id: str) -> Iterator[Element]:
    """The VPC's wire to a peer: only the peer's addresses are at its other end."""
    device = ifname(peering_link(connection.id))
    yield _sender(device, peering_mac(connection.id, connection.vpc_id, vpc_id))
    yield ("combination", Key(device)), VIA_PEERING
    number = peering_mark(connection.id)
    yield ("peer_mark", Key(device)), number
    yield ("peer_flows", Key(device + number)), b""
    for block in connection.blocks:
        first, last = block.network_address.packed, block.broadcast_address.packed
        yield (f"peers{block.version}", Key(device + first, device + last)), b""


def _sender(device: bytes, mac: str) -> Element:
    return ("macs", Key(device + hardware(mac) + b"\0\0")), b""


def blocks(networks: Iterable[IPv4Network | IPv6Network]) -> Iterator[Element]:
    """The VPC's blocks; they never overlap."""
    for network in networks:
        name = f"blocks{network.version}"
        yield (name, Key(network.network_address.packed)), b""
        after = int(network.broadcast_address) + 1
        if after < 1 << network.max_prefixlen:
            yield (name, Key(after.to_bytes(network.max_prefixlen // 8, "big"), closing=True)), b""


def own(addresses: Iterable[IPv4Address | IPv6Address]) -> Iterator[Element]:
    """The router's addresses."""
    for address in addresses:
        yield (f"own{address.version}", Key(address.packed)), b""


def answered(vpc: Vpc) -> Iterator[Element]:
    """Where the VPC's router answers."""
    for address, protocol, port in services.endpoints(vpc):
        key = address.packed + bytes((protocol, 0, 0, 0)) + port.to_bytes(2, "big") + b"\0\0"
        yield (f"services{address.version}", Key(key)), b""
