"""A result (members by botocore's names) into XML, by the output shape of botocore's model.

A shape is compiled once into a closure value → text; nothing is looked up in the model while answering.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore.model import Shape

from enid.clock import timestamp

Encoder = Callable[[Any], str]

_SPECIAL = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}


def escape(text: str) -> str:
    """``text`` as XML character data; what XML 1.0 cannot carry becomes U+FFFD.

    A carriage return is written as a reference, since a parser would turn it into a line feed.
    """
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda match: _ENTITIES.get(match[0], "\ufffd"), text)


class Encoders:
    """The encoders of one service's shapes, compiled at first use. Not thread-safe: the owner holds a lock."""

    def __init__(self, *, strict: bool) -> None:
        """:param strict: a result with a member the model lacks, or of another type, raises :class:`TypeError`;
        otherwise a member the model lacks is left out."""
        self._strict = strict
        self._compiled: dict[str, Encoder] = {}

    def compile(self, shape: Shape) -> Encoder:
        """The encoder of what stands inside the element of ``shape``."""
        if shape.name not in self._compiled:
            match shape.type_name:
                case "structure":
                    return self._structure(shape)
                case "list":
                    self._compiled[shape.name] = self._list(shape)
                case kind:
                    self._compiled[shape.name] = self._leaf(shape.name, kind)
        return self._compiled[shape.name]

    def _structure(self, shape: Shape) -> Encoder:
        members: dict[str, tuple[str, Encoder, str]] = {}
        strict = self._strict

        def encode(value: dict[str, Any]) -> str:
            parts = []
            for name, item in value.items():
                if item is None:
                    continue
                member = members.get(name)
                if member is not None:
                    start, inner, end = member
                    parts.append(f"{start}{inner(item)}{end}")
                elif strict:
                    raise TypeError(f"{shape.name} has no member {name!r}")
            return "".join(parts)

        self._compiled[shape.name] = encode  # before its members: a shape may contain itself
        for name, member in shape.members.items():
            tag = member.serialization.get("name", name)
            members[name] = (f"<{tag}>", self.compile(member), f"</{tag}>")
        return encode

    def _list(self, shape: Shape) -> Encoder:
        tag = shape.member.serialization.get("name", "member")
        inner = self.compile(shape.member)
        start, between, end = f"<{tag}>", f"</{tag}><{tag}>", f"</{tag}>"

        def encode(value: list[Any]) -> str:
            return f"{start}{between.join(map(inner, value))}{end}" if value else ""

        return encode

    def _leaf(self, name: str, kind: str) -> Encoder:
        encode, types = _LEAVES[kind]
        if not self._strict:
            return encode

        def check(value: Any) -> str:
            if type(value) not in types:
                raise TypeError(f"{name} is a {kind}, not {value!r}")
            return encode(value)

        return check


def _string(value: Any) -> str:
    return escape(value if type(value) is str else str(value))


def _boolean(value: Any) -> str:
    return "true" if value else "false"


def _timestamp(value: Any) -> str:
    return timestamp(value) if isinstance(value, datetime) else escape(str(value))


def _blob(value: Any) -> str:
    return base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else escape(str(value))


_LEAVES: dict[str, tuple[Encoder, tuple[type, ...]]] = {
    "string": (_string, (str,)),
    "boolean": (_boolean, (bool,)),
    "integer": (str, (int,)),
    "long": (str, (int,)),
    "float": (str, (float, int)),
    "double": (str, (float, int)),
    "timestamp": (_timestamp, (str, datetime)),
    "blob": (_blob, (bytes, str)),
}
