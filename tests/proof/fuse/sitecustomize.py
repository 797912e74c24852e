"""Lets a test have enid's agent or API die at its n-th step: Python loads this first where PYTHONPATH names its folder.

A step is whatever leaves something outside the process, once before it is done and once after: a batch of netlink
messages, a commit of the store, a namespace, a program's map, a sandbox. Steps are counted in a file of the role's that
is mapped into memory (:mod:`fuses`); the step at which the number there reaches zero is the last. Nothing of this is
in enid itself.
"""

from __future__ import annotations

import functools
import mmap
import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_THREE = struct.Struct("=qqq")
_counting = threading.Lock()


def _role() -> str:
    arguments = sys.orig_argv
    return arguments[arguments.index("enid.supervisor") + 1] if "enid.supervisor" in arguments else ""


def _mapped(path: Path) -> mmap.mmap:
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), _THREE.size)


def _counter(memory: mmap.mmap) -> Callable[[], None]:
    def step() -> None:
        with _counting:
            left, passed, slow = _THREE.unpack_from(memory)
            last = left == 1
            _THREE.pack_into(memory, 0, -1 if last else left - (left > 0), passed + 1, slow)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)

    return step


def _around(step: Callable[[], None], owner: Any, name: str) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def stepping(*arguments: Any, **named: Any) -> Any:
        step()
        result = original(*arguments, **named)
        step()
        return result

    setattr(owner, name, stepping)


def _agent(step: Callable[[], None]) -> None:
    from enid.bpf import syscall
    from enid.guest.launcher import Launcher
    from enid.guest.sandboxes import Sandboxes
    from enid.netlink import namespaces
    from enid.netlink.socket import NetlinkSocket
    from enid.store.writers import _Shared

    steps = [(NetlinkSocket, "_transmit"), (_Shared, "end"), (namespaces, "new_pinned"), (namespaces, "unpin")]
    steps += [(syscall.Map, "put"), (syscall.Map, "remove"), (Launcher, "start"), (Sandboxes, "release")]
    steps += [(Sandboxes, "_kill_watched"), (Sandboxes, "_discard_disk")]
    for owner, name in steps:
        _around(step, owner, name)


def _api(step: Callable[[], None]) -> None:
    from enid.store import journal
    from enid.store.writers import _Shared
    from enid.wire.dispatch import Dispatcher

    for owner, name in ((_Shared, "end"), (journal, "wake"), (Dispatcher, "answer")):
        _around(step, owner, name)


def _slow_disk(memory: mmap.mmap) -> None:
    """Each commit waits as many milliseconds as the third number says."""
    from enid.store.writers import _Shared

    end = _Shared.end

    def slowly(self: Any) -> None:
        time.sleep(_THREE.unpack_from(memory)[2] / 1000)
        end(self)

    _Shared.end = slowly  # type: ignore[method-assign]


def _supervise() -> None:
    """Children die often here, and are waited for: no longer pauses. They are forks, and get their fuse then."""
    from enid.supervisor import roles, supervise

    run = roles.run

    def with_fuse(role: str, *arguments: Any) -> int:
        _lay(role)
        return run(role, *arguments)

    roles.run = with_fuse

    start_again = supervise.Supervisor._start_again

    def at_once(self: Any, child: Any, code: int) -> None:
        child.pause = supervise.RESTART_PAUSE
        start_again(self, child, code)

    supervise.Supervisor._start_again = at_once  # type: ignore[method-assign]


def _lay(role: str) -> None:
    folder = os.environ.get("ENID_TEST_FUSES")
    if not folder:
        return
    if role == "supervise":
        _supervise()
    elif role in ("agent", "api"):
        memory = _mapped(Path(folder, role))
        _slow_disk(memory)
        {"agent": _agent, "api": _api}[role](_counter(memory))


_lay(_role())
