"""How long an idle flow is remembered: what the interface says, read from the kernel's own entry of the flow."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from fabric_lab import Lab, delivers, group, port, table, until, vpc

from enid.netlink import namespaces
from enid.netlink.message import attributes, message, to_text
from enid.netlink.netfilter import NetfilterSocket
from enid.topology.records import Port, Timeouts

pytestmark = pytest.mark.root

A, B = port(5), port(6)
TCP, UDP = 6, 17
TIMEOUTS = Timeouts(tcp_established=61, udp_stream=62, udp=33)


@contextmanager
def router(lab: Lab) -> Iterator[NetfilterSocket]:
    """A socket in the VPC's router."""
    namespace = namespaces.open_pinned(lab.settings.run_dir / "netns" / vpc().id)
    assert namespace is not None
    with NetfilterSocket(namespace) as netfilter:
        yield netfilter
    os.close(namespace)


def flows(lab: Lab) -> dict[tuple[int, int], int]:
    """Seconds left, by protocol and destination port, of every flow of the VPC's router."""
    found = {}
    with router(lab) as netfilter:
        for version in (2, 10):
            for body in netfilter.dump(message(1 << 8 | 1, 0, struct.pack(">BBH", version, 0, 0))):
                parts = dict(attributes(memoryview(body)[4:]))
                protocol = dict(attributes(dict(attributes(parts[1]))[2]))
                key = protocol[1][0], int.from_bytes(protocol.get(3, b""), "big")
                found[key] = int.from_bytes(parts[7], "big")
    return found


def about(seconds: int | None, wanted: int) -> bool:
    """A second or two may have passed since the last packet."""
    return seconds is not None and wanted - 5 < seconds <= wanted


def connect(lab: Lab, frm: Port, to: Port, number: int) -> tuple[socket.socket, socket.socket]:
    """A TCP connection, established."""
    ear = lab.guest(to).socket(socket.AF_INET, socket.SOCK_STREAM)
    ear.bind((str(to.addresses[0]), number))
    ear.listen()
    mouth = lab.guest(frm).socket(socket.AF_INET, socket.SOCK_STREAM)
    mouth.connect((str(to.addresses[0]), number))
    accepted, _ = ear.accept()
    accepted.sendall(b"x")
    assert mouth.recv(1) == b"x"
    return mouth, accepted


def converse(lab: Lab, frm: Port, to: Port, number: int, place: int = 0) -> None:
    """One request, one response."""
    asks, answers = lab.guest(frm).udp(frm.addresses[place]), lab.guest(to).udp(to.addresses[place], number)
    delivers(asks, answers, to.addresses[place])
    delivers(answers, asks, frm.addresses[place])


def test_without_a_word_flows_are_remembered_as_long_as_on_aws(lab: Lab) -> None:
    lab.apply(vpc(), group(), table(), A, B)
    ends = connect(lab, A, B, 80)
    converse(lab, A, B, 53)
    found = flows(lab)
    assert about(found[TCP, 80], 432_000)
    assert about(found[UDP, 53], 30)
    for end in ends:
        end.close()


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("outgoing", [True, False])
def test_what_an_interface_says_holds_for_flows_from_it_and_to_it(lab: Lab, place: int, outgoing: bool) -> None:
    lab.apply(vpc(), group(), table(), A, replace(B, timeouts=TIMEOUTS))
    ends = (B, A) if outgoing else (A, B)
    mouth, ear = connect(lab, *ends, 80)
    converse(lab, *ends, 53, place)
    found = flows(lab)
    assert about(found[TCP, 80], TIMEOUTS.tcp_established)
    assert about(found[UDP, 53], TIMEOUTS.udp)
    mouth.close()
    ear.close()


def test_a_conversation_becomes_a_stream(lab: Lab) -> None:
    """The kernel takes it for one when it goes on for two seconds."""
    lab.apply(vpc(), group(), table(), A, replace(B, timeouts=TIMEOUTS))
    asks, answers = lab.guest(A).udp(A.addresses[0]), lab.guest(B).udp(B.addresses[0], 53)

    def is_stream() -> bool:
        delivers(asks, answers, B.addresses[0])
        delivers(answers, asks, A.addresses[0])
        return about(flows(lab)[UDP, 53], TIMEOUTS.udp_stream)

    until(is_stream, "a stream")


def test_a_flow_between_two_that_never_spoke_of_timeouts_is_left_alone(lab: Lab) -> None:
    c = port(7)
    lab.apply(vpc(), group(), table(), A, c, replace(B, timeouts=TIMEOUTS))
    ends = connect(lab, A, c, 80)
    assert about(flows(lab)[TCP, 80], 432_000)
    for end in ends:
        end.close()


def test_the_receivers_word_counts_where_both_have_one(lab: Lab) -> None:
    lab.apply(vpc(), group(), table(), replace(A, timeouts=Timeouts(udp=40)), replace(B, timeouts=TIMEOUTS))
    converse(lab, A, B, 53)
    converse(lab, B, A, 54)
    found = flows(lab)
    assert about(found[UDP, 53], TIMEOUTS.udp)
    assert about(found[UDP, 54], 40)


def test_new_flows_follow_a_change_and_a_new_agent(lab: Lab) -> None:
    lab.apply(vpc(), group(), table(), A, replace(B, timeouts=TIMEOUTS))
    lab.apply(replace(B, timeouts=Timeouts(udp=44)))
    converse(lab, A, B, 53)
    assert about(flows(lab)[UDP, 53], 44)
    lab.restart()
    converse(lab, A, B, 54)
    assert about(flows(lab)[UDP, 54], 44)
    lab.apply(B)
    converse(lab, A, B, 55)
    assert about(flows(lab)[UDP, 55], 30)


def test_a_vpc_without_timeouts_has_no_rule_for_them(lab: Lab) -> None:
    """Nobody pays for what he does not use."""
    lab.apply(vpc(), group(), table(), A, B)
    assert "timeouts" not in chains(lab)
    lab.apply(replace(B, timeouts=TIMEOUTS))
    assert "timeouts" in chains(lab)


def chains(lab: Lab) -> set[str]:
    with router(lab) as netfilter:
        get_chains = message(10 << 8 | 4, 0, struct.pack(">BBH", 1, 0, 0))
        return {to_text(dict(attributes(body[4:]))[3]) for body in netfilter.dump(get_chains)}
