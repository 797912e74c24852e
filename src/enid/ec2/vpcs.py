"""VPCs: creation with main route table, default network ACL and default security group; attributes, deletion.

Further CIDR blocks are :mod:`enid.ec2.vpc_cidr_blocks`' affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from enid.ec2 import (
    dependants,
    dhcp_options,
    filters,
    network_acls,
    network_interface_groups,
    quotas,
    route_tables,
    security_groups,
    tags,
    vpc_cidr_blocks,
    vpc_peers,
)
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import invalid_parameter_combination, invalid_parameter_value, missing_parameter, unsupported
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store import flow_logs, tables
from enid.store.ids import new_id
from enid.store.journal import Kind
from enid.store.tables import vpcs
from enid.store.tallies import VPCS

_ATTRIBUTES = {
    "EnableDnsSupport": vpcs.c.enable_dns_support,
    "EnableDnsHostnames": vpcs.c.enable_dns_hostnames,
    "EnableNetworkAddressUsageMetrics": vpcs.c.enable_network_address_usage_metrics,
}


@operation("CreateVpc")
def create_vpc(ctx: Context, params: Params) -> Result:
    """A VPC with its primary block, main route table, default network ACL and default security group."""
    vpc_cidr_blocks.refuse_pools(ctx, params)
    if params.get("InstanceTenancy", "default") != "default" or params.get("VpcEncryptionControl"):
        raise unsupported("Only VPCs with default tenancy and without encryption control are there.")
    if "CidrBlock" not in params:
        raise missing_parameter("cidrBlock")
    block = vpc_cidr_blocks.sized(params["CidrBlock"])
    limit = ctx.settings.quotas.vpcs
    quotas.check_tally(ctx, VPCS, limit, "VpcLimitExceeded", "The maximum number of VPCs has been reached.")
    vpc_id = new_id("vpc")
    ctx.db.execute(
        insert(vpcs).values(
            id=vpc_id,
            account_id=ctx.account_id,
            cidr_block=str(block),
            dhcp_options_id=dhcp_options.default(ctx),
            created_at=ctx.now,
        )
    )
    blocks = [vpc_cidr_blocks.row(vpc_id, block, primary=True)]
    if params.get("AmazonProvidedIpv6CidrBlock"):
        blocks.append(vpc_cidr_blocks.row(vpc_id, vpc_cidr_blocks.free_ipv6(ctx)))
    ctx.db.execute(insert(tables.vpc_cidr_blocks), blocks)
    route_tables.create_main(ctx, vpc_id)
    network_acls.create_default(ctx, vpc_id, with_ipv6=len(blocks) > 1)
    security_groups.create_default(ctx, vpc_id, with_ipv6=len(blocks) > 1)
    ctx.note("vpc", vpc_id)
    tags.on_creation(ctx, params, "vpc", [vpc_id])
    return {"Vpc": _shown(ctx, [fetch(ctx, "vpc", vpc_id)])[0]}


@operation("DeleteVpc")
def delete_vpc(ctx: Context, params: Params) -> Result:
    """What CreateVpc made goes with it; everything else stands in the way."""
    vpc_id = fetch(ctx, "vpc", params["VpcId"]).id
    associations, groups = tables.route_table_associations, tables.security_groups
    main = select(associations.c.route_table_id).where(associations.c.vpc_id == vpc_id, associations.c.main)
    default_acl = network_acls.default_of(vpc_id)
    default = select(groups.c.id).where(groups.c.vpc_id == vpc_id, groups.c.name == network_interface_groups.DEFAULT)
    dependants.refuse_if_any(
        ctx,
        f"The vpc '{vpc_id}' has dependencies and cannot be deleted.",
        *(_in_vpc(name, vpc_id) for name in _HOLDING),
        _in_vpc("route_tables", vpc_id).where(tables.route_tables.c.id.not_in(main)),
        _in_vpc("network_acls", vpc_id).where(tables.network_acls.c.id.not_in(default_acl)),
        _in_vpc("security_groups", vpc_id).where(groups.c.id.not_in(default)),
        vpc_peers.keeping(ctx, vpc_id),
    )
    vpc_peers.withdraw(ctx, vpc_id)
    rules = tables.security_group_rules
    made = [
        *ctx.db.execute(main).scalars(),
        *ctx.db.execute(default_acl).scalars(),
        *(group_ids := ctx.db.execute(default).scalars().all()),
        *ctx.db.execute(select(rules.c.id).where(rules.c.group_id.in_(group_ids))).scalars(),
    ]
    ctx.db.execute(delete(vpcs).where(vpcs.c.id == vpc_id))
    tags.forget(ctx, [vpc_id, *made])
    flow_logs.forget(ctx.db, [vpc_id])
    ctx.note("vpc", vpc_id)
    for id_ in made:
        if kind := _COMPILED.get(id_.partition("-")[0]):
            ctx.note(kind, id_)
    return {}


_HOLDING = (
    "network_interfaces",
    "subnets",
    "internet_gateways",
    "egress_only_internet_gateways",
    "vpn_gateways",
    "vpc_endpoints",
)
_COMPILED: dict[str, Kind] = {"rtb": "route_table", "acl": "network_acl", "sg": "security_group"}
"""What comes and goes with a VPC and has a record of its own: id prefix → journal key."""


def _in_vpc(table: str, vpc_id: str) -> Any:
    columns = tables.metadata.tables[table].c
    return select(columns.id).where(columns.vpc_id == vpc_id)


_BLOCKS = tables.vpc_cidr_blocks.c


def _block(family: int, inner: filters.Condition) -> filters.Condition:
    return filters.related(vpcs.c.id, _BLOCKS.vpc_id, inner, _BLOCKS.family == family)


_FILTERS = {
    "cidr": filters.text(vpcs.c.cidr_block),
    "cidr-block": filters.text(vpcs.c.cidr_block),
    "cidr-block-association.association-id": _block(4, filters.text(_BLOCKS.id)),
    "cidr-block-association.cidr-block": _block(4, filters.text(_BLOCKS.cidr_block)),
    "cidr-block-association.state": _block(4, filters.text(_BLOCKS.state)),
    "dhcp-options-id": filters.text(vpcs.c.dhcp_options_id),
    "ipv6-cidr-block-association.association-id": _block(6, filters.text(_BLOCKS.id)),
    "ipv6-cidr-block-association.ipv6-cidr-block": _block(6, filters.text(_BLOCKS.cidr_block)),
    "ipv6-cidr-block-association.ipv6-pool": _block(6, filters.constant(vpc_cidr_blocks.POOL_NAME)),
    "ipv6-cidr-block-association.state": _block(6, filters.text(_BLOCKS.state)),
    "is-default": filters.boolean(vpcs.c.is_default),
    "isDefault": filters.boolean(vpcs.c.is_default),
    "owner-id": filters.text(vpcs.c.account_id),
    "state": filters.text(vpcs.c.state),
    "vpc-id": filters.text(vpcs.c.id),
}


@operation("DescribeVpcs")
def describe_vpcs(ctx: Context, params: Params) -> Result:
    rows, token = describe(ctx, params, "vpc", _FILTERS, "VpcIds")
    return {"Vpcs": _shown(ctx, rows), "NextToken": token}


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    ids = [row.id for row in rows]
    tags_of, blocks_of = tags.shown(ctx, ids), vpc_cidr_blocks.of(ctx, ids)
    return [_one(ctx, row, blocks_of[row.id]) | {"Tags": tags_of[row.id]} for row in rows]


def _one(ctx: Context, row: Row[Any], blocks: Sequence[Row[Any]]) -> Result:
    shown = [(block.family, vpc_cidr_blocks.shown(ctx, block)) for block in blocks]
    return {
        "VpcId": row.id,
        "OwnerId": row.account_id,
        "CidrBlock": row.cidr_block,
        "State": row.state,
        "DhcpOptionsId": row.dhcp_options_id,
        "InstanceTenancy": row.instance_tenancy,
        "IsDefault": row.is_default,
        "CidrBlockAssociationSet": [block for family, block in shown if family == 4],
        "Ipv6CidrBlockAssociationSet": [block for family, block in shown if family == 6],
    }


@operation("DescribeVpcAttribute")
def describe_vpc_attribute(ctx: Context, params: Params) -> Result:
    """One attribute at a time, as AWS answers them."""
    attribute = params["Attribute"][:1].upper() + params["Attribute"][1:]
    if attribute not in _ATTRIBUTES:
        raise invalid_parameter_value(f"Value ({params['Attribute']}) for parameter attribute is invalid.")
    row = fetch(ctx, "vpc", params["VpcId"])
    return {"VpcId": row.id, attribute: {"Value": row._mapping[_ATTRIBUTES[attribute]]}}


@operation("ModifyVpcAttribute")
def modify_vpc_attribute(ctx: Context, params: Params) -> Result:
    """Change one attribute. Private names need the resolver: hostnames without support are refused."""
    row = fetch(ctx, "vpc", params["VpcId"])
    given: Mapping[str, bool] = {name: params[name].get("Value", False) for name in _ATTRIBUTES if name in params}
    if not given:
        raise missing_parameter("enableDnsSupport, enableDnsHostnames or enableNetworkAddressUsageMetrics")
    if len(given) > 1:
        raise invalid_parameter_combination("Only one VPC attribute can be modified at a time.")
    if given.get("EnableDnsHostnames") and not row.enable_dns_support:
        raise invalid_parameter_combination(f"DNS hostnames need DNS support, which is disabled for {row.id}.")
    ctx.db.execute(
        update(vpcs).where(vpcs.c.id == row.id).values({_ATTRIBUTES[name].name: given[name] for name in given})
    )
    ctx.note("vpc", row.id)
    return {}
