"""Who is there to be robbed and to rob: interfaces of every kind, in VPCs of every neighbourhood. Groups allow all.

So nothing but where a packet comes from, and what it is, can be a reason to drop it.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network

from fabric_lab import EVERYWHERE, EVERYWHERE6, OTHER, SUBNET, group, port, table, vpc

from enid.topology.records import Appliance, Peering, Port, Record, Route, Site, Subnet, TargetKind, Vpc

HOME = vpc(internet=True).id
PEER, BEYOND, TWIN, STRANGER = (f"vpc-0000000000000000{letter}" for letter in "bcde")
"""Peered with the first; peered with that one only; of the first one's very addresses; known to nobody."""
_NUMBERS = {PEER: 1, BEYOND: 2, STRANGER: 9}
CAFE = Site("cafe", IPv4Address("198.19.0.1"))
PREFIXES = (ip_network("10.0.1.32/28"), ip_network("2001:db8:0:1:5::/80"))
_PEERINGS = {"pcx-0000000000000000f": (HOME, PEER), "pcx-0000000000000000e": (PEER, BEYOND)}


def _public(made: Port, number: int) -> Port:
    assert isinstance(made.addresses[0], IPv4Address)
    return replace(made, public=((made.addresses[0], IPv4Address(f"198.18.0.{number}")),))


def _beside(number: int, **changes: object) -> Port:
    """In the first VPC's other subnet."""
    addresses = (ip_address(f"10.0.2.{number}"), ip_address(f"2001:db8:0:2::{number:x}"))
    return port(number, subnet=OTHER, addresses=addresses, **changes)


PRIMARY = _public(port(5, "i-1"), 5)
SECONDARY = _beside(15, instance="i-1", device_index=1)
VICTIM = _public(port(6), 6)
UNCHECKED = _public(port(7, source_dest_check=False), 7)
DELEGATED = port(8, prefixes=PREFIXES)
PRIVATE = _beside(9, route_table_id="rtb-private")
NAT = _public(
    _beside(
        20,
        instance="nat-00000000000000020",
        groups=(),
        source_dest_check=False,
        device_index=1,
        appliance=Appliance.NAT_GATEWAY,
    ),
    20,
)
NAT = replace(NAT, addresses=NAT.addresses[:1])
LOGGED = port(10, logged=True)


def _foreign(vpc_id: str, number: int, subnet: Subnet) -> Port:
    letter = vpc_id[-1]
    made = port(
        number,
        f"i-{letter}{number}",
        0x1000 * int(letter, 16) + number,
        id=f"eni-{letter}{number}",
        vpc_id=vpc_id,
        subnet=subnet,
        route_table_id=f"rtb-{letter}",
        groups=(f"sg-{letter}",),
        mac=f"02:e{letter}:00:00:00:{number:02x}",
    )
    hosts = tuple(block.network_address + number for block in subnet.blocks)
    return replace(made, addresses=hosts)


def _foreign_subnet(vpc_id: str) -> Subnet:
    if vpc_id == TWIN:
        return SUBNET
    number = _NUMBERS[vpc_id]
    return Subnet(
        f"subnet-{vpc_id[-1]}", (ip_network(f"10.{number}.1.0/24"), ip_network(f"2001:db8:{number:x}00::/64"))
    )


def _foreign_vpc(vpc_id: str) -> Vpc:
    subnet = _foreign_subnet(vpc_id)
    blocks = tuple(subnet.blocks[0].supernet(new_prefix=16) if b.version == 4 else b for b in subnet.blocks)
    return vpc(vpc_id, blocks=blocks, subnets=(subnet,), internet=vpc_id == STRANGER)


FOREIGN = tuple(
    _public(made, 100 + made.addresses[0].packed[1]) if vpc_id == STRANGER else made
    for vpc_id in (PEER, BEYOND, TWIN, STRANGER)
    for made in (_foreign(vpc_id, number, _foreign_subnet(vpc_id)) for number in (5, 6))
    if vpc_id != STRANGER or made.addresses[0].packed[3] == 5
)
PORTS = (PRIMARY, SECONDARY, VICTIM, UNCHECKED, DELEGATED, PRIVATE, LOGGED, *FOREIGN)
"""All that have a guest."""
VPCS = {HOME: vpc(internet=True), **{vpc_id: _foreign_vpc(vpc_id) for vpc_id in (PEER, BEYOND, TWIN, STRANGER)}}


def records() -> list[Record]:
    """In an order in which they may come."""
    vpcs = {id_: replace(each, peerings=tuple(_peerings(id_))) for id_, each in VPCS.items()}
    out = (Route(EVERYWHERE, TargetKind.INTERNET), Route(EVERYWHERE6, TargetKind.INTERNET))
    through = Route(EVERYWHERE, TargetKind.PORT, NAT.id, NAT.addresses[0])
    tables = [table(*_ways(HOME), *out), table(*_ways(HOME), through, name="rtb-private")]
    groups = [group()]
    for id_ in VPCS.keys() - {HOME}:
        tables.append(table(*_ways(id_), *(out if id_ == STRANGER else ()), name=f"rtb-{id_[-1]}", owner=id_))
        groups.append(group(f"sg-{id_[-1]}", owner=id_))
    return [*vpcs.values(), *tables, *groups, CAFE, NAT, *PORTS]


def _peerings(vpc_id: str) -> list[Peering]:
    """From the side of one VPC."""
    return [
        Peering(id_, other, VPCS[other].blocks)
        for id_, pair in _PEERINGS.items()
        if vpc_id in pair
        for other in pair
        if other != vpc_id
    ]


def _ways(vpc_id: str) -> list[Route]:
    """To the peers; and to the peers' peers as well, which leads nowhere."""
    direct = [Route(block, TargetKind.PEERING, peering.id) for peering in _peerings(vpc_id) for block in peering.blocks]
    first = _peerings(vpc_id)[0].id if _peerings(vpc_id) else ""
    beyond = {HOME: BEYOND, BEYOND: HOME}.get(vpc_id)
    return direct + [Route(block, TargetKind.PEERING, first) for block in (VPCS[beyond].blocks if beyond else ())]
