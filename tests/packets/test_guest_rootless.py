"""Sandboxes of an ordinary user: the agent is root of nothing but a user namespace with subordinate ids.

The test plays ``newuidmap``: it runs the agent as a user nobody is, in a user namespace, and writes its id maps.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from guest_sandboxes import until

from entering import PROGRAM

pytestmark = pytest.mark.root

USER = 219_453
SUBORDINATE = 1_300_000_000

AGENT = """
import ctypes, os, select, sys
from pathlib import Path
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(4, 1, 0, 0, 0)
if libc.unshare(0x10000000 | 0x20000):
    sys.exit("no user namespaces here")
print("unshared", flush=True)
sys.stdin.readline()
os.setresgid(0, 0, 0)
os.setresuid(0, 0, 0)
from enid.guest.ids import NotEnoughIds
from enid.guest.interface import InstanceSpec
from enid.guest.sandboxes import Sandboxes
from enid.settings import Settings
home = Path(sys.argv[1])
settings = Settings(state_dir=home / "state", run_dir=home / "run", rootless=True)
settings.run_dir.mkdir(parents=True)
(settings.run_dir / "agent.pid").write_text(str(os.getpid()))
try:
    sandboxes = Sandboxes(settings)
except NotEnoughIds as error:
    print("told:", error, flush=True)
    sys.exit(3)
for name in ("i-one", "i-two"):
    sandboxes.start(InstanceSpec(name, 1, name, "ami-test", 1, 256, b"#!/bin/sh\\nid -u; echo done\\n"))
events = []
while len(events) < 2:
    select.select([sandboxes], [], [], 10)
    events += sandboxes.events()
for name in ("i-one", "i-two"):
    sandboxes.release(name)
print("told:", *(event.what + event.reason for event in events), flush=True)
sys.stdin.readline()
for name in ("i-one", "i-two"):
    sandboxes.delete(name)
while not sandboxes.idle:
    select.select([sandboxes], [], [], 10)
    sandboxes.events()
"""


def interpreter() -> str:
    """A Python the ordinary user can execute, of this one's version."""
    version = f"python3.{sys.version_info.minor}"
    for candidate in (os.path.realpath(sys.executable), shutil.which(version, path="/usr/bin:/usr/local/bin")):
        if candidate and can_execute(candidate):
            return candidate
    pytest.skip(f"no {version} that an ordinary user may execute")


def can_execute(path: str) -> bool:
    try:
        return subprocess.run([path, "-c", ""], user=USER, check=False, capture_output=True).returncode == 0
    except PermissionError:
        return False


@dataclass
class User:
    """An ordinary user, his home directory, and how he runs Python."""

    home: Path

    def popen(self, code: str, *arguments: str) -> subprocess.Popen[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "PYTHONDONTWRITEBYTECODE": "1"}
        environment["PYTHONPATH"] = ":".join(path for path in sys.path if path)
        return subprocess.Popen(
            [interpreter(), "-c", code, *arguments],
            user=USER,
            group=USER,
            extra_groups=[],
            env=environment,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def enter(self, instance_id: str, *argv: str) -> tuple[int, str, str]:
        """``enid exec`` from the user's own shell, outside of his namespace."""
        with self.popen(PROGRAM, str(self.home / "run"), instance_id, *argv) as process:
            out, err = process.communicate(timeout=15)
            return process.returncode, out, err

    def processes(self) -> list[int]:
        """Everything that runs under one of his ids."""
        return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _owner(path) in OWN]


OWN = {USER, *range(SUBORDINATE, SUBORDINATE + 65536)}


def _owner(process: Path) -> int:
    try:
        return process.stat().st_uid
    except OSError:
        return -1


@pytest.fixture
def user() -> Iterator[User]:
    home = Path(tempfile.mkdtemp(prefix="enid-rootless-"))
    os.chown(home, USER, USER)
    someone = User(home)
    try:
        yield someone
    finally:
        for pid in someone.processes():
            os.kill(pid, 9)
        until(lambda: not someone.processes(), "the end of all his processes")
        shutil.rmtree(home)


def run_agent(user: User, extents: str, during: Callable[[str], None]) -> int:
    """Run the agent with these id maps; ``during`` gets its line about the two starts."""
    with user.popen(AGENT, str(user.home)) as agent:
        assert agent.stdout.readline() == "unshared\n", agent.stderr.read()
        for kind in ("uid", "gid"):
            Path(f"/proc/{agent.pid}/{kind}_map").write_text(extents)
        agent.stdin.write("mapped\n")
        agent.stdin.flush()
        line = next((line for line in agent.stdout if line.startswith("told: ")), "")
        assert line, agent.stderr.read()
        during(line)
        agent.communicate("end\n", timeout=15)
        return agent.returncode


def test_an_ordinary_users_sandboxes(user: User) -> None:
    def during(line: str) -> None:
        assert line == "told: started started\n"
        console = user.home / "state/instances/i-one/console.log"
        until(lambda: "done" in console.read_text(), "user data")
        assert "\n0\n" in console.read_text()
        assert console.stat().st_uid == SUBORDINATE  # root inside is a subordinate id, never the user
        status, out, err = user.enter(
            "i-one", "sh", "-c", "id -u; hostname; touch /root/x /etc/x && echo wrote; exit 4"
        )
        assert (status, out) == (4, "0\ni-one\nwrote\n"), err
        assert user.enter("i-one", "cat", "/proc/self/uid_map")[1].split() == ["0", "1", "65536"]
        for attempt in ("mount -t tmpfs x /mnt", "umount /proc/sys", "unshare -r true", f"ls {user.home}", "ls /work"):
            assert user.enter("i-one", "sh", "-c", attempt)[0] != 0, attempt
        pids = user.enter("i-two", "sh", "-c", "echo /proc/[0-9]*")[1].split()
        assert len(pids) < 6

    assert run_agent(user, f"0 {USER} 1\n1 {SUBORDINATE} 65536\n", during) == 0
    until(lambda: not user.processes(), "the end of every sandbox")
    assert list((user.home / "state/instances").iterdir()) == []


def test_without_subordinate_ids_it_says_what_to_do(user: User) -> None:
    def during(line: str) -> None:
        assert "/etc/subuid" in line
        assert "newuidmap" in line

    assert run_agent(user, f"0 {USER} 1\n", during) == 3
