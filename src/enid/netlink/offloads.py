"""What a link puts off: checksums, and cutting what a sender wrote in one piece into segments."""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct

from enid.netlink.namespaces import run_in

_SIOCETHTOOL = 0x8946
_SET_CHECKSUMS = 0x17
"""``ETHTOOL_STXCSUM``. Segmentation needs it, and goes with it."""


def do_without(namespace: int, link: str) -> None:
    """What leaves by the link is whole packets with their checksums, as on a wire.

    :raises OSError: there is no such link.
    """
    value = ctypes.create_string_buffer(struct.pack("=II", _SET_CHECKSUMS, 0))
    request = struct.pack("=16sQ16x", link.encode(), ctypes.addressof(value))

    def inside() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            fcntl.ioctl(asking, _SIOCETHTOOL, request)

    run_in(namespace, inside)
