"""What a batch of changes takes away from flows that are not tracked. Pure.

Only this is looked for in the tables of flows: most changes take nothing away that was open to everywhere, and cost
nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from enid.topology.records import Change, Kind, Port, Record, SecurityGroup
from enid.topology.tracking import Openness, Range, Way, narrowed, openness, wide

Groups = tuple[str, ...]
"""Of an interface."""
Records = Mapping[str, SecurityGroup | None]
"""Security groups; ``None`` for one that is not there."""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What was, of that which changed."""

    groups: Records
    """Security groups that changed."""
    less: frozenset[str]
    """Those of them that lost a rule from or to everywhere."""
    ports: Mapping[str, Groups]
    """Interface → the groups it had."""
    ways: frozenset[tuple[Way, Range]]
    """Where flows may be allowed no more that were not tracked."""

    def concerns(self, port: Port) -> bool:
        return port.id in self.ports or not self.less.isdisjoint(port.groups)

    def openness(self, groups: Groups, now: Mapping[str, SecurityGroup]) -> Openness:
        """What an interface with these groups had open."""
        return openness(_records(groups, self.groups, now))


def narrowing(
    changes: Iterable[Change],
    now: Mapping[str, SecurityGroup],
    carried: Callable[[str], Iterable[Groups]],
    here: Callable[[Port], bool],
) -> Narrowing | None:
    """Of changes that are to be carried out; ``None``: they take nothing away.

    :param now: the security groups, before.
    :param carried: security group → the combinations it is part of, in which interfaces have it.
    :param here: whether an interface is plugged in here.
    """
    pairs = [(change.old, change.new) for change in changes if change.key[0] in (Kind.SECURITY_GROUP, Kind.PORT)]
    old, new = _groups(before for before, _ in pairs), _groups(after for _, after in pairs)
    less = {id_ for id_ in old if wide(old[id_]) - (wide(new[id_]) if id_ in new else set())}
    ports = {
        before.id: (before.groups, after.groups)
        for before, after in pairs
        if isinstance(before, Port) and isinstance(after, Port) and here(after) and before.groups != after.groups
    }
    steps = {*ports.values(), *((same, same) for id_ in less for same in carried(id_))}
    if not steps:
        return None
    was: Records = {id_: old.get(id_) for id_ in old.keys() | new.keys()}
    will: Records = {id_: new.get(id_) for id_ in was}
    ways = {
        way
        for before, after in steps
        for way in narrowed(openness(_records(before, was, now)), openness(_records(after, will, now)))
    }
    held = {id_: before for id_, (before, _) in ports.items()}
    return Narrowing(was, frozenset(less), held, frozenset(ways)) if ways else None


def _groups(records: Iterable[Record | None]) -> dict[str, SecurityGroup]:
    return {record.id: record for record in records if isinstance(record, SecurityGroup)}


def _records(groups: Groups, changed: Records, others: Records) -> list[SecurityGroup]:
    found = ((changed if id_ in changed else others).get(id_) for id_ in groups)
    return [group for group in found if group is not None]
