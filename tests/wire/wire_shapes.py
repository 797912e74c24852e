"""Hypothesis strategies for values of botocore's shapes."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape
from hypothesis import strategies as st

TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\ufffe\uffff").filter(
        lambda character: not "\x0e" <= character <= "\x1f"
    ),
    max_size=12,
)
"""Anything XML can carry."""


@cache
def ec2_model() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("ec2", "service-2"), "ec2")


def results(shape: Shape) -> st.SearchStrategy[Any]:
    """Values of an output shape: members at will, lists empty or not."""
    return _values(shape, least=0)


def parameters(shape: Shape) -> st.SearchStrategy[Any]:
    """Values of an input shape: required members, and no empty list or structure (the protocol cannot say them)."""
    return _values(shape, least=1)


@st.composite
def _structures(draw: st.DrawFn, shape: Shape, least: int) -> dict[str, Any]:
    names = set(shape.required_members) if least else set()
    if shape.members:
        names |= draw(st.sets(st.sampled_from(sorted(shape.members)), min_size=0 if names else least, max_size=3))
    return {name: draw(_values(shape.members[name], least)) for name in sorted(names)}


def _values(shape: Shape, least: int) -> st.SearchStrategy[Any]:
    match shape.type_name:
        case "structure":
            return _structures(shape, least)
        case "list":
            return st.lists(_values(shape.member, least), min_size=least, max_size=2)
        case "string":
            return st.sampled_from(shape.enum) if shape.enum else TEXT
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(-(2**31), 2**31 - 1)
        case "long":
            return st.integers(-(2**63), 2**63 - 1)
        case "float" | "double":
            return st.floats(allow_nan=False, allow_infinity=False)
        case "blob":
            return st.binary(max_size=10)
        case "timestamp":
            return st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)).map(_milliseconds)
    raise AssertionError(shape.type_name)


def _milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
