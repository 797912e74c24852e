"""Session tokens of metadata service version 2: nobody remembers them, a signature tells them.

So there is nothing to fill up, and a token outlives the process that gave it. It is worth something to the instance it
was given to only.
"""

from __future__ import annotations

import hmac
import os
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable
from pathlib import Path

from enid import whole_file

LONGEST = 21600
"""Seconds a token may live: six hours."""
_LENGTH = 40


def key(path: Path) -> bytes:
    """The signing key kept at ``path``, made at the first use."""
    if not path.exists():
        whole_file.write(path, os.urandom(32), 0o600)
    return path.read_bytes()


class Tokens:
    def __init__(self, key: bytes, now: Callable[[], float] = time.time) -> None:
        self._key = key
        self._now = now

    def issue(self, instance_id: str, seconds: int) -> str:
        """A token for ``seconds`` (1 to :data:`LONGEST`): 56 characters, as AWS's."""
        end = int(self._now() + seconds).to_bytes(8, "big")
        return urlsafe_b64encode(end + self._sign(instance_id, end)).decode()

    def seconds_left(self, instance_id: str, token: str) -> int:
        """How long the token is still good for; 0 when it is not."""
        try:
            raw = urlsafe_b64decode(token.encode())
        except (Error, ValueError):
            return 0
        end = raw[:8]
        if len(raw) != _LENGTH or not hmac.compare_digest(raw[8:], self._sign(instance_id, end)):
            return 0
        return max(int.from_bytes(end, "big") - int(self._now()), 0)

    def _sign(self, instance_id: str, end: bytes) -> bytes:
        return hmac.digest(self._key, instance_id.encode() + b" " + end, "sha256")
