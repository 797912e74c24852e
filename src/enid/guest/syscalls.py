"""The system calls a sandbox is made of that Python 3.11 has no name for.

Thin wrappers: arguments in, ``OSError`` out; nothing here decides anything. The spawner imports this module, so it
needs nothing but the standard library.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Collection

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 0x2

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_CAPABILITY_VERSION_3 = 0x20080522
_PR_SET_CHILD_SUBREAPER = 36
_KEYCTL_JOIN_SESSION_KEYRING = 1
_OPEN_TREE_CLONE = 0x1
_AT_EMPTY_PATH = 0x1000
_MOVE_MOUNT_F_EMPTY_PATH = 0x4
_MOVE_MOUNT_T_EMPTY_PATH = 0x40
_MOUNT_ATTR_IDMAP = 0x00100000
_CLOSE_RANGE_CLOEXEC = 0x4
_TFD_CLOEXEC_NONBLOCK = os.O_CLOEXEC | os.O_NONBLOCK

# Numbers from 424 on are the same everywhere; the two older ones are not.
_OPEN_TREE, _MOVE_MOUNT, _CLOSE_RANGE, _MOUNT_SETATTR = 428, 429, 436, 442
_PIVOT_ROOT, _KEYCTL = {"x86_64": (155, 250), "aarch64": (41, 219), "riscv64": (41, 219)}.get(
    platform.machine(), (-1, -1)
)

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _call(number: int, what: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    if number < 0:
        raise OSError(errno.ENOSYS, f"{what}: enid does not know this machine's system calls ({platform.machine()})")
    converted = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return _checked(_libc.syscall(ctypes.c_long(number), *converted), what)


def unshare(flags: int) -> None:
    """Leave the namespaces named by ``CLONE_NEW…`` flags for new ones."""
    _checked(_libc.unshare(flags), "unshare")


def setns(fd: int, kinds: int) -> None:
    """Join a namespace (``fd`` of a namespace file) or several of a process (``fd`` a pidfd, Linux 5.8)."""
    _checked(_libc.setns(fd, kinds), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    texts = [text.encode() if text else None for text in (source, target, kind)]
    result = _libc.mount(*texts, ctypes.c_ulong(flags), data.encode() if data else None)
    _checked(result, f"mount {kind or 'bind'} on {target}")


def unmount(target: str) -> None:
    """Detach a mount and everything below it."""
    _checked(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def pivot_root(new_root: str, old_root: str) -> None:
    """pivot_root(2)."""
    _call(_PIVOT_ROOT, "pivot_root", new_root.encode(), old_root.encode())


def clone_mount(path: str) -> int:
    """A detached copy of the mount at ``path`` (without what is mounted below it), as a descriptor."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC
    return _call(_OPEN_TREE, f"open_tree {path}", -100, path.encode(), flags)


def map_mount_ids(mount_fd: int, user_namespace_fd: int) -> None:
    """Show a detached mount's owners through a user namespace's id map (Linux 5.12; not every file system can)."""
    attributes = ctypes.create_string_buffer(struct.pack("=QQQQ", _MOUNT_ATTR_IDMAP, 0, 0, user_namespace_fd))
    _call(_MOUNT_SETATTR, "mount_setattr", mount_fd, b"", _AT_EMPTY_PATH, attributes, 32)


def attach_mount(mount_fd: int, target_fd: int) -> None:
    """Attach a detached mount to the directory (or file) that ``target_fd`` is."""
    flags = _MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_T_EMPTY_PATH
    _call(_MOVE_MOUNT, "move_mount", mount_fd, b"", target_fd, b"", flags)


def set_hostname(name: str) -> None:
    """Name the UTS namespace the caller is in."""
    encoded = name.encode()
    _checked(_libc.sethostname(encoded, ctypes.c_size_t(len(encoded))), "sethostname")


def die_with_parent(signal_number: int) -> None:
    """Get a signal when the parent ends; 0 takes it back. A change of user id takes it back as well."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")


def become_subreaper() -> None:
    """Adopt descendants whose parents die."""
    _checked(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl(PR_SET_CHILD_SUBREAPER)")


def bound_capabilities(kept: Collection[int]) -> None:
    """Give up all capabilities but these for good: nothing that is executed can have them again. It ends at the first
    that cannot be given up: past the last one this kernel knows, or not allowed, and then there is none to give up."""
    for capability in range(64):
        if capability not in kept and _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break


def join_new_keyring() -> None:
    """An own session keyring, so that the starter's keys are out of reach. Kernels without keys have none to hide."""
    try:
        _call(_KEYCTL, "keyctl", _KEYCTL_JOIN_SESSION_KEYRING, None)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM):
            raise


def close_on_exec_from(first_fd: int) -> None:
    """Mark every descriptor from ``first_fd`` on as close-on-exec (Linux 5.11)."""
    _call(_CLOSE_RANGE, "close_range", first_fd, 0xFFFFFFFF, _CLOSE_RANGE_CLOEXEC)


def timer() -> int:
    """A descriptor that becomes readable at the time :func:`arm` gives it (monotonic clock)."""
    return _checked(_libc.timerfd_create(1, _TFD_CLOEXEC_NONBLOCK), "timerfd_create")


def arm(timer_fd: int, seconds: float) -> None:
    """Let ``timer_fd`` become readable once, ``seconds`` from now; 0 disarms it."""
    whole = int(seconds)
    nanoseconds = int((seconds - whole) * 1e9)
    value = ctypes.create_string_buffer(struct.pack("@llll", 0, 0, whole, nanoseconds))
    _checked(_libc.timerfd_settime(timer_fd, 0, value, None), "timerfd_settime")


def set_capabilities(kept: Collection[int], inheritable: bool = False) -> None:
    """Have these capabilities and no other.

    :param inheritable: a program this process executes may have them, too.
    """
    bits = sum(1 << capability for capability in kept)
    passed = bits if inheritable else 0
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    halves = [word >> shift & 0xFFFFFFFF for shift in (0, 32) for word in (bits, bits, passed)]
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)(*halves)), "capset")


def no_new_privileges() -> None:
    """Whatever is executed, it gains nothing."""
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)")


def restrict(uid: int, kept: Collection[int]) -> None:
    """Become ``uid``, with these capabilities only, which what is executed next has, too, and nothing else."""
    _checked(_libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl(PR_SET_KEEPCAPS)")
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    set_capabilities(kept, inheritable=True)
    for capability in kept:
        _checked(_libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0), "prctl(PR_CAP_AMBIENT)")
    no_new_privileges()
