"""One strongSwan (its daemon is called charon): started, found again, ended.

It outlives who started it. Its directory says which process it is: a pid alone proves nothing after a while; pid, start
time and the host's boot id together do. The directory is written before it may run, and it does not run before.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NoReturn

from enid import whole_file
from enid.guest.records import birth, host_boot
from enid.vpn.confinement import become_strongswan
from enid.vpn.ends import End
from enid.vpn.strongswan import LOG, SOCKET, configuration
from enid.vpn.ways import Ways

START_TIMEOUT = 10.0
"""Seconds; it takes 60 ms on a quiet machine."""
_GRACE = 0.5
"""Seconds it has to take leave of its peers."""
_POLL = 0.005


@dataclass(frozen=True, slots=True)
class Record:
    """What a directory says."""

    pid: int
    born: int
    """Start time in clock ticks after the host's boot."""
    host_boot: str
    namespace: tuple[int, int]
    """Of its network: device and inode."""
    link: str = ""
    """The name of its link; empty: it has yet to start, or never did."""

    @property
    def alive(self) -> bool:
        return self.host_boot == host_boot() and birth(self.pid) == self.born


class Charon:
    """The one whose directory is ``directory``."""

    def __init__(self, directory: Path, record: Record) -> None:
        """:raises ProcessLookupError: it is not running."""
        self.directory = directory
        self.record = record
        self._pidfd = os.pidfd_open(record.pid)
        if not record.alive:
            os.close(self._pidfd)
            raise ProcessLookupError(f"{directory.name}: strongSwan is gone")

    def call(self) -> socket.socket:
        """A connection to its control socket, however long the path: a socket's name may have no more than 107 bytes.

        :raises OSError: it does not listen.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        directory = os.open(self.directory / "run", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            connection.connect(f"/proc/self/fd/{directory}/{SOCKET}")
        except OSError:
            connection.close()
            raise
        finally:
            os.close(directory)
        return connection

    @property
    def listens(self) -> bool:
        with suppress(OSError):
            self.call().close()
            return True
        return False

    @property
    def alive(self) -> bool:
        return not select.select([self._pidfd], [], [], 0)[0]

    def end(self, grace: float = _GRACE) -> None:
        """Its peers are told, if there is time; then nothing of it is left."""
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, START_TIMEOUT)):
            if patience:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._pidfd, number)
                if select.select([self._pidfd], [], [], patience)[0]:
                    break
        with suppress(ChildProcessError):  # the child of a process before this one: who adopted it reaps it
            os.waitpid(self.record.pid, 0)
        self.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def close(self) -> None:
        """It goes on."""
        os.close(self._pidfd)


def find(directory: Path, namespace: int) -> Charon | None:
    """The one that runs there; one that is in another network than that of the descriptor, or has not started whole, is
    ended."""
    try:
        record = _read(directory)
        charon = Charon(directory, record)
    except (OSError, ValueError, TypeError):
        shutil.rmtree(directory, ignore_errors=True)
        return None
    if record.link and record.namespace == _identity(namespace):
        return charon
    charon.end(grace=0)
    return None


def end_all(vpn_dir: Path, but: Collection[str] = ()) -> None:
    """Whatever runs, without taking leave.

    :param but: the names of directories to leave alone.
    """
    for directory in vpn_dir.iterdir() if vpn_dir.exists() else ():
        if directory.name not in but:
            with suppress(OSError, ValueError, TypeError):
                Charon(directory, _read(directory)).end(grace=0)
            shutil.rmtree(directory, ignore_errors=True)


def start(end: End, directory: Path, namespace: int, ways: Ways, uid: int) -> Charon:
    """Start the end's in the network namespace of this descriptor, and wait until it listens.

    :raises OSError: it did not start, and nothing is left of it.
    """
    before = ways.tunnels()
    shutil.rmtree(directory, ignore_errors=True)
    (directory / "run").mkdir(parents=True, mode=0o700)
    os.chown(directory / "run", uid, uid)
    charon = _spawn(end, directory, namespace, uid)
    try:
        link = _await(charon, before, ways)
    except OSError:
        charon.end(grace=0)
        raise
    charon.record = replace(charon.record, link=link)
    _write(directory, charon.record)
    return charon


def _spawn(end: End, directory: Path, namespace: int, uid: int) -> Charon:
    told, tell = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(tell)
        _wait_and_become(end, directory, namespace, uid, told)
    os.close(told)
    try:
        record = Record(pid, birth(pid) or 0, host_boot(), _identity(namespace))
        _write(directory, record)
        charon = Charon(directory, record)
        os.write(tell, b"!")
    except OSError:
        os.close(tell)
        os.waitpid(pid, 0)
        raise
    os.close(tell)
    return charon


def _wait_and_become(end: End, directory: Path, namespace: int, uid: int, told: int) -> NoReturn:
    try:
        if os.read(told, 1):  # otherwise who started us died before it wrote who we are
            become_strongswan(namespace, directory, configuration(end), uid)
    except BaseException as error:
        with suppress(OSError):
            (directory / "failure").write_text(str(error) or type(error).__name__)
    finally:
        os._exit(1)


def _await(charon: Charon, before: set[str], ways: Ways) -> str:
    """The name of its link, once it is there and somebody listens."""
    deadline = time.monotonic() + START_TIMEOUT
    while charon.alive and time.monotonic() < deadline:
        new = ways.tunnels() - before
        if new and charon.listens:
            return min(new)
        time.sleep(_POLL)
    raise OSError(f"{charon.directory.name}: strongSwan did not start: {_complaint(charon.directory)}")


def _complaint(directory: Path) -> str:
    for path in (directory / "failure", directory / "run" / LOG):
        with suppress(OSError):
            return path.read_text(errors="replace").strip().rpartition("\n")[2][:200]
    return "it said nothing"


def _identity(namespace: int) -> tuple[int, int]:
    found = os.fstat(namespace)
    return found.st_dev, found.st_ino


def _read(directory: Path) -> Record:
    fields = json.loads((directory / "record.json").read_text())
    return Record(**{**fields, "namespace": tuple(fields["namespace"])})


def _write(directory: Path, record: Record) -> None:
    whole_file.write(directory / "record.json", json.dumps(asdict(record)).encode())
