"""The world of :mod:`forgery_world` made real: an ear at every interface, behind every service, and on the internet.

Guests are bare: they have no addresses, so nothing in them answers. What comes out of an interface is the data plane's.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from fabric_lab import Guest
from forgery_world import CAFE, PORTS, records

from enid.fabric.linux import LinuxFabric, names
from enid.fabric.linux.listeners import open_listeners
from enid.netlink import namespaces, sysctl
from enid.netlink.message import hardware
from enid.services import links
from enid.settings import Settings
from enid.topology.records import Change, Port
from packets import marked

WIRE = "site cafe"
"""Stands for an interface: where a host on the internet sends and hears."""
_ALL, _IGNORE_OUTGOING, _SOL_PACKET = 3, 23, 263
_FORCED_ROOM = 33
_IPV4, _IPV6, _ICMP6 = b"\x08\x00", b"\x86\xdd", 58
_ERRORS = (3, 4, 5, 11, 12)
_MLD = (143, 131, 132)


def services(vpc_id: str) -> str:
    """Stands for an interface: where a VPC's services hear."""
    return f"services of {vpc_id}"


@dataclass
class Heard:
    """What came out since the ears were emptied."""

    probes: set[tuple[int, str]] = field(default_factory=set)
    """(number, where)."""
    strays: list[tuple[str, bytes]] = field(default_factory=list)
    """Frames that are no probe's: what the router, or the internet, itself has to say."""
    callers: list[tuple[int, str, str]] = field(default_factory=list)
    """(number, whose services, source address) of each datagram that reached a service."""
    connections: list[str] = field(default_factory=list)
    """Services that somebody connected to."""

    def add(self, more: Heard) -> None:
        self.probes |= more.probes
        self.strays += more.strays
        self.callers += more.callers
        self.connections += more.connections


class ForgeryLab:
    """:param accelerator: as the setting."""

    def __init__(self, directory: Path, accelerator: str) -> None:
        settings = Settings(run_dir=directory, state_dir=directory, host_route=False, accelerator=accelerator)  # type: ignore[arg-type]
        self._guests: dict[str, Guest] = {}
        self._pins = settings.run_dir / "netns"
        self.fabric = LinuxFabric(settings, self._guest)
        self._mouths: dict[str, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._services: list[socket.socket] = []
        try:
            assert self.fabric.apply([Change(None, record) for record in records()]) == {}
            self._listen()
        except BaseException:
            self.close()
            raise

    def _guest(self, id_: str) -> Guest:
        if id_ not in self._guests:
            guest = self._guests[id_] = Guest()
            sysctl.write(guest.namespace, {f"net/ipv6/conf/{what}/disable_ipv6": 1 for what in ("all", "default")})
        return self._guests[id_]

    def _listen(self) -> None:
        for port in PORTS:
            self._hear_frames(port.id, self._guests[port.instance_id].namespace, port.device)
        cafe = namespaces.open_pinned(self._pins / names.site_pin(CAFE.id))
        assert cafe is not None
        self._guests[WIRE] = Guest(cafe)
        self._hear_frames(WIRE, cafe, names.INTERNET)
        for vpc_id, namespace in self.fabric.routers().items():
            opened_there = open_listeners(namespace)
            self._services += opened_there
            metadata, datagrams, streams, *asked, _ = opened_there
            leases, *by_link = asked
            read_by = {_connection: (metadata, streams), _call: (datagrams, leases), _call_by_link: by_link}
            for opened, read in ((each, read) for read, several in read_by.items() for each in several):
                self._selector.register(opened, selectors.EVENT_READ, (services(vpc_id), read))

    def _hear_frames(self, where: str, namespace: int, device: str) -> None:
        made = namespaces.run_in(namespace, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        self._mouths[where] = made
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, _FORCED_ROOM, 64 << 20)
        made.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
        made.bind((device, _ALL))
        self._selector.register(made, selectors.EVENT_READ, (where, _frame))

    def send(self, frames: Iterable[tuple[str, bytes]]) -> None:
        """Frames, each from an interface."""
        for where, frame in frames:
            with suppress(BlockingIOError):
                self._mouths[where].send(frame)

    def hear(self, hoped: set[tuple[int, str]], quiet: float = 0.01, patience: float = 2.0) -> Heard:
        """What comes until it has been quiet, and all that is hoped for is there or patience ends."""
        heard, deadline = Heard(), time.monotonic() + patience
        while True:
            ready = self._selector.select(quiet)
            for key, _ in ready:
                where, read = key.data
                while read(heard, where, key.fileobj):  # type: ignore[arg-type]
                    pass
            if not ready and (hoped <= heard.probes or time.monotonic() > deadline):
                return heard

    def close(self) -> None:
        for opened in (*self._mouths.values(), *self._services):
            opened.close()
        self._selector.close()
        self.fabric.destroy()
        for guest in self._guests.values():
            guest.close()


def site_macs() -> bytes:
    """The Ethernet addresses of a frame from the site to the internet."""
    link = names.site_link(CAFE.id)
    return hardware(names.wire_mac(link, "upper")) + hardware(names.wire_mac(link, "lower"))


def _frame(heard: Heard, where: str, opened: socket.socket) -> bool:
    try:
        frame = opened.recv(9100)
    except BlockingIOError:
        return False
    number = marked(frame)
    if number is not None and not _is_error(frame):
        heard.probes.add((number, where))
    elif not _is_membership_report(frame):
        heard.strays.append((where, frame))
    return True


def _is_error(frame: bytes) -> bool:
    """An ICMP error, or a redirect: it may quote a probe."""
    kind, inner = frame[12:14], 14 + (frame[14] & 15) * 4
    return (kind == _IPV4 and frame[23] == 1 and frame[inner] in _ERRORS) or (
        kind == _IPV6 and frame[20] == _ICMP6 and (frame[54] < 128 or frame[54] == 137)
    )


def _is_membership_report(frame: bytes) -> bool:
    """The kernel tells its links which multicast addresses it has, whenever it likes."""
    return frame[12:14] == _IPV6 and frame[20] == 0 and frame[54] == _ICMP6 and frame[62] in _MLD


def _call(heard: Heard, where: str, opened: socket.socket) -> bool:
    try:
        data, (host, *_) = opened.recvfrom(2048)
    except BlockingIOError:
        return False
    number = marked(data)
    heard.callers.append((-1 if number is None else number, where, str(host).removeprefix("::ffff:")))
    return True


def _call_by_link(heard: Heard, where: str, opened: socket.socket) -> bool:
    """Whoever asks is who is at that link, whatever the packet says."""
    try:
        data, told, *_ = opened.recvmsg(2048, 100)
    except BlockingIOError:
        return False
    link = links.find(opened, int.from_bytes(told[0][2][16:20], "little"))
    port = next(each for each in PORTS if link and each.attachment_id.endswith(link.attachment))
    number = marked(data)
    heard.callers.append((-1 if number is None else number, where, str(port.addresses[0])))
    return True


def _connection(heard: Heard, where: str, opened: socket.socket) -> bool:
    try:
        accepted, _ = opened.accept()
    except BlockingIOError:
        return False
    accepted.close()
    heard.connections.append(where)
    return True


@cache
def owner(address: str, vpc_id: str) -> Port | None:
    """Whose address it is in a VPC."""
    wanted = ip_address(address)
    for port in PORTS:
        if port.vpc_id == vpc_id and (
            wanted in port.addresses
            or any(wanted.version == prefix.version and wanted in prefix for prefix in port.prefixes)
        ):
            return port
    return None
