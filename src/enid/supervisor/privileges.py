"""Who reads what others send holds no privilege: before the first byte it gives all of them up, for good."""

from __future__ import annotations

import ctypes
import os
import pwd

from enid.guest.syscalls import bound_capabilities, no_new_privileges, set_capabilities
from enid.settings import Settings

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_CHILD_SUBREAPER = 36
FALLBACK_UID = 64_773
"""The API's user where the system has no user ``enid``; a uid needs no entry in /etc/passwd."""
VPN_UID = 64_774
"""strongSwan's."""


FLOW_LOGS = frozenset((1, 12, 21))
"""What flow logs take: CAP_SYS_ADMIN to enter a router's namespace, CAP_NET_ADMIN to hear packets there, and
CAP_DAC_OVERRIDE because the store is the API's user's."""

VPN = frozenset((0, 1, 5, 6, 7, 8, 10, 12, 21, 27))
"""What starting strongSwan takes: SYS_ADMIN, MKNOD and CHOWN to make what it sees, SETUID, SETGID, SETPCAP and KILL
since it is somebody else, NET_ADMIN and NET_BIND_SERVICE, which it gets, and DAC_OVERRIDE for the store."""


def vpn_uid(settings: Settings) -> int:
    """Who strongSwan runs as; see :func:`api_uid`."""
    return os.geteuid() if settings.rootless or os.geteuid() != 0 else VPN_UID


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
    bound_capabilities(kept)
    if uid != os.geteuid():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    set_capabilities(kept)
    no_new_privileges()


def adopt_orphans() -> None:
    """Processes whose parent died come to this one: sandboxes outlive the agent and still find a reaper."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
