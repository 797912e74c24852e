"""The process that serves instances: it takes sockets from the agent and answers on them, with no privilege at all.

If the agent goes it serves on and looks for the next one; what that hands over takes the old sockets' place.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog

from enid.services.service import VpcService, Workshop
from enid.settings import Settings
from enid.store.database import Database

log = structlog.get_logger()

ALL = b"all"
"""The agent's word for: these were all. See :mod:`enid.reconcile.handover`."""
_RETRY = 0.1
_SOCKETS = 7
_NAME_BYTES = 256
_THREADS = 4


def serve(settings: Settings, *, before_serving: Callable[[], None] = lambda: None) -> None:
    """Serve until SIGTERM.

    :param before_serving: called when everything that is ever loaded is loaded and no byte was read from anybody.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    database = Database(settings.url)
    before_serving()
    gc.collect()
    gc.freeze()
    try:
        asyncio.run(_Process(settings, database).run())
    finally:
        database.close()


class _Process:
    def __init__(self, settings: Settings, database: Database) -> None:
        self._path = settings.services_socket
        self._workshop = Workshop(settings, database, ThreadPoolExecutor(_THREADS))
        self._services: dict[str, VpcService] = {}

    async def run(self) -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        taking = asyncio.create_task(self._take())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        taking.cancel()
        for service in self._services.values():
            service.close()
        if taking.done() and not taking.cancelled():
            taking.result()

    async def _take(self) -> None:
        """Connect to the agent, and to the next one when it has gone."""
        while True:
            agent = _connect(self._path)
            if agent is not None:
                with agent:
                    await self._follow(agent)
            await asyncio.sleep(_RETRY)

    async def _follow(self, agent: socket.socket) -> None:
        named: set[str] | None = set()
        """Until all were named."""
        while True:
            message, descriptors = await _receive(agent)
            if not message:
                return
            name = message.decode()
            if message == ALL:
                for vpc_id in self._services.keys() - (named or set()):
                    self._services.pop(vpc_id).close()
                named = None
                log.info("serving", vpcs=len(self._services))
                continue
            if named is not None:
                named.add(name)
            await self._replace(name, [socket.socket(fileno=descriptor) for descriptor in descriptors])

    async def _replace(self, vpc_id: str, sockets: list[socket.socket]) -> None:
        """New sockets are served before the old ones are left."""
        old = self._services.pop(vpc_id, None)
        if len(sockets) == _SOCKETS:
            self._services[vpc_id] = await VpcService.start(self._workshop, vpc_id, sockets)
        if old is not None:
            old.close()


def _connect(path: Path) -> socket.socket | None:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        made.connect(str(path))
    except OSError:
        made.close()
        return None
    return made


async def _receive(agent: socket.socket) -> tuple[bytes, list[int]]:
    """The next message with its descriptors; empty when the agent is gone."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(agent, _NAME_BYTES, _SOCKETS, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            readable = asyncio.Event()
            loop.add_reader(agent, readable.set)
            try:
                await readable.wait()
            finally:
                loop.remove_reader(agent)
        except OSError:
            return b"", []
        else:
            return message, list(descriptors)
