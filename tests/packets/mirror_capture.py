"""What arrives at a traffic mirror target: VXLAN, unwrapped."""

from __future__ import annotations

import select
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from fabric_lab import Lab, checksum, until

from enid.topology.records import Port

VXLAN = 4789
_SO_RCVBUFFORCE = 33


@dataclass(frozen=True)
class Copy:
    """One mirrored packet."""

    sender: str
    """Of the wrapping."""
    network: int
    frame: bytes

    @property
    def macs(self) -> tuple[str, str]:
        """To, from."""
        return self.frame[:6].hex(":"), self.frame[6:12].hex(":")

    @property
    def version(self) -> int:
        return self.frame[14] >> 4

    @property
    def ends(self) -> tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address]:
        """From, to."""
        size, start = (4, 26) if self.version == 4 else (16, 22)
        first, second = (self.frame[start + place : start + place + size] for place in (0, size))
        return ip_address(first), ip_address(second)

    @property
    def protocol(self) -> int:
        return self.frame[23 if self.version == 4 else 20]

    @property
    def transport(self) -> bytes:
        return self.frame[34 if self.version == 4 else 54 :]

    @property
    def ports(self) -> tuple[int, int]:
        return struct.unpack("!HH", self.transport[:4])

    @property
    def payload(self) -> bytes:
        """Of UDP."""
        return self.transport[8:]

    def sums_up(self) -> bool:
        """The checksum of TCP or UDP is right, as on a wire."""
        source, destination = self.ends
        pseudo = source.packed + destination.packed + struct.pack("!II", len(self.transport), self.protocol)
        data = pseudo + self.transport
        return checksum(data + bytes(len(data) % 2)) == b"\0\0"


class Capture:
    """A target that listens: every copy so far."""

    def __init__(self, lab: Lab, target: Port) -> None:
        self._socket = lab.guest(target).udp(target.addresses[0], VXLAN)
        with suppress(PermissionError):  # in a user namespace
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
        self.copies: list[Copy] = []

    def read(self) -> list[Copy]:
        while select.select([self._socket], [], [], 0)[0]:
            data, (sender, _) = self._socket.recvfrom(65536)
            flags, network = struct.unpack("!II", data[:8])
            assert flags == 0x08000000, "a VXLAN header with a network"
            self.copies.append(Copy(sender, network >> 8, data[8:]))
        return self.copies

    def payloads(self) -> list[bytes]:
        """Of UDP, in the order they came."""
        return [copy.payload for copy in self.read() if copy.protocol == 17]

    def hears(self, *payloads: bytes) -> None:
        """These, and nothing else before the last of them."""
        until(lambda: len(self.payloads()) >= len(payloads), f"{payloads} are copied")
        assert self.payloads() == list(payloads)

    def clear(self) -> None:
        self.read()
        self.copies = []
