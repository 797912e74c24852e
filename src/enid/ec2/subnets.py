"""Subnets: creation and deletion, attributes, and how many addresses are left.

The IPv6 block of a subnet is :mod:`enid.ec2.subnet_cidr_blocks`' affair; addresses are the network interfaces'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, ip_network
from typing import Any

from sqlalchemy import ColumnElement, Row, case, delete, insert, select, update

from enid.ec2 import (
    availability_zones,
    cidr,
    dependants,
    filters,
    network_acls,
    quotas,
    subnet_cidr_blocks,
    subnet_cidr_reservations,
    tags,
    vpc_cidr_blocks,
)
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
from enid.store import flow_logs, prefixes
from enid.store.ids import new_id
from enid.store.tables import network_interfaces, route_table_associations, subnets
from enid.store.tallies import ADDRESSES, PREFIXES, tally

RESERVED = 5
"""The base, router, resolver, one for the future, and the broadcast address of an IPv4 subnet."""
_PREFIX_SIZE = 1 << 32 - prefixes.LENGTHS[4]
_UNBUILT = ("OutpostArn", "Ipv4IpamPoolId", "Ipv4NetmaskLength", "Ipv6IpamPoolId", "Ipv6NetmaskLength")


@operation("CreateSubnet")
def create_subnet(ctx: Context, params: Params) -> Result:
    """A subnet in one availability zone for life, with an IPv4 block and perhaps an IPv6 /64 of its VPC."""
    for name in _UNBUILT:
        if name in params:
            raise unsupported(f"{name} is not there; use CidrBlock and Ipv6CidrBlock.")
    if params.get("Ipv6Native"):
        raise unsupported("IPv6-only subnets are not there.")
    if "CidrBlock" not in params:
        raise missing_parameter("cidrBlock")
    vpc = fetch(ctx, "vpc", params["VpcId"])
    blocks, others = vpc_cidr_blocks.networks(ctx, vpc.id), _networks(ctx, vpc.id)
    block = _ipv4(params["CidrBlock"], blocks, others)
    values = {"id": new_id("subnet"), "vpc_id": vpc.id, "account_id": ctx.account_id, "cidr_block": str(block)}
    if text := params.get("Ipv6CidrBlock"):
        values |= subnet_cidr_blocks.values(subnet_cidr_blocks.checked(text, blocks, others))
    zone, zone_id = availability_zones.resolve(
        ctx.settings, params.get("AvailabilityZone"), params.get("AvailabilityZoneId")
    )
    quotas.check(
        ctx,
        subnets,
        subnets.c.vpc_id == vpc.id,
        ctx.settings.quotas.subnets_per_vpc,
        "SubnetLimitExceeded",
        f"The maximum number of subnets of {vpc.id} has been reached.",
    )
    ctx.db.execute(
        insert(subnets).values(availability_zone=zone, availability_zone_id=zone_id, created_at=ctx.now, **values)
    )
    network_acls.associate_default(ctx, vpc.id, values["id"])
    tags.on_creation(ctx, params, "subnet", [values["id"]])
    ctx.note("vpc", vpc.id)
    ctx.note("subnet", values["id"])
    return {"Subnet": _shown(ctx, [fetch(ctx, "subnet", values["id"])])[0]}


def _ipv4(text: str, blocks: Iterable[cidr.Network], others: Iterable[cidr.Network]) -> IPv4Network:
    block = cidr.ipv4(text)
    if not 16 <= block.prefixlen <= 28 or not cidr.within(block, blocks):
        raise AwsError("InvalidSubnet.Range", f"The CIDR '{text}' is invalid.")
    if cidr.overlaps(block, others):
        raise AwsError("InvalidSubnet.Conflict", f"The CIDR '{text}' conflicts with another subnet")
    return block


def _networks(ctx: Context, vpc_id: str) -> list[cidr.Network]:
    """The blocks of both families of the VPC's subnets."""
    query = select(subnets.c.cidr_block, subnets.c.ipv6_cidr_block).where(subnets.c.vpc_id == vpc_id)
    return [ip_network(text) for row in ctx.db.execute(query) for text in row if text]


@operation("DeleteSubnet")
def delete_subnet(ctx: Context, params: Params) -> Result:
    """Its associations with a route table and a network ACL go with it; an interface stands in the way."""
    row = fetch(ctx, "subnet", params["SubnetId"])
    dependants.refuse_if_any(
        ctx,
        f"The subnet '{row.id}' has dependencies and cannot be deleted.",
        select(network_interfaces.c.id).where(network_interfaces.c.subnet_id == row.id),
    )
    ctx.db.execute(delete(route_table_associations).where(route_table_associations.c.subnet_id == row.id))
    network_acls.dissociate(ctx, row.id)
    subnet_cidr_reservations.remove_of(ctx, row.id, 4, 6)
    ctx.db.execute(delete(subnets).where(subnets.c.id == row.id))
    tags.forget(ctx, [row.id])
    flow_logs.forget(ctx.db, [row.id])
    ctx.note("vpc", row.vpc_id)
    ctx.note("subnet", row.id)
    return {}


def _available() -> ColumnElement[int]:
    """The number of free IPv4 addresses as SQL: AWS lets one filter by it."""
    size = case(*((subnets.c.cidr_block.like(f"%/{bits}"), 2 ** (32 - bits)) for bits in range(16, 29)))
    return size - RESERVED - tally(ADDRESSES, subnets.c.id) - tally(PREFIXES, subnets.c.id) * _PREFIX_SIZE


def _with_ipv6(inner: filters.Condition) -> filters.Condition:
    return lambda values: subnets.c.ipv6_cidr_block.is_not(None) & inner(values)


def _arn(region: str) -> ColumnElement[str]:
    return f"arn:aws:ec2:{region}:" + subnets.c.account_id + ":subnet/" + subnets.c.id


def _catalogue(ctx: Context) -> filters.Catalogue:
    """Both of AWS's spellings of a name are there where it documents two."""
    zone, block = filters.text(subnets.c.availability_zone), filters.text(subnets.c.cidr_block)
    prefix, ipv6 = "private-dns-name-options-on-launch", "ipv6-cidr-block-association"
    return {
        "availability-zone": zone,
        "availabilityZone": zone,
        "availability-zone-id": filters.text(subnets.c.availability_zone_id),
        "availabilityZoneId": filters.text(subnets.c.availability_zone_id),
        "available-ip-address-count": filters.number(_available()),
        "cidr-block": block,
        "cidr": block,
        "cidrBlock": block,
        "customer-owned-ipv4-pool": filters.absent,
        "default-for-az": filters.boolean(subnets.c.default_for_az),
        "defaultForAz": filters.boolean(subnets.c.default_for_az),
        "enable-dns64": filters.boolean(subnets.c.enable_dns64),
        "enable-lni-at-device-index": filters.absent,
        f"{ipv6}.ipv6-cidr-block": filters.text(subnets.c.ipv6_cidr_block),
        f"{ipv6}.association-id": filters.text(subnets.c.ipv6_association_id),
        f"{ipv6}.state": _with_ipv6(filters.constant("associated")),
        "ipv6-native": filters.constant("false"),
        "map-customer-owned-ip-on-launch": filters.constant("false"),
        "map-public-ip-on-launch": filters.boolean(subnets.c.map_public_ip_on_launch),
        "outpost-arn": filters.absent,
        "owner-id": filters.text(subnets.c.account_id),
        f"{prefix}.hostname-type": filters.text(subnets.c.private_dns_hostname_type),
        f"{prefix}.enable-resource-name-dns-a-record": filters.boolean(subnets.c.resource_name_dns_a),
        f"{prefix}.enable-resource-name-dns-aaaa-record": filters.boolean(subnets.c.resource_name_dns_aaaa),
        "state": filters.text(subnets.c.state),
        "subnet-arn": filters.text(_arn(ctx.region)),
        "subnet-id": filters.text(subnets.c.id),
        "vpc-id": filters.text(subnets.c.vpc_id),
    }


@operation("DescribeSubnets")
def describe_subnets(ctx: Context, params: Params) -> Result:
    rows, token = describe(ctx, params, "subnet", _catalogue(ctx), "SubnetIds")
    return {"Subnets": _shown(ctx, rows), "NextToken": token}


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    ids = [row.id for row in rows]
    tags_of = tags.shown(ctx, ids)
    free = {}
    if ids:
        counts = select(subnets.c.id, _available().label("free")).where(subnets.c.id.in_(ids))
        free = {row.id: row.free for row in ctx.db.execute(counts)}
    return [_one(ctx, row, free[row.id]) | {"Tags": tags_of[row.id]} for row in rows]


def _one(ctx: Context, row: Row[Any], free: int) -> Result:
    return {
        "SubnetId": row.id,
        "SubnetArn": f"arn:aws:ec2:{ctx.region}:{row.account_id}:subnet/{row.id}",
        "OwnerId": row.account_id,
        "VpcId": row.vpc_id,
        "State": row.state,
        "AvailabilityZone": row.availability_zone,
        "AvailabilityZoneId": row.availability_zone_id,
        "CidrBlock": row.cidr_block,
        "AvailableIpAddressCount": free,
        "DefaultForAz": row.default_for_az,
        "MapPublicIpOnLaunch": row.map_public_ip_on_launch,
        "MapCustomerOwnedIpOnLaunch": False,
        "AssignIpv6AddressOnCreation": row.assign_ipv6_address_on_creation,
        "Ipv6CidrBlockAssociationSet": subnet_cidr_blocks.shown(row),
        "Ipv6Native": False,
        "EnableDns64": row.enable_dns64,
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": row.private_dns_hostname_type,
            "EnableResourceNameDnsARecord": row.resource_name_dns_a,
            "EnableResourceNameDnsAAAARecord": row.resource_name_dns_aaaa,
        },
    }


_FLAGS: Mapping[str, str] = {
    "AssignIpv6AddressOnCreation": "assign_ipv6_address_on_creation",
    "MapPublicIpOnLaunch": "map_public_ip_on_launch",
    "EnableDns64": "enable_dns64",
    "EnableResourceNameDnsARecordOnLaunch": "resource_name_dns_a",
    "EnableResourceNameDnsAAAARecordOnLaunch": "resource_name_dns_aaaa",
}
_NEED_IPV6 = ("AssignIpv6AddressOnCreation", "EnableResourceNameDnsAAAARecordOnLaunch")
_HOSTNAMES = "PrivateDnsHostnameTypeOnLaunch"


@operation("ModifySubnetAttribute")
def modify_subnet_attribute(ctx: Context, params: Params) -> Result:
    """Change one attribute."""
    row = fetch(ctx, "subnet", params["SubnetId"])
    given = [name for name in params if name not in ("SubnetId", "DryRun")]
    if not given:
        raise missing_parameter("mapPublicIpOnLaunch or another attribute")
    if len(given) > 1:
        raise invalid_parameter_combination("Only one subnet attribute can be modified at a time.")
    ctx.db.execute(update(subnets).where(subnets.c.id == row.id).values(_change(row, given[0], params[given[0]])))
    ctx.note("subnet", row.id)
    return {}


def _change(row: Row[Any], name: str, value: Any) -> dict[str, Any]:
    if name == _HOSTNAMES:
        return {"private_dns_hostname_type": value}
    if name not in _FLAGS:
        raise unsupported(f"The subnet attribute {name} is not there.")
    flag = value.get("Value", False)
    if flag and name in _NEED_IPV6 and row.ipv6_cidr_block is None:
        raise invalid_parameter_value(f"Invalid value 'true' for {name}. {row.id} has no IPv6 CIDR block.")
    return {_FLAGS[name]: flag}
