"""Public addresses: in, out, around the corner, and gone at once when they go."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

import pytest
from fabric_lab import EVERYWHERE, EVERYWHERE6, Lab, delivers, group, nothing_for, port, table, until, vpc

from enid.topology.records import Port, Route, Site, Subnet, TargetKind

pytestmark = pytest.mark.root

Q, R = IPv4Address("198.18.0.5"), IPv4Address("198.18.0.6")
OUT = table(Route(EVERYWHERE, TargetKind.INTERNET), Route(EVERYWHERE6, TargetKind.INTERNET))
CAFE = Site("cafe", IPv4Address("198.19.0.1"))
_MTU_DISCOVER, _DO_NOT = 10, 0


def public(number: int, address: IPv4Address, **changes: object) -> Port:
    plain = port(number, **changes)
    assert isinstance(plain.addresses[0], IPv4Address)
    return replace(plain, public=((plain.addresses[0], address),))


A, B = public(5, Q), port(6)


@pytest.fixture
def online(lab: Lab) -> Lab:
    lab.apply(vpc(internet=True), group(), OUT, CAFE, A, B)
    lab.site("cafe")
    return lab


def test_a_public_address_works_both_ways(online: Lab) -> None:
    cafe = online.guests["site cafe"]
    inside, outside = online.guest(A).udp(A.addresses[0], 53), cafe.udp(CAFE.public_ip, 53)
    assert delivers(outside, inside, Q) == str(CAFE.public_ip)
    assert delivers(inside, outside, CAFE.public_ip) == str(Q)
    assert delivers(online.guest(A).udp(A.addresses[0]), outside, CAFE.public_ip) == str(Q)


def test_without_a_public_address_nothing_leaves_or_enters(online: Lab) -> None:
    outside = online.guests["site cafe"].udp(CAFE.public_ip, 53)
    online.guest(B).udp(B.addresses[0]).sendto(b"x", (str(CAFE.public_ip), 53))
    until(lambda: online.dropped("no_public_address") == 1, "leaving is counted")
    assert nothing_for(outside)


def test_a_neighbour_is_reached_by_its_public_address_and_so_am_i(online: Lab) -> None:
    online.apply(public(6, R))
    receiver = online.guest(B).udp(B.addresses[0], 53)
    sender = online.guest(A).udp(A.addresses[0])
    assert delivers(sender, receiver, R) == str(Q)
    assert delivers(receiver, sender, Q, sender.getsockname()[1]) == str(R)
    assert online.guest(A).pings(Q)


def test_two_vpcs_meet_on_the_internet(online: Lab) -> None:
    twin = vpc("vpc-0000000000000000b", internet=True)
    far = public(5, R, instance="i-far", attachment=0x105, id="eni-far", vpc_id=twin.id, route_table_id="rtb-b")
    far = replace(far, groups=("sg-b",))
    online.apply(twin, replace(OUT, id="rtb-b", vpc_id=twin.id), group("sg-b", owner=twin.id), far)
    receiver = online.guest(far).udp(far.addresses[0], 53)
    assert delivers(online.guest(A).udp(A.addresses[0]), receiver, R) == str(Q)


def test_an_unassociated_address_is_silent(online: Lab) -> None:
    cafe = online.guests["site cafe"].udp(CAFE.public_ip)
    cafe.connect((str(R), 53))
    cafe.send(b"x")
    delivers(online.guests["site cafe"].udp(CAFE.public_ip), online.guest(A).udp(A.addresses[0], 53), Q)
    cafe.setblocking(False)
    with pytest.raises(BlockingIOError):
        cafe.recv(10)


def test_a_public_address_that_moves_takes_running_flows_away_from_its_old_holder(online: Lab) -> None:
    outside = online.guests["site cafe"].udp(CAFE.public_ip, 53)
    at_a, at_b = online.guest(A).udp(A.addresses[0], 53), online.guest(B).udp(B.addresses[0], 53)
    delivers(outside, at_a, Q)
    delivers(at_a, outside, CAFE.public_ip)
    online.apply(port(5), public(6, Q))
    delivers(outside, at_b, Q)
    at_a.sendto(b"x", (str(CAFE.public_ip), 53))
    until(lambda: online.dropped("no_public_address") == 1, "A has no public address any more")
    assert nothing_for(at_a)
    assert nothing_for(outside)


def test_a_public_address_that_moved_while_no_agent_ran_is_cut_too(online: Lab) -> None:
    outside = online.guests["site cafe"].udp(CAFE.public_ip, 53)
    at_a, at_b = online.guest(A).udp(A.addresses[0], 53), online.guest(B).udp(B.addresses[0], 53)
    delivers(outside, at_a, Q)
    online.world[A.key], online.world[B.key] = port(5), public(6, Q)
    online.restart()
    delivers(outside, at_b, Q)
    assert nothing_for(at_a)


def test_a_gateway_that_is_detached_cuts_running_flows_and_comes_back(online: Lab) -> None:
    outside = online.guests["site cafe"].udp(CAFE.public_ip, 53)
    inside = online.guest(A).udp(A.addresses[0], 53)
    delivers(outside, inside, Q)
    online.apply(vpc(internet=False))
    inside.sendto(b"x", (str(CAFE.public_ip), 53))
    until(lambda: online.dropped("no_route") == 1, "no way out")
    outside.sendto(b"x", (str(Q), 53))
    online.apply(vpc(internet=True))
    delivers(outside, inside, Q)
    delivers(inside, outside, CAFE.public_ip)


def test_ipv6_goes_out_untranslated(online: Lab) -> None:
    twin_block = ip_network("2001:db8:100::/56")
    twin = vpc("vpc-0000000000000000b", internet=True, blocks=(ip_network("10.9.0.0/16"), twin_block))
    address = ip_address("2001:db8:100::5")
    far = port(
        5,
        instance="i-far",
        attachment=0x105,
        id="eni-far",
        vpc_id=twin.id,
        route_table_id="rtb-b",
        groups=("sg-b",),
        addresses=(ip_address("10.9.1.5"), address),
        subnet=Subnet("subnet-far", (ip_network("10.9.1.0/24"), ip_network("2001:db8:100::/64"))),
    )
    online.apply(twin, replace(OUT, id="rtb-b", vpc_id=twin.id), group("sg-b", owner=twin.id), far)
    sender, receiver = online.guest(A).udp(A.addresses[1]), online.guest(far).udp(address, 53)
    assert delivers(sender, receiver, address) == str(A.addresses[1])
    assert delivers(receiver, sender, A.addresses[1]) == str(address)
    told = online.guest(A).run(f"ping -n -6 -M do -s 1453 -c1 -W2 {address}").stdout
    assert "mtu=1500" in told.replace(" = ", "="), "nobody on the way takes an IPv6 packet apart"


def test_a_place_on_the_internet_may_have_ipv6(online: Lab) -> None:
    pier = Site("pier", IPv4Address("198.19.0.2"), public_ipv6=IPv6Address("2001:db8:66::1"))
    online.apply(pier)
    place, inside = online.site("pier"), online.guest(A).udp(A.addresses[1], 53)
    for address in (IPv6Address("2001:db8:66::1"), IPv6Address("2001:db8:66::2")):
        online.apply(replace(pier, public_ipv6=address))
        place.await_own(address)
        outside = place.udp(address, 53)
        assert delivers(outside, inside, A.addresses[1]) == str(address)
        assert delivers(inside, outside, address) == str(A.addresses[1])
    assert online.guest(A).pings("2001:db8:66::2")
    assert not online.guest(A).pings("2001:db8:66::1"), "nobody has it any more"
    online.apply(replace(pier, public_ipv6=None))
    assert not online.guest(A).pings("2001:db8:66::2")
    assert place.run("ip -6 route show default").stdout == ""
    assert delivers(online.guest(A).udp(A.addresses[0]), place.udp(pier.public_ip, 53), pier.public_ip)


def test_the_internet_carries_1500_and_says_so(online: Lab) -> None:
    guest = online.guest(A)
    assert guest.run(f"ping -n -M do -s 1472 -c1 -W2 {CAFE.public_ip}").returncode == 0
    assert "mtu=1500" in guest.run(f"ping -n -M do -s 1473 -c1 -W2 {CAFE.public_ip}").stdout.replace(" = ", "=")


def test_an_error_is_about_the_packet_as_its_sender_knows_it(online: Lab) -> None:
    """What it quotes is translated too, out of the VPC and into it."""
    inside, outside = online.guest(A), online.guests["site cafe"]
    for sender, own, target in ((inside, A.addresses[0], CAFE.public_ip), (outside, CAFE.public_ip, Q)):
        asking = sender.udp(own)
        asking.connect((str(target), 9))
        asking.send(b"is anybody there?")
        with pytest.raises(ConnectionRefusedError):
            asking.recv(10)


@pytest.mark.parametrize("outward", [True, False])
def test_translation_keeps_checksums_right(online: Lab, outward: bool) -> None:
    """Of segments the host joins to one, and of datagrams in fragments."""
    inside, outside = online.guest(A), online.guests["site cafe"]
    ends = [(inside, A.addresses[0], CAFE.public_ip), (outside, CAFE.public_ip, Q)]
    (sender, near, target), (receiver, far, _) = ends if outward else ends[::-1]
    listening = receiver.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.bind((str(far), 80))
    listening.listen()
    sending = sender.socket(socket.AF_INET, socket.SOCK_STREAM)
    sending.bind((str(near), 0))
    sending.connect((str(target), 80))
    receiving, peer = receiver.accept(listening)
    assert peer == str(Q if outward else CAFE.public_ip)
    sent = os.urandom(200_000)
    sending.sendall(sent)
    got = bytearray()
    while len(got) < len(sent):
        got += receiving.recv(1 << 16)
    assert got == sent
    wide, ear, mouth = os.urandom(4000), receiver.udp(far, 53), sender.udp(near)
    mouth.setsockopt(socket.IPPROTO_IP, _MTU_DISCOVER, _DO_NOT)
    mouth.sendto(wide, (str(target), 53))
    assert ear.recv(5000) == wide


@pytest.fixture
def hosted(tmp_path: Path) -> object:
    made = Lab(tmp_path, host_route=True, public_pool="203.0.113.0/24")
    yield made
    made.close()


def test_the_host_reaches_public_addresses_and_is_not_reached(hosted: Lab) -> None:
    address = IPv4Address("203.0.113.5")
    a = public(5, address)
    hosted.apply(vpc(internet=True), group(), OUT, a)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear,
    ):
        host.settimeout(5)
        inside = hosted.guest(a).udp(a.addresses[0], 53)
        source = delivers(host, inside, address)
        inside.sendto(b"back", (source, host.getsockname()[1]))
        assert host.recv(10) == b"back"
        hosted.restart()
        inside.sendto(b"again", (source, host.getsockname()[1]))
        assert host.recv(10) == b"again", "a new agent leaves the host its way"
        ear.bind((source, 0))
        inside.sendto(b"hello", ear.getsockname())
        delivers(host, inside, address)
        assert nothing_for(ear)
    hosted.close = lambda: None  # type: ignore[method-assign]
    Lab.close(hosted)
    assert not [name for name in os.listdir("/sys/class/net") if name == hosted.fabric._host_device]
