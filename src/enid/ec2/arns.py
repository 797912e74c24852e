"""Amazon Resource Names of the caller's resources."""

from __future__ import annotations

from enid.ec2.context import Context
from enid.ec2.errors import invalid_parameter_value, unsupported
from enid.ec2.resources import RESOURCES


def of(ctx: Context, id_: str) -> str:
    """``arn:aws:ec2:us-east-1:111111111111:network-interface/eni-…``."""
    return f"arn:aws:ec2:{ctx.region}:{ctx.account_id}:{RESOURCES[id_.rpartition('-')[0]].type}/{id_}"


def id_of(ctx: Context, text: str) -> str:
    """The id that an ARN, or the id itself, names.

    :raises AwsError: it is neither, or of another account or region.
    """
    if not text.startswith("arn:"):
        return text
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[2] != "ec2" or "/" not in parts[5]:
        raise invalid_parameter_value(f"Value ({text}) is no ARN of this service.")
    if (parts[3], parts[4]) != (ctx.region, ctx.account_id):
        raise unsupported(f"{text} is in another account or region.")
    return parts[5].rpartition("/")[2]
