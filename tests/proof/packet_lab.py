"""A plan made real, and probes through it: each interface has a raw socket, which sends frames and sees what comes.

Guests have no addresses, so nothing in them answers, drops or routes: what a probe meets is the data plane's alone.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from aws_plan import Address, Plan, records
from fabric_lab import Guest
from frames import AGAIN, REPLY, REQUEST, Seen, frame, seen
from probes import Probe, port_pair

from enid.fabric.linux import LinuxFabric, names
from enid.netlink import sysctl
from enid.netlink.message import hardware
from enid.settings import Settings
from enid.topology.records import Change, Kind, Port, Record, RecordKey, Vpc

_BATCH = 200
_QUIET = 0.03
_PATIENCE = 0.5
_IGNORE_OUTGOING, _ALL = 23, 3
_FORCED_ROOM = getattr(socket, "SO_RCVBUFFORCE", 33)

Came = dict[tuple[int, int], tuple[str, Seen]]
"""(probe, which packet of the conversation) → the interface it came out at, and how."""


class PacketLab:
    """One fabric, one world at a time."""

    def __init__(self, directory: Path) -> None:
        settings = Settings(run_dir=directory, state_dir=directory, host_route=False)
        self._guests: dict[str, Guest] = {}
        self._live: set[str] = set()
        self.fabric = LinuxFabric(settings, self._guest)
        self.world: dict[RecordKey, Record] = {}
        self._sockets: dict[str, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._closing = ThreadPoolExecutor(16)

    def _guest(self, id_: str) -> Guest | None:
        if id_ not in self._guests:
            guest = self._guests[id_] = Guest()
            sysctl.write(guest.namespace, {f"net/ipv6/conf/{what}/disable_ipv6": 1 for what in ("all", "default")})
        return self._guests[id_]

    def become(self, plan: Plan, random: Random | None = None) -> list[str]:
        """Carry out the difference; in batches of any composition, if ``random`` is given. Answers what failed."""
        wanted = records(plan)
        changes = [Change(self.world.get(key), wanted.get(key)) for key in {**self.world, **wanted}]
        changes = [change for change in changes if change.old != change.new]
        if random is not None:
            changes = _shuffled(changes, random)
        while changes:
            count = len(changes) if random is None else random.randint(1, len(changes))
            batch, changes = changes[:count], changes[count:]
            failures = self.fabric.apply(batch)
            if failures:
                return list(map(str, failures.items()))
        self.world = dict(wanted)
        self._deafen()
        return []

    def resync(self, plan: Plan) -> list[str]:
        """As a new agent does, whatever there was. Answers what failed."""
        wanted = records(plan)
        self.world = dict(wanted)
        return list(map(str, self.fabric.resync(wanted).items()))

    def clear(self) -> None:
        """Nothing is left of the world, and the guests are bare."""
        self._deafen()
        for what in (set(Kind) - {Kind.VPC}, {Kind.VPC}):
            doomed = [key for key in self.world if key[0] in what]
            assert self.fabric.apply([Change(self.world.pop(key), None) for key in doomed]) == {}
            while self.fabric.tidy():
                pass

    def _deafen(self) -> None:
        for made in self._sockets.values():
            self._selector.unregister(made)
        # The kernel waits for all processors with each, so they go side by side.
        list(self._closing.map(socket.socket.close, self._sockets.values()))
        self._sockets = {}

    def _listen(self) -> None:
        for record in self.world.values():
            if isinstance(record, Port):
                guest = self._guests[record.instance_id]
                made = guest.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
                guest._open.remove(made)
                made.setblocking(False)
                made.setsockopt(socket.SOL_SOCKET, _FORCED_ROOM, 64 << 20)
                made.setsockopt(263, _IGNORE_OUTGOING, 1)
                made.bind((record.device, _ALL))
                self._sockets[record.id] = made
                self._selector.register(made, selectors.EVENT_READ, record.id)

    def send(self, sent: Iterable[Probe], hoped: Mapping[int, bool]) -> Came:
        """Send the probes, the reply of each that arrives, and one more packet then; tells what came out where.

        :param hoped: for each probe, whether to wait for it; and to send it again when it is late, once.
        """
        if not self._sockets:
            self._listen()
        came: Came = {}
        by_number = {probe.number: probe for probe in sent}
        for again in (False, True):
            missing = {number for number, wanted in hoped.items() if wanted and (number, REQUEST) not in came}
            chosen = [probe for probe in by_number.values() if not again or probe.number in missing]
            for start in range(0, len(chosen), _BATCH):
                batch = chosen[start : start + _BATCH]
                for probe in batch:
                    self._emit(probe)
                self._collect(by_number, came, {probe.number for probe in batch if hoped[probe.number]})
        self._collect(by_number, came, set(), quiet=_QUIET)
        return came

    def _emit(self, probe: Probe, stage: int = REQUEST) -> None:
        packet = probe.packet
        self._frame(probe.sender.id, probe, packet.source, packet.destination, stage)

    def _frame(self, interface: str, probe: Probe, source: Address, destination: Address, stage: int) -> None:
        port = self.world[Kind.PORT, interface]
        assert isinstance(port, Port)
        macs = hardware(names.mac(port.vpc_id)) + hardware(port.mac)
        numbers = port_pair(probe, reply=stage == REPLY)
        made = frame(macs, source, destination, probe.packet.protocol, numbers, probe.number, stage)
        self._sockets[interface].send(made)

    def _collect(self, sent: Mapping[int, Probe], came: Came, awaited: set[int], quiet: float = 0.002) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            awaited = {number for number in awaited if (number, REQUEST) not in came}
            ready = self._selector.select(0.02 if awaited else quiet)
            for key, _ in ready:
                self._read(key.data, sent, came)
            if not ready and (not awaited or time.monotonic() > deadline):
                return

    def _read(self, interface: str, sent: Mapping[int, Probe], came: Came) -> None:
        while True:
            try:
                received = self._sockets[interface].recv(2048)
            except BlockingIOError:
                return
            found = seen(received)
            if found is None or found.number not in sent:
                continue
            probe, new = sent[found.number], (found.number, found.stage) not in came
            came.setdefault((found.number, found.stage), (interface, found))
            if found.stage == REQUEST:
                self._frame(interface, probe, found.destination, found.source, REPLY)
            elif found.stage == REPLY and new and interface == probe.sender.id:
                self._emit(probe, AGAIN)

    def close(self) -> None:
        self._deafen()
        self._selector.close()
        self._closing.shutdown()
        self.fabric.destroy()
        for guest in self._guests.values():
            guest.close()


def _shuffled(changes: list[Change], random: Random) -> list[Change]:
    """VPCs first when they come and last when they go, as the store has it; the rest in any order."""
    rest = [change for change in changes if change.key[0] is not Kind.VPC]
    random.shuffle(rest)
    vpcs = [change for change in changes if change.key[0] is Kind.VPC]
    gone = [change for change in vpcs if not isinstance(change.new, Vpc)]
    return [*(change for change in vpcs if change not in gone), *rest, *gone]
