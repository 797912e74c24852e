"""VPC endpoints, as far as they are seen in a VPC: interfaces of the one kind, routes of the other.

The services at their far ends are not here. Interfaces are :mod:`enid.ec2.vpc_endpoint_interfaces`' affair, routes
:mod:`enid.ec2.vpc_endpoint_routes`', and what there could be endpoints for :mod:`enid.ec2.vpc_endpoint_services`'.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from enid.ec2 import (
    filters,
    network_interface_groups,
    quotas,
    tags,
    vpc_endpoint_interfaces,
    vpc_endpoint_routes,
    vpc_endpoint_services,
)
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import AwsError, check_id, invalid_parameter_value, missing_parameter, unsupported
from enid.ec2.registry import operation
from enid.ec2.resources import fetch, fetch_all
from enid.ec2.unsupported import refuse
from enid.ec2.vpc_endpoint_services import GATEWAY, INTERFACE
from enid.store.ids import new_id
from enid.store.tables import security_groups, vpc_endpoints

_ENDPOINTS = vpc_endpoints.c
_OF_KIND = {
    GATEWAY: ("RouteTableIds", "AddRouteTableIds", "RemoveRouteTableIds"),
    INTERFACE: (
        "SubnetIds",
        "SecurityGroupIds",
        "SubnetConfigurations",
        "AddSubnetIds",
        "RemoveSubnetIds",
        "AddSecurityGroupIds",
        "RemoveSecurityGroupIds",
        "PrivateDnsEnabled",
    ),
}
_EVERYTHING = json.dumps(
    {
        "Version": "2008-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
    }
)
"""The policy AWS attaches when none is given."""


@operation("CreateVpcEndpoint")
def create_vpc_endpoint(ctx: Context, params: Params) -> Result:
    """``available`` at once. A policy and DNS options are stored and shown."""
    refuse(params, "ServiceNetworkArn", "ResourceConfigurationArn")
    kind = params.get("VpcEndpointType") or GATEWAY
    if kind not in _OF_KIND:
        raise unsupported(f"VpcEndpointType {kind}: there are {GATEWAY} and {INTERFACE} endpoints.")
    if params.get("ServiceRegion", ctx.region) != ctx.region:
        raise unsupported(f"ServiceRegion: the only one is {ctx.region}.")
    if not params.get("ServiceName"):
        raise missing_parameter("serviceName")
    vpc = fetch(ctx, "vpc", params["VpcId"])
    vpc_endpoint_services.named(ctx, params["ServiceName"], kind)
    _check_kind(kind, params)
    _check_quota(ctx, kind, vpc.id)
    groups: list[network_interface_groups.Group] = []
    if kind == INTERFACE:
        groups = network_interface_groups.chosen(ctx, vpc.id, params.get("SecurityGroupIds", ()))
    id_ = new_id("vpce")
    ctx.db.execute(
        insert(vpc_endpoints).values(
            id=id_,
            account_id=ctx.account_id,
            vpc_id=vpc.id,
            kind=kind,
            service_name=params["ServiceName"],
            policy_document=_policy(params) or _EVERYTHING,
            ip_address_type=_ip_address_type(params),
            private_dns_enabled=params.get("PrivateDnsEnabled", kind == INTERFACE),
            dns_options=dict(params.get("DnsOptions") or {"DnsRecordIpType": "ipv4"}),
            group_ids=[group for group, _ in groups],
            created_at=ctx.now,
        )
    )
    row = fetch(ctx, "vpce", id_)
    if kind == GATEWAY:
        vpc_endpoint_routes.add(ctx, row, params.get("RouteTableIds", ()))
    vpc_endpoint_interfaces.add(ctx, row, *_subnets(params, "SubnetIds"))
    tags.on_creation(ctx, params, "vpc-endpoint", [id_])
    return {"VpcEndpoint": _shown(ctx, [row])[0], "ClientToken": params.get("ClientToken")}


def _subnets(params: Params, member: str) -> tuple[list[str], vpc_endpoint_interfaces.Configurations]:
    configured = {item["SubnetId"]: item for item in params.get("SubnetConfigurations", ()) if item.get("SubnetId")}
    return list(dict.fromkeys([*params.get(member, ()), *configured])), configured


def _check_kind(kind: str, params: Params) -> None:
    """What belongs to the other kind of endpoint may not be given."""
    other = INTERFACE if kind == GATEWAY else GATEWAY
    for name in _OF_KIND[other]:
        if params.get(name):
            raise AwsError("InvalidParameter", f"{name} is not supported for endpoints of type {kind}.")


def _check_quota(ctx: Context, kind: str, vpc_id: str) -> None:
    limits = ctx.settings.quotas
    where = (_ENDPOINTS.account_id == ctx.account_id) & (_ENDPOINTS.kind == kind)
    if kind == INTERFACE:
        where &= _ENDPOINTS.vpc_id == vpc_id
    limit = limits.gateway_endpoints if kind == GATEWAY else limits.interface_endpoints_per_vpc
    quotas.check(
        ctx,
        vpc_endpoints,
        where,
        limit,
        "VpcEndpointLimitExceeded",
        f"The maximum number of VPC endpoints of type {kind} has been reached.",
    )


def _policy(params: Params) -> str | None:
    """:raises AwsError: ``InvalidPolicyDocument`` when it is not JSON."""
    text: str | None = params.get("PolicyDocument") or None
    if text:
        try:
            json.loads(text)
        except ValueError:
            raise AwsError("InvalidPolicyDocument", "The policy document is not valid JSON.") from None
    return text


def _ip_address_type(params: Params) -> str:
    given = params.get("IpAddressType") or "ipv4"
    if given == "ipv6":
        raise unsupported("IpAddressType ipv6: there are no IPv6-only subnets.")
    return str(given)


@operation("ModifyVpcEndpoint")
def modify_vpc_endpoint(ctx: Context, params: Params) -> Result:
    row = fetch(ctx, "vpce", params["VpcEndpointId"])
    _check_kind(row.kind, params)
    if params.get("IpAddressType", row.ip_address_type) != row.ip_address_type:
        raise unsupported("IpAddressType: an endpoint keeps the one it was made with.")
    for prefix, name in (("sg", "SecurityGroup"), ("subnet", "Subnet"), ("rtb", "RouteTable")):
        fetch_all(ctx, prefix, params.get(f"Remove{name}Ids", ()))
    changes: dict[str, Any] = {}
    if params.get("PolicyDocument") or params.get("ResetPolicy"):
        changes["policy_document"] = _EVERYTHING if params.get("ResetPolicy") else _policy(params)
    if "PrivateDnsEnabled" in params:
        changes["private_dns_enabled"] = params["PrivateDnsEnabled"]
    if params.get("DnsOptions"):
        changes["dns_options"] = {**row.dns_options, **params["DnsOptions"]}
    groups = _regrouped(ctx, row, params)
    if groups is not None:
        changes["group_ids"] = [group for group, _ in groups]
    if changes:
        ctx.db.execute(update(vpc_endpoints).where(_ENDPOINTS.id == row.id).values(**changes))
    vpc_endpoint_interfaces.remove(ctx, row.id, params.get("RemoveSubnetIds", ()))
    vpc_endpoint_interfaces.add(ctx, fetch(ctx, "vpce", row.id), *_subnets(params, "AddSubnetIds"))
    if groups is not None:
        vpc_endpoint_interfaces.regroup(ctx, row.id, groups)
    if row.kind == GATEWAY:
        vpc_endpoint_routes.remove(ctx, row.id, params.get("RemoveRouteTableIds", ()))
        vpc_endpoint_routes.add(ctx, row, params.get("AddRouteTableIds", ()))
    return {"Return": True}


def _regrouped(ctx: Context, row: Row[Any], params: Params) -> list[network_interface_groups.Group] | None:
    """The groups the endpoint gets, if they change: at least one."""
    added, removed = params.get("AddSecurityGroupIds", ()), set(params.get("RemoveSecurityGroupIds", ()))
    if not added and not removed:
        return None
    wanted = [id_ for id_ in dict.fromkeys([*row.group_ids, *added]) if id_ not in removed]
    if not wanted:
        raise invalid_parameter_value(f"{row.id} must have at least one security group.")
    return network_interface_groups.chosen(ctx, row.vpc_id, wanted)


@operation("DeleteVpcEndpoints")
def delete_vpc_endpoints(ctx: Context, params: Params) -> Result:
    """Endpoints that do not exist are answered as unsuccessful; the others go, with their interfaces and routes."""
    unsuccessful = []
    for id_ in dict.fromkeys(params["VpcEndpointIds"]):
        try:
            fetch(ctx, "vpce", check_id("vpce", id_))
        except AwsError:
            error = {"Code": "InvalidVpcEndpoint.NotFound", "Message": f"The VpcEndpoint Id '{id_}' does not exist"}
            unsuccessful.append({"ResourceId": id_, "Error": error})
            continue
        vpc_endpoint_interfaces.remove(ctx, id_)
        vpc_endpoint_routes.remove(ctx, id_)
        ctx.db.execute(delete(vpc_endpoints).where(_ENDPOINTS.id == id_))
        tags.forget(ctx, [id_])
    return {"Unsuccessful": unsuccessful}


_FILTERS = {
    "ip-address-type": filters.text(_ENDPOINTS.ip_address_type),
    "service-name": filters.text(_ENDPOINTS.service_name),
    "vpc-endpoint-id": filters.text(_ENDPOINTS.id),
    "vpc-endpoint-state": filters.text(_ENDPOINTS.state),
    "vpc-endpoint-type": filters.text(_ENDPOINTS.kind),
    "vpc-id": filters.text(_ENDPOINTS.vpc_id),
}


@operation("DescribeVpcEndpoints")
def describe_vpc_endpoints(ctx: Context, params: Params) -> Result:
    catalogue = {**_FILTERS, "service-region": filters.constant(ctx.region)}
    rows, token = describe(ctx, params, "vpce", catalogue, "VpcEndpointIds", sizes=(1, 1000))
    return {"VpcEndpoints": _shown(ctx, rows), "NextToken": token}


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    ids = [row.id for row in rows]
    tags_of, tables_of = tags.shown(ctx, ids), vpc_endpoint_routes.of(ctx, ids)
    interfaces_of = vpc_endpoint_interfaces.of(ctx, ids)
    names = _names(ctx, {group for row in rows for group in row.group_ids})
    return [
        {
            "VpcEndpointId": row.id,
            "VpcEndpointType": row.kind,
            "VpcId": row.vpc_id,
            "ServiceName": row.service_name,
            "ServiceRegion": ctx.region,
            "State": row.state,
            "PolicyDocument": row.policy_document,
            "RouteTableIds": tables_of[row.id],
            "SubnetIds": [subnet for _, subnet in interfaces_of[row.id]],
            "Groups": [{"GroupId": id_, "GroupName": names[id_]} for id_ in row.group_ids if id_ in names],
            "IpAddressType": row.ip_address_type,
            "DnsOptions": row.dns_options,
            "PrivateDnsEnabled": row.private_dns_enabled,
            "RequesterManaged": False,
            "NetworkInterfaceIds": [interface for interface, _ in interfaces_of[row.id]],
            "DnsEntries": [],
            "CreationTimestamp": row.created_at,
            "Tags": tags_of[row.id],
            "OwnerId": row.account_id,
        }
        for row in rows
    ]


def _names(ctx: Context, group_ids: set[str]) -> Mapping[str, str]:
    if not group_ids:
        return {}
    query = select(security_groups.c.id, security_groups.c.name).where(security_groups.c.id.in_(group_ids))
    return {row.id: row.name for row in ctx.db.execute(query)}
