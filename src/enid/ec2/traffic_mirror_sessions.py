"""Traffic mirror sessions: copies of an interface's packets, those that a filter lets through, go to a target.

What is copied, and how, is the fabric's affair (:mod:`enid.fabric.linux.mirroring`).
https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-sessions.html
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from enid.ec2 import descriptions, filters, quotas, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import (
    AwsError,
    invalid_parameter_combination,
    invalid_parameter_value,
    unsupported,
)
from enid.ec2.network_interface_access import writable
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.ec2.traffic_mirror_filter_rules import NUMBERS
from enid.store.ids import new_id
from enid.store.tables import traffic_mirror_sessions, traffic_mirror_targets

_SESSION, _TARGET = traffic_mirror_sessions.c, traffic_mirror_targets.c
_LENGTHS = range(1, 8501)
_NETWORKS = range(1 << 24)
"""VXLAN's."""
_REMOVABLE = {
    "packet-length": "packet_length",
    "description": "description",
    "virtual-network-id": "virtual_network_id",
}


@operation("CreateTrafficMirrorSession")
def create_traffic_mirror_session(ctx: Context, params: Params) -> Result:
    """A session number is free of the source's other sessions, and a virtual network id is drawn if none is given."""
    source = writable(ctx, params["NetworkInterfaceId"])
    if ctx.db.execute(select(_TARGET.id).where(_TARGET.network_interface_id == source.id)).first():
        raise invalid_parameter_value(
            f"{source.id} is a Traffic Mirror target and cannot be the source of a Traffic Mirror session."
        )
    _check_quotas(ctx, source.id)
    values = {"packet_length": None, "description": None, **_given(ctx, params)}
    values |= {"id": new_id("tms"), "account_id": ctx.account_id, "network_interface_id": source.id}
    values.setdefault("virtual_network_id", _unused_network(ctx))
    _check(ctx, values)
    ctx.db.execute(insert(traffic_mirror_sessions).values(**values))
    tags.on_creation(ctx, params, "traffic-mirror-session", [values["id"]])
    ctx.note("network_interface", source.id)
    return {"TrafficMirrorSession": _one(ctx, values["id"]), "ClientToken": params.get("ClientToken")}


@operation("ModifyTrafficMirrorSession")
def modify_traffic_mirror_session(ctx: Context, params: Params) -> Result:
    """What is not given stays; what ``RemoveFields`` names becomes the default."""
    row = fetch(ctx, "tms", params["TrafficMirrorSessionId"])
    given = _given(ctx, params)
    removed = dict.fromkeys(_REMOVABLE[field] for field in params.get("RemoveFields", ()))
    if both := sorted(given.keys() & removed.keys()):
        raise invalid_parameter_combination(f"A property cannot be both set and removed: {both[0].replace('_', '-')}.")
    if "virtual_network_id" in removed:
        removed["virtual_network_id"] = _unused_network(ctx)
    values = {**row._asdict(), **removed, **given}
    _check(ctx, values)
    ctx.db.execute(update(traffic_mirror_sessions).where(_SESSION.id == row.id).values(**values))
    ctx.note("network_interface", row.network_interface_id)
    return {"TrafficMirrorSession": _one(ctx, row.id)}


@operation("DeleteTrafficMirrorSession")
def delete_traffic_mirror_session(ctx: Context, params: Params) -> Result:
    row = fetch(ctx, "tms", params["TrafficMirrorSessionId"])
    ctx.db.execute(delete(traffic_mirror_sessions).where(_SESSION.id == row.id))
    tags.forget(ctx, [row.id])
    ctx.note("network_interface", row.network_interface_id)
    return {"TrafficMirrorSessionId": row.id}


def _given(ctx: Context, params: Params) -> dict[str, Any]:
    """The columns a request names.

    :raises AwsError: the target or the filter is not there, or PacketLength cannot be had.
    """
    if params.get("PacketLength") is not None and ctx.settings.rootless:
        raise unsupported("PacketLength needs enid to run as root: packets are cut to length by an eBPF program.")
    names = {"PacketLength": "packet_length", "SessionNumber": "session_number"}
    names["VirtualNetworkId"] = "virtual_network_id"
    result = {column: params[name] for name, column in names.items() if params.get(name) is not None}
    if "Description" in params:
        result["description"] = descriptions.given(params)
    for member, column, prefix in (("Target", "target_id", "tmt"), ("Filter", "filter_id", "tmf")):
        if (id_ := params.get(f"TrafficMirror{member}Id")) is not None:
            result[column] = fetch(ctx, prefix, id_).id
    return result


def _check(ctx: Context, values: Mapping[str, Any]) -> None:
    """Whether a session may be so."""
    ranges = {"packet_length": _LENGTHS, "session_number": NUMBERS, "virtual_network_id": _NETWORKS}
    for column, allowed in ranges.items():
        if values[column] is not None and values[column] not in allowed:
            name = "".join(word.capitalize() for word in column.split("_"))
            raise invalid_parameter_value(
                f"Value ({values[column]}) for parameter {name} is invalid."
                f" Valid values are {allowed[0]}-{allowed[-1]}."
            )
    others = select(_SESSION.id).where(
        _SESSION.network_interface_id == values["network_interface_id"],
        _SESSION.session_number == values["session_number"],
        _SESSION.id != values["id"],
    )
    if taken := ctx.db.execute(others).scalar():
        raise invalid_parameter_value(
            f"The session number {values['session_number']} is already being used by {taken}"
            f" of {values['network_interface_id']}."
        )
    _check_sources(ctx, values)


def _check_sources(ctx: Context, values: Mapping[str, Any]) -> None:
    others = _SESSION.network_interface_id != values["network_interface_id"]
    sources = select(func.count(_SESSION.network_interface_id.distinct())).where(
        _SESSION.target_id == values["target_id"], others
    )
    if ctx.db.execute(sources).scalar_one() >= ctx.settings.quotas.sources_per_traffic_mirror_target:
        raise AwsError(
            "TrafficMirrorSourcesPerTargetLimitExceeded",
            "The maximum number of Traffic Mirror sources for the specified Traffic Mirror target has been exceeded.",
        )


def _check_quotas(ctx: Context, source_id: str) -> None:
    limits = ctx.settings.quotas
    quotas.check(
        ctx,
        traffic_mirror_sessions,
        _SESSION.network_interface_id == source_id,
        limits.traffic_mirror_sessions_per_interface,
        "TrafficMirrorSessionsPerInterfaceLimitExceeded",
        "The allowed number of Traffic Mirror sessions for the specified network interface has been exceeded.",
    )
    quotas.check(
        ctx,
        traffic_mirror_sessions,
        _SESSION.account_id == ctx.account_id,
        limits.traffic_mirror_sessions,
        "TrafficMirrorSessionLimitExceeded",
        "The maximum number of Traffic Mirror sessions has been exceeded.",
    )


def _unused_network(ctx: Context) -> int:
    """Drawn at random, and no other session's of the account."""
    while True:
        number = secrets.choice(_NETWORKS)
        mine = _SESSION.account_id == ctx.account_id
        if not ctx.db.execute(select(_SESSION.id).where(mine, _SESSION.virtual_network_id == number)).first():
            return number


_FILTERS = {
    "description": filters.text(_SESSION.description),
    "network-interface-id": filters.text(_SESSION.network_interface_id),
    "owner-id": filters.text(_SESSION.account_id),
    "packet-length": filters.number(_SESSION.packet_length),
    "session-number": filters.number(_SESSION.session_number),
    "traffic-mirror-filter-id": filters.text(_SESSION.filter_id),
    "traffic-mirror-session-id": filters.text(_SESSION.id),
    "traffic-mirror-target-id": filters.text(_SESSION.target_id),
    "virtual-network-id": filters.number(_SESSION.virtual_network_id),
}


@operation("DescribeTrafficMirrorSessions")
def describe_traffic_mirror_sessions(ctx: Context, params: Params) -> Result:
    rows, token = describe(ctx, params, "tms", _FILTERS, "TrafficMirrorSessionIds")
    return {"TrafficMirrorSessions": _shown(ctx, rows), "NextToken": token}


def _one(ctx: Context, id_: str) -> Result:
    return _shown(ctx, [fetch(ctx, "tms", id_)])[0]


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    tagged = tags.shown(ctx, [row.id for row in rows])
    return [
        {
            "TrafficMirrorSessionId": row.id,
            "TrafficMirrorTargetId": row.target_id,
            "TrafficMirrorFilterId": row.filter_id,
            "NetworkInterfaceId": row.network_interface_id,
            "OwnerId": row.account_id,
            "PacketLength": row.packet_length,
            "SessionNumber": row.session_number,
            "VirtualNetworkId": row.virtual_network_id,
            "Description": row.description,
            "Tags": tagged[row.id],
        }
        for row in rows
    ]
