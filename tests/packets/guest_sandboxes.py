"""A world of sandboxes for tests: boots, enters and waits, and leaves nothing behind whatever a test did."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from enid.guest import records
from enid.guest.interface import Event, InstanceSpec
from enid.guest.sandboxes import Sandboxes
from enid.settings import Settings
from entering import inside

DEADLINE = 15.0


def until(condition: Callable[[], object], what: str) -> None:
    """Poll until ``condition`` holds."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"never came: {what}"
        time.sleep(0.01)


@dataclass
class Guests:
    """Sandboxes of a test, and the agent's object that holds them."""

    settings: Settings
    sandboxes: Sandboxes
    events: list[Event] = field(default_factory=list)

    def spec(self, instance_id: str, boot: int = 1, **fields: object) -> InstanceSpec:
        defaults = {"hostname": "ip-10-0-0-10", "image_id": "ami-test", "vcpus": 2, "memory_mib": 512}
        return InstanceSpec(id=instance_id, boot=boot, **{**defaults, **fields})

    def wait_event(self, what: str, instance_id: str) -> Event:
        """The next event of that kind about that instance, taken out of what happened so far."""
        end = time.monotonic() + DEADLINE
        while True:
            for event in self.events:
                if (event.what, event.id) == (what, instance_id):
                    self.events.remove(event)
                    return event
            remaining = end - time.monotonic()
            assert remaining > 0, f"no {what} of {instance_id}; what came: {self.events}; {self.console(instance_id)}"
            select.select([self.sandboxes], [], [], remaining)
            self.events += self.sandboxes.events()

    def start(self, instance_id: str, boot: int = 1, **fields: object) -> Event:
        self.sandboxes.start(self.spec(instance_id, boot, **fields))
        return self.wait_event("started", instance_id)

    def boot(self, instance_id: str, boot: int = 1, **fields: object) -> None:
        """Start and let go on, and wait until init says so."""
        seen = self.console(instance_id).count("boots")
        self.start(instance_id, boot, **fields)
        self.sandboxes.release(instance_id)
        until(lambda: self.console(instance_id).count("boots") > seen, f"{instance_id} boots")

    def run(self, instance_id: str, *argv: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command inside, as ``enid exec`` does."""
        command = inside(self.settings.run_dir, instance_id, *argv)
        return subprocess.run(command, capture_output=True, text=True, input=text, timeout=DEADLINE, check=False)

    def console(self, instance_id: str) -> str:
        path = self.settings.instances_dir / instance_id / "console.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def pid(self, instance_id: str) -> int:
        record = records.read(records.path_of(self.settings.run_dir, instance_id))
        assert record is not None
        return record.pid

    def processes(self) -> list[int]:
        """Every process that has one of this world's console logs open: all inits, and what they started."""
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                target = os.readlink(directory / "fd/1")
            except OSError:
                continue
            if target.startswith(str(self.settings.state_dir)):
                found.append(int(directory.name))
        return found

    def settle(self) -> None:
        """Let the agent do its part of what was begun."""
        self.events += self.sandboxes.events()

    def end_all(self) -> None:
        for directory in list(self.settings.instances_dir.iterdir()):
            self.sandboxes.delete(directory.name)
        until(lambda: self.settle() or not self.processes(), "the end of every sandbox")
        until(lambda: self.settle() or self.sandboxes.idle, "the agent's peace")


@contextmanager
def world(directory: Path) -> Iterator[Guests]:
    """Sandboxes whose files are all below ``directory``; all of them end with the block."""
    settings = Settings(state_dir=directory / "state", run_dir=directory / "run")
    guests = Guests(settings, Sandboxes(settings))
    try:
        yield guests
    finally:
        guests.end_all()
        guests.sandboxes.close()
