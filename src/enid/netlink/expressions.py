"""The expressions nf_tables rules are made of, a few small functions named after nft's words. Pure.

Most load something into a register or test one. Register 1 is sixteen bytes wide and is where a key starts;
``FIELD + n`` is the n-th four-byte register of the same bank, where the later fields of a concatenated key go.
"""

from __future__ import annotations

from enid.netlink.message import attribute, be32, be64, nested, text, u8
from enid.netlink.nftables import ACCEPT, DROP, GOTO, JUMP, RETURN, Verdict, value_data, verdict_data

FIRST = 1
FIELD = 8

_IPV4, _IPV6 = 2, 10
_ICMP, _ICMPV6 = 1, 58
_EQUAL, _NOT_EQUAL, _AT_MOST, _AT_LEAST = 0, 1, 3, 5
_LINK_HEADER, _NETWORK_HEADER, _TRANSPORT_HEADER = 0, 1, 2
_META_MARK, _META_IIFNAME, _META_OIFNAME, _META_NFPROTO, _META_L4PROTO, _META_PKTTYPE = 3, 6, 7, 15, 16, 19
_TCP_RESET = 1
_INET_CHECKSUM, _PSEUDO_HEADER = 1, 1
_IPV4_CHECKSUM, _IPV4_SOURCE, _IPV4_DESTINATION = 10, 12, 16
_QUOTED = 8
"""Where the packet begins that an ICMP error quotes, in the transport header."""
_CT_STATE, _CT_DIRECTION, _CT_STATUS, _CT_MARK, _CT_ZONE = 0, 1, 2, 3, 17

_UPDATE, _INVERTED, _METER_MS = 1, 1, 10_000

INVALID, ESTABLISHED, RELATED, NEW = 1, 2, 4, 8
"""Conntrack states."""
CONFIRMED = 1 << 3
"""A conntrack status bit."""


def _expression(name: str, *parts: bytes) -> bytes:
    return nested(1, text(1, name), nested(2, *parts))


def _meta(key: int, register: int) -> bytes:
    return _expression("meta", be32(1, register), be32(2, key))


def _payload(base: int, offset: int, size: int, register: int) -> bytes:
    return _expression("payload", be32(1, register), be32(2, base), be32(3, offset), be32(4, size))


def _compare(operator: int, value: bytes, register: int = FIRST) -> bytes:
    return _expression("cmp", be32(1, register), be32(2, operator), value_data(3, value))


def masked(mask: bytes, register: int = FIRST) -> bytes:
    """``& mask``, in place."""
    zero = bytes(len(mask))
    return _expression(
        "bitwise", be32(1, register), be32(2, register), be32(3, len(mask)), value_data(4, mask), value_data(5, zero)
    )


def iifname(register: int = FIRST) -> bytes:
    return _meta(_META_IIFNAME, register)


def oifname(register: int = FIRST) -> bytes:
    return _meta(_META_OIFNAME, register)


def l4proto(register: int = FIRST) -> bytes:
    return _meta(_META_L4PROTO, register)


def equal(value: bytes, register: int = FIRST) -> bytes:
    """Go on only if the register holds ``value``."""
    return _compare(_EQUAL, value, register)


def between(first: bytes, last: bytes, register: int = FIRST) -> bytes:
    """Go on only if the register holds something from ``first`` to ``last``, in network byte order."""
    return _compare(_AT_LEAST, first, register) + _compare(_AT_MOST, last, register)


def version(number: int) -> bytes:
    """``meta nfproto ipv4``, or ``ipv6``."""
    return _meta(_META_NFPROTO, FIRST) + equal(bytes((_IPV4 if number == 4 else _IPV6,)))


def ether_source(register: int = FIRST) -> bytes:
    """``ether saddr``."""
    return _payload(_LINK_HEADER, 6, 6, register)


def ether_destination(register: int = FIRST) -> bytes:
    """``ether daddr``."""
    return _payload(_LINK_HEADER, 0, 6, register)


def set_ether_source(mac: bytes) -> bytes:
    """``ether saddr set``."""
    place = (be32(2, _LINK_HEADER), be32(3, 6), be32(4, len(mac)))
    return load(mac) + _expression("payload", be32(5, FIRST), *place, be32(6, 0))


def source(number: int, register: int = FIRST) -> bytes:
    """``ip saddr`` or ``ip6 saddr``; after :func:`version`."""
    return _payload(_NETWORK_HEADER, 12, 4, register) if number == 4 else _payload(_NETWORK_HEADER, 8, 16, register)


def destination(number: int, register: int = FIRST) -> bytes:
    """``ip daddr`` or ``ip6 daddr``; after :func:`version`."""
    return _payload(_NETWORK_HEADER, 16, 4, register) if number == 4 else _payload(_NETWORK_HEADER, 24, 16, register)


def rewrite(*, destination: bool) -> bytes:
    """The packet's IPv4 destination (or source) becomes what the first register holds. Connections are not looked at:
    done before they are tracked on the way in and after it on the way out, it is as if it happened elsewhere."""
    return _write(_NETWORK_HEADER, _IPV4_DESTINATION if destination else _IPV4_SOURCE, _IPV4_CHECKSUM, _PSEUDO_HEADER)


def rewrite6(value: bytes, *, destination: bool) -> bytes:
    """The packet's IPv6 destination (or source) becomes ``value``, and its checksum follows."""
    place = (be32(2, _NETWORK_HEADER), be32(3, 24 if destination else 8), be32(4, 16), be32(5, FIRST))
    return load(value) + _expression("payload", *place, be32(6, 0), be32(7, 0), be32(8, _PSEUDO_HEADER))


def quoted(*, destination: bool) -> bytes:
    """Go on only if it is an ICMP error; the first register then holds an address of the IPv4 packet it quotes."""
    errors = _payload(_TRANSPORT_HEADER, 0, 1, FIRST) + masked(b"\xf7") + equal(b"\x03")  # 3 and 11
    return icmp(4) + errors + _payload(_TRANSPORT_HEADER, _quoted_address(destination), 4, FIRST)


def rewrite_quoted(*, destination: bool) -> bytes:
    """The same as :func:`rewrite`, in the quoted packet. Its header's checksum makes good for the error's own."""
    return _write(_TRANSPORT_HEADER, _quoted_address(destination), _QUOTED + _IPV4_CHECKSUM, 0)


def _quoted_address(destination: bool) -> int:
    return _QUOTED + (_IPV4_DESTINATION if destination else _IPV4_SOURCE)


def _write(base: int, offset: int, checksum: int, flags: int) -> bytes:
    """Four bytes from the first register into the packet, and the IPv4 header's checksum, and those ``flags`` name."""
    place = (be32(2, base), be32(3, offset), be32(4, 4), be32(5, FIRST))
    return _expression("payload", *place, be32(6, _INET_CHECKSUM), be32(7, checksum), be32(8, flags))


def sport(register: int = FIRST) -> bytes:
    """``th sport``; of an ICMP packet its type and code."""
    return _payload(_TRANSPORT_HEADER, 0, 2, register)


def dport(register: int = FIRST) -> bytes:
    """``th dport``."""
    return _payload(_TRANSPORT_HEADER, 2, 2, register)


def icmp(number: int, wanted: bool = True) -> bytes:
    """``meta l4proto icmp`` (``ipv6-icmp``), or everything but."""
    protocol = bytes((_ICMP if number == 4 else _ICMPV6,))
    return l4proto() + _compare(_EQUAL if wanted else _NOT_EQUAL, protocol)


def icmp_type(number: int, kind: int, code: int) -> bytes:
    """An ICMP (ICMPv6) packet of this type and code."""
    return icmp(number) + sport() + equal(bytes((kind, code)))


def _ct(key: int) -> bytes:
    return _expression("ct", be32(1, FIRST), be32(2, key))


def _any_bit(bits: int) -> bytes:
    return masked(bits.to_bytes(4, "little")) + _compare(_NOT_EQUAL, bytes(4))


def ct_state(bits: int) -> bytes:
    return _ct(_CT_STATE) + _any_bit(bits)


def ct_status(bits: int) -> bytes:
    return _ct(_CT_STATUS) + _any_bit(bits)


def ct_status_is(value: int, mask: int) -> bytes:
    """These bits of the flow's status are ``value``."""
    return _ct(_CT_STATUS) + masked(mask.to_bytes(4, "little")) + equal(value.to_bytes(4, "little"))


def ct_reply(wanted: bool = True) -> bytes:
    """The packet goes against the direction its flow began in; or along with it."""
    return _ct(_CT_DIRECTION) + equal(bytes((wanted,)))


def for_many() -> bytes:
    """``meta pkttype != host``: broadcast and multicast."""
    return _meta(_META_PKTTYPE, FIRST) + _compare(_NOT_EQUAL, bytes(1))


def ct_mark(value: int) -> bytes:
    return _ct(_CT_MARK) + equal(value.to_bytes(4, "little"))


def load(value: bytes, register: int = FIRST) -> bytes:
    """A constant, into a register."""
    return _expression("immediate", be32(1, register), value_data(2, value))


def hashed(size: int, modulus: int) -> bytes:
    """The first register's ``size`` bytes become a number below ``modulus`` that follows from them."""
    return _expression("hash", be32(1, FIRST), be32(2, FIRST), be32(3, size), be32(4, modulus), be32(5, 0))


def reset() -> bytes:
    """``reject with tcp reset``."""
    return _expression("reject", be32(1, _TCP_RESET), u8(2, 0))


def _loaded(value: int | None) -> bytes:
    return b"" if value is None else load(value.to_bytes(4, "little"))


def load_ct_mark(register: int) -> bytes:
    """``ct mark``."""
    return _expression("ct", be32(1, register), be32(2, _CT_MARK))


def set_ct_mark(value: int | None = None) -> bytes:
    """The flow's mark becomes ``value``, or what the first register holds."""
    return _loaded(value) + _expression("ct", be32(2, _CT_MARK), be32(4, FIRST))


def ct_zone(number: int) -> bytes:
    """The packet's flow is tracked apart from those of other numbers."""
    return _ct(_CT_ZONE) + equal(number.to_bytes(2, "little"))


def set_ct_zone(number: int) -> bytes:
    """It shall be; before conntrack."""
    return load(number.to_bytes(2, "little")) + _expression("ct", be32(2, _CT_ZONE), be32(4, FIRST))


def notrack() -> bytes:
    """The packet is not tracked; before conntrack."""
    return _expression("notrack")


def mark(bits: int) -> bytes:
    """The packet's mark has one of these bits."""
    return _meta(_META_MARK, FIRST) + _any_bit(bits)


def meta_mark(register: int = FIRST) -> bytes:
    """``meta mark``."""
    return _meta(_META_MARK, register)


def mark_is(value: int, mask: int) -> bytes:
    """These bits of the packet's mark are ``value``."""
    return meta_mark() + masked(mask.to_bytes(4, "little")) + equal(value.to_bytes(4, "little"))


def set_mark(value: int | None = None) -> bytes:
    """The packet's mark becomes ``value``, or what the first register holds."""
    return _loaded(value) + _expression("meta", be32(2, _META_MARK), be32(3, FIRST))


def lookup(name: str, register: int = FIRST) -> bytes:
    """Go on only if the key is in the set."""
    return _expression("lookup", text(1, name), be32(2, register))


def lookup_missing(name: str) -> bytes:
    """Go on only if the key is not in the set."""
    return _expression("lookup", text(1, name), be32(2, FIRST), be32(5, 1))


def lookup_value(name: str, register: int = FIRST) -> bytes:
    """Go on only if the key in the first register is in the map; its data is put into ``register``."""
    return _expression("lookup", text(1, name), be32(2, FIRST), be32(3, register))


def lookup_verdict(name: str) -> bytes:
    """Do what the verdict map says for the key; go on if it says nothing."""
    return _expression("lookup", text(1, name), be32(2, FIRST), be32(3, 0))


def over_rate(name: str, packets: int) -> bytes:
    """Go on only if the key has come more than ``packets`` times a second; the set ``name`` keeps count of each key."""
    limit = (be64(1, packets), be64(2, 1), be32(3, packets), be32(4, 0), be32(5, _INVERTED))
    each = nested(7, text(1, "limit"), nested(2, *limit))
    return _expression("dynset", text(1, name), be32(3, _UPDATE), be32(4, FIRST), be64(6, _METER_MS), each)


def nat(*, to_destination: bool) -> bytes:
    """Rewrite the destination (or the source) IPv4 address to what the first register holds."""
    return _expression("nat", be32(1, 1 if to_destination else 0), be32(2, _IPV4), be32(3, FIRST), be32(4, FIRST))


def count(name: str) -> bytes:
    """Count the packet in a named counter."""
    return _expression("objref", be32(1, 1), text(2, name))


def assign(name: str) -> bytes:
    """Give the packet's flow the object that the map has for the first register; go on only if it has one."""
    return _expression("objref", be32(3, FIRST), text(4, name))


def log(group: int, prefix: str) -> bytes:
    """Send a copy of the packet to whoever reads the group; see :mod:`enid.netlink.packet_log`."""
    return _expression("log", attribute(1, group.to_bytes(2, "big")), text(2, prefix))


def duplicate(hop: bytes, device: int) -> bytes:
    """``dup to … device …``: a copy of the packet goes to a next hop on a link (in a table of one IP version)."""
    return (
        load(hop)
        + load(device.to_bytes(4, "little"), FIELD + 4)
        + _expression("dup", be32(1, FIRST), be32(2, FIELD + 4))
    )


def forward(device: int) -> bytes:
    """``fwd to …``: the frame goes out by a link (in a table of family ``netdev``)."""
    return load(device.to_bytes(4, "little")) + _expression("fwd", be32(1, FIRST))


def _verdict(verdict: Verdict) -> bytes:
    return _expression("immediate", be32(1, 0), verdict_data(2, verdict))


def accept() -> bytes:
    return _verdict(Verdict(ACCEPT))


def drop() -> bytes:
    return _verdict(Verdict(DROP))


def returns() -> bytes:
    """Back to the chain that jumped here."""
    return _verdict(Verdict(RETURN))


def jump(chain: str) -> bytes:
    return _verdict(Verdict(JUMP, chain))


def goto(chain: str) -> bytes:
    return _verdict(Verdict(GOTO, chain))
