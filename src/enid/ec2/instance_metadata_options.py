"""How an instance's metadata service behaves: defaults, checks, and changing it while the instance lives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import update

from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import invalid_parameter_value
from enid.ec2.instance_state import incorrect_state
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store.tables import instances

DEFAULTS: Mapping[str, Any] = {
    "HttpTokens": "optional",
    "HttpPutResponseHopLimit": 1,
    "HttpEndpoint": "enabled",
    "HttpProtocolIpv6": "disabled",
    "InstanceMetadataTags": "disabled",
}


def chosen(given: Mapping[str, Any], current: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """All options: those given, and the current or default ones for the rest.

    :raises AwsError: ``InvalidParameterValue``: the hop limit is not 1 to 64.
    """
    options = {**DEFAULTS, **(current or {}), **{name: given[name] for name in DEFAULTS if name in given}}
    if not 1 <= options["HttpPutResponseHopLimit"] <= 64:
        raise invalid_parameter_value(
            f"Value ({options['HttpPutResponseHopLimit']}) for parameter HttpPutResponseHopLimit is invalid. "
            "Expecting a value between 1 and 64."
        )
    return options


def shown(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """The model's ``InstanceMetadataOptionsResponse``."""
    return {"State": "applied", **DEFAULTS, **(options or {})}


@operation("ModifyInstanceMetadataOptions")
def modify_instance_metadata_options(ctx: Context, params: Params) -> Result:
    row = fetch(ctx, "i", params["InstanceId"])
    if row.state in ("shutting-down", "terminated"):
        raise incorrect_state(f"The instance '{row.id}' is {row.state}; its metadata options cannot be modified.")
    options = chosen(params, row.metadata_options)
    ctx.db.execute(update(instances).where(instances.c.id == row.id).values(metadata_options=options))
    ctx.note("instance", row.id)
    return {"InstanceId": row.id, "InstanceMetadataOptions": shown(options)}
