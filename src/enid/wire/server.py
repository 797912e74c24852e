"""Runs the API as a process of its own: uvicorn with httptools and uvloop, one process, threads for the calls."""

from __future__ import annotations

import uvicorn

from enid.settings import Settings
from enid.store.database import Database
from enid.wire.app import create_app


def main(settings: Settings) -> None:
    """Serve on ``settings.listen:settings.port`` until SIGINT or SIGTERM. The store must exist."""
    database = Database(settings.url)
    try:
        uvicorn.run(
            create_app(settings, database),
            host=settings.listen,
            port=settings.port,
            loop="uvloop",
            http="httptools",
            ws="none",
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=5,
        )
    finally:
        database.close()
