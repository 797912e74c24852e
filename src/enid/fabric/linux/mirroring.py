"""Which packets of mirrored ports are copied, and to which session: a router's nftables tables for it. Pure.

One table per IP version, and only in a VPC with a mirrored port. They come after the gates, so what a security group or
a network ACL denies is not copied; they look a packet's two links up in maps, so others pay the same however many ports
are mirrored. A session has a chain per direction with its filter's rules in order: one that accepts sends a copy and
ends the matter, anything else goes to the source's next session.

A copy goes to a next hop of its own on the session's wire (:mod:`enid.fabric.linux.mirror`), one per direction, since
the next hop's MAC is all that goes with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from enid.fabric.linux.names import MIRRORS as TABLE
from enid.fabric.linux.names import mirror_link, port_link
from enid.netlink import expressions as nft
from enid.netlink.nftables import (
    ACCEPT,
    FORWARD,
    IFNAME,
    INPUT,
    IPV4_ONLY,
    IPV6_ONLY,
    JUMP,
    OUTPUT,
    VERDICT,
    Key,
    Set,
    Verdict,
    add_base_chain,
    add_chain,
    add_elements,
    add_rule,
    add_set,
    add_table,
    delete_chain,
    delete_elements,
    delete_table,
    flush_chain,
    ifname,
    in_family,
)
from enid.topology.records import Mirror, MirrorRule, Port

_FAMILIES = {4: IPV4_ONLY, 6: IPV6_ONLY}
_AFTER_THE_GATES = 10
_TCP, _UDP, _DNS = 6, 17, 53
_MAPS = ("from", "to", "asked", "answered")
"""From a port's link to the chain for what it sends and receives, asks Amazon's resolver and is answered."""
_HOPS = {4: int(IPv4Address("240.0.0.0")), 6: int(IPv6Address("fe80::1:0:0"))}
"""Reserved, so no VPC has such an address."""


@dataclass(frozen=True, slots=True)
class Copies:
    """A port's link, and the sessions that can be carried out, each with the index of its wire."""

    link: str
    sessions: tuple[tuple[Mirror, int], ...]


def copies(port: Port, wires: Sequence[tuple[Mirror, int]]) -> Copies:
    return Copies(port_link(port.attachment_id), tuple(wires))


def hop(version: int, wire: int, inward: bool) -> IPv4Address | IPv6Address:
    """The next hop for copies of what the port receives (``inward``) or sends, on the link of index ``wire``."""
    number = _HOPS[version] + 2 * wire + inward
    return IPv4Address(number) if version == 4 else IPv6Address(number)


def begin() -> list[bytes]:
    """The tables, empty."""
    return _both([add_table(TABLE), *_skeleton()])


def end() -> list[bytes]:
    """Away with them, whether they are there or not."""
    return _both([add_table(TABLE), delete_table(TABLE)])


def _both(messages: list[bytes]) -> list[bytes]:
    return [in_family(message, family) for family in _FAMILIES.values() for message in messages]


def _skeleton() -> list[bytes]:
    hooks = (("forward", FORWARD), ("input", INPUT), ("output", OUTPUT))
    looks = (
        ("forward", nft.iifname(), "from"),
        ("forward", nft.oifname(), "to"),
        ("input", nft.iifname(), "asked"),
        ("output", nft.oifname(), "answered"),
    )
    return [
        *(add_set(TABLE, Set(name, (IFNAME,), VERDICT)) for name in _MAPS),
        *(add_base_chain(TABLE, name, "filter", hook, _AFTER_THE_GATES, ACCEPT) for name, hook in hooks),
        *(add_rule(TABLE, chain, link, nft.lookup_verdict(name)) for chain, link, name in looks),
    ]


def start(wanted: Copies) -> list[bytes]:
    """Copy what this port sends and receives."""
    return [in_family(message, family) for version, family in _FAMILIES.items() for message in _start(wanted, version)]


def stop(former: Copies) -> list[bytes]:
    """No copies of this port's packets any more."""
    key, chains = [Key(ifname(former.link))], [chain for _, chain in _chains(former)]
    gone = [part for name in _entered(former) for part in delete_elements(TABLE, name, key)]
    flushed, deleted = ([step(TABLE, chain) for chain in chains] for step in (flush_chain, delete_chain))
    return _both([*gone, *flushed, *deleted])


def _chain(name: str, session: Mirror) -> str:
    return f"{name}_{mirror_link(session.id)}"


def _chains(wanted: Copies) -> Iterator[tuple[str, str]]:
    """Each chain after the map that leads there."""
    for name in ("from", "to"):
        yield from ((name, _chain(name, session)) for session, _ in wanted.sessions)
    for session, _ in [asked for asked in wanted.sessions if asked[0].dns][:1]:
        yield from ((name, _chain(name, session)) for name in ("asked", "answered"))


def _entered(wanted: Copies) -> dict[str, str]:
    """Map → the first chain."""
    return dict(reversed(list(_chains(wanted))))


def _start(wanted: Copies, version: int) -> Iterator[bytes]:
    yield from (add_chain(TABLE, chain) for _, chain in _chains(wanted))
    for place, (session, wire) in enumerate(wanted.sessions):
        following = [after for after, _ in wanted.sessions[place + 1 : place + 2]]
        for name, rules in (("from", session.egress), ("to", session.ingress)):
            otherwise = nft.goto(_chain(name, following[0])) if following else nft.returns()
            copy = _copy(version, wire, name == "to")
            for rule in rules:
                if rule.source.version == version:
                    yield add_rule(TABLE, _chain(name, session), _fits(rule), copy if rule.accept else otherwise)
            yield add_rule(TABLE, _chain(name, session), otherwise)
    yield from _dns(wanted, version)
    for name, chain in _entered(wanted).items():
        yield from add_elements(TABLE, name, [(Key(ifname(wanted.link)), Verdict(JUMP, chain))])


def _dns(wanted: Copies, version: int) -> Iterator[bytes]:
    """Of what passes between a port and its router, what is about names."""
    for session, wire in [asked for asked in wanted.sessions if asked[0].dns][:1]:
        for name, port in (("asked", nft.dport()), ("answered", nft.sport())):
            for protocol in (_UDP, _TCP):
                about_names = _protocol(protocol) + port + nft.equal(_DNS.to_bytes(2, "big"))
                yield add_rule(TABLE, _chain(name, session), about_names, _copy(version, wire, name == "answered"))


def _copy(version: int, wire: int, inward: bool) -> bytes:
    return nft.duplicate(hop(version, wire, inward).packed, wire) + nft.returns()


def _protocol(number: int) -> bytes:
    return nft.l4proto() + nft.equal(bytes((number,)))


def _fits(rule: MirrorRule) -> bytes:
    """Whether a packet, of the rule's IP version, is one of those it is about."""
    version, found = rule.source.version, b""
    for field, block in ((nft.source, rule.source), (nft.destination, rule.destination)):
        if block.prefixlen:
            found += field(version) + nft.masked(block.netmask.packed) + nft.equal(block.network_address.packed)
    if rule.protocol != -1:
        found += _protocol(rule.protocol)
    for port, ports in ((nft.sport, rule.source_ports), (nft.dport, rule.destination_ports)):
        if ports:
            first, last = (number.to_bytes(2, "big") for number in ports)
            found += port() + nft.between(first, last)
    return found
