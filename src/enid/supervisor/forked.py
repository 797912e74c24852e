"""A process that goes on from where this one is: what is loaded need not be loaded again, and is there only once.

Only for a process with a single thread.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from setproctitle import setproctitle


class Forked:
    """A child that does ``work`` and ends with what that returns, in a session of its own; its standard input is empty.

    :param title: what ``ps`` shows.
    :param kept: descriptors it keeps besides the standard ones.
    """

    def __init__(self, title: str, work: Callable[[], int], kept: Collection[int] = ()) -> None:
        gc.freeze()  # a collection would write to every page that is shared
        self._code: int | None = None
        # Until the child has put away the handlers of this process, which would take its signals for theirs.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self.pid = os.fork()
            if not self.pid:
                _go_on(title, work, kept, mask)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def ended(self, code: int) -> None:
        """Somebody else has waited for it."""
        self._code = code

    def poll(self) -> int | None:
        """How it ended (as :attr:`subprocess.Popen.returncode`), if it did."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """How it ended; waits for that. Raises TimeoutError."""
        while (code := self.poll()) is None:
            descriptor = os.pidfd_open(self.pid)
            try:
                if not select.select([descriptor], [], [], timeout)[0]:
                    raise TimeoutError
            finally:
                os.close(descriptor)
        return code

    def send(self, number: signal.Signals) -> None:
        """No-op when it has ended."""
        if self._code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _go_on(title: str, work: Callable[[], int], kept: Collection[int], mask: Collection[int]) -> NoReturn:
    code = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        _let_go_of_descriptors(kept)
        setproctitle(title)
        gc.enable()
        code = work()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else end.code is not None
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _let_go_of_descriptors(kept: Collection[int]) -> None:
    """Whoever holds them here is left alone: this process ends without looking at its caller's objects again."""
    for name in Path("/proc/self/fd").iterdir():
        if int(name.name) > 2 and int(name.name) not in kept:
            with suppress(OSError):
                os.close(int(name.name))
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    if empty:
        os.close(empty)
