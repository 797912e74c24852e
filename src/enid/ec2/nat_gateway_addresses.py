"""Secondary addresses of NAT gateways: private ones of a private gateway, Elastic IPs of a public one.

An address that goes takes its flows along at once: AWS drains them for a while first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from sqlalchemy import Row

from enid.ec2 import addresses, assigned_addresses, nat_gateway_view, private_ip_addresses
from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import (
    AwsError,
    check_id,
    invalid_parameter_combination,
    invalid_parameter_value,
    missing_parameter,
    not_found,
)
from enid.ec2.nat_gateways import PRIVATE, PUBLIC, check_number, elastic_ips
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.ec2.unsupported import refuse
from enid.store.tables import private_addresses


def _gateway(ctx: Context, params: Params, connectivity: str) -> Row[Any]:
    """The gateway, if it can be changed and is of this kind."""
    row = fetch(ctx, "nat", params["NatGatewayId"])
    if row.state != "available":
        raise AwsError("IncorrectState", f"The NAT gateway {row.id} is in the state {row.state}, not available.")
    if row.connectivity_type != connectivity:
        raise invalid_parameter_value(
            f"{row.id} is a {row.connectivity_type} NAT gateway; this operation is for {connectivity} ones."
        )
    return row


def _add(ctx: Context, gateway: Row[Any], given: Sequence[str], count: int, most: int) -> list[IPv4Address]:
    """Give the gateway further private addresses: those given, else ``count`` of AWS's choice."""
    have = nat_gateway_view.addresses(ctx, [gateway])[gateway.id]
    check_number(most, len(have) + (len(given) or count))
    interface, subnet = fetch(ctx, "eni", gateway.network_interface_id), fetch(ctx, "subnet", gateway.subnet_id)
    block = IPv4Network(subnet.cidr_block)
    fresh = assigned_addresses.parse(block, given)
    for ip in assigned_addresses.taken(ctx, subnet.id, fresh):
        raise AwsError("InvalidIPAddress.InUse", f"Address {ip} is in use.")
    fresh = fresh or private_ip_addresses.choose(ctx, subnet, count)
    position = assigned_addresses.room(ctx, interface.id, 4, len(fresh))
    assigned_addresses.add(ctx, interface, block, fresh, position)
    ctx.note("network_interface", interface.id)
    return fresh


def _answer(ctx: Context, gateway: Row[Any], ips: Collection[str], status: str) -> Result:
    """The answer about these private addresses."""
    shown = nat_gateway_view.addresses(ctx, [gateway])[gateway.id]
    chosen = [address | {"Status": status} for address in shown if address["PrivateIp"] in ips]
    return {"NatGatewayId": gateway.id, "NatGatewayAddresses": chosen}


def _remove(ctx: Context, gateway: Row[Any], ips: Sequence[str], status: str) -> Result:
    interface = fetch(ctx, "eni", gateway.network_interface_id)
    answer = _answer(ctx, gateway, ips, status)
    addresses.unmap(ctx, interface.id, ips)
    assigned_addresses.give_back(ctx, interface, ips, private_addresses.c.is_primary.is_(False))
    ctx.note("network_interface", interface.id)
    return answer


@operation("AssignPrivateNatGatewayAddress")
def assign_private_nat_gateway_address(ctx: Context, params: Params) -> Result:
    """More private addresses for a private gateway: its flows spread over all of them."""
    gateway = _gateway(ctx, params, PRIVATE)
    given, count = params.get("PrivateIpAddresses", ()), params.get("PrivateIpAddressCount")
    if given and count is not None:
        raise invalid_parameter_combination(
            "The parameters privateIpAddresses and privateIpAddressCount may not be used together."
        )
    if not given and count is None:
        raise missing_parameter("privateIpAddresses or privateIpAddressCount")
    if count is not None and count < 1:
        raise invalid_parameter_value(f"Value ({count}) for parameter privateIpAddressCount is invalid.")
    fresh = _add(ctx, gateway, given, count or 0, ctx.settings.quotas.private_ips_per_nat_gateway)
    return _answer(ctx, gateway, set(map(str, fresh)), "assigning")


@operation("UnassignPrivateNatGatewayAddress")
def unassign_private_nat_gateway_address(ctx: Context, params: Params) -> Result:
    """Secondary addresses only."""
    gateway = _gateway(ctx, params, PRIVATE)
    return _remove(ctx, gateway, list(dict.fromkeys(params["PrivateIpAddresses"])), "unassigning")


@operation("AssociateNatGatewayAddress")
def associate_nat_gateway_address(ctx: Context, params: Params) -> Result:
    """More Elastic IPs for a public gateway, each for a private address of its own."""
    refuse(params, "AvailabilityZone", "AvailabilityZoneId")  # of regional gateways
    gateway = _gateway(ctx, params, PUBLIC)
    given = params.get("PrivateIpAddresses", ())
    elastic = elastic_ips(ctx, params["AllocationIds"])
    if given and len(given) != len(elastic):
        raise invalid_parameter_combination(
            "The parameters allocationIds and privateIpAddresses must name as many addresses each."
        )
    for row in elastic:
        if row.association_id is not None:
            raise AwsError(
                "Resource.AlreadyAssociated", f"Elastic IP address {row.allocation_id} is already associated"
            )
    fresh = _add(ctx, gateway, given, len(elastic), ctx.settings.quotas.elastic_ips_per_nat_gateway)
    for row, ip in zip(elastic, fresh, strict=True):
        addresses.stand_for(ctx, row, gateway.network_interface_id, str(ip))
    return _answer(ctx, gateway, set(map(str, fresh)), "associating")


@operation("DisassociateNatGatewayAddress")
def disassociate_nat_gateway_address(ctx: Context, params: Params) -> Result:
    """Secondary Elastic IPs only; each stays allocated, its private address goes."""
    gateway = _gateway(ctx, params, PUBLIC)
    wanted = [check_id("eipassoc", id_) for id_ in dict.fromkeys(params["AssociationIds"])]
    shown = nat_gateway_view.addresses(ctx, [gateway])[gateway.id]
    mine = {address["AssociationId"]: address for address in shown}
    for id_ in wanted:
        if id_ not in mine:
            raise not_found("eipassoc", id_)
        if mine[id_]["IsPrimary"]:
            raise invalid_parameter_value(f"The primary Elastic IP address of {gateway.id} cannot be disassociated.")
    return _remove(ctx, gateway, [mine[id_]["PrivateIp"] for id_ in wanted], "disassociating")
