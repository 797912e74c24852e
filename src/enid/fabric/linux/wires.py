"""A wire: a veth pair between two namespaces of ours, whose ends know each other's MAC for good."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from enid.fabric.linux.names import LOWER, UPPER, wire_mac
from enid.fabric.linux.node import Node, Shape
from enid.netlink import links

WIRE_MTU = 1500
"""What the internet and a VPN carry; the router tells senders."""

Neighbour = tuple[tuple[int, IPv4Address | IPv6Address], str]


def join(upper: Node, upper_name: str, lower: Node, lower_name: str) -> None:
    """Tie ``lower`` to ``upper``; a wire that is there and whole is kept.

    The neighbours are announced to the nodes, not settled yet.
    """
    if not joined(upper, upper_name, lower, lower_name):
        part(upper, upper_name, lower, lower_name)
        make(upper, upper_name, lower, lower_name)
    shape(upper, upper_name, lower, lower_name)
    upper.neighbours.announce(_neighbours(upper.links[upper_name], LOWER, wire_mac(upper_name, "lower")))
    lower.neighbours.announce(_neighbours(lower.links[lower_name], UPPER, wire_mac(upper_name, "upper")))


def shape(upper: Node, upper_name: str, lower: Node, lower_name: str, mtu: int = WIRE_MTU) -> None:
    """Both ends are to stay as :func:`make` makes them."""
    upper.shapes[upper_name] = Shape(wire_mac(upper_name, "upper"), mtu)
    lower.shapes[lower_name] = Shape(wire_mac(upper_name, "lower"), mtu)


def part(upper: Node, upper_name: str, lower: Node | None, lower_name: str) -> None:
    """Remove the wire, from whichever end is left."""
    if lower is not None:
        lower.delete_links([lower_name])
    upper.delete_links([upper_name])


def _neighbours(device: int, hops: dict[int, IPv4Address | IPv6Address], far: str) -> Iterator[Neighbour]:
    return (((device, hop), far) for hop in hops.values())


def joined(upper: Node, upper_name: str, lower: Node, lower_name: str) -> bool:
    """The wire is there and whole."""
    if upper_name not in upper.links or lower_name not in lower.links:
        return False
    try:
        (body,) = lower.route.request(links.get_link(index=lower.links[lower_name]))
    except OSError:
        return False
    return links.parse_link(body).peer == upper.links[upper_name]


def make(upper: Node, upper_name: str, lower: Node, lower_name: str, mtu: int = WIRE_MTU) -> None:
    """A new wire, both ends up."""
    index = lower.index()
    lower.route.request(
        links.new_veth(
            lower_name,
            index=index,
            mac=wire_mac(upper_name, "lower"),
            mtu=mtu,
            peer_name=upper_name,
            peer_mac=wire_mac(upper_name, "upper"),
            peer_mtu=mtu,
            peer_namespace=upper.namespace,
        )
    )
    lower.links[lower_name] = index
    lower.route.request(links.set_link(index=index, up=True))
    (body,) = upper.route.request(links.get_link(name=upper_name))
    link = links.parse_link(body)
    upper.links[upper_name] = link.index
    upper.route.request(links.set_link(index=link.index, up=True))
    lower.route.request(links.get_link(index=index))
    upper.route.request(links.get_link(index=link.index))
