"""The programs at the router's ends of a port and of the internet's wire: packets of established flows go straight to
the port they are for. Pure.

They decide only what they are sure of: an ordinary TCP or UDP packet, from a port's own address or, over the wire, from
outside the VPC, to an address of a port here (on the wire: its public one), of a flow that the kernel's conntrack holds
as accepted. Everything else they pass on, and then the packet goes its way through nftables and routing as if there
were no program. A packet they take arrives as one of the slow path does: from the router's MAC, with one hop less to
live, and at the private address. What goes out to the internet goes the slow way.

Connection tracking stays the truth, so a program looks there for every packet: a flow that is forgotten is slow at
once. It keeps the flow alive as the slow path would; what changes a flow's state (a connection's begin and end, a
stream's first answer) goes the slow way, where conntrack sees it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from enid.bpf.assembler import Assembler, Register
from enid.bpf.kernel import Kernel
from enid.netlink.message import hardware
from enid.topology.records import Timeouts

R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, FRAME = Register
_CONTEXT, _PACKET, _TARGET, _FLOW = R6, R7, R8, R9
"""What these registers hold throughout; the flow's holds the packet's end before."""

PORTS = {4: "ports4", 6: "ports6"}
STEERED, GUARDED, CLOSED = "steered", "guarded", "closed"
PRIVATE_OF, BLOCKS = "private_of", "blocks"
"""The maps: address → :func:`entry`; slot of a route table → whether it has routes within the VPC; slot of a subnet →
whether a network ACL may deny what crosses its border; slot 0 → whether nothing from the internet may be short-cut
(four bytes each); public address → private address; the VPC's blocks."""
SLOTS = 1024
"""A number's slot is its remainder: two may share one, and are both slow if one of them is. A power of two."""
MODULE = "nf_conntrack"
FIND, RELEASE, REFRESH = "bpf_skb_ct_lookup", "bpf_ct_release", "bpf_ct_change_timeout"
FUNCTIONS = (FIND, RELEASE, REFRESH)

_ENTRY = struct.Struct("=6s6sIII")
ENTRY_SIZE = _ENTRY.size
_ENTRY_DEVICE, _ENTRY_TABLE, _ENTRY_SUBNET = 12, 16, 20

_CONTINUE = -1
_MAP_LOOKUP, _STORE_BYTES, _L3_CHECKSUM, _L4_CHECKSUM, _JIFFIES, _REDIRECT_PEER = 1, 9, 10, 11, 118, 155
_PSEUDO_HEADER, _NO_CHECKSUM_STAYS = 1 << 4, 1 << 5
_DROP = 2
# struct __sk_buff
_LENGTH, _PACKET_TYPE, _VLAN, _DEVICE, _DATA, _DATA_END, _SEGMENT_SIZE = 0, 4, 20, 40, 76, 80, 176
_ETHERNET = 14
_TCP, _UDP = 6, 17
_PORTS_SIZE, _UDP_HEADER, _TCP_HEADER = 4, 8, 20
_FLAGS, _ACK, _ACK_SYN_RST_FIN = 13, 0x10, 0x17
_IPV4_CHECKSUM, _IPV4_DESTINATION = 24, 30
_TRANSPORT_CHECKSUM = {_TCP: 50, _UDP: 40}
"""In an IPv4 packet without options."""
# The stack, from its upper end: a slot, the flow's addresses and ports, what is asked of conntrack, a prefix and its
# length, a public address.
_SLOT, _TUPLE, _QUESTION, _PREFIX, _PUBLIC = -4, -40, -56, -64, -68
_QUESTION_SIZE, _QUESTION_PROTOCOL, _QUESTION_DIRECTION = 12, 8, 9
_HERE = -1
# enum ip_conntrack_status
_SEEN_REPLY, _ASSURED = 1 << 1, 1 << 2
_CONFIRMED = 1 << 3
_SPECIAL = 1 << 4 | 1 << 5 | 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 13
"""Translated (its source, its destination, its sequence numbers), dying, of a fixed timeout, a template, helped."""
_ESTABLISHED = 3
"""enum tcp_conntrack"""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where conntrack keeps what the program reads of a flow: offsets in ``struct nf_conn``."""

    status: int
    tcp_state: int
    stream_since: int
    """From when on (in jiffies) a UDP flow answered counts as a stream."""

    @classmethod
    def of(cls, kernel: Kernel) -> Layout:
        """Raises UnknownType."""
        return cls(
            kernel.offset("nf_conn", "status"),
            kernel.offset("nf_conn", "proto", "tcp", "state"),
            kernel.offset("nf_conn", "proto", "udp", "stream_ts"),
        )


@dataclass(frozen=True, slots=True)
class _Family:
    """Where a packet has what, with the Ethernet header before it."""

    version: int
    ethernet_type: int
    hops: int
    protocol: int
    addresses: int
    address_size: int
    transport: int


_FAMILIES = (_Family(4, 0x0800, 22, 23, 26, 4, 34), _Family(6, 0x86DD, 21, 20, 22, 16, 54))


def entry(device: int, mac: str, router_mac: str, table: int, subnet: int) -> bytes:
    """A port's address in the map: the port's link at the router, the Ethernet header that leads there, and the numbers
    of the route table its own packets go by and of its subnet."""
    return _ENTRY.pack(hardware(mac), hardware(router_mac), device, table, subnet)


def from_port(layout: Layout, timeouts: Timeouts, mtu: int) -> Assembler:
    """The program at a port's end; ``timeouts`` and ``mtu`` are those of every port."""
    a = Assembler()
    _begin(a)
    for family in _FAMILIES:
        a.jump_if(R2, "==", _network_order(family.ethernet_type), f"ip{family.version}")
    a.jump("pass")
    for family in _FAMILIES:
        a.label(f"ip{family.version}")
        _decide(a, family, _find_ports, layout, timeouts, mtu)
        _hand_over(a, family)
    _end(a)
    return a


def from_internet(layout: Layout, timeouts: Timeouts, mtu: int) -> Assembler:
    """The program at the end of the internet's wire: what comes to a public address."""
    family = _FAMILIES[0]
    a = Assembler()
    _begin(a)
    a.jump_if(R2, "!=", _network_order(family.ethernet_type), "pass")
    _decide(a, family, _find_translated, layout, timeouts, mtu)
    _translate(a, family)
    _hand_over(a, family)
    a.label("drop")
    a.do("=", R0, _DROP)
    a.exit()
    _end(a)
    return a


def _begin(a: Assembler) -> None:
    """Only what is for this very router, untagged. Leaves the Ethernet type in R2."""
    a.do("=", _CONTEXT, R1)
    for field in (_PACKET_TYPE, _VLAN):
        a.load(4, R2, _CONTEXT, field)
        a.jump_if(R2, "!=", 0, "pass")
    _look_at_packet(a)
    _reach(a, _ETHERNET)
    a.load(2, R2, _PACKET, _ETHERNET - 2)


def _decide(
    a: Assembler,
    family: _Family,
    find_ends: Callable[[Assembler, _Family], None],
    layout: Layout,
    timeouts: Timeouts,
    mtu: int,
) -> None:
    """Go on only with a packet that may be short-cut."""
    _recognise(a, family)
    _fit(a, family, mtu)
    find_ends(a, family)
    _find_flow(a, family)
    _judge(a, family, layout, timeouts)


def _look_at_packet(a: Assembler) -> None:
    a.load(4, _PACKET, _CONTEXT, _DATA)
    a.load(4, _FLOW, _CONTEXT, _DATA_END)


def _end(a: Assembler) -> None:
    """Where those go that are left alone."""
    a.label("release")
    a.do("=", R1, _FLOW)
    a.call_kernel(RELEASE)
    a.label("pass")
    a.do("=", R0, _CONTINUE)
    a.exit()


def _network_order(value: int) -> int:
    """A two-byte field as a load sees it."""
    return int.from_bytes(value.to_bytes(2, "big"), "little")


def _reach(a: Assembler, size: int, otherwise: str = "pass") -> None:
    """The first ``size`` bytes are there to be read."""
    a.do("=", R2, _PACKET)
    a.do("+", R2, size)
    a.jump_if(R2, ">", _FLOW, otherwise)


def _recognise(a: Assembler, family: _Family) -> None:
    """A whole UDP packet, or one of a TCP connection's middle, that may go one hop further. Leaves the protocol in R5
    and the size of the transport header in R4."""
    known = f"protocol{family.version}"
    _reach(a, family.transport + _UDP_HEADER)
    if family.version == 4:
        a.load(1, R2, _PACKET, _ETHERNET)
        a.jump_if(R2, "!=", 0x45, "pass")  # no options
        a.load(2, R2, _PACKET, _ETHERNET + 6)
        a.jump_if(R2, "&", _network_order(0xBFFF), "pass")  # no fragment
    a.load(1, R2, _PACKET, family.hops)
    a.jump_if(R2, "<=", 1, "pass")
    a.load(1, R5, _PACKET, family.protocol)
    a.do("=", R4, _UDP_HEADER)
    a.jump_if(R5, "==", _UDP, known)
    a.jump_if(R5, "!=", _TCP, "pass")
    _reach(a, family.transport + _TCP_HEADER)
    a.load(1, R2, _PACKET, family.transport + _FLAGS)
    a.do("&", R2, _ACK_SYN_RST_FIN)
    a.jump_if(R2, "!=", _ACK, "pass")
    a.load(1, R4, _PACKET, family.transport + _FLAGS - 1)  # its upper half is the header's size in words
    a.do(">>", R4, 4)
    a.do("<<", R4, 2)
    a.label(known)


def _fit(a: Assembler, family: _Family, mtu: int) -> None:
    """The packet, or each segment it will be cut into, is not too long for a port."""
    whole, measured = f"whole{family.version}", f"measured{family.version}"
    a.load(4, R3, _CONTEXT, _SEGMENT_SIZE)
    a.jump_if(R3, "==", 0, whole)
    a.do("+", R3, R4)
    a.do("+", R3, family.transport)
    a.jump(measured)
    a.label(whole)
    a.load(4, R3, _CONTEXT, _LENGTH)
    a.label(measured)
    a.jump_if(R3, ">", mtu + _ETHERNET, "pass")


def _find_ports(a: Assembler, family: _Family) -> None:
    """Both ends are ports, the sender is who it says, and neither a route within the VPC nor a network ACL has a say in
    its packets."""
    beside = f"beside{family.version}"
    _ask_about_protocol(a)
    step = min(family.address_size, 8)
    for place in range(0, 2 * family.address_size, step):
        a.load(step, R2, _PACKET, family.addresses + place)
        a.store(step, FRAME, _TUPLE + place, R2)
    a.load(_PORTS_SIZE, R2, _PACKET, family.transport)
    a.store(_PORTS_SIZE, FRAME, _TUPLE + 2 * family.address_size, R2)
    _look_up(a, PORTS[family.version], _TUPLE + family.address_size)
    a.do("=", _TARGET, R0)
    _look_up(a, PORTS[family.version], _TUPLE)
    a.load(4, R2, _CONTEXT, _DEVICE)
    a.load(4, R3, R0, _ENTRY_DEVICE)
    a.jump_if(R2, "!=", R3, "pass")
    a.load(4, R3, _TARGET, _ENTRY_DEVICE)
    a.jump_if(R2, "==", R3, "pass")
    a.do("=", _FLOW, R0)  # for the moment, the sender
    _unless_on(a, STEERED, _FLOW, _ENTRY_TABLE)
    a.load(4, R2, _FLOW, _ENTRY_SUBNET)
    a.load(4, R3, _TARGET, _ENTRY_SUBNET)
    a.jump_if(R2, "==", R3, beside)
    _unless_on(a, GUARDED, _FLOW, _ENTRY_SUBNET)
    _unless_on(a, GUARDED, _TARGET, _ENTRY_SUBNET)
    a.label(beside)


def _ask_about_protocol(a: Assembler) -> None:
    """The one in R5."""
    a.store(4, FRAME, _QUESTION + _QUESTION_PROTOCOL, 0)
    a.store(1, FRAME, _QUESTION + _QUESTION_PROTOCOL, R5)


def _find_translated(a: Assembler, family: _Family) -> None:
    """It is for a port's public address, and comes from outside the VPC; neither a route table of the internet gateway
    nor a network ACL has a say. Conntrack knows the flow by the private address."""
    source, destination = _TUPLE, _TUPLE + family.address_size
    _ask_about_protocol(a)
    a.load(4, R2, _PACKET, family.addresses)
    a.store(4, FRAME, source, R2)
    a.store(4, FRAME, _PREFIX + 4, R2)
    a.store(4, FRAME, _PREFIX, 8 * family.address_size)
    a.load(4, R2, _PACKET, family.addresses + family.address_size)
    a.store(4, FRAME, _PUBLIC, R2)
    a.load(_PORTS_SIZE, R2, _PACKET, family.transport)
    a.store(_PORTS_SIZE, FRAME, _TUPLE + 2 * family.address_size, R2)
    a.store(4, FRAME, _SLOT, 0)
    _look_up(a, CLOSED, _SLOT)
    a.load(4, R2, R0, 0)
    a.jump_if(R2, "!=", 0, "pass")
    _look_up(a, PRIVATE_OF, _PUBLIC)
    a.load(4, R2, R0, 0)
    a.store(4, FRAME, destination, R2)
    _ask(a, BLOCKS, _PREFIX)
    a.jump_if(R0, "!=", 0, "pass")
    _look_up(a, PORTS[family.version], destination)
    a.do("=", _TARGET, R0)
    _unless_on(a, GUARDED, _TARGET, _ENTRY_SUBNET)


def _translate(a: Assembler, family: _Family) -> None:
    """The private address in place of the public one, in the checksums too. The packet may lie elsewhere then."""
    private, done = _TUPLE + family.address_size, "translated"
    _correct(a, _L3_CHECKSUM, _IPV4_CHECKSUM, 4)
    a.load(1, R2, FRAME, _QUESTION + _QUESTION_PROTOCOL)
    a.jump_if(R2, "==", _UDP, "datagram")
    _correct(a, _L4_CHECKSUM, _TRANSPORT_CHECKSUM[_TCP], _PSEUDO_HEADER | 4)
    a.jump(done)
    a.label("datagram")
    _correct(a, _L4_CHECKSUM, _TRANSPORT_CHECKSUM[_UDP], _PSEUDO_HEADER | _NO_CHECKSUM_STAYS | 4)
    a.label(done)
    a.do("=", R1, _CONTEXT)
    a.do("=", R2, _IPV4_DESTINATION)
    a.do("=", R3, FRAME)
    a.do("+", R3, private)
    a.do("=", R4, 4)
    a.do("=", R5, 0)
    a.call(_STORE_BYTES)
    _look_at_packet(a)
    _reach(a, family.transport, "drop")


def _correct(a: Assembler, helper: int, place: int, flags: int) -> None:
    """A checksum, by what the destination was and will be."""
    a.do("=", R1, _CONTEXT)
    a.do("=", R2, place)
    a.load(4, R3, FRAME, _PUBLIC)
    a.load(4, R4, FRAME, _TUPLE + 4)
    a.do("=", R5, flags)
    a.call(helper)


def _unless_on(a: Assembler, switches: str, port: Register, field: int) -> None:
    """Go on unless the switch is on for this field of a port's entry."""
    a.load(4, R2, port, field)
    a.do("&", R2, SLOTS - 1)
    a.store(4, FRAME, _SLOT, R2)
    _look_up(a, switches, _SLOT)
    a.load(4, R2, R0, 0)
    a.jump_if(R2, "!=", 0, "pass")


def _look_up(a: Assembler, name: str, place: int) -> None:
    """R0 = the map's value for the key on the stack."""
    _ask(a, name, place)
    a.jump_if(R0, "==", 0, "pass")


def _ask(a: Assembler, name: str, place: int) -> None:
    """The same, or 0."""
    a.map(R1, name)
    a.do("=", R2, FRAME)
    a.do("+", R2, place)
    a.call(_MAP_LOOKUP)


def _find_flow(a: Assembler, family: _Family) -> None:
    """What conntrack knows of the packet's flow; it must be released."""
    a.store(4, FRAME, _QUESTION, _HERE)
    a.store(4, FRAME, _QUESTION + 4, 0)
    a.do("=", R1, _CONTEXT)
    a.do("=", R2, FRAME)
    a.do("+", R2, _TUPLE)
    a.do("=", R3, 2 * family.address_size + _PORTS_SIZE)
    a.do("=", R4, FRAME)
    a.do("+", R4, _QUESTION)
    a.do("=", R5, _QUESTION_SIZE)
    a.call_kernel(FIND)
    a.jump_if(R0, "==", 0, "pass")
    a.do("=", _FLOW, R0)


def _judge(a: Assembler, family: _Family, layout: Layout, timeouts: Timeouts) -> None:
    """The flow was accepted, is what it seems, and this packet tells conntrack nothing new; it lives on."""
    udp, stream, answered, alive = (f"{name}{family.version}" for name in ("udp", "stream", "answered", "alive"))
    a.load(8, R2, _FLOW, layout.status)
    a.do("=", R3, R2)
    a.do("&", R3, _CONFIRMED | _SPECIAL)
    a.jump_if(R3, "!=", _CONFIRMED, "release")
    a.load(1, R3, FRAME, _QUESTION + _QUESTION_PROTOCOL)
    a.jump_if(R3, "==", _UDP, udp)
    a.load(1, R3, _FLOW, layout.tcp_state)
    a.jump_if(R3, "!=", _ESTABLISHED, "release")
    a.do("&", R2, _ASSURED)
    a.jump_if(R2, "==", 0, "release")
    a.do("=", R2, timeouts.tcp_established * 1000)
    a.jump(alive)
    a.label(udp)
    a.jump_if(R2, "&", _ASSURED, stream)
    a.jump_if(R2, "&", _SEEN_REPLY, answered)
    a.load(1, R3, FRAME, _QUESTION + _QUESTION_DIRECTION)
    a.do("=", R2, timeouts.udp * 1000)
    a.jump_if(R3, "==", 0, alive)
    a.jump("release")  # the first answer
    a.label(answered)
    a.call(_JIFFIES)
    a.load(8, R3, _FLOW, layout.stream_since)
    a.jump_if(R0, ">", R3, "release")  # conntrack makes it a stream
    a.do("=", R2, timeouts.udp * 1000)
    a.jump(alive)
    a.label(stream)
    a.do("=", R2, timeouts.udp_stream * 1000)
    a.label(alive)
    a.do("=", R1, _FLOW)
    a.call_kernel(REFRESH)
    a.do("=", R1, _FLOW)
    a.call_kernel(RELEASE)


def _hand_over(a: Assembler, family: _Family) -> None:
    """One hop less, the router's and the receiver's MAC, and into the receiver's device."""
    a.load(1, R2, _PACKET, family.hops)
    a.do("-", R2, 1)
    a.store(1, _PACKET, family.hops, R2)
    if family.version == 4:
        # The checksum grows by what was taken off the first byte of its word, with the carry around (RFC 1141).
        a.load(2, R2, _PACKET, _ETHERNET + 10)
        a.do("+", R2, 1)
        a.jump_if(R2, "<", 0xFFFF, "summed")
        a.do("+", R2, 1)
        a.label("summed")
        a.store(2, _PACKET, _ETHERNET + 10, R2)
    a.load(8, R2, _TARGET, 0)
    a.store(8, _PACKET, 0, R2)
    a.load(4, R2, _TARGET, 8)
    a.store(4, _PACKET, 8, R2)
    a.load(4, R1, _TARGET, _ENTRY_DEVICE)
    a.do("=", R2, 0)
    a.call(_REDIRECT_PEER)
    a.exit()
