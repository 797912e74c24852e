"""What the kernel has in a namespace of the fabric's, as a value that can be compared.

Names that a restart chooses anew (the table's, link indexes) and counters are left out. So is what has no meaning,
since the fabric leaves it lying until it writes the table anew: sets without elements, rules that find nothing in their
set or are about a link that is gone, and chains of combinations of groups that no port carries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any

from enid.fabric.linux.node import Node
from enid.netlink import addresses, links, neighbours, nftables, routes, rules
from enid.netlink.message import DUMP, attributes, message, to_text

_GETRULE, _GETCHAIN, _GETSET, _GETSETELEM = 7, 4, 10, 13
_HEADER = b"\1\0\0\0"
_STATIC = 4
_LOOPBACK = 1
_ICMP = (1, 58)
_LINK_NAMES = tuple(number.to_bytes(4, "big") for number in (6, 7))
"""What ``meta`` loads: of the link in, and of the link out."""
_PROTOCOL_AT = {"": 0, "4": 4, "6": 16}
"""Where the sets of a group's rules have the protocol, by their name: behind an address of a family, or first."""
_SMALL = 16
"""Numbers below are no combinations."""

State = dict[str, Any]
_once = lru_cache(1 << 14)
"""What is read of bytes is read once: from one state to the next most are the same."""


def state_of(node: Node, leaving: Collection[str] = ()) -> State:
    """By kind; each value is in an order of its own.

    :param leaving: links that are to be deleted, when there is time. Nothing may be left of them but themselves.
    """
    devices = defaultdict(lambda: "a link made since", {0: "", _LOOPBACK: "lo"})
    found: State = {"links": {}}
    for body in node.route.dump(links.get_links()):
        link = links.parse_link(body)
        devices[link.index] = link.name
        if link.index != _LOOPBACK and link.name not in leaving:
            found["links"][link.name] = (link.mac, link.mtu, link.up, link.altnames)
    bound = (addresses.parse_address(body) for body in node.route.dump(addresses.get_addresses()))
    found["addresses"] = sorted(
        (devices[each.device], str(each.interface)) for each in bound if devices[each.device] not in leaving
    )
    found["routes"] = sorted(_routes(node, devices), key=str)
    found["rules"] = sorted(
        (rules.parse_rule(body) for version in (4, 6) for body in node.route.dump(rules.get_rules(version))), key=str
    )
    near = (
        neighbours.parse_neighbour(body)
        for version in (4, 6)
        for body in node.route.dump(neighbours.get_neighbours(version))
    )
    found["neighbours"] = sorted(
        (devices[each[0]], str(each[1]), each[2]) for each in near if each and devices[each[0]] not in leaving
    )
    found["nftables"] = _nftables(node, found["links"].keys() | {*leaving, "lo"})
    return found


def _routes(node: Node, devices: dict[int, str]) -> list[tuple[object, ...]]:
    """Ours, and none that the kernel made by itself."""
    found = []
    for version in (4, 6):
        for body in node.route.dump(routes.get_routes(version)):
            way = routes.parse_route(body)
            if way is not None and way.protocol == _STATIC:
                device = devices[way.device]
                key = (str(way.destination), way.table, way.kind, way.metric)
                found.append((*key, device, str(way.gateway), str(way.source), way.onlink))
    return found


def _ask(node: Node, kind: int, *parts: bytes) -> list[dict[int, bytes]]:
    request = message(nftables.SUBSYSTEM << 8 | kind, DUMP, _HEADER, *parts)
    return [dict(attributes(body[4:])) for body in node.netfilter.dump(request)]


def _nftables(node: Node, links_there: Collection[str]) -> State:
    """Of the newest table. Older ones are out of the way, and go later."""
    everything = _ask(node, _GETCHAIN)
    if not everything:
        return {}
    table = max(to_text(chain[1]) for chain in everything)
    assert all(4 not in chain for chain in everything if to_text(chain[1]) != table), "packets enter an old table"
    chains = [chain for chain in everything if to_text(chain[1]) == table]
    sets = {to_text(each[2]): each for each in _ask(node, _GETSET, nftables.text(1, table))}
    elements = {name: _elements(node, table, name) for name in sets}
    ruled: defaultdict[str, list[tuple[bytes, ...]]] = defaultdict(list)
    for rule in _ask(node, _GETRULE, nftables.text(1, table)):
        ruled[to_text(rule[2])].append(_expressions(rule[4]))
    carried = {data for _, _, data, _ in elements.get("combination", ())}
    for gate in ("egress", "ingress"):
        if gate in elements:
            elements[gate] = [each for each in elements[gate] if _live(each, carried)]
    kept = {name: [rule for rule in held if not _idle(rule, elements, links_there)] for name, held in ruled.items()}
    base = {to_text(each[3]): (each.get(4), each.get(5), each.get(7)) for each in chains}
    reachable = _reachable(base, kept, elements)
    return {
        "chains": {name: base[name] for name in reachable},
        "rules": {name: _ordered(name, kept.get(name, [])) for name in reachable},
        "sets": {
            name: (*(each.get(part) for part in (3, 4, 5, 6, 7)), elements[name])
            for name, each in sets.items()
            if elements[name]
        },
    }


@_once
def _expressions(data: bytes) -> tuple[bytes, ...]:
    return tuple(expression for _, expression in attributes(data))


_Element = tuple[bytes, bytes, bytes, bytes]


def _elements(node: Node, table: str, name: str) -> list[_Element]:
    """(key, end, data, flags) of each."""
    found = []
    parts = (nftables.text(1, table), nftables.text(2, name))
    for answer in _ask(node, _GETSETELEM, *parts):
        for _, element in attributes(answer.get(3, b"")):
            each = dict(attributes(element))
            found.append((each.get(1, b""), each.get(10, b""), each.get(2, b""), each.get(3, b"")))
    return sorted(found)


def _live(element: _Element, carried: set[bytes]) -> bool:
    """The gate's element is for somebody: its key is the data of an element of ``combination``, or a gateway's."""
    key = element[0]
    return not key or key in carried or int.from_bytes(key[-4:], "little") < _SMALL


def _idle(rule: tuple[bytes, ...], elements: dict[str, list[_Element]], links_there: Collection[str]) -> bool:
    """It goes on only if something is in a set that holds nothing, or nothing of the protocols it asks for; or only for
    a link that is not there."""
    return any(link not in links_there for link in _links(rule)) or any(
        not elements[name] or (asks and not any(_speaks(name, each, *asks) for each in elements[name]))
        for name, asks in _needs(rule)
    )


def _read(rule: tuple[bytes, ...]) -> Iterator[tuple[str, dict[int, bytes]]]:
    """Each expression's name and attributes."""
    for expression in rule:
        parts = dict(attributes(expression))
        yield to_text(parts[1]), dict(attributes(parts[2])) if 2 in parts else {}


@_once
def _links(rule: tuple[bytes, ...]) -> list[str]:
    """The links a packet must come in by, or go out by, for the rule to go on."""
    found, loaded = [], False
    for name, given in _read(rule):
        if loaded and name == "cmp" and given[2] == bytes(4):
            found.append(to_text(_data(given[3])))
        loaded = name == "meta" and given.get(2) in _LINK_NAMES
    return found


@_once
def _needs(rule: tuple[bytes, ...]) -> list[tuple[str, tuple[bool, int] | None]]:
    """The sets something must be in for the rule to go on, each with what ICMP it asks for by then."""
    asks: tuple[bool, int] | None = None
    found = []
    for name, given in _read(rule):
        if name == "cmp" and len(_data(given[3])) == 1 and _data(given[3])[0] in _ICMP:
            asks = given[2] == bytes(4), _data(given[3])[0]
        if name == "lookup" and given.get(5, bytes(4)) == bytes(4):
            found.append((to_text(given[1]), asks))
    return found


def _speaks(name: str, element: _Element, icmp: bool, protocol: int) -> bool:
    """An element of a group's rules is about this ICMP, or about what is none. Other sets' elements are about both."""
    kind = name.split("_")[0].removeprefix("ingress").removeprefix("egress")
    if kind not in _PROTOCOL_AT:
        return True
    place = _PROTOCOL_AT[kind]
    first, last = _data(element[0])[place], _data(element[1])[place]
    return first <= protocol <= last if icmp else (first, last) not in [(each, each) for each in _ICMP]


@_once
def _data(value: bytes) -> bytes:
    return dict(attributes(value)).get(1, b"")


@_once
def _targets(data: bytes) -> list[str]:
    """Chains named in a verdict, however deep."""
    found = []
    for kind, part in attributes(data):
        if kind == 2 and len(part) > 4:
            inner = dict(attributes(part))
            if 1 in inner and 2 in inner and len(inner[1]) == 4:
                found.append(to_text(inner[2]))
    return found


def _reachable(
    base: dict[str, Any], ruled: dict[str, list[tuple[bytes, ...]]], elements: dict[str, list[_Element]]
) -> set[str]:
    """Base chains, and all that lead on from there; a map leads wherever its elements do."""
    open_ = [name for name, (hook, _, _) in base.items() if hook is not None]
    open_ += [target for held in elements.values() for _, _, data, _ in held for target in _targets(data)]
    found: set[str] = set()
    while open_:
        name = open_.pop()
        if name in found:
            continue
        found.add(name)
        for rule in ruled.get(name, ()):
            open_ += _leads(rule)
    return found


@_once
def _leads(rule: tuple[bytes, ...]) -> list[str]:
    """The chains a rule itself names."""
    found = []
    for expression in rule:
        parts = dict(attributes(expression))
        if to_text(parts[1]) == "immediate":
            found += _targets(dict(attributes(parts[2])).get(2, b""))
    return found


def _ordered(name: str, held: list[tuple[bytes, ...]]) -> list[tuple[bytes, ...]]:
    """All but the last rule of a combination of groups allow: their order means nothing."""
    return [*sorted(held[:-1]), *held[-1:]] if "_of_" in name else held


def differences(one: State, other: State, path: str = "") -> list[str]:
    """Where two states differ, in words."""
    found = []
    for key in sorted({*one, *other}, key=str):
        mine, theirs = one.get(key), other.get(key)
        if isinstance(mine, dict) and isinstance(theirs, dict):
            found += differences(mine, theirs, f"{path}/{key}")
        elif mine != theirs:
            if isinstance(mine, list) and isinstance(theirs, list):
                only = [each for each in mine if each not in theirs], [each for each in theirs if each not in mine]
                mine, theirs = only if any(only) else (mine, theirs)
            found.append(f"{path}/{key}: {mine!r} but after a full resync {theirs!r}")
    return found
