"""A fabric whose VPN connections are IPsec, with somebody to play both ends of one."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, ip_network
from pathlib import Path

from fabric_lab import Lab, group, port, table, vpc

from enid.netlink import namespaces
from enid.supervisor.privileges import VPN_UID
from enid.topology.blocks import ANYWHERE
from enid.topology.records import Route, Site, TargetKind, VpnLink
from enid.vpn import charon
from enid.vpn.ends import End, Tunnel
from enid.vpn.keeper import Stage
from enid.vpn.player import Player
from enid.vpn.ways import Ways

INSTANCE = port(5)
OFFICE = Site("office", IPv4Address("203.0.113.50"), ip_network("172.16.0.0/24"), IPv4Address("172.16.0.10"))
LINK = VpnLink(
    "vpn-0000000000000000a",
    "office",
    (ip_network("172.16.0.0/24"),),
    (IPv4Address("198.51.100.7"), IPv4Address("203.0.113.7")),
)
VPC = vpc(vpn=(LINK,))
TO_OFFICE = table(Route(ip_network("172.16.0.0/24"), TargetKind.VPN, LINK.id))
BOTH = {"tunnel-1": True, "tunnel-2": True}
_PATIENCE = 30.0
_ALL_FRAMES = 0x0003


def tunnels(side: int) -> tuple[Tunnel, ...]:
    """:param side: 1 the VPN gateway's, 2 the customer gateway's."""
    return tuple(
        Tunnel(f"tunnel-{number}", gateway, IPv4Interface(f"169.254.{10 + number}.{side}/30"), f"secret.of.{number}")
        for number, gateway in enumerate(LINK.outside, 1)
    )


GATEWAY = End(LINK.id, None, OFFICE.public_ip, tunnels(1), (ANYWHERE[4],))
SITE = End(LINK.id, "office", OFFICE.public_ip, tunnels(2), (ip_network("10.0.0.0/16"),), IPv4Address("172.16.0.10"))  # type: ignore[arg-type]


def wrong(end: End, *names: str) -> End:
    """With another key for these tunnels."""
    found = [replace(one, key="something.else") if one.name in names else one for one in end.tunnels]
    return replace(end, tunnels=tuple(found))


class VpnLab:
    """An instance, an office, a VPN connection between them, and players of its ends."""

    def __init__(self, directory: Path) -> None:
        self.lab = Lab(directory, vpn="ipsec")
        self.lab.apply(OFFICE, VPC, group(), TO_OFFICE, INSTANCE)
        self.instance = self.lab.guest(INSTANCE)
        self.office = self.lab.site("office")
        self.stages: dict[str, Stage] = {}
        self._ears: list[socket.socket] = []

    def play(self, *ends: End) -> list[Player]:
        """Somebody plays these ends, and nobody any more whom there was before; strongSwan goes on."""
        self.leave()
        found = [self._player(end) for end in ends]
        self.until(lambda: all(player.link for player in found), "strongSwan runs at every end")
        return found

    def _player(self, end: End) -> Player:
        if end.pin not in self.stages:
            path = self.lab.settings.run_dir / "netns" / end.pin
            namespace = namespaces.open_pinned(path)
            assert namespace is not None
            self.stages[end.pin] = Stage(path, namespace, Ways(namespace))
        stage = self.stages[end.pin]
        directory = self.lab.settings.vpn_dir / end.id
        stage.players[end.id] = Player(end, directory, stage.namespace, stage.ways, VPN_UID)
        return stage.players[end.id]

    def look(self) -> None:
        for stage in self.stages.values():
            for player in stage.players.values():
                player.look()
            stage.lead()

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Look, and look again, until it is so."""
        deadline = time.monotonic() + _PATIENCE
        self.look()
        while not condition():
            assert time.monotonic() < deadline, f"never: {what}"
            select.select([], [], [], 0.02)
            self.look()

    def up(self) -> list[Player]:
        """Both tunnels are, at both ends."""
        players = self.play(GATEWAY, SITE)
        self.until(lambda: all(player.tunnels == BOTH for player in players), "both tunnels are up at both ends")
        return players

    def leave(self) -> None:
        """Whoever plays dies; strongSwan goes on."""
        for stage in self.stages.values():
            stage.close()
        self.stages.clear()

    def ear(self) -> socket.socket:
        """Hears all frames of the internet."""
        internet = namespaces.open_pinned(self.lab.settings.run_dir / "netns" / "internet")
        assert internet is not None
        heard = namespaces.run_in(
            internet, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_FRAMES))
        )
        os.close(internet)
        heard.setblocking(False)
        self._ears.append(heard)
        return heard

    def close(self) -> None:
        for ear in self._ears:
            ear.close()
        self.leave()
        charon.end_all(self.lab.settings.vpn_dir)
        self.lab.close()


def heard(ear: socket.socket) -> list[bytes]:
    """What has been, without the Ethernet header."""
    frames = []
    with suppress(BlockingIOError):
        while True:
            frames.append(ear.recv(1 << 16)[14:])
    return frames


def ports(packet: bytes) -> set[int]:
    """Of a UDP packet in IPv4; nothing of another one."""
    if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_UDP:
        return set()
    return {int.from_bytes(packet[20:22], "big"), int.from_bytes(packet[22:24], "big")}
