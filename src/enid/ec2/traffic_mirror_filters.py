"""Traffic mirror filters: which packets are copied. Their numbered rules are a module of their own.

https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-filters.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from enid.ec2 import descriptions, filters, quotas, tags, traffic_mirror_filter_rules
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import AwsError, invalid_parameter_combination
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store.ids import new_id
from enid.store.tables import traffic_mirror_filter_rules as rules
from enid.store.tables import traffic_mirror_filters, traffic_mirror_sessions

_FILTER = traffic_mirror_filters.c
_DNS = "amazon-dns"


@operation("CreateTrafficMirrorFilter")
def create_traffic_mirror_filter(ctx: Context, params: Params) -> Result:
    """A filter without rules: it lets nothing be mirrored yet."""
    quotas.check(
        ctx,
        traffic_mirror_filters,
        _FILTER.account_id == ctx.account_id,
        ctx.settings.quotas.traffic_mirror_filters,
        "TrafficMirrorFilterLimitExceeded",
        "The maximum number of Traffic Mirror filters has been exceeded.",
    )
    id_ = new_id("tmf")
    values = {"id": id_, "account_id": ctx.account_id, "description": descriptions.given(params)}
    ctx.db.execute(insert(traffic_mirror_filters).values(**values))
    tags.on_creation(ctx, params, "traffic-mirror-filter", [id_])
    return {"TrafficMirrorFilter": _one(ctx, id_), "ClientToken": params.get("ClientToken")}


@operation("DeleteTrafficMirrorFilter")
def delete_traffic_mirror_filter(ctx: Context, params: Params) -> Result:
    """With its rules; not while a session uses it."""
    row = fetch(ctx, "tmf", params["TrafficMirrorFilterId"])
    sessions = traffic_mirror_sessions.c
    if using := list(ctx.db.execute(select(sessions.id).where(sessions.filter_id == row.id).limit(100)).scalars()):
        raise AwsError(
            "TrafficMirrorFilterInUse",
            "The Traffic Mirror filter cannot be deleted because a Traffic Mirror session is currently using it."
            f" ({using[0]})",
            dependants=using,
        )
    of_it = list(ctx.db.execute(select(rules.c.id).where(rules.c.filter_id == row.id)).scalars())
    tags.forget(ctx, [row.id, *of_it])
    ctx.db.execute(delete(traffic_mirror_filters).where(_FILTER.id == row.id))
    return {"TrafficMirrorFilterId": row.id}


@operation("ModifyTrafficMirrorFilterNetworkServices")
def modify_traffic_mirror_filter_network_services(ctx: Context, params: Params) -> Result:
    """``amazon-dns``: what instances ask Amazon's resolver is mirrored too, whatever the rules say."""
    row = fetch(ctx, "tmf", params["TrafficMirrorFilterId"])
    added, removed = (_DNS in params.get(f"{verb}NetworkServices", ()) for verb in ("Add", "Remove"))
    if added and removed:
        raise invalid_parameter_combination(f"The network service {_DNS} cannot be both added and removed.")
    if (added or removed) and added != row.amazon_dns:
        ctx.db.execute(update(traffic_mirror_filters).where(_FILTER.id == row.id).values(amazon_dns=added))
        traffic_mirror_filter_rules.note_sources(ctx, row.id)
    return {"TrafficMirrorFilter": _one(ctx, row.id)}


_FILTERS = {
    "description": filters.text(_FILTER.description),
    "traffic-mirror-filter-id": filters.text(_FILTER.id),
}


@operation("DescribeTrafficMirrorFilters")
def describe_traffic_mirror_filters(ctx: Context, params: Params) -> Result:
    rows, token = describe(ctx, params, "tmf", _FILTERS, "TrafficMirrorFilterIds")
    return {"TrafficMirrorFilters": _shown(ctx, rows), "NextToken": token}


def _one(ctx: Context, id_: str) -> Result:
    return _shown(ctx, [fetch(ctx, "tmf", id_)])[0]


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    tagged = tags.shown(ctx, [row.id for row in rows])
    found = traffic_mirror_filter_rules.of_filters(ctx, list(tagged))
    return [
        {
            "TrafficMirrorFilterId": row.id,
            "IngressFilterRules": found[row.id, "ingress"],
            "EgressFilterRules": found[row.id, "egress"],
            "NetworkServices": [_DNS] if row.amazon_dns else [],
            "Description": row.description,
            "Tags": tagged[row.id],
        }
        for row in rows
    ]
