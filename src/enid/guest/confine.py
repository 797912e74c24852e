"""Turns a process that has the agent's power into one with no more than root of a sandbox has.

Shared by the sandbox's init and by every process that enters later, so that both are confined alike. The last step
before executing what the instance's owner chose; needs no more than the standard library.
"""

from __future__ import annotations

import os
import resource
import signal

from enid.guest.syscalls import CLONE_NEWUSER, bound_capabilities, close_on_exec_from, setns

KEPT_CAPABILITIES = frozenset(
    {
        0,  # CAP_CHOWN
        1,  # CAP_DAC_OVERRIDE
        3,  # CAP_FOWNER
        4,  # CAP_FSETID
        5,  # CAP_KILL
        6,  # CAP_SETGID
        7,  # CAP_SETUID
        8,  # CAP_SETPCAP
        10,  # CAP_NET_BIND_SERVICE
        12,  # CAP_NET_ADMIN: its network namespace is its own
        13,  # CAP_NET_RAW
        18,  # CAP_SYS_CHROOT
        29,  # CAP_AUDIT_WRITE
        31,  # CAP_SETFCAP
    }
)
"""Root's capabilities inside, all of them valid in the sandbox's user namespace only. Absent above all: SYS_ADMIN
(mounts, namespaces), SYS_MODULE, SYS_PTRACE, SYS_RAWIO, SYS_BOOT, SYS_TIME, SYS_RESOURCE (would lift the limit on
nested user namespaces), MKNOD, SYSLOG, BPF, PERFMON, DAC_READ_SEARCH (opens files by handle)."""

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "SHELL": "/bin/sh",
    "LANG": "C.UTF-8",
    "container": "enid",
}
"""All a process inside inherits."""

_OPEN_FILES = 1024


def become_root_inside(user_namespace_fd: int) -> None:
    """Join the sandbox's user namespace as its root, with :data:`KEPT_CAPABILITIES` left for whatever is executed."""
    setns(user_namespace_fd, CLONE_NEWUSER)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    bound_capabilities(KEPT_CAPABILITIES)


def prepare_exec(first_closed_fd: int) -> None:
    """Undo what Python or the agent changed in this process and close every descriptor from ``first_closed_fd`` on
    when the next program is executed."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.umask(0o022)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_OPEN_FILES, hard), hard))
    close_on_exec_from(first_closed_fd)
