"""From the bytes of a packet to what a record says of it."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from flows import ipv4, ipv6, tcp, udp
from hypothesis import given
from hypothesis import strategies as st

from enid.flowlogs.header import Header, on_the_wire, parse

ports = st.integers(0, 65535)
FIN, SYN, RST, PSH, ACK, ECE = 1, 2, 4, 8, 16, 64
_HOP_BY_HOP, _FRAGMENT = 0, 44
COPIED = 96


def parsed(data: bytes) -> Header:
    found = parse(data[:COPIED])
    assert found is not None
    return found


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), ports, ports, st.binary(max_size=200), st.integers(0, 10))
def test_ipv4(source: object, destination: object, sport: int, dport: int, payload: bytes, words: int) -> None:
    packet = ipv4(str(source), str(destination), 17, udp(sport, dport, payload), options=bytes(4 * words))
    found = parsed(packet)
    assert (str(ip_address(found.source)), str(ip_address(found.destination))) == (str(source), str(destination))
    assert (found.source_port, found.destination_port, found.protocol) == (sport, dport, 17)
    assert (found.size, found.flags) == (len(packet), 0)


@given(st.ip_addresses(v=6), st.ip_addresses(v=6), ports, ports, st.booleans())
def test_ipv6_with_and_without_extensions(
    source: object, destination: object, sport: int, dport: int, extended: bool
) -> None:
    rest = udp(sport, dport, b"x")
    packet = (
        ipv6(str(source), str(destination), _HOP_BY_HOP, bytes((17, 1)) + bytes(14) + rest)
        if extended
        else ipv6(str(source), str(destination), 17, rest)
    )
    found = parsed(packet)
    assert (found.source_port, found.destination_port, found.protocol) == (sport, dport, 17)
    assert found.size == len(packet)


@given(st.binary(max_size=COPIED))
def test_any_bytes_are_a_header_or_none(data: bytes) -> None:
    parse(data)


@pytest.mark.parametrize(
    ("sent", "logged"),
    [
        (SYN, 2),
        (SYN | ACK, 18),
        (ACK, 0),
        (PSH | ACK, 0),
        (FIN | ACK, 1),
        (RST, 4),
        (RST | ACK, 4),
        (SYN | ECE, 2),
        (SYN | FIN, 3),
    ],
)
def test_of_tcp_s_flags_those_aws_records(sent: int, logged: int) -> None:
    assert parsed(ipv4("10.0.0.1", "10.0.0.2", 6, tcp(1, 2, sent))).flags == logged


def test_icmp_has_no_ports() -> None:
    found = parsed(ipv4("10.0.0.1", "10.0.0.2", 1, bytes((8, 0, 1, 2, 3, 4, 5, 6))))
    assert (found.source_port, found.destination_port, found.protocol) == (0, 0, 1)


def test_a_later_fragment_has_no_ports() -> None:
    found = parsed(ipv4("10.0.0.1", "10.0.0.2", 17, udp(1, 2), fragment=100))
    assert (found.source_port, found.destination_port) == (0, 0)
    later = bytes((17, 0, 1, 0)) + bytes(4) + udp(1, 2)
    found = parsed(ipv6("2001:db8::1", "2001:db8::2", _FRAGMENT, later))
    assert (found.source_port, found.destination_port, found.protocol) == (0, 0, 17)


@given(st.integers(0, 65000), st.sampled_from((1500, 9001)), st.integers(0, 10))
def test_what_the_kernel_carries_as_one_is_counted_as_the_segments_it_stands_for(
    payload: int, mtu: int, words: int
) -> None:
    head = 40 + 4 * words
    packet = ipv4("10.0.0.1", "10.0.0.2", 6, tcp(1, 2, ACK, bytes(4 * words)), size=head + payload)
    packets, size = on_the_wire(parsed(packet), mtu)
    assert size == payload + packets * head
    assert (packets - 1) * (mtu - head) < max(payload, 1) <= max(packets * (mtu - head), 1)
