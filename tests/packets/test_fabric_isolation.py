"""What a guest cannot do: pretend, overhear, reach what is not its VPC's."""

from __future__ import annotations

import socket
import struct
from dataclasses import replace
from ipaddress import ip_address

import pytest
from fabric_lab import Lab, checksum, delivers, group, nothing_for, port, table, udp_frame, until, vpc

from enid.fabric.linux import names
from enid.topology.records import Port

pytestmark = pytest.mark.root

A, B = port(5), port(6)
B7 = port(7)
_IPV4 = 0x0800


def open_vpc(lab: Lab, *ports: object) -> None:
    lab.apply(vpc(), table(), group(), *(ports or (A, B)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("forged", "to"), [("10.0.1.7", 0), ("192.0.2.1", 0), ("2001:db8:0:1::7", 1)])
def test_a_forged_source_address_is_dropped(lab: Lab, forged: str, to: int) -> None:
    open_vpc(lab)
    receiver = lab.guest(B).udp(B.addresses[to], 53)
    genuine = udp_frame(A.mac, vpc().id, A.addresses[to], B.addresses[to], 53)
    lab.guest(A).frame("eth0", udp_frame(A.mac, vpc().id, ip_address(forged), B.addresses[to], 53))
    until(lambda: lab.dropped("spoof") == 1, "the forged packet is counted")
    assert nothing_for(receiver)
    lab.guest(A).frame("eth0", genuine)
    receiver.recv(100)


def test_a_forged_mac_opens_no_flow(lab: Lab) -> None:
    open_vpc(lab)
    receiver = lab.guest(B).udp(B.addresses[0], 53)
    lab.guest(A).frame("eth0", udp_frame(B.mac, vpc().id, A.addresses[0], B.addresses[0], 53))
    until(lambda: lab.dropped("spoof") == 1, "the forged packet is counted")
    assert nothing_for(receiver)


def test_a_neighbours_address_is_no_ones_to_claim(lab: Lab) -> None:
    """A gratuitous ARP for B's address, sent by A, changes nothing."""
    open_vpc(lab, A, B, port(7))
    c = lab.guest(port(7))
    claim = bytes.fromhex("ffffffffffff" + A.mac.replace(":", "") + "0806" + "0001080006040002")
    claim += bytes.fromhex(A.mac.replace(":", "")) + B.addresses[0].packed
    claim += bytes.fromhex("ffffffffffff") + B.addresses[0].packed
    for _ in range(3):
        lab.guest(A).frame("eth0", claim)
    seen_by_a = lab.guest(A).socket(socket.AF_PACKET, socket.SOCK_DGRAM)
    seen_by_a.bind(("eth0", _IPV4))
    delivers(c.udp("10.0.1.7"), lab.guest(B).udp(B.addresses[0], 53), B.addresses[0])
    assert nothing_for(seen_by_a)


@pytest.mark.parametrize("checked", [True, False], ids=["checked", "unchecked"])
def test_nobody_is_learnt_to_be_the_gateway(lab: Lab, checked: bool) -> None:
    """A solicitation whose sender says that it is the gateway, with a MAC for it."""
    open_vpc(lab, replace(A, source_dest_check=checked), B)
    gateway, mac = names.UPPER[6].packed, bytes.fromhex(A.mac.replace(":", ""))
    asks = bytes((135, 0, 0, 0)) + bytes(4) + gateway + b"\x01\x01" + mac
    pseudo = gateway + gateway + struct.pack("!II", len(asks), 58)
    asks = asks[:2] + checksum(pseudo + asks) + asks[4:]
    head = struct.pack("!IHBB", 6 << 28, len(asks), 58, 255) + gateway + gateway
    router = bytes.fromhex(names.router_mac(vpc().id).replace(":", ""))
    lab.guest(A).frame("eth0", router + mac + b"\x86\xdd" + head + asks)
    until(lambda: lab.dropped("spoof") == 1, "it is counted")
    assert f"{names.UPPER[6]} " not in lab.router().run("ip -6 neighbour show").stdout


def test_without_the_source_check_any_source_may_be_sent(lab: Lab) -> None:
    open_vpc(lab, replace(A, source_dest_check=False), B)
    receiver = lab.guest(B).udp(B.addresses[0], 53)
    lab.guest(A).frame("eth0", udp_frame(A.mac, vpc().id, ip_address("192.0.2.1"), B.addresses[0], 53))
    assert receiver.recvfrom(100)[1][0] == "192.0.2.1"
    lab.apply(A)
    lab.guest(A).frame("eth0", udp_frame(A.mac, vpc().id, ip_address("192.0.2.1"), B.addresses[0], 53))
    until(lambda: lab.dropped("spoof") == 1, "the check is back")
    assert nothing_for(receiver)


@pytest.mark.parametrize("to", [0, 1])
def test_who_begins_a_flow_for_another_opens_no_door_to_it(lab: Lab, to: int) -> None:
    """Without the source check one may pretend that the victim asked. Its security group knows that it did not."""
    victim, helper, liar = port(6, groups=("sg-closed",)), B7, replace(A, source_dest_check=False)
    lab.apply(vpc(), table(), group(), group("sg-closed", ingress=()), victim, helper, liar)
    asked, inside = lab.guest(helper).udp(helper.addresses[to], 53), lab.guest(victim).udp(victim.addresses[to], 4000)
    forged = udp_frame(liar.mac, vpc().id, victim.addresses[to], helper.addresses[to], 53)
    lab.guest(liar).frame("eth0", forged)
    assert asked.recvfrom(100)[1][0] == str(victim.addresses[to]), "the lie arrives, as on AWS"
    lab.guest(helper).frame("eth0", answer(helper, victim, to))
    until(lambda: lab.dropped("ingress_denied") == 1, "nobody asked for the answer")
    lab.guest(liar).frame("eth0", answer(helper, victim, to, sender=liar))
    until(lambda: lab.dropped("ingress_denied") == 2, "not even the liar's own")
    assert nothing_for(inside)
    inside.sendto(b"x", (str(helper.addresses[to]), 53))
    asked.recv(100)
    asked.sendto(b"yes", (str(victim.addresses[to]), 4000))
    assert inside.recv(100) == b"yes", "it did ask now"


def answer(owner: Port, asker: Port, to: int, sender: Port | None = None) -> bytes:
    """From port 53 to port 4000, in a frame of ``sender``'s."""
    mac = (sender or owner).mac
    frame = udp_frame(mac, vpc().id, owner.addresses[to], asker.addresses[to], 4000)
    place = 34 if to == 0 else 54
    swapped = bytearray(frame)
    swapped[place : place + 2] = (53).to_bytes(2, "big")
    if to:
        # The sum over the ports grows by what the source port lost.
        total = int.from_bytes(frame[place + 6 : place + 8], "big") + 4000 - 53
        swapped[place + 6 : place + 8] = ((total & 0xFFFF) + (total >> 16)).to_bytes(2, "big")
    return bytes(swapped)


def test_an_address_nobody_has_is_silent(lab: Lab) -> None:
    open_vpc(lab)
    sender = lab.guest(A).udp(A.addresses[0])
    lab.guest(A).run("ping -n -c1 -W1 10.0.1.99")
    neighbour = lab.guest(A).run("ip neigh show 10.0.1.99").stdout
    assert "lladdr" not in neighbour
    sender.connect(("10.0.2.99", 53))
    sender.send(b"x")
    until(lambda: lab.dropped("no_route") == 1, "the router kept it to itself")
    sender.setblocking(False)
    with pytest.raises(BlockingIOError):
        sender.recv(10)


def test_the_gateway_answers_arp_and_nothing_else(lab: Lab) -> None:
    open_vpc(lab)
    assert not lab.guest(A).run("ping -n -c1 -W1 10.0.1.1").stdout.count("bytes from")
    assert "lladdr" in lab.guest(A).run("ip neigh show 10.0.1.1").stdout
    assert lab.dropped("to_router") == 1


def test_two_vpcs_with_the_same_block_do_not_see_each_other(lab: Lab) -> None:
    twin = vpc("vpc-0000000000000000b")
    foreign = [
        port(
            number,
            instance=f"i-foreign-{number}",
            attachment=0x100 + number,
            id=f"eni-foreign-{number}",
            vpc_id=twin.id,
            route_table_id="rtb-b",
            groups=("sg-b",),
            mac=f"02:e1:00:00:00:{number:02x}",
        )
        for number in (5, 6)
    ]
    open_vpc(lab)
    lab.apply(twin, table(name="rtb-b", owner=twin.id), group("sg-b", owner=twin.id), *foreign)
    here, there = lab.guest(B).udp(B.addresses[0], 53), lab.guest(foreign[1]).udp(B.addresses[0], 53)
    delivers(lab.guest(A).udp(A.addresses[0]), here, B.addresses[0])
    assert nothing_for(there)
    delivers(lab.guest(foreign[0]).udp(A.addresses[0]), there, B.addresses[0])
    assert nothing_for(here)


def test_jumbo_frames_pass_within_the_vpc(lab: Lab) -> None:
    open_vpc(lab)
    assert lab.guest(A).run(f"ping -n -M do -s 8973 -c1 -W2 {B.addresses[0]}").returncode == 0
    assert lab.guest(A).run(f"ping -n -M do -s 8974 -c1 -W1 {B.addresses[0]}").returncode != 0


def test_the_guests_interface_is_named_as_asked(lab: Lab) -> None:
    open_vpc(lab)
    shown = lab.guest(A).run("ip link show eth0").stdout
    assert f"link/ether {A.mac}" in shown
    assert "mtu 9001" in shown
