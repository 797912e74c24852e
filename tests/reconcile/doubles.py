"""A host without a kernel: sandboxes that are only remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from enid.guest.interface import Event, InstanceSpec, Running
from enid.guest.network import GuestNetwork
from enid.topology.records import Port


class FakeGuests:
    """Implements :class:`enid.guest.interface.Guests`; a test says when a boot is done and what dies."""

    def __init__(self) -> None:
        self.live: dict[str, Running] = {}
        self.disks: set[str] = set()
        self.missing: list[str] = []
        self.asked: list[InstanceSpec] = []
        self.released: list[str] = []
        self.obstinate: set[str] = set()
        """Instances that do not end when they are asked to."""
        self.asked_to_end: list[str] = []
        self.configured: dict[str, list[Port]] = {}
        self.refreshed: dict[str, list[Port]] = {}
        self.happened: list[Event] = []

    def boot_all(self) -> None:
        """Every start that was asked for is done."""
        self.boot(len(self.asked))

    def boot(self, count: int) -> None:
        """So many of the starts that were asked for are done."""
        done, self.asked = self.asked[:count], self.asked[count:]
        for spec in done:
            self.live[spec.id] = Running(spec.id, spec.boot, 1)
            self.disks.add(spec.id)
            self.happened.append(Event(spec.id, spec.boot, "started"))

    def die(self, instance_id: str) -> None:
        """A sandbox ends unasked."""
        gone = self.live.pop(instance_id)
        self.happened.append(Event(instance_id, gone.boot, "died"))

    def adopt(self) -> Mapping[str, Running]:
        return dict(self.live)

    def lost(self) -> Sequence[str]:
        return self.missing

    def start(self, spec: InstanceSpec) -> None:
        self.asked.append(spec)

    def release(self, instance_id: str) -> None:
        self.released.append(instance_id)

    def configure(self, instance_id: str, ports: Sequence[Port]) -> None:
        self.configured[instance_id] = list(ports)

    def refresh(self, instance_id: str, ports: Sequence[Port]) -> None:
        self.refreshed[instance_id] = list(ports)

    def stop(self, instance_id: str, grace: float) -> None:
        if instance_id in self.obstinate:
            self.asked_to_end.append(instance_id)
        else:
            self.die(instance_id)

    def kill(self, instance_id: str) -> None:
        self.live.pop(instance_id, None)

    def delete(self, instance_id: str) -> None:
        self.kill(instance_id)
        self.disks.discard(instance_id)

    def network(self, instance_id: str) -> GuestNetwork | None:
        return GuestNetwork(0) if instance_id in self.live else None

    def fileno(self) -> int:
        raise NotImplementedError("no selector in these tests")

    def events(self) -> Sequence[Event]:
        happened, self.happened = self.happened, []
        return happened

    def close(self) -> None:
        self.live.clear()
