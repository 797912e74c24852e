"""The supervisor's own loop: its children, started again when they die. They are forks of it, which has loaded all that
they need: so a child that died is back at once."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import structlog
from sqlalchemy.exc import SQLAlchemyError

from enid import whole_file
from enid.settings import PROCESSES, Settings
from enid.supervisor import roles
from enid.supervisor.bootstrap import clear_run_dir, prepare
from enid.supervisor.control import port_problem, port_remedy, running, title
from enid.supervisor.forked import Forked
from enid.supervisor.privileges import adopt_orphans
from enid.supervisor.rootless import RootlessError, enter

log = structlog.get_logger()

READY_TIMEOUT = 120.0
RESTART_PAUSE = 0.05
"""Seconds before the next start of a child that died soon, doubled while it goes on like that; one that lived longer is
started at once."""
SHORT_LIFE = 2.0
"""Seconds: less is soon."""


@dataclass(slots=True)
class Child:
    """One of the processes."""

    role: str
    process: Forked
    started: float = field(default_factory=time.monotonic)
    pause: float = RESTART_PAUSE
    restarts: int = 0
    """How many came before it."""


class Supervisor:
    """Runs until SIGTERM or SIGINT, then takes the whole of enid down."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._children: dict[int, Child] = {}
        self._stopping = False

    def run(self, announce: int) -> int:
        """:param announce: a descriptor on which ``ready``, or an error as JSON, is written once."""
        self._news, news = socket.socketpair()
        news.setblocking(False)
        signal.set_wakeup_fd(news.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # the wake-up descriptor is what counts
        with os.fdopen(announce, "wb", buffering=0) as pipe:
            try:
                if self._settings.rootless and os.geteuid() != 0:
                    enter()
                _end_orphans(self._settings)
                if problem := port_problem(self._settings):
                    where = f"{self._settings.listen}:{self._settings.port}"
                    self._fail(pipe, f"{where}: {problem}; try {port_remedy(self._settings)}")
                    return 1
                prepare(self._settings)
                adopt_orphans()
                self._write_pid("supervisor", os.getpid())
                self._start_all()
                gc.enable()
                pipe.write(b"ready\n")
            except (OSError, RootlessError, RuntimeError, ValueError, SQLAlchemyError) as error:
                reason = getattr(error, "orig", None) or error  # the driver's own words, without the statement
                self._fail(pipe, str(reason).strip())
                self._take_down()
                return 1
        while not self._stopping:
            self._wait()
        self._take_down()
        return 0

    def _fail(self, pipe: IO[bytes], reason: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # whoever wanted enid up is gone: then nobody wants it
            pipe.write(json.dumps({"error": reason}).encode() + b"\n")

    def _stop(self, _number: int, _frame: object) -> None:
        self._stopping = True

    def _start_all(self) -> None:
        ready, write = os.pipe()
        roles.load_agent(self._settings)
        agent = self._spawn("agent", str(write), kept=(write,))
        os.close(write)
        roles.load_the_rest(self._settings)
        self._spawn("api")
        self._spawn("services")
        with os.fdopen(ready, "rb") as pipe:
            if pipe.read(1) != b"!":
                raise RuntimeError(f"the agent ended with {agent.process.wait()}")
        self._await_api()
        self._spawn("flow-logs")
        if self._settings.vpn == "ipsec":
            self._spawn("vpn")

    def _await_api(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT
        api = next(child for child in self._children.values() if child.role == "api")
        while time.monotonic() < deadline and api.process.poll() is None:
            try:
                socket.create_connection((self._settings.listen, self._settings.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError(f"the API does not answer on {self._settings.listen}:{self._settings.port}")

    def _spawn(self, role: str, *arguments: str, kept: tuple[int, ...] = (), restarts: int = 0) -> Child:
        self._write_number(self._settings.restarts(role), restarts)
        process = self._fork(role, *arguments, kept=kept)
        child = Child(role, process, restarts=restarts)
        self._children[process.pid] = child
        self._write_pid(role, process.pid)
        return child

    def _fork(self, role: str, *arguments: str, kept: tuple[int, ...] = ()) -> Forked:
        return Forked(title(role), lambda: roles.run(role, self._settings, *arguments), kept)

    def _write_pid(self, role: str, pid: int) -> None:
        self._write_number(self._settings.run_dir / f"{role}.pid", pid)

    def _write_number(self, path: Path, number: int) -> None:
        """For the API's user, too."""
        whole_file.write(path, f"{number}\n".encode(), 0o644)

    def _wait(self) -> None:
        """Sleep until a signal; reap whoever ended, adopted orphans too; start a child again."""
        self._news.recv(64)
        while not self._stopping:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is not None:
                self._start_again(child, os.waitstatus_to_exitcode(status))

    def _start_again(self, child: Child, code: int) -> None:
        child.process.ended(code)
        log.warning("ended, starting it again", process=child.role, code=code)
        lived = time.monotonic() - child.started
        if lived < SHORT_LIFE:
            time.sleep(child.pause)
        again = self._spawn(child.role, restarts=child.restarts + 1)
        again.pause = min(child.pause * 2, 5.0) if lived < SHORT_LIFE else RESTART_PAUSE

    def _take_down(self) -> None:
        for child in self._children.values():
            child.process.send(signal.SIGTERM)
        for child in self._children.values():
            try:
                child.process.wait(10)
            except TimeoutError:
                child.process.send(signal.SIGKILL)
        self._fork("teardown").wait()


def teardown(settings: Settings) -> None:
    """End every sandbox, remove every namespace and device, forget the run directory.

    Needs nothing but the run directory: also the processes of a supervisor that was killed are ended.
    """
    from enid.fabric.linux import LinuxFabric
    from enid.guest.sandboxes import Sandboxes
    from enid.vpn import charon

    _end_orphans(settings)
    charon.end_all(settings.vpn_dir)
    guests = Sandboxes(settings)
    for instance_id in (*guests.adopt(), *guests.lost()):
        guests.kill(instance_id)
    fabric = LinuxFabric(settings, guests.network)
    fabric.destroy()
    guests.close()
    clear_run_dir(settings.run_dir)


def _end_orphans(settings: Settings) -> None:
    """What a supervisor that was killed left running."""
    for role in PROCESSES:
        pid = running(settings, role)
        if pid is not None:
            _kill(pid)


def _kill(pid: int) -> None:
    descriptor = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        select.select([descriptor], [], [], 10)
    finally:
        os.close(descriptor)
