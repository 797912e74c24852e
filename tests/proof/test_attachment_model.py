"""The judge of attachments is judged: what must not be is found, what may be is not."""

from __future__ import annotations

from typing import Any

from attachment_model import Place, state, step
from linearizability import Call, contradiction

ONE, TWO, THREE = "eni-1", "eni-2", "eni-3"
FREE = {ONE: None, TWO: None, THREE: None}


def sound(*calls: tuple[float, float, tuple[Any, ...]]) -> bool:
    return not contradiction([Call(*call) for call in calls], state(FREE), step)


def attach(attachment: str, interface: str, index: int = 1) -> tuple[Any, ...]:
    return "attach", attachment, interface, "i-1", index


def shown(**at: Place) -> tuple[Any, ...]:
    return "shown", FREE | {id_.replace("_", "-"): place for id_, place in at.items()}


def test_an_index_goes_to_one() -> None:
    assert not sound((0, 9, attach("a", ONE)), (0, 9, attach("b", TWO)))
    assert sound((0, 9, attach("a", ONE)), (0, 9, ("not attached", "index", TWO, "i-1", 1)))
    assert sound((0, 9, attach("a", ONE)), (0, 9, ("detach", "a", True)), (0, 9, attach("b", TWO)))


def test_an_interface_goes_to_one() -> None:
    assert not sound((0, 9, attach("a", ONE)), (0, 9, attach("b", ONE, 2)))
    assert sound((0, 9, attach("a", ONE)), (0, 9, ("not attached", "interface", ONE, "i-1", 2)))


def test_an_instance_has_room_for_so_many() -> None:
    two = (0, 1, attach("a", ONE)), (0, 1, attach("b", TWO, 2))
    assert not sound(*two, (2, 3, attach("c", THREE, 3)))
    assert sound(*two, (2, 3, ("not attached", "limit", THREE, "i-1", 3)))
    assert not sound(two[0], (2, 3, ("not attached", "limit", THREE, "i-1", 3)))


def test_the_agent_acts_in_between_and_never_back() -> None:
    moving, there = (Place("a", "i-1", 1, status) for status in ("attaching", "attached"))
    begun = 0, 1, attach("a", ONE)
    assert sound(begun, (2, 3, shown(eni_1=moving)), (4, 5, shown(eni_1=there)))
    assert not sound(begun, (2, 3, shown(eni_1=there)), (4, 5, shown(eni_1=moving)))
    assert not sound(begun, (2, 3, shown()))


def test_a_transition_ends_before_another_begins_unless_forced() -> None:
    begun = 0, 1, attach("a", ONE)
    moving = 2, 3, shown(eni_1=Place("a", "i-1", 1, "detaching"))
    assert sound(begun, (2, 3, ("detach", "a", False)), (4, 5, ("not detached", "a", "gone")))
    assert not sound(begun, moving)
    assert sound(begun, (2, 3, ("not detached", "a", "moving")))
    assert not sound(begun, (2, 3, ("not detached", "a", "gone")))
    assert not sound(begun, (2, 3, ("detach", "a", True)), (4, 5, ("detach", "a", False)))
    assert sound(begun, (2, 3, ("detach", "a", True)), (4, 5, ("detach", "a", True)), (6, 7, shown()))
