"""The text in which users say what a thing of theirs is for."""

from __future__ import annotations

from enid.ec2.context import Params
from enid.ec2.errors import invalid_parameter_value

_LONGEST = 255


def given(params: Params) -> str | None:
    """A request's ``Description``; an empty one is none.

    :raises AwsError: ``InvalidParameterValue`` when it is too long.
    """
    text = params.get("Description")
    if text and len(text) > _LONGEST:
        raise invalid_parameter_value(f"The Description may have up to {_LONGEST} characters.")
    return str(text) if text else None
