"""The numbered rules of traffic mirror filters: of a packet's direction, the first that fits decides.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTrafficMirrorFilterRule.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from enid.ec2 import cidr, descriptions, filters, quotas, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import AwsError, invalid_parameter_combination, invalid_parameter_value, missing_parameter
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store.ids import new_id
from enid.store.tables import traffic_mirror_filter_rules, traffic_mirror_sessions

_RULE = traffic_mirror_filter_rules.c
_WITH_PORTS = (6, 17)
NUMBERS = range(1, 32767)
"""Of rules, and of sessions."""
_PORTS = {"SourcePortRange": "source", "DestinationPortRange": "destination"}
_REMOVABLE = {
    "destination-port-range": ("destination_from_port", "destination_to_port"),
    "source-port-range": ("source_from_port", "source_to_port"),
    "protocol": ("protocol",),
    "description": ("description",),
}


@operation("CreateTrafficMirrorFilterRule")
def create_traffic_mirror_filter_rule(ctx: Context, params: Params) -> Result:
    """A number that is taken in this direction is refused."""
    owner = fetch(ctx, "tmf", params["TrafficMirrorFilterId"])
    quotas.check(
        ctx,
        traffic_mirror_filter_rules,
        _RULE.filter_id == owner.id,
        ctx.settings.quotas.rules_per_traffic_mirror_filter,
        "TrafficMirrorFilterRuleLimitExceeded",
        f"The maximum number of Traffic Mirror filter rules of {owner.id} has been exceeded.",
    )
    blank = dict.fromkeys((column.name for column in traffic_mirror_filter_rules.columns), None)
    values = blank | {"id": new_id("tmfr"), "account_id": ctx.account_id, "filter_id": owner.id} | _given(params)
    _check(ctx, values)
    ctx.db.execute(insert(traffic_mirror_filter_rules).values(**values))
    tags.on_creation(ctx, params, "traffic-mirror-filter-rule", [str(values["id"])])
    note_sources(ctx, owner.id)
    return {"TrafficMirrorFilterRule": _one(ctx, str(values["id"])), "ClientToken": params.get("ClientToken")}


@operation("ModifyTrafficMirrorFilterRule")
def modify_traffic_mirror_filter_rule(ctx: Context, params: Params) -> Result:
    """What is not given stays; what ``RemoveFields`` names becomes the default."""
    row = fetch(ctx, "tmfr", params["TrafficMirrorFilterRuleId"])
    removed = [name for field in params.get("RemoveFields", ()) for name in _REMOVABLE[field]]
    given = _given(params)
    if both := sorted(given.keys() & set(removed)):
        raise invalid_parameter_combination(f"A property cannot be both set and removed: {both[0].replace('_', '-')}.")
    values = {**row._asdict(), **dict.fromkeys(removed), **given}
    _check(ctx, values)
    ctx.db.execute(update(traffic_mirror_filter_rules).where(_RULE.id == row.id).values(**values))
    note_sources(ctx, row.filter_id)
    return {"TrafficMirrorFilterRule": _one(ctx, row.id)}


@operation("DeleteTrafficMirrorFilterRule")
def delete_traffic_mirror_filter_rule(ctx: Context, params: Params) -> Result:
    row = fetch(ctx, "tmfr", params["TrafficMirrorFilterRuleId"])
    ctx.db.execute(delete(traffic_mirror_filter_rules).where(_RULE.id == row.id))
    tags.forget(ctx, [row.id])
    note_sources(ctx, row.filter_id)
    return {"TrafficMirrorFilterRuleId": row.id}


def note_sources(ctx: Context, filter_id: str) -> None:
    """What the filter says has changed: the agent looks again at whoever is mirrored by it."""
    session = traffic_mirror_sessions.c
    found = ctx.db.execute(select(session.network_interface_id).where(session.filter_id == filter_id).distinct())
    for id_ in found.scalars():
        ctx.note("network_interface", id_)


def _given(params: Params) -> dict[str, Any]:
    """The columns a request names.

    :raises AwsError: ``InvalidParameterValue``, ``MissingParameter``.
    """
    plain = {
        "TrafficDirection": "direction",
        "RuleNumber": "rule_number",
        "RuleAction": "rule_action",
        "Protocol": "protocol",
    }
    result = {column: params[name] for name, column in plain.items() if name in params}
    if "Description" in params:
        result["description"] = descriptions.given(params)
    for name, column in (("SourceCidrBlock", "source"), ("DestinationCidrBlock", "destination")):
        if name in params:
            result[f"{column}_cidr_block"] = _block(name, params[name])
    for name, column in _PORTS.items():
        if name in params:
            result[f"{column}_from_port"], result[f"{column}_to_port"] = _ports(name, params[name])
    return result


def _block(name: str, text: str) -> str:
    network = cidr.parse(text)
    if network is None:
        raise cidr.not_a_block(text, name[0].lower() + name[1:])
    return str(network)


def _ports(name: str, given: Mapping[str, int]) -> tuple[int, int]:
    first, last = given.get("FromPort"), given.get("ToPort")
    if first is None or last is None:
        raise missing_parameter(f"{name}.FromPort and {name}.ToPort")
    if not 0 <= first <= last <= 65535:
        raise invalid_parameter_value(f"Value ({first}-{last}) for parameter {name} is invalid.")
    return first, last


def _check(ctx: Context, values: Mapping[str, Any]) -> None:
    """Whether a rule may say this."""
    number, protocol = values["rule_number"], values["protocol"]
    if number not in NUMBERS:
        raise invalid_parameter_value(
            f"Value ({number}) for parameter ruleNumber is invalid. Rule numbers are from 1 to {NUMBERS[-1]}."
        )
    if protocol is not None and not 0 <= protocol <= 255:
        raise invalid_parameter_value(f"Value ({protocol}) for parameter protocol is invalid: it is an IANA number.")
    blocks = [cidr.parse(values[f"{end}_cidr_block"]) for end in ("source", "destination")]
    if len({block.version for block in blocks if block}) > 1:
        raise invalid_parameter_value(
            "DestinationCidrBlock and SourceCidrBlock must both be an IPv4 range or an IPv6 range."
        )
    for name, column in _PORTS.items():
        if values[f"{column}_from_port"] is not None and protocol not in _WITH_PORTS:
            raise invalid_parameter_combination(f"{name} goes with the protocols 6 (TCP) and 17 (UDP) only.")
    taken = select(_RULE.id).where(
        _RULE.filter_id == values["filter_id"],
        _RULE.direction == values["direction"],
        _RULE.rule_number == number,
        _RULE.id != values["id"],
    )
    if ctx.db.execute(taken).first():
        raise AwsError(
            "TrafficMirrorFilterRuleAlreadyExists",
            f"The {values['direction']} rule number {number} of {values['filter_id']} already exists.",
        )


_FILTERS = {
    "traffic-mirror-filter-rule-id": filters.text(_RULE.id),
    "traffic-mirror-filter-id": filters.text(_RULE.filter_id),
    "rule-number": filters.number(_RULE.rule_number),
    "rule-action": filters.text(_RULE.rule_action),
    "traffic-direction": filters.text(_RULE.direction),
    "protocol": filters.number(_RULE.protocol),
    "source-cidr-block": filters.text(_RULE.source_cidr_block),
    "destination-cidr-block": filters.text(_RULE.destination_cidr_block),
    "description": filters.text(_RULE.description),
}


@operation("DescribeTrafficMirrorFilterRules")
def describe_traffic_mirror_filter_rules(ctx: Context, params: Params) -> Result:
    owner = params.get("TrafficMirrorFilterId")
    condition = _RULE.filter_id == fetch(ctx, "tmf", owner).id if owner else None
    rows, token = describe(ctx, params, "tmfr", _FILTERS, "TrafficMirrorFilterRuleIds", condition=condition)
    return {"TrafficMirrorFilterRules": _shown(ctx, rows), "NextToken": token}


def of_filters(ctx: Context, ids: Sequence[str]) -> defaultdict[tuple[str, str], list[Result]]:
    """(filter, direction) → its rules as they are shown, in order."""
    result: defaultdict[tuple[str, str], list[Result]] = defaultdict(list)
    rows = list(ctx.db.execute(select(traffic_mirror_filter_rules).where(_RULE.filter_id.in_(ids))))
    rows.sort(key=lambda row: row.rule_number)
    for row, shown in zip(rows, _shown(ctx, rows), strict=True):
        result[row.filter_id, row.direction].append(shown)
    return result


def _one(ctx: Context, id_: str) -> Result:
    return _shown(ctx, [fetch(ctx, "tmfr", id_)])[0]


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    tagged = tags.shown(ctx, [row.id for row in rows])
    return [
        {
            "TrafficMirrorFilterRuleId": row.id,
            "TrafficMirrorFilterId": row.filter_id,
            "TrafficDirection": row.direction,
            "RuleNumber": row.rule_number,
            "RuleAction": row.rule_action,
            "Protocol": row.protocol,
            "DestinationPortRange": _range(row.destination_from_port, row.destination_to_port),
            "SourcePortRange": _range(row.source_from_port, row.source_to_port),
            "DestinationCidrBlock": row.destination_cidr_block,
            "SourceCidrBlock": row.source_cidr_block,
            "Description": row.description,
            "Tags": tagged[row.id],
        }
        for row in rows
    ]


def _range(first: int | None, last: int | None) -> Result | None:
    return None if first is None else {"FromPort": first, "ToPort": last}
