"""Waiting, bounded, until the agent has carried out what a call asked for, so that its caller finds it done.

The agent sends a byte to a Unix socket of each process of the API after each write of statuses; that only says "look
again". What is so stands in the table ``attachments``. A waiter holds no thread and no transaction between two looks.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable, Collection
from concurrent.futures import Executor
from pathlib import Path

import structlog
from sqlalchemy import Connection, select

from enid.store.database import Database
from enid.store.tables import attachments

log = structlog.get_logger()

_AT_ONCE = 500  # interfaces per question


def unsettled(db: Connection, network_interface_ids: Collection[str]) -> bool:
    """Whether one of these interfaces is still ``attaching`` or ``detaching``."""
    ids = list(network_interface_ids)
    moving = attachments.c.status.in_(("attaching", "detaching"))
    return any(
        db.execute(
            select(attachments.c.id)
            .where(attachments.c.network_interface_id.in_(ids[start : start + _AT_ONCE]), moving)
            .limit(1)
        ).first()
        for start in range(0, len(ids), _AT_ONCE)
    )


class Settling:
    """The waiting room. Belongs to one event loop, between :meth:`open` and :meth:`close`."""

    def __init__(self, database: Database, directory: Path, executor: Executor) -> None:
        """:param directory: where this process, like others, has a socket of its own."""
        self._database = database
        self._path = directory / f"{secrets.token_hex(8)}.sock"
        self._executor = executor
        self._socket: socket.socket | None = None
        self._news = asyncio.Event()

    def open(self) -> None:
        """Listen; sockets left by processes that died are removed."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        _remove_dead(self._path.parent)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(self._path))
        self._path.chmod(0o600)  # the agent is root, here or in the user namespace
        asyncio.get_running_loop().add_reader(self._socket, self._hear)

    def close(self) -> None:
        """Stop listening."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._path.unlink(missing_ok=True)
            self._socket = None

    @property
    def next_news(self) -> asyncio.Event:
        """Set when the agent writes statuses from now on."""
        return self._news

    async def wait(self, network_interface_ids: Collection[str], news: asyncio.Event, seconds: float) -> bool:
        """Return ``True`` once none of the interfaces is in transition, ``False`` after ``seconds``.

        The call has been committed: trouble with looking is logged and ends the wait, it does not fail the call.

        :param news: :attr:`next_news` as it was before the call: a look sooner would only be in the agent's way.
        """
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await news.wait()
                    news = self._news  # taken before the look, so that what comes during it is not missed
                    if not await self._run(lambda: self._look(network_interface_ids)):
                        return True
        except TimeoutError:
            return False
        except Exception:
            log.exception("cannot see whether interfaces have settled")
            return False

    async def _run(self, look: Callable[[], bool]) -> bool:
        return await asyncio.get_running_loop().run_in_executor(self._executor, look)

    def _look(self, network_interface_ids: Collection[str]) -> bool:
        with self._database.read() as db:
            return unsettled(db, network_interface_ids)

    def _hear(self) -> None:
        assert self._socket is not None
        try:
            while True:
                self._socket.recv(64)
        except BlockingIOError:
            pass
        news, self._news = self._news, asyncio.Event()
        news.set()


def _remove_dead(directory: Path) -> None:
    for path in directory.glob("*.sock"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:  # its file is all there is
                path.unlink(missing_ok=True)
            except OSError:
                continue
