"""Network ACLs: a default one with each VPC, further ones, and which subnet has which.

Their entries are :mod:`enid.ec2.network_acl_entries`' affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from enid.ec2 import dependants, filters, network_acl_entries, quotas, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import check_id, invalid_parameter_value, not_found
from enid.ec2.network_acl_entries import NUMBERS, allow_everything
from enid.ec2.network_acl_listing import LISTED, of, shown
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store import tables
from enid.store.ids import new_id
from enid.store.tables import network_acl_associations, network_acls, subnets

_ACL, _ASSOCIATION, _ENTRY = network_acls.c, network_acl_associations.c, LISTED.c
_BOTH_WAYS = (True, False)


def create_default(ctx: Context, vpc_id: str, *, with_ipv6: bool) -> None:
    """The default network ACL of a new VPC, which lets everything through."""
    id_ = _create(ctx, vpc_id, is_default=True)
    versions = (4, 6) if with_ipv6 else (4,)
    network_acl_entries.add(ctx, [allow_everything(id_, egress, v) for egress in _BOTH_WAYS for v in versions])


def default_of(vpc_id: str) -> Any:
    """Selects the id of a VPC's default network ACL."""
    return select(_ACL.id).where(_ACL.vpc_id == vpc_id, _ACL.is_default)


def associate_default(ctx: Context, vpc_id: str, subnet_id: str) -> None:
    """A new subnet has its VPC's default network ACL."""
    id_ = ctx.db.execute(default_of(vpc_id)).scalar_one()
    ctx.db.execute(
        insert(network_acl_associations).values(id=new_id("aclassoc"), network_acl_id=id_, subnet_id=subnet_id)
    )
    ctx.note("network_acl", id_)


def dissociate(ctx: Context, subnet_id: str) -> None:
    """Before a subnet is deleted."""
    ended = delete(network_acl_associations).where(_ASSOCIATION.subnet_id == subnet_id)
    for id_ in ctx.db.execute(ended.returning(_ASSOCIATION.network_acl_id)).scalars().all():
        ctx.note("network_acl", id_)


def families_changed(ctx: Context, vpc_id: str, *, with_ipv6: bool) -> None:
    """A VPC got, or lost, its IPv6 blocks: its ACLs mean something else now.

    With the first block the default ACL lets all of IPv6 through in each direction whose entries nobody has changed.
    (AWS: "If you've modified your default network ACL's inbound rules, we do not automatically add an allow rule for
    inbound IPv6 traffic when you associate an IPv6 block with your VPC", and so for outbound ones.)
    """
    for id_ in ctx.db.execute(select(_ACL.id).where(_ACL.vpc_id == vpc_id)).scalars().all():
        ctx.note("network_acl", id_)
    if with_ipv6:
        default, entries = ctx.db.execute(default_of(vpc_id)).scalar_one(), tables.network_acl_entries
        rows = ctx.db.execute(select(entries).where(entries.c.network_acl_id == default)).mappings().all()
        untouched = [
            egress
            for egress in _BOTH_WAYS
            if [dict(row) for row in rows if row["egress"] == egress] == [allow_everything(default, egress)]
        ]
        network_acl_entries.add(ctx, [allow_everything(default, egress, 6) for egress in untouched])


def _create(ctx: Context, vpc_id: str, *, is_default: bool) -> str:
    id_ = new_id("acl")
    ctx.db.execute(
        insert(network_acls).values(
            id=id_, account_id=ctx.account_id, vpc_id=vpc_id, is_default=is_default, created_at=ctx.now
        )
    )
    ctx.note("network_acl", id_)
    return id_


@operation("CreateNetworkAcl")
def create_network_acl(ctx: Context, params: Params) -> Result:
    """It denies everything until it gets entries, and guards no subnet until it is associated."""
    vpc = fetch(ctx, "vpc", params["VpcId"])
    quotas.check(
        ctx,
        network_acls,
        _ACL.vpc_id == vpc.id,
        ctx.settings.quotas.network_acls_per_vpc,
        "NetworkAclLimitExceeded",
        f"The maximum number of network ACLs of {vpc.id} has been reached.",
    )
    id_ = _create(ctx, vpc.id, is_default=False)
    tags.on_creation(ctx, params, "network-acl", [id_])
    return {"NetworkAcl": _shown(ctx, [fetch(ctx, "acl", id_)])[0], "ClientToken": params.get("ClientToken")}


@operation("DeleteNetworkAcl")
def delete_network_acl(ctx: Context, params: Params) -> Result:
    """Its entries go with it; a subnet that has it stands in the way."""
    row = fetch(ctx, "acl", params["NetworkAclId"])
    if row.is_default:
        raise invalid_parameter_value(f"cannot delete default network ACL {row.id}")
    dependants.refuse_if_any(
        ctx,
        f"The networkAcl '{row.id}' has dependencies and cannot be deleted.",
        select(_ASSOCIATION.subnet_id).where(_ASSOCIATION.network_acl_id == row.id),
    )
    ctx.db.execute(delete(network_acls).where(_ACL.id == row.id))
    tags.forget(ctx, [row.id])
    ctx.note("network_acl", row.id)
    return {}


@operation("ReplaceNetworkAclAssociation")
def replace_network_acl_association(ctx: Context, params: Params) -> Result:
    """Another ACL for a subnet, under a new association id."""
    id_, acl = check_id("aclassoc", params["AssociationId"]), fetch(ctx, "acl", params["NetworkAclId"])
    query = select(network_acl_associations, subnets.c.vpc_id).join(subnets)
    row = ctx.db.execute(query.where(_ASSOCIATION.id == id_, subnets.c.account_id == ctx.account_id)).one_or_none()
    if row is None:
        raise not_found("aclassoc", id_)
    if row.vpc_id != acl.vpc_id:
        raise invalid_parameter_value(f"Network ACL {acl.id} and subnet {row.subnet_id} belong to different networks")
    new = new_id("aclassoc")
    changed = update(network_acl_associations).where(_ASSOCIATION.id == id_)
    ctx.db.execute(changed.values(id=new, network_acl_id=acl.id))
    ctx.note("network_acl", row.network_acl_id)
    ctx.note("network_acl", acl.id)
    return {"NewAssociationId": new}


def _association(inner: filters.Condition) -> filters.Condition:
    return filters.related(_ACL.id, _ASSOCIATION.network_acl_id, inner)


def _entry(inner: filters.Condition) -> filters.Condition:
    return filters.related(_ACL.id, _ENTRY.network_acl_id, inner)


def _protocol(values: Sequence[str]) -> Any:
    """``tcp``, ``udp``, ``icmp``, or a number."""
    return filters.matches(_ENTRY.protocol, [NUMBERS.get(value.lower(), value) for value in values])


_FILTERS = {
    "association.association-id": _association(filters.text(_ASSOCIATION.id)),
    "association.network-acl-id": _association(filters.text(_ASSOCIATION.network_acl_id)),
    "association.subnet-id": _association(filters.text(_ASSOCIATION.subnet_id)),
    "default": filters.boolean(_ACL.is_default),
    "entry.cidr": _entry(filters.text(_ENTRY.cidr_block)),
    "entry.egress": _entry(filters.boolean(_ENTRY.egress)),
    "entry.icmp.code": _entry(filters.number(_ENTRY.icmp_code)),
    "entry.icmp.type": _entry(filters.number(_ENTRY.icmp_type)),
    "entry.ipv6-cidr": _entry(filters.text(_ENTRY.ipv6_cidr_block)),
    "entry.port-range.from": _entry(filters.number(_ENTRY.from_port)),
    "entry.port-range.to": _entry(filters.number(_ENTRY.to_port)),
    "entry.protocol": _entry(_protocol),
    "entry.rule-action": _entry(filters.text(_ENTRY.rule_action)),
    "entry.rule-number": _entry(filters.number(_ENTRY.rule_number)),
    "network-acl-id": filters.text(_ACL.id),
    "owner-id": filters.text(_ACL.account_id),
    "vpc-id": filters.text(_ACL.vpc_id),
}


@operation("DescribeNetworkAcls")
def describe_network_acls(ctx: Context, params: Params) -> Result:
    rows, token = describe(ctx, params, "acl", _FILTERS, "NetworkAclIds")
    return {"NetworkAcls": _shown(ctx, rows), "NextToken": token}


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    ids = [row.id for row in rows]
    tags_of, entries_of, associations_of = tags.shown(ctx, ids), of(ctx, ids), _associations(ctx, ids)
    return [
        {
            "NetworkAclId": row.id,
            "VpcId": row.vpc_id,
            "OwnerId": row.account_id,
            "IsDefault": row.is_default,
            "Entries": [shown(entry) for entry in entries_of[row.id]],
            "Associations": associations_of[row.id],
            "Tags": tags_of[row.id],
        }
        for row in rows
    ]


def _associations(ctx: Context, ids: Iterable[str]) -> dict[str, list[Result]]:
    result: dict[str, list[Result]] = {id_: [] for id_ in ids}
    if result:
        query = select(network_acl_associations).where(_ASSOCIATION.network_acl_id.in_(list(result)))
        for row in ctx.db.execute(query.order_by(_ASSOCIATION.subnet_id)):
            result[row.network_acl_id].append(
                {
                    "NetworkAclAssociationId": row.id,
                    "NetworkAclId": row.network_acl_id,
                    "SubnetId": row.subnet_id,
                }
            )
    return result
