"""Instances as sandboxes: starts, finds again, watches and ends them, and says what happened to them.

Implements :class:`enid.guest.interface.Guests`. Everything lasting is in files (the run-time records, the disks), so
this object may vanish at any moment and a new one finds the sandboxes as they are. Used by one thread only.
"""

from __future__ import annotations

import errno
import os
import re
import resource
import secrets
import select
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from enid.guest import cgroups, image, records, syscalls
from enid.guest.host import survey
from enid.guest.ids import NotEnoughIds
from enid.guest.interface import Event, InstanceSpec, Running
from enid.guest.launcher import SPAWNER_DIED, Launcher
from enid.guest.network import GuestNetwork
from enid.guest.plan import Plan, Reply
from enid.guest.slots import Slots
from enid.guest.watch import Watch
from enid.settings import Settings
from enid.topology.records import Port

_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-]{0,62}")
_CGROUP_RETRY_SECONDS = 0.05
_LAST_LOOK_SECONDS = 2.0

log = structlog.get_logger()


@dataclass(slots=True)
class _Beginning:
    """A start whose end is not known yet."""

    spec: InstanceSpec
    token: int
    retried: bool = False
    cancelled: bool = False


class Sandboxes:
    """The sandboxes of this host; see :class:`enid.guest.interface.Guests` for the contract.

    Raises :class:`enid.guest.ids.NotEnoughIds` or :class:`enid.guest.image.UnusableHost` where no instance could ever
    start, saying what is missing.
    """

    def __init__(self, settings: Settings) -> None:
        _raise_descriptor_limit()
        settings.run_dir.mkdir(parents=True, exist_ok=True)
        self._launcher = Launcher(settings.run_dir / "spawner.lock")
        self._host = survey(settings, self._launcher)
        self._slots = Slots(settings.instances_dir)
        self._trash = settings.state_dir / "trash"
        self._images = settings.state_dir / "images"
        self._watched: dict[int, Watch] = {}
        """By pidfd: live sandboxes and those that were killed but have not ended yet."""
        self._live: dict[str, Watch] = {}
        self._dying: dict[str, Watch] = {}
        self._deadlines: dict[str, float] = {}
        """Of the live ones that were asked to stop: monotonic time at which we lose patience."""
        self._beginning: dict[str, _Beginning] = {}
        self._next: dict[str, InstanceSpec] = {}
        """To start as soon as the sandbox of the same id has ended."""
        self._doomed: set[str] = set()
        """Deleted during their start: the disk goes when that has ended."""
        self._events: list[Event] = []
        self._empty_cgroups: set[str] = set()
        self._epoll = select.epoll()
        self._timer = syscalls.timer()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        for fd in (self._launcher.fileno(), self._timer, self._bell):
            self._epoll.register(fd, select.EPOLLIN)
        if not self._host.hierarchies:
            log.info("sandboxes_not_limited", reason="enid may not make cgroups here")
        self._sweep()

    # Finding what runs

    def adopt(self) -> Mapping[str, Running]:
        """What runs now. A sandbox whose start was under way when the last agent died is ended and forgotten."""
        for record in records.read_all(self._host.run_dir):
            if record.id in self._live or record.id in self._beginning or record.id in self._dying:
                continue
            if record.state == records.STARTING:
                self._end_unwatched(record)
            elif record.alive:
                self._watch(record)
        return {key: Running(key, watch.record.boot, watch.record.pid) for key, watch in self._live.items()}

    def lost(self) -> Sequence[str]:
        """Instances that have a run-time record but no live init."""
        known = {*self._live, *self._beginning, *self._dying}
        return [record.id for record in records.read_all(self._host.run_dir) if record.id not in known]

    # Beginning and ending

    def start(self, spec: InstanceSpec) -> None:
        """Begin to start a sandbox; an event follows. After ``kill`` the new one waits for the old one's end."""
        if not _ID.fullmatch(spec.id):
            raise ValueError(f"not an instance id: {spec.id!r}")
        beginning = self._beginning.get(spec.id)
        if spec.id in self._dying or (beginning and beginning.cancelled):
            self._next[spec.id] = spec
        elif spec.id in self._live:
            self._say(Event(spec.id, self._live[spec.id].record.boot, "started"))
        elif not beginning:
            self._begin(spec)

    def release(self, instance_id: str) -> None:
        """Let init go on; no-op when it does already or is gone."""
        waiting = self._ear(instance_id)
        if waiting is not None:
            os.write(waiting, b"\n")
            os.close(waiting)

    def _ear(self, instance_id: str) -> int | None:
        """Of an init that waits to be released: where it listens, a descriptor."""
        try:
            return os.open(self._host.release(instance_id), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENXIO):
                raise
            return None

    def stop(self, instance_id: str, grace: float) -> None:
        """Ask init to end everything in order, and kill it after ``grace`` seconds. Its end is a ``died`` event.

        One that was not released has nothing to end, and may not know yet what to do when it is asked.
        """
        watch = self._live.get(instance_id)
        if not watch:
            return
        waiting = self._ear(instance_id)
        if waiting is not None:
            os.close(waiting)
            watch.signal(signal.SIGKILL)
            return
        watch.signal(signal.SIGTERM)
        self._deadlines[instance_id] = time.monotonic() + grace
        self._arm()

    def kill(self, instance_id: str) -> None:
        """End every process of the sandbox now and forget its run-time record; its disk stays. No-op when gone."""
        self._next.pop(instance_id, None)
        beginning = self._beginning.get(instance_id)
        if beginning and self._launcher.withdraw(beginning.token):
            del self._beginning[instance_id]
        elif beginning:
            beginning.cancelled = True
        watch = self._live.pop(instance_id, None)
        if watch:
            self._kill_watched(watch)
        elif not beginning and instance_id not in self._dying:
            record = records.read(records.path_of(self._host.run_dir, instance_id))
            if record:
                self._end_unwatched(record)

    def delete(self, instance_id: str) -> None:
        """Kill it and delete its disk (out of the way at once, its blocks some time later)."""
        self.kill(instance_id)
        if instance_id in self._beginning:
            self._doomed.add(instance_id)
        else:
            self._discard_disk(instance_id)

    # Its network

    def network(self, instance_id: str) -> GuestNetwork | None:
        """Its network, which stays this object's, or None."""
        watch = self._live.get(instance_id)
        return watch.network if watch else None

    def configure(self, instance_id: str, ports: Sequence[Port]) -> None:
        """Make addresses, routes and rules those of ``ports``; no-op when it is gone, or does that itself.

        Never raises: root inside may take away what we configure, and must not be able to stop the agent.
        """
        self._set_up(instance_id, lambda network: network.apply(ports))

    def refresh(self, instance_id: str, ports: Sequence[Port]) -> None:
        """Put back what somebody took away; otherwise as :meth:`configure`."""
        self._set_up(instance_id, lambda network: network.refresh(ports))

    def _set_up(self, instance_id: str, work: Callable[[GuestNetwork], None]) -> None:
        watch = self._live.get(instance_id)
        if watch and not watch.record.leave_network:
            try:
                work(watch.network)
            except OSError as error:
                log.warning("guest_not_configured", instance=instance_id, reason=str(error))

    # What happened

    def fileno(self) -> int:
        """Readable when :meth:`events` has something."""
        return self._epoll.fileno()

    def events(self) -> Sequence[Event]:
        """What happened since the last call; never blocks."""
        for fd, _ in self._epoll.poll(0):
            if fd == self._launcher.fileno():
                for plan, reply in self._launcher.replies():
                    self._settle(plan, reply)
            elif fd in self._watched:
                self._ended(self._watched[fd])
            elif fd == self._bell:
                os.eventfd_read(self._bell)
        self._look_at_clock()
        happened, self._events = self._events, []
        return happened

    def close(self) -> None:
        """Stop watching; the sandboxes stay. What was killed gets a moment to end, so that its cgroups go too."""
        deadline = time.monotonic() + _LAST_LOOK_SECONDS
        while (self._dying or self._empty_cgroups) and time.monotonic() < deadline:
            self._epoll.poll(_CGROUP_RETRY_SECONDS)
            self.events()
        cgroups.discard(self._host.hierarchies)  # while the spawner's lock still keeps the next agent waiting
        self._launcher.close()
        for watch in self._watched.values():
            watch.close()
        self._watched.clear()
        for fd in (self._timer, self._bell):
            os.close(fd)
        self._epoll.close()

    @property
    def idle(self) -> bool:
        """Nothing begins, ends, or waits to be tidied up."""
        return not (self._beginning or self._dying or self._next or self._empty_cgroups)

    @property
    def spawner_pid(self) -> int:
        """The process that starts sandboxes, for who wants to see it die."""
        return self._launcher.pid

    # How it comes about

    def _say(self, event: Event) -> None:
        self._events.append(event)
        os.eventfd_write(self._bell, 1)

    def _begin(self, spec: InstanceSpec, *, retried: bool = False) -> None:
        (self._host.instances / spec.id).mkdir(mode=0o711, exist_ok=True)
        try:
            ids = self._host.ids(spec.id, self._slots)
        except NotEnoughIds as error:
            self._say(Event(spec.id, spec.boot, "failed", str(error)))
            return
        plan = self._host.plan(spec, ids, self._launcher.next_token())
        self._beginning[spec.id] = _Beginning(spec, plan.token, retried)
        self._launcher.start(plan)

    def _settle(self, plan: Plan, reply: Reply) -> None:
        """A start has come to its end, well or not."""
        beginning = self._beginning.pop(plan.id)
        record = records.read(records.path_of(self._host.run_dir, plan.id))
        if reply.reason:
            if record:  # the setup process was killed
                self._end_unwatched(record)
            self._drop_cgroups(limit.path for limit in plan.limits)
            self._failed(beginning, reply.reason)
        elif record is None or not self._watch(record, fresh=True):
            self._failed(beginning, "init ended at once")
        elif beginning.cancelled:
            self._kill_watched(self._live.pop(plan.id))
        else:
            self._say(Event(plan.id, plan.boot, "started"))
        if plan.id in self._doomed:
            self._doomed.discard(plan.id)
            self._discard_disk(plan.id)
        self._begin_next(plan.id)

    def _failed(self, beginning: _Beginning, reason: str) -> None:
        spec = beginning.spec
        if beginning.cancelled:
            return
        if reason == SPAWNER_DIED and not beginning.retried:
            self._begin(spec, retried=True)
            return
        log.warning("sandbox_failed", instance=spec.id, boot=spec.boot, reason=reason)
        self._say(Event(spec.id, spec.boot, "failed", reason))

    def _begin_next(self, instance_id: str) -> None:
        if instance_id not in self._dying and instance_id not in self._beginning:
            spec = self._next.pop(instance_id, None)
            if spec:
                self._begin(spec)

    def _watch(self, record: records.Record, *, fresh: bool = False) -> bool:
        try:
            watch = Watch(record, fresh=fresh)
        except ProcessLookupError:
            return False
        self._live[record.id] = self._watched[watch.pidfd] = watch
        self._epoll.register(watch.pidfd, select.EPOLLIN)
        return True

    def _kill_watched(self, watch: Watch) -> None:
        watch.unwanted = True
        watch.signal(signal.SIGKILL)
        watch.leave_network()
        self._deadlines.pop(watch.record.id, None)
        self._dying[watch.record.id] = watch
        self._forget(watch.record.id)

    def _end_unwatched(self, record: records.Record) -> None:
        if record.alive and self._watch(record):
            self._kill_watched(self._live.pop(record.id))
            return
        self._forget(record.id)
        self._drop_cgroups(record.cgroups)

    def _ended(self, watch: Watch) -> None:
        """A sandbox's last process has gone."""
        instance_id = watch.record.id
        del self._watched[watch.pidfd]
        self._epoll.unregister(watch.pidfd)
        watch.close()
        self._drop_cgroups(watch.record.cgroups)
        if watch.unwanted:
            del self._dying[instance_id]
            self._begin_next(instance_id)
        else:
            del self._live[instance_id]
            self._deadlines.pop(instance_id, None)
            self._say(Event(instance_id, watch.record.boot, "died", "its init ended"))

    def _forget(self, instance_id: str) -> None:
        for path in (records.path_of(self._host.run_dir, instance_id), self._host.release(instance_id)):
            with suppress(FileNotFoundError):
                path.unlink()

    def _discard_disk(self, instance_id: str) -> None:
        self._trash.mkdir(mode=0o700, exist_ok=True)
        trashed = self._trash / f"{instance_id}-{secrets.token_hex(4)}"
        with suppress(FileNotFoundError):
            os.rename(self._host.instances / instance_id, trashed)
            self._launcher.empty(self._trash)
        self._slots.free(instance_id)

    def _sweep(self) -> None:
        """Go on with what the last agent left undone."""
        if self._trash.is_dir():
            self._launcher.empty(self._trash)
        if not any(record.alive for record in records.read_all(self._host.run_dir)):
            image.prune(self._images, keep=self._host.image)

    def _drop_cgroups(self, paths: Iterable[str]) -> None:
        remaining = [path for path in paths if not cgroups.remove([path])]
        if remaining:  # the last process is not quite gone
            self._empty_cgroups.update(remaining)
            self._arm()

    def _look_at_clock(self) -> None:
        now = time.monotonic()
        for instance_id in [id_ for id_, deadline in self._deadlines.items() if deadline <= now]:
            del self._deadlines[instance_id]
            self._live[instance_id].signal(signal.SIGKILL)
        self._empty_cgroups = {path for path in self._empty_cgroups if not cgroups.remove([path])}
        self._arm()

    def _arm(self) -> None:
        """Let the timer wake us for the next thing that waits for time to pass."""
        now = time.monotonic()
        times = list(self._deadlines.values())
        if self._empty_cgroups:
            times.append(now + _CGROUP_RETRY_SECONDS)
        syscalls.arm(self._timer, max(min(times) - now, 0.001) if times else 0.0)


def _raise_descriptor_limit() -> None:
    """Every sandbox takes three descriptors; the usual limit of 1,024 is for programs that hold few."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
