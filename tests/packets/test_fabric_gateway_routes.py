"""Appliances that pass packets on as they are: gateways' route tables, and routes within the VPC."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from fabric_lab import EVERYWHERE, OTHER, SUBNET, Lab, delivers, group, nothing_for, port, table, until, vpc

from enid.topology.records import Port, Route, RouteTable, Site, TargetKind, VpnLink

pytestmark = pytest.mark.root

Q, R = IPv4Address("198.18.0.5"), IPv4Address("198.18.0.6")
CAFE = Site("cafe", IPv4Address("198.19.0.1"))
OFFICE = Site("office", ip_address("198.18.255.1"), ip_network("172.16.0.0/24"), ip_address("172.16.0.10"))
LINK = VpnLink("vpn-0000000000000000a", "office", (ip_network("172.16.0.0/24"),))
SERVER = replace(port(5, groups=("sg-server",)), public=((IPv4Address("10.0.1.5"), Q),))
NEIGHBOUR = port(6)
BOX = port(
    9,
    subnet=OTHER,
    addresses=(ip_address("10.0.2.9"), ip_address("2001:db8:0:2::9")),
    route_table_id="rtb-box",
    groups=("sg-box",),
    source_dest_check=False,
    public=((IPv4Address("10.0.2.9"), R),),
)


def through_the_box(destination: object) -> Route:
    return Route(ip_network(str(destination)), TargetKind.PORT, BOX.id, BOX.addresses[0])


OUT = table(Route(EVERYWHERE, TargetKind.INTERNET), name="rtb-box")
INSPECTED = table(through_the_box(EVERYWHERE))
EDGE = table(through_the_box(SUBNET.blocks[0]), name="rtb-edge")
ONLINE = vpc(internet=True, internet_table=EDGE.id)


def inspect(lab: Lab, *tables: RouteTable, others: tuple[Port, ...] = ()) -> None:
    """A server behind an appliance that passes everything on, and a place on the internet."""
    lab.apply(ONLINE, group(), group("sg-server"), group("sg-box"), CAFE, *tables, SERVER, BOX, *others)
    lab.guest(BOX).run("sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0")
    lab.guest(BOX).run("sysctl -qw net.ipv4.conf.eth0.send_redirects=0")
    lab.site("cafe")


def passed_on(lab: Lab) -> int:
    """Packets the appliance has forwarded."""
    heads, counts = lab.guest(BOX).run("grep ^Ip: /proc/thread-self/net/snmp").stdout.splitlines()
    return int(dict(zip(heads.split(), counts.split(), strict=True))["ForwDatagrams"])


def test_what_the_internet_sends_comes_by_the_appliance_and_goes_back_that_way(lab: Lab) -> None:
    inspect(lab, INSPECTED, OUT, EDGE)
    inside, outside = lab.guest(SERVER).udp(SERVER.addresses[0], 53), lab.guests["site cafe"].udp(CAFE.public_ip, 53)
    assert delivers(outside, inside, Q) == str(CAFE.public_ip)
    assert delivers(inside, outside, CAFE.public_ip) == str(Q)
    assert passed_on(lab) == 2
    first = lab.guest(SERVER).udp(SERVER.addresses[0])
    assert delivers(first, outside, CAFE.public_ip) == str(Q), "so does what the server begins"
    assert delivers(outside, first, Q, first.getsockname()[1]) == str(CAFE.public_ip)
    assert passed_on(lab) == 4
    assert lab.guests["site cafe"].pings(Q)


def test_both_the_appliances_groups_and_the_receivers_are_asked(lab: Lab) -> None:
    inspect(lab, INSPECTED, OUT, EDGE)
    inside, outside = lab.guest(SERVER).udp(SERVER.addresses[0], 53), lab.guests["site cafe"].udp(CAFE.public_ip)
    for closed in ("sg-server", "sg-box"):
        lab.apply(group(closed, ingress=()))
        before, there = lab.dropped("ingress_denied"), passed_on(lab)
        lab.guests["site cafe"].udp(CAFE.public_ip).sendto(b"x", (str(Q), 53))
        until(lambda before=before: lab.dropped("ingress_denied") == before + 1, closed)  # type: ignore[misc]
        assert passed_on(lab) - there == (closed == "sg-server")
        lab.apply(group(closed))
    assert nothing_for(inside)
    delivers(outside, inside, Q)


def test_without_its_route_table_the_gateway_goes_straight_to_an_address(lab: Lab) -> None:
    inspect(lab, INSPECTED, OUT, EDGE)
    outside = lab.guests["site cafe"].udp(CAFE.public_ip)
    inside = lab.guest(SERVER).udp(SERVER.addresses[0], 53)
    lab.apply(replace(ONLINE, internet_table=""))
    delivers(outside, inside, Q)
    assert passed_on(lab) == 0
    lab.apply(ONLINE)
    lab.restart()
    delivers(lab.guests["site cafe"].udp(CAFE.public_ip), inside, Q)
    assert passed_on(lab) == 1, "a new agent keeps it"
    lab.remove(BOX)
    outside.sendto(b"into the black hole of an appliance that is gone", (str(Q), 53))
    lab.apply(replace(ONLINE, internet_table=""))
    outside.sendto(b"straight", (str(Q), 53))
    assert inside.recv(10) == b"straight"


def test_what_a_vpn_brings_comes_by_the_appliance(lab: Lab) -> None:
    to_office = Route(ip_network("172.16.0.0/24"), TargetKind.VPN, LINK.id)
    lab.apply(OFFICE, group(), group("sg-server"), group("sg-box"))
    lab.apply(vpc(vpn=(LINK,), vpn_table=EDGE.id), table(through_the_box("172.16.0.0/24")), EDGE, SERVER, BOX)
    lab.apply(table(to_office, name="rtb-box"))
    lab.guest(BOX).run("sysctl -qw net.ipv4.ip_forward=1")
    at_office, inside = lab.site("office").udp("172.16.0.10", 53), lab.guest(SERVER).udp(SERVER.addresses[0], 53)
    assert delivers(at_office, inside, SERVER.addresses[0]) == "172.16.0.10"
    assert delivers(inside, at_office, "172.16.0.10") == str(SERVER.addresses[0])
    assert passed_on(lab) == 2


def test_both_directions_within_the_vpc_come_by_the_appliance_and_a_reply_is_known(lab: Lab) -> None:
    """The groups of who asked need not let the answer in."""
    asking = port(7, groups=("sg-shut",))
    away = port(20, subnet=OTHER, addresses=(ip_address("10.0.2.20"),), route_table_id="rtb-other")
    there, back = through_the_box("10.0.2.0/24"), through_the_box("10.0.1.0/24")
    lab.apply(group("sg-shut", ingress=()))
    inspect(lab, table(there), table(back, name="rtb-other"), OUT, EDGE, others=(asking, away))
    for agent in range(2):
        sender, receiver = lab.guest(asking).udp(asking.addresses[0]), lab.guest(away).udp(away.addresses[0], 53)
        assert delivers(sender, receiver, away.addresses[0]) == str(asking.addresses[0])
        assert delivers(receiver, sender, asking.addresses[0], sender.getsockname()[1]) == str(away.addresses[0])
        assert passed_on(lab) == 2 * agent + 2
        receiver.close()
        lab.restart()
    assert lab.guest(asking).pings(away.addresses[0])


def test_within_a_subnet_nothing_is_routed(lab: Lab) -> None:
    """A route to all of the VPC, in place of the local one, takes what leaves the subnet and nothing else."""
    away = port(
        20,
        subnet=OTHER,
        addresses=(ip_address("10.0.2.20"), ip_address("2001:db8:0:2::20")),
        route_table_id="rtb-box",
        groups=("sg-server",),
    )
    inspect(lab, table(through_the_box("10.0.0.0/16")), OUT, EDGE, others=(NEIGHBOUR, away))
    sender = lab.guest(SERVER).udp(SERVER.addresses[0])
    delivers(sender, lab.guest(NEIGHBOUR).udp(NEIGHBOUR.addresses[0], 53), NEIGHBOUR.addresses[0])
    assert not lab.guest(SERVER).pings("10.0.1.77"), "nobody in the subnet has it"
    assert passed_on(lab) == 0
    delivers(sender, lab.guest(away).udp(away.addresses[0], 53), away.addresses[0])
    assert passed_on(lab) == 1
