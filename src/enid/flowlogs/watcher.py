"""The process that writes flow logs: reads copies of packets, counts them, and writes records when a window closes.

It asks nothing of anybody: what to watch it reads from the store, and that an interface is watched the agent has told
the kernel. If it is killed, the next one goes on; what passed in between is in the logs as ``SKIPDATA``.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import structlog

from enid import whole_file
from enid.fabric.linux.names import vpc_pin
from enid.flowlogs import delivery, header, record
from enid.flowlogs.subjects import FlowLog, Interface, interfaces, vpcs
from enid.flowlogs.tap import Copy, Tap
from enid.flowlogs.watched import Watched
from enid.flowlogs.window import Window, is_interface, sightings
from enid.netlink.packet_log import Lost
from enid.settings import Settings
from enid.store import journal, status
from enid.store.database import Conflict, Database

log = structlog.get_logger()

TICK = 0.5
"""Seconds between looks at the store: so much later a flow log begins."""
_BATCHES = 32
"""Read from one VPC before another one has its turn."""
_MTU, _OUTSIDE_MTU = 9001, 1500
_DHCP = frozenset((67, 68, 546, 547))
_UDP = 17
_POLITE = 5

Records = defaultdict[FlowLog, defaultdict[Path, list[str]]]
"""Lines by log and file."""


class Watcher:
    """The loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database = Database(settings.url)
        self._selector = selectors.DefaultSelector()
        self._taps: dict[str, Tap] = {}
        self._watched = Watched()
        self._strangers: set[str] = set()
        """Links that are not watched."""
        self._vpcs: set[str] = set()
        """Of all that has a flow log: an interface between two instances is there again at any moment."""
        self._seq = -1
        self._mark = settings.run_dir / "flow-logs.mark"
        """When the last window closed, for whoever goes on after a crash."""
        self._window = Window(_now())
        self._stopping = False

    def run(self) -> None:
        """Until SIGTERM. Whatever else runs here comes first: what is missed is told, what is late annoys."""
        os.nice(_POLITE)
        signal.signal(signal.SIGTERM, self._stop)
        self._look()
        self._own_up()
        self._set_mark()
        looked = time.monotonic()
        closes = self._close_at()
        while not self._stopping:
            patience = min(TICK - (time.monotonic() - looked), closes - time.time())
            for key, _ in self._selector.select(max(0.0, patience)):
                self._read(key.data)
            if time.monotonic() - looked >= TICK:
                self._look()
                looked = time.monotonic()
            if time.time() >= closes:
                self._close_window(whole=True)
                closes = self._close_at()
        self._drain()
        self._close_window(whole=False)
        self._mark.unlink(missing_ok=True)
        self._database.close()

    def _stop(self, _number: int, _frame: object) -> None:
        self._stopping = True

    def _close_at(self) -> int:
        interval = self._settings.flow_log_interval
        return (_now() // interval + 1) * interval

    # What to watch

    def _look(self) -> None:
        """Watch what the store says."""
        self._reload()
        for vpc_id, tap in list(self._taps.items()):
            tap.refresh()
            if vpc_id not in self._vpcs or not tap.is_there():
                self._read(vpc_id)
                self._selector.unregister(tap)
                self._taps.pop(vpc_id).close()
        for vpc_id in self._vpcs - self._taps.keys():
            with suppress(OSError):  # the agent has yet to make it
                self._taps[vpc_id] = Tap(self._settings.run_dir / "netns" / vpc_pin(vpc_id))
                self._selector.register(self._taps[vpc_id], selectors.EVENT_READ, vpc_id)

    def _reload(self) -> None:
        """Read the store again if it has changed."""
        with self._database.read() as db:
            seq = journal.last(db)
            if seq != self._seq:
                self._seq = seq
                self._watched.become(interfaces(db), time.monotonic())
                self._vpcs = vpcs(db)
                self._strangers.clear()

    # What passes

    def _drain(self) -> None:
        for vpc_id in self._taps:
            self._read(vpc_id)

    def _read(self, vpc_id: str) -> None:
        now = _now()
        for _ in range(_BATCHES):
            copies = self._batch(vpc_id)
            if not copies:
                return
            for copy in copies:
                self._count(copy, now)

    def _batch(self, vpc_id: str) -> list[Copy]:
        try:
            return list(self._taps[vpc_id].copies())
        except Lost:
            missed = [link for link, interface in self._watched.present.items() if interface.vpc_id == vpc_id]
            self._window.skipped.update(missed)
            log.warning("packets were not counted", vpc=vpc_id)
            return []

    def _count(self, copy: Copy, now: int) -> None:
        found = header.parse(copy.payload)
        if found is None:
            return
        for seen in sightings(copy.letter, copy.source, copy.destination, found):
            interface = self._known(seen.link)
            if interface is not None and _is_logged(interface, found):
                inside = is_interface(copy.source) and is_interface(copy.destination)
                packets, size = header.on_the_wire(found, _MTU if inside else _OUTSIDE_MTU)
                self._window.add(seen, packets, size, found.flags, now)

    def _known(self, link: str) -> Interface | None:
        """The watched interface at this link. One that was attached just now is in the store, though not yet here."""
        found = self._watched.at(link, time.monotonic())
        if found is None and link not in self._strangers:
            self._reload()
            found = self._watched.at(link, time.monotonic())
            if found is None:
                self._strangers.add(link)
        return found

    # What is written

    def _close_window(self, whole: bool) -> None:
        """:param whole: not cut short by the end of enid; then "nothing passed" says something."""
        window, self._window = self._window, Window(_now())
        records: Records = defaultdict(lambda: defaultdict(list))
        skipped = [self._watched.seen(link) for link in window.skipped]
        busy = {interface.id for interface in skipped}
        for seen, count in window.flows():
            interface = self._watched.seen(seen.link)
            busy.add(interface.id)
            for each in interface.logs:
                if record.wants(each, seen):
                    line = record.flow(each, interface, seen, count, self._settings.region)
                    records[each][self._path(each, interface, window.start)].append(line)
        quiet = [each for each in self._watched.present.values() if whole and each.id not in busy]
        for silent, what in ((quiet, record.NODATA), (skipped, record.SKIPDATA)):
            self._say(silent, window.start, self._window.start, what, records)
        self._deliver(records)
        self._watched.next_window(time.monotonic())
        self._set_mark()

    def _say(self, about: Iterable[Interface], start: int, end: int, what: str, records: Records) -> None:
        """Records that are about no flow."""
        for interface in sorted(about, key=lambda each: each.link):
            for each in interface.logs:
                line = record.nothing(each, interface, self._settings.region, start, end, what)
                records[each][self._path(each, interface, start)].append(line)

    def _set_mark(self) -> None:
        whole_file.write(self._mark, str(self._window.start).encode())

    def _own_up(self) -> None:
        """A process before this one was killed: nobody counted since its last window closed."""
        try:
            since = int(self._mark.read_text())
        except (OSError, ValueError):
            return
        records: Records = defaultdict(lambda: defaultdict(list))
        self._say(self._watched.present.values(), since, self._window.start, record.SKIPDATA, records)
        self._deliver(records)

    def _path(self, each: FlowLog, interface: Interface, moment: int) -> Path:
        return delivery.path(each, interface.id, self._settings.region, moment)

    def _deliver(self, records: Records) -> None:
        failed: dict[FlowLog, str] = {}
        for each, lines in records.items():
            try:
                delivery.append(self._settings.flow_logs_dir, each, lines)
            except OSError as error:
                log.warning("a flow log was not delivered", id=each.id, reason=str(error))
                failed[each] = error.strerror or str(error)
        mended = [each.id for each in records if each.failing and each not in failed]
        broken = {each.id: reason for each, reason in failed.items() if not each.failing}
        if mended or broken:
            with suppress(Conflict), self._database.write() as db:  # the next window is soon enough
                status.flow_logs_delivered(db, mended, broken)
            self._seq = -1  # read it again: nobody else would say that it changed


def _is_logged(interface: Interface, found: header.Header) -> bool:
    """AWS leaves out what is between an instance and AWS itself."""
    if found.source in interface.unlogged or found.destination in interface.unlogged:
        return False
    return found.protocol != _UDP or found.destination_port not in _DHCP


def _now() -> int:
    return int(time.time())
