"""One end of a VPN connection, played: a strongSwan that runs in its namespace, knows what it must, and is heard."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import structlog

from enid.vpn import charon
from enid.vpn.conversation import Conversation
from enid.vpn.ends import End
from enid.vpn.ways import Ways

log = structlog.get_logger()

TRY_AGAIN = 3.0
"""Seconds before a tunnel is begun again that did not come up, or a strongSwan started that did not start."""


class Player:
    """Of ``end``, in the network namespace of a descriptor and the directory ``directory``, as the user ``uid``."""

    def __init__(self, end: End, directory: Path, namespace: int, ways: Ways, uid: int) -> None:
        self.end = end
        self.tunnels: dict[str, bool] = {}
        """By name, those that are up, or on the way there: whether it is up; as was last heard."""
        self._directory = directory
        self._namespace = namespace
        self._ways = ways
        self._uid = uid
        self._charon = charon.find(directory, namespace)
        self._conversation: Conversation | None = None
        self._told: End | None = None
        self._begun: dict[str, float] = {}
        self._started = -TRY_AGAIN
        self._trouble = ""
        """What was last said in the log: once is enough."""

    @property
    def link(self) -> str:
        """The name of its link, if there is one."""
        return self._charon.record.link if self._charon is not None else ""

    def look(self) -> None:
        """Start it if it does not run, tell it what is new, and see which tunnels are up."""
        try:
            self._go_on()
            self._trouble = ""
        except OSError as error:
            if str(error) != self._trouble:
                log.warning("a VPN connection's end is not well", id=self.end.id, reason=str(error))
            self._trouble = str(error)
            self._hang_up()

    def _go_on(self) -> None:
        if self._charon is not None and not self._charon.alive:
            log.warning("strongSwan ended, starting it again", id=self.end.id)
            self._bury(self._charon)
        if self._charon is None:
            if time.monotonic() - self._started < TRY_AGAIN:
                return
            self._started = time.monotonic()
            self._charon = charon.start(self.end, self._directory, self._namespace, self._ways, self._uid)
        if self._conversation is None:
            self._conversation = Conversation(self._charon.call())
        if self._told != self.end:
            self._tell(self._conversation)
        self.tunnels = self._conversation.tunnels()
        for name in [name for name, up in self.tunnels.items() if up]:
            self._begun.pop(name, None)  # should it end, it is begun again at once
        if self.end.site is not None:
            self._begin(self._conversation)

    def _bury(self, dead: charon.Charon) -> None:
        self._hang_up()
        dead.end(grace=0)
        self._charon = None
        self.tunnels = {}

    def _tell(self, conversation: Conversation) -> None:
        conversation.tell(self.end)
        former = {tunnel.name: tunnel for tunnel in self._told.tunnels} if self._told is not None else {}
        for tunnel in self.end.tunnels:
            if tunnel.name in former and former[tunnel.name] != tunnel:
                self.cut(tunnel.name)
        self._told = self.end

    def _begin(self, conversation: Conversation) -> None:
        """Those tunnels that nobody is about to bring up."""
        for tunnel in self.end.tunnels:
            if tunnel.name not in self.tunnels and self._is_due(tunnel.name):
                conversation.begin(tunnel)

    def _is_due(self, name: str) -> bool:
        now = time.monotonic()
        due = now - self._begun.get(name, -TRY_AGAIN) >= TRY_AGAIN
        if due:
            self._begun[name] = now
        return due

    def cut(self, name: str) -> None:
        """Begin a tunnel anew: the other end knows nothing of it."""
        if self._conversation is not None:
            with suppress(OSError):  # it is not there any more
                self._conversation.cut(name)
            self._begun.pop(name, None)

    def _hang_up(self) -> None:
        if self._conversation is not None:
            self._conversation.close()
        self._conversation = self._told = None

    def close(self) -> None:
        """It goes on without us."""
        self._hang_up()
        if self._charon is not None:
            self._charon.close()

    def end_it(self) -> None:
        """There is no such end any more."""
        self._hang_up()
        if self._charon is not None:
            self._charon.end()
