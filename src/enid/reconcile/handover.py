"""Hands the sockets of VPCs' services, which only root can open, to the unprivileged process that serves them.

They are opened with a VPC's router and stay open here as well: while nobody serves, what is asked waits for whoever
comes next. That process comes to us, gets all there are, then each that is new, and is told of each that goes. If
either side dies, the next connection begins anew. No byte it sends is ever read.

A message names a VPC and carries its sockets (:mod:`enid.fabric.linux.listeners`), or none when its router is gone.
:data:`ALL` follows the first of a connection: whatever was not named by then is gone.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import structlog

from enid.fabric.linux.listeners import open_listeners

log = structlog.get_logger()

ALL = "all"


class Handover:
    """The agent's end. ``routers`` answers each VPC's router namespace; ``uid`` is who may come. Never blocks."""

    def __init__(self, path: Path, uid: int, routers: Callable[[], Mapping[str, int]]) -> None:
        self._routers = routers
        self._peer: socket.socket | None = None
        self._open: dict[str, list[socket.socket]] = {}
        """By VPC."""
        self._to_tell: dict[str, None] = {}
        """What the peer has to be told of, in this order."""
        path.unlink(missing_ok=True)
        self._listener = socket.socket(
            socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        )
        self._listener.bind(str(path))
        os.chown(path, uid, uid)
        os.chmod(path, 0o600)
        self._listener.listen(1)
        self._epoll = select.epoll()
        self._epoll.register(self._listener, select.EPOLLIN)

    def fileno(self) -> int:
        """Readable when :meth:`look` has something to do."""
        return self._epoll.fileno()

    def look(self, changed: set[str]) -> None:
        """Follow the routers that changed, and tell whoever came as far as it listens; empties ``changed``."""
        if changed:
            self._follow(changed)
            self._to_tell.update(dict.fromkeys(changed))
            changed.clear()
        for descriptor, event in self._epoll.poll(0):
            if event & (select.EPOLLRDHUP | select.EPOLLHUP) and self._peer and descriptor == self._peer.fileno():
                self._leave()
        self._accept()
        if self._peer is None:
            self._to_tell.clear()
        elif self._to_tell:
            self._tell(self._peer)

    def close(self) -> None:
        self._leave()
        self._epoll.close()
        self._listener.close()
        for sockets in self._open.values():
            _close(sockets)

    def _follow(self, vpcs: Iterable[str]) -> None:
        """Sockets for routers that are new, or may be others than before; none for those that are gone."""
        routers = self._routers()
        for vpc_id in vpcs:
            _close(self._open.pop(vpc_id, []))
            if vpc_id in routers:
                try:
                    self._open[vpc_id] = open_listeners(routers[vpc_id])
                except OSError as error:
                    log.warning("a VPC is without its services", vpc=vpc_id, reason=str(error))

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            peer, _ = self._listener.accept()
            self._leave()
            peer.setblocking(False)
            self._peer = peer
            self._epoll.register(peer, select.EPOLLRDHUP)
            self._to_tell = dict.fromkeys([*self._open, ALL])

    def _tell(self, peer: socket.socket) -> None:
        try:
            for name in list(self._to_tell):
                descriptors = [opened.fileno() for opened in self._open.get(name, ())]
                socket.send_fds(peer, [name.encode()], descriptors)
                del self._to_tell[name]
            self._epoll.modify(peer, select.EPOLLRDHUP)
        except BlockingIOError:
            self._epoll.modify(peer, select.EPOLLRDHUP | select.EPOLLOUT)
        except OSError:
            self._leave()  # it is gone; it comes again, and gets everything

    def _leave(self) -> None:
        if self._peer is not None:
            self._epoll.unregister(self._peer)
            self._peer.close()
            self._peer = None


def _close(sockets: Iterable[socket.socket]) -> None:
    for opened in sockets:
        opened.close()
