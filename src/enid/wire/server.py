"""Runs the API as a process of its own: uvicorn with httptools and uvloop, one process, threads for the calls."""

from __future__ import annotations

import gc
import socket
import sys
from collections.abc import Callable

import uvicorn

from enid.settings import Settings
from enid.store.database import Database
from enid.wire.app import create_app

_SWITCH_INTERVAL = 0.0005
"""Seconds a thread may keep the interpreter while another one wants it."""


def main(settings: Settings, *, before_serving: Callable[[], None] = lambda: None) -> None:
    """Serve on ``settings.listen:settings.port`` until SIGINT or SIGTERM. The store must exist.

    :param before_serving: called when everything that is ever loaded is loaded and nothing has been read from a
        client or the store: the moment to give up privileges, after which the program's own files may be out of reach
    :raises SystemExit: the port cannot be had
    """
    with _listen(settings) as listening:
        database = Database(settings.url)
        config = uvicorn.Config(
            create_app(settings, database),
            loop="uvloop",
            http="httptools",
            ws="none",
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=5,
        )
        config.load()
        before_serving()
        _settle_down()
        try:
            uvicorn.Server(config).run(sockets=[listening])
        finally:
            database.close()


def _settle_down() -> None:
    """The models are loaded for good: the garbage collector need not walk them again and again. And a thread that comes
    back from the disk gets its turn soon, although others are busy with XML."""
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(_SWITCH_INTERVAL)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.listen else socket.AF_INET
    try:
        return socket.create_server((settings.listen, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise SystemExit(f"enid cannot listen on {settings.listen} port {settings.port}: {error.strerror}") from error
