"""The way into a sandbox (``enid exec``), into any pinned network namespace (a site's), and the way to crash one.

A process that enters is confined exactly as the sandbox's init is: same namespaces, cgroup, capabilities, environment,
and nothing of the caller's but its standard streams. Works without the agent, from the run-time records alone. An
ordinary user's sandboxes live in the user namespace of his agent; its pid is in ``run_dir/agent.pid``.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from enid.guest import cgroups, records, terminal
from enid.guest.confine import ENVIRONMENT, become_root_inside, prepare_exec
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
    setns,
)

_NAMESPACES = CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP | CLONE_NEWPID | CLONE_NEWNS
_CANNOT_ENTER = 125
_CANNOT_EXECUTE = 126
_NOT_FOUND = 127


class NotRunning(RuntimeError):
    """No sandbox of that id runs here, or no agent."""


def enter(run_dir: Path, instance_id: str, argv: Sequence[str]) -> int:
    """Run ``argv`` inside as root; its exit status (128 + signal; 125 … 127 when it could not be run).

    With a terminal of its own when standard input is one. Raises :class:`NotRunning`.
    """
    record = _record(run_dir, instance_id)
    ours, theirs = socket.socketpair()
    interactive = os.isatty(0) and os.isatty(1)
    child = os.fork()
    if not child:
        ours.close()
        _exit_with(lambda: _go_inside(run_dir, record, argv, theirs if interactive else None))
    theirs.close()
    with ours:
        master = terminal.receive(ours) if interactive else None
        if master is not None:
            terminal.relay(master)
        return _status(child)


def exec_in_namespace(run_dir: Path, namespace: Path, argv: Sequence[str]) -> int:
    """Run ``argv`` in the network namespace pinned at ``namespace``, otherwise on the host as the agent's user.

    For what is no instance: a site, the internet. Returns and raises as :func:`enter` does.
    """
    if not _agent_or_self(run_dir, namespace):
        raise NotRunning(f"no network namespace is pinned at {namespace}")
    child = os.fork()
    if not child:
        _exit_with(lambda: _go_into_network(run_dir, namespace, argv))
    return _status(child)


def crash(run_dir: Path, instance_id: str) -> None:
    """Kill a sandbox as failing hardware would: the agent is not told. Raises :class:`NotRunning`."""
    record = _record(run_dir, instance_id)
    pidfd = os.pidfd_open(record.pid)
    try:
        if records.birth(record.pid) == record.born:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    finally:
        os.close(pidfd)


def _record(run_dir: Path, instance_id: str) -> records.Record:
    record = records.read(records.path_of(run_dir, instance_id))
    if record is None or record.state != records.RUNNING or not record.alive:
        raise NotRunning(f"{instance_id} does not run here")
    return record


def _agent_or_self(run_dir: Path, namespace: Path) -> bool:
    """Pins of an ordinary user's agent can be seen from inside its mount namespace only."""
    return namespace.exists() or (run_dir / "agent.pid").exists()


def _go_inside(run_dir: Path, record: records.Record, argv: Sequence[str], channel: socket.socket | None) -> int:
    """In a child: join everything, then run the command in a grandchild, which alone is in the pid namespace."""
    _join_agent(run_dir)
    die_with_parent(signal.SIGKILL)  # whoever ends `enid exec` ends the command
    cgroups.join(record.cgroups)
    init = os.pidfd_open(record.pid)
    user_namespace_fd = os.open(f"/proc/{record.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    if records.birth(record.pid) != record.born:
        raise NotRunning(f"{record.id} has just ended")
    setns(init, _NAMESPACES)
    grandchild = os.fork()
    if not grandchild:
        _exit_with(lambda: _execute_inside(user_namespace_fd, argv, channel))
    if channel is not None:
        channel.close()
    return _status(grandchild)


def _execute_inside(user_namespace_fd: int, argv: Sequence[str], channel: socket.socket | None) -> int:
    os.setsid()
    join_new_keyring()
    become_root_inside(user_namespace_fd)
    environment = dict(ENVIRONMENT)
    if channel is not None:
        terminal.open_inside(channel)
        environment["TERM"] = os.environ.get("TERM", "dumb")
    else:
        die_with_parent(signal.SIGKILL)
    with suppress(OSError):
        os.chdir("/root")
    prepare_exec(3)
    return _execute(argv, environment)


def _go_into_network(run_dir: Path, namespace: Path, argv: Sequence[str]) -> int:
    _join_agent(run_dir)
    die_with_parent(signal.SIGKILL)
    namespace_fd = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    setns(namespace_fd, CLONE_NEWNET)
    return _execute(argv, dict(os.environ))


def _join_agent(run_dir: Path) -> None:
    """Become root of the user namespace the agent lives in, unless it is this one."""
    try:
        agent = int((run_dir / "agent.pid").read_text())
        theirs = os.stat(f"/proc/{agent}/ns/user").st_ino
    except (OSError, ValueError):
        return
    if theirs == os.stat("/proc/self/ns/user").st_ino:
        return
    pidfd = os.pidfd_open(agent)
    setns(pidfd, CLONE_NEWUSER | CLONE_NEWNS)
    os.close(pidfd)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def _execute(argv: Sequence[str], environment: dict[str, str]) -> int:
    try:
        os.execvpe(argv[0], list(argv), environment)
    except FileNotFoundError:
        print(f"enid: {argv[0]}: command not found", file=sys.stderr, flush=True)
        return _NOT_FOUND
    except OSError as error:
        print(f"enid: {argv[0]}: {error.strerror}", file=sys.stderr, flush=True)
        return _CANNOT_EXECUTE


def _exit_with(work: Callable[[], int]) -> NoReturn:
    """End this child with what ``work`` returns, whatever happens."""
    status = _CANNOT_ENTER
    try:
        status = work()
    except BaseException as error:
        print(f"enid: cannot enter: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)


def _status(child: int) -> int:
    """A child's exit status as a shell would tell it. A keyboard interrupt is the child's to handle."""
    while True:
        with suppress(KeyboardInterrupt):
            _, status = os.waitpid(child, 0)
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
