"""Makes one sandbox: the work of the process the spawner forks for a start.

Three processes take part. The *setup* process (this one) has the agent's power. A short-lived *holder* unshares the
user, network, UTS, IPC and cgroup namespaces, so that these belong to the sandbox's user namespace. The *init to be*
joins them, gets a mount and a pid namespace that belong to the agent's user namespace, builds the file system, gives up its power and
executes init. Until init is announced all of them die with the spawner; what might survive is in a record.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from enid.guest import records
from enid.guest.cgroups import enter as enter_cgroups
from enid.guest.confine import ENVIRONMENT, become_root_inside, prepare_exec
from enid.guest.furnish import furnish
from enid.guest.ids import IdRange
from enid.guest.plan import Plan, Reply
from enid.guest.rootfs import build
from enid.guest.syscalls import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    die_with_parent,
    join_new_keyring,
    set_hostname,
    setns,
    unshare,
)

INIT = "/etc/enid-init"
"""The init script inside; comes with the image."""

_HELD = CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP
_CONSOLE_KEPT = 65536
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1
_RELEASE_FD = 3


def start(plan: Plan) -> Reply:
    """Carry out a plan. Never raises: a failure is a reply with a reason, and leaves no process."""
    pid = 0
    try:
        die_with_parent(signal.SIGKILL)
        cgroups = enter_cgroups(plan.limits)
        _make_disk(plan)
        holder, held, release_holder = _fork(lambda ready: _hold(ready))
        user_namespace_fd = _adopt_namespaces(plan, holder, held)
        unshare(CLONE_NEWNS | CLONE_NEWPID)
        go_read, go = os.pipe()
        pid, failure, _ = _fork(lambda ready: _become_init(plan, user_namespace_fd, go_read, go), pipe_back=False)
        born = records.birth(pid)
        if born is None:
            raise ChildProcessError("the sandbox's first process died at once")
        record = records.Record(
            plan.id, plan.boot, pid, born, records.host_boot(), records.STARTING, cgroups
        )
        records.write(plan.record, record)
        os.write(go, b"1")
        os.close(release_holder)
        reason = _read_all(failure)
        if reason:
            raise ChildProcessError(reason.decode(errors="replace"))
        records.write(plan.record, replace(record, state=records.RUNNING))
        return Reply(plan.token, plan.id, pid, born)
    except Exception as error:
        _abandon(plan, pid)
        return Reply(plan.token, plan.id, reason=str(error) or type(error).__name__)
