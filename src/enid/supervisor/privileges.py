"""Who reads what others send holds no privilege: before the first byte it gives all of them up, for good."""

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


FLOW_LOGS = frozenset((1, 12, 21))
"""What flow logs take: CAP_SYS_ADMIN to enter a router's namespace, CAP_NET_ADMIN to hear packets there, and
CAP_DAC_OVERRIDE because the store is the API's user's."""


def api_uid(settings: Settings) -> int:
    """Who the API runs as: ``enid``, as real root; itself, without capabilities, in a user namespace or as a user."""
    if settings.rootless or os.geteuid() != 0:
        return os.geteuid()
    try:
        return pwd.getpwnam("enid").pw_uid
    except KeyError:
        return FALLBACK_UID


def give_up(uid: int, kept: frozenset[int] = frozenset()) -> None:
    """Become ``uid`` with no capability, none to be had again by any program this process may run.

    :param kept: capabilities to keep; only who stays who he is can.
    :raises OSError: it did not work; the process must not go on.
    """
    for capability in range(64):
        if capability not in kept and _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # past the last one this kernel knows, or not allowed: then there is none to give up
    if uid != os.geteuid():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    bits = sum(1 << capability for capability in kept)
    sets = (ctypes.c_uint32 * 6)(bits, bits, 0, bits >> 32, bits >> 32, 0)  # effective, permitted, inheritable; twice
    if _libc.capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS)")


def adopt_orphans() -> None:
    """Processes whose parent died come to this one: sandboxes outlive the agent and still find a reaper."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
