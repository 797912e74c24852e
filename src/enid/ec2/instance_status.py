"""DescribeInstanceStatus: whether an instance answers, as its host's agent last saw it (``instances.health``)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.instance_filters import STATUS
from enid.ec2.instance_state import shown_state
from enid.ec2.registry import operation
from enid.store.tables import instances

_REACHABILITY = {"ok": "passed", "impaired": "failed", "initializing": "initializing"}


@operation("DescribeInstanceStatus")
def describe_instance_status(ctx: Context, params: Params) -> Result:
    """Running instances, or with ``IncludeAllInstances`` those of every state."""
    running = None if params.get("IncludeAllInstances") else instances.c.state == "running"
    rows, token = describe(ctx, params, "i", STATUS, "InstanceIds", condition=running)
    return {"InstanceStatuses": [_status(row) for row in rows], "NextToken": token}


def _status(row: Row[Any]) -> Result:
    checks = _checks(row)
    return {
        "InstanceId": row.id,
        "AvailabilityZone": row.availability_zone,
        "AvailabilityZoneId": row.availability_zone_id,
        "InstanceState": shown_state(row.state),
        "InstanceStatus": checks,
        "SystemStatus": checks,
        "AttachedEbsStatus": {"Status": "not-applicable"},
        "Events": [],
        "Operator": {"Managed": False},
    }


def _checks(row: Row[Any]) -> Result:
    """Both checks are one here: the sandbox is the machine."""
    if row.state != "running":
        return {"Status": "not-applicable"}
    return {
        "Status": row.health,
        "Details": [{"Name": "reachability", "Status": _REACHABILITY[row.health]}],
    }
