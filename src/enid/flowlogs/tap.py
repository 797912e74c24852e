"""The packets that one VPC's router copies, with the names of the links they came and went by."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from enid.fabric.linux.flow_logging import GROUP
from enid.netlink import links, namespaces
from enid.netlink.packet_log import Packet, PacketLog
from enid.netlink.socket import RouteSocket


class Copy(NamedTuple):
    letter: str
    """How far the packet got; see :mod:`enid.fabric.linux.flow_logging`."""
    source: str
    """Name of the link it came in by."""
    destination: str
    payload: bytes


class Tap:
    """Copies from the router's namespace pinned at ``path``.

    :raises FileNotFoundError: it is not there (yet).
    """

    def __init__(self, path: Path) -> None:
        namespace = namespaces.open_pinned(path)
        if namespace is None:
            raise FileNotFoundError(path)
        try:
            self._inode = os.fstat(namespace).st_ino
            self._log = PacketLog(GROUP, namespace)
            self._route = RouteSocket(namespace)
        finally:
            os.close(namespace)
        self._path = path
        self._names: dict[int, str] = {}
        self._former: dict[int, str] = {}
        """As they were before the last refresh."""
        self._table = 0
        self._heard = False
        """Since the last refresh, the table of that number."""
        self._last: Packet | None = None

    def fileno(self) -> int:
        return self._log.fileno()

    def close(self) -> None:
        self._log.close()
        self._route.close()

    def is_there(self) -> bool:
        """The namespace is still the one that is pinned there."""
        try:
            return os.stat(self._path).st_ino == self._inode
        except OSError:
            return False

    def refresh(self) -> None:
        """Take nothing for granted for long: an index may be another link's by now, and tables may count anew."""
        self._names, self._former = {}, self._names
        if not self._heard:
            self._table, self._last = 0, None
        self._heard = False

    def copies(self) -> Iterator[Copy]:
        """One batch of them.

        :raises Lost: some are missing.
        """
        for packet in self._log.packets():
            if self._is_new(packet):
                yield Copy(
                    chr(packet.prefix[0]), self._name(packet.source), self._name(packet.destination), packet.payload
                )

    def _is_new(self, packet: Packet) -> bool:
        """A packet may be copied by a table and by the one that succeeds it: what the older says after the newer has
        begun, and the first that both saw, is no packet more."""
        table, last, self._last = int(packet.prefix[1:] or b"0"), self._last, packet
        if table < self._table:
            return False
        succeeds, self._table, self._heard = table > self._table, table, True
        return not succeeds or last is None or packet[1:] != last[1:]

    def _name(self, index: int) -> str:
        if index not in self._names:
            try:
                (body,) = self._route.request(links.get_link(index=index))
                self._names[index] = links.parse_link(body).name
            except OSError:
                return self._former.get(index, "")  # gone already
        return self._names[index]
