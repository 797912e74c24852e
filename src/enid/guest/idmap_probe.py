"""Finds out whether a directory's mounts can show their owners through an id map (idmapped mounts).

That depends on the kernel, on the file system and on being real root; trying is the only reliable answer.
"""

from __future__ import annotations

import os

from enid.guest.ids import private_range
from enid.guest.syscalls import CLONE_NEWUSER, clone_mount, map_mount_ids, unshare


def supported(directory: str) -> bool:
    """Try it on a detached copy of the mount, which vanishes again. Forks: call it in a single-threaded process."""
    ready, tell = os.pipe()
    done, finish = os.pipe()
    holder = os.fork()
    if not holder:
        try:
            os.close(finish)
            unshare(CLONE_NEWUSER)
            os.write(tell, b"1")
            os.read(done, 1)
        finally:
            os._exit(0)
    os.close(tell)
    try:
        return bool(os.read(ready, 1)) and _try(directory, holder)
    finally:
        os.close(finish)
        os.waitpid(holder, 0)


def _try(directory: str, holder: int) -> bool:
    try:
        for kind in ("uid", "gid"):
            with open(f"/proc/{holder}/{kind}_map", "w", encoding="ascii") as file:
                file.write(private_range(0).map_line)
        user_namespace = os.open(f"/proc/{holder}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        mount_fd = clone_mount(directory)
    except OSError:
        return False
    try:
        map_mount_ids(mount_fd, user_namespace)
    except OSError:
        return False
    finally:
        os.close(user_namespace)
        os.close(mount_fd)
    return True
