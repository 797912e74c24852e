"""Builds a sandbox's file system and makes it all the process can see.

Runs in the sandbox's pid 1 while that still has the agent's power, in a mount namespace that the *agent's* user
namespace owns: therefore root inside can mount, unmount and remount nothing. Every mount point on the instance's disk
is opened by descriptor and without following symbolic links, because the instance's root wrote that disk.
"""

from __future__ import annotations

import os

from enid.guest.plan import Plan, Tree
from enid.guest.syscalls import (
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    attach_mount,
    clone_mount,
    map_mount_ids,
    mount,
    pivot_root,
    unmount,
)

_SAFE = MS_NOSUID | MS_NODEV | MS_NOEXEC
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "net/tun")
_TTY_GROUP = 5

_HIDDEN_FILES = ("kcore", "keys", "latency_stats", "sched_debug", "sysrq-trigger", "timer_list")
_HIDDEN_DIRECTORIES = ("/proc/acpi", "/proc/scsi", "/sys/firmware", "/sys/kernel/debug", "/sys/kernel/security")
_READ_ONLY = ("bus", "fs", "irq", "sys")
_NOT_ITS_OWN = ("/proc/sys/net/netfilter/nf_hooks_lwtunnel",)
"""Below the instance's own, and yet the whole host's: any network's root can switch it on, and nobody off again."""


def build(plan: Plan, user_namespace_fd: int) -> None:
    """Mount everything, make it ``/`` and forget the host's file system."""
    mount("", "/", flags=MS_REC | MS_PRIVATE)
    root = f"{plan.scratch}/root"
    for tree in plan.trees:
        _mount_tree(plan, tree, _mount_point(root, tree.target) if tree.target else root, user_namespace_fd)
    mount("proc", _mount_point(root, "proc"), "proc", _SAFE)
    _mount_sys(_mount_point(root, "sys"))
    owner = f"uid={plan.id_base},gid={plan.id_base}"
    mount("tmpfs", _mount_point(root, "run"), "tmpfs", MS_NOSUID | MS_NODEV, f"mode=755,size=64m,{owner}")
    _mount_dev(plan, root, owner)
    os.chdir(root)
    pivot_root(".", ".")
    unmount(".")
    os.chdir("/")
    _hide()


def _mount_point(root: str, name: str) -> str:
    """A path to ``root/name`` that cannot lead anywhere else. The descriptor stays open until init is executed."""
    root_fd = os.open(root, _DIRECTORY | os.O_CLOEXEC)
    try:
        return f"/proc/self/fd/{os.open(name, _DIRECTORY | os.O_CLOEXEC, dir_fd=root_fd)}"
    except OSError as error:
        raise OSError(error.errno, f"the instance's disk has no directory /{name}: {error.strerror}") from error
    finally:
        os.close(root_fd)


def _mount_tree(plan: Plan, tree: Tree, target: str, user_namespace_fd: int) -> None:
    """An overlay over ``tree.lower``. Layers are named by descriptor: no path needs quoting, none shows inside."""
    name = tree.target or "root"
    lower = _show_as(tree.lower, f"{plan.scratch}/{name}-lower", user_namespace_fd) if tree.idmapped else tree.lower
    directories = (lower, f"{plan.disk}/{name}/upper", f"{plan.disk}/{name}/work")
    fds = [os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for directory in directories]
    options = "lowerdir=/proc/self/fd/{},upperdir=/proc/self/fd/{},workdir=/proc/self/fd/{},index=off".format(*fds)
    if plan.xattr_option:
        options += f",{plan.xattr_option}"
    try:
        mount("overlay", target, "overlay", MS_NODEV, options)
    except OSError:
        if not tree.target:
            raise
        mount(lower, target, flags=MS_BIND | MS_REC)
        mount("", target, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV)
    finally:
        for fd in fds:
            os.close(fd)


def _show_as(directory: str, spot: str, user_namespace_fd: int) -> str:
    """Mount ``directory`` at ``spot`` with its owners seen through the instance's id map."""
    mount_fd = clone_mount(directory)
    map_mount_ids(mount_fd, user_namespace_fd)
    _attach(mount_fd, spot)
    return spot


def _attach(mount_fd: int, path: str) -> None:
    target_fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    attach_mount(mount_fd, target_fd)
    os.close(target_fd)
    os.close(mount_fd)


def _mount_sys(target: str) -> None:
    """The network namespace's own /sys, read-only. Inside some containers none may be mounted: then it is empty."""
    try:
        mount("sysfs", target, "sysfs", _SAFE | MS_RDONLY)
    except PermissionError:
        mount("tmpfs", target, "tmpfs", _SAFE | MS_RDONLY, "mode=555")


def _mount_dev(plan: Plan, root: str, owner: str) -> None:
    """A /dev of harmless devices, each bound from the host's (a user namespace may not make nodes)."""
    devices = [(name, clone_mount(f"/dev/{name}")) for name in _DEVICES if os.path.exists(f"/dev/{name}")]
    mount("tmpfs", _mount_point(root, "dev"), "tmpfs", MS_NOSUID | MS_NOEXEC, f"mode=755,size=1m,{owner}")
    # From here on root/dev is the tmpfs just mounted, so plain paths below it are safe.
    for name, mount_fd in devices:
        os.makedirs(os.path.dirname(f"{root}/dev/{name}"), exist_ok=True)
        os.close(os.open(f"{root}/dev/{name}", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666))
        _attach(mount_fd, f"{root}/dev/{name}")
    os.mkdir(f"{root}/dev/pts")
    tty_group = plan.id_base + _TTY_GROUP
    terminals = f"newinstance,ptmxmode=0666,mode=0620,gid={tty_group}"
    mount("devpts", f"{root}/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, terminals)
    os.mkdir(f"{root}/dev/shm")
    shared = f"mode=1777,size={plan.shm_mib}m,{owner}"
    mount("tmpfs", f"{root}/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, shared)


def _hide() -> None:
    """Put what is the host's in /proc and /sys out of reach; only /proc/sys/net, the instance's own, is writable."""
    for name in _HIDDEN_FILES:
        if os.path.exists(f"/proc/{name}"):
            mount("/dev/null", f"/proc/{name}", flags=MS_BIND)
    for name in _READ_ONLY:
        mount(f"/proc/{name}", f"/proc/{name}", flags=MS_BIND)
        if name == "sys":
            mount("/proc/sys/net", "/proc/sys/net", flags=MS_BIND)
        mount("", f"/proc/{name}", flags=MS_REMOUNT | MS_BIND | MS_RDONLY | _SAFE)
    for path in _NOT_ITS_OWN:
        if os.path.exists(path):
            mount("/dev/null", path, flags=MS_BIND)
    for directory in _HIDDEN_DIRECTORIES:
        if os.path.isdir(directory):
            mount("tmpfs", directory, "tmpfs", _SAFE | MS_RDONLY, "mode=000")
