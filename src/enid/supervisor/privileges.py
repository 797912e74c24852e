"""The API holds no privilege: before it reads its first byte it gives all of them up, for good."""

from __future__ import annotations

import ctypes
import os
import pwd

from enid.settings import Settings

_libc = ctypes.CDLL(None, use_errno=True)
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_CHILD_SUBREAPER = 36
_CAPABILITY_VERSION_3 = 0x20080522
FALLBACK_UID = 64_773
"""The API's user where the system has no user ``enid``; a uid needs no entry in /etc/passwd."""


def api_uid(settings: Settings) -> int:
    """Who the API runs as: ``enid``, as real root; itself, without capabilities, in a user namespace or as a user."""
    if settings.rootless or os.geteuid() != 0:
        return os.geteuid()
    try:
        return pwd.getpwnam("enid").pw_uid
    except KeyError:
        return FALLBACK_UID


def give_up(uid: int) -> None:
    """Become ``uid`` with no capability, none to be had again by any program this process may run.

    :raises OSError: it did not work; the process must not go on.
    """
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # past the last one this kernel knows, or not allowed: then there is none to give up
    if uid != os.geteuid():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if _libc.capset(header, nothing) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS)")


def adopt_orphans() -> None:
    """Processes whose parent died come to this one: sandboxes outlive the agent and still find a reaper."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
