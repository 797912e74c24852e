"""Most changes take nothing away that was open to everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from worlds import APP, WEB_PUBLIC, all_traffic, group, tcp

from enid.fabric.linux.untracked.narrowing import Narrowing, narrowing
from enid.topology.records import Change, Record, Rule, SecurityGroup
from enid.topology.tracking import Way, is_tracked, untracked

WEB = group("sg-web", tcp(80, "0.0.0.0/0"), tcp(22, "192.0.2.0/24"))
SEALED = group("sg-sealed", egress=())
OUTWARD = group("sg-out")
IN = Way(True, 4, 6)
HTTP = {(IN, (80, 80))}


def found(*changes: tuple[Record | None, Record | None], carried: Sequence[str] = ("sg-web",)) -> Narrowing | None:
    """Of changes where WEB, SEALED and OUTWARD are there, and interfaces have these groups."""
    known = {each.id: each for each in (WEB, SEALED, OUTWARD)}
    combinations = [tuple(carried)]
    return narrowing(
        [Change(old, new) for old, new in changes],
        known,
        lambda id_: [each for each in combinations if id_ in each],
        lambda port: port.host == "host-1",
    )


def ways(*changes: tuple[Record | None, Record | None], **options: Sequence[str]) -> set[tuple[Way, tuple[int, int]]]:
    narrow = found(*changes, **options)
    return set(narrow.ways) if narrow else set()


def test_a_rule_from_everywhere_that_goes_is_found() -> None:
    assert ways((WEB, group("sg-web", tcp(22, "192.0.2.0/24")))) == HTTP
    assert ways((WEB, None)) == HTTP
    assert ways((WEB, replace(WEB, ingress=(tcp(80, "198.51.100.0/24"),)))) == HTTP


@pytest.mark.parametrize(
    "after",
    [
        WEB,
        replace(WEB, ingress=WEB.ingress[1:] + WEB.ingress[:1]),
        replace(WEB, ingress=(tcp(80, "0.0.0.0/0"),)),
        replace(WEB, ingress=(*WEB.ingress, tcp(81, "0.0.0.0/0"))),
        replace(WEB, ingress=(Rule(6, 0, 65535, "0.0.0.0/0"),)),
        replace(WEB, egress=(tcp(80, "0.0.0.0/0"),)),
    ],
    ids=["same", "order", "narrow rule less", "rule more", "wider", "answers only"],
)
def test_whatever_else_changes_is_nothing(after: SecurityGroup) -> None:
    assert found((WEB, after)) is None


def test_what_was_tracked_or_is_had_by_nobody_is_nothing() -> None:
    shut = replace(WEB, ingress=())
    assert found((WEB, shut), carried=["sg-out"]) is None
    tracked = replace(WEB, egress=())
    known = {tracked.id: tracked}
    less = narrowing([Change(tracked, replace(shut, egress=()))], known, lambda _: [("sg-web",)], lambda _: True)
    assert less is None


def test_what_another_group_opens_as_well_is_nothing() -> None:
    assert found((OUTWARD, replace(OUTWARD, egress=())), carried=["sg-out", "sg-web"]) is None
    assert ways((WEB, replace(WEB, ingress=())), carried=["sg-out", "sg-web"]) == HTTP


def test_other_groups_of_an_interface() -> None:
    sealed = replace(WEB_PUBLIC, groups=("sg-sealed",))
    assert ways((WEB_PUBLIC, sealed)) == HTTP
    assert found((sealed, WEB_PUBLIC)) is None
    assert found((WEB_PUBLIC, replace(WEB_PUBLIC, groups=("sg-sealed", "sg-web")))) is None
    assert found((WEB_PUBLIC, None)) is None, "its flows are forgotten"
    assert found((WEB_PUBLIC, replace(sealed, host="host-2"))) is None


def test_whom_it_concerns_and_what_they_had() -> None:
    sealed = replace(APP, groups=("sg-sealed",))
    narrow = found((WEB, replace(WEB, ingress=())), (replace(APP, groups=("sg-web",)), sealed))
    assert narrow is not None
    assert narrow.concerns(WEB_PUBLIC)
    assert narrow.concerns(sealed)
    assert not narrow.concerns(replace(APP, id="eni-other", groups=("sg-out",)))
    now = {"sg-web": replace(WEB, ingress=())}
    assert untracked(narrow.openness(("sg-web",), now), IN) == ((80, 80),)
    assert is_tracked([now["sg-web"]], IN, 80)


def test_groups_that_change_together() -> None:
    """What one group loses, another one of the same interface gains."""
    gains = replace(OUTWARD, ingress=(tcp(80, "0.0.0.0/0"),))
    loses = replace(WEB, ingress=())
    assert found((WEB, loses), (OUTWARD, gains), carried=["sg-out", "sg-web"]) is None
    assert found((WEB, loses), (SEALED, replace(SEALED, egress=(all_traffic(),))), carried=["sg-sealed", "sg-web"])
