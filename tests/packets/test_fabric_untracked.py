"""Flows that AWS does not track end with the rules that allow them; those that it tracks do not."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from fabric_lab import (
    EVERYWHERE,
    EVERYWHERE6,
    NEAR,
    OTHER,
    Lab,
    checksum,
    dying,
    group,
    nothing_for,
    port,
    table,
    until,
    vpc,
)

from enid.fabric.linux.untracked.cuts import Cuts
from enid.netlink import conntrack
from enid.netlink.netfilter import NetfilterSocket
from enid.topology.records import Appliance, Port, Record, Route, Rule, SecurityGroup, Site, Subnet, TargetKind

pytestmark = pytest.mark.root

TCP, UDP = 6, 17
A, B = port(5), port(6, groups=("sg-b",))
KINDS = [(TCP, 4), (UDP, 4), (TCP, 6), (UDP, 6)]
"""Protocol and IP version."""
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
SHUT = group("sg-b", ingress=())
ISOLATION = group("sg-isolation", ingress=(), egress=())
QUARANTINED = replace(B, groups=(ISOLATION.id,))


class Talk:
    """A conversation in which both ends have spoken twice; ``at``: the far end's address, if it is the site."""

    def __init__(
        self, lab: Lab, kind: tuple[int, int] = (UDP, 4), near: Port = A, far: Port = B, number: int = 53, at: str = ""
    ) -> None:
        self.lab, (protocol, version) = lab, kind
        here, there = str(near.addresses[version == 6]), at or str(far.addresses[version == 6])
        guest = lab.guests["site cafe"] if at else lab.guest(far)
        if protocol == UDP:
            self.one, self.two = lab.guest(near).udp(here, 4000 + number), guest.udp(there, number)
            self.one.connect((there, number))
            self.one.send(b"first")
            self.two.connect(self.two.recvfrom(10)[1])
        else:
            with guest.socket(FAMILY[version], socket.SOCK_STREAM) as listener:
                listener.bind((there, number))
                listener.listen()
                self.one = lab.guest(near).socket(FAMILY[version], socket.SOCK_STREAM)
                self.one.connect((there, number))
                self.two, _ = guest.accept(listener)
        self.goes_on()
        self.goes_on()

    def goes_on(self) -> None:
        """Each hears what the other one says; a connection delivers first what could not be said before."""
        for sender, receiver in ((self.one, self.two), (self.two, self.one)):
            sender.send(b"hello")
            heard = b""
            while not heard.endswith(b"hello"):
                heard += receiver.recv(100)

    def is_cut(self, reason: str = "ingress_denied", back: bool = False) -> None:
        """What one end says (the second one, if ``back``) is dropped for this reason."""
        sender, receiver = (self.two, self.one) if back else (self.one, self.two)
        before = self.lab.dropped(reason)
        sender.send(b"anybody?")
        until(lambda: self.lab.dropped(reason) > before, reason)
        assert nothing_for(receiver)


def between(lab: Lab, b: SecurityGroup | None = None) -> list[Talk]:
    """A, open both ways, talks to B, whose group is open too, or ``b``."""
    lab.apply(vpc(), table(), group(), ISOLATION, b or group("sg-b"), A, B)
    return [Talk(lab, kind) for kind in KINDS]


def cut(lab: Lab) -> list[conntrack.Flow]:
    """The flows that are cut in the VPC's router."""
    with NetfilterSocket(lab.router().namespace) as netfilter:
        return list(conntrack.listed(netfilter, cut=True))


def all_go_on(lab: Lab, talks: list[Talk]) -> None:
    for talk in talks:
        talk.goes_on()
    assert cut(lab) == []


# Which changes end which flows


def test_an_untracked_flow_ends_with_the_rule_that_let_it_in(lab: Lab) -> None:
    talks = between(lab)
    lab.apply(SHUT)
    for talk in talks:
        talk.is_cut()
        talk.two.send(b"still there?")  # which B may say, and is no beginning
        talk.is_cut()
    lab.apply(group("sg-b"))
    all_go_on(lab, talks)


def test_an_answer_on_its_way_does_not_begin_it_anew(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    talks, follow = between(lab), Cuts.follow

    def answered(*args: object) -> None:
        for when in range(2):
            for talk in talks:
                talk.two.send(b"late")
            if not when:
                follow(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(Cuts, "follow", answered)
    lab.apply(SHUT)
    for talk in talks:
        talk.is_cut()


def test_tracked_flows_outlive_the_same(lab: Lab) -> None:
    """Because a narrower rule let them in, or replies are not let out everywhere."""
    talks = between(lab, group("sg-b", ingress=NEAR))
    lab.apply(SHUT)
    all_go_on(lab, talks)
    lab.apply(group("sg-b", egress=NEAR))
    talks += [Talk(lab, kind, number=54) for kind in KINDS]
    lab.apply(group("sg-b", ingress=(), egress=NEAR))
    all_go_on(lab, talks)


def test_an_untracked_flow_ends_with_the_rule_that_let_it_out(lab: Lab) -> None:
    inward = between(lab)
    outward = [Talk(lab, kind, near=B, far=A, number=54) for kind in KINDS]
    lab.apply(group("sg-b", egress=()))
    for talk in outward:
        talk.is_cut("egress_denied")
    for talk in inward:
        talk.goes_on()
    lab.apply(group("sg-b", ingress=(), egress=()))
    for talk in inward:
        talk.goes_on()  # tracked, since its replies are not let out by a rule any more


def test_other_groups_of_an_interface_end_them_too(lab: Lab) -> None:
    inward = between(lab)
    outward = [Talk(lab, kind, near=B, far=A, number=54) for kind in KINDS]
    lab.apply(QUARANTINED)
    for one, other in zip(inward, outward, strict=True):
        one.is_cut()
        one.is_cut("egress_denied", back=True)
        other.is_cut("egress_denied")
        other.is_cut(back=True)
    lab.apply(B)
    all_go_on(lab, inward + outward)


def test_tracked_flows_of_a_quarantined_interface_go_on(lab: Lab) -> None:
    talks = between(lab, group("sg-b", ingress=NEAR))
    lab.apply(QUARANTINED)
    all_go_on(lab, talks)


def test_a_flow_that_another_rule_still_allows_is_left_alone(lab: Lab) -> None:
    talks = between(lab)
    known = [Rule(protocol, 53, 53, cidr=f"{address}") for protocol in (TCP, UDP) for address in _blocks(A)]
    for ingress in (known, [Rule(-1, -1, -1, group="sg-open")]):
        lab.apply(group("sg-b"))
        lab.apply(group("sg-b", ingress=ingress))
        all_go_on(lab, talks)
    lab.apply(SHUT)
    all_go_on(lab, talks)  # by then they were tracked
    assert lab.dropped("ingress_denied") == 0


def _blocks(plug: Port) -> list[str]:
    return [f"{address}/{address.max_prefixlen}" for address in plug.addresses]


def test_only_what_the_rule_was_about_ends(lab: Lab) -> None:
    web = [Rule(protocol, 53, 53, cidr=block) for protocol in (TCP, UDP) for block in ("0.0.0.0/0", "::/0")]
    talks = between(lab, group("sg-b", ingress=(*web, Rule(UDP, 54, 54, cidr="0.0.0.0/0"))))
    other = Talk(lab, number=54)
    lab.apply(group("sg-b", ingress=web))
    other.is_cut()
    for talk in talks:
        talk.goes_on()
    lab.apply(group("sg-b", ingress=web[:2]))
    for talk, (protocol, _) in zip(talks, KINDS, strict=True):
        talk.goes_on() if protocol == TCP else talk.is_cut()


def test_ping_is_tracked(lab: Lab) -> None:
    between(lab)
    ping = lab.guest(A).socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    ping.connect((str(B.addresses[0]), 0))
    echo = b"\x08\0\0\0\0\x07\0\x01"
    for rules in (group("sg-b"), SHUT):
        lab.apply(rules)
        ping.send(echo[:2] + checksum(echo) + echo[4:])
        assert ping.recv(100)[20] == 0, "an echo reply"


# By the way they go


def test_a_flow_from_the_internet_ends(lab: Lab) -> None:
    cafe, public = Site("cafe", IPv4Address("198.19.0.1")), IPv4Address("198.18.0.6")
    shown = replace(B, public=((B.addresses[0], public),))  # type: ignore[arg-type]
    outward = table(Route(EVERYWHERE, TargetKind.INTERNET))
    lab.apply(vpc(internet=True), outward, group("sg-b"), cafe, shown)
    here, there = lab.site("cafe").udp(cafe.public_ip, 4000), lab.guest(B).udp(B.addresses[0], 53)
    here.connect((str(public), 53))
    there.connect((str(cafe.public_ip), 4000))
    for _ in range(3):
        here.send(b"hello")
        there.send(there.recv(10))
        assert here.recv(10) == b"hello"
    lab.apply(SHUT)
    here.send(b"anybody?")
    until(lambda: lab.dropped("ingress_denied") == 1)
    assert nothing_for(there)


def test_what_goes_out_through_a_nat_gateway_is_tracked(lab: Lab) -> None:
    cafe, private = Site("cafe", IPv4Address("198.19.0.1")), IPv4Address("10.0.2.9")
    nat = port(9, "nat-9", addresses=(private,), groups=(), source_dest_check=False, device_index=1, subnet=OTHER)
    nat = replace(nat, route_table_id="rtb-public", appliance=Appliance.NAT_GATEWAY)
    nat = replace(nat, public=((private, IPv4Address("198.18.0.5")),))
    through = table(Route(EVERYWHERE, TargetKind.PORT, nat.id, private))
    public = table(Route(EVERYWHERE, TargetKind.INTERNET), name="rtb-public")
    lab.apply(vpc(internet=True), through, public, group("sg-b"), group(), cafe, nat, A, B)
    lab.site("cafe")
    talks = [Talk(lab, (protocol, 4), near=B, at=str(cafe.public_ip)) for protocol in (TCP, UDP)]
    local = Talk(lab, near=B, far=A, number=54)
    lab.apply(group("sg-b", egress=()))
    all_go_on_but(lab, talks, local)


def test_what_goes_out_through_an_egress_only_gateway_is_tracked(lab: Lab) -> None:
    far_net = Subnet("subnet-far", (ip_network("10.9.1.0/24"), ip_network("2001:db8:100::/64")))
    blocks = (ip_network("10.9.0.0/16"), ip_network("2001:db8:100::/56"))
    twin = vpc("vpc-0000000000000000b", internet=True, blocks=blocks, subnets=(far_net,))
    far = port(7, vpc_id=twin.id, subnet=far_net, route_table_id="rtb-far", groups=("sg-far",))
    far = replace(far, addresses=(ip_address("10.9.1.7"), ip_address("2001:db8:100::7")))
    back = table(Route(EVERYWHERE6, TargetKind.INTERNET), name="rtb-far", owner=twin.id)
    lab.apply(twin, group("sg-far", owner=twin.id), back, far)
    lab.apply(vpc(egress_only=True), table(Route(EVERYWHERE6, TargetKind.EGRESS_ONLY)), group("sg-b"), group(), A, B)
    talks = [Talk(lab, (protocol, 6), near=B, far=far) for protocol in (TCP, UDP)]
    local = Talk(lab, (UDP, 6), near=B, far=A, number=54)
    lab.apply(group("sg-b", egress=()))
    all_go_on_but(lab, talks, local)


def all_go_on_but(lab: Lab, talks: list[Talk], ended: Talk) -> None:
    ended.is_cut("egress_denied")
    for talk in talks:
        talk.goes_on()
    assert len(cut(lab)) == 1


# Agents that die


def meanwhile(lab: Lab, *records: Record) -> None:
    """The store says so while no agent runs; then one does."""
    lab.world.update({record.key: record for record in records})
    lab.restart()


@pytest.mark.parametrize("change", [SHUT, QUARANTINED], ids=["rule", "groups"])
def test_a_change_made_while_no_agent_ran_ends_them(lab: Lab, change: Record) -> None:
    talks = between(lab)
    meanwhile(lab, change)
    for talk in talks:
        talk.is_cut()
    meanwhile(lab, group("sg-b"), B)
    all_go_on(lab, talks)


@pytest.mark.parametrize("change", [SHUT, QUARANTINED], ids=["rule", "groups"])
def test_an_agent_that_dies_before_it_cuts_leaves_it_to_the_next(lab: Lab, change: Record) -> None:
    talks = between(lab)
    with dying("follow"):
        lab.apply(change)
    talks[0].goes_on()
    with dying("adopt"):
        lab.restart()
    talks[0].goes_on()
    lab.restart()
    for talk in talks:
        talk.is_cut()
    lab.restart()
    for talk in talks:
        talk.is_cut()


def test_no_restart_ends_a_tracked_flow(lab: Lab) -> None:
    talks = between(lab, group("sg-b", ingress=NEAR))
    meanwhile(lab, SHUT)
    all_go_on(lab, talks)
    meanwhile(lab, QUARANTINED)
    all_go_on(lab, talks)
    lab.restart()
    all_go_on(lab, talks)


# What it costs


def test_flows_are_listed_once_and_only_where_something_open_to_everywhere_goes(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    listings: list[object] = []
    listed = conntrack.listed

    def counted(*args: object, **options: object) -> Iterator[conntrack.Flow]:
        listings.append((args[1:], options))
        return listed(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(conntrack, "listed", counted)
    web = Rule(TCP, 80, 80, cidr="0.0.0.0/0")
    between(lab, group("sg-b", ingress=(*NEAR, web)))
    for same in (
        group("sg-b", ingress=(*NEAR, web, Rule(TCP, 81, 81, cidr="0.0.0.0/0"))),
        group("sg-b", ingress=(*NEAR, web)),
    ):
        listings.clear()
        lab.apply(same)
    assert listings == [((4, (TCP, 81)), {})], "a rule more costs nothing; one less is looked for by its port"
    listings.clear()
    lab.apply(group("sg-b", ingress=NEAR, egress=NEAR))
    assert len(listings) == 1
    lab.apply(group("sg-b", ingress=(), egress=NEAR))
    lab.apply(QUARANTINED)
    assert len(listings) == 1
