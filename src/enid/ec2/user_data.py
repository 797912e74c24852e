"""User data: base64 on the wire, 16 KiB at most (AWS's limit, before encoding)."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode

from enid.ec2.errors import invalid_parameter_value

LIMIT = 16384
"""Bytes."""


def decode(text: str) -> bytes:
    """The user data of its base64 text; line breaks in it do no harm.

    :raises AwsError: ``InvalidParameterValue``: no base64, or too long.
    """
    try:
        return check(b64decode("".join(text.split()), validate=True))
    except (binascii.Error, ValueError):
        raise invalid_parameter_value("Invalid BASE64 encoding of user data.") from None


def check(data: bytes) -> bytes:
    """:raises AwsError: ``InvalidParameterValue``: too long."""
    if len(data) > LIMIT:
        raise invalid_parameter_value(f"User data is limited to {LIMIT} bytes")
    return data


def encode(data: bytes) -> str | None:
    """The text to store; nothing for no user data."""
    return b64encode(data).decode() if data else None
