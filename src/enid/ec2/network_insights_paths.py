"""Paths of Reachability Analyzer: a question about reachability, kept to be asked again and again.

Asking it is :mod:`enid.ec2.network_insights_analyses`' affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, cast, delete, insert, select

from enid.ec2 import arns, filters, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import (
    AwsError,
    invalid_parameter_combination,
    invalid_parameter_value,
    missing_parameter,
    unsupported,
)
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store.ids import new_id
from enid.store.tables import network_insights_analyses, network_insights_paths

_PATHS = network_insights_paths.c
_ENDS = ("i", "eni", "igw", "vgw")
_CLIENT_PORTS = (1024, 65535)
"""What is taken for granted of a client's port, see :mod:`enid.topology.reach`."""
SIZES = (1, 100)


@operation("CreateNetworkInsightsPath", records=True)
def create_network_insights_path(ctx: Context, params: Params) -> Result:
    """:raises AwsError: ``UnsupportedOperation`` for an end, or a filter, that cannot be reasoned about."""
    source = _end(ctx, params["Source"])
    destination = _end(ctx, params["Destination"]) if params.get("Destination") else None
    at_source, at_destination = params.get("FilterAtSource") or {}, params.get("FilterAtDestination") or {}
    _check_together(params, at_source, at_destination)
    for what, filter_ in (("filterAtSource", at_source), ("filterAtDestination", at_destination)):
        _check_filter(what, filter_)
    for name in ("SourceIp", "DestinationIp"):
        _check_ip(name, params.get(name))
    if destination is None and not (params.get("DestinationIp") or at_source.get("DestinationAddress")):
        raise missing_parameter("destination or destinationIp")
    id_ = new_id("nip")
    ctx.db.execute(
        insert(network_insights_paths).values(
            id=id_,
            account_id=ctx.account_id,
            source=source,
            destination=destination,
            source_ip=params.get("SourceIp") or None,
            destination_ip=params.get("DestinationIp") or None,
            protocol=params["Protocol"].lower(),
            destination_port=params.get("DestinationPort"),
            filter_at_source=at_source or None,
            filter_at_destination=at_destination or None,
            created_at=ctx.now,
        )
    )
    tags.on_creation(ctx, params, "network-insights-path", [id_])
    return {"NetworkInsightsPath": _shown(ctx, [fetch(ctx, "nip", id_)])[0]}


def _end(ctx: Context, given: str) -> str:
    """The id that an id or an ARN names; it must exist."""
    id_ = arns.id_of(ctx, given)
    prefix = id_.rpartition("-")[0]
    if prefix not in _ENDS:
        raise unsupported(
            f"{id_}: a path can begin and end at an instance, a network interface, or an internet or VPN gateway."
        )
    fetch(ctx, prefix, id_)
    return id_


def _check_together(params: Params, at_source: Mapping[str, Any], at_destination: Mapping[str, Any]) -> None:
    if at_source and (params.get("SourceIp") or "DestinationPort" in params):
        raise invalid_parameter_combination(
            "The parameter filterAtSource cannot be used with the parameters sourceIp and destinationPort."
        )
    if at_destination and params.get("DestinationIp"):
        raise invalid_parameter_combination(
            "The parameter filterAtDestination cannot be used with the parameter destinationIp."
        )


def _check_filter(what: str, given: Mapping[str, Any]) -> None:
    for name in ("SourceAddress", "DestinationAddress"):
        _check_ip(f"{what}.{name}", given.get(name))
    for name in ("SourcePortRange", "DestinationPortRange"):
        first, last = port_range(given, name)
        if not 0 <= first <= last <= 65535:
            raise invalid_parameter_value(f"Value ({first}-{last}) for parameter {what}.{name} is invalid.")
        if name == "SourcePortRange" and (first > _CLIENT_PORTS[0] or last < _CLIENT_PORTS[1]):
            raise unsupported(f"{what}.SourcePortRange: an analysis is always about every port clients send from.")


def port_range(given: Mapping[str, Any], name: str) -> tuple[int, int]:
    """First and last port of a filter's range; all of them where it has none."""
    limits = given.get(name) or {}
    first = int(limits.get("FromPort", limits.get("ToPort", 0)))
    return first, int(limits.get("ToPort", first if limits else 65535))


def _check_ip(name: str, text: str | None) -> None:
    if text:
        try:
            IPv4Address(text)
        except AddressValueError:
            raise invalid_parameter_value(f"Value ({text}) for parameter {name} is invalid.") from None


@operation("DeleteNetworkInsightsPath", records=True)
def delete_network_insights_path(ctx: Context, params: Params) -> Result:
    """Its analyses go first."""
    row = fetch(ctx, "nip", params["NetworkInsightsPathId"])
    analyses = network_insights_analyses.c
    found = list(ctx.db.execute(select(analyses.id).where(analyses.path_id == row.id).limit(100)).scalars())
    if found:
        raise AwsError(
            "AnalysisExistsForNetworkInsightsPath", f"There are analyses of the path {row.id}.", dependants=found
        )
    ctx.db.execute(delete(network_insights_paths).where(_PATHS.id == row.id))
    tags.forget(ctx, [row.id])
    return {"NetworkInsightsPathId": row.id}


def _range_text(column: ColumnElement[Any], name: str) -> ColumnElement[str]:
    first, last = (cast(column[(name, end)].as_string(), Text) for end in ("FromPort", "ToPort"))
    return first + "-" + last


def _filters_at(end: str, column: Any) -> dict[str, filters.Condition]:
    return {
        f"filter-at-{end}.source-address": filters.text(column["SourceAddress"].as_string()),
        f"filter-at-{end}.source-port-range": filters.text(_range_text(column, "SourcePortRange")),
        f"filter-at-{end}.destination-address": filters.text(column["DestinationAddress"].as_string()),
        f"filter-at-{end}.destination-port-range": filters.text(_range_text(column, "DestinationPortRange")),
    }


_FILTERS = {
    "destination": filters.text(_PATHS.destination),
    "protocol": filters.text(_PATHS.protocol),
    "source": filters.text(_PATHS.source),
    **_filters_at("source", _PATHS.filter_at_source),
    **_filters_at("destination", _PATHS.filter_at_destination),
}


@operation("DescribeNetworkInsightsPaths")
def describe_network_insights_paths(ctx: Context, params: Params) -> Result:
    rows, token = describe(ctx, params, "nip", _FILTERS, "NetworkInsightsPathIds", sizes=SIZES)
    return {"NetworkInsightsPaths": _shown(ctx, rows), "NextToken": token}


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    tags_of = tags.shown(ctx, [row.id for row in rows])
    return [
        {
            "NetworkInsightsPathId": row.id,
            "NetworkInsightsPathArn": arns.of(ctx, row.id),
            "CreatedDate": row.created_at,
            "Source": row.source,
            "SourceArn": arns.of(ctx, row.source),
            "SourceIp": row.source_ip,
            "Destination": row.destination,
            "DestinationArn": arns.of(ctx, row.destination) if row.destination else None,
            "DestinationIp": row.destination_ip,
            "DestinationPort": row.destination_port,
            "Protocol": row.protocol,
            "FilterAtSource": row.filter_at_source,
            "FilterAtDestination": row.filter_at_destination,
            "Tags": tags_of[row.id],
        }
        for row in rows
    ]
