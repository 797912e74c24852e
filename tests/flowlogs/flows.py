"""What the tests of flow logs speak of: a log, an interface, packets."""

from __future__ import annotations

import struct
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from enid import flow_log_format
from enid.flowlogs.subjects import FlowLog, Interface

LOG = FlowLog("fl-1", "111111111111", "ALL", flow_log_format.DEFAULT, "s3", "traffic")
INTERFACE = Interface(
    id="eni-1",
    link="a1",
    account_id="111111111111",
    vpc_id="vpc-1",
    subnet_id="subnet-1",
    zone_id="use1-az1",
    instance_id="i-1",
    addresses=tuple(ip_address(text).packed for text in ("10.0.1.5", "10.0.1.99", "2001:db8::5", "2001:db8::6")),
    unlogged=frozenset((ip_address("10.0.0.2").packed,)),
    logs=(LOG,),
)


def log(**changes: Any) -> FlowLog:
    return replace(LOG, **changes)


def ipv4(
    source: str, destination: str, protocol: int, rest: bytes, *, options: bytes = b"", fragment: int = 0, size: int = 0
) -> bytes:
    """A packet; ``size`` when it is said to be longer than what is given of it."""
    head = 20 + len(options)
    ends = ip_address(source).packed + ip_address(destination).packed
    length = size or head + len(rest)
    first = struct.pack("!BBHHHBBH", 0x40 | head >> 2, 0, length, 1, fragment, 64, protocol, 0)
    return first + ends + options + rest


def ipv6(source: str, destination: str, following: int, rest: bytes) -> bytes:
    """``rest`` begins with what ``following`` names: an extension or the payload."""
    ends = ip_address(source).packed + ip_address(destination).packed
    return struct.pack("!IHBB", 6 << 28, len(rest), following, 64) + ends + rest


def udp(source: int, destination: int, payload: bytes = b"") -> bytes:
    return struct.pack("!HHHH", source, destination, 8 + len(payload), 0) + payload


def tcp(source: int, destination: int, flags: int, options: bytes = b"", payload: bytes = b"") -> bytes:
    words = 5 + len(options) // 4
    return struct.pack("!HHIIBBHHH", source, destination, 1, 2, words << 4, flags, 100, 0, 0) + options + payload
