"""What things of ours are called in the kernel. Pure; names follow from ids, so a restart finds its own again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

TABLE = "enid00000000"
"""The nftables table; in a VPC's router its successors count on, see :mod:`gates`."""
MIRRORS = "enid_mirrors"
"""The tables of traffic mirroring in a VPC's router, one per IP version."""
TUNNEL = "ipsec"
"""What the names of strongSwan's links begin with."""
STRONGSWAN = 220
"""The kernel table strongSwan writes its routes to, and by default the priority of the rule that leads there."""
INTERNET = "internet"
"""The namespace where all internet gateways meet, and every other namespace's link to it."""
HOST_LINK = "host"
"""The internet's link to the host."""
HOST_ADDRESS = IPv4Address("169.254.100.1")
"""What the host is on enid's internet."""
UPPER: dict[int, IPv4Address | IPv6Address] = {4: IPv4Address("100.64.0.1"), 6: IPv6Address("fe80::1")}
"""The next hop towards the internet, or towards a VPN's far end. On a wire both ends know each other's MAC for good, so
these need no address on any link and nothing is ever asked."""
LOWER: dict[int, IPv4Address | IPv6Address] = {4: IPv4Address("100.64.0.2"), 6: IPv6Address("fe80::2")}
"""The next hop towards a VPC or a site, and towards the guest that has a prefix."""
_OUR_TABLE = re.compile("enid([0-9a-f]{8})?")
TRANSIT = 0x80000000
"""Bit of a packet's mark: it was sent by an interface whose source check is off, and not from an address of its own;
or, without the number of a route table, it came from a peer."""
PORT = 0x40000000
"""Bit of a packet's mark: an interface of the VPC sent it, not a gateway."""


def table(number: int) -> str:
    """The nftables table of this number."""
    return f"enid{number:08x}"


def table_number(name: str) -> int | None:
    """The other way round; ``None`` for a table that is not ours."""
    return int(name.removeprefix("enid") or "0", 16) if _OUR_TABLE.fullmatch(name) else None


def _tail(identifier: str) -> str:
    return identifier.rsplit("-", 1)[-1][-14:]


def port_link(attachment_id: str) -> str:
    """The router's end of an attachment."""
    return "a" + _tail(attachment_id)


def is_port_link(link: str) -> bool:
    """Whether a router's link is a port's; the others are wires."""
    return link.startswith("a")


def vpn_link(connection_id: str) -> str:
    """Both ends of the wire that stands for a VPN connection, or leads to where its tunnels end."""
    return "n" + _tail(connection_id)


def tunnels_link(connection_id: str) -> str:
    """The wire to where a VPN connection's tunnels end, seen from the internet."""
    return "g" + _tail(connection_id)


def is_tunnel(link: str) -> bool:
    """Whether a link is strongSwan's, which makes and removes it as it likes."""
    return link.startswith(TUNNEL)


def peering_link(peering_id: str) -> str:
    """Both ends of the wire that stands for a VPC peering connection."""
    return "p" + _tail(peering_id)


def peering_mac(peering_id: str, vpc_id: str, other: str) -> str:
    """The MAC of the end of a peering connection's wire in ``vpc_id``; ``other`` is the VPC at the other end."""
    return wire_mac(peering_link(peering_id), "upper" if vpc_id < other else "lower")


def peering_mark(peering_id: str) -> bytes:
    """The mark of flows over a peering connection, as a map holds it. Small numbers mean something else."""
    return (int(_digest(peering_id, 8), 16) | 0x80000000).to_bytes(4, "little")


def mirror_link(session_id: str) -> str:
    """The router's end of the wire to where a traffic mirror session wraps its copies."""
    return "m" + _tail(session_id)


def leads_inside(link: str) -> bool:
    """Whether a router's link is a port's or a traffic mirror session's, and not a wire out of the VPC."""
    return is_port_link(link) or link.startswith("m")


def mirror_pin(vpc_id: str, session_id: str) -> str:
    """A traffic mirror session's namespace; its VPC's is named by what stands before the dot."""
    return f"{vpc_id}.{session_id}"


def vpc_link(vpc_id: str) -> str:
    """A VPC's wire, seen from the internet."""
    return "v" + _tail(vpc_id)


def site_link(site: str) -> str:
    """A site's wire, seen from the internet. A site's name is free text: its digest is short enough."""
    return "s" + _digest(site, 14)


def vpc_pin(vpc_id: str) -> str:
    return vpc_id


def tunnels_pin(connection_id: str) -> str:
    """The namespace where the tunnels of a VPN connection end."""
    return connection_id


def site_pin(site: str) -> str:
    return f"site-{site}"


def _digest(value: str, length: int) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:length]


def mac(*what: str) -> str:
    """A locally administered MAC that belongs to ``what`` for ever."""
    digest = _digest("/".join(what), 10)
    return "02:" + ":".join(digest[place : place + 2] for place in range(0, 10, 2))


def router_mac(vpc_id: str) -> str:
    """What all ports of a VPC see the router by."""
    return mac(vpc_id)


def wire_mac(upper_name: str, end: str) -> str:
    """The MAC of a wire's ``upper`` or ``lower`` end; a wire is known by the upper end's name."""
    return mac(upper_name, end)


def mark(route_table_id: str) -> int:
    """A route table's packet mark and kernel table: far above the reserved ones, below :data:`TRANSIT`."""
    return int(_digest(route_table_id, 8), 16) & 0x3FFFFFFF | PORT


def gateway_mark(route_table_id: str) -> int:
    """The packet mark of what comes in by a gateway that has the route table."""
    return mark(route_table_id) & ~PORT


def _word(identifier: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in identifier.removeprefix("sg-"))


def members(group: str, version: int) -> str:
    """The set of the addresses of ports in a security group."""
    return f"members{version}_{_word(group)}"


def member_prefixes(group: str, version: int) -> str:
    """The set of the prefixes of ports in a security group."""
    return f"prefixes{version}_{_word(group)}"


def group_set(group: str, direction: str, version: int) -> str:
    """A group's rules with a block; ``direction`` is ``ingress`` or ``egress``."""
    return f"{direction}{version}_{_word(group)}"


def reference_set(group: str, direction: str, referenced: str) -> str:
    """The protocols and ports a group allows the members of another."""
    return f"{direction}_{_word(group)}_{_word(referenced)}"


def combination(groups: Sequence[str]) -> bytes:
    """The number of a combination of groups, as a map holds it. Small numbers are for gateways."""
    return (int(_digest(",".join(groups), 8), 16) | 0x80000000).to_bytes(4, "little")


def combination_chain(groups: Sequence[str], direction: str) -> str:
    """The chain of ports that carry exactly these groups."""
    return f"{direction}_of_{_digest(','.join(groups), 16)}"


def subnet_number(subnet_id: str) -> bytes:
    """A subnet's number, as a map holds it."""
    return int(_digest(subnet_id, 8), 16).to_bytes(4, "little")


def acl_chain(acl_id: str, direction: str) -> str:
    """The chain that is one direction of a network ACL."""
    return f"acl_{direction}_{_word(acl_id.removeprefix('acl-'))}"
