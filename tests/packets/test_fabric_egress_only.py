"""Egress-only internet gateways: IPv6 goes out, replies come back, and nobody comes in."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from fabric_lab import EVERYWHERE6, SUBNET, Lab, delivers, group, nothing_for, port, table, until, vpc

from enid.topology.records import Port, Route, Subnet, TargetKind

pytestmark = pytest.mark.root

TWIN = vpc("vpc-0000000000000000b", internet=True, blocks=(ip_network("10.9.0.0/16"), ip_network("2001:db8:100::/56")))
FAR = port(
    7,
    attachment=0x107,
    vpc_id=TWIN.id,
    route_table_id="rtb-far",
    groups=("sg-far",),
    addresses=(ip_address("10.9.1.7"), ip_address("2001:db8:100::7")),
    subnet=Subnet("subnet-far", (ip_network("10.9.1.0/24"), ip_network("2001:db8:100::/64"))),
)
"""A host of the internet with IPv6."""
FAR_TABLE = table(Route(EVERYWHERE6, TargetKind.INTERNET), name="rtb-far", owner=TWIN.id)
OUTWARD = table(Route(EVERYWHERE6, TargetKind.EGRESS_ONLY), name="rtb-egress")
OPEN = table(Route(EVERYWHERE6, TargetKind.INTERNET))
A = port(5, route_table_id="rtb-egress")
B = port(6, subnet=SUBNET)
HERE, OPEN_HERE, THERE = A.addresses[1], B.addresses[1], FAR.addresses[1]


@pytest.fixture
def online(lab: Lab) -> Lab:
    """A goes out through an egress-only gateway, B through an internet gateway of the same VPC."""
    far = replace(TWIN, subnets=(FAR.subnet,))
    lab.apply(far, group("sg-far", owner=TWIN.id), FAR_TABLE, FAR)
    lab.apply(vpc(internet=True, egress_only=True), group(), OUTWARD, OPEN, A, B)
    return lab


def refused(lab: Lab, plug: Port) -> None:
    """What FAR sends to the port's IPv6 address does not arrive, and is counted."""
    address = plug.addresses[1]
    receiver = lab.guest(plug).udp(address, 53)
    before = lab.dropped("no_public_address")
    lab.guest(FAR).udp(THERE).sendto(b"let me in", (str(address), 53))
    until(lambda: lab.dropped("no_public_address") == before + 1, "it is dropped at the gateway")
    assert nothing_for(receiver)


def test_ipv6_goes_out_and_its_replies_come_back(online: Lab) -> None:
    sender, receiver = online.guest(A).udp(HERE, 4000), online.guest(FAR).udp(THERE, 53)
    assert delivers(sender, receiver, THERE) == str(HERE)
    assert delivers(receiver, sender, HERE, 4000) == str(THERE)
    assert online.guest(A).pings(THERE)


def test_nobody_comes_in_although_the_vpc_has_an_internet_gateway_too(online: Lab) -> None:
    refused(online, A)
    assert not online.guest(FAR).pings(HERE)
    receiver = online.guest(B).udp(OPEN_HERE, 53)
    assert delivers(online.guest(FAR).udp(THERE), receiver, OPEN_HERE) == str(THERE)


def test_without_an_internet_gateway_it_works_as_well(online: Lab) -> None:
    hole = table(Route(EVERYWHERE6, TargetKind.BLACKHOLE))
    online.apply(vpc(egress_only=True), hole)
    sender, receiver = online.guest(A).udp(HERE, 4000), online.guest(FAR).udp(THERE, 53)
    assert delivers(sender, receiver, THERE) == str(HERE)
    assert delivers(receiver, sender, HERE, 4000) == str(THERE)
    refused(online, A)
    refused(online, B)


def test_no_way_in_without_a_route_out(online: Lab) -> None:
    online.apply(table())
    refused(online, B)


def test_a_route_table_that_turns_to_the_internet_gateway_opens_and_closes(online: Lab) -> None:
    opened = table(Route(EVERYWHERE6, TargetKind.INTERNET), name="rtb-egress")
    online.apply(opened)
    receiver = online.guest(A).udp(HERE, 54)
    assert delivers(online.guest(FAR).udp(THERE), receiver, HERE) == str(THERE)
    online.apply(OUTWARD)
    refused(online, A)


def test_an_interface_takes_the_rules_of_the_table_it_uses_now(online: Lab) -> None:
    online.apply(replace(A, route_table_id="rtb-main"))
    receiver = online.guest(A).udp(HERE, 54)
    assert delivers(online.guest(FAR).udp(THERE), receiver, HERE) == str(THERE)
    online.apply(A)
    refused(online, A)


def test_a_deleted_gateway_ends_it_and_running_flows(online: Lab) -> None:
    sender, receiver = online.guest(A).udp(HERE, 4000), online.guest(FAR).udp(THERE, 53)
    delivers(sender, receiver, THERE)
    online.apply(vpc(), table(Route(EVERYWHERE6, TargetKind.BLACKHOLE), name="rtb-egress"), table())
    sender.sendto(b"x", (str(THERE), 53))
    until(lambda: online.dropped("no_route") == 1, "no way out")
    receiver.sendto(b"x", (str(HERE), 4000))
    assert nothing_for(receiver)
    assert nothing_for(sender)


def test_a_new_agent_keeps_it_so(online: Lab) -> None:
    sender, receiver = online.guest(A).udp(HERE, 4000), online.guest(FAR).udp(THERE, 53)
    delivers(sender, receiver, THERE)
    online.restart()
    assert delivers(receiver, sender, HERE, 4000) == str(THERE)
    refused(online, A)
