"""Logging of enid's own processes: one line an event, ``key=value``, on standard error.

A traceback is told without the values of variables: among them are the secrets of access keys.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog


class StandardError:
    """Where lines go, one write each. What cannot be written, on a disk that is full, is lost: nothing fails for want
    of a line in a log."""

    def write(self, text: str) -> None:
        with suppress(OSError):
            os.write(sys.stderr.fileno(), text.encode(errors="backslashreplace"))

    def flush(self) -> None:
        """There is nothing left to write."""


def configure() -> None:
    """For the whole process."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _on_one_line,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False),
        ],
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, StandardError())),
        cache_logger_on_first_use=True,
    )


def _on_one_line(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Logfmt has no room for a line break: the traceback's lines are kept apart by ``" | "``."""
    if "exception" in event:
        event["exception"] = " | ".join(line.strip() for line in str(event["exception"]).splitlines())
    return event
