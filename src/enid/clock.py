"""Time as AWS writes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds: ``2026-01-02T03:04:05.678Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def now(ago: timedelta = timedelta(0)) -> str:
    """The present moment, or one in the past."""
    return timestamp(datetime.now(UTC) - ago)
