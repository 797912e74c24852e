"""Network ACLs in the kernel: a stage before everything a router decides about a forwarded packet. Pure.

Stateless, so it comes before the shortcut of tracked flows; and before translation on the way out and after it on the
way in, so it sees private addresses. It is a base chain of its own which is only there while some ACL of the VPC denies
something: otherwise no packet pays for it. It knows a packet's subnets by the links it comes and goes by; a gateway's
link has none, and between two links of one subnet nothing is asked.

The entries of one ACL are rules in their order, in a chain per direction that its subnets share. A packet meets at most
two of these chains, however many ACLs and subnets there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from enid.fabric.linux.cells import Difference
from enid.fabric.linux.groups import Element
from enid.fabric.linux.names import TABLE, acl_chain, subnet_number
from enid.netlink import expressions as nft
from enid.netlink.nftables import (
    ACCEPT,
    FORWARD,
    JUMP,
    Key,
    Verdict,
    add_base_chain,
    add_chain,
    add_rule,
    delete_chain,
    flush_chain,
)
from enid.topology.network_acls import EGRESS, INGRESS, entries
from enid.topology.records import AclEntry, NetworkAcl

_STAGE = "network_acls"
_BEFORE_GATES = -10
"""Priority: the gates are at 0."""
_TCP_UDP, _ICMP = (6, 17), (1, 58)
_SUBNET = nft.FIELD + 4
"""The register behind a link's name, for a key of the two."""

Entries = tuple[str, tuple[AclEntry, ...]]
"""A direction and its entries: all that a chain is made of."""


def chains(acl: NetworkAcl) -> Iterator[tuple[str, Entries]]:
    """The chains of an ACL, by name: of the directions in which it guards a subnet and denies something."""
    for direction in _guarding(acl):
        yield acl_chain(acl.id, direction), (direction, entries(acl, direction))


def dispatch(acl: NetworkAcl) -> Iterator[Element]:
    """From its subnets' numbers to its chains."""
    for direction in _guarding(acl):
        for subnet in acl.subnets:
            verdict = Verdict(JUMP, acl_chain(acl.id, direction))
            yield (f"acl_{direction}", Key(subnet_number(subnet))), verdict


def guarded(acl: NetworkAcl) -> Collection[str]:
    """The subnets at whose border it may deny a packet."""
    return acl.subnets if _guarding(acl) else ()


def _guarding(acl: NetworkAcl) -> list[str]:
    return [direction for direction in (EGRESS, INGRESS) if acl.subnets and acl.restricts(direction)]


def rewritten(work: Difference[str, Entries], was_there: bool, is_wanted: bool) -> tuple[list[bytes], list[bytes]]:
    """What makes the chains as they are wanted: before the elements that lead there are changed, and after.

    :param was_there: the stage is there.
    :param is_wanted: the stage shall be there.
    """
    before = [*_stage()] if is_wanted and not was_there else []
    for name, (direction, said) in work.added:
        before += [add_chain(TABLE, name), *_rules(name, direction, said)]
    for name, (direction, said) in work.changed:
        before += [flush_chain(TABLE, name), *_rules(name, direction, said)]
    gone = [_STAGE] if was_there and not is_wanted else []
    gone += [name for name, _ in work.removed]
    return before, [step(TABLE, name) for name in gone for step in (flush_chain, delete_chain)]


def _stage() -> Iterator[bytes]:
    yield add_base_chain(TABLE, _STAGE, "filter", FORWARD, _BEFORE_GATES, ACCEPT)
    subnet_of_sender = nft.iifname() + nft.lookup_value("subnet", _SUBNET)
    yield add_rule(TABLE, _STAGE, subnet_of_sender, nft.oifname(), nft.lookup("beside"), nft.accept())
    # A chain returns if it allows.
    yield add_rule(TABLE, _STAGE, nft.iifname(), nft.lookup_value("subnet"), nft.lookup_verdict("acl_egress"))
    yield add_rule(TABLE, _STAGE, nft.oifname(), nft.lookup_value("subnet"), nft.lookup_verdict("acl_ingress"))


def _rules(chain: str, direction: str, said: tuple[AclEntry, ...]) -> Iterator[bytes]:
    denial = nft.goto(f"network_acl_{direction}")
    for entry in said:
        yield add_rule(TABLE, chain, *_matches(entry, direction), nft.returns() if entry.allow else denial)
    yield add_rule(TABLE, chain, denial)


def _matches(entry: AclEntry, direction: str) -> Iterator[bytes]:
    version = entry.block.version
    yield nft.version(version)
    if entry.block.prefixlen:
        yield nft.source(version) if direction == INGRESS else nft.destination(version)
        if entry.block.prefixlen < entry.block.max_prefixlen:
            yield nft.masked(entry.block.netmask.packed)
        yield nft.equal(entry.block.network_address.packed)
    if entry.protocol != -1:
        yield nft.l4proto() + nft.equal(bytes((entry.protocol,)))
    if entry.protocol in _TCP_UDP:
        yield nft.dport() + nft.between(entry.from_port.to_bytes(2, "big"), entry.to_port.to_bytes(2, "big"))
    if entry.protocol in _ICMP:
        # Type and code stand where others have their source port.
        exact = [entry.from_port, entry.to_port]
        mask = bytes(0 if part == -1 else 0xFF for part in exact)
        if any(mask):
            yield nft.sport() + nft.masked(mask) + nft.equal(bytes(max(part, 0) for part in exact))
