"""Router advertisements (RFC 4861, 4.2). Pure.

As AWS: the router is a default router, addresses are had by DHCPv6 (the *managed* flag), and no prefix is one to make
addresses of. Nor is one on the link: everybody else is behind the router.
"""

from __future__ import annotations

import struct

_SOLICITATION, _ADVERTISEMENT = 133, 134
_MANAGED = 0x80
_HOPS_UNSPECIFIED = 0
_SOURCE_LINK = bytes((1, 1))


def is_solicitation(data: bytes) -> bool:
    return len(data) >= 8 and data[0] == _SOLICITATION


def advertisement(mac: bytes, seconds: int) -> bytes:
    """An ICMPv6 message without its checksum.

    :param mac: the router's.
    :param seconds: for which it is a default router.
    """
    head = struct.pack("!BBHBBHII", _ADVERTISEMENT, 0, 0, _HOPS_UNSPECIFIED, _MANAGED, seconds, 0, 0)
    return head + _SOURCE_LINK + mac
