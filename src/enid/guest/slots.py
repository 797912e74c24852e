"""Gives every instance an id range of its own and keeps it as long as the instance's disk exists.

The number is in a file beside the disk, because the disk's files belong to that range.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from enid.guest.ids import SLOTS, NotEnoughIds


class Slots:
    """The slots in use below an instances directory."""

    def __init__(self, instances: Path) -> None:
        self._instances = instances
        self._by_instance: dict[str, int] = {}
        for file in instances.glob("*/slot"):
            with suppress(ValueError):  # torn by a power failure: that instance never started
                self._by_instance[file.parent.name] = int(file.read_text())
        self._used = set(self._by_instance.values())

    def take(self, instance_id: str) -> int:
        """The instance's slot, the lowest free one if it has none. Its directory must exist."""
        slot = self._by_instance.get(instance_id)
        if slot is None:
            slot = next((number for number in range(SLOTS) if number not in self._used), None)
            if slot is None:
                raise NotEnoughIds(f"all {SLOTS} id ranges are in use")
            (self._instances / instance_id / "slot").write_text(f"{slot}\n")
            self._by_instance[instance_id] = slot
            self._used.add(slot)
        return slot

    def free(self, instance_id: str) -> None:
        """The disk is gone; its range may be used again."""
        slot = self._by_instance.pop(instance_id, None)
        self._used.discard(-1 if slot is None else slot)
