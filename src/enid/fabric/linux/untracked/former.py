"""What security groups had open to everywhere, read back out of a router's nftables tables.

A new agent does not know what an older one was told last: rules may have gone while none was there, or one died between
writing rules and cutting the flows they no longer allow. What was in force stands in the old table's sets until the
table is deleted. What a change took out of them (:data:`GONE`) and put into them (:data:`NEW`) stands beside them until
its flows are cut, and a table that took over has a mark (:data:`UNJUDGED`) until all flows are looked at.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from enid.fabric.linux.cells import Difference
from enid.fabric.linux.names import TABLE
from enid.fabric.linux.untracked.residents import prefix_of
from enid.netlink import nftables
from enid.netlink.netfilter import NetfilterSocket
from enid.netlink.nftables import MARK, Data, Key, Set
from enid.topology.tracking import PROTOCOLS, WAYS, Openness, Range, Way, merged

GONE, NEW = "gone_", "new_"
"""What the names of sets begin with that hold what was taken out of the set named behind it, or put into it."""
UNJUDGED = Set("unjudged", (MARK,))
"""The mark. Nothing is in it."""
_RULES = re.compile("(ingress|egress)([46])_(.+)")
_MEMBERS = re.compile("(members|prefixes)[46]_(.+)")
_FIELD = 4


class Former:
    """What a table says. It is read when somebody asks."""

    def __init__(self, netfilter: NetfilterSocket, table: str) -> None:
        self._netfilter, self._table = netfilter, table
        self._read = False
        self._open: defaultdict[str, dict[Way, list[Range]]] = defaultdict(lambda: {way: [] for way in WAYS})
        self._groups: defaultdict[tuple[str, bytes], set[str]] = defaultdict(set)
        """(``members`` or ``prefixes``, an address) → the groups."""
        self._known: dict[bytes, Openness] = {}

    def openness(self, address: bytes) -> Openness:
        """What the interface with this packed address had open. Raises OSError."""
        if not self._read:
            self._read_all(_sets(self._netfilter, self._table))
        if address not in self._known:
            groups = self._groups["members", address] | self._groups["prefixes", prefix_of(address)]
            self._known[address] = {
                way: merged(ports for group in groups for ports in self._open[group][way]) for way in WAYS
            }
        return self._known[address]

    def _read_all(self, names: Collection[str]) -> None:
        self._read = True
        for name in names:
            rules, members = _RULES.fullmatch(name), _MEMBERS.fullmatch(name)
            if rules or members:
                gone, new = (self._keys(beside + name) if beside + name in names else set() for beside in (GONE, NEW))
                self._note(rules, members, self._keys(name) - new | gone)

    def _keys(self, name: str) -> set[Key]:
        bodies = self._netfilter.dump(nftables.get_elements(self._table, name))
        return {key for body in bodies for key in nftables.parse_elements(body)}

    def _note(self, rules: re.Match[str] | None, members: re.Match[str] | None, keys: Iterable[Key]) -> None:
        if rules:
            direction, version, group = rules.groups()
            for way, ports in _wide(keys, direction == "ingress", int(version)):
                self._open[group][way].append(ports)
        if members:
            for key in keys:
                self._groups[members[1], key.start].add(members[2])


def beside(sets: Mapping[str, Set], work: Difference[tuple[str, Key], Data]) -> dict[str, list[bytes]]:
    """What keeps a change of elements: the sets by name, each with the messages that make it.

    :param sets: those of security groups; what changes in others is of no interest.
    """
    kept: dict[str, list[bytes]] = {}
    for mark, cells in ((GONE, work.removed), (NEW, work.added)):
        keys: defaultdict[str, list[tuple[Key, Data]]] = defaultdict(list)
        for (name, key), _ in cells:
            if name in sets:
                keys[name].append((key, None))
        for name, elements in keys.items():
            declared = replace(sets[name], name=mark + name)
            added = nftables.add_elements(TABLE, declared.name, elements)
            kept[declared.name] = [nftables.add_set(TABLE, declared), *added]
    return kept


def formers(netfilter: NetfilterSocket, tables: Iterable[str]) -> list[Former]:
    """Of the tables under which flows began that nobody has looked at since. Raises OSError.

    :param tables: all that are left, the last one first.
    """
    found = []
    for table in tables:
        found.append(Former(netfilter, table))
        if UNJUDGED.name not in _sets(netfilter, table):
            break
    return found


def _sets(netfilter: NetfilterSocket, table: str) -> set[str]:
    return set(map(nftables.parse_set, netfilter.dump(nftables.get_sets(table))))


def _wide(keys: Iterable[Key], inward: bool, version: int) -> Iterator[tuple[Way, Range]]:
    """Of the elements of a group's set of rules with a block, those for everywhere: address, protocol, port."""
    size = 4 if version == 4 else 16
    for key in keys:
        if not any(key.start[:size]) and key.end[:size] == b"\xff" * size:
            low, high = (int.from_bytes(end[size + _FIELD :][:2], "big") for end in (key.start, key.end))
            for protocol in PROTOCOLS:
                if key.start[size] <= protocol <= key.end[size]:
                    yield Way(inward, version, protocol), (low, high)
