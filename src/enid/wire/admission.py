"""How many calls are taken on: what is too much is refused at once and in AWS's words, and not left to wait.

A client of AWS tries again when it is told ``RequestLimitExceeded``; one that hears nothing for a minute does not know
what became of its call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor

from enid.wire.dispatch import Answer, refuse
from enid.wire.throttle import limit_exceeded

LONGEST_WAIT = 10.0
"""Seconds after which a call that still waits for its turn is refused."""


class Admission:
    """The queue in front of the threads that carry out calls; belongs to one event loop.

    :param most: calls that may wait or be carried out.
    """

    def __init__(self, threads: Executor, most: int) -> None:
        self._threads = threads
        self._most = most
        self._present = 0

    async def answer(self, work: Callable[[], Answer]) -> Answer:
        """What ``work`` answers in its turn, or a refusal; then it was not begun."""
        if self._present >= self._most:
            return refuse(limit_exceeded())
        came = time.monotonic()

        def begin() -> Answer:
            return refuse(limit_exceeded()) if time.monotonic() - came > LONGEST_WAIT else work()

        self._present += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, begin)
        finally:
            self._present -= 1
