"""The process that starts sandboxes: small, single-threaded, nothing imported it does not need, so that a fork is cheap.

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
import shutil
import signal
import socket
from collections.abc import Callable

from enid.guest.idmap_probe import supported
from enid.guest.plan import Plan, Reply
from enid.guest.setup import start
from enid.guest.syscalls import become_subreaper, die_with_parent

START, REMOVE, PROBE = b"S", b"R", b"P"
"""Start a sandbox (a plan follows) · remove a directory tree · can mounts of this directory be id-mapped?"""

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
    wake_read, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGHUP):  # of the terminal: the agent decides, not the keyboard
        signal.signal(number, signal.SIG_IGN)
    selector = selectors.DefaultSelector()
    selector.register(agent, selectors.EVENT_READ)
    selector.register(wake_read, selectors.EVENT_READ)
    under_way: dict[int, Reply] = {}
    while True:
        for key, _ in selector.select():
            if key.fileobj == wake_read:
                os.read(wake_read, 4096)
                _reap(agent, under_way)
            else:
                message = agent.recv(MESSAGE_BYTES)
                if not message:
                    return
                _serve(agent, message, under_way, lock_fd)


def _serve(agent: socket.socket, message: bytes, under_way: dict[int, Reply], lock_fd: int) -> None:
    kind, body = message[:1], message[1:]
    if kind == START:
        plan = Plan.decode(body)
        pid = _in_child(lambda: agent.send(start(plan).encode()))
        under_way[pid] = Reply(plan.token, plan.id)
    elif kind == REMOVE:
        _in_child(lambda: _remove(os.fsdecode(body), lock_fd))
    elif kind == PROBE:
        token, _, directory = body.partition(b" ")
        _in_child(lambda: agent.send(Reply(int(token), "", pid=int(supported(os.fsdecode(directory)))).encode()))


def _remove(directory: str, lock_fd: int) -> None:
    os.close(lock_fd)  # deleting may take its time; the next agent need not wait for it
    shutil.rmtree(directory, ignore_errors=True)


def _in_child(work: Callable[[], object]) -> int:
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


def _reap(agent: socket.socket, under_way: dict[int, Reply]) -> None:
    """Collect children and adopted inits; a setup process that ended without an answer is answered for."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        reply = under_way.pop(pid, None)
        if reply is not None and status:
            how = f"the setup process ended with {os.waitstatus_to_exitcode(status)}"
            agent.send(Reply(reply.token, reply.id, reason=how).encode())




