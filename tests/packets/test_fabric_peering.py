"""VPC peering: what crosses between two VPCs, what does not, and that nothing goes further."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from fabric_lab import ANY, Lab, delivers, group, nothing_for, port, table, udp_frame, until, vpc

from enid.fabric.linux import names
from enid.netlink import links
from enid.topology.reach import Reason, reach
from enid.topology.records import (
    AclEntry,
    Change,
    NetworkAcl,
    Peering,
    Port,
    Record,
    Route,
    RouteTable,
    Rule,
    SecurityGroup,
    Site,
    Subnet,
    TargetKind,
    Vpc,
)

pytestmark = pytest.mark.root


class Net:
    """A VPC with blocks 10.<n>.0.0/16 and 2001:db8:<n>00::/56, one subnet, one route table and an open group."""

    def __init__(self, letter: str, number: int) -> None:
        self.id, self.number = f"vpc-0000000000000000{letter}", number
        self.letter = letter
        self.blocks = (ip_network(f"10.{number}.0.0/16"), ip_network(f"2001:db8:{number:x}00::/56"))
        here = (ip_network(f"10.{number}.1.0/24"), ip_network(f"2001:db8:{number:x}00::/64"))
        self.subnet = Subnet(f"subnet-{letter}", here)
        self.group, self.table_id = f"sg-{letter}", f"rtb-{letter}"

    def vpc(self, *peers: Peering, **changes: object) -> Vpc:
        return vpc(self.id, blocks=self.blocks, subnets=(self.subnet,), peerings=peers, **changes)

    def towards(self, connection: str, **changes: object) -> Peering:
        """This VPC, seen from the other side of a connection."""
        return replace(Peering(connection, self.id, self.blocks), **changes)  # type: ignore[arg-type]

    def open_group(self, ingress: tuple[Rule, ...] = ANY, egress: tuple[Rule, ...] = ANY) -> SecurityGroup:
        return group(self.group, ingress, egress, self.id)

    def table(self, *ways: Route) -> RouteTable:
        return table(*ways, name=self.table_id, owner=self.id)

    def port(self, number: int, **changes: object) -> Port:
        address = (ip_address(f"10.{self.number}.1.{number}"), ip_address(f"2001:db8:{self.number:x}00::{number:x}"))
        return replace(
            port(number, f"i-{self.letter}{number}", 0x1000 * int(self.letter, 16) + number),
            id=f"eni-{self.letter}{number}",
            vpc_id=self.id,
            subnet=self.subnet,
            route_table_id=self.table_id,
            addresses=address,
            groups=(self.group,),
            **changes,
        )


def via(connection: str, *destinations: object) -> tuple[Route, ...]:
    return tuple(Route(ip_network(block), TargetKind.PEERING, connection) for block in map(str, destinations))


AB, BC, AC = "pcx-0000000000000000f", "pcx-0000000000000000e", "pcx-0000000000000000d"
ONE, TWO, THREE = Net("a", 1), Net("b", 2), Net("c", 3)
A, B, C = ONE.port(5), TWO.port(5), THREE.port(5)
FAMILIES = (0, 1)


def peered(*, a: tuple[Record, ...] = (), b: tuple[Record, ...] = ()) -> list[Record]:
    """A and B with everything that is needed; ``a`` and ``b`` in place of a side's group and table."""
    return [
        ONE.vpc(TWO.towards(AB)),
        TWO.vpc(ONE.towards(AB)),
        *(a or (ONE.open_group(), ONE.table(*via(AB, *TWO.blocks)))),
        *(b or (TWO.open_group(), TWO.table(*via(AB, *ONE.blocks)))),
    ]


def flows(lab: Lab, sender: Port, receiver: Port, family: int = 0) -> None:
    """A request and its answer."""
    far, near = receiver.addresses[family], sender.addresses[family]
    inside, outside = lab.guest(sender).udp(near), lab.guest(receiver).udp(far, 53)
    assert delivers(inside, outside, far) == str(near)
    assert delivers(outside, inside, near, inside.getsockname()[1]) == str(far)
    inside.close()
    outside.close()
    assert reach(lab.world, sender.id, str(far), "udp/53").reachable


def is_dropped(lab: Lab, sender: Port, to: object, reason: str, owner: Net, says: Reason) -> None:
    """A request, and the counter and the oracle's reason that tell why it does not arrive."""
    before = lab.dropped(reason, owner.id)
    version = ip_address(str(to)).version
    near = next(address for address in sender.addresses if address.version == version)
    lab.guest(sender).udp(near).sendto(b"x", (str(to), 53))
    until(lambda: lab.dropped(reason, owner.id) == before + 1, f"{reason} is counted")
    assert reach(lab.world, sender.id, str(to), "udp/53").reason is says


@pytest.mark.parametrize("family", FAMILIES)
def test_peers_reach_each_other_both_ways(lab: Lab, family: int) -> None:
    lab.apply(*peered(), A, B)
    flows(lab, A, B, family)
    flows(lab, B, A, family)


def test_tcp_and_jumbo_frames_cross(lab: Lab) -> None:
    lab.apply(*peered(), A, B)
    server = lab.guest(B).socket(2, 1)
    server.bind((str(B.addresses[0]), 80))
    server.listen()
    client = lab.guest(A).socket(2, 1)
    client.connect((str(B.addresses[0]), 80))
    accepted, (source, _) = server.accept()
    assert source == str(A.addresses[0])
    client.sendall(b"x" * 100_000)
    assert len(accepted.recv(100_000, 0x100)) == 100_000  # MSG_WAITALL
    accepted.close()
    assert lab.guest(A).run(f"ping -n -M do -s 8973 -c1 -W2 {B.addresses[0]}").returncode == 0
    assert "ttl=62" in lab.guest(A).run(f"ping -n -c1 -W2 {B.addresses[0]}").stdout


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)])
def test_whichever_comes_first(lab: Lab, order: tuple[int, ...]) -> None:
    lab.apply(ONE.vpc(), TWO.vpc(), *peered()[2:])
    steps = [peered()[0], peered()[1], A]
    lab.apply(B)
    for step in order:
        lab.apply(steps[step])
    flows(lab, A, B)


def test_vpcs_made_in_one_batch_with_their_peering(lab: Lab) -> None:
    lab.apply(*reversed(peered()), A, B)
    flows(lab, A, B)


@pytest.mark.parametrize("late", [ONE, TWO])
def test_a_vpc_comes_late_in_one_batch_with_what_else_changes_at_its_peer(lab: Lab, late: Net) -> None:
    """Sorted by id, the peer's share of the batch is carried out before or after the VPC's own."""
    vpcs, rest = peered()[:2], peered()[2:]
    early, others = [each for each in vpcs if each.key[1] != late.id], [each for each in vpcs if each.key[1] == late.id]
    lab.apply(*early)
    lab.apply(*others, *rest, A, B)
    flows(lab, A, B)
    flows(lab, B, A)


def test_nothing_crosses_without_a_connection(lab: Lab) -> None:
    holes = [Route(block, TargetKind.BLACKHOLE) for block in TWO.blocks]
    lab.apply(ONE.vpc(), TWO.vpc(), ONE.open_group(), TWO.open_group(), ONE.table(*holes), TWO.table(), A, B)
    is_dropped(lab, A, B.addresses[0], "no_route", ONE, Reason.BLACKHOLE)


def test_a_route_on_one_side_is_not_enough(lab: Lab) -> None:
    lab.apply(*peered(b=(TWO.open_group(), TWO.table())), A, B)
    inside, outside = lab.guest(A).udp(A.addresses[0]), lab.guest(B).udp(B.addresses[0], 53)
    delivers(inside, outside, B.addresses[0])
    outside.sendto(b"x", inside.getsockname())
    until(lambda: lab.dropped("no_route", TWO.id) == 1, "no way back")
    assert nothing_for(inside)
    assert reach(lab.world, A.id, B.id, "udp/53").reason is Reason.NO_WAY_BACK
    lab.apply(TWO.table(*via(AB, *ONE.blocks)))
    flows(lab, A, B)


def test_a_route_may_be_to_a_part_of_the_peer_or_to_everywhere(lab: Lab) -> None:
    lab.apply(*peered(), A, B)
    lab.apply(ONE.table(*via(AB, "10.2.1.4/30")))
    flows(lab, A, B)
    is_dropped(lab, A, "10.2.1.8", "no_route", ONE, Reason.NO_ROUTE)
    lab.apply(ONE.table(*via(AB, "0.0.0.0/0", "::/0")))
    for family in FAMILIES:
        flows(lab, A, B, family)
    for beyond in ("8.8.8.8", "2001:db8:900::1"):
        is_dropped(lab, A, beyond, "beyond_peer", ONE, Reason.BEYOND_PEER)


def test_each_side_judges_by_its_own_groups(lab: Lab) -> None:
    lab.apply(*peered(), A, B)
    lab.apply(ONE.open_group(egress=()))
    is_dropped(lab, A, B.addresses[0], "egress_denied", ONE, Reason.EGRESS)
    lab.apply(ONE.open_group(), TWO.open_group(ingress=()))
    is_dropped(lab, A, B.addresses[0], "ingress_denied", TWO, Reason.INGRESS)
    lab.apply(TWO.open_group(ingress=(Rule(17, 53, 53, cidr="10.1.1.5/32"),)))
    flows(lab, A, B)


def test_peering_is_not_transitive(lab: Lab) -> None:
    """A is a peer of B and B of C. Whatever A's and B's routes say, A and C do not meet."""
    lab.apply(
        ONE.vpc(TWO.towards(AB)),
        TWO.vpc(ONE.towards(AB), THREE.towards(BC)),
        THREE.vpc(TWO.towards(BC)),
        *(net.open_group() for net in (ONE, TWO, THREE)),
        ONE.table(*via(AB, *TWO.blocks, *THREE.blocks)),
        TWO.table(*via(AB, *ONE.blocks), *via(BC, *THREE.blocks)),
        THREE.table(*via(BC, *TWO.blocks, *ONE.blocks)),
        *(A, B, C),
    )
    flows(lab, A, B)
    flows(lab, B, C)
    is_dropped(lab, A, C.addresses[0], "beyond_peer", ONE, Reason.BEYOND_PEER)
    is_dropped(lab, C, A.addresses[1], "beyond_peer", THREE, Reason.BEYOND_PEER)


def test_a_peers_internet_gateway_and_vpn_are_its_own(lab: Lab) -> None:
    cafe = Site("cafe", IPv4Address("198.19.0.1"))
    everywhere = Route(ip_network("0.0.0.0/0"), TargetKind.INTERNET)
    public = replace(A, public=((IPv4Address("10.1.1.5"), IPv4Address("198.18.0.5")),))
    lab.apply(*peered(b=(TWO.open_group(), TWO.table(*via(AB, *ONE.blocks), everywhere))), cafe)
    lab.apply(TWO.vpc(ONE.towards(AB), internet=True), public, B)
    ear = lab.site("cafe").udp(cafe.public_ip, 53)
    lab.apply(ONE.table(*via(AB, "0.0.0.0/0")))
    is_dropped(lab, A, cafe.public_ip, "beyond_peer", ONE, Reason.BEYOND_PEER)
    assert nothing_for(ear)


@pytest.mark.parametrize("number", [53, 80])
def test_what_a_vpc_answers_its_own_instances_it_answers_no_peer(lab: Lab, number: int) -> None:
    """Its resolver is at base + 2, which is one of the addresses that come over the wire."""
    lab.apply(*peered(), A, B)
    before = lab.dropped("to_router", TWO.id)
    for resolver in ("10.2.0.2", "10.2.1.2", "10.2.1.1"):
        lab.guest(A).udp(A.addresses[0]).sendto(b"x", (resolver, number))
    until(lambda: lab.dropped("to_router", TWO.id) == before + 3, "the peer's router is silent")
    assert reach(lab.world, A.id, "10.2.0.2", f"udp/{number}").reason is Reason.NO_INTERFACE
    assert reach(lab.world, B.id, "10.2.0.2", "udp/53").reachable


def test_only_the_peers_addresses_go_out_and_come_in(lab: Lab) -> None:
    """An instance whose source check is off may send anything; a VPC sends its peer only what is its own, and that
    takes nothing else, should it come."""
    box = replace(A, source_dest_check=False)
    lab.apply(*peered(), box, B)
    ear = lab.guest(B).udp(B.addresses[0], 53)
    link = names.peering_link(AB)
    wire = (names.peering_mac(AB, TWO.id, ONE.id) + names.peering_mac(AB, ONE.id, TWO.id)).replace(":", "")
    for number, forged in enumerate(("192.0.2.1", "10.2.1.77", "10.3.1.5"), 1):
        frame = udp_frame(A.mac, ONE.id, ip_address(forged), B.addresses[0], 53)
        lab.guest(box).frame("eth0", frame)
        until(lambda: lab.dropped("beyond_peer", ONE.id) == number, f"{forged} is counted")  # noqa: B023
        lab.router(ONE.id).frame(link, bytes.fromhex(wire) + frame[12:])
        until(lambda: lab.dropped("spoof", TWO.id) == number, f"{forged} is counted at the other end")  # noqa: B023
    assert nothing_for(ear)
    lab.guest(box).frame("eth0", udp_frame(A.mac, ONE.id, ip_address("10.1.1.200"), B.addresses[0], 53))
    assert ear.recvfrom(100)[1][0] == "10.1.1.200"


def test_a_block_added_to_the_peer_counts(lab: Lab) -> None:
    more = ip_network("10.77.0.0/16")
    subnet = Subnet("subnet-more", (ip_network("10.77.0.0/24"),))
    late = replace(TWO.port(9), addresses=(ip_address("10.77.0.9"),), subnet=subnet)
    lab.apply(*peered(), A, late)
    lab.apply(ONE.table(*via(AB, *TWO.blocks, more)))
    is_dropped(lab, A, "10.77.0.9", "beyond_peer", ONE, Reason.BEYOND_PEER)
    wider = replace(TWO.vpc(ONE.towards(AB)), blocks=(*TWO.blocks, more), subnets=(TWO.subnet, subnet))
    lab.apply(ONE.vpc(TWO.towards(AB, blocks=wider.blocks)), wider)
    flows(lab, A, late)


class TestNetworkAcls:
    """Each side's borders are guarded in its own router, for the request and for its reply."""

    def guard(self, net: Net, **sides: tuple[AclEntry, ...]) -> NetworkAcl:
        everything = (AclEntry(100, True, -1, ip_network("0.0.0.0/0")), AclEntry(101, True, -1, ip_network("::/0")))
        chosen = {"ingress": everything, "egress": everything}
        chosen |= {direction: (*said, *everything) for direction, said in sides.items()}
        return NetworkAcl(f"acl-{net.letter}", net.id, (4, 6), (net.subnet.id,), **chosen)

    @pytest.mark.parametrize("family", FAMILIES)
    def test_a_request_is_judged_at_both_borders(self, lab: Lab, family: int) -> None:
        lab.apply(*peered(), A, B)
        to_b, from_a = (AclEntry(1, False, 17, net.blocks[family], 53, 53) for net in (TWO, ONE))
        lab.apply(self.guard(ONE, egress=(to_b,)), self.guard(TWO))
        is_dropped(lab, A, B.addresses[family], "network_acl_egress", ONE, Reason.ACL_EGRESS)
        lab.apply(self.guard(ONE), self.guard(TWO, ingress=(from_a,)))
        is_dropped(lab, A, B.addresses[family], "network_acl_ingress", TWO, Reason.ACL_INGRESS)
        lab.apply(self.guard(TWO, ingress=(replace(from_a, block=TWO.blocks[family]),)))
        flows(lab, A, B, family)

    @pytest.mark.parametrize("family", FAMILIES)
    def test_so_is_its_reply(self, lab: Lab, family: int) -> None:
        lab.apply(*peered(), A, B)
        to_a, from_b = (AclEntry(1, False, 17, net.blocks[family], 1024, 65535) for net in (ONE, TWO))
        asks, answers = lab.guest(A).udp(A.addresses[family]), lab.guest(B).udp(B.addresses[family], 53)
        for net, direction, entry, reason in (
            (TWO, "egress", to_a, Reason.ACL_EGRESS),
            (ONE, "ingress", from_b, Reason.ACL_INGRESS),
        ):
            lab.apply(self.guard(ONE), self.guard(TWO))
            lab.apply(self.guard(net, **{direction: (entry,)}))
            delivers(asks, answers, B.addresses[family])
            counter = f"network_acl_{direction}"
            before = lab.dropped(counter, net.id)
            answers.sendto(b"x", asks.getsockname())
            until(lambda: lab.dropped(counter, net.id) == before + 1, f"{counter} is counted")  # noqa: B023
            assert nothing_for(asks)
            verdict = reach(lab.world, A.id, str(B.addresses[family]), "udp/53")
            assert verdict.reason is reason
            assert verdict.sentence.startswith("the request arrives, but ")


class TestGroupsOfPeers:
    """A rule may refer to a group of the VPC at the other side."""

    WEB, DB = ONE.port(7), TWO.port(7)
    KNOWN = Rule(17, 53, 53, group="sg-a", peering=AB)

    def test_membership_across_the_connection_decides(self, lab: Lab) -> None:
        stranger = replace(ONE.port(8), groups=("sg-else",))
        lab.apply(*peered(), group("sg-else", owner=ONE.id), A, B, stranger)
        lab.apply(TWO.open_group(ingress=(self.KNOWN,)))
        for family in FAMILIES:
            flows(lab, A, B, family)
            is_dropped(lab, stranger, B.addresses[family], "ingress_denied", TWO, Reason.INGRESS)
        lab.apply(replace(stranger, groups=("sg-a", "sg-else")))
        flows(lab, stranger, B)
        lab.apply(replace(A, groups=("sg-else",)))
        is_dropped(lab, A, B.addresses[0], "ingress_denied", TWO, Reason.INGRESS)

    @pytest.mark.parametrize("family", FAMILIES)
    def test_a_members_prefixes_count_too(self, lab: Lab, family: int) -> None:
        prefix = (ip_network("10.1.1.32/28"), ip_network("2001:db8:100:0:5::/80"))[family]
        inside = prefix[7]
        lab.apply(*peered(), TWO.open_group(ingress=(self.KNOWN,)), A, B)
        holder = replace(A, prefixes=(prefix,))
        lab.apply(holder)
        lab.guest(A).run(f"ip address add {inside}/{inside.max_prefixlen} dev lo nodad")
        ear = lab.guest(B).udp(B.addresses[family], 53)
        mouth = lab.guest(A).udp(inside, 999)
        assert delivers(mouth, ear, B.addresses[family]) == str(inside)
        assert reach(lab.world, str(inside), str(B.addresses[family]), "udp/53").reachable
        lab.apply(A)
        stranger = replace(ONE.port(8), groups=("sg-else",), prefixes=(prefix,))
        lab.apply(group("sg-else", owner=ONE.id), stranger)
        lab.guest(stranger).run(f"ip address add {inside}/{inside.max_prefixlen} dev lo nodad")
        before = lab.dropped("ingress_denied", TWO.id)
        lab.guest(stranger).udp(inside, 999).sendto(b"x", (str(B.addresses[family]), 53))
        until(lambda: lab.dropped("ingress_denied", TWO.id) == before + 1, "neither a member nor its flow")
        assert nothing_for(ear)

    def test_a_member_keeps_its_public_address_when_the_peer_loses_its_gateway(self, lab: Lab) -> None:
        cafe = Site("cafe", IPv4Address("198.19.0.1"))
        outside = IPv4Address("198.18.0.5")
        public = replace(A, public=((IPv4Address("10.1.1.5"), outside),))
        out = Route(ip_network("0.0.0.0/0"), TargetKind.INTERNET)
        lab.apply(*peered(a=(ONE.open_group(), ONE.table(*via(AB, *TWO.blocks), out))), cafe, public, B)
        lab.apply(ONE.vpc(TWO.towards(AB), internet=True), TWO.vpc(ONE.towards(AB), internet=True))
        lab.apply(TWO.open_group(ingress=(self.KNOWN,)))
        lab.apply(TWO.vpc(ONE.towards(AB)))
        ear, mouth = lab.guest(A).udp(A.addresses[0], 53), lab.site("cafe").udp(cafe.public_ip)
        assert delivers(mouth, ear, outside) == str(cafe.public_ip)

    def test_outbound_too(self, lab: Lab) -> None:
        other = replace(TWO.port(8), groups=("sg-else",))
        lab.apply(*peered(), group("sg-else", owner=TWO.id), A, B, other)
        lab.apply(ONE.open_group(egress=(Rule(17, 53, 53, group="sg-b", peering=AB),)))
        flows(lab, A, B)
        is_dropped(lab, A, other.addresses[0], "egress_denied", ONE, Reason.EGRESS)

    def test_an_interface_that_comes_later_and_goes(self, lab: Lab) -> None:
        lab.apply(*peered(), TWO.open_group(ingress=(self.KNOWN,)), B, A)
        flows(lab, A, B)
        lab.remove(A)
        imposter = replace(
            ONE.port(5, mac="02:e0:00:00:77:05"), id="eni-a99", attachment_id="eni-attach-00000000000999"
        )
        imposter = replace(imposter, groups=("sg-else",))
        lab.apply(group("sg-else", owner=ONE.id), imposter)
        is_dropped(lab, imposter, B.addresses[0], "ingress_denied", TWO, Reason.INGRESS)

    def test_a_peer_with_the_same_addresses_is_another(self, lab: Lab) -> None:
        """B is a peer of A and of A's twin, which has A's blocks; only A's group is known."""
        twin = Net("d", 1)
        double = twin.port(5)
        lab.apply(
            ONE.vpc(TWO.towards(AB)),
            TWO.vpc(ONE.towards(AB), twin.towards(AC)),
            twin.vpc(TWO.towards(AC)),
            *(ONE.open_group(), twin.open_group(), TWO.open_group(ingress=(self.KNOWN,))),
            *(ONE.table(*via(AB, *TWO.blocks)), twin.table(*via(AC, *TWO.blocks))),
            TWO.table(*via(AB, "10.1.1.0/24")),
            *(A, B, double),
        )
        flows(lab, A, B)
        is_dropped(lab, double, B.addresses[0], "ingress_denied", TWO, Reason.INGRESS)
        lab.restart()
        flows(lab, A, B)
        is_dropped(lab, double, B.addresses[0], "ingress_denied", TWO, Reason.INGRESS)

    @pytest.mark.parametrize("asks", [True, False])
    def test_a_peer_with_the_same_addresses_does_not_get_into_a_flow(self, lab: Lab, asks: bool) -> None:
        """Neither as the one who asked nor as the one who answers."""
        twin = Net("d", 1)
        double = twin.port(5)
        lab.apply(
            *(ONE.vpc(TWO.towards(AB)), TWO.vpc(ONE.towards(AB), twin.towards(AC)), twin.vpc(TWO.towards(AC))),
            *(ONE.open_group(), twin.open_group(), TWO.open_group(ingress=(self.KNOWN,))),
            *(ONE.table(*via(AB, *TWO.blocks)), twin.table(*via(AC, *TWO.blocks))),
            TWO.table(*via(AB, "10.1.1.0/24")),
            *(A, B, double),
        )
        near, far = (2000, 53) if asks else (53, 2000)
        at_a, at_b = lab.guest(A).udp(A.addresses[0], near), lab.guest(B).udp(B.addresses[0], far)
        first, second = (at_a, at_b) if asks else (at_b, at_a)
        delivers(first, second, second.getsockname()[0])
        delivers(second, first, first.getsockname()[0])
        before = lab.dropped("invalid", TWO.id)
        lab.guest(double).udp(double.addresses[0], near).sendto(b"x", (str(B.addresses[0]), far))
        until(lambda: lab.dropped("invalid", TWO.id) == before + 1, "it is no part of the flow")
        assert nothing_for(at_b)
        delivers(at_a, at_b, B.addresses[0])


class TestLife:
    def test_deleting_cuts_running_flows(self, lab: Lab) -> None:
        lab.apply(*peered(), A, B)
        inside, outside = lab.guest(A).udp(A.addresses[0]), lab.guest(B).udp(B.addresses[0], 53)
        delivers(inside, outside, B.addresses[0])
        holes = [[Route(block, TargetKind.BLACKHOLE) for block in net.blocks] for net in (TWO, ONE)]
        lab.apply(ONE.vpc(), TWO.vpc(), ONE.table(*holes[0]), TWO.table(*holes[1]))
        for ear, sender, to, net in ((outside, inside, B, ONE), (inside, outside, A, TWO)):
            before = lab.dropped("no_route", net.id)
            sender.sendto(b"x", (str(to.addresses[0]), ear.getsockname()[1]))
            until(lambda: lab.dropped("no_route", net.id) == before + 1, "nothing crosses")  # noqa: B023
            assert nothing_for(ear)
        assert not _wires(lab)
        again = "pcx-00000000000000099"
        lab.apply(
            *(ONE.vpc(TWO.towards(again)), TWO.vpc(ONE.towards(again))),
            *(ONE.table(*via(again, *TWO.blocks)), TWO.table(*via(again, *ONE.blocks))),
            TWO.open_group(ingress=()),
        )
        before = lab.dropped("ingress_denied", TWO.id)
        inside.sendto(b"x", (str(B.addresses[0]), 53))
        until(lambda: lab.dropped("ingress_denied", TWO.id) == before + 1, "the old flow is forgotten")
        assert nothing_for(outside)

    def test_nothing_else_loses_a_packet_while_peerings_come_and_go(self, lab: Lab) -> None:
        other, third = ONE.port(6), TWO.port(6)
        lab.apply(*peered(), A, other, B, third)
        lab.apply(THREE.vpc(), THREE.open_group(), THREE.table())
        pairs = [(A, other), (B, third), (A, B)]
        ends = [
            (lab.guest(one).udp(one.addresses[0], 1000 + place), lab.guest(two).udp(two.addresses[0], 2000 + place))
            for place, (one, two) in enumerate(pairs)
        ]
        for round_ in range(6):
            for (sender, receiver), (_, two) in zip(ends, pairs, strict=True):
                sender.sendto(b"before", (str(two.addresses[0]), receiver.getsockname()[1]))
            joined = round_ % 2 == 0
            more = (THREE.towards(AC),) if joined else ()
            lab.apply(ONE.vpc(TWO.towards(AB), *more), THREE.vpc(*([ONE.towards(AC)] if joined else [])))
            for (sender, receiver), (_, two) in zip(ends, pairs, strict=True):
                sender.sendto(b"after", (str(two.addresses[0]), receiver.getsockname()[1]))
                assert [receiver.recv(10), receiver.recv(10)] == [b"before", b"after"]

    def test_a_new_agent_keeps_what_is_right(self, lab: Lab) -> None:
        lab.apply(*peered(), TWO.open_group(ingress=(TestGroupsOfPeers.KNOWN,)), A, B)
        inside, outside = lab.guest(A).udp(A.addresses[0]), lab.guest(B).udp(B.addresses[0], 53)
        delivers(inside, outside, B.addresses[0])
        before = _wires(lab)
        lab.restart()
        assert _wires(lab) == before
        lab.apply(TWO.open_group(ingress=()))  # only the flow that is tracked still passes
        delivers(inside, outside, B.addresses[0])
        lab.apply(TWO.open_group(ingress=(TestGroupsOfPeers.KNOWN,)))
        flows(lab, A, B)

    @pytest.mark.parametrize("family", FAMILIES)
    @pytest.mark.parametrize("shut", [TWO.open_group(ingress=()), ONE.open_group(egress=())], ids=["far", "near"])
    def test_each_end_cuts_what_it_does_not_track(self, lab: Lab, shut: SecurityGroup, family: int) -> None:
        lab.apply(*peered(), A, B)
        inside, outside = lab.guest(A).udp(A.addresses[family], 4000), lab.guest(B).udp(B.addresses[family], 53)
        for _ in range(2):
            delivers(inside, outside, B.addresses[family])
            delivers(outside, inside, A.addresses[family])
        opened = lab.world[shut.key]
        lab.apply(shut)
        inside.sendto(b"again", (str(B.addresses[family]), 53))
        reason = "egress_denied" if shut.egress == () else "ingress_denied"
        until(lambda: lab.dropped(reason, shut.vpc_id) == 1)
        assert nothing_for(outside)
        lab.apply(opened)
        delivers(inside, outside, B.addresses[family])
        delivers(outside, inside, A.addresses[family])

    def test_a_new_agent_finds_a_peering_that_came_or_went(self, lab: Lab) -> None:
        lab.apply(ONE.vpc(), TWO.vpc(), *peered()[2:], A, B)
        lab.world.update({record.key: record for record in peered()})
        lab.restart()
        flows(lab, A, B)
        for record in (ONE.vpc(), TWO.vpc(), ONE.table(), TWO.table()):
            lab.world[record.key] = record
        lab.restart()
        is_dropped(lab, A, B.addresses[0], "no_route", ONE, Reason.NO_ROUTE)
        assert not _wires(lab)

    def test_a_broken_wire_is_made_again(self, lab: Lab) -> None:
        lab.apply(*peered(), A, B)
        router = lab.fabric._routers[ONE.id]
        name = names.peering_link(AB)
        router.node.route.batch([links.delete_link(index=router.node.links[name])])
        lab.restart()
        for family in FAMILIES:
            flows(lab, A, B, family)

    def test_a_vpc_goes_with_its_peering(self, lab: Lab) -> None:
        lab.apply(*peered(), A, B)
        gone = [TWO.vpc(ONE.towards(AB)), TWO.open_group(), TWO.table(*via(AB, *ONE.blocks))]
        lab.remove(B)
        lab.fabric.apply([Change(ONE.vpc(TWO.towards(AB)), ONE.vpc()), *(Change(record, None) for record in gone)])
        assert not _wires(lab)
        lab.world = {key: record for key, record in lab.world.items() if record not in gone}
        lab.apply(TWO.vpc(ONE.towards(AB)), ONE.vpc(TWO.towards(AB)), *peered()[2:], TWO.port(6))
        flows(lab, A, TWO.port(6))


def _wires(lab: Lab) -> dict[str, dict[str, int]]:
    found = {
        vpc_id: {name: index for name, index in router.node.links.items() if name.startswith("p")}
        for vpc_id, router in lab.fabric._routers.items()
    }
    return {vpc_id: links for vpc_id, links in found.items() if links}
