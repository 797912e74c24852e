"""Prefixes: packets for any address of one arrive at its port, which may send from any; groups know them; they move."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from fabric_lab import ANY, EVERYWHERE, Guest, Lab, delivers, group, nothing_for, port, table, udp_frame, until, vpc

from enid.topology.reach import reach
from enid.topology.records import Change, Port, Route, Rule, TargetKind

pytestmark = pytest.mark.root

UDP = 17
PREFIXES = (ip_network("10.0.1.32/28"), ip_network("2001:db8:0:1:5::/80"))
INSIDE: dict[int, IPv4Address | IPv6Address] = {4: ip_address("10.0.1.47"), 6: ip_address("2001:db8:0:1:5:ffff::9")}
BESIDE: dict[int, IPv4Address | IPv6Address] = {4: ip_address("10.0.1.48"), 6: ip_address("2001:db8:0:1:6::9")}
A, B = port(5), port(6, prefixes=PREFIXES)


def contain(guest: Guest, *addresses: object) -> None:
    """The guest gives addresses of its prefix to a container: here simply to its loopback."""
    for address in addresses:
        version = 6 if ":" in str(address) else 4
        assert guest.run(f"ip -{version} address add {address}/{32 if version == 4 else 128} dev lo").returncode == 0
    if any(":" in str(address) for address in addresses):
        sixes = [address for address in addresses if ":" in str(address)]
        until(lambda: all(str(one) in guest.run("ip -6 route show table local").stdout for one in sixes), "addresses")


@pytest.mark.parametrize("version", [4, 6])
def test_every_address_of_a_prefix_arrives_and_may_speak(lab: Lab, version: int) -> None:
    lab.apply(vpc(), group(), table(), A, B)
    contain(lab.guest(B), INSIDE[version])
    near, far = lab.guest(A).udp(A.addresses[version == 6], 999), lab.guest(B).udp(INSIDE[version], 53)
    assert delivers(near, far, INSIDE[version]) == str(A.addresses[version == 6])
    assert delivers(far, near, A.addresses[version == 6]) == str(INSIDE[version])
    fresh = lab.guest(B).udp(INSIDE[version], 54)
    delivers(fresh, near, A.addresses[version == 6])


@pytest.mark.parametrize("version", [4, 6])
def test_what_lies_beside_the_prefix_neither_arrives_nor_may_speak(lab: Lab, version: int) -> None:
    lab.apply(vpc(), group(), table(), A, B)
    contain(lab.guest(B), BESIDE[version])
    near, ear = lab.guest(A).udp(A.addresses[version == 6], 999), lab.guest(B).udp(BESIDE[version], 53)
    before = lab.dropped("no_route")
    lab.guest(A).frame("eth0", udp_frame(A.mac, vpc().id, A.addresses[version == 6], BESIDE[version], 53))
    until(lambda: lab.dropped("no_route") == before + 1, "nobody has it")
    assert nothing_for(ear)
    lab.guest(B).udp(BESIDE[version]).sendto(b"x", (str(A.addresses[version == 6]), 999))
    until(lambda: lab.dropped("spoof") == 1, "not its address")
    assert nothing_for(near)


@pytest.mark.parametrize("version", [4, 6])
def test_a_neighbour_cannot_pretend_to_be_in_the_prefix(lab: Lab, version: int) -> None:
    lab.apply(vpc(), group(), table(), A, B)
    ear = lab.guest(B).udp(B.addresses[version == 6], 53)
    frame = udp_frame(A.mac, vpc().id, INSIDE[version], B.addresses[version == 6], 53)
    lab.guest(A).frame("eth0", frame)
    until(lambda: lab.dropped("spoof") == 1, "the prefix is another's")
    assert nothing_for(ear)


@pytest.mark.parametrize("version", [4, 6])
def test_a_reference_to_a_group_matches_the_prefixes_of_its_members(lab: Lab, version: int) -> None:
    closed = group("sg-closed", ingress=[Rule(UDP, 53, 53, group="sg-web")], egress=ANY)
    a, b = port(5, groups=("sg-closed",)), replace(B, groups=("sg-open", "sg-web"), prefixes=())
    lab.apply(vpc(), table(), group(), group("sg-web"), closed, a, b)
    b = replace(b, prefixes=PREFIXES)
    lab.apply(b)
    contain(lab.guest(b), INSIDE[version])
    ear = lab.guest(a).udp(a.addresses[version == 6], 53)
    delivers(lab.guest(b).udp(INSIDE[version]), ear, a.addresses[version == 6])
    lab.apply(replace(b, groups=("sg-open",)))
    lab.guest(b).udp(INSIDE[version], 777).sendto(b"x", (str(a.addresses[version == 6]), 53))
    until(lambda: lab.dropped("ingress_denied") == 1, "no member any more")
    assert nothing_for(ear)


def test_a_group_that_comes_after_its_members_refers_to_their_prefixes_too(lab: Lab) -> None:
    b = replace(B, groups=("sg-open", "sg-web"))
    lab.apply(vpc(), table(), group(), group("sg-web"), A, b)
    lab.apply(group("sg-late", ingress=[Rule(UDP, 53, 53, group="sg-web")]))
    a = replace(A, groups=("sg-late",))
    lab.apply(a)
    contain(lab.guest(b), INSIDE[4])
    delivers(lab.guest(b).udp(INSIDE[4]), lab.guest(a).udp(a.addresses[0], 53), a.addresses[0])


def test_a_prefix_is_found_from_a_subnet_with_a_route_table_of_its_own(lab: Lab) -> None:
    """Then routes of a table are chosen by a mark, and local ones must be found before."""
    nowhere = table(Route(EVERYWHERE, TargetKind.BLACKHOLE), name="rtb-own")
    a = replace(A, route_table_id="rtb-own")
    lab.apply(vpc(), group(), table(), nowhere, a, B)
    contain(lab.guest(B), *INSIDE.values())
    for version, address in INSIDE.items():
        near, far = lab.guest(a).udp(a.addresses[version == 6], 999), lab.guest(B).udp(address, 53)
        delivers(near, far, address)
        delivers(far, near, a.addresses[version == 6])


def test_an_interface_without_ipv6_addresses_may_have_an_ipv6_prefix(lab: Lab) -> None:
    b = replace(B, addresses=B.addresses[:1])
    lab.apply(vpc(), group(), table(), A, b)
    contain(lab.guest(b), INSIDE[6])
    near, far = lab.guest(A).udp(A.addresses[1], 999), lab.guest(b).udp(INSIDE[6], 53)
    delivers(near, far, INSIDE[6])
    delivers(far, near, A.addresses[1])


def test_a_prefix_follows_its_interface_and_leaves_no_flow_behind(lab: Lab) -> None:
    lab.apply(vpc(), group(), table(), A, B)
    contain(lab.guest(B), *INSIDE.values())
    near = {4: lab.guest(A).udp(A.addresses[0], 999), 6: lab.guest(A).udp(A.addresses[1], 999)}
    old = {version: lab.guest(B).udp(address, 53) for version, address in INSIDE.items()}
    for version, address in INSIDE.items():
        delivers(near[version], old[version], address)
    there = replace(B, instance_id="i-other", attachment_id="eni-attach-00000000000001000")
    lab.apply(there)
    contain(lab.guest(there), *INSIDE.values())
    for version, address in INSIDE.items():
        far = lab.guest(there).udp(address, 53)
        delivers(near[version], far, address)
        delivers(far, near[version], A.addresses[version == 6])
        assert nothing_for(old[version]), "the old holder hears nothing"
    lab.apply(replace(there, prefixes=()))
    before = lab.dropped("no_route")
    near[4].sendto(b"x", (str(INSIDE[4]), 53))
    until(lambda: lab.dropped("no_route") == before + 1, "the tracked flow went with the prefix")


def test_a_new_agent_keeps_prefixes(lab: Lab) -> None:
    lab.apply(vpc(), group(), table(), A, B)
    contain(lab.guest(B), INSIDE[4])
    near, far = lab.guest(A).udp(A.addresses[0], 999), lab.guest(B).udp(INSIDE[4], 53)
    delivers(near, far, INSIDE[4])
    lab.restart()
    delivers(near, far, INSIDE[4])
    delivers(far, near, A.addresses[0])
    gone = lab.world.pop(B.key)
    assert isinstance(gone, Port)
    lab.world[B.key] = replace(gone, prefixes=())
    lab.restart()
    far.sendto(b"x", (str(A.addresses[0]), 999))
    until(lambda: lab.dropped("spoof") == 1, "the prefix went while no agent looked")


def test_the_oracle_says_the_same(lab: Lab) -> None:
    lab.apply(vpc(), group(), table(), A, B)
    for version in (4, 6):
        assert reach(lab.world, A.id, str(INSIDE[version]), "udp/53").reachable
        assert reach(lab.world, str(INSIDE[version]), A.id, "udp/53").reachable
        assert not reach(lab.world, A.id, str(BESIDE[version]), "udp/53").reachable
    assert lab.fabric.apply([Change(B, None)]) == {}
    lab.world.pop(B.key)
    assert not reach(lab.world, A.id, str(INSIDE[4]), "udp/53").reachable


@pytest.mark.parametrize("died", [False, True], ids=["told", "found by a new agent"])
def test_untracked_flows_of_a_prefix_end_with_their_rule(lab: Lab, died: bool) -> None:
    shut, b = group("sg-b", ingress=()), replace(B, groups=("sg-b",))
    lab.apply(vpc(), group(), group("sg-b"), table(), A, b)
    contain(lab.guest(b), *INSIDE.values())
    ends = [(lab.guest(A).udp(A.addresses[version == 6]), lab.guest(b).udp(INSIDE[version], 53)) for version in (4, 6)]
    for near, far in ends:
        delivers(near, far, far.getsockname()[0])
    if died:
        lab.world[shut.key] = shut
        lab.restart()
    else:
        lab.apply(shut)
    for near, far in ends:
        near.sendto(b"again", far.getsockname()[:2])
    until(lambda: lab.dropped("ingress_denied") == 2)
    assert all(nothing_for(far) for _, far in ends)
