"""Network ACLs as the oracle sees them: which rule decides, for the request and for its reply."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import (
    DUAL_HOMED,
    MANAGEMENT,
    NAT,
    PRIVATE,
    PUBLIC,
    VPC,
    all_traffic,
    but,
    group,
    out_only,
    port,
    subnet,
    table,
    world,
)

from enid.topology.network_acls import judge, restricted
from enid.topology.places import Traffic
from enid.topology.reach import Part, Reason, Verdict, reach
from enid.topology.records import AclEntry, NetworkAcl, Peering, Route, TargetKind, Vpc, World
from network_acl_cases import ICMP, PORTS, TCP, UDP, Packet, first_match, packets, sides


def entry(number: int, action: str, protocol: int = -1, block: str = "0.0.0.0/0", *ports: int) -> AclEntry:
    first, last = ports or (-1, -1)
    return AclEntry(number, action == "allow", protocol, ip_network(block), first, last)


ALL = (entry(100, "allow"),)


def acl(
    *subnets: str, ingress: Iterable[AclEntry] = ALL, egress: Iterable[AclEntry] = ALL, vpc: str = "vpc-1"
) -> NetworkAcl:
    return NetworkAcl(f"acl-{vpc[-1]}{''.join(subnets)}", vpc, (4,), subnets, tuple(ingress), tuple(egress))


def ask(source: str, destination: str, what: str, *records: NetworkAcl, of: World = DUAL_HOMED) -> Verdict:
    return reach(but(of, *records), source, destination, what)


class TestBorders:
    def test_an_acl_that_lets_everything_through_is_not_mentioned(self) -> None:
        plain = reach(DUAL_HOMED, "i-web", "i-app", "tcp/8080")
        assert ask("i-web", "i-app", "tcp/8080", acl(PUBLIC.id), acl(PRIVATE.id)) == plain

    def test_a_deny_before_an_allow_blocks_and_is_named(self) -> None:
        closed = acl(PRIVATE.id, ingress=[entry(90, "deny", TCP, "10.0.1.0/24", 8000, 9000), *ALL])
        verdict = ask("i-web", "i-app", "tcp/8080", closed)
        assert verdict.reason is Reason.ACL_INGRESS
        assert verdict.sentence == (
            "ingress of subnet-private: rule 90 of acl-1subnet-private denies tcp/8080 from 10.0.1.10"
        )
        assert (verdict.hops[-1].part, verdict.hops[-1].id) == (Part.NETWORK_ACL, closed.id)
        late = acl(PRIVATE.id, ingress=[*ALL, entry(110, "deny", TCP, "10.0.1.0/24", 8000, 9000)])
        assert ask("i-web", "i-app", "tcp/8080", late).reachable

    def test_what_no_rule_matches_is_denied(self) -> None:
        verdict = ask("i-web", "i-app", "tcp/8080", acl(PUBLIC.id, egress=[]))
        assert verdict.reason is Reason.ACL_EGRESS
        assert "rule * of" in verdict.sentence

    def test_a_rule_that_allows_is_named_too(self) -> None:
        narrow = acl(PRIVATE.id, ingress=[entry(7, "allow", TCP, "10.0.1.0/24", 8080, 8080)])
        verdict = ask("i-web", "i-app", "tcp/8080", narrow)
        assert verdict.reachable
        [hop] = [hop for hop in verdict.hops if hop.part is Part.NETWORK_ACL]
        assert "rule 7 of acl-1subnet-private allows tcp/8080 from 10.0.1.10" in hop.says

    def test_within_a_subnet_nothing_is_asked(self) -> None:
        nothing = acl(PUBLIC.id, ingress=[], egress=[])
        assert ask("10.0.1.99", "10.0.1.10", "tcp/80", nothing).reachable
        assert not ask("10.0.1.99", "198.18.0.5", "tcp/80", nothing).reachable, "by its public address it is outside"

    def test_a_subnet_of_the_same_id_elsewhere_is_another(self) -> None:
        foreign = acl(PRIVATE.id, ingress=[], vpc="vpc-2")
        assert ask("i-web", "i-app", "tcp/8080", foreign).reachable


class TestReplies:
    def test_the_servers_subnet_can_deny_the_reply(self) -> None:
        low = acl(PRIVATE.id, egress=[entry(100, "allow", TCP, "10.0.0.0/16", 80, 443)])
        verdict = ask("i-web", "i-app", "tcp/8080", low)
        assert verdict.reason is Reason.ACL_EGRESS
        assert verdict.sentence == (
            "the request arrives, but egress of subnet-private: rule * of acl-1subnet-private denies some of its reply "
            "tcp/1024-65535 to 10.0.1.10"
        )

    def test_the_clients_subnet_can_deny_the_reply(self) -> None:
        partly = acl(PUBLIC.id, ingress=[entry(5, "deny", TCP, "10.0.3.20/32", 2000, 2000), *ALL])
        verdict = ask("i-web", "i-app", "tcp/8080", partly)
        assert verdict.reason is Reason.ACL_INGRESS
        assert "rule 5 of" in verdict.sentence

    def test_allowing_the_ports_clients_send_from_is_enough(self) -> None:
        ports = acl(PRIVATE.id, egress=[entry(100, "allow", TCP, "10.0.1.0/24", 1024, 65535)])
        assert ask("i-web", "i-app", "tcp/8080", ports).reachable
        halves = [entry(1, "allow", TCP, "10.0.1.0/24", 1024, 40000), entry(2, "allow", TCP, "0.0.0.0/0", 40001, 65535)]
        assert ask("i-web", "i-app", "tcp/8080", acl(PRIVATE.id, egress=halves)).reachable

    def test_an_echo_reply_is_a_type_of_its_own(self) -> None:
        pingable = but(DUAL_HOMED, group("sg-app", all_traffic()))
        requests = acl(PRIVATE.id, egress=[entry(1, "allow", ICMP, "0.0.0.0/0", 8, -1)])
        replies = acl(PRIVATE.id, egress=[entry(1, "allow", ICMP, "0.0.0.0/0", 0, -1)])
        assert ask("i-web", "i-app", "icmp", requests, of=pingable).reason is Reason.ACL_EGRESS
        assert ask("i-web", "i-app", "icmp", replies, of=pingable).reachable
        assert ask("i-web", "i-app", "icmp/3/4", requests, of=pingable).reachable, "an error is not answered"


class TestGateways:
    def test_from_the_internet(self) -> None:
        web = [entry(100, "allow", TCP, "0.0.0.0/0", 80, 80)]
        back = [entry(100, "allow", TCP, "0.0.0.0/0", 1024, 65535)]
        assert ask("internet", "198.18.0.5", "tcp/80", acl(PUBLIC.id, ingress=web, egress=back)).reachable
        assert ask("internet", "198.18.0.5", "tcp/80", acl(PUBLIC.id, egress=back, ingress=[])).reason is (
            Reason.ACL_INGRESS
        )
        assert ask("internet", "198.18.0.5", "tcp/80", acl(PUBLIC.id, ingress=web, egress=[])).reason is (
            Reason.ACL_EGRESS
        )

    def test_denying_one_host_denies_some_of_the_internet_but_private_blocks_are_none_of_it(self) -> None:
        bad = acl(PUBLIC.id, ingress=[entry(1, "deny", -1, "203.0.113.66/32"), *ALL])
        verdict = ask("internet", "198.18.0.5", "tcp/80", bad)
        assert "rule 1 of acl-1subnet-public denies some of tcp/80 from anywhere on the internet" in verdict.sentence
        assert ask("site/client", "198.18.0.5", "tcp/80", bad).reachable
        private = acl(PUBLIC.id, ingress=[entry(1, "deny", -1, "10.0.0.0/8"), *ALL])
        assert ask("internet", "198.18.0.5", "tcp/80", private).reachable

    def test_the_far_end_is_what_is_judged_on_the_way_out_and_back(self) -> None:
        out = acl(
            PUBLIC.id,
            egress=[entry(1, "allow", TCP, "203.0.113.77/32", 443, 443)],
            ingress=[entry(1, "allow", TCP, "203.0.113.77/32", 1024, 65535)],
        )
        assert ask("i-web", "site/client", "tcp/443", out).reachable
        assert ask("i-web", "8.8.8.8", "tcp/443", out).reason is Reason.ACL_EGRESS

    def test_through_a_tunnel_both_ways(self) -> None:
        deny = entry(1, "deny", -1, "192.168.0.0/16")
        assert ask("site/corp", "eni-web1", "tcp/22", acl(MANAGEMENT.id, ingress=[deny, *ALL])).reason is (
            Reason.ACL_INGRESS
        )
        assert ask("eni-web1", "site/corp", "tcp/389", acl(MANAGEMENT.id, egress=[deny, *ALL])).reason is (
            Reason.ACL_EGRESS
        )
        late = ask("eni-web1", "site/corp", "tcp/389", acl(MANAGEMENT.id, ingress=[deny, *ALL]))
        assert late.sentence.startswith("the request arrives, but ingress of subnet-management: rule 1")

    def test_out_through_an_egress_only_gateway(self) -> None:
        inside = subnet("subnet-6", "2001:db8::/64")
        of = world(
            Vpc("vpc-1", inside.blocks, (inside,), internet=False, egress_only=True),
            group("sg-open", egress=(all_traffic("::/0"),)),
            table("rtb-6", out_only()),
            port("eni-near", "i-near", inside, "rtb-6", "2001:db8::5", groups=("sg-open",)),
        )
        outward = entry(1, "allow", TCP, "::/0", 443, 443)
        back = entry(1, "allow", TCP, "::/0", 1024, 65535)
        open_ = acl(inside.id, egress=[outward], ingress=[back])
        assert ask("i-near", "2600::1", "tcp/443", open_, of=of).reachable
        assert ask("i-near", "2600::1", "tcp/80", open_, of=of).reason is Reason.ACL_EGRESS
        assert ask("i-near", "2600::1", "tcp/443", replace(open_, ingress=()), of=of).reason is Reason.ACL_INGRESS

    def test_over_a_peering_connection_at_both_borders_and_both_ways(self) -> None:
        there = subnet("subnet-far", "10.9.1.0/24")
        far = Vpc(
            "vpc-9", (ip_network("10.9.0.0/16"),), (there,), False, peerings=(Peering("pcx", "vpc-1", VPC.blocks),)
        )
        of = but(
            DUAL_HOMED,
            *(replace(VPC, peerings=(Peering("pcx", "vpc-9", far.blocks),)), far),
            table("rtb-private", Route(far.blocks[0], TargetKind.PEERING, "pcx")),
            table("rtb-9", Route(VPC.blocks[0], TargetKind.PEERING, "pcx"), vpc="vpc-9"),
            group("sg-9", all_traffic(), vpc="vpc-9"),
            port("eni-9", "i-9", there, "rtb-9", "10.9.1.9", groups=("sg-9",), vpc="vpc-9"),
        )
        to_far, to_near = entry(1, "deny", TCP, "10.9.0.0/16", 80, 80), entry(1, "deny", TCP, "10.0.0.0/16", 80, 80)
        back_to_near = entry(1, "deny", TCP, "10.0.3.0/24", 1024, 65535)
        back_from_far = entry(1, "deny", TCP, "10.9.1.9/32", 1024, 65535)
        cases = [
            (acl(PRIVATE.id, egress=[to_far, *ALL]), Reason.ACL_EGRESS, "egress of subnet-private"),
            (acl(there.id, ingress=[to_near, *ALL], vpc="vpc-9"), Reason.ACL_INGRESS, "ingress of subnet-far"),
            (acl(there.id, egress=[back_to_near, *ALL], vpc="vpc-9"), Reason.ACL_EGRESS, "the request arrives"),
            (acl(PRIVATE.id, ingress=[back_from_far, *ALL]), Reason.ACL_INGRESS, "the request arrives"),
        ]
        assert ask("i-app", "i-9", "tcp/80", of=of).reachable
        for guard, reason, says in cases:
            verdict = ask("i-app", "i-9", "tcp/80", guard, of=of)
            assert verdict.reason is reason
            assert verdict.sentence.startswith(says)

    def test_a_middle_box_is_behind_its_own_subnets_border(self) -> None:
        assert ask("i-app", "internet", "tcp/443", acl(PUBLIC.id)).reachable
        shut = acl(PUBLIC.id, ingress=[entry(1, "deny", TCP, "10.0.3.0/24", 443, 443), *ALL])
        assert ask("i-app", "internet", "tcp/443", shut).reason is Reason.ACL_INGRESS
        beside = replace(NAT, subnet=PRIVATE)
        moved = but(DUAL_HOMED, beside)
        assert ask("i-app", "internet", "tcp/443", replace(shut, subnets=(PRIVATE.id,)), of=moved).reachable


def test_the_subnets_that_are_restricted() -> None:
    denies = acl("subnet-1", "subnet-2", egress=[entry(1, "deny", TCP, "10.0.0.0/8", 1, 1), *ALL])
    halves = acl("subnet-4", ingress=[entry(1, "allow", -1, "0.0.0.0/1"), entry(2, "allow", -1, "128.0.0.0/1")])
    for ipv6_too in (replace(acl("subnet-5"), versions=(4, 6)), acl("subnet-6", egress=[])):
        assert restricted([ipv6_too]) == set(ipv6_too.subnets)
    assert restricted([denies, acl("subnet-3"), halves]) == {"subnet-1", "subnet-2", "subnet-4"}


# --- against single packets -------------------------------------------------------------------------------------------

AREAS = st.sampled_from(["10.0.1.4/30", "10.0.2.4/30", "10.0.1.5/32", "2001:db8:0:1::4/126"])


@settings(max_examples=300)
@given(sides(), AREAS, packets(["10.0.1.5"]), st.integers(0, 3))
def test_many_packets_pass_when_each_of_them_does(
    said: tuple[AclEntry, ...], block: str, some: Packet, more: int
) -> None:
    peer = ip_network(block)
    several = more if some.protocol in (TCP, UDP) and some.port + more <= 65535 else 0
    traffic = Traffic(some.protocol, some.port, some.code, last=some.port + several if several else -1)
    decisions = [
        first_match(said, some._replace(peer=address, port=some.port + step))
        for address in peer
        for step in range(several + 1)
    ]
    found = judge(said, traffic, peer)
    assert found.allows is all(allowed for allowed, _ in decisions)
    if not found.allows:
        denying = {number or 99 for allowed, number in decisions if not allowed}
        assert (found.number or 99) == min(denying)


HERE, THERE = subnet("subnet-1", "10.0.1.0/24"), subnet("subnet-2", "10.0.2.0/24")
A, B = ("10.0.1.5", "10.0.2.5")


@settings(max_examples=300)
@given(sides((4,)), sides((4,)), sides((4,)), sides((4,)), packets([B]), st.booleans())
def test_reach_needs_the_request_and_every_reply_to_pass(
    out: tuple[AclEntry, ...],
    back_in: tuple[AclEntry, ...],
    inward: tuple[AclEntry, ...],
    back_out: tuple[AclEntry, ...],
    request: Packet,
    apart: bool,
) -> None:
    far = THERE if apart else replace(HERE, blocks=(ip_network("10.0.0.0/16"),))
    of = world(
        Vpc("vpc-1", (ip_network("10.0.0.0/16"),), (HERE, far), internet=False),
        table("rtb-1"),
        group("sg-1", all_traffic()),
        port("eni-a", "i-a", HERE, "rtb-1", A, groups=("sg-1",)),
        port("eni-b", "i-b", far, "rtb-1", B, groups=("sg-1",)),
        acl("subnet-1", ingress=back_in, egress=out),
        acl("subnet-2", ingress=inward, egress=back_out),
    )
    near, distant = ip_address(A), ip_address(B)
    passes = first_match(out, request)[0] and first_match(inward, request._replace(peer=near))[0]
    for reply in _replies(request):
        passes = passes and first_match(back_out, reply._replace(peer=near))[0]
        passes = passes and first_match(back_in, reply._replace(peer=distant))[0]
    verdict = reach(of, "i-a", "i-b", Traffic(request.protocol, request.port, request.code))
    assert verdict.reachable is (passes or not apart), verdict


def _replies(request: Packet) -> list[Packet]:
    """The replies to all ports a client may send from: those where an entry begins or ends stand for the rest."""
    if request.protocol in (TCP, UDP):
        near = {port + step for port in PORTS for step in (-1, 0, 1)}
        return [request._replace(port=port) for port in near if 1024 <= port <= 65535]
    if request.protocol == ICMP:
        return [request._replace(port=0, code=0)] if request.port == 8 else []
    return [request]
