"""Netlink messages to bytes and back."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Interface, IPv6Network, ip_interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enid.netlink import addresses, links, message, nftables, routes, rules
from enid.netlink.addresses import LinkAddress
from enid.netlink.routes import BLACKHOLE, UNICAST, UNREACHABLE, Route
from enid.netlink.rules import Rule

HEADER = message.HEADER.size
networks = st.one_of(
    st.builds(
        lambda number, length: IPv4Network((number, length), strict=False),
        st.integers(0, 2**32 - 1),
        st.integers(0, 32),
    ),
    st.builds(
        lambda number, length: IPv6Network((number, length), strict=False),
        st.integers(0, 2**128 - 1),
        st.integers(0, 128),
    ),
)


@st.composite
def some_routes(draw: st.DrawFn) -> Route:
    destination = draw(networks)
    kind = draw(st.sampled_from([UNICAST, BLACKHOLE, UNREACHABLE]))
    address = st.integers(1, 2**32 - 1).map(IPv4Address if destination.version == 4 else IPv6Address)
    unicast = kind == UNICAST
    gateway = draw(st.none() | address) if unicast else None
    return Route(
        destination,
        table=draw(st.integers(1, 2**32 - 1)),
        kind=kind,
        device=draw(st.integers(1, 2**31 - 1)) if unicast else 0,
        gateway=gateway,
        source=draw(st.none() | address),
        metric=draw(st.integers(0, 1000)),
        onlink=gateway is not None and draw(st.booleans()),
    )


@given(some_routes())
def test_a_route_reads_back_as_it_was_written(route: Route) -> None:
    built = routes.replace_route(route)
    assert routes.parse_route(built[HEADER:]) == route
    assert routes.delete_route(route)[HEADER:] == built[HEADER:]


@given(
    st.sampled_from([4, 6]),
    st.integers(1, 32765),
    st.integers(1, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.none() | st.integers(0, 128),
)
def test_a_rule_reads_back_as_it_was_written(
    version: int, priority: int, table: int, mark: int, suppress: int | None
) -> None:
    rule = Rule(version, priority, table, mark=mark, suppress_prefix_length=suppress)
    assert rules.parse_rule(rules.add_rule(rule)[HEADER:]) == rule


@given(st.lists(st.tuples(st.binary(min_size=4, max_size=20), st.binary(max_size=20)), min_size=1, max_size=300))
def test_elements_read_back_as_they_were_written(ends: list[tuple[bytes, bytes]]) -> None:
    keys = [nftables.Key(start, end) for start, end in ends]
    built = nftables.add_elements("table", "set", [(key, None) for key in keys])
    assert [key for each in built for key in nftables.parse_elements(each[HEADER:])] == keys


@pytest.mark.parametrize("text", ["10.0.0.5/24", "2001:db8::5/128", "fe80::1/64"])
def test_an_address_reads_back_as_it_was_written(text: str) -> None:
    built = addresses.add_address(7, ip_interface(text), flags=addresses.NODAD)
    assert addresses.parse_address(built[HEADER:]) == LinkAddress(7, ip_interface(text), addresses.NODAD)


def test_a_link_local_address_has_link_scope() -> None:
    assert addresses.add_address(1, IPv6Interface("fe80::1/64"))[HEADER + 3] == 253


@given(st.lists(st.tuples(st.integers(1, 0x3FFF), st.binary(max_size=40))))
def test_attributes_are_padded_and_read_back(given_attributes: list[tuple[int, bytes]]) -> None:
    data = b"".join(message.attribute(kind, payload) for kind, payload in given_attributes)
    assert len(data) % 4 == 0
    assert list(message.attributes(data)) == given_attributes


@given(st.binary(max_size=200))
def test_garbage_ends_the_reading_and_never_raises(data: bytes) -> None:
    assert all(len(payload) <= len(data) for _, payload in message.attributes(data))
    assert all(len(body) <= len(data) for *_, body in message.messages(data))


def test_a_messages_length_covers_it_all() -> None:
    built = message.message(24, message.CREATE, b"abcd", message.u32(1, 7))
    size, kind, flags, sequence, port = struct.unpack_from("=IHHII", built)
    assert (size, kind, flags, sequence, port) == (len(built), 24, message.CREATE | message.REQUEST, 0, 0)


def test_a_link_is_read() -> None:
    built = links.set_link(index=5, rename="eth7", mac="02:00:00:00:00:01", mtu=9001, group=3, up=True)
    link = links.parse_link(built[HEADER:])
    assert (link.index, link.name, link.mac, link.mtu, link.group, link.up) == (
        5,
        "eth7",
        "02:00:00:00:00:01",
        9001,
        3,
        True,
    )
