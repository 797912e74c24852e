"""An interface's idle timeouts of tracked flows, as AWS bounds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from enid.ec2.errors import invalid_parameter_value

BOUNDS = {"TcpEstablishedTimeout": (60, 432_000), "UdpStreamTimeout": (60, 180), "UdpTimeout": (30, 60)}
"""Least and most seconds of each."""


def check(given: Mapping[str, Any]) -> dict[str, int]:
    """The timeouts named, in seconds.

    :raises AwsError: ``InvalidParameterValue``: one is out of its bounds.
    """
    for name, value in given.items():
        least, most = BOUNDS[name]
        if not least <= value <= most:
            raise invalid_parameter_value(f"Value ({value}) for {name} is invalid. Valid values: {least} to {most}.")
    return dict(given)
