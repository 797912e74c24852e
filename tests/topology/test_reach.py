"""Can A reach B, and if not, why: the rules one by one, then what must hold in every world."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import (
    APP,
    DUAL_HOMED,
    MANAGEMENT,
    NAT,
    NAT_GATEWAY,
    PUBLIC,
    VPC,
    WEB_MANAGEMENT,
    WEB_PUBLIC,
    all_traffic,
    blackhole,
    but,
    group,
    out_only,
    port,
    subnet,
    table,
    tcp,
    to_internet,
    to_port,
    to_vpn,
    world,
)

from enid.topology.places import Place, Traffic, UnknownPlace, traffic
from enid.topology.reach import Part, Reason, Verdict, reach
from enid.topology.records import (
    NetworkAcl,
    Peering,
    Record,
    Route,
    Rule,
    SecurityGroup,
    Site,
    TargetKind,
    Vpc,
    VpnLink,
    World,
)


def ask(source: str, destination: str, what: str | Traffic = "tcp/80", of: World = DUAL_HOMED) -> Verdict:
    return reach(of, source, destination, what)


def why_not(source: str, destination: str, what: str | Traffic = "tcp/80", of: World = DUAL_HOMED) -> Reason | None:
    verdict = ask(source, destination, what, of)
    assert verdict.reachable == (verdict.reason is None), verdict
    assert verdict.reachable == (not verdict.sentence)
    assert all(hop.passed for hop in verdict.hops[:-1])
    return verdict.reason


class TestNatGateways:
    OF = but(DUAL_HOMED, NAT_GATEWAY, table("rtb-private", to_port("0.0.0.0/0", "eni-natgw", "10.0.1.98")))

    @pytest.mark.parametrize("what", ["tcp/443", "udp/53", "icmp"])
    def test_a_private_instance_reaches_the_internet_by_it(self, what: str) -> None:
        verdict = ask("i-app", "internet", what, self.OF)
        assert verdict.reachable
        says = [hop.says for hop in verdict.hops]
        assert "10.0.3.20 goes on as 10.0.1.98" in says
        assert "10.0.1.98 goes out as 198.18.0.8" in says

    @pytest.mark.parametrize("source", ["internet", "site/client", "i-app", "i-web"])
    def test_nobody_gets_into_it(self, source: str) -> None:
        where = "198.18.0.8" if source in ("internet", "site/client") else "10.0.1.98"
        assert why_not(source, where, "tcp/80", self.OF) is Reason.REPLIES_ONLY
        assert why_not(source, "nat-1", "tcp/80", self.OF) is Reason.REPLIES_ONLY

    def test_the_senders_groups_judge_and_the_gateway_has_none(self) -> None:
        strict = but(self.OF, group("sg-app", egress=(tcp(443, "0.0.0.0/0"),)))
        assert why_not("i-app", "internet", "tcp/443", strict) is None
        assert why_not("i-app", "internet", "tcp/80", strict) is Reason.EGRESS

    def test_a_private_one_has_nothing_to_go_out_with(self) -> None:
        private = replace(NAT_GATEWAY, public=())
        assert why_not("i-app", "internet", of=but(self.OF, private)) is Reason.NO_PUBLIC_ADDRESS

    def test_a_private_one_reaches_what_is_behind_a_tunnel(self) -> None:
        private = replace(NAT_GATEWAY, public=(), route_table_id="rtb-management")
        assert why_not("i-app", "site/corp", of=but(self.OF, private)) is None

    def test_one_in_a_subnet_that_leads_back_to_it(self) -> None:
        assert why_not("i-app", "internet", of=but(self.OF, replace(NAT_GATEWAY, route_table_id="rtb-private"))) is (
            Reason.LOOP
        )


class TestEgressOnlyGateways:
    INSIDE, OUTSIDE = subnet("subnet-6", "2001:db8::/64"), subnet("subnet-7", "2001:db8:100::/64")
    NEAR = port("eni-near", "i-near", INSIDE, "rtb-6", "2001:db8::5", groups=("sg-open",))
    FAR = port("eni-far", "i-far", OUTSIDE, "rtb-7", "2001:db8:100::5", groups=("sg-far",), vpc="vpc-2")
    OF = world(
        Vpc("vpc-1", INSIDE.blocks, (INSIDE,), internet=False, egress_only=True),
        Vpc("vpc-2", OUTSIDE.blocks, (OUTSIDE,), internet=True),
        group("sg-open", all_traffic("::/0"), egress=(all_traffic("::/0"),)),
        group("sg-far", all_traffic("::/0"), egress=(all_traffic("::/0"),), vpc="vpc-2"),
        table("rtb-6", out_only()),
        table("rtb-7", to_internet("::/0"), vpc="vpc-2"),
        NEAR,
        FAR,
    )

    def test_ipv6_goes_out(self) -> None:
        verdict = ask("i-near", "i-far", of=self.OF)
        assert verdict.reachable
        assert Part.EGRESS_ONLY_GATEWAY in [hop.part for hop in verdict.hops]

    def test_a_ping_is_icmpv6(self) -> None:
        only = Rule(58, 128, -1, ip_network("::/0"))
        of = but(self.OF, SecurityGroup("sg-far", "vpc-2", (only,), ()))
        assert why_not("i-near", "i-far", "icmp", of=of) is None

    def test_a_place_on_the_internet_has_ipv6_or_not(self) -> None:
        pier = Site("pier", ip_address("198.19.0.2"), public_ipv6=ip_address("2001:db8:66::1"))
        of, without = but(self.OF, pier), but(self.OF, replace(pier, public_ipv6=None))
        for far in ("site/pier", "2001:db8:66::1"):
            assert why_not("i-near", far, of=of) is None
            assert why_not(far, "i-far", of=of) is None
            assert why_not(far, "i-near", of=of) is Reason.NO_INTERNET_GATEWAY
        assert why_not("i-near", "site/pier", of=without) is Reason.FAMILY
        assert why_not("site/pier", "i-far", of=without) is Reason.FAMILY

    def test_the_senders_network_acl_is_asked(self) -> None:
        closed = NetworkAcl("acl-1", "vpc-1", (4, 6), (self.INSIDE.id,), (), ())
        assert why_not("i-near", "i-far", of=but(self.OF, closed)) is Reason.ACL_EGRESS

    def test_nobody_comes_in(self) -> None:
        assert why_not("i-far", "i-near", of=self.OF) is Reason.NO_INTERNET_GATEWAY

    def test_nobody_comes_in_by_the_internet_gateway_either(self) -> None:
        both = but(self.OF, Vpc("vpc-1", self.INSIDE.blocks, (self.INSIDE,), internet=True, egress_only=True))
        assert why_not("i-far", "i-near", of=both) is Reason.NO_WAY_BACK
        assert why_not("i-far", "i-near", of=but(both, table("rtb-6", to_internet("::/0")))) is None


class TestTheVpcsOwnServices:
    """They are before every group and every route, and only for the VPC's own interfaces."""

    CLOSED = but(DUAL_HOMED, *(group(id_, egress=()) for kind, id_ in DUAL_HOMED if kind == "security_group"))

    @pytest.mark.parametrize(
        ("address", "what"),
        [
            ("169.254.169.254", "tcp/80"),
            ("169.254.169.253", "udp/53"),
            ("10.0.0.2", "udp/53"),
            ("10.0.1.2", "tcp/53"),
        ],
    )
    def test_answered_whatever_groups_say(self, address: str, what: str) -> None:
        verdict = ask("i-web", address, what, self.CLOSED)
        assert verdict.reachable, verdict
        assert verdict.hops[-1].part is Part.SERVICE

    @pytest.mark.parametrize(("address", "what"), [("169.254.169.254", "tcp/22"), ("10.0.0.2", "tcp/80")])
    def test_nothing_else_is_answered_there(self, address: str, what: str) -> None:
        assert why_not("i-web", address, what) is Reason.NOT_SERVED

    def test_not_from_outside(self) -> None:
        assert not ask("site/corp", "10.0.0.2", "udp/53").reachable
        assert not ask("site/client", "169.254.169.254", "tcp/80").reachable

    def test_only_to_an_address_of_the_interface(self) -> None:
        appliance = replace(NAT, source_dest_check=False)
        forged = reach(
            but(DUAL_HOMED, appliance), Place(appliance, ip_address("10.0.9.9")), "169.254.169.254", "tcp/80"
        )
        assert forged.reason is Reason.SOURCE_DEST_CHECK


class TestTheDualHomedMatrix:
    @pytest.mark.parametrize(
        ("source", "destination", "what"),
        [
            ("internet", "i-web", "tcp/80"),
            ("site/client", "198.18.0.5", "tcp/80"),
            ("site/corp", "eni-web1", "tcp/22"),
            ("192.168.0.10", "10.0.2.10", "tcp/22"),
            ("eni-web1", "site/corp", "tcp/389"),
            ("i-web", "site/client", "tcp/443"),
            ("i-web", "i-app", "tcp/8080"),
            ("i-app", "internet", "tcp/443"),
            ("i-app", "site/client", "icmp"),
        ],
    )
    def test_is_reachable(self, source: str, destination: str, what: str) -> None:
        assert why_not(source, destination, what) is None

    @pytest.mark.parametrize(
        ("source", "destination", "what", "reason"),
        [
            ("internet", "198.18.0.5", "tcp/22", Reason.INGRESS),
            ("site/corp", "eni-web1", "tcp/80", Reason.INGRESS),
            ("i-web", "i-app", "tcp/22", Reason.INGRESS),
            ("internet", "eni-web1", "tcp/22", Reason.NO_PUBLIC_ADDRESS),
            ("internet", "10.0.2.10", "tcp/22", Reason.NOBODY),
            ("eni-web1", "internet", "tcp/443", Reason.NO_ROUTE),
            ("eni-web0", "192.168.0.10", "tcp/389", Reason.NOBODY),
            ("i-web", "10.0.1.77", "tcp/80", Reason.NO_INTERFACE),
            ("i-web", "198.18.7.7", "tcp/80", Reason.NOBODY),
            ("i-web", "i-gone", "tcp/80", Reason.NOT_ATTACHED),
            ("eni-gone", "i-web", "tcp/80", Reason.NOT_ATTACHED),
            ("eni-web1", "192.168.9.9", "tcp/389", Reason.NOBODY),
        ],
    )
    def test_is_blocked(self, source: str, destination: str, what: str, reason: Reason) -> None:
        assert why_not(source, destination, what) is reason


class TestGroups:
    def test_the_senders_egress_is_a_gate_of_its_own(self) -> None:
        closed = but(DUAL_HOMED, group("sg-web", tcp(80, "0.0.0.0/0"), egress=()))
        verdict = ask("i-web", "i-app", "tcp/8080", closed)
        assert verdict.reason is Reason.EGRESS
        assert verdict.hops[-1].id == "sg-web"

    def test_the_senders_egress_does_not_open_the_receivers_gate(self) -> None:
        shut = but(DUAL_HOMED, group("sg-app"))
        assert why_not("i-web", "i-app", "tcp/8080", shut) is Reason.INGRESS

    def test_several_groups_are_a_union(self) -> None:
        both = replace(WEB_MANAGEMENT, groups=("sg-management", "sg-web"))
        assert why_not("eni-app", "10.0.2.10", "tcp/80") is Reason.INGRESS
        assert why_not("eni-app", "10.0.2.10", "tcp/80", but(DUAL_HOMED, both)) is None

    def test_an_interface_without_groups_lets_nothing_in(self) -> None:
        assert why_not("i-app", "i-web", of=but(DUAL_HOMED, replace(WEB_PUBLIC, groups=()))) is Reason.INGRESS

    def test_a_reference_matches_secondary_private_addresses(self) -> None:
        more = replace(WEB_PUBLIC, addresses=(*WEB_PUBLIC.addresses, ip_address("10.0.1.11")))
        from_secondary = Place(more, ip_address("10.0.1.11"))
        assert reach(but(DUAL_HOMED, more), from_secondary, "i-app", "tcp/8080").reachable

    def test_a_prefix_is_the_interfaces_own(self) -> None:
        """Packets for it arrive, may come from it, and count as its groups' members'."""
        more = replace(WEB_PUBLIC, prefixes=(ip_network("10.0.1.32/28"),))
        delegated = but(DUAL_HOMED, more)
        assert why_not("10.0.1.40", "i-app", "tcp/8080", delegated) is None
        assert why_not("i-app", "10.0.1.47", "tcp/80", delegated) is None
        assert why_not("i-app", "10.0.1.48", "tcp/80", delegated) is Reason.NO_INTERFACE
        assert why_not("i-app", "10.0.1.47", "tcp/80") is Reason.NO_INTERFACE
        pretending = reach(delegated, Place(WEB_PUBLIC, ip_address("10.0.1.48")), "i-app", "tcp/8080")
        assert pretending.reason is Reason.SOURCE_DEST_CHECK

    def test_a_reference_does_not_match_the_public_address_of_a_hairpin(self) -> None:
        """Traffic to an Elastic IP of the own VPC goes out and comes back in, with the public source."""
        nat = replace(NAT, groups=("sg-inner",))
        referring = but(DUAL_HOMED, nat, group("sg-inner", tcp(80, group="sg-web")))
        assert why_not("i-web", "10.0.1.99", of=referring) is None
        assert why_not("i-web", "198.18.0.9", of=referring) is Reason.INGRESS
        by_address = but(DUAL_HOMED, nat, group("sg-inner", tcp(80, "198.18.0.5/32")))
        assert why_not("i-web", "198.18.0.9", of=by_address) is None
        assert why_not("i-web", "10.0.1.99", of=by_address) is Reason.INGRESS

    def test_anywhere_needs_rules_that_cover_everywhere(self) -> None:
        half = but(DUAL_HOMED, group("sg-web", tcp(80, "0.0.0.0/1")))
        assert why_not("internet", "i-web", of=half) is Reason.INGRESS
        halves = but(DUAL_HOMED, group("sg-web", tcp(80, "0.0.0.0/1"), tcp(80, "128.0.0.0/1")))
        assert why_not("internet", "i-web", of=halves) is None

    @pytest.mark.parametrize(
        ("rule", "what", "allowed"),
        [
            (Rule(6, 80, 443, "0.0.0.0/0"), "tcp/443", True),
            (Rule(6, 80, 443, "0.0.0.0/0"), "tcp/444", False),
            (Rule(6, 80, 443, "0.0.0.0/0"), "udp/80", False),
            (Rule(1, -1, -1, "0.0.0.0/0"), "icmp", True),
            (Rule(1, 8, -1, "0.0.0.0/0"), "icmp/8/0", True),
            (Rule(1, 3, 4, "0.0.0.0/0"), "icmp/3/4", True),
            (Rule(1, 3, 4, "0.0.0.0/0"), "icmp/3/1", False),
            (Rule(1, 0, -1, "0.0.0.0/0"), "icmp", False),
            (Rule(47, -1, -1, "0.0.0.0/0"), "47", True),
            (Rule(-1, -1, -1, "0.0.0.0/0"), "50", True),
            (Rule(47, -1, -1, "0.0.0.0/0"), "50", False),
        ],
    )
    def test_what_a_rule_speaks_of(self, rule: Rule, what: str, allowed: bool) -> None:
        assert traffic(what).allowed_by(rule) is allowed


class TestRouting:
    def test_the_longest_prefix_wins(self) -> None:
        hole = but(DUAL_HOMED, table("rtb-public", to_internet(), blackhole("203.0.113.0/24")))
        assert why_not("i-web", "203.0.113.77", of=hole) is Reason.BLACKHOLE
        assert why_not("i-web", "8.8.8.8", of=hole) is None

    def test_local_wins_unless_a_route_lies_within_it(self) -> None:
        wider = but(DUAL_HOMED, table("rtb-public", blackhole("10.0.0.0/8")))
        assert why_not("i-web", "i-app", "tcp/8080", wider) is None
        for inner in ("10.0.3.0/24", "10.0.0.0/16"):
            hole = but(DUAL_HOMED, table("rtb-public", blackhole(inner)))
            assert why_not("i-web", "i-app", "tcp/8080", hole) is Reason.BLACKHOLE

    def test_the_reply_needs_a_way_back_to_the_internet(self) -> None:
        public = {"10.0.2.10": "198.18.0.6"}
        stray = replace(WEB_MANAGEMENT, public=tuple((ip_address(a), ip_address(b)) for a, b in public.items()))
        lost = but(DUAL_HOMED, stray, group("sg-management", all_traffic()))
        assert why_not("site/client", "198.18.0.6", of=lost) is Reason.NO_WAY_BACK
        found = but(lost, table("rtb-management", to_internet()))
        assert why_not("site/client", "198.18.0.6", of=found) is None

    def test_the_reply_needs_a_way_back_into_the_tunnel(self) -> None:
        lost = but(DUAL_HOMED, group("sg-web", all_traffic()))
        assert why_not("192.168.0.10", "10.0.1.10", of=lost) is Reason.NO_WAY_BACK

    def test_a_tunnel_without_its_site_is_down(self) -> None:
        down = but(DUAL_HOMED, replace(VPC, vpn=(VpnLink("vpn-1", None, (ip_network("192.168.0.0/16"),)),)))
        assert why_not("eni-web1", "192.168.0.10", of=down) is Reason.TUNNEL_DOWN

    def test_a_connection_may_have_a_site_and_no_tunnel(self) -> None:
        opened = but(DUAL_HOMED, group("sg-management", all_traffic()))
        for ends in (("eni-web1", "192.168.0.10"), ("192.168.0.10", "10.0.2.10")):
            assert reach(opened, *ends, "tcp/22").reachable
            verdict = reach(opened, *ends, "tcp/22", down={"vpn-1"})
            assert (verdict.reason, verdict.hops[-1].id) == (Reason.TUNNEL_DOWN, "vpn-1")
            assert reach(opened, *ends, "tcp/22", down={"vpn-2"}).reachable

    def test_a_tunnel_carries_only_what_is_behind_it(self) -> None:
        wide = but(DUAL_HOMED, table("rtb-management", to_vpn("172.16.0.0/12")))
        assert why_not("eni-web1", "172.16.1.1", of=wide) is Reason.NOT_BEHIND_TUNNEL

    def test_no_gateway_no_internet(self) -> None:
        island = but(DUAL_HOMED, replace(VPC, internet=False))
        assert why_not("internet", "i-web", of=island) is Reason.NO_INTERNET_GATEWAY
        assert why_not("i-web", "internet", of=island) is Reason.NO_INTERNET_GATEWAY

    def test_no_public_address_no_internet(self) -> None:
        bare = but(DUAL_HOMED, replace(WEB_PUBLIC, public=()))
        assert why_not("i-web", "internet", of=bare) is Reason.NO_PUBLIC_ADDRESS

    def test_a_guest_sends_from_the_interface_in_the_destinations_subnet(self) -> None:
        neighbour = port("eni-n", "i-n", MANAGEMENT, "rtb-management", "10.0.2.20", groups=("sg-open",))
        verdict = ask("i-web", "10.0.2.20", "tcp/22", but(DUAL_HOMED, neighbour, group("sg-open", all_traffic())))
        assert verdict.hops[0].id == "eni-web1"
        assert ask("i-web", "internet").hops[0].id == "eni-web0"

    def test_an_instances_own_address_never_leaves_it(self) -> None:
        verdict = ask("eni-web0", "10.0.2.10", "tcp/1")
        assert verdict.reachable
        assert [hop.part for hop in verdict.hops] == [Part.INSTANCE]


class TestMiddleBoxes:
    def test_a_nat_instance_sends_on_as_itself(self) -> None:
        parts = [(hop.part, hop.id) for hop in ask("i-app", "internet", "tcp/443").hops]
        assert (Part.INSTANCE, "i-nat") in parts
        assert parts.index((Part.INTERFACE, "eni-app")) < parts.index((Part.INTERFACE, "eni-nat"))

    def test_its_groups_and_check_decide(self) -> None:
        assert why_not("i-app", "internet", of=but(DUAL_HOMED, group("sg-nat"))) is Reason.INGRESS
        checked = but(DUAL_HOMED, replace(NAT, source_dest_check=True))
        assert why_not("i-app", "internet", of=checked) is Reason.SOURCE_DEST_CHECK

    def test_a_route_to_a_detached_interface_is_a_blackhole(self) -> None:
        without = {key: record for key, record in DUAL_HOMED.items() if record is not NAT}
        assert why_not("i-app", "internet", of=without) is Reason.BLACKHOLE

    def test_a_route_back_to_itself_is_a_loop(self) -> None:
        looping = but(DUAL_HOMED, replace(NAT, route_table_id="rtb-private"))
        assert why_not("i-app", "internet", of=looping) is Reason.LOOP

    def test_a_forged_source_needs_the_check_off(self) -> None:
        forged = ip_address("10.0.3.99")
        assert reach(DUAL_HOMED, Place(APP, forged), "i-web", "tcp/80").reason is Reason.SOURCE_DEST_CHECK
        free = replace(APP, source_dest_check=False)
        assert reach(but(DUAL_HOMED, free), Place(free, forged), "i-web", "tcp/80").reachable


def _other_vpc(public: dict[str, str] | None = None) -> list[Record]:
    """The same addresses again, in a VPC of its own."""
    return [
        Vpc("vpc-2", VPC.blocks, (PUBLIC,), internet=True),
        table("rtb-2", to_internet(), vpc="vpc-2"),
        group("sg-2", all_traffic(), vpc="vpc-2"),
        port("eni-2", "i-2", PUBLIC, "rtb-2", "10.0.1.30", groups=("sg-2",), vpc="vpc-2", public=public),
        port("eni-3", "i-3", PUBLIC, "rtb-2", "10.0.1.10", groups=("sg-2",), vpc="vpc-2"),
    ]


class TestIsolation:
    def test_vpcs_meet_only_over_the_internet(self) -> None:
        apart = but(DUAL_HOMED, *_other_vpc())
        assert why_not("i-web", "i-2", of=apart) is Reason.OTHER_VPC
        assert why_not("i-web", "10.0.1.30", of=apart) is Reason.NO_INTERFACE
        assert why_not("i-2", "198.18.0.5", of=apart) is Reason.NO_PUBLIC_ADDRESS
        with_address = but(DUAL_HOMED, *_other_vpc({"10.0.1.30": "198.18.0.7"}))
        assert why_not("i-2", "i-web", of=with_address) is None

    def test_an_address_two_vpcs_have_names_no_source(self) -> None:
        with pytest.raises(UnknownPlace, match="ambiguous"):
            ask("10.0.1.10", "i-web", of=but(DUAL_HOMED, *_other_vpc()))


def _to_peer(block: str, connection: str = "pcx-1") -> Route:
    return Route(ip_network(block), TargetKind.PEERING, connection)


def _peers(*rules: Rule, back: str = "10.0.0.0/16") -> World:
    """The dual-homed VPC with a peer, 10.9.0.0/16, and an instance there."""
    there = subnet("subnet-far", "10.9.1.0/24")
    far = Vpc("vpc-9", (ip_network("10.9.0.0/16"),), (there,), True, peerings=(Peering("pcx-1", "vpc-1", VPC.blocks),))
    return but(
        DUAL_HOMED,
        replace(VPC, peerings=(Peering("pcx-1", "vpc-9", far.blocks),)),
        far,
        table("rtb-private", _to_peer("10.9.0.0/16")),
        table("rtb-9", _to_peer(back), to_internet(), vpc="vpc-9"),
        group("sg-9", *(rules or (all_traffic(),)), vpc="vpc-9"),
        port(
            "eni-9",
            "i-9",
            there,
            "rtb-9",
            "10.9.1.9",
            groups=("sg-9",),
            vpc="vpc-9",
            public={"10.9.1.9": "198.18.0.99"},
        ),
    )


class TestPeering:
    def test_peers_know_each_other_by_private_addresses(self) -> None:
        verdict = ask("i-app", "i-9", of=_peers())
        assert verdict.reachable
        assert [hop.id for hop in verdict.hops if hop.part is Part.PEERING] == ["pcx-1"]
        assert why_not("i-app", "10.9.1.9", of=_peers()) is None

    def test_both_sides_need_routes(self) -> None:
        assert why_not("i-app", "i-9", of=_peers(back="10.0.1.0/24")) is Reason.NO_WAY_BACK
        assert why_not("i-app", "i-9", of=but(_peers(), table("rtb-private"))) is Reason.NO_ROUTE

    def test_a_connection_that_is_gone_is_a_blackhole(self) -> None:
        assert why_not("i-app", "10.9.1.9", of=but(_peers(), VPC)) is Reason.BLACKHOLE

    def test_it_leads_no_further(self) -> None:
        wide = but(_peers(), table("rtb-private", _to_peer("0.0.0.0/0")))
        assert why_not("i-app", "i-9", of=wide) is None
        for beyond in ("8.8.8.8", "192.168.0.10", "198.18.0.99"):
            assert why_not("i-app", beyond, of=wide) is Reason.BEYOND_PEER

    def test_only_ones_own_addresses_may_be_sent(self) -> None:
        free = replace(APP, source_dest_check=False)
        verdict = reach(but(_peers(), free), Place(free, ip_address("172.16.0.1")), "10.9.1.9", "tcp/80")
        assert verdict.reason is Reason.BEYOND_PEER

    def test_a_rule_may_refer_to_a_group_of_the_peer(self) -> None:
        known = Rule(6, 80, 80, group="sg-app", peering="pcx-1")
        assert why_not("i-app", "i-9", of=_peers(known)) is None
        assert why_not("i-app", "i-9", of=_peers(replace(known, group="sg-web"))) is Reason.INGRESS
        assert why_not("i-app", "i-9", of=_peers(replace(known, peering="pcx-2"))) is Reason.INGRESS
        prefixed = replace(APP, prefixes=(ip_network("10.0.3.64/28"),))
        assert why_not("10.0.3.70", "10.9.1.9", of=but(_peers(known), prefixed)) is None
        out = group("sg-app", egress=(Rule(6, 80, 80, group="sg-9", peering="pcx-1"),))
        assert why_not("i-app", "i-9", of=but(_peers(), out)) is None
        assert why_not("i-app", "i-web", of=but(_peers(), out)) is Reason.EGRESS


@pytest.mark.parametrize("word", ["", "web", "site/nowhere", "10.0.0", "subnet-1", "10.9.9.9"])
def test_words_that_name_no_source(word: str) -> None:
    with pytest.raises(UnknownPlace):
        ask(word, "i-web")


@pytest.mark.parametrize("word", ["", "tcp", "tcp/", "tcp/x", "tcp/65536", "tcp/80/1", "icmp/256", "http", "256", "-1"])
def test_words_that_are_no_traffic(word: str) -> None:
    with pytest.raises(UnknownPlace):
        traffic(word)


# --- what holds in every world ----------------------------------------------------------------------------------------

HOSTS = st.integers(10, 13)
BLOCKS = st.sampled_from(["0.0.0.0/0", "10.0.0.0/16", "10.0.1.0/24", "10.0.1.10/31", "10.0.1.12/32", "198.18.0.0/24"])
GROUPS = ("sg-0", "sg-1", "sg-2")
PORTS_RANGE = st.tuples(st.integers(79, 82), st.integers(79, 82)).map(lambda pair: (min(pair), max(pair)))


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    low, high = draw(PORTS_RANGE)
    protocol = draw(st.sampled_from([-1, 6, 17]))
    spread = (low, high) if protocol != -1 else (-1, -1)
    if draw(st.booleans()):
        return Rule(protocol, *spread, cidr=draw(BLOCKS))
    return Rule(protocol, *spread, group=draw(st.sampled_from(GROUPS)))


RULE_SETS = st.frozensets(rules(), max_size=3).map(lambda some: tuple(sorted(some)))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Four instances in one subnet, all with public addresses, with any groups and rules."""
    where = subnet("subnet-1", "10.0.1.0/24")
    records: list[Record] = [
        Vpc("vpc-1", (ip_network("10.0.0.0/16"),), (where,), internet=draw(st.booleans())),
        table("rtb-1", *([to_internet()] if draw(st.booleans()) else [])),
    ]
    records += [SecurityGroup(id_, "vpc-1", draw(RULE_SETS), draw(RULE_SETS)) for id_ in GROUPS]
    for host in range(10, 14):
        inside = f"10.0.1.{host}"
        carried = tuple(draw(st.sets(st.sampled_from(GROUPS), min_size=1)))
        public = {inside: f"198.18.0.{host}"} if draw(st.booleans()) else {}
        records.append(port(f"eni-{host}", f"i-{host}", where, "rtb-1", inside, groups=carried, public=public))
    return world(*records)


TRAFFIC = st.builds(Traffic, st.sampled_from([6, 17]), st.integers(79, 82))
ENDS = st.one_of(
    HOSTS.map(lambda host: f"i-{host}"),
    HOSTS.map(lambda host: f"10.0.1.{host}"),
    HOSTS.map(lambda host: f"198.18.0.{host}"),
    st.sampled_from(["internet", "8.8.8.8"]),
)


def _rule_sets(of: World) -> list[SecurityGroup]:
    return [record for record in of.values() if isinstance(record, SecurityGroup)]


@given(worlds(), ENDS, ENDS, TRAFFIC, st.data())
def test_removing_a_rule_never_makes_more_reachable(
    of: World, source: str, destination: str, what: Traffic, data: st.DataObject
) -> None:
    chosen = data.draw(st.sampled_from(_rule_sets(of)))
    fewer = but(of, replace(chosen, ingress=chosen.ingress[1:], egress=chosen.egress[1:]))
    assert reach(fewer, source, destination, what).reachable <= reach(of, source, destination, what).reachable


@given(worlds(), ENDS, ENDS, TRAFFIC)
def test_a_group_reference_is_its_members_private_addresses(
    of: World, source: str, destination: str, what: Traffic
) -> None:
    members = {
        id_: [f"10.0.1.{host}/32" for host in range(10, 14) if id_ in of["port", f"eni-{host}"].groups]
        for id_ in GROUPS
    }

    def spelt_out(some: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return tuple(
            replace(rule, group="", cidr=cidr) for rule in some for cidr in members.get(rule.group, [rule.cidr])
        )

    by_address = but(
        of, *(replace(one, ingress=spelt_out(one.ingress), egress=spelt_out(one.egress)) for one in _rule_sets(of))
    )
    assert reach(of, source, destination, what).reason == reach(by_address, source, destination, what).reason


@given(worlds(), worlds(), HOSTS, HOSTS, TRAFFIC)
def test_no_path_between_vpcs_without_the_internet(one: World, two: World, near: int, far: int, what: Traffic) -> None:
    """Two worlds with the same addresses side by side, the second renamed and without gateways."""
    renamed = [_renamed(record) for record in two.values()]
    verdict = reach(but(one, *renamed), f"i-{near}", f"i-other-{far}", what)
    assert not verdict.reachable
    assert reach(but(one, *renamed), f"i-{near}", f"10.0.1.{far}", what) == reach(
        one, f"i-{near}", f"10.0.1.{far}", what
    )


def _renamed(record: Record) -> Record:
    match record:
        case Vpc():
            return replace(record, id="vpc-2", internet=False)
        case SecurityGroup():
            return replace(record, id=record.id + "-other", vpc_id="vpc-2")
    if record.key[0] == "route_table":
        return replace(record, id="rtb-2", vpc_id="vpc-2")
    host = record.id.removeprefix("eni-")
    groups = tuple(id_ + "-other" for id_ in record.groups)
    return replace(
        record, id=f"eni-other-{host}", instance_id=f"i-other-{host}", vpc_id="vpc-2", route_table_id="rtb-2",
        groups=groups, public=(),
    )  # fmt: skip


@given(worlds(), ENDS, ENDS, TRAFFIC)
def test_every_refusal_says_why(of: World, source: str, destination: str, what: Traffic) -> None:
    why_not(source, destination, what, of)


class TestTracking:
    """Which of the flows it allows an interface does not track, so that they end with their rule."""

    OPEN = group("sg-app", all_traffic())

    @staticmethod
    def untracked(source: str, destination: str, what: str, of: World) -> list[str]:
        """The directions."""
        hops = ask(source, destination, what, of).hops
        return [hop.direction for hop in hops if hop.says.endswith(", and does not track it")]

    def test_what_is_let_in_from_everywhere_with_all_its_answers(self) -> None:
        assert self.untracked("internet", "i-web", "tcp/80", DUAL_HOMED) == ["ingress"]
        narrow = but(DUAL_HOMED, group("sg-web", tcp(80, "0.0.0.0/0"), egress=(all_traffic("10.0.0.0/8"),)))
        assert self.untracked("internet", "i-web", "tcp/80", narrow) == []
        assert self.untracked("i-web", "internet", "tcp/80", DUAL_HOMED) == []
        pings = but(DUAL_HOMED, group("sg-web", all_traffic()))
        assert self.untracked("internet", "i-web", "icmp", pings) == []

    def test_what_goes_out_but_not_through_a_nat_gateway(self) -> None:
        by_gateway = but(TestNatGateways.OF, self.OPEN)
        assert self.untracked("i-app", "internet", "tcp/443", by_gateway) == []
        assert self.untracked("i-app", "i-web", "tcp/80", by_gateway) == ["egress", "ingress"]
