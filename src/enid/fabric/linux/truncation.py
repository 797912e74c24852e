"""The eBPF program that cuts copies of mirrored packets to length, where they leave wrapped in VXLAN. Pure.

Only here the headers in front of a copy are known, so any length will do; what they say about lengths is put right.
A copy's own headers are left as they were, as on AWS: whoever reads it sees how long the packet was.
"""

from __future__ import annotations

from enid.bpf.assembler import Assembler, Register

R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, _ = Register
_CONTINUE, _DROP = -1, 2
_CHECKSUM_REPLACE, _CHANGE_TAIL = 10, 38
# struct __sk_buff
_LENGTH, _DATA, _DATA_END = 0, 76, 80
_ETHERNET, _IP, _UDP, _VXLAN = 14, 20, 8, 8
WRAPPING = _IP + _UDP + _VXLAN
"""Bytes of headers in front of a copy that count for the MTU."""
_IP_LENGTH, _IP_CHECKSUM, _UDP_LENGTH = _ETHERNET + 2, _ETHERNET + 10, _ETHERNET + _IP + 4


def program(length: int) -> Assembler:
    """:param length: most bytes of a copy, from its Ethernet header on."""
    whole = _ETHERNET + WRAPPING + length
    a = Assembler()
    a.do("=", R6, R1)
    a.load(4, R2, R6, _LENGTH)
    a.jump_if(R2, "<=", whole, "pass")
    a.do("=", R1, R6)
    a.do("=", R2, whole)
    a.do("=", R3, 0)
    a.call(_CHANGE_TAIL)
    a.jump_if(R0, "!=", 0, "drop")
    a.load(4, R7, R6, _DATA)
    a.load(4, R8, R6, _DATA_END)
    a.do("=", R2, R7)
    a.do("+", R2, _ETHERNET + _IP + _UDP)
    a.jump_if(R2, ">", R8, "drop")
    a.load(2, R3, R7, _IP_LENGTH)
    a.do("=", R4, _network_order(WRAPPING + length))
    a.store(2, R7, _IP_LENGTH, R4)
    a.do("=", R5, _network_order(_UDP + _VXLAN + length))
    a.store(2, R7, _UDP_LENGTH, R5)
    a.do("=", R1, R6)
    a.do("=", R2, _IP_CHECKSUM)
    a.do("=", R5, 2)
    a.call(_CHECKSUM_REPLACE)
    a.jump_if(R0, "!=", 0, "drop")
    a.label("pass")
    a.do("=", R0, _CONTINUE)
    a.exit()
    a.label("drop")
    a.do("=", R0, _DROP)
    a.exit()
    return a


def _network_order(value: int) -> int:
    """A two-byte field as a load sees it."""
    return int.from_bytes(value.to_bytes(2, "big"), "little")
