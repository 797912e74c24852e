"""The one narrow interface between the reconciler and whatever carries packets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from enid.netlink.socket import RouteSocket
from enid.topology.records import Change, RecordKey, World


class Place(Protocol):
    """An instance's network namespace. Whoever plays the instance keeps it open, and lets go of it at its end."""

    namespace: int
    """A descriptor."""

    @property
    def route(self) -> RouteSocket:
        """rtnetlink inside."""
        ...


GuestPlace = Callable[[str], Place | None]
"""Instance id → its place, or None when it is gone."""

Look = Callable[[], str | None]
"""Answers the place of something that is not as it was left, or None."""

Failures = Mapping[RecordKey, str]
"""Keys that could not be carried out, each with the reason; everything else was."""


@dataclass(frozen=True, slots=True)
class Repair:
    """What became of a place that was looked at again."""

    failures: Failures
    """Of what stood there; whatever failed is withdrawn."""
    replugged: frozenset[RecordKey] = frozenset()
    """Ports that were plugged anew: their guests know nothing of them yet."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a VPC's data plane has refused so far, and what it carries."""

    drops: Mapping[str, int]
    """Packets, by reason."""
    flows: int
    """Tracked now."""


class Fabric(Protocol):
    """A driver. Every method may be called again after any failure: the fabric converges, it does not replay."""

    def resync(self, world: World) -> Failures:
        """Make the fabric equal ``world`` from whatever is there now (after a start, or to repair drift).

        What is already right is left alone: running flows lose no packet.
        """
        ...

    def apply(self, changes: Sequence[Change]) -> Failures:
        """Carry out a batch. When it returns, every withdrawn port receives nothing more, and every new or changed one
        carries packets. A port's old place is fenced before its new place is announced.

        A place in doubt is repaired before, and what failed there is among the failures, whatever the batch is about:
        it is withdrawn."""
        ...

    def tidy(self) -> bool:
        """Do some deferred work (deleting devices nobody uses); true while more is left."""
        ...

    def listen(self) -> bool:
        """Whether others have touched something since the last :meth:`drifted`, or a place is in doubt. Costs next to
        nothing."""
        ...

    def drifted(self) -> Collection[str]:
        """The places where something is not as it was left, by what others have touched."""
        ...

    def sweep(self) -> Sequence[Look]:
        """The looks it takes to see everything there is, each of them short."""
        ...

    def repair(self, place: str) -> Repair:
        """Make a place what the records say. What is right there is left alone: running flows lose no packet."""
        ...

    def loads(self) -> Mapping[str, Load]:
        """By VPC. Costs some questions to the kernel for each: nothing for the path of a change."""
        ...

    def close(self) -> None:
        """Give file descriptors back; the data plane stays."""
        ...

    def destroy(self) -> None:
        """Remove everything the driver ever made here."""
        ...
