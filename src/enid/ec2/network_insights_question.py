"""What an analysis asks: a stored path and the network as it is now → ends, addresses and ports.

The ends that AWS names by a gateway are, to :mod:`enid.topology.reach`, whoever is out there behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import Any

from sqlalchemy import Row

from enid.ec2.network_insights_paths import port_range
from enid.topology.blocks import exactly, is_private, within
from enid.topology.places import PROTOCOLS, NotAttached, Place, place
from enid.topology.records import Kind, Port, Site, Vpc, World


class Impossible(Exception):
    """No path can be: AWS's explanation ``code``, and the ``component`` it is about."""

    def __init__(self, code: str, component: str) -> None:
        super().__init__(f"{code}: {component}")
        self.code, self.component = code, component


@dataclass(frozen=True, slots=True)
class Question:
    """One path, as it was stored."""

    source: str
    destination: str | None
    protocol: int
    ports: tuple[int, int]
    source_ip: IPv4Address | None
    """As written on the packet when it sets out."""
    destination_ip: IPv4Address | None
    """The same."""
    arriving_from: IPv4Address | None
    """As the packet has it at its destination."""
    arriving_at: IPv4Address | None
    """The same."""


def of(row: Row[Any]) -> Question:
    """The question of a row of ``network_insights_paths``."""
    at_source, at_destination = row.filter_at_source or {}, row.filter_at_destination or {}
    ranges = [port_range(filter_, "DestinationPortRange") for filter_ in (at_source, at_destination)]
    if row.destination_port is not None:
        ranges.append((row.destination_port, row.destination_port))
    return Question(
        source=row.source,
        destination=row.destination,
        protocol=PROTOCOLS[row.protocol],
        ports=(max(first for first, _ in ranges), min(last for _, last in ranges)),
        source_ip=_address(row.source_ip or at_source.get("SourceAddress")),
        destination_ip=_address(row.destination_ip or at_source.get("DestinationAddress")),
        arriving_from=_address(at_destination.get("SourceAddress")),
        arriving_at=_address(at_destination.get("DestinationAddress")),
    )


def _address(text: str | None) -> IPv4Address | None:
    return IPv4Address(text) if text else None


def ends(question: Question, world: World, gateways: dict[str, str | None]) -> tuple[Place, Place]:
    """The two ends.

    :param gateways: the VPC of each gateway among the ends; ``None`` when it is detached.
    :raises Impossible: an end is not on the network, or the two have nothing to do with each other.
    """
    start = _source(question, world, gateways)
    end = _destination(question, world, gateways)
    for gateway, other in ((question.source, end), (question.destination, start)):
        if gateway in gateways and isinstance(other.where, Port) and other.where.vpc_id != gateways[gateway]:
            raise Impossible("DISCONNECTED_VPCS", gateway)
    return start, end


def _source(question: Question, world: World, gateways: dict[str, str | None]) -> Place:
    id_, address = question.source, question.source_ip
    if id_.startswith("igw-"):
        _attached(id_, gateways)
        if address and is_private(exactly(address)):
            raise Impossible("IGW_EXPECTS_PUBLIC_ADDRESS", id_)
        return Place(None, address)
    if id_.startswith("vgw-"):
        return Place(_behind(id_, address, world, gateways), address)
    found = _plugged(world, id_)
    if address is None:
        return found
    own = next(
        (port for port in (found.siblings or (found.where,)) if isinstance(port, Port) and address in port.addresses),
        None,
    )
    return Place(own or found.where, address)


def _destination(question: Question, world: World, gateways: dict[str, str | None]) -> Place:
    id_, address = question.destination, question.destination_ip
    if id_ is None:
        return Place(None, address)
    if id_.startswith("igw-"):
        _attached(id_, gateways)
        if address and is_private(exactly(address)):
            raise Impossible("IGW_EXPECTS_PUBLIC_ADDRESS", id_)
        return Place(None, address)
    if id_.startswith("vgw-"):
        return Place(None, address) if address else Place(_behind(id_, None, world, gateways))
    found = _plugged(world, id_)
    mine = [port for port in (found.siblings or (found.where,)) if isinstance(port, Port)]
    wanted = address or question.arriving_at
    if wanted is None:
        return found
    for port in mine:
        public = dict(port.public)
        if wanted in public.values():
            return Place(port, wanted)
        if wanted in port.addresses:
            outside = question.source.startswith("igw-")
            return Place(port, public.get(wanted) if outside else wanted)
    raise Impossible("ENI_ADDRESS_RESTRICTION", mine[0].id)


def _attached(id_: str, gateways: dict[str, str | None]) -> str:
    vpc = gateways[id_]
    if vpc is None:
        raise Impossible("BAD_STATE_ATTACHMENT", id_)
    return vpc


def _plugged(world: World, id_: str) -> Place:
    try:
        return place(world, id_)
    except NotAttached:
        raise Impossible("BAD_STATE_ATTACHMENT", id_) from None


def _behind(id_: str, address: IPv4Address | None, world: World, gateways: dict[str, str | None]) -> Site:
    """The site at the far end of one of a VPN gateway's connections; with an address, of the one it lies behind."""
    vpc = world[(Kind.VPC, _attached(id_, gateways))]
    assert isinstance(vpc, Vpc)
    for link in vpc.vpn:
        site = world.get((Kind.SITE, link.site or ""))
        if isinstance(site, Site) and (address is None or within(exactly(ip_address(address)), link.prefixes)):
            return site
    raise Impossible("BAD_STATE_VPN", id_)
