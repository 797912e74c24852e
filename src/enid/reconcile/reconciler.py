"""One step of the agent: what changed, what is wanted, what is there; converge; write the status back.

The reconciler remembers what it last gave the fabric (``applied``). A key in the journal, an event of a sandbox and a
failed attempt all mean the same: look at this key again. So one path serves the single change, the start-up and the
retry, and a crash at any point costs nothing but looking again.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection

from enid import clock
from enid.fabric.interface import Fabric, Look
from enid.guest.interface import Event, Guests
from enid.reconcile import rows
from enid.reconcile.lifecycle import Action, decide
from enid.reconcile.metrics import Holdings, Metrics
from enid.store import dhcp_options, journal, peerings, snapshot, status
from enid.store.database import Conflict, Database
from enid.store.journal import Key
from enid.topology.dhcp_options import DhcpOptions
from enid.topology.records import Change, Kind, Port, Record, RecordKey

log = structlog.get_logger()

EVENTS_PER_STEP = 8
"""Boots finished in one step: few, so that a thousand starts never hold up one move."""
GATHERING = 0.1
"""Seconds a boot waits at most, while many others are under way, for as many as one step finishes: a step costs the
store the same for one as for eight."""

SHUTDOWN_GRACE = 10.0
"""Seconds a guest has to end its processes before they are killed. AWS gives minutes."""

_JOURNAL_KIND: dict[Kind, journal.Kind] = {
    Kind.VPC: "vpc",
    Kind.ROUTE_TABLE: "route_table",
    Kind.NETWORK_ACL: "network_acl",
    Kind.SECURITY_GROUP: "security_group",
    Kind.PORT: "network_interface",
    Kind.SITE: "site",
}


@dataclass(slots=True)
class Outcome:
    """What a step has found out and will write to the store in one transaction."""

    attached: list[str] = field(default_factory=list)
    detached: list[str] = field(default_factory=list)
    plug_failed: list[str] = field(default_factory=list)
    running: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    terminated: list[str] = field(default_factory=list)
    impaired: list[str] = field(default_factory=list)
    start_failed: dict[str, str] = field(default_factory=dict)
    activated: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)


class Reconciler:
    """Not thread-safe; one per host."""

    def __init__(
        self,
        database: Database,
        fabric: Fabric,
        guests: Guests,
        host_id: str,
        written: Callable[[], None],
        detach_delay: float = 0.0,
        metrics: Metrics | None = None,
    ) -> None:
        """:param written: called after each status write, to wake whoever waits for it.
        :param detach_delay: see :class:`enid.settings.Simulation`."""
        self._database = database
        self._fabric = fabric
        self._guests = guests
        self._host_id = host_id
        self._written = written
        self._detach_delay = detach_delay
        self._metrics = metrics or Metrics()
        self._detaching: dict[str, float] = {}
        """Attachments that are gone but not said to be yet, and until when."""
        self._seq = 0
        self._applied: dict[RecordKey, Record] = {}
        self._ports: defaultdict[str, dict[str, Port]] = defaultdict(dict)
        self._live: dict[str, int] = {}
        """Instance → boot number of its live sandbox."""
        self._starting: dict[str, int] = {}
        self._stopping: set[str] = set()
        """Instances whose live sandbox was asked to end."""
        self._events: list[Event] = []
        self._oldest_event = 0.0
        self._again: set[Key] = set()

    # --- the three entries --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Converge from whatever this host has: adopt the sandboxes, resync the fabric, finish what was under way."""
        self._live = {id_: guest.boot for id_, guest in self._guests.adopt().items()}
        lost = self._guests.lost()
        self._transact(lambda db: journal.reached(db, self._host_id, journal.last(db), clock.now()))
        with self._database.read() as db:
            self._seq = journal.last(db)
            wanted = snapshot.world(db, self._host_id)
            moving = rows.unfinished_instances(db)
            keys: list[Key] = [("network_interface", id_) for id_ in rows.unfinished_interfaces(db)]
            keys += [("vpc_peering_connection", row.id) for row in peerings.moving(db, None)]
        world = {key: record for key, record in wanted.items() if self._placeable(record)}
        failures = self._fabric.resync(world)
        for key, record in world.items():
            if key not in failures:
                self._remember(key, record)
        self._note_failures(failures)
        for id_ in set(self._live) - moving.keys():
            self._end(id_)
        self._write(Outcome(impaired=list(lost)))
        unfinished = {port.instance_id for _, id_ in keys if isinstance(port := world.get((Kind.PORT, id_)), Port)}
        unfinished |= {id_ for id_, state in moving.items() if state == "pending"}
        waited_for = self._live.keys() & unfinished
        self._let_go_on(waited_for)
        self.step([*keys, *(("instance", id_) for id_ in moving)])
        self._let_go_on(self._live.keys() - waited_for)  # these mostly have all they need
        log.info("converged", instances=len(self._live), records=len(self._applied))

    def _let_go_on(self, instances: Collection[str]) -> None:
        """Guests whose interfaces are plugged."""
        for id_ in instances:
            self._guests.configure(id_, list(self._ports[id_].values()))
            self._guests.release(id_)

    def look(self) -> bool:
        """Read the journal and the sandboxes' events and act on them; true when there was something."""
        if not self._events:
            self._oldest_event = time.monotonic()
        self._events += self._guests.events()
        if self._more_are_coming():
            return self.step(())
        now, self._events = self._events[:EVENTS_PER_STEP], self._events[EVENTS_PER_STEP:]
        return self.step(self._absorb(now))

    def _more_are_coming(self) -> bool:
        """Boots, so many and so soon that those that have come can wait for them. A launch of a few is not delayed."""
        if len(self._starting) <= 2 * EVENTS_PER_STEP or len(self._events) >= EVENTS_PER_STEP:
            return False
        booted = all(event.what == "started" for event in self._events)
        return booted and time.monotonic() - self._oldest_event < GATHERING

    def retry(self) -> None:
        """Look again at what failed."""
        if self._again:
            keys, self._again = self._again, set()
            self.step(keys)

    def repair_drifted(self) -> None:
        """Undo what others did to the fabric, as far as it has been told."""
        for place in list(self._fabric.drifted()):
            self._repair(place)

    def sweep(self) -> list[Callable[[], None]]:
        """The looks it takes to see everything there is, fabric and guests; each repairs what it finds amiss."""
        places = [partial(self._look_at, look) for look in self._fabric.sweep()]
        return [*places, *(partial(self._refresh, instance_id) for instance_id in self._live)]

    def _look_at(self, look: Look) -> None:
        if (place := look()) is not None:
            self._repair(place)

    def _repair(self, place: str) -> None:
        done = self._fabric.repair(place)
        self._metrics.repaired()
        log.warning("drifted, repaired", place=place, replugged=len(done.replugged), failed=len(done.failures))
        for key in done.failures:
            self._remember(key, None)
        self._note_failures(done.failures)
        ports = [port for key in done.replugged if isinstance(port := self._applied.get(key), Port)]
        for instance_id in {port.instance_id for port in ports}:
            self._refresh(instance_id)

    def _refresh(self, instance_id: str) -> None:
        if instance_id in self._live:
            self._guests.refresh(instance_id, list(self._ports[instance_id].values()))

    def prune(self) -> None:
        """Say what is done of the journal, which forgets it, and forget what ended an hour ago."""
        hour_ago = clock.now(ago=timedelta(hours=1))
        with suppress(Conflict), self._database.write() as db:  # the next time is soon enough
            journal.reached(db, self._host_id, self._seq, clock.now())
            status.forget_ended(db, hour_ago)
            peerings.forget_ended(db, clock.now())

    def holdings(self) -> Holdings:
        """What there is now."""
        return Holdings(len(self._live), sum(map(len, self._ports.values())), len(self._again))

    # --- one step -----------------------------------------------------------------------------------------------------

    def step(self, keys: Collection[Key]) -> bool:
        """Make everything that these keys and the journal's new ones touch as the store wants it; true if there is any.

        The journal is read in one snapshot with the rows: what a call changed together, such as the two network ACLs
        between which a subnet moves, is seen and carried out together.
        """
        since = self._metrics.looked()
        with self._database.read() as db:
            self._seq, noted = journal.after(db, self._seq)
            keys = [*noted, *keys]
            if not keys:
                return False
            instance_ids = {id_ for kind, id_ in keys if kind == "instance"}
            interfaces = {id_ for kind, id_ in keys if kind == "network_interface"}
            joins = {id_ for kind, id_ in keys if kind == "vpc_peering_connection"}
            instances = rows.instances(db, instance_ids)
            options = dhcp_options.of_vpcs(db, {row.vpc_id for row in instances}) if instances else {}
            attachments = rows.attachments(db, interfaces, instance_ids)
            joining = peerings.moving(db, joins) if joins else ()
            records = snapshot.records(db, keys, self._host_id)
        outcome = Outcome()
        doomed = self._begin(instances, options)
        failures = self._carry_out(records)
        for row, action in doomed:
            if self._is_down(row):
                self._finish(row.id, action, outcome)
        self._judge_attachments(attachments, failures, outcome)
        self._judge_peerings(joining, failures, outcome)
        for row in instances:
            if row.state in snapshot.LIVE_STATES and self._live.get(row.id) == row.boot:
                self._guests.release(row.id)
                if row.state == "pending" or row.health != "ok":
                    outcome.running.append(row.id)
        self._write(outcome)
        self._metrics.stepped(since, len(noted), len(failures))
        return True

    def _begin(self, instances: Iterable[Any], options: Mapping[str, DhcpOptions]) -> list[tuple[Any, Action]]:
        """Start what should run; answer what should end, which waits until its ports are fenced.

        :param options: of the instances' VPCs.
        """
        doomed: list[tuple[Any, Action]] = []
        for row in instances:
            action = decide(row.state, row.health, row.boot, self._live.get(row.id), self._starting.get(row.id))
            if action is Action.RESTART:
                if not self._is_down(row):
                    continue
                self._end(row.id)
                action = Action.START
            if action is Action.START:
                self._starting[row.id] = row.boot
                self._guests.start(rows.spec(row, options.get(row.vpc_id, DhcpOptions())))
            elif action is not Action.NOTHING:
                doomed.append((row, action))
        return doomed

    def _is_down(self, row: Any) -> bool:
        """Whether there is nothing to wait for: a guest that runs is asked to end, and its end looks at it again."""
        if row.id not in self._live or row.skip_os_shutdown:
            return True
        if row.id not in self._stopping:
            self._stopping.add(row.id)
            self._guests.stop(row.id, SHUTDOWN_GRACE)
        return False

    def _finish(self, instance_id: str, action: Action, outcome: Outcome) -> None:
        self._end(instance_id)
        if action is Action.TERMINATE:
            self._guests.delete(instance_id)
            outcome.terminated.append(instance_id)
        else:
            outcome.stopped.append(instance_id)

    def _end(self, instance_id: str) -> None:
        self._live.pop(instance_id, None)
        self._stopping.discard(instance_id)
        self._guests.kill(instance_id)

    def _carry_out(self, records: Mapping[RecordKey, Record | None]) -> dict[RecordKey, str]:
        """Give the fabric what differs from what it has, then let the guests follow."""
        changes = []
        for key, record in records.items():
            new = record if record is not None and self._placeable(record) else None
            old = self._applied.get(key)
            if old != new:
                changes.append(Change(old, new))
        touched = {record.instance_id for change in changes if _guest_sees(change) for record in _ports(change)}
        self._announce_addresses(changes)
        failures = dict(self._fabric.apply(changes)) if changes else {}
        for change in changes:
            if change.key not in failures:
                self._remember(change.key, change.new)
        for key in failures.keys() - {change.key for change in changes}:
            self._remember(key, None)
        self._note_failures(failures)
        for instance_id in touched & set(self._live):
            self._guests.configure(instance_id, list(self._ports[instance_id].values()))
        return failures

    def _announce_addresses(self, changes: Iterable[Change]) -> None:
        """Tell guests of addresses their plugged ports will get: the first packet that is sent there finds them."""
        gaining: dict[str, Port] = {}
        for change in changes:
            old, new = change.old, change.new
            if isinstance(old, Port) and isinstance(new, Port) and old.attachment_id == new.attachment_id:
                lost = tuple(address for address in old.addresses if address not in new.addresses)
                if set(new.addresses) - set(old.addresses) and old.boot == new.boot:
                    gaining[new.id] = replace(new, addresses=new.addresses + lost)
        for instance_id in {port.instance_id for port in gaining.values()} & set(self._live):
            ports = [gaining.get(port.id, port) for port in self._ports[instance_id].values()]
            self._guests.configure(instance_id, ports)

    def _judge_attachments(self, attachments: Iterable[Any], failures: dict[RecordKey, str], outcome: Outcome) -> None:
        for row in attachments:
            key = (Kind.PORT, row.network_interface_id)
            port = self._applied.get(key)
            if row.status == "detaching":
                if key not in failures and self._may_say_detached(row):
                    outcome.detached.append(row.id)
            elif isinstance(port, Port) and port.attachment_id == row.id:
                outcome.attached.append(row.id)
            elif row.appliance_id:
                continue  # the fabric tries again
            elif row.state not in snapshot.LIVE_STATES:
                outcome.attached.append(row.id)  # a stopped instance: it will be there at the next start
            elif key in failures or (row.health == "impaired" and row.instance_id not in self._starting):
                outcome.plug_failed.append(row.id)

    def _may_say_detached(self, row: Any) -> bool:
        now = time.monotonic()
        if self._detach_delay and now < self._detaching.setdefault(row.id, now + self._detach_delay):
            self._again.add(("network_interface", row.network_interface_id))
            return False
        self._detaching.pop(row.id, None)
        return True

    def _judge_peerings(self, joining: Iterable[Any], failures: dict[RecordKey, str], outcome: Outcome) -> None:
        """Both VPCs have followed, or both ends are looked at again."""
        for row in joining:
            if any((Kind.VPC, vpc) in failures for vpc in (row.requester_vpc_id, row.accepter_vpc_id)):
                self._again.add(("vpc_peering_connection", row.id))
            else:
                (outcome.activated if row.state == "provisioning" else outcome.cut).append(row.id)

    def _absorb(self, events: Iterable[Event]) -> list[Key]:
        """Take note of what happened to sandboxes; answer the keys to look at."""
        keys: list[Key] = []
        outcome = Outcome()
        for event in events:
            keys.append(("instance", event.id))
            if event.what == "died":
                if self._live.get(event.id) == event.boot:
                    del self._live[event.id]
                    if event.id not in self._stopping:
                        outcome.impaired.append(event.id)
                    self._stopping.discard(event.id)
                continue
            self._starting.pop(event.id, None)
            if event.what == "started":
                self._live[event.id] = event.boot
            else:
                log.error("an instance did not start", instance=event.id, reason=event.reason)
                outcome.start_failed[event.id] = event.reason
        self._write(outcome)
        return keys

    # --- bookkeeping --------------------------------------------------------------------------------------------------

    def _placeable(self, record: Record) -> bool:
        """A port needs its instance's live sandbox, of the same boot, on this host; an appliance the fabric makes."""
        if not isinstance(record, Port) or record.appliance:
            return True
        return self._live.get(record.instance_id) == record.boot

    def _remember(self, key: RecordKey, record: Record | None) -> None:
        old = self._applied.pop(key, None)
        if isinstance(old, Port):
            self._ports[old.instance_id].pop(old.id, None)
        if record is not None:
            self._applied[key] = record
        if isinstance(record, Port):
            self._ports[record.instance_id][record.id] = record

    def _note_failures(self, failures: Any) -> None:
        for (kind, id_), reason in failures.items():
            log.warning("not carried out, will try again", kind=kind, id=id_, reason=reason)
            self._again.add((_JOURNAL_KIND[kind], id_))

    def _write(self, outcome: Outcome) -> None:
        """All status of a step in one transaction."""
        if outcome:
            self._transact(lambda db: _write(db, outcome))
            self._written()

    def _transact(self, work: Callable[[Connection], None]) -> None:
        """In a transaction, again and alone when another one was in its way."""
        try:
            with self._database.write() as db:
                work(db)
        except Conflict:
            with self._database.write(alone=True) as db:
                work(db)


def _write(db: Connection, outcome: Outcome) -> None:
    now = clock.now()
    status.attached(db, outcome.attached)
    status.detached(db, outcome.detached)
    for attachment_id in outcome.plug_failed:
        status.plug_failed(db, attachment_id)
    status.running(db, outcome.running)
    status.impaired(db, outcome.impaired)
    status.stopped(db, outcome.stopped, now)
    status.terminated(db, outcome.terminated, now)
    for instance_id, reason in outcome.start_failed.items():
        status.start_failed(db, instance_id, reason, now)
    peerings.activated(db, outcome.activated)
    peerings.cut(db, outcome.cut)


def _ports(change: Change) -> list[Port]:
    return [record for record in (change.old, change.new) if isinstance(record, Port)]


def _guest_sees(change: Change) -> bool:
    """A flow log that begins or ends may concern a thousand ports, and no guest."""
    old, new = change.old, change.new
    return not (isinstance(old, Port) and isinstance(new, Port) and replace(old, logged=new.logged) == new)
