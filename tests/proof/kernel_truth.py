"""What a whole enid's kernel should hold, by its store and a full resync, and what it holds beyond that."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from kernel_state import differences, state_of
from packet_lab import PacketLab
from sqlalchemy import select

from enid.fabric.linux.appliances import Appliances
from enid.guest import netconfig, network, records
from enid.netlink import links
from enid.netlink.netfilter import NetfilterSocket
from enid.netlink.socket import RouteSocket
from enid.settings import Settings
from enid.store import snapshot
from enid.store import tables as t
from enid.store.database import Database
from enid.topology.records import Kind, Port, Record, RecordKey

_MOVING = ("pending", "stopping", "shutting-down")


class Truth:
    """The store's word on the kernel of the enid with these ``settings``."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self._settings = settings
        self._database = Database(settings.url)
        self._lab = PacketLab(directory)

    def close(self) -> None:
        self._database.close()
        self._lab.close()

    def unsettled(self) -> list[str]:
        """Whatever is on its way, by the store."""
        moving = t.attachments.c.status.in_(("attaching", "detaching"))
        with self._database.read() as db:
            attachments = db.execute(select(t.attachments.c.network_interface_id).where(moving)).scalars().all()
            instances = db.execute(select(t.instances.c.id).where(t.instances.c.state.in_(_MOVING))).scalars().all()
        return [*attachments, *instances]

    def complaints(self) -> list[str]:
        """Where the kernel is not what the store says; empty when it is."""
        if moving := self.unsettled():
            return [f"on their way: {moving}"]
        with self._database.read() as db:
            world = snapshot.world(db, self._settings.host_id)
            running = set(db.execute(select(t.instances.c.id).where(t.instances.c.state == "running")).scalars())
        failures = self._lab.fabric.resync(world)
        assert not failures, failures
        try:
            return self._orphans(world, running) or [*self._in_routers(world), *self._in_guests(world, running)]
        except (OSError, AssertionError) as changing:
            return [f"not to be looked at: {changing}"]

    def _in_routers(self, world: dict[RecordKey, Record]) -> list[str]:
        found = []
        for name in self._pins(world):
            with opened(self._settings.run_dir / "netns" / name) as real:
                with opened(self._lab.fabric._pins / name) as wanted:
                    found += differences(state_of(real), state_of(wanted), name)
        return found

    def _pins(self, world: dict[RecordKey, Record]) -> set[str]:
        appliances = Appliances(Path(), self._settings.host_id, cast(Any, {})).pins(world)
        return {"internet", *(id_ for kind, id_ in world if kind is Kind.VPC), *appliances}

    def _orphans(self, world: dict[RecordKey, Record], running: set[str]) -> list[str]:
        """Namespaces, sandboxes and processes nobody wants, or that are missing."""
        run_dir = self._settings.run_dir
        pins = {pin.name for pin in (run_dir / "netns").iterdir()}
        sandboxes = {record.id for record in records.read_all(run_dir) if record.alive}
        wanted = {"namespaces": self._pins(world), "sandboxes": running}
        there = {"namespaces": pins, "sandboxes": sandboxes}
        if controlled := _controlled():  # without delegated cgroups nobody can tell
            wanted["processes"], there["processes"] = running, controlled & self._instances()
        return [
            f"{kind}: {sorted(there[kind] - wanted[kind])} too many, {sorted(wanted[kind] - there[kind])} missing"
            for kind in wanted
            if there[kind] != wanted[kind]
        ]

    def _instances(self) -> set[str]:
        """All there ever were."""
        with self._database.read() as db:
            return set(db.execute(select(t.instances.c.id)).scalars())

    def _in_guests(self, world: dict[RecordKey, Record], running: set[str]) -> list[str]:
        found = []
        for record in records.read_all(self._settings.run_dir):
            if record.id not in running:
                continue
            ports = [port for port in world.values() if isinstance(port, Port) and port.instance_id == record.id]
            namespace = os.open(f"/proc/{record.pid}/ns/net", os.O_RDONLY)
            with RouteSocket(namespace) as route:
                found += _guest(route, record.id, ports)
            os.close(namespace)
        return found


def _controlled() -> set[str]:
    """The last parts of the paths of all processes' cgroups: an instance's is its id."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found |= {Path(line).name for line in (process / "cgroup").read_text().splitlines()}
    return {name for name in found if name.startswith("i-")}


def _guest(route: RouteSocket, id_: str, ports: list[Port]) -> list[str]:
    there = {link.name: link for link in map(links.parse_link, route.dump(links.get_links())) if link.peer}
    if {port.device for port in ports} != set(there):
        return [f"{id_} has {sorted(there)}, not {sorted(port.device for port in ports)}"]
    wanted = netconfig.wanted(ports, {port.id: there[port.device].index for port in ports})
    has = network.read(route)
    return [
        f"{id_}: {kind} {set(getattr(has, kind)) ^ set(getattr(wanted, kind))}"
        for kind in ("addresses", "routes", "rules")
        if set(getattr(has, kind)) != set(getattr(wanted, kind))
    ]


@contextmanager
def opened(pin: Path) -> Iterator[Any]:
    """The sockets :func:`kernel_state.state_of` asks, in a pinned namespace. Nothing is changed there."""
    namespace = os.open(pin, os.O_RDONLY)
    try:
        with RouteSocket(namespace) as route, NetfilterSocket(namespace) as netfilter:
            yield SimpleNamespace(namespace=namespace, route=route, netfilter=netfilter)
    finally:
        os.close(namespace)
