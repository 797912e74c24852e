"""A plan that shows a fault, made as small as it stays a fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from aws_plan import Plan

_PARTS = ("acls", "interfaces", "groups", "lists", "tables", "peerings", "subnets", "vpcs")
_INNER = {
    "acls": ("entries", "subnets"),
    "groups": ("permissions",),
    "tables": ("routes",),
    "interfaces": ("groups", "public"),
}
_TRIES = 400


def shrunk(plan: Plan, shows: Callable[[Plan], bool]) -> Plan:
    """Leave out what can be left out, one thing after the other."""
    tries = 0
    changed = True
    while changed:
        changed = False
        for smaller in _smaller(plan):
            tries += 1
            if tries > _TRIES:
                return plan
            if _shows(smaller, shows):
                plan, changed = smaller, True
                break
    return plan


def _shows(plan: Plan, shows: Callable[[Plan], bool]) -> bool:
    """A plan in which something is part of what is not there any more shows nothing."""
    vpcs, subnets = ({each.id for each in things} for things in (plan.vpcs, plan.subnets))
    owned = (*plan.subnets, *plan.tables, *plan.groups, *plan.acls)
    whole = all(each.vpc in vpcs for each in owned) and all(each.subnet in subnets for each in plan.interfaces)
    whole = whole and all(vpcs.issuperset(each.ends) for each in plan.peerings)
    try:
        return whole and shows(plan)
    except KeyError:
        return False


def _smaller(plan: Plan) -> Iterator[Plan]:
    for part in _PARTS:
        things = getattr(plan, part)
        for place in range(len(things)):
            yield replace(plan, **{part: things[:place] + things[place + 1 :]})
        for place, thing in enumerate(things):
            for inner in _INNER.get(part, ()):
                values = getattr(thing, inner)
                for index in range(len(values)):
                    less = replace(thing, **{inner: values[:index] + values[index + 1 :]})
                    yield replace(plan, **{part: (*things[:place], less, *things[place + 1 :])})
