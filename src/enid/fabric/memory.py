"""A fabric without a kernel: it keeps the records it was given and says yes.

For running the API and the reconciler where there is no root and no packet is to flow, and for testing whatever drives
a fabric.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial

from enid.fabric.interface import Failures, Load, Look, Repair
from enid.topology.records import Change, Kind, Port, Record, RecordKey, World


class MemoryFabric:
    """See :class:`enid.fabric.interface.Fabric`."""

    def __init__(self) -> None:
        self.world: dict[RecordKey, Record] = {}
        """What was carried out."""
        self.carried = 0
        """How many changes were carried out."""
        self.refuse: dict[RecordKey, str] = {}
        """Keys that shall fail, each with the reason; set by whoever tests."""
        self.touched: set[str] = set()
        """Places where something is amiss; set by whoever tests."""
        self.repaired: list[str] = []
        self.closed = False

    def resync(self, world: World) -> Failures:
        self.world = {key: record for key, record in world.items() if key not in self.refuse}
        return {key: reason for key, reason in self.refuse.items() if key in world}

    def apply(self, changes: Sequence[Change]) -> Failures:
        failures = {change.key: self.refuse[change.key] for change in changes if change.key in self.refuse}
        for change in changes:
            if change.key in failures:
                if isinstance(change.old, Port):  # a port that cannot be plugged anew was still withdrawn
                    self.world.pop(change.key, None)
                continue
            self.carried += 1
            if change.new is None:
                self.world.pop(change.key, None)
            else:
                self.world[change.key] = change.new
        return failures

    def tidy(self) -> bool:
        return False

    def listen(self) -> bool:
        return bool(self.touched)

    def drifted(self) -> Collection[str]:
        return self.touched

    def sweep(self) -> Sequence[Look]:
        return [partial(str, place) for place in sorted(self.touched)]

    def repair(self, place: str) -> Repair:
        self.touched.discard(place)
        self.repaired.append(place)
        failures = {key: reason for key, reason in self.refuse.items() if key in self.world}
        self.world = {key: record for key, record in self.world.items() if key not in failures}
        return Repair(failures, frozenset(key for key in self.world if key[0] is Kind.PORT))

    def loads(self) -> Mapping[str, Load]:
        return {key[1]: Load({}, 0) for key in self.world if key[0] is Kind.VPC}

    def close(self) -> None:
        self.closed = True

    def destroy(self) -> None:
        self.world.clear()
