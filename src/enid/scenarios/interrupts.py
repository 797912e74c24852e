"""Ctrl-C at a bad moment: kept until the moment is over, so that nothing is left half made or half removed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def held_back() -> Iterator[None]:
    """SIGINT and SIGTERM that come inside the block raise :class:`KeyboardInterrupt` when it has ended.

    Also when it ends with an exception: a terminal sends the signal to the processes that the block started too, and
    their end may be what it complains of. Only the main thread gets signals: elsewhere this has no effect.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in _SIGNALS}
    try:
        yield
    except Exception as error:
        if came:
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt
