"""The agent process: root's half of enid, one per host. Waits for news, lets the reconciler act, tidies when idle.

It reads the store and its own sockets and never a byte that a client sent.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable

import structlog

from enid.fabric.linux import LinuxFabric
from enid.guest.sandboxes import Sandboxes
from enid.reconcile.drift import Drift
from enid.reconcile.handover import Handover
from enid.reconcile.metrics import Metrics, Report
from enid.reconcile.reconciler import Reconciler
from enid.settings import Settings
from enid.store.database import Database
from enid.store.journal import wake_all

log = structlog.get_logger()

TICK = 1.0
"""Seconds between looks when nobody wakes us: a lost wake-up costs this much, never more."""
QUIET = 0.3
"""Seconds without news before deferred work begins. Deleting a device holds the kernel's one network lock for 20 ms,
and what comes right after a detach is, more often than not, the attach that everybody waits for."""
TIDY_WITHIN = 5.0
"""Seconds after which deferred work is done even if it is never quiet."""
PRUNE_EVERY = 60.0
DOZE = 0.001
"""Seconds: who slept longer had nothing to do before."""


class Agent:
    """The loop around a :class:`Reconciler`."""

    def __init__(self, settings: Settings, services_uid: int) -> None:
        """:param services_uid: the user of the process that serves instances metadata, names and leases."""
        self._settings = settings
        self._database = Database(settings.url)
        self._guests = Sandboxes(settings)
        self._fabric = LinuxFabric(settings, self._guests.network)
        self._metrics = Metrics()
        self._reconciler = Reconciler(
            self._database,
            self._fabric,
            self._guests,
            settings.host_id,
            lambda: wake_all(settings.api_sockets),
            settings.simulate.detach_delay,
            self._metrics,
        )
        self._handover = Handover(settings.services_socket, services_uid, self._fabric.routers)
        self._report = Report(self._metrics, settings.agent_metrics, self._reconciler.holdings, self._fabric.loads)
        self._drift = Drift(self._reconciler)
        self._stopping = False

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Converge, say so, then go on until SIGTERM."""
        listener = _listen(self._settings)
        gc.disable()  # much is made now and stays: no reason to walk it, now or while somebody waits for an attach
        self._reconciler.start()
        self._handover.look(self._fabric.changed_routers)
        gc.collect()
        gc.freeze()
        gc.enable()
        ready()
        selector = selectors.DefaultSelector()
        selector.register(listener, selectors.EVENT_READ)
        selector.register(self._guests.fileno(), selectors.EVENT_READ)
        selector.register(self._handover.fileno(), selectors.EVENT_READ)
        signal.signal(signal.SIGTERM, self._stop)
        pruned = tidied = retried = looked = time.monotonic()
        busy = untidy = True
        while not self._stopping:
            touched = self._fabric.listen()  # nobody is woken for that: root of a guest could wake us all the time
            patience = 0 if busy else QUIET if untidy or touched else self._drift.patience(TICK)
            quiet = not self._sleep(selector, patience) and patience > 0
            _drain(listener)
            busy = self._reconciler.look()
            self._handover.look(self._fabric.changed_routers)
            untidy = untidy or busy
            if quiet and not busy and time.monotonic() - retried > QUIET:
                self._reconciler.retry()
                retried = time.monotonic()
            if untidy and ((quiet and not busy) or time.monotonic() - tidied > TIDY_WITHIN):
                untidy = self._fabric.tidy()
                tidied = time.monotonic()
            if (quiet and not busy) or (touched and time.monotonic() - looked > TIDY_WITHIN):
                self._drift.work()
                looked = time.monotonic()
            if time.monotonic() - pruned > PRUNE_EVERY:
                self._reconciler.prune()
                pruned = time.monotonic()
            if self._settings.metrics and quiet and not busy and not untidy:
                self._report.write_if_due()
        self._close()

    def _sleep(self, selector: selectors.BaseSelector, patience: float) -> bool:
        """Until there is news; whether there is. News that was there already came nobody knows when: no awakening."""
        asleep = time.monotonic()
        news = bool(selector.select(patience))
        if news and time.monotonic() - asleep > DOZE:
            self._metrics.woken()
        return news

    def _stop(self, _number: int, _frame: object) -> None:
        self._stopping = True

    def _close(self) -> None:
        """The data plane stays: only descriptors are given back."""
        self._handover.close()
        self._fabric.close()
        self._guests.close()
        self._database.close()


def _listen(settings: Settings) -> socket.socket:
    settings.agent_socket.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    listener.bind(str(settings.agent_socket))
    os.chmod(settings.agent_socket, 0o666)  # one byte of wake-up is all that anyone can say here
    return listener


def _drain(listener: socket.socket) -> None:
    try:
        while listener.recv(16):
            pass
    except BlockingIOError:
        return
