"""Network ACLs, as far as they are there: each VPC's default one, which lets everything through.

Nothing is stored: it is worked out from the VPC and its subnets. Its id carries the VPC's digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, literal, or_, select

from enid.ec2 import filters
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import slice_page
from enid.ec2.errors import AwsError
from enid.ec2.registry import operation
from enid.store.tables import subnets, vpc_cidr_blocks, vpcs

_ID: ColumnElement[str] = literal("acl") + func.substr(vpcs.c.id, 4)
_ASSOCIATION: ColumnElement[str] = literal("aclassoc") + func.substr(subnets.c.id, 7)
_HAS_IPV6 = vpcs.c.id.in_(select(vpc_cidr_blocks.c.vpc_id).where(vpc_cidr_blocks.c.family == 6))


def _any_of(*texts: str) -> filters.Condition:
    """The default entries have all of these texts for the property."""
    return lambda values: or_(*(filters.matches(literal(text), values) for text in texts))


def _with_ipv6(inner: filters.Condition) -> filters.Condition:
    return lambda values: and_(_HAS_IPV6, inner(values))


def _rule_number(values: Sequence[str]) -> ColumnElement[bool]:
    return or_(_any_of("100", "32767")(values), _with_ipv6(_any_of("101", "32768"))(values))


def _association(inner: filters.Condition) -> filters.Condition:
    return filters.related(vpcs.c.id, subnets.c.vpc_id, inner)


_FILTERS = {
    "association.association-id": _association(filters.text(_ASSOCIATION)),
    "association.network-acl-id": lambda values: and_(
        filters.matches(_ID, values), vpcs.c.id.in_(select(subnets.c.vpc_id))
    ),
    "association.subnet-id": _association(filters.text(subnets.c.id)),
    "default": filters.constant("true"),
    "entry.cidr": _any_of("0.0.0.0/0"),
    "entry.egress": _any_of("true", "false"),
    "entry.icmp.code": filters.absent,
    "entry.icmp.type": filters.absent,
    "entry.ipv6-cidr": _with_ipv6(_any_of("::/0")),
    "entry.port-range.from": filters.absent,
    "entry.port-range.to": filters.absent,
    "entry.protocol": _any_of("-1"),
    "entry.rule-action": _any_of("allow", "deny"),
    "entry.rule-number": _rule_number,
    "network-acl-id": filters.text(_ID),
    "owner-id": filters.text(vpcs.c.account_id),
    "vpc-id": filters.text(vpcs.c.id),
}


@operation("DescribeNetworkAcls")
def describe_network_acls(ctx: Context, params: Params) -> Result:
    query = select(vpcs.c.id, vpcs.c.account_id, _ID.label("acl_id"), _HAS_IPV6.label("has_ipv6"))
    query = query.where(vpcs.c.account_id == ctx.account_id)
    if wanted := params.get("NetworkAclIds"):
        known = set(ctx.db.execute(select(_ID).where(vpcs.c.account_id == ctx.account_id)).scalars())
        for id_ in wanted:
            if id_ not in known:
                raise AwsError("InvalidNetworkAclID.NotFound", f"The networkAcl ID '{id_}' does not exist")
        query = query.where(_ID.in_(wanted))
    query = query.where(filters.where(params.get("Filters", ()), _FILTERS, _ID))
    rows, token = slice_page(params, list(ctx.db.execute(query.order_by(vpcs.c.id))))
    return {"NetworkAcls": _shown(ctx, rows), "NextToken": token}


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    associations: dict[str, list[Result]] = {row.id: [] for row in rows}
    if rows:
        query = select(subnets.c.id, subnets.c.vpc_id, _ASSOCIATION.label("association_id"))
        for subnet in ctx.db.execute(query.where(subnets.c.vpc_id.in_(list(associations))).order_by(subnets.c.id)):
            associations[subnet.vpc_id].append(
                {
                    "NetworkAclAssociationId": subnet.association_id,
                    "NetworkAclId": "acl" + subnet.vpc_id[3:],
                    "SubnetId": subnet.id,
                }
            )
    return [
        {
            "NetworkAclId": row.acl_id,
            "VpcId": row.id,
            "OwnerId": row.account_id,
            "IsDefault": True,
            "Entries": _entries(row.has_ipv6),
            "Associations": associations[row.id],
            "Tags": [],
        }
        for row in rows
    ]


def _entries(has_ipv6: bool) -> list[Result]:
    """Allow everything, then the star rule that is never reached; in each direction and for each family."""
    blocks = [({"CidrBlock": "0.0.0.0/0"}, 0), *([({"Ipv6CidrBlock": "::/0"}, 1)] if has_ipv6 else [])]
    return [
        {"RuleNumber": number + offset, "RuleAction": action, "Egress": egress, "Protocol": "-1", **block}
        for egress in (True, False)
        for number, action in ((100, "allow"), (32767, "deny"))
        for block, offset in blocks
    ]
