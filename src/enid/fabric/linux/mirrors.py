"""A router's traffic mirror sessions, kept in step with its ports: their places, and the rules that send copies there.

A session that cannot be carried out is told in the log and left out: no port fails because of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import structlog

from enid.fabric.linux import mirroring, names
from enid.fabric.linux.mirror import MirrorPlace
from enid.fabric.linux.mirroring import Copies, hop
from enid.fabric.linux.node import Node, key_of
from enid.netlink import namespaces
from enid.netlink.routes import Route
from enid.topology.blocks import exactly
from enid.topology.records import Mirror, Port

log = structlog.get_logger()

_VERSIONS = (4, 6)


class Mirrors:
    """Those of the router in ``node``. Ports are withdrawn and announced, then the router settles, then
    :meth:`commit`."""

    def __init__(self, node: Node, counts: Counter[str]) -> None:
        self._node = node
        self._counts = counts
        self._places: dict[str, MirrorPlace] = {}
        self._leaving: set[str] = set()
        """Sessions that ended, whose places are to be destroyed."""
        self._held: dict[str, Copies] = {}
        self._wanted: dict[str, Copies | None] = {}
        """By port: what the tables say, and what they shall say instead."""
        self._begun: bool | None = None
        """The tables are there; ``None``: nothing is known about it."""

    def make(self, ports: Iterable[Port]) -> set[str]:
        """Places for the sessions of ports that are about to be announced; the names of all their wires."""
        for session in [session for port in ports for session in port.mirrors]:
            if session.id in self._places:
                continue
            try:
                path = self._path(session.id)
                self._places[session.id] = MirrorPlace(session.id, path, self._node, self._counts)
            except OSError as error:
                log.error("not mirrored", session=session.id, reason=str(error))
        return {place.link for place in self._places.values()}

    def _path(self, session_id: str) -> Path:
        return self._node.path.with_name(names.mirror_pin(self._node.path.name, session_id))

    def discard_unknown(self) -> None:
        """Places of sessions that ended while nobody looked."""
        known = {self._path(id_).name for id_ in self._places}
        for pin in self._node.path.parent.glob(names.mirror_pin(self._node.path.name, "*")):
            if pin.name not in known:
                namespaces.unpin(pin)

    def sever(self, gone: Collection[str]) -> set[str]:
        """These links of the router were taken away: the sessions that lost their wires, whose places must be made
        again."""
        lost = {id_ for id_, place in self._places.items() if place.link in gone}
        for id_ in lost:
            self._places.pop(id_).close()
        self._leaving -= lost
        return lost

    def rewrite(self) -> None:
        """The tables are written anew with the next :meth:`commit`, whatever there is now."""
        self._wanted = {**self._held, **self._wanted}
        self._held, self._begun = {}, None

    def announce(self, port: Port) -> None:
        """A port of this host, whose link is there."""
        working = list(self._working(port))
        for session, wire in working:
            self._leaving.discard(session.id)
            for version in _VERSIONS:
                for inward in (True, False):
                    next_hop = hop(version, wire, inward)
                    mac = port.mac if inward else names.router_mac(self._node.path.name)
                    self._node.neighbours.announce([((wire, next_hop), mac)])
                    way = Route(exactly(next_hop), device=wire, gateway=next_hop if version == 6 else None)
                    self._node.routes.announce([(key_of(way), way)])
        if working:
            self._wanted[port.id] = mirroring.copies(port, working)

    def _working(self, port: Port) -> Iterator[tuple[Mirror, int]]:
        for session in port.mirrors:
            place = self._places.get(session.id)
            if place is None:
                continue
            try:
                place.become(session, port)
            except OSError as error:
                log.error("not mirrored", session=session.id, reason=str(error))
                continue
            yield session, place.wire

    def withdraw(self, port: Port) -> None:
        """It goes, or changes."""
        self._wanted[port.id] = None
        for session in port.mirrors:
            if (place := self._places.get(session.id)) is not None:
                self._leaving.add(session.id)
                hops = [hop(version, place.wire, inward) for version in _VERSIONS for inward in (True, False)]
                self._node.neighbours.withdraw((place.wire, next_hop) for next_hop in hops)
                self._node.routes.withdraw(key_of(Route(exactly(next_hop))) for next_hop in hops)

    def commit(self) -> None:
        """Let the tables say what was announced, and let go of what ended.

        :raises OSError: nothing is known about the outcome.
        """
        wanted, self._wanted = self._wanted, {}
        changes = [(self._held.get(id_), new) for id_, new in wanted.items() if self._held.get(id_) != new]
        for id_, new in wanted.items():
            if new is not None:
                self._held[id_] = new
            else:
                self._held.pop(id_, None)
        frame = self._frame()
        stopped = [part for old, _ in changes if old for part in mirroring.stop(old)]
        started = [part for _, new in changes if new for part in mirroring.start(new)]
        self._node.netfilter.commit([*frame, *stopped, *started] if self._begun else frame)

    def _frame(self) -> list[bytes]:
        """What begins or ends the tables."""
        before, self._begun = self._begun, bool(self._held)
        if before == self._begun:
            return []
        cleared = mirroring.end() if before is None or before else []
        return [*cleared, *mirroring.begin()] if self._begun else cleared

    def tidy(self) -> None:
        """Destroy the places of sessions that ended: deleting links is slow."""
        for id_ in self._leaving:
            self._places.pop(id_).destroy()
        self._leaving.clear()

    def close(self) -> None:
        """Everything stays and works."""
        for place in self._places.values():
            place.close()

    def destroy(self) -> None:
        """The router goes."""
        self.close()
        self._places.clear()
        self.discard_unknown()
