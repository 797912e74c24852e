"""New resource ids and MAC addresses, in AWS's form (17 hexadecimal digits). Uniqueness is the database's to judge."""

from __future__ import annotations

import secrets


def new_id(prefix: str) -> str:
    """``new_id("eni")`` → ``"eni-0a1b2c3d4e5f60718"``."""
    return f"{prefix}-0{secrets.token_hex(8)}"


def new_mac() -> str:
    """A locally administered unicast address, ``02:…`` as AWS's are."""
    return ":".join(["02", *(f"{byte:02x}" for byte in secrets.token_bytes(5))])
