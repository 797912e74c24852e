"""The agent's end of the spawner: keeps one running, hands it plans a few at a time, collects what became of them.

Knows nothing about instances beyond their plans. If the spawner dies, a new one takes over: what was queued stays
queued, and what was under way is reported as failed.
"""

from __future__ import annotations

import itertools
import os
import select
import socket
import subprocess
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path

from enid.guest.plan import Plan, Reply
from enid.guest.spawner import EMPTY, MESSAGE_BYTES, PROBE, START

_SOURCE = str(Path(__file__).parents[2])
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from enid.guest.spawner import main; main(int(sys.argv[2]), sys.argv[3])"
)
_PROBE_TIMEOUT_MS = 10_000

SPAWNER_DIED = "the spawner died"


class Launcher:
    """A spawner process and its queue. Not thread-safe; not to be used after a fork.

    ``lock`` is a file the spawner and its setup processes hold, so that those of two agents never mix: the constructor
    waits for the last agent's to be gone.
    """

    def __init__(self, lock: Path) -> None:
        self._lock = lock
        self._parallel = 2 * (os.cpu_count() or 1)
        self._queue: deque[Plan] = deque()
        self._under_way: dict[int, Plan] = {}
        self._early: list[Reply] = []
        self._tokens = itertools.count(1)
        self._epoll = select.epoll()
        self._spawn()

    def fileno(self) -> int:
        """Readable when :meth:`replies` has something."""
        return self._epoll.fileno()

    def next_token(self) -> int:
        """A number for a plan."""
        return next(self._tokens)

    def start(self, plan: Plan) -> None:
        """Have a plan carried out when its turn comes."""
        self._queue.append(plan)
        self._pump()

    def wait_ready(self) -> None:
        """Wait until the spawner serves: from then on nothing of an earlier agent's starts is under way."""
        self.can_map_ids(Path("/"))

    def withdraw(self, token: int) -> bool:
        """Take a plan back that has not begun; false when it is too late."""
        for plan in self._queue:
            if plan.token == token:
                self._queue.remove(plan)
                return True
        return False

    def empty(self, directory: Path) -> None:
        """Delete everything in a directory, some time."""
        with suppress(OSError):  # no spawner just now: the next start of the agent asks again
            self._socket.send(EMPTY + os.fsencode(directory))

    def can_map_ids(self, directory: Path) -> bool:
        """Whether mounts of ``directory`` can be id-mapped here. Blocks for some milliseconds."""
        token = self.next_token()
        self._socket.send(PROBE + f"{token} ".encode() + os.fsencode(directory))
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while poll.poll(_PROBE_TIMEOUT_MS):
            reply = Reply.decode(self._socket.recv(MESSAGE_BYTES))
            if reply.token == token:
                return bool(reply.pid)
            self._early.append(reply)
        raise TimeoutError(f"the spawner does not answer; does another agent run here? (it would hold {self._lock})")

    def replies(self) -> list[tuple[Plan, Reply]]:
        """Plans that were carried out or failed since the last call; never blocks."""
        received, self._early = self._early, []
        ended = False
        while True:
            try:
                message = self._socket.recv(MESSAGE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except ConnectionError:
                message = b""
            if not message:
                ended = True
                break
            received.append(Reply.decode(message))
        known = [(self._under_way.pop(reply.token), reply) for reply in received if reply.token in self._under_way]
        if ended:
            known += self._replace()
        self._pump()
        return known

    def close(self) -> None:
        """End the spawner and what it is doing."""
        self._epoll.close()
        self._socket.close()
        self._process.wait()

    @property
    def pid(self) -> int:
        """The spawner's."""
        return self._process.pid

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-I", "-S", "-c", _PROGRAM, _SOURCE, str(theirs.fileno()), str(self._lock)]
            self._process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True, cwd="/"
            )
        self._socket = ours
        self._epoll.register(ours, select.EPOLLIN)

    def _replace(self) -> list[tuple[Plan, Reply]]:
        self._epoll.unregister(self._socket)
        self._socket.close()
        self._process.wait()
        lost = [(plan, Reply(token, plan.id, reason=SPAWNER_DIED)) for token, plan in self._under_way.items()]
        self._under_way.clear()
        self._spawn()
        return lost

    def _pump(self) -> None:
        while self._queue and len(self._under_way) < self._parallel:
            plan = self._queue.popleft()
            try:
                self._socket.send(START + plan.encode())
            except ConnectionError:  # it died: the next look at the replies finds out and comes back here
                self._queue.appendleft(plan)
                return
            self._under_way[plan.token] = plan
