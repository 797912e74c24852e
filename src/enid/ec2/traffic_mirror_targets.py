"""Traffic mirror targets: where copies go. Here that is a network interface; there are no load balancers.

https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-targets.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select

from enid.ec2 import descriptions, filters, quotas, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import AwsError, invalid_parameter_value, missing_parameter
from enid.ec2.network_interface_access import writable
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.ec2.unsupported import refuse
from enid.store.ids import new_id
from enid.store.tables import traffic_mirror_sessions, traffic_mirror_targets

_TARGET, _SESSION = traffic_mirror_targets.c, traffic_mirror_sessions.c


@operation("CreateTrafficMirrorTarget")
def create_traffic_mirror_target(ctx: Context, params: Params) -> Result:
    """An interface that is mirrored itself is refused: copies are never copied again."""
    refuse(params, "NetworkLoadBalancerArn", "GatewayLoadBalancerEndpointId")
    if not params.get("NetworkInterfaceId"):
        raise missing_parameter("NetworkInterfaceId")
    interface = writable(ctx, params["NetworkInterfaceId"])
    if ctx.db.execute(select(_SESSION.id).where(_SESSION.network_interface_id == interface.id)).first():
        raise invalid_parameter_value(
            f"{interface.id} is the source of a Traffic Mirror session and cannot be a Traffic Mirror target."
        )
    quotas.check(
        ctx,
        traffic_mirror_targets,
        _TARGET.account_id == ctx.account_id,
        ctx.settings.quotas.traffic_mirror_targets,
        "TrafficMirrorTargetLimitExceeded",
        "The maximum number of Traffic Mirror targets has been exceeded.",
    )
    id_ = new_id("tmt")
    values = {
        "account_id": ctx.account_id,
        "network_interface_id": interface.id,
        "description": descriptions.given(params),
    }
    ctx.db.execute(insert(traffic_mirror_targets).values(id=id_, **values))
    tags.on_creation(ctx, params, "traffic-mirror-target", [id_])
    shown = _shown(ctx, [fetch(ctx, "tmt", id_)])[0]
    return {"TrafficMirrorTarget": shown, "ClientToken": params.get("ClientToken")}


@operation("DeleteTrafficMirrorTarget")
def delete_traffic_mirror_target(ctx: Context, params: Params) -> Result:
    """Not while a session sends there."""
    row = fetch(ctx, "tmt", params["TrafficMirrorTargetId"])
    if using := list(ctx.db.execute(select(_SESSION.id).where(_SESSION.target_id == row.id).limit(100)).scalars()):
        raise AwsError(
            "TrafficMirrorTargetInUseException",
            "The Traffic Mirror target cannot be deleted because a Traffic Mirror session is currently using it."
            f" ({using[0]})",
            dependants=using,
        )
    tags.forget(ctx, [row.id])
    ctx.db.execute(delete(traffic_mirror_targets).where(_TARGET.id == row.id))
    return {"TrafficMirrorTargetId": row.id}


_FILTERS = {
    "description": filters.text(_TARGET.description),
    "network-interface-id": filters.text(_TARGET.network_interface_id),
    "network-load-balancer-arn": filters.absent,
    "owner-id": filters.text(_TARGET.account_id),
    "traffic-mirror-target-id": filters.text(_TARGET.id),
}


@operation("DescribeTrafficMirrorTargets")
def describe_traffic_mirror_targets(ctx: Context, params: Params) -> Result:
    rows, token = describe(ctx, params, "tmt", _FILTERS, "TrafficMirrorTargetIds")
    return {"TrafficMirrorTargets": _shown(ctx, rows), "NextToken": token}


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    tagged = tags.shown(ctx, [row.id for row in rows])
    return [
        {
            "TrafficMirrorTargetId": row.id,
            "NetworkInterfaceId": row.network_interface_id,
            "Type": "network-interface",
            "Description": row.description,
            "OwnerId": row.account_id,
            "Tags": tagged[row.id],
        }
        for row in rows
    ]
