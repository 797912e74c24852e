"""Security groups in the kernel: sets that hold their rules, and chains of what allows. Pure.

A port's groups are its *combination*. Each combination has a chain per direction, and in it, for each group, one rule
per :class:`Feature`: a way the group's rules can match. Most of what a group says is elements of a set; its rules
change without touching a chain, unless they match in a way they never did before. Egress that is allowed returns, and
the receiver's gate follows; ingress that is allowed is accepted.

There are no chains per group to jump to, and ports are mapped to their combination's number rather than to a chain: the
kernel walks through everything reachable whenever a jump is added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from enid.fabric.linux.boxes import cidr_keys, reference_keys
from enid.fabric.linux.names import (
    TABLE,
    combination,
    combination_chain,
    group_set,
    member_prefixes,
    members,
    peering_link,
    reference_set,
)
from enid.fabric.linux.ruleset import prefix_mask
from enid.netlink import expressions as nft
from enid.netlink.nftables import (
    GOTO,
    IPV4,
    IPV6,
    JUMP,
    PROTOCOL,
    SERVICE,
    Data,
    Key,
    Set,
    Verdict,
    add_chain,
    add_rule,
    ifname,
    insert_rule,
)
from enid.topology.records import Rule, SecurityGroup

INGRESS, EGRESS = "ingress", "egress"
DIRECTIONS = (INGRESS, EGRESS)
_ADDRESS = {4: IPV4, 6: IPV6}
_WORDS = {4: 1, 6: 4}
"""How many registers an address takes."""
_ICMP = {4: 1, 6: 58}

Element = tuple[tuple[str, Key], Data]


class Feature(NamedTuple):
    """A way a group's rules match; ``referenced`` is the group referred to, or empty for rules with a block, and
    ``peering`` the connection over which it is a peer's. Peers of a VPC may have the same addresses.
    ``delegated``: not by the addresses of its members, but by their prefixes."""

    direction: str
    version: int
    icmp: bool
    referenced: str
    peering: str = ""
    delegated: bool = False


def members_set(group: str, version: int) -> Set:
    """The addresses of the ports that carry the group."""
    return Set(members(group, version), (_ADDRESS[version],))


def prefixes_set(group: str, version: int) -> Set:
    """The prefixes of the ports that carry the group, each as its first address."""
    return Set(member_prefixes(group, version), (_ADDRESS[version],))


def rules(group: SecurityGroup, direction: str) -> tuple[Rule, ...]:
    return group.ingress if direction == INGRESS else group.egress


def features(group: SecurityGroup) -> set[Feature]:
    """The ways the group's rules match."""
    return {
        Feature(direction, version, icmp, rule.group, rule.peering)
        for direction in DIRECTIONS
        for rule in rules(group, direction)
        for version, icmp in _packets(rule)
    }


def _packets(rule: Rule) -> Iterator[tuple[int, bool]]:
    """The kinds of packets a rule can match: (IP version, is it ICMP)."""
    versions = (4, 6) if rule.group else (6 if ":" in rule.cidr else 4,)
    for version in versions:
        if rule.protocol in (-1, _ICMP[version]):
            yield version, True
        if rule.protocol not in _ICMP.values():
            yield version, False


def sets(group: str, feature: Feature) -> list[Set]:
    """The sets a feature of the group looks into."""
    direction, version, _, referenced, _, delegated = feature
    if referenced:
        ports = Set(reference_set(group, direction, referenced), (PROTOCOL, SERVICE), interval=True)
        return [prefixes_set(referenced, version) if delegated else members_set(referenced, version), ports]
    key = (_ADDRESS[version], PROTOCOL, SERVICE)
    return [Set(group_set(group, direction, version), key, interval=True)]


def allow(groups: Sequence[str], group: str, feature: Feature) -> bytes:
    """The rule of a feature of ``group`` in the chain of a combination that has it; before the chain's last."""
    direction, version, icmp, referenced, peering, delegated = feature
    far_end = nft.source(version) if direction == INGRESS else nft.destination(version)
    verdict = nft.accept() if direction == INGRESS else nft.returns()
    place = nft.FIELD if referenced else nft.FIELD + _WORDS[version]
    # An ICMP packet's type and code stand where others have their source port.
    ports = nft.l4proto(place) + (nft.sport(place + 1) if icmp else nft.dport(place + 1))
    if referenced:
        name = members(referenced, version)
        if delegated:
            far_end += nft.masked(prefix_mask(version))
            name = member_prefixes(referenced, version)
        member = _over(direction, peering) + far_end + nft.lookup(name)
        match = member + nft.icmp(version, icmp) + ports + nft.lookup(reference_set(group, direction, referenced))
    else:
        match = nft.icmp(version, icmp) + far_end + ports + nft.lookup(group_set(group, direction, version))
    return insert_rule(TABLE, combination_chain(groups, direction), nft.version(version), match, verdict)


def _over(direction: str, peering: str) -> bytes:
    if not peering:
        return b""
    return (nft.iifname() if direction == INGRESS else nft.oifname()) + nft.equal(ifname(peering_link(peering)))


def chains(groups: Sequence[str]) -> list[bytes]:
    """The chains of a combination, which allow nothing yet."""
    messages = []
    for direction in DIRECTIONS:
        chain = combination_chain(groups, direction)
        messages.append(add_chain(TABLE, chain))
        messages.append(add_rule(TABLE, chain, nft.goto(f"{direction}_denied")))
    return messages


def dispatch(groups: Sequence[str]) -> Iterator[Element]:
    """From the combination's number to its chains."""
    number = Key(combination(groups))
    yield (EGRESS, number), Verdict(JUMP, combination_chain(groups, EGRESS))
    yield (INGRESS, number), Verdict(GOTO, combination_chain(groups, INGRESS))


def elements(group: SecurityGroup) -> Iterator[Element]:
    """The elements that are the group's rules.

    A rule that no packet can match (ICMPv6 from an IPv4 block) has no set to be in, and needs none.
    """
    for direction in DIRECTIONS:
        said = [rule for rule in rules(group, direction) if any(_packets(rule))]
        for version in (4, 6):
            name = group_set(group.id, direction, version)
            yield from (((name, key), b"") for key in cidr_keys(said, version))
        for referenced in {rule.group for rule in said} - {""}:
            name = reference_set(group.id, direction, referenced)
            yield from (((name, key), b"") for key in reference_keys(said, referenced))
