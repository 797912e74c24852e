"""What strongSwan may do and see. It reads what anybody on enid's internet sends it.

It can configure the network namespace it is in, and has no other right. It sees the host's ``/usr``, read-only, two or
three devices, and a directory of its own. As real root's it is a user of its own; in a user namespace it is that
namespace's root in name only. Runs in a forked child, which ends or becomes strongSwan.
"""

from __future__ import annotations

import os
import resource
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from enid.guest.confine import prepare_exec
from enid.guest.syscalls import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWUTS,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    bound_capabilities,
    join_new_keyring,
    mount,
    pivot_root,
    restrict,
    setns,
    unmount,
    unshare,
)
from enid.vpn.strongswan import PROGRAM

KEPT = frozenset((10, 12))
"""CAP_NET_BIND_SERVICE, for IKE's ports, which it gives up once it listens; CAP_NET_ADMIN: its link, its routes."""
_DEVICES = ("null", "random", "urandom")
_TUN = "net/tun"
_LINKS = ("bin", "sbin", "lib", "lib64")
_LOADER_CACHE = Path("/etc/ld.so.cache")


def become_strongswan(namespace: int, directory: Path, configuration: str, uid: int) -> NoReturn:
    """Execute it in the network namespace of this descriptor, as ``uid``; ``directory`` is its ``/run``.

    :raises OSError: it could not be confined, and was not executed.
    """
    os.setsid()
    join_new_keyring()
    setns(namespace, CLONE_NEWNET)
    unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS)
    _see_nothing_but(directory, configuration, uid)
    _keep_nothing_but_the_network(uid)
    prepare_exec(3)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.execve(PROGRAM, [PROGRAM], {"PATH": "/usr/sbin:/usr/bin"})


def _see_nothing_but(directory: Path, configuration: str, uid: int) -> None:
    mount("", "/", flags=MS_REC | MS_PRIVATE)
    root = str(directory / "root")
    os.mkdir(root)
    mount("tmpfs", root, "tmpfs", MS_NOSUID, "mode=755,size=1m")
    for name in ("usr", "etc", "run", "dev/net", "old"):
        os.makedirs(f"{root}/{name}")
    for name in _LINKS:
        os.symlink(f"usr/{name}", f"{root}/{name}")
    _bind("/usr", f"{root}/usr", MS_RDONLY)
    _bind(str(directory / "run"), f"{root}/run", MS_NOEXEC)
    Path(f"{root}/etc/strongswan.conf").write_text(configuration)
    if _LOADER_CACHE.exists():
        shutil.copy(_LOADER_CACHE, f"{root}/etc")
    _make_devices(f"{root}/dev")
    os.chdir(root)
    pivot_root(".", "old")
    unmount("/old")
    os.rmdir("/old")
    mount("", "/", flags=MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC)
    os.chdir("/")


def _bind(source: str, target: str, flags: int) -> None:
    mount(source, target, flags=MS_BIND)
    with suppress(PermissionError):  # a user namespace may not change every mount; but it owns nothing there either
        mount("", target, flags=MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | flags)


def _make_devices(dev: str) -> None:
    for name in _DEVICES:
        Path(f"{dev}/{name}").touch()
        mount(f"/dev/{name}", f"{dev}/{name}", flags=MS_BIND)
    try:  # real root's: one that strongSwan's user may open
        os.mknod(f"{dev}/{_TUN}", stat.S_IFCHR | 0o600, os.stat(f"/dev/{_TUN}").st_rdev)
        os.chmod(f"{dev}/{_TUN}", 0o666)
    except PermissionError:
        Path(f"{dev}/{_TUN}").touch()
        mount(f"/dev/{_TUN}", f"{dev}/{_TUN}", flags=MS_BIND)


def _keep_nothing_but_the_network(uid: int) -> None:
    bound_capabilities(KEPT)
    restrict(uid, KEPT)
