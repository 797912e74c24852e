"""VPN connections of IPsec tunnels: packets through them, nothing in clear beside them, and what if one dies."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from fabric_lab import delivers, group, nothing_for, port, table, until, vpc
from vpn_lab import BOTH, GATEWAY, INSTANCE, LINK, OFFICE, SITE, TO_OFFICE, VPC, VpnLab, heard, ports, wrong

from enid.guest.records import birth
from enid.netlink import namespaces
from enid.topology.records import Change, Route, Subnet, TargetKind
from enid.vpn import charon, strongswan
from enid.vpn.ends import End, Tunnel
from enid.vpn.strongswan import MTU, missing

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(120),
    pytest.mark.skipif(bool(missing()), reason=f"strongSwan: {missing()}"),
]

HERE, THERE = str(INSTANCE.addresses[0]), str(OFFICE.host_ip)
ICMP_HEADERS = 28


@pytest.fixture
def vpn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VpnLab]:
    monkeypatch.setattr("enid.vpn.player.TRY_AGAIN", 0.5)
    made = VpnLab(tmp_path)
    yield made
    made.close()


def pids(vpn: VpnLab) -> dict[str, int]:
    records = vpn.lab.settings.vpn_dir.glob("*/record.json")
    return {path.parent.name: json.loads(path.read_text())["pid"] for path in records}


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def reach(vpn: VpnLab) -> bool:
    """Each other."""
    return vpn.office.pings(HERE) and vpn.instance.pings(THERE)


def test_packets_pass_both_ways_and_nobody_on_the_internet_can_read_them(vpn: VpnLab) -> None:
    vpn.up()
    ear = vpn.ear()
    here, there = vpn.instance.udp(HERE, 4000), vpn.office.udp(THERE, 4000)
    payload = b"nobody but us may read this line" * 8
    for sender, receiver, to in ((here, there, THERE), (there, here, HERE)):
        sender.sendto(payload, (to, 4000))
        assert receiver.recvfrom(1000) == (payload, (HERE if to == THERE else THERE, 4000))
    packets = heard(ear)
    assert sum(len(packet) > len(payload) for packet in packets) >= 2
    assert not any(b"nobody but us" in packet for packet in packets)
    assert all(4500 in ports(packet) for packet in packets if len(packet) > len(payload))


def test_the_tunnels_carry_what_their_mtu_says_and_say_so(vpn: VpnLab) -> None:
    vpn.up()
    for guest, to in ((vpn.instance, THERE), (vpn.office, HERE)):
        assert guest.run(f"ping -n -c1 -W5 -M do -s {MTU - ICMP_HEADERS} {to}").returncode == 0
        refused = guest.run(f"ping -n -c2 -i0.2 -W1 -M do -s {MTU - ICMP_HEADERS + 1} {to}")
        assert refused.returncode != 0
        assert f"{MTU}" in refused.stdout + refused.stderr
        assert guest.run(f"ping -n -c1 -W5 -s 3000 {to}").returncode == 0  # in fragments
    received = bytearray()
    server = vpn.office.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.bind((THERE, 80))
    server.listen()
    client = vpn.instance.socket(socket.AF_INET, socket.SOCK_STREAM)
    client.connect((THERE, 80))
    connection, peer = vpn.office.accept(server)
    assert peer == HERE
    data = os.urandom(1 << 21)
    sender = threading.Thread(target=lambda: (client.settimeout(60), client.sendall(data), client.close()))
    sender.start()
    connection.settimeout(60)
    while chunk := connection.recv(1 << 16):
        received += chunk
    sender.join()
    assert received == data


def test_one_tunnel_that_dies_leaves_traffic_on_the_other(vpn: VpnLab) -> None:
    gateway, site = vpn.up()
    here, there = vpn.instance.udp(HERE, 4000), vpn.office.udp(THERE, 4000)
    for dying, other in (("tunnel-1", "tunnel-2"), ("tunnel-2", "tunnel-1")):
        gateway.cut(dying)
        until(lambda: reach(vpn), "the site has heard of it")  # nobody looks, so nobody begins it again
        for _ in range(20):
            delivers(here, there, THERE)
            delivers(there, here, HERE)
        gateway.look()
        assert gateway.tunnels == {other: True}
        vpn.until(lambda: gateway.tunnels == site.tunnels == BOTH, "the site has begun the other one again")


def test_a_device_with_a_policy_instead_of_routes(vpn: VpnLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """It proposes what lies behind the two gateways, and not everything."""

    def narrower(end: End, tunnel: Tunnel) -> dict[str, Any]:
        said = dict(strongswan.connection(end, tunnel))
        if end.site is not None:
            said[tunnel.name]["children"][tunnel.name] |= {"local_ts": ["172.16.0.0/24"], "remote_ts": ["10.0.1.0/24"]}
        return said

    monkeypatch.setattr("enid.vpn.conversation.connection", narrower)
    vpn.up()
    assert reach(vpn)


def test_a_tunnel_with_a_wrong_key_is_down(vpn: VpnLab) -> None:
    gateway, site = vpn.play(GATEWAY, wrong(SITE, "tunnel-2"))
    vpn.until(lambda: gateway.tunnels.get("tunnel-1"), "the other one is up")
    vpn.until(lambda: "tunnel-2" not in site.tunnels, "the site has been refused")
    assert reach(vpn)
    assert not gateway.tunnels.get("tunnel-2")


def test_a_tunnel_whose_key_changes_is_made_anew_and_the_other_one_stays(vpn: VpnLab) -> None:
    gateway, site = vpn.up()
    inside = [IPv4Interface("169.254.99.1/30"), IPv4Interface("169.254.99.2/30")]
    ends = [
        replace(end, tunnels=(replace(end.tunnels[0], inside=address, key="another.key"), end.tunnels[1]))
        for end, address in zip((GATEWAY, SITE), inside, strict=True)
    ]
    gateway.end = ends[0]
    vpn.look()
    assert vpn.office.pings(HERE)
    site.end = ends[1]
    vpn.until(lambda: gateway.tunnels == site.tunnels == BOTH, "it is up with the new key")
    vpn.until(lambda: vpn.office.pings(inside[0].ip), "the gateway answers at its new address inside")
    assert str(GATEWAY.tunnels[0].inside.ip)[:11] not in vpn.office.run("ip address").stdout


def test_without_the_keys_nothing_passes_and_nothing_leaves_in_clear(vpn: VpnLab) -> None:
    ear = vpn.ear()
    gateway, site = vpn.play(GATEWAY, wrong(SITE, "tunnel-1", "tunnel-2"))
    answered: set[int] = set()
    vpn.until(lambda: answered.update(*map(ports, heard(ear))) or 4500 in answered, "they have tried the keys")
    vpn.until(lambda: not gateway.tunnels and not site.tunnels, "and failed")
    here, there = vpn.instance.udp(HERE, 4000), vpn.office.udp(THERE, 4000)
    heard(ear)
    here.sendto(b"in clear", (THERE, 4000))
    there.sendto(b"in clear", (HERE, 4000))
    assert not reach(vpn)
    assert nothing_for(here)
    assert nothing_for(there)
    for pid in pids(vpn).values():  # and when the link is gone, too
        kill(pid)
    assert not reach(vpn)
    assert not any(b"in clear" in packet or 1 in packet[9:10] for packet in heard(ear))


def test_a_packet_for_the_customer_gateway_itself_does_not_leave_in_clear(vpn: VpnLab) -> None:
    """Though the way there is the internet."""
    vpn.up()
    ear, before = vpn.ear(), vpn.lab.forwarded()
    vpn.lab.apply(table(Route(ip_network("0.0.0.0/0"), TargetKind.VPN, LINK.id)))
    vpn.instance.udp(HERE).sendto(b"in clear", (str(OFFICE.public_ip), 9))
    assert vpn.lab.forwarded() > before
    assert reach(vpn)
    assert not any(b"in clear" in packet for packet in heard(ear))


def test_a_new_agent_and_a_new_keeper_find_everything_and_no_packet_is_lost(vpn: VpnLab) -> None:
    vpn.up()
    before = pids(vpn)
    here, there = vpn.instance.udp(HERE, 4000), vpn.office.udp(THERE, 4000)
    over = threading.Event()
    sent = 0

    def send() -> None:
        nonlocal sent
        while not over.wait(0.002):
            here.sendto(sent.to_bytes(4, "big"), (THERE, 4000))
            sent += 1

    flow = threading.Thread(target=send)
    flow.start()
    try:
        vpn.leave()
        vpn.lab.restart()
        gateway, site = vpn.play(GATEWAY, SITE)
        vpn.until(lambda: gateway.tunnels == site.tunnels == BOTH, "the tunnels are as they were")
    finally:
        over.set()
        flow.join()
    assert sent > 10
    assert {int.from_bytes(there.recv(4), "big") for _ in range(sent)} == set(range(sent))
    assert pids(vpn) == before


@pytest.mark.parametrize("whose", [GATEWAY, SITE], ids=["gateway", "site"])
def test_a_killed_strongswan_is_started_again(vpn: VpnLab, whose: object) -> None:
    gateway, site = vpn.up()
    dying = gateway if whose is GATEWAY else site
    kill(pids(vpn)[dying.end.id])
    vpn.until(lambda: dying.tunnels == {}, "it is seen")
    if dying is gateway:
        for name in BOTH:
            site.cut(name)  # as the keeper does, which sees both ends
    vpn.until(lambda: gateway.tunnels == site.tunnels == BOTH and reach(vpn), "the tunnels are up again")


def test_a_site_may_have_connections_to_several_vpcs(vpn: VpnLab) -> None:
    gateways = (IPv4Address("198.51.100.8"), IPv4Address("203.0.113.8"))
    link = replace(LINK, id="vpn-0000000000000000b", outside=gateways)
    block, subnet = ip_network("10.8.0.0/16"), Subnet("subnet-b", (ip_network("10.8.1.0/24"),))
    other = vpc("vpc-0000000000000000b", blocks=(block,), subnets=(subnet,), vpn=(link,))
    address = ip_address("10.8.1.6")
    machine = port(6, vpc_id=other.id, subnet=subnet, addresses=(address,), groups=("sg-b",), route_table_id="rtb-b")
    way = replace(TO_OFFICE.routes[0], target=link.id)
    vpn.lab.apply(other, group("sg-b", owner=other.id), table(way, name="rtb-b", owner=other.id), machine)
    tunnels = [replace(one, gateway=gateway) for one, gateway in zip(GATEWAY.tunnels, gateways, strict=True)]
    gateway = replace(GATEWAY, connection=link.id, tunnels=tuple(tunnels))
    site = replace(gateway, site="office", behind=(block,), source=SITE.source)
    players = vpn.play(GATEWAY, SITE, gateway, site)
    assert len({player.link for player in players if player.end.site}) == 2
    vpn.until(lambda: all(player.tunnels == BOTH for player in players), "all tunnels are up")
    assert reach(vpn)
    assert vpn.office.pings(address)
    assert vpn.lab.guest(machine).pings(THERE)


def test_drift_in_the_place_is_repaired_and_what_strongswan_made_is_left(vpn: VpnLab) -> None:
    vpn.up()
    fabric = vpn.lab.fabric
    fabric.drifted()
    place = vpn.lab.settings.run_dir / "netns" / GATEWAY.pin
    namespace = namespaces.open_pinned(place)
    assert namespace is not None
    for command in ("ip route del 10.0.0.0/16", "nft flush ruleset"):
        namespaces.run_in(namespace, lambda line=command: os.system(line))  # type: ignore[misc]
    assert set(fabric.drifted()) == {GATEWAY.pin}
    fabric.repair(GATEWAY.pin)
    assert set(fabric.drifted()) == set()
    assert [look() for look in fabric.sweep() if look() is not None] == []
    os.close(namespace)
    assert reach(vpn)


def test_a_connection_that_goes_leaves_nothing(vpn: VpnLab) -> None:
    gateway, site = vpn.up()
    running = pids(vpn)
    for player in (gateway, site):
        player.end_it()
    for stage in vpn.stages.values():
        stage.players.clear()
    bare = replace(VPC, vpn=())
    assert vpn.lab.fabric.apply([Change(VPC, bare)]) == {}
    assert not any(birth(pid) for pid in running.values())
    assert list(vpn.lab.settings.vpn_dir.iterdir()) == []
    assert not (vpn.lab.settings.run_dir / "netns" / GATEWAY.pin).exists()
    assert GATEWAY.connection[-14:] not in vpn.lab.router().run("ip link").stdout


def test_who_was_started_for_another_namespace_is_not_taken_for_this_one(vpn: VpnLab) -> None:
    """A connection that was taken away and came back has a new place."""
    vpn.up()
    (old,) = [pid for name, pid in pids(vpn).items() if name == GATEWAY.id]
    vpn.leave()
    bare = replace(VPC, vpn=())
    assert vpn.lab.fabric.apply([Change(VPC, bare)]) == {}
    assert vpn.lab.fabric.apply([Change(bare, VPC)]) == {}
    gateway, site = vpn.play(GATEWAY, SITE)
    assert birth(old) is None
    for name in BOTH:
        site.cut(name)
    vpn.until(lambda: gateway.tunnels == site.tunnels == BOTH and reach(vpn), "the tunnels are up again")


def test_one_that_cannot_start_says_why_and_leaves_nothing(vpn: VpnLab) -> None:
    """Its namespace is none."""
    (site,) = vpn.play(SITE)
    directory = vpn.lab.settings.vpn_dir / GATEWAY.id
    with open("/dev/null") as nothing, pytest.raises(OSError, match=r"strongSwan did not start: .*setns"):
        charon.start(GATEWAY, directory, nothing.fileno(), site._ways, 0)
    assert not directory.exists()
