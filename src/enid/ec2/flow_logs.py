"""Flow logs: create, describe, delete. Who writes the records is :mod:`enid.flowlogs`.

The texts of refusals are AWS's as far as they have been seen
(https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFlowLogs.html).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select

from enid import flow_log_format
from enid.ec2 import filters, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import AwsError, invalid_parameter_value, missing_parameter, unsupported
from enid.ec2.flow_log_destinations import Destination, destination, invalid
from enid.ec2.registry import operation
from enid.ec2.resources import fetch_all
from enid.ec2.unsupported import refuse
from enid.store.ids import new_id
from enid.store.tables import flow_logs, subnets

_PREFIXES = {"VPC": "vpc", "Subnet": "subnet", "NetworkInterface": "eni"}
_INTERVALS = (60, 600)
_MOST_RESOURCES = 300


@operation("CreateFlowLogs")
def create_flow_logs(ctx: Context, params: Params) -> Result:
    """One flow log per resource. A resource that has the same one already is told as unsuccessful, the others get
    theirs; an id that is nobody's refuses the whole call."""
    refuse(params, "DeliverCrossAccountRole", "TagFieldSpecifications")
    prefix = _PREFIXES.get(params["ResourceType"])
    if prefix is None:
        raise unsupported(f"Flow logs of the resource type {params['ResourceType']} are not supported.")
    target, values = destination(params), _values(params)
    resource_ids = list(fetch_all(ctx, prefix, params["ResourceIds"]))
    if not 1 <= len(resource_ids) <= _MOST_RESOURCES:
        raise invalid_parameter_value(f"The number of ResourceIds must be between 1 and {_MOST_RESOURCES}.")
    taken = _taken(ctx, resource_ids, values["traffic_type"], target)
    made = {id_: new_id("fl") for id_ in resource_ids if id_ not in taken}
    common = {"account_id": ctx.account_id, "created_at": ctx.now, **values, **target.columns()}
    if made:
        rows = [{"id": id_, "resource_id": resource, **common} for resource, id_ in made.items()]
        ctx.db.execute(insert(flow_logs), rows)
    tags.on_creation(ctx, params, "vpc-flow-log", list(made.values()))
    _note(ctx, made)
    return {
        "ClientToken": params.get("ClientToken"),
        "FlowLogIds": list(made.values()),
        "Unsuccessful": [_exists(id_) for id_ in resource_ids if id_ in taken],
    }


def _values(params: Params) -> dict[str, Any]:
    """The columns that say what is recorded."""
    traffic = params.get("TrafficType")
    if traffic is None:
        raise missing_parameter("TrafficType")
    interval = params.get("MaxAggregationInterval", 600)
    if interval not in _INTERVALS:
        raise invalid("Invalid Flow Log Max Aggregation Interval")
    return {
        "traffic_type": traffic,
        "max_aggregation_interval": interval,
        "log_format": _format(params),
        "deliver_logs_permission_arn": params.get("DeliverLogsPermissionArn"),
    }


def _format(params: Params) -> str:
    given = params.get("LogFormat")
    if given is None:
        return flow_log_format.text(flow_log_format.DEFAULT)
    try:
        return flow_log_format.text(flow_log_format.parse(given))
    except ValueError as error:
        raise invalid(f"The LogFormat is not valid: {error}") from None


def _taken(ctx: Context, resource_ids: Collection[str], traffic: str, target: Destination) -> set[str]:
    same = (
        flow_logs.c.resource_id.in_(resource_ids),
        flow_logs.c.traffic_type == traffic,
        flow_logs.c.log_destination_type == target.type,
        flow_logs.c.destination == target.place,
    )
    return set(ctx.db.execute(select(flow_logs.c.resource_id).where(*same)).scalars())


def _exists(resource_id: str) -> Result:
    text = "Error. There is an existing Flow Log with the same configuration and log destination."
    return {"ResourceId": resource_id, "Error": {"Code": "FlowLogAlreadyExists", "Message": text}}


def _note(ctx: Context, resource_ids: Collection[str]) -> None:
    """The interfaces that are, or no longer are, watched: through their subnets, however many they are."""
    vpcs = [id_ for id_ in resource_ids if id_.startswith("vpc-")]
    within = ctx.db.execute(select(subnets.c.id).where(subnets.c.vpc_id.in_(vpcs))).scalars() if vpcs else ()
    for id_ in (*resource_ids, *within):
        if id_.startswith("subnet-"):
            ctx.note("subnet", id_)
        elif id_.startswith("eni-"):
            ctx.note("network_interface", id_)


@operation("DeleteFlowLogs")
def delete_flow_logs(ctx: Context, params: Params) -> Result:
    """All of them, or none; the files that were written stay."""
    ids = list(dict.fromkeys(params["FlowLogIds"]))
    mine = flow_logs.c.id.in_(ids), flow_logs.c.account_id == ctx.account_id
    found = {row.id: row.resource_id for row in ctx.db.execute(select(flow_logs).where(*mine))}
    _require(ids, found)
    ctx.db.execute(delete(flow_logs).where(flow_logs.c.id.in_(ids)))
    tags.forget(ctx, ids)
    _note(ctx, set(found.values()))
    return {"Unsuccessful": []}


def _require(ids: Sequence[str], found: Collection[str]) -> None:
    missing = [id_ for id_ in ids if id_ not in found]
    if missing:
        text = f"These flow log ids in the input list are not found: [TotalCount: {len(missing)}] {' '.join(missing)}"
        raise AwsError("InvalidFlowLogId.NotFound", text)


_FILTERS = {
    "deliver-log-status": filters.text(flow_logs.c.deliver_logs_status),
    "log-destination-type": filters.text(flow_logs.c.log_destination_type),
    "flow-log-id": filters.text(flow_logs.c.id),
    "log-group-name": filters.text(flow_logs.c.log_group_name),
    "resource-id": filters.text(flow_logs.c.resource_id),
    "traffic-type": filters.text(flow_logs.c.traffic_type),
}


@operation("DescribeFlowLogs")
def describe_flow_logs(ctx: Context, params: Params) -> Result:
    given = {**params, "Filters": params.get("Filter", ())}
    rows, token = describe(ctx, given, "fl", _FILTERS, "FlowLogIds", sizes=(1, 1000))
    shown = tags.shown(ctx, [row.id for row in rows])
    return {"FlowLogs": [_shown(row, shown[row.id]) for row in rows], "NextToken": token}


def _shown(row: Row[Any], tag_list: tags.TagList) -> Result:
    return {
        "FlowLogId": row.id,
        "FlowLogStatus": "ACTIVE",
        "ResourceId": row.resource_id,
        "TrafficType": row.traffic_type,
        "LogDestinationType": row.log_destination_type,
        "LogDestination": row.log_destination,
        "LogGroupName": row.log_group_name,
        "LogFormat": row.log_format,
        "MaxAggregationInterval": row.max_aggregation_interval,
        "DeliverLogsPermissionArn": row.deliver_logs_permission_arn,
        "DeliverLogsStatus": row.deliver_logs_status,
        "DeliverLogsErrorMessage": row.deliver_logs_error_message,
        "DestinationOptions": row.destination_options,
        "CreationTime": row.created_at,
        "Tags": tag_list,
    }
