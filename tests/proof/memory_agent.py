"""The agent without a kernel: the real reconciler, over a fabric and sandboxes that are only remembered."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from doubles import FakeGuests

from enid.fabric.interface import Failures
from enid.fabric.memory import MemoryFabric
from enid.reconcile.reconciler import Reconciler
from enid.settings import Settings
from enid.store.database import Database
from enid.store.journal import wake_all
from enid.topology.records import Change, Port

_TICK = 0.5
"""Seconds between looks when nobody wakes it."""


class JealousFabric(MemoryFabric):
    """Does not suffer two ports in one slot of an instance."""

    def apply(self, changes: Sequence[Change]) -> Failures:
        failures = super().apply(changes)
        slots = [(port.instance_id, port.device_index) for port in self.world.values() if isinstance(port, Port)]
        assert len(slots) == len(set(slots)), f"two ports in one slot: {sorted(slots)}"
        return failures


class MemoryAgent:
    """Carries out what the store wants, when it is woken. Now and then it dies, and another one takes over."""

    def __init__(self, settings: Settings, draw: random.Random) -> None:
        self._settings, self._draw = settings, draw
        self._database = Database(settings.url)
        self._fabric, self._guests = JealousFabric(), FakeGuests()
        self._stopping = threading.Event()
        self.trouble: BaseException | None = None
        self.lives = 0

    def run(self) -> None:
        """Until :meth:`stop`."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
                listener.bind(str(self._settings.agent_socket))
                self._settings.agent_socket.chmod(0o666)  # the API is another user
                listener.settimeout(_TICK)
                while not self._stopping.is_set():
                    self._live(listener, self._draw.randint(20, 200))
        except BaseException as error:
            self.trouble = error
        finally:
            self._database.close()

    def _live(self, listener: socket.socket, looks: int) -> None:
        reconciler = Reconciler(
            self._database,
            self._fabric,
            self._guests,
            self._settings.host_id,
            lambda: wake_all(self._settings.api_sockets),
        )
        reconciler.start()
        self.lives += 1
        while looks and not self._stopping.is_set():
            looks -= 1
            self._guests.boot_all()
            if not reconciler.look():
                reconciler.retry()
                self._sleep(listener)

    def _sleep(self, listener: socket.socket) -> None:
        try:
            listener.recv(16)
        except TimeoutError:
            return

    def stop(self) -> None:
        self._stopping.set()


@contextmanager
def memory_agent(settings: Settings, draw: random.Random) -> Iterator[MemoryAgent]:
    """A running one. What troubled it is raised at the end."""
    agent = MemoryAgent(settings, draw)
    thread = threading.Thread(target=agent.run)
    thread.start()
    try:
        yield agent
    finally:
        agent.stop()
        thread.join(60)
    if agent.trouble is not None:
        raise agent.trouble
