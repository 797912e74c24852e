"""Network namespaces: enter one for the length of a function, make one, pin one to a path, open a pinned one.

A thread changes namespace for itself alone, so a throw-away thread does it and the process never moves. Pins are bind
mounts, as ``ip netns`` makes them, but below a directory of the caller's: see :func:`prepare`.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_NS_GET_NSTYPE = 0xB703
_MS_BIND = 4096
_MS_PRIVATE = 1 << 18
_MNT_DETACH = 2


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


class _Errand(Generic[T]):
    """A function run in a thread that ends with it."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._error: BaseException | None = None
        self._result: T

    def _run(self) -> None:
        try:
            self._result = self._function()
        except BaseException as error:
            self._error = error

    def result(self) -> T:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        thread.join()
        if self._error is not None:
            raise self._error
        return self._result


def run_in(namespace: int, function: Callable[[], T]) -> T:
    """``function()``, run by a thread inside the network namespace of this descriptor; its errors are raised."""

    def inside() -> T:
        _check(_libc.setns(namespace, _CLONE_NEWNET), "setns")
        return function()

    return _Errand(inside).result()


def new() -> int:
    """A descriptor of a fresh network namespace that lives as long as somebody holds it."""

    def inside() -> int:
        _check(_libc.unshare(_CLONE_NEWNET), "unshare")
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    return _Errand(inside).result()


def prepare(directory: Path) -> None:
    """Make ``directory``, for nobody else to look into, a private mount point of its own: pins below it reach no other
    mount namespace.

    On most systems / is shared; without this every container would get a copy of each pin, and a namespace would
    outlive its unpinning for as long as one of them ran.
    """
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    if os.path.ismount(directory) or _is_mount(directory):
        return
    place = os.fsencode(directory)
    _check(_libc.mount(place, place, None, _MS_BIND, None), f"bind mount of {directory}")
    _check(_libc.mount(None, place, None, _MS_PRIVATE, None), f"making {directory} private")


def _is_mount(path: Path) -> bool:
    """A bind mount on the same file system is invisible to :func:`os.path.ismount`."""
    wanted = str(path.resolve())
    with open("/proc/self/mountinfo") as table:
        return any(line.split(" ", 5)[4] == wanted for line in table)


def pin(namespace: int, path: Path) -> None:
    """Pin the namespace of an open descriptor, in place of whatever is at ``path``."""
    unpin(path)
    path.touch()

    def inside() -> None:
        _check(_libc.mount(b"/proc/thread-self/ns/net", os.fsencode(path), None, _MS_BIND, None), f"pinning {path}")

    run_in(namespace, inside)


def is_pinned(namespace: int, path: Path) -> bool:
    """Whether it is this namespace that is pinned at ``path``."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(namespace))
    except OSError:
        return False


def new_pinned(path: Path) -> int:
    """A fresh network namespace pinned at ``path``; answers an open descriptor of it. An older pin there is undone."""
    unpin(path)
    path.touch()

    def inside() -> int:
        _check(_libc.unshare(_CLONE_NEWNET), "unshare")
        _check(_libc.mount(b"/proc/thread-self/ns/net", os.fsencode(path), None, _MS_BIND, None), f"pinning {path}")
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    return _Errand(inside).result()


def open_pinned(path: Path) -> int | None:
    """A descriptor of the network namespace pinned at ``path``, or None when none is."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    if is_network_namespace(descriptor):
        return descriptor
    os.close(descriptor)
    return None


def is_network_namespace(descriptor: int) -> bool:
    try:
        return fcntl.ioctl(descriptor, _NS_GET_NSTYPE) == _CLONE_NEWNET
    except OSError:
        return False


def unpin(path: Path) -> None:
    """Undo a pin; the namespace dies when nothing else holds it. No-op when there is none."""
    if not path.exists():
        return
    while _libc.umount2(os.fsencode(path), _MNT_DETACH) == 0:
        pass
    path.unlink()


def discard(directory: Path) -> None:
    """Undo :func:`prepare` (after every pin below is gone)."""
    if not directory.exists():
        return
    while _libc.umount2(os.fsencode(directory), _MNT_DETACH) == 0:
        pass
    directory.rmdir()
