"""Permissions ⇄ rules, without a store."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enid.ec2 import permissions
from enid.ec2.errors import AwsError
from enid.ec2.permissions import Rule

OWNER = "111111111111"
PORTS = st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(lambda pair: (min(pair), max(pair)))
TYPES = st.one_of(st.just((-1, -1)), st.tuples(st.integers(0, 255), st.integers(-1, 255)))
BARE = st.one_of(
    st.tuples(st.sampled_from(["tcp", "udp"]), PORTS),
    st.tuples(st.sampled_from(["icmp", "icmpv6"]), TYPES),
    st.tuples(st.sampled_from(["-1", "50", "47", "132"]), st.just((-1, -1))),
)
HEX = st.integers(0, 2**32 - 1).map(lambda number: f"{number:08x}")
SOURCE = st.one_of(
    st.ip_addresses(v=4).map(lambda address: {"cidr_ipv4": f"{address}/32"}),
    st.ip_addresses(v=6).map(lambda address: {"cidr_ipv6": f"{address}/128"}),
    HEX.map(lambda digits: {"prefix_list_id": f"pl-{digits}"}),
    HEX.map(lambda digits: {"referenced_group_id": f"sg-{digits}"}),
)
DESCRIPTION = st.one_of(st.none(), st.text("abc 09._-:/()#,@[]+=&;{}!$*", min_size=1, max_size=20))
RULES = st.lists(
    st.builds(
        lambda bare, source, text: Rule(False, bare[0], *bare[1], **source, description=text),
        BARE,
        SOURCE,
        DESCRIPTION,
    ),
    max_size=20,
    unique_by=lambda rule: rule.identity,
)


def _owned(rule: Rule) -> Rule:
    """An answer says whose a referenced group is."""
    return replace(rule, referenced_account_id=OWNER) if rule.referenced_group_id else rule


@given(RULES)
def test_grouping_loses_nothing_and_parsing_gives_the_rules_back(rules: list[Rule]) -> None:
    grouped = permissions.grouped(rules, OWNER, {})
    keys = [(item["IpProtocol"], item.get("FromPort"), item.get("ToPort")) for item in grouped]
    assert len(set(keys)) == len(keys), "one permission for each protocol and range"
    assert set(permissions.parse(grouped, is_egress=False, names={})) == set(map(_owned, rules))


@given(RULES)
def test_identity_is_everything_but_the_description(rules: list[Rule]) -> None:
    for rule in rules:
        other = replace(rule, is_egress=True, description="another")
        assert other.identity != rule.identity, "the direction counts"
        same = replace(rule, description="another")
        assert same.identity == rule.identity


def parse_one(**permission: Any) -> Rule:
    permission.setdefault("IpRanges", [{"CidrIp": "10.0.0.0/8"}])
    [rule] = permissions.parse([permission], is_egress=False, names={})
    return rule


@pytest.mark.parametrize(
    ("given_", "stored"),
    [("6", "tcp"), ("17", "udp"), ("1", "icmp"), ("58", "icmpv6"), ("TCP", "tcp"), ("-1", "-1"), ("all", "-1"),
     ("50", "50"), ("006", "tcp")],
)  # fmt: skip
def test_protocols_by_name_and_number(given_: str, stored: str) -> None:
    assert permissions.protocol_of(given_) == stored


def test_ports_do_not_matter_where_there_are_none() -> None:
    rule = parse_one(IpProtocol="-1", FromPort=22, ToPort=22)
    assert (rule.from_port, rule.to_port) == (-1, -1)


def test_a_block_is_canonicalised() -> None:
    rule = parse_one(IpProtocol="-1", IpRanges=[{"CidrIp": "100.68.0.18/18"}])
    assert rule.cidr_ipv4 == "100.68.0.0/18"


def test_icmpv6_without_type_is_any() -> None:
    rule = parse_one(IpProtocol="icmpv6", IpRanges=[], Ipv6Ranges=[{"CidrIpv6": "::/0"}])
    assert (rule.from_port, rule.to_port) == (-1, -1)


@pytest.mark.parametrize(
    ("permission", "code"),
    [
        ({"IpProtocol": "quic"}, "InvalidParameterValue"),
        ({"IpProtocol": "256"}, "InvalidParameterValue"),
        ({"IpProtocol": "9" * 5000}, "InvalidParameterValue"),
        ({}, "MissingParameter"),
        ({"IpProtocol": "tcp"}, "InvalidParameterValue"),
        ({"IpProtocol": "tcp", "FromPort": 22}, "InvalidParameterValue"),
        ({"IpProtocol": "tcp", "FromPort": -1, "ToPort": -1}, "InvalidPermission.Malformed"),
        ({"IpProtocol": "udp", "FromPort": 1, "ToPort": 65536}, "InvalidPermission.Malformed"),
        ({"IpProtocol": "tcp", "FromPort": 80, "ToPort": 79}, "InvalidPermission.Malformed"),
        ({"IpProtocol": "icmp"}, "InvalidParameterValue"),
        ({"IpProtocol": "icmp", "FromPort": -1, "ToPort": 0}, "InvalidPermission.Malformed"),
        ({"IpProtocol": "icmp", "FromPort": 256, "ToPort": -1}, "InvalidPermission.Malformed"),
        ({"IpProtocol": "-1", "IpRanges": []}, "MissingParameter"),
        ({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0"}]}, "InvalidParameterValue"),
        ({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "::/0"}]}, "InvalidParameterValue"),
        ({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "naïve"}]}, "InvalidParameterValue"),
        ({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}] * 2}, "InvalidParameterValue"),
        ({"IpProtocol": "-1", "IpRanges": [], "UserIdGroupPairs": [{"GroupId": "web"}]}, "InvalidGroupId.Malformed"),
        ({"IpProtocol": "-1", "IpRanges": [], "UserIdGroupPairs": [{}]}, "MissingParameter"),
        (
            {"IpProtocol": "-1", "IpRanges": [], "PrefixListIds": [{"PrefixListId": "x"}]},
            "InvalidPrefixListId.Malformed",
        ),
    ],
)
def test_malformed_permissions(permission: dict[str, Any], code: str) -> None:
    permission = {"IpRanges": [{"CidrIp": "10.0.0.0/8"}], **permission}
    with pytest.raises(AwsError) as caught:
        permissions.parse([permission], is_egress=False, names={})
    assert caught.value.code == code


def test_the_old_single_parameters_are_a_permission() -> None:
    old = permissions.flat({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "10.0.0.0/8"})
    assert permissions.parse(old, is_egress=False, names={}) == [Rule(False, "tcp", 22, 22, cidr_ipv4="10.0.0.0/8")]


def test_a_group_alone_means_all_of_tcp_udp_and_icmp() -> None:
    old = permissions.flat({"SourceSecurityGroupName": "web"})
    assert permissions.names_in(old) == {"web"}
    rules = permissions.parse(old, is_egress=False, names={"web": "sg-12345678"})
    assert [(rule.ip_protocol, rule.from_port, rule.to_port) for rule in rules] == [
        ("tcp", 0, 65535),
        ("udp", 0, 65535),
        ("icmp", -1, -1),
    ]


def test_old_and_new_parameters_exclude_each_other() -> None:
    with pytest.raises(AwsError) as caught:
        permissions.flat({"CidrIp": "10.0.0.0/8", "IpPermissions": [{"IpProtocol": "-1"}]})
    assert caught.value.code == "InvalidParameterCombination"
