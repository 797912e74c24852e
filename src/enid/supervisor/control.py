"""What the command line calls: bring enid up in a process of its own, take it down."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

from enid.settings import Settings

SETTINGS = "ENID_SUPERVISOR_SETTINGS"
"""The environment variable by which a process of enid gets the settings of the one that started it."""
DOWN_TIMEOUT = 60.0


class UpError(Exception):
    """enid did not come up, or is up already; the sentence is for a person."""


_MODULE = "enid.supervisor"


def command(role: str, *arguments: str) -> list[str]:
    """The command line of one of enid's own processes."""
    return [sys.executable, "-m", _MODULE, role, *arguments]


def title(role: str) -> str:
    """What one that was forked is called."""
    return f"{_MODULE} {role}"


def environment(settings: Settings) -> dict[str, str]:
    """The environment of one of enid's own processes."""
    keep_environ = {"SPT_NOENV": "1"}  # for setproctitle: it would write the title over it
    return {**os.environ, **keep_environ, SETTINGS: settings.model_dump_json()}


def up(settings: Settings, detach: bool) -> int:
    """Start enid and wait until calls are answered and the network stands.

    In the foreground it returns when enid has been taken down (Ctrl-C, ``enid down``).

    :raises UpError: with what went wrong.
    """
    if running(settings):
        raise UpError(f"enid is up already (run directory {settings.run_dir}); `enid down` takes it down")
    if settings.vpn == "ipsec":
        _look_for_strongswan()
    log_file = settings.state_dir / "log" / "enid.log"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    ready, announce = os.pipe()
    with log_file.open("ab") as log:
        output = log if detach else None
        process = subprocess.Popen(
            command("supervise", str(announce), *(["detached"] if detach else [])),
            env=environment(settings),
            pass_fds=[announce],
            start_new_session=detach,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    os.close(announce)
    with os.fdopen(ready, "rb") as pipe:
        answer = pipe.readline()
    if answer.strip() != b"ready":
        process.wait()
        reason = json.loads(answer)["error"] if answer else "it ended at once"
        raise UpError(f"enid did not come up: {reason}" + (f" (see {log_file})" if detach else ""))
    return _in_foreground(process) if not detach else process.wait()


def _look_for_strongswan() -> None:
    from enid.vpn.strongswan import missing

    if lack := missing():
        raise UpError(f"VPN connections cannot be IPsec here: {lack}")


def _in_foreground(process: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The terminal sent it to the supervisor too, which is taking everything down.
            continue


def running(settings: Settings, role: str = "supervisor") -> int | None:
    """The pid of one of enid's processes, if it lives."""
    try:
        pid = int((settings.run_dir / f"{role}.pid").read_text())
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if _MODULE.encode() in arguments else None


def port_problem(settings: Settings) -> str:
    """Why the API cannot listen where it is to; empty when it can.

    Who only tried to connect would take another enid, of another user say, for this one.
    """
    with socket.socket(socket.AF_INET6 if ":" in settings.listen else socket.AF_INET) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((settings.listen, settings.port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def port_remedy(settings: Settings) -> str:
    """What helps then."""
    return f"enid up --port {settings.port + 1}, or see who has it: ss -ltnp 'sport = :{settings.port}'"


def down(settings: Settings) -> int:
    """End every process, remove every namespace; the store and the disks stay. 0, or 1 when enid was not up."""
    pid = running(settings)
    if pid is not None:
        _end(pid)
    elif not settings.run_dir.exists():
        return 1
    if not settings.run_dir.exists():
        return 0
    # The supervisor was killed, if only just now: what it left behind is found from the run directory alone.
    return subprocess.run(command("teardown"), env=environment(settings), check=False).returncode


def _end(supervisor: int) -> None:
    """And wait until it has taken everything down.

    :raises UpError: it did not.
    """
    try:
        descriptor = os.pidfd_open(supervisor)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        if not select.select([descriptor], [], [], DOWN_TIMEOUT)[0]:
            raise UpError(f"the supervisor (pid {supervisor}) did not end within {DOWN_TIMEOUT:.0f} seconds")
    finally:
        os.close(descriptor)
