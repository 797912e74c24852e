"""The rules of security groups: authorize, revoke, modify, describe.

What a permission means is :mod:`enid.ec2.permissions`' affair; the groups themselves :mod:`enid.ec2.security_groups`'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select, update

from enid.ec2 import aws_prefix_lists, filters, permissions, referenced_groups, rule_quota, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import (
    AwsError,
    check_id,
    invalid_parameter_combination,
    invalid_parameter_value,
    missing_parameter,
    not_found,
)
from enid.ec2.permissions import Rule
from enid.ec2.registry import operation
from enid.ec2.resources import fetch, fetch_all
from enid.store.ids import new_id
from enid.store.tables import security_group_rules, security_groups, vpcs

_RULE = security_group_rules.c


def group_of(ctx: Context, params: Params) -> Row[Any]:
    """The group of a request; by name only in a default VPC, as at AWS.

    :raises AwsError: ``MissingParameter``, ``InvalidGroup.NotFound``.
    """
    if "GroupId" in params:
        return fetch(ctx, "sg", params["GroupId"])
    if "GroupName" not in params:
        raise missing_parameter("groupId")
    query = select(security_groups).join(vpcs).where(vpcs.c.is_default, security_groups.c.name == params["GroupName"])
    row = ctx.db.execute(query.where(security_groups.c.account_id == ctx.account_id)).one_or_none()
    if row is None:
        raise not_found("sg", params["GroupName"])
    return row


def add(ctx: Context, group_id: str, rules: Sequence[Rule]) -> list[str]:
    """Write new rules, without asking whether they may be; answers their ids."""
    rows = [_row(ctx, new_id("sgr"), group_id, rule) for rule in rules]
    if rows:
        ctx.db.execute(insert(security_group_rules), rows)
    ctx.note("security_group", group_id)
    return [row["id"] for row in rows]


def _row(ctx: Context, id_: str, group_id: str, rule: Rule) -> dict[str, Any]:
    return {"id": id_, "account_id": ctx.account_id, "group_id": group_id, "identity": rule.identity, **asdict(rule)}


def _parsed(ctx: Context, group: Row[Any], given: Sequence[Mapping[str, Any]], *, is_egress: bool) -> list[Rule]:
    """The request's rules, with every prefix list they refer to known to be there."""
    if not given:
        raise missing_parameter("ipPermissions")
    names: dict[str, str] = {}
    if wanted := permissions.names_in(given):
        query = select(security_groups.c.name, security_groups.c.id)
        query = query.where(security_groups.c.vpc_id == group.vpc_id, security_groups.c.name.in_(wanted))
        names = {row.name: row.id for row in ctx.db.execute(query)}
        for name in wanted - set(names):
            raise not_found("sg", name)
    rules = permissions.parse(given, is_egress=is_egress, names=names)
    lists = [rule.prefix_list_id for rule in rules if rule.prefix_list_id]
    fetch_all(ctx, "pl", [id_ for id_ in lists if not aws_prefix_lists.are(id_)])
    return rules


def _existing(ctx: Context, group_id: str, rules: Sequence[Rule]) -> dict[str, Row[Any]]:
    """The group's rules equal to ``rules``, by identity."""
    query = select(security_group_rules).where(
        _RULE.group_id == group_id, _RULE.identity.in_([rule.identity for rule in rules])
    )
    return {row.identity: row for row in ctx.db.execute(query)}


@operation("AuthorizeSecurityGroupIngress")
def authorize_security_group_ingress(ctx: Context, params: Params) -> Result:
    return _authorize(ctx, params, is_egress=False)


@operation("AuthorizeSecurityGroupEgress")
def authorize_security_group_egress(ctx: Context, params: Params) -> Result:
    return _authorize(ctx, params, is_egress=True)


def _authorize(ctx: Context, params: Params, *, is_egress: bool) -> Result:
    """All rules are added, or none is."""
    group = group_of(ctx, params)
    rules = _parsed(ctx, group, permissions.flat(params), is_egress=is_egress)
    rules = referenced_groups.resolve(ctx, group, rules)
    _refuse_duplicates(ctx, group.id, rules)
    ids = add(ctx, group.id, rules)
    rule_quota.check(ctx, [group.id])
    tags.on_creation(ctx, params, "security-group-rule", ids)
    rows = ctx.db.execute(select(security_group_rules).where(_RULE.id.in_(ids))).all()
    by_id = {row.id: row for row in rows}
    return {"Return": True, "SecurityGroupRules": _shown(ctx, [by_id[id_] for id_ in ids])}


def _refuse_duplicates(ctx: Context, group_id: str, rules: Sequence[Rule]) -> None:
    existing = _existing(ctx, group_id, rules)
    for rule in rules:
        if rule.identity in existing:
            raise AwsError("InvalidPermission.Duplicate", f'the specified rule "{rule}" already exists')


@operation("RevokeSecurityGroupIngress")
def revoke_security_group_ingress(ctx: Context, params: Params) -> Result:
    return _revoke(ctx, params, is_egress=False)


@operation("RevokeSecurityGroupEgress")
def revoke_security_group_egress(ctx: Context, params: Params) -> Result:
    return _revoke(ctx, params, is_egress=True)


def _revoke(ctx: Context, params: Params, *, is_egress: bool) -> Result:
    """All rules go, or none does; descriptions do not matter."""
    group = group_of(ctx, params)
    given, ids = permissions.flat(params), params.get("SecurityGroupRuleIds", ())
    if given and ids:
        raise invalid_parameter_combination("Rules may be given by ID or by their properties, not both.")
    if ids:
        rows = _by_id(ctx, group.id, ids, is_egress=is_egress)
    else:
        rows = _matching(ctx, group.id, _parsed(ctx, group, given, is_egress=is_egress))
    gone = [row.id for row in rows]
    ctx.db.execute(delete(security_group_rules).where(_RULE.id.in_(gone)))
    tags.forget(ctx, gone)
    ctx.note("security_group", group.id)
    return {"Return": True, "RevokedSecurityGroupRules": [_revoked(row) for row in rows]}


def _matching(ctx: Context, group_id: str, rules: Sequence[Rule]) -> list[Row[Any]]:
    existing = _existing(ctx, group_id, rules)
    if any(rule.identity not in existing for rule in rules):
        raise AwsError("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
    return [existing[rule.identity] for rule in rules]


def _by_id(ctx: Context, group_id: str, ids: Sequence[str], *, is_egress: bool | None) -> list[Row[Any]]:
    """The group's rules with these ids, of one direction if ``is_egress`` says so."""
    wanted = [check_id("sgr", id_) for id_ in dict.fromkeys(ids)]
    query = select(security_group_rules).where(_RULE.group_id == group_id, _RULE.id.in_(wanted))
    found = {row.id: row for row in ctx.db.execute(query) if is_egress in (None, row.is_egress)}
    for id_ in wanted:
        if id_ not in found:
            raise not_found("sgr", id_)
    return [found[id_] for id_ in wanted]


@operation("UpdateSecurityGroupRuleDescriptionsIngress", records=True)
def update_security_group_rule_descriptions_ingress(ctx: Context, params: Params) -> Result:
    return _describe_anew(ctx, params, is_egress=False)


@operation("UpdateSecurityGroupRuleDescriptionsEgress", records=True)
def update_security_group_rule_descriptions_egress(ctx: Context, params: Params) -> Result:
    return _describe_anew(ctx, params, is_egress=True)


def _describe_anew(ctx: Context, params: Params, *, is_egress: bool) -> Result:
    """Packets do not read descriptions: nothing is noted."""
    group = group_of(ctx, params)
    given, by_id = params.get("IpPermissions", ()), params.get("SecurityGroupRuleDescriptions", ())
    if bool(given) == bool(by_id):
        raise invalid_parameter_combination("Give either ipPermissions or securityGroupRuleDescriptions.")
    if given:
        rules = _parsed(ctx, group, given, is_egress=is_egress)
        rows = _matching(ctx, group.id, rules)
        texts = {row.id: rule.description for row, rule in zip(rows, rules, strict=True)}
    else:
        texts = {item.get("SecurityGroupRuleId", ""): permissions.described(item) for item in by_id}
        _by_id(ctx, group.id, list(texts), is_egress=is_egress)
    statement = update(security_group_rules).where(_RULE.id == bindparam("rule")).values(description=bindparam("text"))
    ctx.db.execute(statement, [{"rule": id_, "text": text} for id_, text in texts.items()])
    return {"Return": True}


@operation("ModifySecurityGroupRules")
def modify_security_group_rules(ctx: Context, params: Params) -> Result:
    """Give rules other properties under their old ids; neither direction nor kind of source can change."""
    group = fetch(ctx, "sg", params["GroupId"])
    updates = {item.get("SecurityGroupRuleId", ""): item.get("SecurityGroupRule", {}) for item in _updates(params)}
    rows = _by_id(ctx, group.id, list(updates), is_egress=None)
    changed: list[Rule] = []
    for is_egress in (False, True):
        given = [_permission(row, updates[row.id]) for row in rows if row.is_egress is is_egress]
        changed += _parsed(ctx, group, given, is_egress=is_egress) if given else []
    changed = referenced_groups.resolve(ctx, group, changed)
    ids = [row.id for row in sorted(rows, key=lambda row: row.is_egress)]
    ctx.db.execute(delete(security_group_rules).where(_RULE.id.in_(ids)))
    _refuse_duplicates(ctx, group.id, changed)
    new = [_row(ctx, id_, group.id, rule) for id_, rule in zip(ids, changed, strict=True)]
    ctx.db.execute(insert(security_group_rules), new)
    rule_quota.check(ctx, [group.id])
    ctx.note("security_group", group.id)
    return {"Return": True}


def _updates(params: Params) -> Sequence[Mapping[str, Any]]:
    updates: Sequence[Mapping[str, Any]] = params["SecurityGroupRules"]
    if not updates:
        raise missing_parameter("securityGroupRules")
    if len({item.get("SecurityGroupRuleId") for item in updates}) < len(updates):
        raise invalid_parameter_value("The same security group rule must not appear multiple times.")
    return updates


_SOURCE_MEMBERS = {
    "CidrIpv4": ("cidr_ipv4", "IpRanges", "CidrIp"),
    "CidrIpv6": ("cidr_ipv6", "Ipv6Ranges", "CidrIpv6"),
    "PrefixListId": ("prefix_list_id", "PrefixListIds", "PrefixListId"),
    "ReferencedGroupId": ("referenced_group_id", "UserIdGroupPairs", "GroupId"),
}


def _permission(row: Row[Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """A ``SecurityGroupRuleRequest`` as a permission with one source."""
    given = [name for name in _SOURCE_MEMBERS if request.get(name)]
    if len(given) != 1:
        raise invalid_parameter_combination(f"The rule {row.id} needs exactly one source.")
    column, ranges, member = _SOURCE_MEMBERS[given[0]]
    if row._mapping[column] is None:
        raise invalid_parameter_value(f"The kind of source of the rule {row.id} cannot be changed.")
    source = {member: request[given[0]], "Description": request.get("Description", "")}
    ports = {name: request[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in request}
    return {**ports, ranges: [source]}


_FILTERS = {
    "group-id": filters.text(_RULE.group_id),
    "security-group-rule-id": filters.text(_RULE.id),
}


@operation("DescribeSecurityGroupRules")
def describe_security_group_rules(ctx: Context, params: Params) -> Result:
    rows, token = describe(ctx, params, "sgr", _FILTERS, "SecurityGroupRuleIds")
    return {"SecurityGroupRules": _shown(ctx, rows), "NextToken": token}


def _plain(row: Row[Any]) -> Result:
    return {
        "SecurityGroupRuleId": row.id,
        "GroupId": row.group_id,
        "IsEgress": row.is_egress,
        "IpProtocol": row.ip_protocol,
        "FromPort": row.from_port,
        "ToPort": row.to_port,
        "CidrIpv4": row.cidr_ipv4,
        "CidrIpv6": row.cidr_ipv6,
        "PrefixListId": row.prefix_list_id,
        "Description": row.description,
    }


def _revoked(row: Row[Any]) -> Result:
    return _plain(row) | {"ReferencedGroupId": row.referenced_group_id}


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    tags_of, across = tags.shown(ctx, [row.id for row in rows]), referenced_groups.across(ctx, rows)
    return [
        _plain(row)
        | {
            "GroupOwnerId": row.account_id,
            "ReferencedGroupInfo": _referenced(row, across[row.group_id].get(row.referenced_group_id, {})),
            "SecurityGroupRuleArn": f"arn:aws:ec2:{ctx.region}:{row.account_id}:security-group-rule/{row.id}",
            "Tags": tags_of[row.id],
        }
        for row in rows
    ]


def _referenced(row: Row[Any], across: Mapping[str, str]) -> Result | None:
    if row.referenced_group_id is None:
        return None
    return {"GroupId": row.referenced_group_id, "UserId": row.account_id, **across}
