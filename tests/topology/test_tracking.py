"""Which flows are tracked: AWS's own example, and what holds of any rules."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import NAT_GATEWAY, PRIVATE, VPC, all_traffic, out_only, port, table, tcp, to_internet, to_port

from enid.topology.records import Rule, SecurityGroup
from enid.topology.tracking import (
    ALL_PORTS,
    WAYS,
    Range,
    Way,
    allowing,
    automatically,
    holds,
    is_tracked,
    merged,
    narrowed,
    openness,
    untracked,
    without,
)

IN4, OUT4, IN6 = Way(True, 4, 6), Way(False, 4, 6), Way(True, 6, 6)
ICMP = Rule(1, -1, -1, "0.0.0.0/0")
EVERYTHING = (all_traffic(), all_traffic("::/0"))
GUIDE = SecurityGroup(
    "sg-1", "vpc-1", (tcp(22, "203.0.113.1/32"), tcp(80, "0.0.0.0/0"), tcp(80, "::/0"), ICMP), EVERYTHING
)
"""The example in AWS's guide."""


def test_the_example_of_the_guide() -> None:
    assert is_tracked([GUIDE], IN4, 22)
    assert not is_tracked([GUIDE], IN4, 80)
    assert not is_tracked([GUIDE], IN6, 80)
    assert is_tracked([GUIDE], Way(True, 4, 1), 80), "ICMP always"
    assert is_tracked([GUIDE], OUT4, 443), "what answers is not let in at every port"
    four_out = SecurityGroup("sg-1", "vpc-1", GUIDE.ingress, EVERYTHING[:1])
    six_out = SecurityGroup("sg-1", "vpc-1", GUIDE.ingress, EVERYTHING[1:])
    assert [is_tracked([four_out], way, 80) for way in (IN4, IN6)] == [False, True]
    assert [is_tracked([six_out], way, 80) for way in (IN4, IN6)] == [True, False]


def test_groups_count_together() -> None:
    inward, outward = SecurityGroup("sg-1", "vpc-1", GUIDE.ingress, ()), SecurityGroup("sg-2", "vpc-1", (), EVERYTHING)
    assert is_tracked([inward], IN4, 80)
    assert not is_tracked([inward, outward], IN4, 80)


def test_what_goes_out_is_untracked_if_every_port_is_open_to_answers() -> None:
    wide_open = SecurityGroup("sg-1", "vpc-1", (Rule(6, 0, 65535, "0.0.0.0/0"),), (tcp(443, "0.0.0.0/0"),))
    assert not is_tracked([wide_open], OUT4, 443)
    assert is_tracked([wide_open], OUT4, 444)
    assert is_tracked([wide_open], Way(False, 4, 17), 443)
    assert is_tracked([wide_open], IN4, 22), "answers are let out at one port alone"


@pytest.mark.parametrize(
    ("routes", "far", "tracked"),
    [
        ([to_internet()], "203.0.113.80", False),
        ([to_port("0.0.0.0/0", NAT_GATEWAY.id, "10.0.1.98")], "203.0.113.80", True),
        ([to_port("0.0.0.0/0", NAT_GATEWAY.id, "10.0.1.98")], "10.0.2.10", False),
        ([to_port("10.0.2.0/24", NAT_GATEWAY.id, "10.0.1.98")], "10.0.2.10", True),
        ([to_port("10.0.0.0/16", NAT_GATEWAY.id, "10.0.1.98")], "10.0.3.21", False),
        ([to_port("0.0.0.0/0", NAT_GATEWAY.id, "10.0.1.98"), to_internet("203.0.113.0/24")], "203.0.113.80", False),
        ([to_port("0.0.0.0/0", "eni-firewall", "10.0.1.97")], "203.0.113.80", False),
        ([out_only()], "2001:db8::80", True),
        ([to_internet("::/0")], "2001:db8::80", False),
        ([], "203.0.113.80", False),
    ],
)
def test_what_gateways_are_for_is_tracked_automatically(routes: list[object], far: str, tracked: bool) -> None:
    sender = port("eni-app", "i-app", PRIVATE, "rtb-private", "10.0.3.20")
    ports = {
        each.id: each
        for each in (sender, NAT_GATEWAY, port("eni-firewall", "i-1", PRIVATE, "rtb-private", check=False))
    }
    ways = table("rtb-private", *routes)  # type: ignore[arg-type]
    assert automatically(VPC, ways, ports, sender, ip_address(far)) == tracked


# Any rules

numbers = st.integers(0, 9) | st.integers(65526, 65535)
ranges = st.tuples(numbers, numbers).map(lambda pair: (min(pair), max(pair))) | st.just(ALL_PORTS)
blocks = st.sampled_from(["0.0.0.0/0", "0.0.0.0/0", "::/0", "10.0.0.0/8", "0.0.0.0/1"])


@st.composite
def some_rules(draw: st.DrawFn) -> Rule:
    protocol = draw(st.sampled_from([-1, 1, 6, 17]))
    first, last = draw(ranges) if protocol in (6, 17) else (-1, -1)
    return Rule(protocol, first, last, draw(blocks))


@st.composite
def some_groups(draw: st.DrawFn) -> list[SecurityGroup]:
    rules = st.lists(some_rules(), max_size=4).map(tuple)
    return [
        SecurityGroup(f"sg-{number}", "vpc-1", draw(rules), draw(rules)) for number in range(draw(st.integers(0, 2)))
    ]


def open_at(groups: list[SecurityGroup], way: Way, number: int) -> bool:
    """The definition, as the guide words it: some rule lets it pass, from or to everywhere."""
    everywhere = {4: "0.0.0.0/0", 6: "::/0"}[way.version]
    return any(
        rule.cidr == everywhere
        and (rule.protocol == -1 or (rule.protocol == way.protocol and rule.from_port <= number <= rule.to_port))
        for group in groups
        for rule in (group.ingress if way.inward else group.egress)
    )


TRIED = [*range(11), *range(65525, 65536), 30000]
"""Every port at which something may change, and one between."""
ways = st.sampled_from(WAYS)


@settings(max_examples=200)
@given(some_groups(), ways, st.sampled_from(TRIED))
def test_a_flow_is_untracked_if_it_and_all_its_answers_are_open_to_everywhere(
    groups: list[SecurityGroup], way: Way, number: int
) -> None:
    answers = all(open_at(groups, way.back, each) for each in TRIED)
    assert is_tracked(groups, way, number) == (not (open_at(groups, way, number) and answers))


@settings(max_examples=200)
@given(some_groups(), some_groups(), ways, st.sampled_from(TRIED))
def test_what_narrows_is_what_was_untracked_and_is_not_open_any_more(
    old: list[SecurityGroup], new: list[SecurityGroup], way: Way, number: int
) -> None:
    found = [ports for one, ports in narrowed(openness(old), openness(new)) if one == way]
    assert holds(found, number) == (not is_tracked(old, way, number) and not open_at(new, way, number))


@given(some_groups(), ways, st.sampled_from(TRIED), st.sampled_from(["10.1.2.3", "200.1.2.3", "2001:db8::1"]))
def test_the_rules_that_speak_of_a_flow_are_those_that_allow_it(
    groups: list[SecurityGroup], way: Way, number: int, far: str
) -> None:
    address = ip_address(far)
    if address.version == way.version:
        speaking = allowing(groups, way, number)
        allowed = any(address in ip_network(rule.cidr) for rule in speaking)
        assert allowed or not holds(untracked(openness(groups), way), number)
        assert all((":" in rule.cidr) == (way.version == 6) for rule in speaking)


@given(st.lists(ranges), st.lists(ranges), st.sampled_from(TRIED))
def test_ranges(some: list[Range], holes: list[Range], number: int) -> None:
    left = list(without(merged(some), merged(holes)))
    assert left == list(merged(left))
    assert holds(left, number) == (holds(some, number) and not holds(holes, number))
