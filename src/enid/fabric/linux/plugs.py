"""Plugging a port into its instance: the veth pair between the router and the guest."""

from __future__ import annotations

import errno
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress

from enid.fabric.interface import GuestPlace, Place
from enid.fabric.linux import names
from enid.fabric.linux.accelerator import Accelerator
from enid.fabric.linux.node import Node, Shape
from enid.netlink import links, neighbours
from enid.topology.records import Port, RecordKey

PORT_MTU = 9001
_NEEDED = 3
"""So many steps make a port; the accelerator's, after them, only make it fast."""


def plug(node: Node, accelerator: Accelerator, ports: Sequence[Port], guest: GuestPlace) -> dict[RecordKey, str]:
    """Make the pairs of ``ports`` and bring both ends up. The keys of those that failed, each with the reason."""
    failures: dict[RecordKey, str] = {}
    found = [(port, guest(port.instance_id)) for port in ports]
    failures.update((port.key, f"instance {port.instance_id} is gone") for port, place in found if place is None)
    present = [(port, place) for port, place in found if place is not None]
    for port, reason in _make(node, accelerator, present):
        failures[port.key] = reason
    made = [(port, place) for port, place in present if port.key not in failures]
    failures.update(_bring_up(node, made))
    return failures


def _make(node: Node, accelerator: Accelerator, present: Sequence[tuple[Port, Place]]) -> Iterable[tuple[Port, str]]:
    """The pairs, and the router's ends complete."""
    router_mac = names.router_mac(node.path.name)
    work: list[bytes] = []
    for port, place in present:
        name = names.port_link(port.attachment_id)
        index = node.links[name] = node.index()
        node.shapes[name] = Shape(router_mac, PORT_MTU)
        work += [
            links.new_veth(
                name,
                index=index,
                mac=router_mac,
                mtu=PORT_MTU,
                peer_name=port.device,
                peer_mac=port.mac,
                peer_mtu=PORT_MTU,
                peer_namespace=place.namespace,
            ),
            links.set_link(index=index, up=True),
            neighbours.answer_at_once(index),
            *accelerator.attachment(index),
        ]
    results = node.route.batch(work)
    steps = len(work) // len(present) if present else 1
    for number, (port, _) in enumerate(present):
        made, *rest = results[number * steps : number * steps + _NEEDED]
        if made < 0:
            del node.links[names.port_link(port.attachment_id)]
            taken = f"the instance already has an interface {port.device}"
            yield port, taken if made == -errno.EEXIST else os.strerror(-made)
        elif any(result < 0 and result != -errno.EOPNOTSUPP for result in rest):
            yield port, "the router's end could not be configured"


def _bring_up(node: Node, made: Sequence[tuple[Port, Place]]) -> dict[RecordKey, str]:
    """The guests' ends, one visit per instance, then a look at each router end: that makes the kernel notice the
    carrier now and not some milliseconds after traffic was sent there."""
    failures: dict[RecordKey, str] = {}
    visits: dict[str, list[Port]] = defaultdict(list)
    places = {}
    for port, place in made:
        visits[port.instance_id].append(port)
        places[port.instance_id] = place
    for instance, ports in visits.items():
        try:
            results = places[instance].route.batch([links.set_link(name=port.device, up=True) for port in ports])
        except OSError as error:
            failures.update((port.key, f"instance {instance}: {error.strerror}") for port in ports)
            continue
        for port, up in zip(ports, results, strict=True):
            if up < 0:
                failures[port.key] = f"{port.device} could not be brought up: {os.strerror(-up)}"
    looks = [links.get_link(index=node.links[names.port_link(port.attachment_id)]) for port, _ in made]
    node.route.batch(looks)
    return failures


def set_aside(ports: Iterable[Port], guest: GuestPlace) -> None:
    """Make room in the guests for others of the same device: deleting these links, which is slow, can wait.

    What cannot be moved is left; whoever needs its place is refused then.
    """
    for port in ports:
        place = guest(port.instance_id)
        if place is None:
            continue
        try:
            (body,) = place.route.request(links.get_link(name=port.device))
            link = links.parse_link(body)
            place.route.batch(
                [
                    links.set_link(index=link.index, up=False, rename=names.port_link(port.attachment_id)),
                    *(links.delete_altnames(name, index=link.index) for name in link.altnames),
                ]
            )
        except OSError:
            continue


def adoptable(node: Node, ports: Iterable[Port], guest: GuestPlace) -> set[str]:
    """Of the links the node has, the names of those whose other end is the right interface of the right instance."""
    kept = set()
    for port in ports:
        name = names.port_link(port.attachment_id)
        place = guest(port.instance_id) if name in node.links else None
        if place is None:
            continue
        try:
            (body,) = place.route.request(links.get_link(name=port.device))
        except OSError:
            continue
        link = links.parse_link(body)
        if link.peer == node.links[name] and link.mac == port.mac.lower() and link.up:
            kept.add(name)
            node.shapes[name] = Shape(names.router_mac(node.path.name), PORT_MTU)
    return kept


def clear(ports: Iterable[Port], guest: GuestPlace) -> None:
    """Delete what is left in the guests of ports whose router's end somebody took away."""
    for port in ports:
        place = guest(port.instance_id)
        if place is not None:
            with suppress(OSError):
                place.route.batch([links.delete_link(name=port.device)])
