"""AWS's throttling of accounts: a bucket of tokens for each, and one word for all who come when it is empty."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from enid.ec2.errors import AwsError
from enid.settings import Throttle


def limit_exceeded() -> AwsError:
    """What AWS says to who asks too much."""
    return AwsError("RequestLimitExceeded", "Request limit exceeded.", 503)


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float


class Buckets:
    """Each call takes a token from its account's bucket, which fills steadily. Thread-safe."""

    def __init__(self, throttle: Throttle, now: Callable[[], float] = time.monotonic) -> None:
        self._limits = {
            True: (throttle.reads_per_second, throttle.reads_burst),
            False: (throttle.writes_per_second, throttle.writes_burst),
        }
        self._now = now
        self._buckets: dict[tuple[str, bool], _Bucket] = {}
        self._lock = threading.Lock()

    def take(self, account_id: str, reads: bool) -> None:
        """:raises AwsError: the account's bucket for calls that read, or change something, is empty."""
        rate, burst = self._limits[reads]
        if not rate:
            return
        with self._lock:
            now = self._now()
            bucket = self._buckets.setdefault((account_id, reads), _Bucket(burst, now))
            bucket.tokens = min(burst, bucket.tokens + (now - bucket.filled) * rate)
            bucket.filled = now
            if bucket.tokens < 1:
                raise limit_exceeded()
            bucket.tokens -= 1
