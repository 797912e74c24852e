"""Route tables: one or several, appliances, black holes, sites behind VPNs."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from fabric_lab import BLOCKS, EVERYWHERE, OTHER, Guest, Lab, delivers, group, nothing_for, port, table, until, vpc

from enid.topology.records import Port, Route, Site, TargetKind, VpnLink

pytestmark = pytest.mark.root

A, B = port(5), port(6)
FAR = ip_address("192.168.7.7")
OFFICE = Site("office", ip_address("198.18.255.1"), ip_network("172.16.0.0/24"), ip_address("172.16.0.10"))
LINK = VpnLink("vpn-0000000000000000a", "office", (ip_network("172.16.0.0/24"),))


def other(number: int, **changes: object) -> Port:
    """An interface of the other subnet, with its own route table."""
    address = (ip_address(f"10.0.2.{number}"), ip_address(f"2001:db8:0:2::{number:x}"))
    return port(number, subnet=OTHER, addresses=address, route_table_id="rtb-other", **changes)


def appliance(number: int = 9, **changes: object) -> Port:
    return port(number, source_dest_check=False, **changes)


def via(target: Port, destination: str = "192.168.0.0/16") -> Route:
    return Route(ip_network(destination), TargetKind.PORT, target.id, target.addresses[0])


def own_address(guest: Guest, address: object) -> None:
    guest.run(f"ip address add {address}/32 dev lo")


def forwards(guest: Guest) -> None:
    guest.run("sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0")


def test_a_route_leads_through_an_interface(lab: Lab) -> None:
    box = appliance()
    lab.apply(vpc(), group(), table(via(box)), A, box)
    own_address(lab.guest(box), FAR)
    receiver = lab.guest(box).udp(FAR, 53)
    delivers(lab.guest(A).udp(A.addresses[0]), receiver, FAR)
    moved = replace(box, instance_id="i-spare", attachment_id="eni-attach-00000000000000099")
    lab.apply(moved)
    own_address(lab.guest(moved), FAR)
    delivers(lab.guest(A).udp(A.addresses[0]), lab.guest(moved).udp(FAR, 53), FAR)
    assert nothing_for(receiver)


@pytest.mark.parametrize("how", ["check on", "absent", "blackhole", "no route"])
def test_a_route_that_leads_nowhere_drops(lab: Lab, how: str) -> None:
    box = port(9) if how == "check on" else appliance()
    route = Route(ip_network("192.168.0.0/16"), TargetKind.BLACKHOLE) if how == "blackhole" else via(box)
    lab.apply(vpc(), group(), table(*() if how == "no route" else (route,)), A)
    if how != "absent":
        lab.apply(box)
        own_address(lab.guest(box), FAR)
        receiver = lab.guest(box).udp(FAR, 53)
    lab.guest(A).udp(A.addresses[0]).sendto(b"x", (str(FAR), 53))
    until(lambda: lab.dropped("no_route") == 1, "counted as no route")
    assert how == "absent" or nothing_for(receiver)


def test_a_dead_appliances_route_is_a_black_hole_and_not_the_next_best(lab: Lab) -> None:
    dying, other_box = appliance(9), appliance(10)
    lab.apply(vpc(), group(), table(via(dying), via(other_box, "0.0.0.0/0")), A, dying, other_box)
    own_address(lab.guest(other_box), FAR)
    ear = lab.guest(other_box).udp(FAR, 53)
    lab.guests.pop(dying.instance_id).close()
    sender = lab.guest(A).udp(A.addresses[0])

    def lost() -> bool:
        sender.sendto(b"x", (str(FAR), 53))
        return lab.dropped("no_route") > 0

    until(lost, "nobody tells the fabric, and still the packet is dropped")
    assert nothing_for(ear)


def test_a_subnets_route_table_is_for_its_own_packets(lab: Lab) -> None:
    one, two = appliance(9), appliance(10)
    lab.apply(vpc(), group(), table(via(one)), table(via(two), name="rtb-other"), A, one, two)
    c = other(20)
    lab.apply(c)
    for box in (one, two):
        own_address(lab.guest(box), FAR)
    at_one, at_two = lab.guest(one).udp(FAR, 53), lab.guest(two).udp(FAR, 53)
    delivers(lab.guest(A).udp(A.addresses[0]), at_one, FAR)
    delivers(lab.guest(c).udp(c.addresses[0]), at_two, FAR)
    for version in (0, 1):
        receiver = lab.guest(c).udp(c.addresses[version], 53)
        delivers(lab.guest(A).udp(A.addresses[version]), receiver, c.addresses[version])
    lab.apply(table(via(two)), table(name="rtb-other"))
    delivers(lab.guest(A).udp(A.addresses[0]), at_two, FAR)
    before = lab.dropped("no_route")
    lab.guest(c).udp(c.addresses[0]).sendto(b"x", (str(FAR), 53))
    until(lambda: lab.dropped("no_route") == before + 1, "the other table has no such route any more")


def test_going_over_to_several_route_tables_and_back_loses_no_packet(lab: Lab) -> None:
    box, c = appliance(), other(20)
    lab.apply(vpc(), group(), table(via(box)), table(name="rtb-other"), A, B, box)
    own_address(lab.guest(box), FAR)
    sender = lab.guest(A).udp(A.addresses[0])
    at_box, at_b = lab.guest(box).udp(FAR, 53), lab.guest(B).udp(B.addresses[0], 53)
    for _ in range(5):
        for change in (lab.apply, lab.remove):
            sender.sendto(b"before", (str(FAR), 53))
            change(c)
            sender.sendto(b"after", (str(FAR), 53))
            assert [at_box.recv(10), at_box.recv(10)] == [b"before", b"after"]
            delivers(sender, at_b, B.addresses[0])


def test_a_route_within_the_vpc_sends_a_subnets_traffic_through_an_appliance(lab: Lab) -> None:
    """The appliance passes the packet on, and the receiver's gate sees it then."""
    box, c = appliance(route_table_id="rtb-box"), other(20, groups=("sg-c",))
    lab.apply(vpc(), group(), group("sg-c", ingress=()), A, box, c)
    lab.apply(table(via(box, "10.0.2.0/24")), table(name="rtb-box"), table(name="rtb-other"))
    forwards(lab.guest(box))
    sender, receiver = lab.guest(A).udp(A.addresses[0]), lab.guest(c).udp(c.addresses[0], 53)
    sender.sendto(b"x", (str(c.addresses[0]), 53))
    until(lambda: lab.dropped("ingress_denied") == 1, "passing the appliance does not open the receiver's gate")
    assert nothing_for(receiver)
    lab.apply(group("sg-c"))
    delivers(sender, receiver, c.addresses[0])
    delivers(receiver, sender, A.addresses[0])
    hops = lab.guest(A).run(f"ping -n -c1 -W2 {c.addresses[0]}").stdout
    assert "ttl=63" in hops, hops  # the answer comes back directly: only A's table has the route
    lab.remove(box)
    before = lab.dropped("no_route")
    sender.sendto(b"x", (str(c.addresses[0]), 53))
    until(lambda: lab.dropped("no_route") == before + 1, "its route is a black hole now")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_a_site_is_reached_through_its_vpn_whichever_comes_first(lab: Lab, order: tuple[int, ...]) -> None:
    routed = table(Route(ip_network("172.16.0.0/24"), TargetKind.VPN, LINK.id))
    lab.apply(vpc(), group())
    steps = [OFFICE, vpc(vpn=(LINK,)), routed]
    for step in order:
        lab.apply(steps[step])
    lab.apply(A)
    office = lab.site("office")
    at_office = office.udp("172.16.0.10", 53)
    sender = lab.guest(A).udp(A.addresses[0], 1000)
    assert delivers(sender, at_office, "172.16.0.10") == str(A.addresses[0])
    assert delivers(at_office, lab.guest(A).udp(A.addresses[0], 1001), A.addresses[0], 1001) == "172.16.0.10"
    told = lab.guest(A).run("ping -n -M do -s 1473 -c1 -W2 172.16.0.10").stdout
    assert "mtu=1500" in told.replace(" = ", "="), "a VPN carries what the internet does"
    lab.remove(OFFICE)
    before = lab.dropped("no_route")
    sender.sendto(b"x", ("172.16.0.10", 53))
    until(lambda: lab.dropped("no_route") == before + 1, "nobody is there")


def test_a_site_may_not_pretend_to_be_in_the_vpc_nor_pass_through_it(lab: Lab) -> None:
    lab.apply(OFFICE, vpc(vpn=(LINK,)), group(), table(Route(EVERYWHERE, TargetKind.VPN, LINK.id)), A)
    office = lab.site("office")
    own_address(office, "10.0.1.77")
    office.udp("10.0.1.77").sendto(b"x", (str(A.addresses[0]), 53))
    until(lambda: lab.dropped("spoof") == 1, "an inside source from outside")
    office.run("ip route add 192.0.2.0/24 via 100.64.0.2 dev n0000000000000a onlink")
    office.udp("172.16.0.10").sendto(b"x", ("192.0.2.1", 53))
    until(lambda: lab.dropped("between_gateways") == 1, "from one gateway to another")


def test_blocks_may_be_added_to_a_vpc(lab: Lab) -> None:
    lab.apply(vpc(), group(), table(), A)
    wide = vpc(blocks=(ip_network("10.1.0.0/16"), *BLOCKS))
    lab.apply(wide)
    lab.guest(A).udp(A.addresses[0]).sendto(b"x", ("10.1.0.1", 53))
    until(lambda: lab.dropped("no_route") == 1, "nobody there")


def test_a_block_that_a_route_led_to_leads_no_further_than_the_vpc(lab: Lab) -> None:
    box = appliance()
    lab.apply(vpc(), group(), table(via(box, "10.7.0.0/16")), A, box)
    assert "10.7.0.0/16 via" in lab.router().run("ip route").stdout
    lab.apply(vpc(blocks=(*BLOCKS, ip_network("10.7.0.0/16"))))
    assert "unreachable 10.7.0.0/16" in lab.router().run("ip route").stdout
