"""Flat parameters (``Filter.1.Value.2=x``) into typed members, by the input shape of botocore's model.

A shape is compiled once into a closure. The rules of naming are the ``ec2`` protocol's: ``queryName``, else the
``locationName`` with its first letter in upper case, else the member's own name; a list's elements follow its name
directly. What a value means is the operation's to say; that it has the type the model promises is settled here.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Union

from botocore.model import Shape

from enid.ec2.errors import AwsError, invalid_parameter_value, missing_parameter
from enid.wire.request import malformed

Tree = dict[str, Union[str, "Tree"]]
Node = str | Tree
Decoder = Callable[[Node, str], Any]
"""(text or branch, the parameter's full name for messages) → value; ``None`` when the parameter stands for nothing."""

_DEPTH_LIMIT = 24  # the deepest parameter of the model has half as many parts
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_INDEX = re.compile(r"[0-9]{1,9}")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # XML 1.0 cannot carry them


def grow(parameters: Mapping[str, str]) -> Tree:
    """Parameters by their dotted names as a tree.

    :raises AwsError: ``MalformedQueryString`` when a name is a value and a branch at once.
    """
    root: Tree = {}
    for key, value in parameters.items():
        *path, last = key.split(".", _DEPTH_LIMIT)
        node = root
        for part in path:
            child = node.setdefault(part, {})
            if child == "":  # how some SDKs write an empty list; elements that follow win
                child = node[part] = {}
            if isinstance(child, str):
                raise malformed(f"The parameter {key} contradicts another parameter")
            node = child
        if last in node:
            if value:
                raise malformed(f"The parameter {key} contradicts another parameter")
        else:
            node[last] = value
    return root


def compile_input(shape: Shape | None) -> Callable[[Mapping[str, str]], dict[str, Any]]:
    """The decoder of an operation's parameters (without ``Action``, ``Version`` and what belongs to the signature).

    It raises :class:`AwsError`: ``UnknownParameter``, ``MissingParameter``, ``InvalidParameterValue``,
    ``MalformedQueryString``.
    """
    decode = _structure(shape) if shape is not None else _members({}, ())
    return lambda parameters: decode(grow(parameters), "")


def wire_name(member: Shape, name: str) -> str:
    """What a request calls the member ``name``."""
    if "queryName" in member.serialization:
        return str(member.serialization["queryName"])
    given = str(member.serialization.get("name", name))
    return given[0].upper() + given[1:]


_UNLISTED = {
    "AccountAttributeName": frozenset(
        {"max-instances", "max-elastic-ips", "vpc-max-elastic-ips", "vpc-max-security-groups-per-interface"}
    ),
    "NetworkInterfaceCreationType": frozenset({"interface"}),
    "Protocol": frozenset({"TCP", "UDP"}),
}
"""Values that AWS's documentation names and its model's enumeration lacks."""


def _compile(shape: Shape) -> Decoder:
    if shape.type_name == "structure":
        return _structure(shape)
    if shape.type_name == "list":
        return _list(_compile(shape.member))
    if getattr(shape, "enum", None):
        return _enum(shape.name, frozenset(shape.enum) | _UNLISTED.get(shape.name, frozenset()))
    return _LEAVES[shape.type_name]


def _structure(shape: Shape) -> Decoder:
    names = {name: wire_name(member, name) for name, member in shape.members.items()}
    return _members(
        {names[name]: (name, _compile(member)) for name, member in shape.members.items()},
        tuple((names[name], name) for name in shape.required_members),
    )


def _members(members: dict[str, tuple[str, Decoder]], required: tuple[tuple[str, str], ...]) -> Decoder:
    def decode(node: Node, path: str) -> dict[str, Any]:
        if isinstance(node, str):
            raise _invalid(node, path, f"It has members: give them as {path}.Member=value")
        prefix = f"{path}." if path else ""
        result = {}
        for part, child in node.items():
            member = members.get(part)
            if member is None:
                raise _unknown(child, prefix + part)
            name, read = member
            value = read(child, prefix + part)
            if value is not None:
                result[name] = value
        for wire, name in required:
            if name not in result:
                raise missing_parameter(prefix + wire)
        return result

    return decode


def _list(read: Decoder) -> Decoder:
    def decode(node: Node, path: str) -> list[Any] | None:
        if node == "":
            return None
        if isinstance(node, str):
            raise _invalid(node, path, f"It is a list: give its elements as {path}.1, {path}.2, ...")
        for part in node:
            if not _INDEX.fullmatch(part):
                raise _invalid(part, path, f"Elements of a list are numbered: {path}.1, {path}.2, ...")
        return [read(node[part], f"{path}.{part}") for part in sorted(node, key=lambda part: (int(part), part))]

    return decode


def _enum(shape_name: str, allowed: frozenset[str]) -> Decoder:
    def decode(node: Node, path: str) -> str:
        value = _text(node, path)
        if value not in allowed:
            if shape_name == "InstanceType":
                raise invalid_parameter_value(f"Invalid value '{value}' for InstanceType.")
            hint = f"Expected one of: {', '.join(sorted(allowed))}." if len(allowed) <= 12 else ""
            raise _invalid(value, path, hint)
        return value

    return decode


def _text(node: Node, path: str) -> str:
    if not isinstance(node, str):
        raise _unknown(node, path)
    if not node.isprintable() and _UNPRINTABLE.search(node):
        raise invalid_parameter_value(f"The value for parameter {path} contains characters that are not allowed.")
    return node


def _boolean(node: Node, path: str) -> bool:
    value = _text(node, path)
    match value.lower():
        case "true":
            return True
        case "false":
            return False
    raise _invalid(value, path, "Expected true or false.")


def _whole(bits: int) -> Decoder:
    bound = 1 << (bits - 1)

    def decode(node: Node, path: str) -> int:
        value = _text(node, path)
        if not _INTEGER.fullmatch(value) or not -bound <= (number := int(value)) < bound:
            raise _invalid(value, path, f"Expected an integer of {bits} bits.")
        return number

    return decode


def _float(node: Node, path: str) -> float:
    value = _text(node, path)
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _invalid(value, path, "Expected a number.")
    return number


def _blob(node: Node, path: str) -> bytes:
    value = _text(node, path)
    try:
        return base64.b64decode(value.encode(), validate=True)
    except binascii.Error:
        raise _invalid(value, path, "Expected base64.") from None


def _timestamp(node: Node, path: str) -> datetime:
    value = _text(node, path)
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _invalid(value, path, "Expected a time in ISO 8601, as 2016-11-15T12:00:00Z.") from None


_LEAVES: dict[str, Decoder] = {
    "string": _text,
    "boolean": _boolean,
    "integer": _whole(32),
    "long": _whole(64),
    "float": _float,
    "double": _float,
    "blob": _blob,
    "timestamp": _timestamp,
}


def _invalid(value: str, path: str, hint: str) -> AwsError:
    shown = value if len(value) <= 200 else value[:200] + "..."
    return invalid_parameter_value(f"Value ({shown}) for parameter {path} is invalid. {hint}".rstrip())


def _unknown(node: Node, path: str) -> AwsError:
    while isinstance(node, dict) and node:
        part, node = next(iter(node.items()))
        path = f"{path}.{part}"
    return AwsError("UnknownParameter", f"The parameter {path} is not recognized")
