"""Analyses of Reachability Analyzer: a path's question, asked at one moment, and the answer as it was then.

The answer is that of :mod:`enid.topology.reach`; what it looks like in AWS's words is that of
:mod:`enid.ec2.network_insights_components` and :mod:`enid.ec2.network_insights_explanations`. No packet is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, insert, true

from enid.clock import timestamp
from enid.ec2 import arns, filters, network_insights_question, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.network_insights_components import component_of, listed
from enid.ec2.network_insights_explanations import explain
from enid.ec2.network_insights_paths import SIZES
from enid.ec2.network_insights_question import Impossible, Question
from enid.ec2.network_insights_scene import Scene, scene
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.ec2.unsupported import refuse
from enid.store.ids import new_id
from enid.store.tables import network_insights_analyses
from enid.topology.blocks import exactly
from enid.topology.places import Place, Traffic
from enid.topology.port_ranges import reach_any
from enid.topology.reach import Hop, Part
from enid.topology.records import Port

_ANALYSES = network_insights_analyses.c


@operation("StartNetworkInsightsAnalysis", records=True)
def start_network_insights_analysis(ctx: Context, params: Params) -> Result:
    """Asks, and answers, at once."""
    refuse(params, "AdditionalAccounts")
    path = fetch(ctx, "nip", params["NetworkInsightsPathId"])
    through = [arns.id_of(ctx, arn) for arn in params.get("FilterInArns", ())]
    around = [arns.id_of(ctx, arn) for arn in params.get("FilterOutArns", ())]
    found = _filtered(ctx, _findings(ctx, network_insights_question.of(path)), through, around)
    found |= {"FilterInArns": params.get("FilterInArns"), "FilterOutArns": params.get("FilterOutArns")}
    id_ = new_id("nia")
    ctx.db.execute(
        insert(network_insights_analyses).values(
            id=id_,
            account_id=ctx.account_id,
            path_id=path.id,
            started_at=ctx.now,
            path_found="Explanations" not in found,
            findings=found,
        )
    )
    tags.on_creation(ctx, params, "network-insights-analysis", [id_])
    return {"NetworkInsightsAnalysis": _shown(ctx, [fetch(ctx, "nia", id_)])[0]}


def _findings(ctx: Context, question: Question) -> Result:
    """Components when there is a path, explanations when there is none."""
    here = scene(ctx)
    try:
        if question.ports[0] > question.ports[1]:
            raise Impossible("FILTER_AT_DESTINATION_DESTINATION_PORT_RANGE", question.source)
        start, end = network_insights_question.ends(question, here.world, here.gateways)
        verdict, port = reach_any(here.world, start, end, question.protocol, question.ports)
        if not verdict.reachable:
            return {"Explanations": [explain(here, verdict)]}
        forward = _arrived(here, question, end, [hop for hop in verdict.hops if not hop.reply])
    except Impossible as why:
        return {"Explanations": [{"ExplanationCode": why.code, "Component": here.component(why.component)}]}
    traffic, ends = Traffic(question.protocol, port), (question.source, question.destination)
    return {
        "ForwardPathComponents": listed(here, forward, traffic, ends),
        "ReturnPathComponents": listed(here, [hop for hop in verdict.hops if hop.reply], traffic, ends),
    }


def _arrived(here: Scene, question: Question, end: Place, hops: list[Hop]) -> list[Hop]:
    """The hops as far as the destination. The packet arrives somewhere; it must be where, and as, the question has it.

    :raises Impossible: it does not.
    """
    gateway = question.destination or ""
    if gateway in here.gateways:
        hops = _as_far_as(here, gateway, hops)
    last = hops[-1]
    if isinstance(end.where, Port):
        owner = here.port(last.id)
        if end.where.id != last.id and end.where.instance_id not in (last.id, owner and owner.instance_id):
            raise Impossible("NO_PATH", end.where.id)
    if last.packet is not None:
        for wanted, found, code in (
            (question.arriving_from, last.packet.src, "FILTER_AT_DESTINATION_SOURCE_ADDRESS"),
            (question.arriving_at, last.packet.dst, "FILTER_AT_DESTINATION_DESTINATION_ADDRESS"),
        ):
            if wanted is not None and exactly(wanted) != found:
                raise Impossible(code, question.destination or question.source)
    return hops


def _as_far_as(here: Scene, gateway: str, hops: list[Hop]) -> list[Hop]:
    """What is behind the gateway is not asked about."""
    for place, hop in enumerate(hops, 1):
        if hop.part in (Part.INTERNET_GATEWAY, Part.VPN) and component_of(here, hop) == gateway:
            return hops[:place]
    raise Impossible("NO_PATH", gateway)


def _filtered(ctx: Context, found: Result, through: Sequence[str], around: Sequence[str]) -> Result:
    """There is one way for a packet: it traverses a component, or does not."""
    met = {component["Component"]["Id"] for component in found.get("ForwardPathComponents", ())}
    wrong = [*(id_ for id_ in through if id_ not in met), *(id_ for id_ in around if id_ in met)]
    if "Explanations" in found or not wrong:
        return found
    component = {"Id": wrong[0], "Arn": arns.of(ctx, wrong[0])}
    return {"Explanations": [{"ExplanationCode": "COMPONENT_FILTER_RESTRICTION", "Component": component}]}


@operation("DeleteNetworkInsightsAnalysis", records=True)
def delete_network_insights_analysis(ctx: Context, params: Params) -> Result:
    row = fetch(ctx, "nia", params["NetworkInsightsAnalysisId"])
    ctx.db.execute(delete(network_insights_analyses).where(_ANALYSES.id == row.id))
    tags.forget(ctx, [row.id])
    return {"NetworkInsightsAnalysisId": row.id}


_FILTERS = {"path-found": filters.boolean(_ANALYSES.path_found), "status": filters.text(_ANALYSES.status)}


@operation("DescribeNetworkInsightsAnalyses")
def describe_network_insights_analyses(ctx: Context, params: Params) -> Result:
    rows, token = describe(
        ctx, params, "nia", _FILTERS, "NetworkInsightsAnalysisIds", sizes=SIZES, condition=_selected(ctx, params)
    )
    return {"NetworkInsightsAnalyses": _shown(ctx, rows), "NextToken": token}


def _selected(ctx: Context, params: Params) -> ColumnElement[bool]:
    """By path and time. An analysis starts and ends at the same moment."""
    conditions: list[ColumnElement[bool]] = [true()]
    if params.get("NetworkInsightsPathId"):
        conditions.append(_ANALYSES.path_id == fetch(ctx, "nip", params["NetworkInsightsPathId"]).id)
    if params.get("AnalysisStartTime"):
        conditions.append(_ANALYSES.started_at >= _text(params["AnalysisStartTime"]))
    if params.get("AnalysisEndTime"):
        conditions.append(_ANALYSES.started_at <= _text(params["AnalysisEndTime"]))
    return and_(*conditions)


def _text(moment: datetime | str) -> str:
    return timestamp(moment) if isinstance(moment, datetime) else moment


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    tags_of = tags.shown(ctx, [row.id for row in rows])
    return [
        {
            "NetworkInsightsAnalysisId": row.id,
            "NetworkInsightsAnalysisArn": arns.of(ctx, row.id),
            "NetworkInsightsPathId": row.path_id,
            "StartDate": row.started_at,
            "Status": row.status,
            "NetworkPathFound": row.path_found,
            **row.findings,
            "Tags": tags_of[row.id],
        }
        for row in rows
    ]
