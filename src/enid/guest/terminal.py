"""Runs a terminal session across the border of a sandbox: bytes between the user's terminal and one made inside.

The user's own terminal is never handed in: a process inside could push keystrokes into it that the user's shell
would then execute.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import termios
import tty
from types import FrameType

_TIOCSPTLCK, _TIOCGPTN = 0x40045431, 0x80045430
"""Unlock a terminal; ask for its number. The termios module lacks both."""


def open_inside(channel: socket.socket) -> None:
    """In the child, inside: make a terminal there, become its session leader, send its master end home."""
    master = os.open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(master, _TIOCSPTLCK, b"\0\0\0\0")
    number = int.from_bytes(fcntl.ioctl(master, _TIOCGPTN, b"\0\0\0\0"), "little")
    slave = os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    socket.send_fds(channel, [b"t"], [master])
    for fd in (0, 1, 2):
        os.dup2(slave, fd)


def receive(channel: socket.socket) -> int | None:
    """In the parent: the master end, or None when the child failed first."""
    _, fds, _, _ = socket.recv_fds(channel, 1, 1)
    return fds[0] if fds else None


def relay(master: int) -> None:
    """Copy both ways until the session ends; the user's terminal is raw meanwhile and as before afterwards."""
    before = termios.tcgetattr(0)
    _copy_size(master)
    old_handler = signal.signal(signal.SIGWINCH, lambda _signal, _frame: _copy_size(master))
    try:
        tty.setraw(0, termios.TCSANOW)
        _copy(master)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, old_handler)


def _copy_size(master: int, _frame: FrameType | None = None) -> None:
    size = fcntl.ioctl(0, termios.TIOCGWINSZ, b"\0" * 8)
    fcntl.ioctl(master, termios.TIOCSWINSZ, size)


def _copy(master: int) -> None:
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(master, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            try:
                data = os.read(fd, 65536)
            except OSError:  # EIO: the last process inside has closed its end
                return
            if not data and fd == master:
                return
            if not data:
                poll.unregister(0)
            elif fd == 0:
                _write_all(master, data)
            else:
                _write_all(1, data)


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
