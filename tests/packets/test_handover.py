"""Sockets in the routers reach the process that serves them, whenever either side comes or goes."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fabric_lab import Lab, group, port, table, until, vpc

from enid.reconcile.handover import Handover

pytestmark = pytest.mark.root

SERVICE = ("169.254.169.254", 80)


class Server:
    """Plays the process that serves."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(str(path))
        self.socket.settimeout(5)
        self.held: dict[str, list[socket.socket]] = {}

    def hear(self) -> str:
        """Take one message; answers whom it names."""
        name, descriptors, _, _ = socket.recv_fds(self.socket, 256, 16)
        self.leave(name.decode())
        if descriptors:
            self.held[name.decode()] = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        return name.decode()

    def leave(self, name: str) -> None:
        for held in self.held.pop(name, ()):
            held.close()

    def close(self) -> None:
        self.socket.close()
        for name in list(self.held):
            self.leave(name)


class Desk:
    """The agent's end over a fabric, and whoever comes to it."""

    def __init__(self, lab: Lab, path: Path) -> None:
        self.lab, self.path = lab, path
        self.servers: list[Server] = []
        self.restart()

    def restart(self) -> None:
        self.handover = Handover(self.path, os.getuid(), lambda: self.lab.fabric.routers())
        self.lab.fabric.changed_routers.update(self.lab.fabric.routers())
        self.look()

    def look(self) -> None:
        self.handover.look(self.lab.fabric.changed_routers)

    def server(self) -> Server:
        self.servers.append(Server(self.path))
        self.look()
        return self.servers[-1]


@pytest.fixture
def desk(lab: Lab, tmp_path: Path) -> Iterator[Desk]:
    lab.apply(vpc(), group(), table(), port(4))
    made = Desk(lab, tmp_path / "s")
    yield made
    made.handover.close()
    for server in made.servers:
        server.close()


def connects(desk: Desk, to: Any = SERVICE) -> bool:
    with desk.lab.guest(port(4)).socket(socket.AF_INET, socket.SOCK_STREAM) as made:
        made.settimeout(0.5)
        return made.connect_ex(to) == 0


def test_all_that_are_there_and_then_each_that_comes_and_goes(desk: Desk) -> None:
    server = desk.server()
    assert (server.hear(), server.hear()) == (vpc().id, "all")
    other = vpc("vpc-0000000000000000b")
    desk.lab.apply(other)
    desk.look()
    assert server.hear() == other.id
    assert len(server.held[other.id]) == 7
    desk.lab.remove(other)
    desk.look()
    assert server.hear() == other.id
    assert other.id not in server.held


def test_what_is_asked_while_nobody_serves_waits(desk: Desk) -> None:
    assert connects(desk), "the kernel takes the connection"
    first = desk.server()
    first.hear()
    first.close()
    assert connects(desk)
    second = desk.server()
    second.hear()
    listener = second.held[vpc().id][0]
    listener.settimeout(5)
    for _ in range(2):
        accepted, peer = listener.accept()
        accepted.close()
        assert peer[0] == "::ffff:10.0.1.4"


def test_a_new_agent_opens_beside_the_old_ones(desk: Desk) -> None:
    """Nothing is refused in between."""
    server = desk.server()
    assert [server.hear(), server.hear()] == [vpc().id, "all"]
    desk.handover.close()
    assert connects(desk), "served on without an agent"
    desk.restart()
    again = desk.server()
    again.hear()
    server.close()
    assert connects(desk)


def test_more_routers_than_a_socket_holds_messages(desk: Desk) -> None:
    """A slow reader gets them all nevertheless, and nobody waits for it."""
    many = [vpc(f"vpc-{number:017x}", subnets=()) for number in range(1, 31)]
    desk.lab.apply(*many)
    desk.look()
    server = desk.server()
    heard: list[str] = []

    def everything() -> bool:
        desk.look()
        heard.append(server.hear())
        return heard[-1] == "all"

    until(everything, "all of them")
    assert set(heard) == {vpc().id, "all", *(each.id for each in many)}


def test_who_leaves_is_forgotten(desk: Desk) -> None:
    desk.server().socket.close()
    desk.look()
    desk.lab.apply(vpc("vpc-0000000000000000b"))
    desk.look()
    server = desk.server()
    assert {server.hear(), server.hear(), server.hear()} == {vpc().id, "vpc-0000000000000000b", "all"}


def test_the_socket_is_its_owners_alone(desk: Desk) -> None:
    assert desk.path.stat().st_mode & 0o777 == 0o600
