"""The process that starts sandboxes: small, single-threaded, few imports, so that a fork is cheap.

A child of the agent, tied to it by one SOCK_SEQPACKET socket: a message is a request (its first byte says which), and
each request is carried out by a fork of its own, which answers by itself. When the agent goes the socket ends and so
does the spawner; starts under way die with it, sandboxes that were announced live on. As sub-reaper it takes in their
inits, so that none stays behind as a zombie on a host whose first process does not reap.
"""

from __future__ import annotations

import fcntl
import gc
import os
import selectors
import signal
import socket
from collections.abc import Callable

from enid.guest.idmap_probe import supported
from enid.guest.plan import Plan, Reply
from enid.guest.setup import start
from enid.guest.syscalls import become_subreaper, die_with_parent

START, EMPTY, PROBE = b"S", b"E", b"P"
"""Start a sandbox (a plan follows) · delete what is in a directory · can mounts of a directory be id-mapped?"""

MESSAGE_BYTES = 1 << 17


def main(fd: int, lock: str) -> None:
    """Serve until the agent goes. ``fd`` is the socket's descriptor; ``lock`` is held as long as a start may go on."""
    agent = socket.socket(fileno=fd)
    agent.set_inheritable(False)
    lock_fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock_fd, fcntl.LOCK_EX)
    become_subreaper()
    gc.disable()
    gc.freeze()
    _Spawner(agent, lock_fd).serve()


class _Spawner:
    def __init__(self, agent: socket.socket, lock_fd: int) -> None:
        self._agent = agent
        self._lock_fd = lock_fd
        self._under_way: dict[int, Reply] = {}
        self._emptying = 0
        """Pid of the child that deletes; one at a time."""
        self._to_empty: list[str] = []
        self._wake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGHUP):  # of the terminal: the agent decides, not the keyboard
            signal.signal(number, signal.SIG_IGN)

    def serve(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._agent, selectors.EVENT_READ)
        selector.register(self._wake, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj == self._wake:
                    os.read(self._wake, 4096)
                    self._reap()
                elif not self._serve_one():
                    return

    def _serve_one(self) -> bool:
        try:
            message = self._agent.recv(MESSAGE_BYTES)
        except ConnectionError:
            message = b""
        kind, body = message[:1], message[1:]
        if kind == START:
            plan = Plan.decode(body)
            self._under_way[self._in_child(lambda: self._agent.send(start(plan).encode()))] = Reply(plan.token, plan.id)
        elif kind == EMPTY:
            self._to_empty.append(os.fsdecode(body))
            self._empty_next()
        elif kind == PROBE:
            self._in_child(lambda: self._agent.send(_probe(body).encode()))
        return bool(message)

    def _empty_next(self) -> None:
        if self._to_empty and not self._emptying:
            directory = self._to_empty[0]
            # One pass deletes everything that is there now, whoever asked.
            self._to_empty = [other for other in self._to_empty if other != directory]
            self._emptying = self._in_child(lambda: _empty(directory, self._lock_fd))

    def _in_child(self, work: Callable[[], object]) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            die_with_parent(signal.SIGKILL)
            if os.getppid() == parent:
                work()
                os._exit(0)
        finally:
            os._exit(1)

    def _reap(self) -> None:
        """Collect children and adopted inits; a setup process that ended without an answer is answered for."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self._emptying:
                self._emptying = 0
                self._empty_next()
            reply = self._under_way.pop(pid, None)
            if reply is not None and status:
                how = f"the setup process ended with {os.waitstatus_to_exitcode(status)}"
                self._agent.send(Reply(reply.token, reply.id, reason=how).encode())


def _probe(request: bytes) -> Reply:
    token, _, directory = request.partition(b" ")
    return Reply(int(token), "", pid=int(supported(os.fsdecode(directory))))


def _empty(directory: str, lock_fd: int) -> None:
    from shutil import rmtree  # here, because every start would carry its weight

    os.close(lock_fd)  # deleting may take its time; the next agent need not wait for it
    with os.scandir(directory) as entries:
        for entry in entries:
            rmtree(entry.path, ignore_errors=True)
