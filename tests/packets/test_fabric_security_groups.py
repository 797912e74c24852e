"""Security groups: two gates, stateful, and silent."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from fabric_lab import ANY, Lab, delivers, group, nothing_for, port, table, until, vpc

from enid.netlink import nftables
from enid.netlink.message import DUMP, message
from enid.netlink.netfilter import NetfilterSocket
from enid.topology.records import Rule

pytestmark = pytest.mark.root

A, B = port(5), port(6)
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58


def udp_denied(lab: Lab, reason: str, to: object = B.addresses[0], number: int = 53) -> None:
    """A datagram from A to B is dropped for this reason and none other."""
    receiver = lab.guest(B).udp(to, number)
    before = lab.fabric.drops(vpc().id)
    sender = lab.guest(A).udp(A.addresses[0] if ip_address(str(to)).version == 4 else A.addresses[1])
    sender.sendto(b"x", (str(to), number))
    until(lambda: lab.dropped(reason) == before[reason] + 1, reason)
    after = lab.fabric.drops(vpc().id)
    assert {name: count for name, count in after.items() if name != reason} == {
        name: count for name, count in before.items() if name != reason
    }
    assert nothing_for(receiver)


def sets_of(lab: Lab) -> int:
    """How many sets the kernel has in the router."""
    with NetfilterSocket(lab.router().namespace) as netfilter:
        request = message(nftables.SUBSYSTEM << 8 | 10, DUMP, bytes(4))
        return len(list(netfilter.dump(request)))


@pytest.mark.parametrize("version", [4, 6])
def test_both_gates_must_allow(lab: Lab, version: int) -> None:
    to = B.addresses[version == 6]
    a, b = port(5, groups=("sg-a",)), port(6, groups=("sg-b",))
    lab.apply(b, a, table(), group("sg-a", ingress=()), group("sg-b"), vpc())
    delivers(lab.guest(a).udp(a.addresses[version == 6]), lab.guest(b).udp(to, 53), to)
    lab.apply(group("sg-b", ingress=()))
    udp_denied(lab, "ingress_denied", to)
    lab.apply(group("sg-b"), group("sg-a", ingress=(), egress=()))
    udp_denied(lab, "egress_denied", to)


def test_answers_need_no_rule_and_tracked_flows_outlive_a_rule(lab: Lab) -> None:
    lab.apply(vpc(), table(), port(5, groups=("sg-a",)), port(6, groups=("sg-b",)))
    lab.apply(group("sg-a", ingress=()), group("sg-b", egress=()))
    asks, answers = lab.guest(A).udp(A.addresses[0]), lab.guest(B).udp(B.addresses[0], 53)
    delivers(asks, answers, B.addresses[0])
    delivers(answers, asks, A.addresses[0])
    lab.apply(group("sg-b", ingress=(), egress=()))
    delivers(asks, answers, B.addresses[0])
    delivers(answers, asks, A.addresses[0])
    udp_denied(lab, "ingress_denied", number=54)


@pytest.mark.parametrize("version", [4, 6])
def test_a_group_reference_follows_membership(lab: Lab, version: int) -> None:
    place = int(version == 6)
    refers = group("sg-b", ingress=[Rule(UDP, 53, 53, group="sg-web")])
    lab.apply(vpc(), table(), group(), refers, group("sg-web"), port(5), port(6, groups=("sg-b",)))
    udp_denied(lab, "ingress_denied", B.addresses[place])
    lab.apply(port(5, groups=("sg-open", "sg-web")))
    receiver = lab.guest(B).udp(B.addresses[place], 53)
    delivers(lab.guest(A).udp(A.addresses[place]), receiver, B.addresses[place])
    udp_denied(lab, "ingress_denied", B.addresses[place], 54)
    lab.apply(port(5))
    receiver.close()
    udp_denied(lab, "ingress_denied", B.addresses[place])


def test_a_reference_to_a_group_nobody_has_heard_of_allows_nothing(lab: Lab) -> None:
    refers = group("sg-b", ingress=[Rule(-1, -1, -1, group="sg-later")])
    lab.apply(vpc(), table(), group(), refers, port(5), port(6, groups=("sg-b",)))
    udp_denied(lab, "ingress_denied")
    lab.apply(port(5, groups=("sg-later", "sg-open")))
    receiver = lab.guest(B).udp(B.addresses[0], 55)
    delivers(lab.guest(A).udp(A.addresses[0]), receiver, B.addresses[0])


def test_ports_and_blocks_match_at_their_edges(lab: Lab) -> None:
    rules = [
        Rule(UDP, 100, 199, cidr="10.0.1.4/31"),
        Rule(UDP, 150, 300, cidr="10.0.0.0/16"),
        Rule(TCP, 0, 65535, cidr="0.0.0.0/0"),
        Rule(UDP, 80, 80, cidr="10.0.1.6/32"),
    ]
    lab.apply(vpc(), table(), group(), group("sg-b", ingress=rules), port(5), port(6, groups=("sg-b",)))
    sender = lab.guest(A).udp(A.addresses[0])
    for number in (100, 149, 150, 199, 200, 300):
        delivers(sender, lab.guest(B).udp(B.addresses[0], number), B.addresses[0])
    for number in (99, 301, 80):
        udp_denied(lab, "ingress_denied", number=number)
    assert lab.guest(A).run(f"curl -s --max-time 2 http://{B.addresses[0]}:7777/").returncode == 7, "refused, not lost"


def test_a_narrower_rule_survives_the_wider_one_that_covered_it(lab: Lab) -> None:
    narrow, wide = Rule(UDP, 53, 53, cidr="10.0.1.5/32"), Rule(UDP, 1, 1000, cidr="10.0.0.0/8")
    lab.apply(vpc(), table(), group(), group("sg-b", ingress=[narrow, wide]), port(5), port(6, groups=("sg-b",)))
    sender = lab.guest(A).udp(A.addresses[0])
    delivers(sender, lab.guest(B).udp(B.addresses[0], 60), B.addresses[0])
    lab.apply(group("sg-b", ingress=[narrow]))
    delivers(sender, lab.guest(B).udp(B.addresses[0], 53), B.addresses[0])
    udp_denied(lab, "ingress_denied", number=61)
    lab.apply(group("sg-b", ingress=[wide, narrow]))
    delivers(sender, lab.guest(B).udp(B.addresses[0], 62), B.addresses[0])


def test_icmp_types_are_told_apart(lab: Lab) -> None:
    lab.apply(vpc(), table(), group(), port(5), port(6, groups=("sg-b",)))
    lab.apply(group("sg-b", ingress=[Rule(ICMP, 8, -1, cidr="0.0.0.0/0"), Rule(ICMP6, 128, 0, cidr="::/0")]))
    assert lab.guest(A).pings(B.addresses[0])
    assert lab.guest(A).pings(B.addresses[1])
    udp_denied(lab, "ingress_denied")
    lab.apply(group("sg-b", ingress=[Rule(ICMP, 13, 0, cidr="0.0.0.0/0"), Rule(ICMP6, 129, -1, cidr="::/0")]))
    assert not lab.guest(A).run(f"ping -n -c1 -W1 {B.addresses[0]}").stdout.count("bytes from")
    assert lab.dropped("ingress_denied") == 2
    lab.apply(group("sg-b", ingress=[Rule(ICMP, -1, -1, cidr="10.0.1.5/32")]))
    assert lab.guest(A).pings(B.addresses[0])


def test_icmp_errors_of_an_allowed_flow_come_back(lab: Lab) -> None:
    lab.apply(vpc(), table(), group("sg-a", ingress=()), group("sg-b", egress=()))
    lab.apply(port(5, groups=("sg-a",)), port(6, groups=("sg-b",)))
    sender = lab.guest(A).udp(A.addresses[0])
    sender.connect((str(B.addresses[0]), 4242))
    sender.send(b"x")
    with pytest.raises(ConnectionRefusedError):
        sender.recv(10)


def test_several_groups_allow_what_any_of_them_allows(lab: Lab) -> None:
    one, two = (
        group("sg-1", ingress=[Rule(UDP, 1, 1, cidr="0.0.0.0/0")]),
        group("sg-2", ingress=[Rule(UDP, 2, 2, cidr="0.0.0.0/0")]),
    )
    lab.apply(vpc(), table(), group(), one, two, port(5), port(6, groups=("sg-1", "sg-2")))
    sender = lab.guest(A).udp(A.addresses[0])
    for number in (1, 2):
        delivers(sender, lab.guest(B).udp(B.addresses[0], number), B.addresses[0])
    udp_denied(lab, "ingress_denied", number=3)


def test_a_rule_that_no_packet_can_match_is_in_nobodys_way(lab: Lab) -> None:
    """AWS takes ICMPv6 from an IPv4 block, and so does enid."""
    useless = [Rule(58, -1, -1, cidr="10.0.0.0/8"), Rule(1, -1, -1, cidr="::/0")]
    lab.apply(vpc(), table(), group(), group("sg-b", ingress=useless, egress=useless))
    lab.apply(port(5), port(6, groups=("sg-b",)))
    udp_denied(lab, "ingress_denied")
    assert not lab.guest(A).pings(B.addresses[1])


def test_a_group_that_is_gone_allows_nothing(lab: Lab) -> None:
    lab.apply(vpc(), table(), group(), group("sg-b"), port(5), port(6, groups=("sg-b",)))
    lab.remove(group("sg-b"))
    udp_denied(lab, "ingress_denied")
    lab.apply(group("sg-b", ingress=ANY))
    delivers(lab.guest(A).udp(A.addresses[0]), lab.guest(B).udp(B.addresses[0], 70), B.addresses[0])


def test_what_groups_leave_behind_is_cleared_away(lab: Lab) -> None:
    lab.apply(vpc(), table(), group(), port(5))
    before = sets_of(lab)
    came_and_went = [group(f"sg-{number}", ingress=[Rule(TCP, 22, 22, group="sg-open")]) for number in range(150)]
    lab.apply(*came_and_went)
    assert sets_of(lab) > before
    lab.remove(*came_and_went)
    while lab.fabric.tidy():
        pass
    assert sets_of(lab) == before
