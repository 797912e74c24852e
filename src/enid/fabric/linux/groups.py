"""Security groups in the kernel: a chain per group and direction, and one per combination of groups ports carry. Pure.

A group's chain decides "allowed" or falls through; a combination's chain asks its groups in turn and drops what none
allowed. Allowed by egress means on to the receiver's gate; allowed by ingress means accepted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from enid.fabric.linux.boxes import cidr_keys, reference_keys
from enid.fabric.linux.names import TABLE, combination_chain, group_chain, group_set, members, reference_set
from enid.fabric.linux.ruleset import ADMIT
from enid.netlink import expressions as nft
from enid.netlink.nftables import IPV4, IPV6, PROTOCOL, SERVICE, Data, Key, Set, add_chain, add_rule, add_set
from enid.topology.records import Rule, SecurityGroup

INGRESS, EGRESS = "ingress", "egress"
DIRECTIONS = (INGRESS, EGRESS)
_ALLOW = {INGRESS: nft.accept(), EGRESS: nft.goto(ADMIT)}
_ADDRESS = {4: IPV4, 6: IPV6}
_WORDS = {4: 1, 6: 4}
"""How many registers an address takes."""

Element = tuple[tuple[str, Key], Data]


def _far_end(direction: str, version: int) -> bytes:
    """The address the rules of a direction speak of."""
    return nft.source(version) if direction == INGRESS else nft.destination(version)


def _ports(version: int, word: int) -> Iterator[tuple[bytes, bytes]]:
    """What a rule's protocol and ports mean, loaded from the key's ``word``-th register on: an ICMP packet's type and
    code stand where others have their source port."""
    protocol = nft.l4proto(nft.FIELD + word)
    yield nft.icmp(version), protocol + nft.sport(nft.FIELD + word + 1)
    yield nft.icmp(version, wanted=False), protocol + nft.dport(nft.FIELD + word + 1)


def structure(group: str) -> list[bytes]:
    """The sets and chains of a group, before any rule."""
    messages = [add_set(TABLE, Set(members(group, version), (_ADDRESS[version],))) for version in (4, 6)]
    for direction in DIRECTIONS:
        chain = group_chain(group, direction)
        messages.append(add_chain(TABLE, chain))
        for version in (4, 6):
            name = group_set(group, direction, version)
            messages.append(add_set(TABLE, Set(name, (_ADDRESS[version], PROTOCOL, SERVICE), interval=True)))
            for condition, ports in _ports(version, _WORDS[version]):
                match = (nft.version(version), condition, _far_end(direction, version), ports, nft.lookup(name))
                messages.append(add_rule(TABLE, chain, *match, _ALLOW[direction]))
    return messages


def reference(group: str, direction: str, referenced: str) -> list[bytes]:
    """The rules of a group that speak of the members of another, whose structure is there."""
    chain, name = group_chain(group, direction), reference_set(group, direction, referenced)
    messages = [add_set(TABLE, Set(name, (PROTOCOL, SERVICE), interval=True))]
    for version in (4, 6):
        member = nft.version(version) + _far_end(direction, version) + nft.lookup(members(referenced, version))
        for condition, ports in _ports(version, 0):
            messages.append(add_rule(TABLE, chain, member, condition, ports, nft.lookup(name), _ALLOW[direction]))
    return messages


def combination(groups: Sequence[str]) -> list[bytes]:
    """The chains of ports that carry exactly ``groups``."""
    messages = []
    for direction in DIRECTIONS:
        chain = combination_chain(groups, direction)
        messages.append(add_chain(TABLE, chain))
        messages += [add_rule(TABLE, chain, nft.jump(group_chain(group, direction))) for group in groups]
        messages.append(add_rule(TABLE, chain, nft.count(f"{direction}_denied"), nft.drop()))
    return messages


def _rules(group: SecurityGroup) -> Iterator[tuple[str, tuple[Rule, ...]]]:
    yield INGRESS, group.ingress
    yield EGRESS, group.egress


def references(group: SecurityGroup) -> set[tuple[str, str]]:
    """(direction, group referred to)."""
    return {(direction, rule.group) for direction, rules in _rules(group) for rule in rules if rule.group}


def elements(group: SecurityGroup) -> Iterator[Element]:
    """The elements that are the group's rules."""
    for direction, rules in _rules(group):
        for version in (4, 6):
            name = group_set(group.id, direction, version)
            yield from (((name, key), b"") for key in cidr_keys(rules, version))
    for direction, referenced in references(group):
        name = reference_set(group.id, direction, referenced)
        rules = group.ingress if direction == INGRESS else group.egress
        yield from (((name, key), b"") for key in reference_keys(rules, referenced))
