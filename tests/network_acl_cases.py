"""Any network ACLs and single packets, and what AWS says about the two: the first entry that matches decides.

Written without the code it tests: one packet, one loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from hypothesis import strategies as st

from enid.topology.records import AclEntry, Address

TCP, UDP, ICMP, GRE, ICMP6 = 6, 17, 1, 47, 58
PORTS = (0, 22, 53, 1023, 1024, 40000, 65535)
TYPES = (8, 0, 128, 129)
_BLOCKS = {
    4: (
        "0.0.0.0/0",
        "0.0.0.0/0",
        "10.0.0.0/8",
        "10.0.1.0/24",
        "10.0.1.5/32",
        "10.0.2.4/30",
        "203.0.113.0/24",
        "128.0.0.0/1",
    ),
    6: ("::/0", "::/0", "2001:db8::/56", "2001:db8:0:1::5/128", "2001:db8:0:2::4/126", "8000::/1"),
}


class Packet(NamedTuple):
    """One packet at a border: ``peer`` is its far end, ``port`` its destination port or its ICMP type."""

    peer: Address
    protocol: int
    port: int = 0
    code: int = 0


def first_match(entries: Iterable[AclEntry], packet: Packet) -> tuple[bool, int]:
    """Whether it may pass, and the number of the entry that says so; 0 is the last one."""
    for entry in entries:
        if packet.peer in entry.block and entry.protocol in (-1, packet.protocol) and _fits(entry, packet):
            return entry.allow, entry.number
    return False, 0


def _fits(entry: AclEntry, packet: Packet) -> bool:
    if entry.protocol in (TCP, UDP):
        return packet.port in range(entry.from_port, entry.to_port + 1)
    if entry.protocol in (ICMP, ICMP6):
        return entry.from_port in (-1, packet.port) and entry.to_port in (-1, packet.code)
    return True


@st.composite
def _entries(draw: st.DrawFn, number: int, versions: Sequence[int]) -> AclEntry:
    version = draw(st.sampled_from(versions))
    own, other = (ICMP, ICMP6) if version == 4 else (ICMP6, ICMP)
    protocol = draw(st.sampled_from([own, TCP, -1, UDP, own, other, GRE]))
    first = last = -1
    if protocol in (TCP, UDP):
        first, last = sorted((draw(st.sampled_from(PORTS)), draw(st.sampled_from(PORTS))))
    elif protocol == ICMP or (protocol == ICMP6 and version == 6):
        first = draw(st.sampled_from((-1, -1, *TYPES)))
        last = -1 if first == -1 else draw(st.sampled_from((-1, 0)))
    block = ip_network(draw(st.sampled_from(_BLOCKS[version])))
    return AclEntry(number, draw(st.booleans()), protocol, block, first, last)


@st.composite
def sides(draw: st.DrawFn, versions: Sequence[int] = (4, 6)) -> tuple[AclEntry, ...]:
    """The entries of one direction."""
    return tuple(draw(_entries(number, versions)) for number in range(1, draw(st.integers(0, 5)) + 1))


@st.composite
def packets(draw: st.DrawFn, peers: Sequence[str]) -> Packet:
    """Packets to or from any of ``peers``."""
    peer = ip_address(draw(st.sampled_from(peers)))
    protocol = draw(st.sampled_from([TCP, UDP, ICMP if peer.version == 4 else ICMP6, GRE]))
    if protocol in (TCP, UDP):
        return Packet(peer, protocol, draw(st.sampled_from(PORTS)))
    if protocol == GRE:
        return Packet(peer, protocol)
    return Packet(peer, protocol, draw(st.sampled_from(TYPES)), draw(st.sampled_from((0, 1))))
