"""NAT gateways: who goes out through one, as whom, and that nobody comes in."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path

import pytest
from fabric_lab import EVERYWHERE, OTHER, Lab, delivers, group, nothing_for, port, table, until, vpc

from enid.fabric.linux.nat_gateway import IDLE, NatGateway
from enid.netlink import namespaces
from enid.topology.records import Appliance, Change, Port, Route, Rule, Site, TargetKind, VpnLink

pytestmark = pytest.mark.root

Q, R = IPv4Address("198.18.0.5"), IPv4Address("198.18.0.6")
CAFE = Site("cafe", IPv4Address("198.19.0.1"))
CORP = Site("corp", IPv4Address("198.19.0.2"), ip_network("192.168.0.0/16"), ip_address("192.168.0.10"))
PUBLIC = table(Route(EVERYWHERE, TargetKind.INTERNET))


def gateway(*private: str, public: tuple[IPv4Address, ...] = (Q,), number: int = 9, **changes: object) -> Port:
    addresses = tuple(IPv4Address(address) for address in private or (f"10.0.1.{number}",))
    plain = port(
        number,
        f"nat-{number:017x}",
        addresses=addresses,
        groups=(),
        source_dest_check=False,
        device_index=1,
        public=tuple(zip(addresses, public, strict=False)),
        appliance=Appliance.NAT_GATEWAY,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


NAT = gateway()


def through(nat: Port, block: object = EVERYWHERE) -> object:
    """A private subnet's route table."""
    via = Route(block, TargetKind.PORT, nat.id, nat.addresses[0])  # type: ignore[arg-type]
    return table(via, name="rtb-private")


def private(number: int) -> Port:
    return port(
        number,
        subnet=OTHER,
        route_table_id="rtb-private",
        addresses=(ip_address(f"10.0.2.{number}"), ip_address(f"2001:db8:0:2::{number:x}")),
    )


A, B = private(5), private(6)


@pytest.fixture
def online(lab: Lab) -> Lab:
    lab.apply(vpc(internet=True), group(), PUBLIC, through(NAT), CAFE, NAT, A, B)  # type: ignore[arg-type]
    lab.site("cafe")
    return lab


def listening(lab: Lab) -> socket.socket:
    return lab.guests["site cafe"].udp(CAFE.public_ip, 53)


def connected(lab: Lab) -> tuple[socket.socket, socket.socket, str]:
    """A's end of a TCP connection, the far one, and who is seen there."""
    cafe = lab.guests["site cafe"]
    server = cafe.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.bind((str(CAFE.public_ip), 80))
    server.listen()
    client = lab.guest(A).socket(socket.AF_INET, socket.SOCK_STREAM)
    client.connect((str(CAFE.public_ip), 80))
    return client, *cafe.accept(server)


def test_a_private_instance_goes_out_with_the_gateways_elastic_ip_and_gets_its_answer(online: Lab) -> None:
    outside, sender = listening(online), online.guest(A).udp(A.addresses[0], 4000)
    assert delivers(sender, outside, CAFE.public_ip) == str(Q)
    assert delivers(outside, sender, Q, 4000) == str(CAFE.public_ip)


def test_tcp_and_ping_go_through(online: Lab) -> None:
    client, accepted, peer = connected(online)
    assert peer == str(Q)
    accepted.sendall(b"hello")
    assert client.recv(10) == b"hello"
    assert online.guest(A).pings(CAFE.public_ip)


def test_two_instances_with_the_same_source_port_are_told_apart(online: Lab) -> None:
    outside = listening(online)
    senders = [online.guest(one).udp(one.addresses[0], 4000) for one in (A, B)]
    peers = []
    for sender in senders:
        sender.sendto(b"hello", (str(CAFE.public_ip), 53))
        peers.append(outside.recvfrom(100)[1])
    assert [address for address, _ in peers] == [str(Q), str(Q)]
    assert peers[0] != peers[1]
    for number, peer in enumerate(peers):
        outside.sendto(b"%d" % number, peer)
    assert [sender.recv(10) for sender in senders] == [b"0", b"1"]


def test_nobody_on_the_internet_begins_anything(online: Lab) -> None:
    outside, sender = listening(online), online.guest(A).udp(A.addresses[0], 4000)
    delivers(sender, outside, CAFE.public_ip)
    stranger = online.guests["site cafe"].udp(CAFE.public_ip, 54)
    stranger.sendto(b"let me in", (str(Q), 4000))
    assert not online.guests["site cafe"].pings(Q)
    client = online.guests["site cafe"].socket(socket.AF_INET, socket.SOCK_STREAM)
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.connect((str(Q), 80))
    delivers(outside, sender, Q, 4000)
    assert nothing_for(sender)


def test_the_gateway_itself_answers_nobody_in_the_vpc(online: Lab) -> None:
    assert not online.guest(A).pings(NAT.addresses[0])


def test_the_senders_own_groups_still_judge(online: Lab) -> None:
    only_dns = group(egress=(Rule(17, 53, 53, cidr="0.0.0.0/0"),))
    online.apply(only_dns)
    outside, sender = listening(online), online.guest(A).udp(A.addresses[0])
    assert delivers(sender, outside, CAFE.public_ip) == str(Q)
    sender.sendto(b"x", (str(CAFE.public_ip), 54))
    until(lambda: online.dropped("egress_denied") == 1, "its groups forbid it")


def test_a_flow_spreads_over_several_addresses_and_each_stays_with_its_own(online: Lab) -> None:
    online.apply(gateway("10.0.1.9", "10.0.1.200", public=(Q, R)))
    outside = listening(online)
    seen = set()
    for number in range(4000, 4040):
        sender = online.guest(A).udp(A.addresses[0], number)
        first, second = (delivers(sender, outside, CAFE.public_ip) for _ in range(2))
        assert first == second
        assert delivers(outside, sender, first, number) == str(CAFE.public_ip)
        seen.add(first)
    assert seen == {str(Q), str(R)}


def test_an_address_that_goes_takes_its_flows_along_and_no_other(online: Lab) -> None:
    online.apply(gateway("10.0.1.9", "10.0.1.200", public=(Q, R)))
    outside = listening(online)
    senders = [online.guest(A).udp(A.addresses[0], number) for number in range(4000, 4020)]
    went = [delivers(sender, outside, CAFE.public_ip) for sender in senders]
    assert set(went) == {str(Q), str(R)}
    online.apply(NAT)
    assert {delivers(sender, outside, CAFE.public_ip) for sender in senders} == {str(Q)}
    kept = went.index(str(Q))
    assert delivers(outside, senders[kept], Q, senders[kept].getsockname()[1]) == str(CAFE.public_ip)


def test_a_new_agent_cuts_no_flow(online: Lab) -> None:
    outside, sender = listening(online), online.guest(A).udp(A.addresses[0], 4000)
    delivers(sender, outside, CAFE.public_ip)
    client, accepted, _ = connected(online)
    online.restart()
    assert delivers(outside, sender, Q, 4000) == str(CAFE.public_ip)
    accepted.sendall(b"still here")
    assert client.recv(20) == b"still here"
    client.sendall(b"me too")
    assert accepted.recv(20) == b"me too"


def test_a_lost_namespace_is_made_again(online: Lab) -> None:
    online.fabric.close()
    namespaces.unpin(online.settings.run_dir / "netns" / NAT.instance_id)
    online.restart()
    outside, sender = listening(online), online.guest(A).udp(A.addresses[0], 4000)
    assert delivers(sender, outside, CAFE.public_ip) == str(Q)


def test_a_gateway_that_cannot_be_set_to_work_is_withdrawn_and_tried_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.apply(vpc(internet=True), group(), PUBLIC, through(NAT), CAFE, A)  # type: ignore[arg-type]
    lab.site("cafe")

    def fail(_self: NatGateway, _port: Port, touched: object = ()) -> None:
        raise OSError("not now")

    with monkeypatch.context() as trouble:
        trouble.setattr(NatGateway, "become", fail)
        assert lab.fabric.apply([Change(None, NAT)]) == {NAT.key: "not now"}
    sender, outside = lab.guest(A).udp(A.addresses[0]), listening(lab)
    sender.sendto(b"x", (str(CAFE.public_ip), 53))
    until(lambda: lab.dropped("no_route") == 1, "there is no gateway")
    lab.apply(NAT)
    assert delivers(sender, outside, CAFE.public_ip) == str(Q)
    lab.remove(NAT)
    assert not (lab.settings.run_dir / "netns" / NAT.instance_id).exists()


def test_a_deleted_gateway_leaves_a_black_hole_and_no_namespace(online: Lab) -> None:
    outside, sender = listening(online), online.guest(A).udp(A.addresses[0], 4000)
    delivers(sender, outside, CAFE.public_ip)
    hole = table(Route(EVERYWHERE, TargetKind.BLACKHOLE), name="rtb-private")
    online.apply(hole)
    online.remove(NAT)
    sender.sendto(b"x", (str(CAFE.public_ip), 53))
    until(lambda: online.dropped("no_route") == 1, "nowhere to go")
    outside.sendto(b"x", (str(Q), 4000))
    assert nothing_for(outside)
    assert nothing_for(sender)
    assert not (online.settings.run_dir / "netns" / NAT.instance_id).exists()


def test_a_connection_the_gateway_does_not_know_is_reset(online: Lab) -> None:
    """As after the idle time: AWS answers with RST."""
    client, *_ = connected(online)
    again = gateway(number=10, public=(R,))
    online.apply(again)
    online.apply(through(again))  # type: ignore[arg-type]
    client.sendall(b"anybody?")
    with pytest.raises(ConnectionResetError):
        client.recv(10)


def test_idle_flows_are_forgotten_when_aws_forgets_them(online: Lab) -> None:
    names = ("tcp_timeout_established", "udp_timeout", "udp_timeout_stream", "icmp_timeout")

    def timeouts() -> set[int]:
        return {int(Path(f"/proc/sys/net/netfilter/nf_conntrack_{name}").read_text()) for name in names}

    place = namespaces.open_pinned(online.settings.run_dir / "netns" / NAT.instance_id)
    assert place is not None
    assert namespaces.run_in(place, timeouts) == {IDLE}
    os.close(place)


def test_a_packet_too_big_for_the_internet_is_told_to_its_sender(online: Lab) -> None:
    answer = online.guest(A).run(f"ping -n -M do -s 1473 -c1 -W2 {CAFE.public_ip}").stdout
    assert "mtu=1500" in answer.replace(" = ", "=")


def test_a_private_gateway_hides_its_senders_behind_a_tunnel(lab: Lab) -> None:
    corporate = ip_network("192.168.0.0/16")
    nat = gateway(public=())
    link = VpnLink("vpn-1", "corp", (corporate,))
    lab.apply(CORP, vpc(vpn=(link,)), group(), table(Route(corporate, TargetKind.VPN, "vpn-1")))
    lab.apply(through(nat, corporate), nat, A)  # type: ignore[arg-type]
    server = lab.site("corp").udp(CORP.host_ip, 53)
    sender = lab.guest(A).udp(A.addresses[0], 4000)
    assert delivers(sender, server, CORP.host_ip) == str(nat.addresses[0])
    assert delivers(server, sender, nat.addresses[0], 4000) == str(CORP.host_ip)


def test_a_private_gateway_gets_nobody_onto_the_internet(online: Lab) -> None:
    nat = gateway(number=10, public=())
    online.apply(nat)
    online.apply(through(nat))  # type: ignore[arg-type]
    outside = listening(online)
    online.guest(A).udp(A.addresses[0]).sendto(b"x", (str(CAFE.public_ip), 53))
    until(lambda: online.dropped("no_public_address") == 1, "it has no Elastic IP")
    assert nothing_for(outside)


def test_two_gateways_serve_a_subnet_each(online: Lab) -> None:
    """As one in each availability zone does."""
    second = gateway(number=10, public=(R,))
    via = Route(EVERYWHERE, TargetKind.PORT, second.id, second.addresses[0])
    online.apply(second, table(via, name="rtb-b"), replace(B, route_table_id="rtb-b"))
    outside = listening(online)
    seen = [delivers(online.guest(one).udp(one.addresses[0]), outside, CAFE.public_ip) for one in (A, B)]
    assert seen == [str(Q), str(R)]
