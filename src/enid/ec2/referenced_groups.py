"""Security groups that rules refer to: those of the same VPC, and those of VPCs peered with it.

A rule whose group or peering connection is gone stays, is *stale*, and lets nothing through.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, or_, select

from enid.ec2 import permissions, vpc_peers
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import slice_page
from enid.ec2.errors import AwsError, not_found
from enid.ec2.permissions import Rule
from enid.ec2.registry import operation
from enid.ec2.resources import fetch, fetch_all
from enid.store import peerings
from enid.store.tables import security_group_rules, security_groups, vpc_peering_connections

_RULE, _GROUP = security_group_rules.c, security_groups.c


def resolve(ctx: Context, group: Row[Any], rules: Sequence[Rule]) -> list[Rule]:
    """The rules of ``group``, with account, VPC and connection of every group of a peer they refer to.

    :param rules: as parsed: ``referenced_account_id`` is what the client says it is.
    :raises AwsError: ``InvalidGroup.NotFound`` for a group that is not there, or not within reach.
    """
    wanted = {rule.referenced_group_id for rule in rules} - {None}
    found: dict[str, Row[Any]] = {}
    if wanted:
        query = select(security_groups).where(_GROUP.id.in_(wanted))
        found = {row.id: row for row in ctx.db.execute(query)}
    peers: dict[str, str] = {}
    if any(row.vpc_id != group.vpc_id for row in found.values()):
        active = vpc_peers.of(ctx, group.vpc_id, vpc_peers.ACTIVE)
        peers = {vpc_peers.other_end(row, group.vpc_id): row.id for row in active}
    return [_resolved(ctx, group, rule, found, peers) if rule.referenced_group_id else rule for rule in rules]


def _resolved(ctx: Context, group: Row[Any], rule: Rule, found: dict[str, Row[Any]], peers: dict[str, str]) -> Rule:
    id_ = rule.referenced_group_id or ""
    row = found.get(id_)
    if row is None or rule.referenced_account_id not in (None, row.account_id):
        raise not_found("sg", id_)
    if row.vpc_id == group.vpc_id:
        return replace(rule, referenced_account_id=None)
    if row.vpc_id in peers:
        return replace(
            rule,
            referenced_account_id=row.account_id,
            referenced_vpc_id=row.vpc_id,
            referenced_peering_id=peers[row.vpc_id],
        )
    if row.account_id != ctx.account_id:
        raise not_found("sg", id_)
    raise AwsError("InvalidGroup.NotFound", "You have specified two resources that belong to different networks.")


Across = defaultdict[str, dict[str, dict[str, str]]]


def across(ctx: Context, rules: Iterable[Row[Any]]) -> Across:
    """Group → group of a peer it refers to → what is shown of it: account, VPC, and the connection with its status.

    That is the connection there is between the two VPCs now, or else the last one the rule was made over.
    """
    shown: Across = defaultdict(dict)
    rules = [rule for rule in rules if rule.referenced_vpc_id]
    if not rules:
        return shown
    query = select(_GROUP.id, _GROUP.vpc_id).where(_GROUP.id.in_({rule.group_id for rule in rules}))
    vpc_of: dict[str, str] = {row.id: row.vpc_id for row in ctx.db.execute(query)}
    now = peerings.of(ctx.db, set(vpc_of.values()))
    for rule in rules:
        id_ = now.get(vpc_of[rule.group_id], {}).get(rule.referenced_vpc_id, rule.referenced_peering_id)
        shown[rule.group_id][rule.referenced_group_id] = {
            "UserId": rule.referenced_account_id,
            "VpcId": rule.referenced_vpc_id,
            "VpcPeeringConnectionId": id_,
        }
    known = vpc_peering_connections.c
    pairs = [pair for of_group in shown.values() for pair in of_group.values()]
    ids = {pair["VpcPeeringConnectionId"] for pair in pairs}
    query = select(known.id, known.state).where(known.id.in_(ids))
    states = {row.id: row.state for row in ctx.db.execute(query)}
    for pair in pairs:
        pair["PeeringStatus"] = states.get(pair["VpcPeeringConnectionId"], "deleted")
    return shown


@operation("DescribeSecurityGroupReferences")
def describe_security_group_references(ctx: Context, params: Params) -> Result:
    """The VPCs at the other side of active connections whose groups refer to the caller's."""
    groups = fetch_all(ctx, "sg", params["GroupId"])
    now = peerings.of(ctx.db, {row.vpc_id for row in groups.values()})
    query = select(_RULE.referenced_group_id, _GROUP.vpc_id).join(security_groups, _GROUP.id == _RULE.group_id)
    query = query.where(_RULE.referenced_group_id.in_(list(groups)), _RULE.referenced_vpc_id.is_not(None)).distinct()
    references = []
    for id_, vpc_id in ctx.db.execute(query.order_by(_RULE.referenced_group_id, _GROUP.vpc_id)):
        connection = now.get(groups[id_].vpc_id, {}).get(vpc_id)
        if connection:
            references.append({"GroupId": id_, "ReferencingVpcId": vpc_id, "VpcPeeringConnectionId": connection})
    return {"SecurityGroupReferenceSet": references}


@operation("DescribeStaleSecurityGroups")
def describe_stale_security_groups(ctx: Context, params: Params) -> Result:
    """The VPC's groups with rules that refer to a peer's group which is gone, or is no peer's any more."""
    vpc = fetch(ctx, "vpc", params["VpcId"])
    stale = _stale(ctx, vpc.id)
    query = select(security_groups).where(_GROUP.id.in_({rule.group_id for rule in stale})).order_by(_GROUP.id)
    rows, token = slice_page(params, ctx.db.execute(query).all() if stale else [], (5, 255))
    pairs = across(ctx, stale)
    shown = [
        {
            "GroupId": row.id,
            "GroupName": row.name,
            "Description": row.description,
            "VpcId": row.vpc_id,
            **{
                member: permissions.grouped(
                    [rule for rule in stale if rule.group_id == row.id and rule.is_egress is is_egress],
                    row.account_id,
                    pairs[row.id],
                )
                for member, is_egress in (("StaleIpPermissions", False), ("StaleIpPermissionsEgress", True))
            },
        }
        for row in rows
    ]
    return {"StaleSecurityGroupSet": [_without_ipv6(item) for item in shown], "NextToken": token}


def _stale(ctx: Context, vpc_id: str) -> list[Row[Any]]:
    peers = list(peerings.of(ctx.db, {vpc_id}).get(vpc_id, {}))
    other = security_groups.alias()
    query = (
        select(security_group_rules)
        .join(security_groups, _GROUP.id == _RULE.group_id)
        .outerjoin(other, other.c.id == _RULE.referenced_group_id)
        .where(_GROUP.vpc_id == vpc_id, _RULE.referenced_vpc_id.is_not(None))
        .where(or_(other.c.id.is_(None), _RULE.referenced_vpc_id.not_in(peers)))
    )
    return list(ctx.db.execute(query.order_by(_RULE.ip_protocol, _RULE.from_port, _RULE.to_port, _RULE.id)))


def _without_ipv6(item: Result) -> Result:
    """A stale permission has no list of IPv6 blocks."""
    for member in ("StaleIpPermissions", "StaleIpPermissionsEgress"):
        for permission in item[member]:
            permission.pop("Ipv6Ranges")
    return item
