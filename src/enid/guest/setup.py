"""Makes one sandbox: the work of the process the spawner forks for a start.

Two processes take part, both with the agent's power at first. The *init to be* is in a pid namespace, and makes itself
a mount namespace, that belong to the agent's user namespace. The *setup* process (this one) then gives its power up: it
unshares the user, network, UTS, IPC and cgroup namespaces, so that these belong to the sandbox's own user namespace.
The init to be maps the ids of that, joins the others, builds the file system, gives up its power too and executes
init. Until init is announced both die with the spawner; what might survive nevertheless is in a record by then.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NoReturn

from enid.guest import cgroups, records
from enid.guest.confine import ENVIRONMENT, become_root_inside, prepare_exec
from enid.guest.disk import make_disk, open_console
from enid.guest.furnish import furnish
from enid.guest.ids import IdRange
from enid.guest.plan import Plan, Reply
from enid.guest.rootfs import build
from enid.guest.syscalls import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    die_with_parent,
    join_new_keyring,
    set_hostname,
    setns,
    unshare,
)

INIT = "/etc/enid-init"
"""The init script inside; comes with the image."""

_HELD = CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1

_NETWORK_DEFAULTS = {
    # A new namespace copies the host's IPv4 settings: an instance must not depend on whether the host forwards.
    "ipv4/ip_forward": "0",
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    "ipv4/ping_group_range": "0 65533",
}
_NOTHING_IS_LEARNED = {
    "ipv6/conf/all/accept_ra": "0",
    "ipv6/conf/default/accept_ra": "0",
    "ipv6/conf/default/autoconf": "0",
}
"""For the agent is the good guest that gives addresses and routes."""
_ASKS = {"ipv6/conf/all/accept_ra": "1", "ipv6/conf/default/accept_ra": "1"}
"""The guest asks itself: the kernel does, for its router."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """The setup process, as the init to be finds it: from inside its pid namespace it could not ask for a pidfd."""

    pid: int
    pidfd: int


@dataclass(frozen=True, slots=True)
class _Child:
    pid: int
    outcome: int
    """Reads as empty when the child got there, else as the reason why not."""

    def check(self) -> None:
        chunks = []
        while chunk := os.read(self.outcome, 4096):
            chunks.append(chunk)
        os.close(self.outcome)
        if chunks:
            raise ChildProcessError(b"".join(chunks).decode(errors="replace"))


def start(plan: Plan) -> Reply:
    """Carry out a plan. Never raises: a failure is a reply with its reason, and leaves no process."""
    pid = 0
    try:
        entered = cgroups.enter(plan.limits)
        make_disk(plan)
        go_read, go = os.pipe()
        origin = _Origin(os.getpid(), os.pidfd_open(os.getpid()))
        unshare(CLONE_NEWPID)
        init = _fork(lambda _: _become_init(plan, origin, go_read), closing=[go])
        pid = init.pid
        _make_fifo(plan.release)
        record = records.Record(
            plan.id,
            plan.boot,
            pid,
            records.birth(pid) or 0,
            records.host_boot(),
            records.STARTING,
            entered,
            plan.leave_network,
        )
        records.write(plan.record, record)
        _give_up_power()
        with suppress(BrokenPipeError):
            os.write(go, b"1")
        init.check()
        records.write(plan.record, replace(record, state=records.RUNNING))
        return Reply(plan.token, plan.id, pid, record.born)
    except Exception as error:
        _abandon(plan, pid)
        return Reply(plan.token, plan.id, reason=str(error) or type(error).__name__)


def _fork(body: Callable[[int], None], closing: Sequence[int]) -> _Child:
    """Run ``body`` in a child, which inherits all but the descriptors in ``closing``."""
    outcome, tell = os.pipe()
    pid = os.fork()
    if not pid:
        _run_child(body, tell, [outcome, *closing])
    os.close(tell)
    return _Child(pid, outcome)


def _run_child(body: Callable[[int], None], tell: int, closing: Sequence[int]) -> NoReturn:
    try:
        for fd in closing:
            os.close(fd)
        body(tell)
    except BaseException as error:
        os.write(tell, (str(error) or type(error).__name__).encode())
        os._exit(1)
    os._exit(0)


def _make_fifo(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
    os.mkfifo(path, 0o600)


def _give_up_power() -> None:
    """Be in new namespaces. What is left to do needs no more than to own the run-time directory."""
    unshare(CLONE_NEWUSER | _HELD)
    # User namespaces open more of the kernel to root inside than an instance needs: allow it none of its own.
    _write("/proc/sys/user/max_user_namespaces", "0")


def _join(plan: Plan, origin: _Origin) -> int:
    """Map the new user namespace's ids, join all the others, and return that one's descriptor."""
    ids = IdRange(plan.id_base, plan.id_count)
    _write(f"/proc/{origin.pid}/uid_map", ids.map_line)
    _write(f"/proc/{origin.pid}/gid_map", ids.map_line)
    user_namespace_fd = os.open(f"/proc/{origin.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    setns(origin.pidfd, _HELD)
    os.close(origin.pidfd)
    set_hostname(plan.hostname)
    _prepare_network(plan.leave_network)
    return user_namespace_fd


def _prepare_network(leave: bool) -> None:
    """What a fresh network namespace needs before its first interface comes."""
    for name, value in (_NETWORK_DEFAULTS | (_ASKS if leave else _NOTHING_IS_LEARNED)).items():
        with suppress(FileNotFoundError):  # a kernel without IPv6
            _write(f"/proc/sys/net/{name}", value)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as anything:
        fcntl.ioctl(anything, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def _become_init(plan: Plan, origin: _Origin, go: int) -> None:
    """The sandbox's pid 1, from the agent's power to executing init."""
    die_with_parent(signal.SIGKILL)
    if not os.read(go, 1):  # the setup process died, or failed, before its record and its namespaces were there
        os._exit(1)
    user_namespace_fd = _join(plan, origin)
    os.setsid()
    join_new_keyring()
    release = os.open(plan.release, os.O_RDWR | os.O_CLOEXEC)
    console = open_console(plan)
    unshare(CLONE_NEWNS)  # here, not before: pivot_root moves every process of the mount namespace
    build(plan, user_namespace_fd)
    for fd, number in ((release, 0), (console, 1), (console, 2)):
        os.dup2(fd, number)
    become_root_inside(user_namespace_fd)
    furnish(plan)
    _execute_init()


def _execute_init() -> None:
    """Standard input is the release FIFO, output and errors are the console; nothing else stays open."""
    prepare_exec(3)
    # The change of user took it back anyway; said here because it matters: init outlives the setup process.
    die_with_parent(0)
    os.execve("/bin/sh", ["init", INIT], ENVIRONMENT)


def _abandon(plan: Plan, pid: int) -> None:
    """Leave nothing of a failed start but its disk."""
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
    with suppress(FileNotFoundError):
        os.unlink(plan.record)


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode("ascii"))
    finally:
        os.close(fd)
