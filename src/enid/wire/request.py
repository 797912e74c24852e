"""A request as it came over HTTP, and its parameters as text.

Nothing here knows an operation: :mod:`enid.wire.decode` gives the text its types.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qsl

from enid.ec2.errors import AwsError

BODY_LIMIT = 1 << 20
"""Bytes. The longest sensible request (user data of 16 KiB, a thousand ids) is far below."""

PARAMETER_LIMIT = 10_000

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Request:
    """One HTTP request to ``/``. Header names are lower case, as ASGI gives them."""

    method: str
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    @cached_property
    def query_pairs(self) -> Pairs:
        """The query string's parameters, in order."""
        return _pairs(self.query)

    @cached_property
    def parameters(self) -> dict[str, str]:
        """Every parameter of query string and body.

        A key given twice is refused: a signature does not cover the order of a query string, so such a request
        would have two meanings.

        :raises AwsError: ``MalformedQueryString``
        """
        found: dict[str, str] = {}
        for key, value in self.query_pairs + _pairs(self.body):
            if key in found:
                raise malformed(f"The parameter {key} is given more than once")
            found[key] = value
        return found

    def header_values(self, name: bytes) -> list[bytes]:
        """The values of the header ``name`` (lower case), in order; empty when it is absent."""
        return [value for key, value in self.headers if key == name]


def malformed(message: str) -> AwsError:
    """The request's parameters cannot even be told apart."""
    return AwsError("MalformedQueryString", message)


def _pairs(text: bytes) -> Pairs:
    if not text:
        return []
    if text.count(b"&") >= PARAMETER_LIMIT:
        raise malformed(f"A request may contain up to {PARAMETER_LIMIT} parameters")
    try:
        return parse_qsl(text.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict")
    except UnicodeDecodeError as error:
        raise malformed("The parameters are not percent-encoded UTF-8") from error
