"""CIDR blocks as clients write them."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enid.ec2 import cidr
from enid.ec2.errors import AwsError

BLOCKS = st.one_of(
    st.builds(lambda a, n: (a, n), st.ip_addresses(v=4), st.integers(0, 32)),
    st.builds(lambda a, n: (a, n), st.ip_addresses(v=6), st.integers(0, 128)),
)


@given(BLOCKS)
def test_a_block_is_canonicalised_and_stays_itself(block: tuple[object, int]) -> None:
    address, length = block
    network = cidr.parse(f"{address}/{length}")
    assert network is not None
    assert address in network
    assert network.prefixlen == length
    assert cidr.parse(str(network)) == network


@given(st.text(max_size=30))
def test_any_text_is_a_block_or_refused(text: str) -> None:
    network = cidr.parse(text)
    if network is None:
        with pytest.raises(AwsError) as caught:
            cidr.ipv4(text)
        assert caught.value.code == "InvalidParameterValue"
    else:
        assert "/" in text


def test_the_example_of_the_documentation() -> None:
    assert str(cidr.ipv4("100.68.0.18/18")) == "100.68.0.0/18"


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/255.0.0.0", "10.0.0/8", "fe80::1%eth0/64", "10.0.0.0/8 "],
)
def test_what_is_no_block(text: str) -> None:
    assert cidr.parse(text) is None


def test_families_do_not_pass_for_each_other() -> None:
    with pytest.raises(AwsError):
        cidr.ipv4("2001:db8::/64")
    with pytest.raises(AwsError):
        cidr.ipv6("10.0.0.0/8")


@given(BLOCKS, BLOCKS)
def test_within_implies_overlap(one: tuple[object, int], other: tuple[object, int]) -> None:
    inner, outer = (ip_network(f"{address}/{length}", strict=False) for address, length in (one, other))
    if cidr.within(inner, [outer]):
        assert cidr.overlaps(inner, [outer])
        assert cidr.overlaps(outer, [inner])


def test_families_never_meet() -> None:
    assert not cidr.overlaps(IPv4Network("0.0.0.0/0"), [IPv6Network("::/0")])
    assert not cidr.within(IPv4Network("10.0.0.0/8"), [IPv6Network("::/0")])
