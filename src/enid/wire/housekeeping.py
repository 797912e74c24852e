"""What the API does when nobody asks: moving the store's log into the store, forgetting client tokens of days ago."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

import structlog

from enid.store.database import Database
from enid.wire.idempotency import forget_old

log = structlog.get_logger()

CHECKPOINT_EVERY = 1.0
"""Seconds."""
FORGET_EVERY = 3600.0


async def housekeeping(database: Database, executor: Executor) -> None:
    """Until cancelled."""
    await asyncio.gather(
        _every(CHECKPOINT_EVERY, database.checkpoint, executor),
        _every(FORGET_EVERY, lambda: forget_old(database), executor),
    )


async def _every(seconds: float, work: Callable[[], None], executor: Executor) -> None:
    """What does not work now is tried again the next time."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.get_running_loop().run_in_executor(executor, work)
        except Exception:
            log.exception("housekeeping")
