"""The process that keeps VPN connections' tunnels: starts strongSwan where the store says one is to be, tells it what
it must know, leads packets into its tunnels, and writes down which are up.

The agent makes the namespaces and the wires between them; this process finds them by their names. It asks nothing of
anybody else. If it is killed the tunnels stay up, and the next one finds them.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from enid import clock
from enid.netlink import namespaces
from enid.settings import Settings
from enid.store import journal, status
from enid.store.database import Conflict, Database
from enid.vpn import charon
from enid.vpn.ends import End, ends
from enid.vpn.player import Player
from enid.vpn.ways import Ways

log = structlog.get_logger()

TICK, HASTE, HASTY = 1.0, 0.2, 10.0
"""Seconds between looks; the shorter while something changes, and how long it may take for that."""
_STALE = 2.0
"""Seconds a tunnel may be up at one of our ends only."""


@dataclass(slots=True)
class Stage:
    """A network namespace with the ends that are played in it."""

    path: Path
    namespace: int
    ways: Ways
    players: dict[str, Player] = field(default_factory=dict)

    def lead(self) -> None:
        """Packets into the links of those that have one."""
        try:
            self.ways.lead({player.end: player.link for player in self.players.values()})
        except OSError as error:
            log.warning("no way into a VPN connection's tunnels", place=self.path.name, reason=str(error))

    def close(self) -> None:
        for player in self.players.values():
            player.close()
        self.ways.close()
        os.close(self.namespace)


class Keeper:
    """The loop; strongSwan is the user ``uid``."""

    def __init__(self, settings: Settings, uid: int) -> None:
        self._settings = settings
        self._uid = uid
        self._database = Database(settings.url)
        self._stages: dict[str, Stage] = {}
        self._wanted: defaultdict[str, dict[str, End]] = defaultdict(dict)
        """By pin and id."""
        self._seq = -1
        self._said: dict[str, tuple[bool, ...]] = {}
        """By connection: which of its tunnels the store says are up."""
        self._stale: dict[tuple[str, str], float] = {}
        self._changed = -HASTY
        self._over = os.eventfd(0, os.EFD_CLOEXEC)
        settings.vpn_dir.mkdir(mode=0o700, parents=True, exist_ok=True)

    def run(self) -> None:
        """Until SIGTERM; the tunnels stay."""
        signal.signal(signal.SIGTERM, lambda _number, _frame: os.eventfd_write(self._over, 1))
        patience = 0.0
        while not select.select([self._over], [], [], patience)[0]:
            began = time.monotonic()
            if self.look():
                self._changed = began
            hasty = time.monotonic() < self._changed + HASTY and not self._all_up()
            patience = max(0.0, began + (HASTE if hasty else TICK) - time.monotonic())
        self.close()

    def look(self) -> bool:
        """Make everything so, as far as it goes; whether something has changed."""
        changed = self._reload()
        for pin in [pin for pin in self._stages if not self._is_there(pin)]:
            self._leave(pin)
        for pin, wanted in self._wanted.items():
            if self._enter(pin):
                self._play(self._stages[pin], wanted)
        self._forget_unknown()
        self._mend_stale()
        return self._report() or changed

    def _reload(self) -> bool:
        with self._database.read() as db:
            seq = journal.last(db)
            if seq == self._seq:
                return False
            self._seq = seq
            found = ends(db)
            self._said = status.tunnels(db)
        self._wanted.clear()
        for end in found:
            self._wanted[end.pin][end.id] = end
        return True

    # Places

    def _is_there(self, pin: str) -> bool:
        """Wanted, and still the namespace that has the name."""
        stage = self._stages[pin]
        return pin in self._wanted and namespaces.is_pinned(stage.namespace, stage.path)

    def _enter(self, pin: str) -> bool:
        """Whether the agent has made it."""
        if pin not in self._stages:
            path = self._settings.run_dir / "netns" / pin
            namespace = namespaces.open_pinned(path)
            if namespace is None:
                return False
            self._stages[pin] = Stage(path, namespace, Ways(namespace))
        return True

    def _leave(self, pin: str) -> None:
        stage = self._stages.pop(pin)
        for player in stage.players.values():
            player.end_it()
        stage.players.clear()
        with suppress(OSError):
            stage.lead()
        stage.close()

    def _play(self, stage: Stage, wanted: dict[str, End]) -> None:
        for id_ in stage.players.keys() - wanted.keys():
            stage.players.pop(id_).end_it()
        for id_, end in wanted.items():
            if id_ not in stage.players:
                directory = self._settings.vpn_dir / id_
                stage.players[id_] = Player(end, directory, stage.namespace, stage.ways, self._uid)
            stage.players[id_].end = end
            stage.players[id_].look()
        stage.lead()

    def _forget_unknown(self) -> None:
        """End what a process before this one left, and nobody wants any more."""
        known = {id_ for wanted in self._wanted.values() for id_ in wanted}
        charon.end_all(self._settings.vpn_dir, but=known)

    # Tunnels

    def _players(self) -> dict[str, Player]:
        return {id_: player for stage in self._stages.values() for id_, player in stage.players.items()}

    def _mend_stale(self) -> None:
        """A VPN gateway that was killed remembers no tunnel, and asks for none: let the site, if it is ours, begin
        anew, instead of finding out in half a minute."""
        players = self._players()
        now = time.monotonic()
        for site in [player for player in players.values() if player.end.site is not None]:
            gateway = players.get(site.end.connection)
            for name in site.tunnels:
                key = (site.end.id, name)
                if gateway is None or not site.tunnels[name] or gateway.tunnels.get(name):
                    self._stale.pop(key, None)
                elif now - self._stale.setdefault(key, now) > _STALE:
                    del self._stale[key]
                    site.cut(name)

    def _all_up(self) -> bool:
        """Or nothing can be done about it here: whoever is at the other end must begin."""
        players = self._players()
        wanted = [end for some in self._wanted.values() for end in some.values()]
        ours = {end.connection for end in wanted if end.site is not None}
        return all(
            end.id in players and (end.connection not in ours or sum(players[end.id].tunnels.values()) == 2)
            for end in wanted
        )

    def _report(self) -> bool:
        """Write down what has changed since the last time; whether anything has."""
        players = self._players()
        found = {id_: _state(players.get(id_)) for id_ in self._said}
        changed = {id_: state for id_, state in found.items() if state != self._said[id_]}
        if changed:
            with suppress(Conflict), self._database.write() as db:  # the next look is soon enough
                status.tunnels_changed(db, changed, clock.now())
                self._said |= changed
        return bool(changed)

    def close(self) -> None:
        """The tunnels stay."""
        for stage in self._stages.values():
            stage.close()
        self._stages.clear()
        self._database.close()
        os.close(self._over)


def _state(player: Player | None) -> tuple[bool, ...]:
    if player is None:
        return (False, False)
    return tuple(player.tunnels.get(tunnel.name, False) for tunnel in player.end.tunnels)
