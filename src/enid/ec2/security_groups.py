"""Security groups: creation with the allow-all egress rule, deletion, and how AWS lists them.

Their rules are changed in :mod:`enid.ec2.security_group_rules`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, func, insert, select

from enid.ec2 import dependants, filters, permissions, quotas, referenced_groups, security_group_rules, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import AwsError, invalid_parameter_value, not_found
from enid.ec2.network_interface_groups import DEFAULT
from enid.ec2.permissions import ANY, Rule
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store import tables
from enid.store.ids import new_id
from enid.store.tables import network_interface_groups, security_groups, vpc_cidr_blocks, vpcs
from enid.store.tallies import SECURITY_GROUPS

_GROUP, _RULE = security_groups.c, tables.security_group_rules.c


def create_default(ctx: Context, vpc_id: str, *, with_ipv6: bool) -> None:
    """The default group of a new VPC: its members may talk to each other, and out to everybody."""
    id_ = _create(ctx, vpc_id, DEFAULT, "default VPC security group")
    own = Rule(False, ANY, -1, -1, referenced_group_id=id_)
    security_group_rules.add(ctx, id_, [own, *_everything_out(with_ipv6=with_ipv6)])


def ipv6_came(ctx: Context, vpc_id: str) -> None:
    """A VPC got its first IPv6 block: its default group lets that out too, unless somebody changed what it lets out.
    (AWS: "This rule is added by default if you create a VPC with an IPv6 CIDR block or if you associate an IPv6 CIDR
    block with your existing VPC", and not "if you've modified the outbound rules".)"""
    rules = tables.security_group_rules.c
    default = ctx.db.execute(select(_GROUP.id).where(_GROUP.vpc_id == vpc_id, _GROUP.name == DEFAULT)).scalar_one()
    outward = select(rules.identity).where(rules.group_id == default, rules.is_egress)
    before, after = (_everything_out(with_ipv6=with_ipv6) for with_ipv6 in (False, True))
    if ctx.db.execute(outward).scalars().all() == [rule.identity for rule in before]:
        security_group_rules.add(ctx, default, after[len(before) :])


def _create(ctx: Context, vpc_id: str, name: str, description: str) -> str:
    id_ = new_id("sg")
    ctx.db.execute(
        insert(security_groups).values(
            id=id_,
            account_id=ctx.account_id,
            vpc_id=vpc_id,
            name=name,
            description=description,
            created_at=ctx.now,
        )
    )
    return id_


def _everything_out(*, with_ipv6: bool) -> list[Rule]:
    rules = [Rule(True, ANY, -1, -1, cidr_ipv4="0.0.0.0/0")]
    return [*rules, Rule(True, ANY, -1, -1, cidr_ipv6="::/0")] if with_ipv6 else rules


@operation("CreateSecurityGroup")
def create_security_group(ctx: Context, params: Params) -> Result:
    """A group that lets everything out and nothing in; IPv6 only when the VPC has some."""
    name, description = _checked(params)
    if "VpcId" not in params:
        raise AwsError("VPCIdNotSpecified", "No default VPC for this user")
    vpc = fetch(ctx, "vpc", params["VpcId"])
    quotas.check_tally(
        ctx,
        SECURITY_GROUPS,
        ctx.settings.quotas.security_groups,
        "SecurityGroupLimitExceeded",
        "The maximum number of security groups has been reached.",
    )
    if ctx.db.execute(select(_GROUP.id).where(_GROUP.vpc_id == vpc.id, _GROUP.name == name)).first():
        raise AwsError("InvalidGroup.Duplicate", f"The security group '{name}' already exists for VPC '{vpc.id}'")
    ipv6 = select(vpc_cidr_blocks.c.id).where(vpc_cidr_blocks.c.vpc_id == vpc.id, vpc_cidr_blocks.c.family == 6)
    id_ = _create(ctx, vpc.id, name, description)
    security_group_rules.add(ctx, id_, _everything_out(with_ipv6=ctx.db.execute(ipv6).first() is not None))
    given = tags.on_creation(ctx, params, "security-group", [id_])
    return {"GroupId": id_, "SecurityGroupArn": _arn(ctx, id_), "Tags": given}


def _checked(params: Params) -> tuple[str, str]:
    name, description = params["GroupName"], params["Description"]
    for what, text in (("group name", name), ("group description", description)):
        if not text or not permissions.is_plain(text):
            raise invalid_parameter_value(
                f"Invalid security {what}. Valid names and descriptions are strings less than 256 characters from the "
                "following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
            )
    if name.lower() == DEFAULT:
        raise invalid_parameter_value(f"Cannot use reserved security group name: {name}")
    if name.lower().startswith("sg-"):
        raise invalid_parameter_value(
            f"Invalid value '{name}' for groupName. Group names may not be in the format sg-*"
        )
    return name, description


@operation("DeleteSecurityGroup")
def delete_security_group(ctx: Context, params: Params) -> Result:
    """An interface with the group, or a rule of another group of the VPC that refers to it, stands in the way."""
    row = security_group_rules.group_of(ctx, params)
    if row.name == DEFAULT:
        raise AwsError("CannotDelete", f'the specified group: "{row.id}" name: "{DEFAULT}" cannot be deleted by a user')
    users = select(network_interface_groups.c.network_interface_id)
    dependants.refuse_if_any(
        ctx,
        f"resource {row.id} has a dependent object",
        users.where(network_interface_groups.c.group_id == row.id),
        select(_RULE.group_id).where(
            _RULE.referenced_group_id == row.id, _RULE.group_id != row.id, _RULE.referenced_vpc_id.is_(None)
        ),
    )
    rules = ctx.db.execute(select(_RULE.id).where(_RULE.group_id == row.id)).scalars().all()
    ctx.db.execute(delete(security_groups).where(_GROUP.id == row.id))
    tags.forget(ctx, [row.id, *rules])
    ctx.note("security_group", row.id)
    return {"Return": True, "GroupId": row.id}


def _rule_filters(prefix: str, *, is_egress: bool) -> dict[str, filters.Condition]:
    """The filters on the rules of one direction."""

    def rule(inner: filters.Condition, *links: Any) -> filters.Condition:
        return filters.related(_GROUP.id, _RULE.group_id, inner, _RULE.is_egress.is_(is_egress), *links)

    other = security_groups.alias()
    return {
        f"{prefix}cidr": rule(filters.text(_RULE.cidr_ipv4)),
        f"{prefix}from-port": rule(filters.number(_RULE.from_port)),
        f"{prefix}group-id": rule(filters.text(_RULE.referenced_group_id)),
        f"{prefix}group-name": rule(filters.related(_RULE.referenced_group_id, other.c.id, filters.text(other.c.name))),
        f"{prefix}ipv6-cidr": rule(filters.text(_RULE.cidr_ipv6)),
        f"{prefix}prefix-list-id": rule(filters.text(_RULE.prefix_list_id)),
        f"{prefix}protocol": rule(filters.text(_RULE.ip_protocol)),
        f"{prefix}to-port": rule(filters.number(_RULE.to_port)),
        f"{prefix}user-id": rule(
            filters.text(func.coalesce(_RULE.referenced_account_id, _RULE.account_id)),
            _RULE.referenced_group_id.is_not(None),
        ),
    }


_FILTERS = {
    **_rule_filters("egress.ip-permission.", is_egress=True),
    **_rule_filters("ip-permission.", is_egress=False),
    "description": filters.text(_GROUP.description),
    "group-id": filters.text(_GROUP.id),
    "group-name": filters.text(_GROUP.name),
    "owner-id": filters.text(_GROUP.account_id),
    "vpc-id": filters.text(_GROUP.vpc_id),
}


@operation("DescribeSecurityGroups")
def describe_security_groups(ctx: Context, params: Params) -> Result:
    """``GroupNames`` knows only groups of a default VPC, as at AWS."""
    condition = None
    if names := params.get("GroupNames"):
        query = select(_GROUP.id, _GROUP.name).join(vpcs).where(_GROUP.account_id == ctx.account_id, vpcs.c.is_default)
        found = {row.name: row.id for row in ctx.db.execute(query.where(_GROUP.name.in_(names)))}
        for name in names:
            if name not in found:
                raise not_found("sg", name)
        condition = _GROUP.id.in_(found.values())
    rows, token = describe(ctx, params, "sg", _FILTERS, "GroupIds", condition=condition)
    return {"SecurityGroups": _shown(ctx, rows), "NextToken": token}


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    ids = [row.id for row in rows]
    tags_of = tags.shown(ctx, ids)
    rules_of: dict[tuple[str, bool], list[Row[Any]]] = {}
    if ids:
        query = select(tables.security_group_rules).where(_RULE.group_id.in_(ids))
        for rule in ctx.db.execute(query.order_by(_RULE.ip_protocol, _RULE.from_port, _RULE.to_port, _RULE.id)):
            rules_of.setdefault((rule.group_id, rule.is_egress), []).append(rule)
    across = referenced_groups.across(ctx, [rule for group in rules_of.values() for rule in group])
    return [
        {
            "GroupId": row.id,
            "GroupName": row.name,
            "Description": row.description,
            "OwnerId": row.account_id,
            "VpcId": row.vpc_id,
            "SecurityGroupArn": _arn(ctx, row.id),
            "IpPermissions": permissions.grouped(rules_of.get((row.id, False), ()), row.account_id, across[row.id]),
            "IpPermissionsEgress": permissions.grouped(
                rules_of.get((row.id, True), ()), row.account_id, across[row.id]
            ),
            "Tags": tags_of[row.id],
        }
        for row in rows
    ]


def _arn(ctx: Context, id_: str) -> str:
    return f"arn:aws:ec2:{ctx.region}:{ctx.account_id}:security-group/{id_}"


_FOR_VPC_FILTERS = {
    "description": filters.text(_GROUP.description),
    "group-id": filters.text(_GROUP.id),
    "group-name": filters.text(_GROUP.name),
    "owner-id": filters.text(_GROUP.account_id),
    "primary-vpc-id": filters.text(_GROUP.vpc_id),
}


@operation("GetSecurityGroupsForVpc")
def get_security_groups_for_vpc(ctx: Context, params: Params) -> Result:
    """No groups are shared between VPCs: a VPC's groups are its own."""
    vpc = fetch(ctx, "vpc", params["VpcId"])
    rows, token = describe(ctx, params, "sg", _FOR_VPC_FILTERS, "", condition=_GROUP.vpc_id == vpc.id)
    tags_of = tags.shown(ctx, [row.id for row in rows])
    groups = [
        {
            "GroupId": row.id,
            "GroupName": row.name,
            "Description": row.description,
            "OwnerId": row.account_id,
            "PrimaryVpcId": row.vpc_id,
            "Tags": tags_of[row.id],
        }
        for row in rows
    ]
    return {"SecurityGroupForVpcs": groups, "NextToken": token}
