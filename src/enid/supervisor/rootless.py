"""Everything enid needs of root, in a user namespace of an ordinary user: nothing of the host is touched."""

from __future__ import annotations

import ctypes
import getpass
import os
import shutil
import subprocess
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_MS_REC_PRIVATE = 0x4000 | 0x40000


class RootlessError(Exception):
    """What the machine lacks, and the command that mends it."""


def enter() -> None:
    """Become root of a new user namespace, with a mount namespace of its own.

    Needs ``newuidmap`` and a range of subordinate ids, because guests get uids that are not the user's own.

    :raises RootlessError: the machine lacks something.
    """
    uid, gid, user = os.geteuid(), os.getegid(), getpass.getuser()
    if shutil.which("newuidmap") is None:
        raise RootlessError("newuidmap is missing: `sudo apt-get install uidmap`")
    uids, gids = _range(Path("/etc/subuid"), user, uid), _range(Path("/etc/subgid"), user, uid)
    go, done = os.pipe(), os.pipe()
    mapper = os.fork()
    if mapper == 0:
        _map(os.getppid(), (uid, *uids), (gid, *gids), go, done)
    os.close(go[0])
    if _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS) != 0:
        raise RootlessError(
            "this kernel refuses user namespaces: `sudo sysctl -w kernel.unprivileged_userns_clone=1 "
            "user.max_user_namespaces=100000`"
        )
    os.write(go[1], b"!")
    os.close(go[1])
    os.close(done[1])
    with os.fdopen(done[0], "rb") as pipe:
        problem = pipe.read().decode()
    os.waitpid(mapper, 0)
    if problem:
        raise RootlessError(f"newuidmap failed: {problem}")
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    if _libc.mount(None, b"/", None, _MS_REC_PRIVATE, None) != 0:
        raise RootlessError("the mount namespace could not be made private")


def _range(path: Path, user: str, uid: int) -> tuple[int, int]:
    """First id and count of the user's subordinate range."""
    for line in path.read_text().splitlines() if path.exists() else ():
        owner, _, rest = line.partition(":")
        first, _, count = rest.partition(":")
        if owner in (user, str(uid)) and first.isdecimal() and count.isdecimal() and int(count) >= 65536:
            return int(first), int(count)
    raise RootlessError(
        f"{path} gives {user} no range of 65536 ids: "
        f"`sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}`"
    )


def _map(
    pid: int, uids: tuple[int, int, int], gids: tuple[int, int, int], go: tuple[int, int], done: tuple[int, int]
) -> None:
    """In the forked mapper, still outside: wait for the unshare, write the maps, say what failed, end."""
    os.close(go[1])
    problem = ""
    if os.read(go[0], 1):
        for tool, (own, first, count) in (("newuidmap", uids), ("newgidmap", gids)):
            arguments = [tool, str(pid), "0", str(own), "1", "1", str(first), str(count)]
            result = subprocess.run(arguments, capture_output=True, text=True, check=False)
            problem += result.stderr if result.returncode else ""
    os.write(done[1], problem.encode())
    os._exit(0)
