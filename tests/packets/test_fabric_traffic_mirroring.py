"""Traffic mirroring: what is copied, how it is wrapped, who gets it, and what happens when something moves."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from fabric_lab import EVERYWHERE, EVERYWHERE6, OTHER, Lab, group, port, table, until, vpc
from mirror_capture import VXLAN, Capture

from enid.fabric.linux import mirror, names
from enid.flowlogs.tap import Tap
from enid.topology import services
from enid.topology.records import (
    Change,
    Mirror,
    MirrorRule,
    Network,
    Peering,
    Port,
    Route,
    Rule,
    TargetKind,
)

pytestmark = pytest.mark.root

A, B = port(5), port(6)
SINK = port(9, groups=("sg-sink",))
OTHER_SINK = port(10, groups=("sg-sink",))
WATCHES = group("sg-sink", ingress=(Rule(17, VXLAN, VXLAN, cidr="10.0.0.0/8"),))
PORT = 5300


def rule(accept: bool = True, protocol: int = -1, source: Network = EVERYWHERE, **more: object) -> MirrorRule:
    made = MirrorRule(accept, protocol, source, EVERYWHERE if source.version == 4 else EVERYWHERE6)
    return replace(made, **more)  # type: ignore[arg-type]


ALL = (rule(), rule(source=EVERYWHERE6))


def session(number: int = 1, target: Port = SINK, **changes: object) -> Mirror:
    address = target.addresses[0]
    assert isinstance(address, IPv4Address)
    made = Mirror(f"tms-{number:017x}", address, network=76 + number, length=None, ingress=ALL, egress=ALL)
    return replace(made, **changes)  # type: ignore[arg-type]


def mirrored(*sessions: Mirror, plug: Port = A) -> Port:
    return replace(plug, mirrors=sessions or (session(),))


@pytest.fixture
def capture(lab: Lab) -> Capture:
    """At SINK, where nothing is mirrored yet."""
    lab.apply(vpc(), table(), group(), WATCHES, A, B, SINK, OTHER_SINK)
    return Capture(lab, SINK)


def send(lab: Lab, sender: Port, receiver: Port, *payloads: bytes, version: int = 4, number: int = PORT) -> None:
    """Datagrams that arrive, one after the other."""
    place = int(version == 6)
    source = lab.guest(sender).udp(sender.addresses[place])
    sink = lab.guest(receiver).udp(receiver.addresses[place], number)
    for payload in payloads:
        source.sendto(payload, (str(receiver.addresses[place]), number))
        assert sink.recv(65536) == payload
    source.close()
    sink.close()


@pytest.mark.parametrize("version", [4, 6])
def test_both_directions_are_copied_as_they_were(lab: Lab, capture: Capture, version: int) -> None:
    lab.apply(mirrored())
    send(lab, A, B, b"out", version=version)
    send(lab, B, A, b"in", version=version)
    capture.hears(b"out", b"in")
    out, inward = capture.copies
    router = names.router_mac(vpc().id)
    place = int(version == 6)
    assert (out.sender, out.network) == (str(A.addresses[0]), 77)
    assert (out.macs, inward.macs) == ((router, A.mac), (A.mac, router))
    assert out.ends == (A.addresses[place], B.addresses[place])
    assert inward.ends == (B.addresses[place], A.addresses[place])
    assert out.sums_up()
    assert inward.sums_up()


def test_nobody_else_is_mirrored_and_nothing_after_the_end(lab: Lab, capture: Capture) -> None:
    lab.apply(mirrored())
    send(lab, B, OTHER_SINK, b"others", number=VXLAN)
    send(lab, A, B, b"mine")
    capture.hears(b"mine")
    lab.apply(A)
    send(lab, A, B, b"later")
    lab.apply(mirrored())
    send(lab, A, B, b"again")
    capture.hears(b"mine", b"again")


def test_a_flow_that_was_fast_is_seen(lab: Lab, capture: Capture) -> None:
    source, sink = lab.guest(A).udp(A.addresses[0]), lab.guest(B).udp(B.addresses[0], PORT)
    for number in range(20):
        source.sendto(bytes((number,)), (str(B.addresses[0]), PORT))
        sink.sendto(b"back", sink.recvfrom(10)[1])
        assert source.recv(10) == b"back"
    lab.apply(mirrored())
    source.sendto(b"now", (str(B.addresses[0]), PORT))
    capture.hears(b"now")


def test_the_first_rule_that_fits_decides(lab: Lab, capture: Capture) -> None:
    rules = (
        rule(False, 17, destination_ports=(5001, 5002)),
        rule(True, 17, ip_network("10.0.1.5/32"), destination_ports=(5000, 5010)),
        rule(False, 17, destination=ip_network("10.0.1.6/32")),
        rule(True),
    )
    lab.apply(mirrored(session(egress=rules, ingress=())))
    for number in (5000, 5001, 5002, 5003, 5011):
        send(lab, A, B, str(number).encode(), number=number)
    send(lab, A, OTHER_SINK, b"elsewhere", number=VXLAN)
    send(lab, B, A, b"in")
    send(lab, A, B, b"last", number=5010)
    capture.hears(b"5000", b"5003", b"elsewhere", b"last")


@pytest.mark.parametrize(
    "only",
    [
        rule(protocol=17, source_ports=(6000, 6001)),
        rule(protocol=17, destination_ports=(PORT, PORT)),
        rule(source=ip_network("10.0.1.4/31")),
        rule(destination=ip_network("10.0.1.6/31")),
        rule(source=ip_network("2001:db8:0:1::4/126")),
    ],
    ids=str,
)
def test_each_part_of_a_rule(lab: Lab, capture: Capture, only: MirrorRule) -> None:
    lab.apply(mirrored(session(egress=(only,), ingress=(only,))))
    version = only.source.version
    send(lab, OTHER_SINK, A, b"no", version=version, number=1234)
    place = int(version == 6)
    source = lab.guest(A).udp(A.addresses[place], 6001)
    source.sendto(b"yes", (str(B.addresses[place]), PORT))
    capture.hears(b"yes")


def test_a_packet_is_copied_once_by_the_first_session_that_accepts(lab: Lab, capture: Capture) -> None:
    first = session(1, egress=(rule(False, 17, destination_ports=(5000, 5000)), rule(True, 17)), ingress=())
    second = session(2, OTHER_SINK)
    lab.apply(mirrored(first, second))
    other = Capture(lab, OTHER_SINK)
    send(lab, A, B, b"second", number=5000)
    send(lab, A, B, b"first", number=5001)
    send(lab, B, A, b"in", number=5001)
    capture.hears(b"first")
    other.hears(b"second", b"in")
    assert {copy.network for copy in other.copies} == {78}


def test_a_packet_between_two_sources_is_copied_at_both(lab: Lab, capture: Capture) -> None:
    lab.apply(mirrored(), mirrored(session(2, OTHER_SINK), plug=B))
    other = Capture(lab, OTHER_SINK)
    send(lab, A, B, b"x")
    capture.hears(b"x")
    other.hears(b"x")
    assert [capture.copies[0].sender, other.copies[0].sender] == ["10.0.1.5", "10.0.1.6"]


@pytest.mark.parametrize("length", [1, 14, 40, 60, 500])
def test_copies_are_cut_to_length(lab: Lab, capture: Capture, length: int) -> None:
    lab.apply(mirrored(session(length=length)))
    send(lab, A, B, b"x" * 200)
    until(lambda: capture.read(), "it is copied")
    assert len(capture.copies[0].frame) == min(length, 14 + 20 + 8 + 200)


def test_the_longest_packet_is_cut_so_that_its_copy_fits(lab: Lab, capture: Capture) -> None:
    lab.apply(mirrored())
    longest = 9001 - 20 - 8
    send(lab, A, B, b"x" * longest)
    until(lambda: capture.read(), "it is copied")
    (copy,) = capture.copies
    assert len(copy.frame) == 9001 - 20 - 8 - 8
    assert int.from_bytes(copy.frame[16:18], "big") == 9001, "as it was"


def test_where_copies_cannot_be_cut_the_longest_arrives_whole(
    lab: Lab, capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(mirror.syscall, "Program", refused)
    lab.apply(mirrored())
    send(lab, A, B, b"x" * (9001 - 20 - 8))
    until(lambda: capture.read(), "it is copied")
    assert [len(copy.frame) for copy in capture.copies] == [14 + 9001]


def test_what_a_connection_carries_is_copied_in_whole_segments(lab: Lab, capture: Capture) -> None:
    lab.apply(mirrored(session(ingress=())))
    data = bytes(range(256)) * 1024
    server = lab.guest(B).socket(socket.AF_INET, socket.SOCK_STREAM)
    server.bind((str(B.addresses[0]), PORT))
    server.listen()
    client = lab.guest(A).socket(socket.AF_INET, socket.SOCK_STREAM)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
    client.connect((str(B.addresses[0]), PORT))
    received, _ = lab.guest(B).accept(server)
    writer = threading.Thread(target=lambda: client.sendall(data))
    writer.start()
    got = b""
    while len(got) < len(data):
        got += received.recv(1 << 16)
    writer.join()

    def carried() -> bytes:
        segments = {}
        for copy in capture.read():
            assert copy.protocol == 6
            sequence = int.from_bytes(copy.transport[4:8], "big")
            segments[sequence] = copy.transport[(copy.transport[12] >> 4) * 4 :]
        return b"".join(part for _, part in sorted(segments.items()))

    until(lambda: len(carried()) >= len(data), "all of it is copied")
    assert carried() == data
    assert max(len(copy.frame) for copy in capture.copies) <= 14 + 20 + 20 + 1400
    assert all(copy.sums_up() for copy in capture.copies)


def test_what_the_gates_deny_is_not_copied(lab: Lab, capture: Capture) -> None:
    only_in, only_elsewhere = Rule(17, PORT, PORT, cidr="0.0.0.0/0"), Rule(6, 1, 9, cidr="0.0.0.0/0")
    closed = group("sg-closed", ingress=(only_in,), egress=(only_elsewhere,))
    lab.apply(closed, mirrored(plug=replace(A, groups=("sg-closed",))))
    denied_out, denied_in = lab.guest(A).udp(A.addresses[0]), lab.guest(B).udp(B.addresses[0])
    denied_out.sendto(b"out", (str(B.addresses[0]), PORT))
    denied_in.sendto(b"in", (str(A.addresses[0]), 1))
    until(lambda: lab.dropped("egress_denied") >= 1 and lab.dropped("ingress_denied") >= 1, "both are denied")
    send(lab, B, A, b"allowed")
    capture.hears(b"allowed")


def test_the_targets_groups_decide_at_once(lab: Lab, capture: Capture) -> None:
    lab.apply(mirrored())
    send(lab, A, B, b"one")
    capture.hears(b"one")
    lab.apply(group("sg-sink", ingress=()))
    before = lab.dropped("ingress_denied")
    send(lab, A, B, b"two")
    until(lambda: lab.dropped("ingress_denied") > before, "it is denied")
    lab.apply(WATCHES)
    send(lab, A, B, b"three")
    capture.hears(b"one", b"three")


def test_a_target_that_does_not_listen_is_no_trouble(lab: Lab, capture: Capture) -> None:
    """It says so to whoever the copies are from: that must not come back as one more packet to be copied."""
    lab.apply(mirrored(session(target=OTHER_SINK)))
    before = lab.dropped("invalid")
    send(lab, A, B, b"one", b"two", b"three")
    until(lambda: lab.dropped("invalid") >= before + 3, "its complaints are dropped")
    assert lab.dropped("invalid") == before + 3


def test_the_target_moves(lab: Lab, capture: Capture) -> None:
    lab.apply(mirrored())
    send(lab, A, B, b"here")
    capture.hears(b"here")
    moved = replace(SINK, instance_id="i-new", attachment_id="eni-attach-" + "9" * 17)
    lab.apply(moved)
    there = Capture(lab, moved)
    send(lab, A, B, b"there")
    there.hears(b"there")
    assert capture.payloads() == [b"here"]


def test_the_source_moves(lab: Lab, capture: Capture) -> None:
    lab.apply(mirrored())
    send(lab, A, B, b"here")
    moved = replace(mirrored(), instance_id="i-new", attachment_id="eni-attach-" + "9" * 17)
    lab.apply(moved)
    send(lab, moved, B, b"there")
    send(lab, B, moved, b"back")
    capture.hears(b"here", b"there", b"back")


def test_everything_of_a_session_can_change(lab: Lab, capture: Capture) -> None:
    lab.apply(mirrored(session(egress=())))
    send(lab, A, B, b"not yet")
    lab.apply(mirrored(session()))
    send(lab, A, B, b"one")
    lab.apply(mirrored(session(network=5)))
    send(lab, A, B, b"two")
    lab.apply(mirrored(session(length=44)))
    send(lab, A, B, b"three")
    capture.hears(b"one", b"two", b"th")
    assert [copy.network for copy in capture.copies] == [77, 5, 77]
    lab.apply(mirrored(session(target=OTHER_SINK)))
    other = Capture(lab, OTHER_SINK)
    send(lab, A, B, b"four")
    other.hears(b"four")


def test_a_restarted_agent_goes_on(lab: Lab, capture: Capture) -> None:
    lab.apply(mirrored(session(length=45)))
    send(lab, A, B, b"one")
    places = pins(lab)
    lab.restart()
    send(lab, A, B, b"two")
    capture.hears(b"one", b"two")
    assert pins(lab) == places != []
    lab.apply(mirrored(session(network=5)))
    send(lab, A, B, b"three")
    capture.hears(b"one", b"two", b"three")
    assert capture.copies[-1].network == 5


def pins(lab: Lab) -> list[str]:
    """The namespaces of sessions."""
    return [pin.name for pin in (lab.settings.run_dir / "netns").iterdir() if ".tms-" in pin.name]


def traces(lab: Lab) -> set[str]:
    """Links, routes, neighbours and tables of sessions in the router."""
    router = lab.router()
    links = {line.split(":")[1].strip() for line in router.run("ip -o link").stdout.splitlines()}
    found = {name for name in links if name.startswith("m")}
    said = router.run("ip route; ip -6 route; ip neigh; nft list tables").stdout
    return found | {line for line in said.splitlines() if "240." in line or "fe80::1:" in line or "mirror" in line}


def tidied(lab: Lab) -> bool:
    while lab.fabric.tidy():
        pass
    return not pins(lab) and not traces(lab)


@pytest.mark.parametrize("how", ["session ends", "port goes", "agent restarts without it", "VPC goes"])
def test_nothing_is_left(lab: Lab, capture: Capture, how: str) -> None:
    lab.apply(mirrored(session(), session(2, OTHER_SINK)))
    assert len(pins(lab)) == 2
    assert traces(lab)
    if how == "session ends":
        lab.apply(A)
    elif how == "port goes":
        lab.remove(mirrored())
    elif how == "agent restarts without it":
        lab.world[A.key] = A
        lab.restart()
    else:
        lab.remove(*[record for record in lab.world.values() if record != vpc()], vpc())
        assert pins(lab) == []
        return
    assert tidied(lab), (pins(lab), traces(lab))


def test_a_session_whose_place_was_broken_is_repaired(lab: Lab, capture: Capture) -> None:
    lab.apply(mirrored())
    lab.router().run(f"ip link delete {names.mirror_link(session().id)}; nft delete table ip {names.MIRRORS}")
    lab.restart()
    send(lab, A, B, b"x")
    capture.hears(b"x")


@pytest.mark.parametrize(
    "damage",
    [
        f"ip link delete {names.mirror_link(session().id)}",
        f"ip link set {names.mirror_link(session().id)} down",
        f"nft delete table ip {names.MIRRORS}",
        f"nft flush chain ip {names.MIRRORS} forward",
        "ip route delete 240.0.0.0/4; ip route flush root 240.0.0.0/4",
    ],
)
def test_what_others_damage_is_repaired(lab: Lab, capture: Capture, damage: str) -> None:
    lab.apply(mirrored())
    lab.fabric.drifted()
    lab.router().run(damage)
    places: set[str] = set()
    until(lambda: places.update(lab.fabric.drifted()) or places, "it is noticed")
    for place in places:
        assert lab.fabric.repair(place).failures == {}
    send(lab, A, B, b"x")
    capture.hears(b"x")


def test_names_are_copied_only_if_they_are_asked_for(lab: Lab, capture: Capture) -> None:
    resolver = next(end for end, _, number in services.endpoints(vpc()) if number == 53 and end.version == 4)
    server = lab.router().udp(resolver, 53)

    def ask(question: bytes) -> None:
        client = lab.guest(A).udp(A.addresses[0])
        client.sendto(question, (str(resolver), 53))
        assert server.recvfrom(100)[0] == question
        server.sendto(b"answer " + question, client.getsockname())
        assert client.recv(100) == b"answer " + question
        client.close()

    lab.apply(mirrored())
    ask(b"a")
    lab.apply(mirrored(session(ingress=(), egress=(), dns=True)))
    ask(b"b")
    capture.hears(b"b", b"answer b")
    lab.apply(mirrored())
    ask(b"c")
    send(lab, A, B, b"last")
    capture.hears(b"b", b"answer b", b"last")


def test_flow_logs_do_not_see_copies(lab: Lab, capture: Capture) -> None:
    lab.apply(mirrored(), replace(SINK, logged=True))
    tap = Tap(lab.settings.run_dir / "netns" / vpc().id)
    send(lab, A, B, b"x")
    capture.hears(b"x")
    assert list(tap.copies()) == []
    lab.guest(B).udp(B.addresses[0]).sendto(b"seen", (str(SINK.addresses[0]), VXLAN))
    until(lambda: list(tap.copies()), "what is no copy is logged")
    tap.close()


def test_over_a_peering_connection(lab: Lab, capture: Capture) -> None:
    far_block, near_block = ip_network("10.9.0.0/16"), ip_network("10.0.0.0/16")
    beyond = "vpc-0000000000000000b"
    pcx = "pcx-00000000000000001"
    subnet = replace(OTHER, id="subnet-far", blocks=(ip_network("10.9.1.0/24"),))
    far = port(
        11,
        vpc_id=beyond,
        subnet=subnet,
        addresses=(ip_address("10.9.1.11"),),
        groups=("sg-far",),
        route_table_id="rtb-far",
    )
    there = vpc(beyond, blocks=(far_block,), subnets=(subnet,), peerings=(Peering(pcx, vpc().id, (near_block,)),))
    here = vpc(peerings=(Peering(pcx, beyond, (far_block,)),))
    way = Route(far_block, TargetKind.PEERING, pcx)
    back = Route(near_block, TargetKind.PEERING, pcx)
    lab.apply(here, there, table(way), table(back, name="rtb-far", owner=beyond))
    lab.apply(group("sg-far", ingress=(Rule(17, VXLAN, VXLAN, cidr="10.0.1.0/24"),), owner=beyond), far)
    lab.apply(mirrored(session(target=far)))
    afar = Capture(lab, far)
    send(lab, A, B, b"x")
    afar.hears(b"x")
    assert afar.copies[0].sender == str(A.addresses[0])


def test_a_session_more_costs_the_same_however_many_there_are(lab: Lab, capture: Capture) -> None:
    def cost(plug: Port, number: int) -> int:
        lab.apply(plug)
        before = lab.fabric.counts.total()
        assert lab.fabric.apply([Change(plug, mirrored(session(number), plug=plug))]) == {}
        return lab.fabric.counts.total() - before

    first = cost(port(20), 20)
    for number in range(21, 28):
        lab.apply(mirrored(session(number), plug=port(number)))
    assert cost(port(30), 30) <= first
