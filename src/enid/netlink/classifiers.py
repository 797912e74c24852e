"""rtnetlink messages that put an eBPF program at a link's entrance or exit (tc's clsact and its filter). Pure."""

from __future__ import annotations

import struct

from enid.netlink.message import CREATE, REPLACE, message, nested, text, u32

NEW_QDISC = _NEWQDISC = 36
NEW_FILTER = _NEWFILTER = 44
_DELQDISC = 37
_HEADER = struct.Struct("=BxxxiIII")
_CLSACT = 0xFFFFFFF1
_CLSACT_HANDLE = 0xFFFF0000
_INGRESS, _EGRESS = 0xFFFFFFF2, 0xFFFFFFF3
_KIND, _OPTIONS = 1, 2
_BPF_FD, _BPF_NAME, _BPF_FLAGS = 6, 7, 8
_DIRECT_ACTION = 1
_PRIORITY = 1
_ALL_PROTOCOLS = 0x0300
"""ETH_P_ALL, as it is on the wire."""
_FILTER_HANDLE = 1


def add_clsact(device: int) -> bytes:
    """Give link ``device`` a place for filters; no-op when it has one."""
    return message(_NEWQDISC, CREATE, _HEADER.pack(0, device, _CLSACT_HANDLE, _CLSACT, 0), text(_KIND, "clsact"))


def delete_clsact(device: int) -> bytes:
    """Take it away, with what is in it. ENOENT or EINVAL: there was none."""
    return message(_DELQDISC, 0, _HEADER.pack(0, device, _CLSACT_HANDLE, _CLSACT, 0), text(_KIND, "clsact"))


def set_ingress(device: int, program: int, name: str) -> bytes:
    """What comes in by the link goes through the program (a descriptor), in place of an older one: no packet passes in
    between."""
    return _set(_INGRESS, device, program, name)


def set_egress(device: int, program: int, name: str) -> bytes:
    """The same for what goes out by the link."""
    return _set(_EGRESS, device, program, name)


def _set(side: int, device: int, program: int, name: str) -> bytes:
    return message(
        _NEWFILTER,
        CREATE | REPLACE,
        _HEADER.pack(0, device, _FILTER_HANDLE, side, _PRIORITY << 16 | _ALL_PROTOCOLS),
        text(_KIND, "bpf"),
        nested(_OPTIONS, u32(_BPF_FD, program), text(_BPF_NAME, name), u32(_BPF_FLAGS, _DIRECT_ACTION)),
    )


def device_of(body: bytes) -> int:
    """The index of the link a message tells of."""
    return int(_HEADER.unpack_from(body)[1])
