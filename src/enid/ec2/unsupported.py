"""Parameters that AWS knows and enid does not carry out: refused by name, never silently ignored."""

from __future__ import annotations

from enid.ec2.context import Params
from enid.ec2.errors import unsupported


def refuse(params: Params, *names: str) -> None:
    """Refuse a request that uses any of these members.

    :raises AwsError: ``UnsupportedOperation`` naming the first of them.
    """
    for name in names:
        if params.get(name):
            raise unsupported(f"The parameter {name} is not supported.")
