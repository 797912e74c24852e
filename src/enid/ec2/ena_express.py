"""ENA Express (SRD) and the number of ENA queues: properties of AWS's hardware, which nothing here has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from enid.ec2.context import Params
from enid.ec2.errors import unsupported


def refuse(specification: Mapping[str, Any] | None) -> None:
    """Switching it off is nothing to do, since it is off.

    :raises AwsError: ``UnsupportedOperation``: it shall be on.
    """
    given = specification or {}
    if given.get("EnaSrdEnabled") or given.get("EnaSrdUdpSpecification", {}).get("EnaSrdUdpEnabled"):
        raise unsupported("ENA Express is not supported.")


def check(params: Params) -> None:
    """Of an attachment or a launch.

    :raises AwsError: ``UnsupportedOperation``.
    """
    refuse(params.get("EnaSrdSpecification"))
    if params.get("EnaQueueCount"):
        raise unsupported("ENA queues are not supported.")
