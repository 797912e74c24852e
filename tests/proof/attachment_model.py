"""The sequential model of attaching: which interface is where, and on its way or not.

Besides clients the agent acts, whenever it likes: it ends ``attaching`` and ``detaching``. So a state stands for all
that the agent could have made of it when the next call comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple


class Place(NamedTuple):
    """Where an interface is plugged in."""

    attachment: str
    instance: str
    index: int
    status: str


State = tuple[tuple[str, Place | None], ...]
"""Each interface's place, by interface; ``None``: it is available."""

MOST = 3
"""Interfaces of an instance of the type that is raced for, its primary one included."""


def state(places: Mapping[str, Place | None]) -> State:
    return tuple(sorted(places.items()))


def step(now: State, what: tuple[Any, ...]) -> Iterator[State]:
    """What a call makes of what the agent may have made of ``now``."""
    for places in product(*(_later(place) for _, place in now)):
        yield from map(state, _judge(dict(zip((id_ for id_, _ in now), places, strict=True)), what))


def _later(place: Place | None) -> Iterator[Place | None]:
    yield place
    if place is not None and place.status == "attaching":
        yield place._replace(status="attached")
    if place is not None and place.status == "detaching":
        yield None


def _judge(places: dict[str, Place | None], what: tuple[Any, ...]) -> Iterator[dict[str, Place | None]]:
    match what:
        case ("shown", seen):
            if places == seen:
                yield places
        case ("attach", attachment, interface, instance, index):
            if _why_not(places, interface, instance, index) is None:
                yield places | {interface: Place(attachment, instance, index, "attaching")}
        case ("not attached", why, interface, instance, index):
            if _why_not(places, interface, instance, index) == why:
                yield places
        case ("detach" | "not detached" as kind, attachment, detail):
            yield from _detach(places, kind, attachment, detail)


def _detach(
    places: dict[str, Place | None], kind: str, attachment: str, detail: Any
) -> Iterator[dict[str, Place | None]]:
    """``detail``: whether it was forced, or why it was refused."""
    found = [(id_, place) for id_, place in places.items() if place and place.attachment == attachment]
    if not found:
        if (kind, detail) == ("not detached", "gone"):
            yield places
        return
    ((interface, place),) = found
    if kind == "detach" and (detail or place.status == "attached"):
        yield places | {interface: place._replace(status="detaching")}
    if (kind, detail) == ("not detached", "moving") and place.status != "attached":
        yield places


def _why_not(places: Mapping[str, Place | None], interface: str, instance: str, index: int) -> str | None:
    """Which of AWS's refusals an attachment meets first."""
    there = [place for place in places.values() if place and place.instance == instance]
    if places[interface] is not None:
        return "interface"
    if any(place.index == index for place in there):
        return "index"
    return "limit" if len(there) + 1 >= MOST else None
