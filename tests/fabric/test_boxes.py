"""Rules become boxes that never overlap and allow exactly what the rules allow."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st

from enid.fabric.linux.boxes import cidr_keys, reference_keys
from enid.netlink.nftables import Key
from enid.topology.records import Rule

_BITS = {4: 32, 6: 128}


@st.composite
def some_rules(draw: st.DrawFn, version: int, group: str = "") -> Rule:
    protocol = draw(st.sampled_from([-1, 1, 6, 17, 50, 58]))
    from_port = to_port = -1
    if protocol in (6, 17):
        from_port, to_port = sorted((draw(st.integers(0, 12)), draw(st.integers(0, 12))))
        from_port, to_port = draw(st.sampled_from([(from_port, to_port), (0, 65535), (65535, 65535)]))
    elif protocol in (1, 58):
        from_port = draw(st.integers(-1, 4))
        to_port = -1 if from_port == -1 else draw(st.integers(-1, 3))
    if group:
        return Rule(protocol, from_port, to_port, group=group)
    length = draw(st.integers(0, 4)) + draw(st.sampled_from([0, _BITS[version] - 4]))
    prefix = draw(st.integers(0, 3)) << (_BITS[version] - 2) | draw(st.integers(0, 15))
    return Rule(protocol, from_port, to_port, cidr=str(ip_network((prefix, length), strict=False)))


def allowed(rule: Rule, protocol: int, port: int) -> bool:
    """What a rule says about one packet; an ICMP packet's ``port`` is its type and code."""
    if rule.protocol not in (-1, protocol):
        return False
    if rule.protocol in (6, 17):
        return rule.from_port <= port <= rule.to_port
    if rule.protocol in (1, 58):
        return rule.from_port in (-1, port >> 8) and rule.to_port in (-1, port & 0xFF)
    return True


def fields(key: Key, width: int) -> list[tuple[int, int]]:
    """(first, last) of each field of a key."""
    spans = [(0, width), (width, width + 1), (width + 4, width + 6)]
    return [(int.from_bytes(key.start[a:b], "big"), int.from_bytes(key.end[a:b], "big")) for a, b in spans if b > a]


def disjoint(one: Key, other: Key, width: int) -> bool:
    pairs = zip(fields(one, width), fields(other, width), strict=True)
    return any(high < low_ or high_ < low for (low, high), (low_, high_) in pairs)


protocols = st.sampled_from([1, 6, 17, 50, 58, 255])
ports = st.one_of(st.integers(0, 15), st.integers(0, 5).map(lambda kind: kind << 8 | kind & 3), st.just(65535))


@settings(max_examples=300)
@given(st.data(), st.sampled_from([4, 6]))
def test_blocks(data: st.DataObject, version: int) -> None:
    rules = data.draw(st.lists(some_rules(version), max_size=12))
    keys = sorted(cidr_keys(rules, version), key=lambda key: key.start)
    width = _BITS[version] // 8
    assert all(disjoint(one, other, width) for place, one in enumerate(keys) for other in keys[:place])
    number = data.draw(st.integers(0, 3)) << (_BITS[version] - 2) | data.draw(st.integers(0, 15))
    packet = (number, data.draw(protocols), data.draw(ports))
    said = any(
        ip_address(number.to_bytes(width, "big")) in ip_network(rule.cidr) and allowed(rule, *packet[1:])
        for rule in rules
    )
    holds = any(
        all(low <= value <= high for value, (low, high) in zip(packet, fields(key, width), strict=True)) for key in keys
    )
    assert holds == said


@given(st.lists(some_rules(4, "sg-a"), max_size=8), protocols, ports)
def test_references(rules: list[Rule], protocol: int, port: int) -> None:
    keys = list(reference_keys([*rules, Rule(-1, -1, -1, group="sg-other")], "sg-a"))
    assert all(disjoint(one, other, 0) for place, one in enumerate(keys) for other in keys[:place])
    packet = (protocol, port)
    holds = any(
        all(low <= value <= high for value, (low, high) in zip(packet, fields(key, 0), strict=True)) for key in keys
    )
    assert holds == any(allowed(rule, protocol, port) for rule in rules)


def test_a_blocks_family_decides_its_set() -> None:
    rules = [Rule(6, 80, 80, cidr="10.0.0.0/8"), Rule(6, 80, 80, cidr="2001:db8::/32"), Rule(6, 80, 80, group="sg-a")]
    assert len(cidr_keys(rules, 4)) == len(cidr_keys(rules, 6)) == 1
