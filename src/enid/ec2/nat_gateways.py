"""NAT gateways: creation, deletion, and what becomes of one in between.

A gateway is a requester-managed interface in a subnet (:mod:`enid.ec2.requester_managed`) and what the agent makes
behind it; ``available`` and ``deleted`` are written by the agent. Further addresses are
:mod:`enid.ec2.nat_gateway_addresses`'.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, insert, select, update

from enid.ec2 import addresses, filters, nat_gateway_view, quotas, requester_managed, routes, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import (
    AwsError,
    invalid_parameter_combination,
    invalid_parameter_value,
    missing_parameter,
    unsupported,
)
from enid.ec2.network_interfaces import NewInterface
from enid.ec2.registry import operation
from enid.ec2.resources import fetch, fetch_all
from enid.ec2.unsupported import refuse
from enid.store.ids import new_id
from enid.store.tables import internet_gateways, nat_gateways, private_addresses

PUBLIC, PRIVATE = "public", "private"
_FULL = "InsufficientFreeAddressesInSubnet"


@operation("CreateNatGateway")
def create_nat_gateway(ctx: Context, params: Params) -> Result:
    """Answers ``pending``, as AWS does. What is wrong with the gateway's surroundings does not refuse the call: the
    gateway ends as ``failed`` and says why (so does AWS's)."""
    if params.get("AvailabilityMode", "zonal") != "zonal":
        raise unsupported("The only AvailabilityMode is zonal.")
    refuse(params, "VpcId", "AvailabilityZoneAddresses")
    if not params.get("SubnetId"):
        raise missing_parameter("subnetId")
    _check_addresses(ctx, params)
    subnet = fetch(ctx, "subnet", params["SubnetId"])
    _check_quota(ctx, subnet.availability_zone)
    primary = [params["AllocationId"]] if params.get("AllocationId") else []
    elastic = elastic_ips(ctx, [*primary, *params.get("SecondaryAllocationIds", ())])
    id_ = new_id("nat")
    ctx.db.execute(
        insert(nat_gateways).values(
            id=id_,
            account_id=ctx.account_id,
            vpc_id=subnet.vpc_id,
            subnet_id=subnet.id,
            availability_zone=subnet.availability_zone,
            connectivity_type=params.get("ConnectivityType", PUBLIC),
            created_at=ctx.now,
        )
    )
    failure = _obstacle(ctx, subnet, elastic) or _furnish(ctx, params, id_, elastic)
    shown = nat_gateway_view.describe(ctx, [fetch(ctx, "nat", id_)])[0]
    if failure is not None:
        _fail(ctx, id_, failure, elastic)
    shown["Tags"] = tags.on_creation(ctx, params, "natgateway", [id_])
    return {"NatGateway": shown, "ClientToken": params.get("ClientToken")}


def _check_addresses(ctx: Context, params: Params) -> None:
    """A public gateway has an Elastic IP for each of its private addresses, a private one has none."""
    secondary, count = params.get("SecondaryPrivateIpAddresses", ()), params.get("SecondaryPrivateIpAddressCount")
    elastic = params.get("SecondaryAllocationIds", ())
    if count is not None and count < 1:
        raise invalid_parameter_value(f"Value ({count}) for parameter secondaryPrivateIpAddressCount is invalid.")
    if params.get("ConnectivityType", PUBLIC) == PRIVATE:
        if params.get("AllocationId") or elastic:
            raise invalid_parameter_combination("An Elastic IP address cannot be specified for a private NAT gateway.")
        if secondary and count is not None:
            raise invalid_parameter_combination(
                "The parameters secondaryPrivateIpAddresses and secondaryPrivateIpAddressCount may not be used "
                "together."
            )
        check_number(ctx.settings.quotas.private_ips_per_nat_gateway, 1 + len(secondary) + (count or 0))
        return
    if not params.get("AllocationId"):
        raise missing_parameter("AllocationId")
    if count is not None:
        raise invalid_parameter_combination(
            "The parameter secondaryPrivateIpAddressCount can be specified for a private NAT gateway only."
        )
    if secondary and len(secondary) != len(elastic):
        raise invalid_parameter_combination(
            "The parameters secondaryAllocationIds and secondaryPrivateIpAddresses must name as many addresses each."
        )
    check_number(ctx.settings.quotas.elastic_ips_per_nat_gateway, 1 + len(elastic))


def elastic_ips(ctx: Context, allocation_ids: Sequence[str]) -> list[Row[Any]]:
    """The caller's Elastic IPs of these ids, in their order."""
    found = fetch_all(ctx, "eipalloc", allocation_ids)
    return [found[id_] for id_ in dict.fromkeys(allocation_ids)]


def check_number(most: int, wanted: int) -> None:
    """:raises AwsError: ``NatGatewayAddressLimitExceeded``: a gateway may not have so many addresses."""
    if wanted > most:
        raise AwsError(
            "NatGatewayAddressLimitExceeded", "The maximum number of addresses per NAT gateway has been reached."
        )


def _check_quota(ctx: Context, zone: str) -> None:
    columns = nat_gateways.c
    counting = columns.state.in_(("pending", "available", "deleting"))
    quotas.check(
        ctx,
        nat_gateways,
        (columns.account_id == ctx.account_id) & (columns.availability_zone == zone) & counting,
        ctx.settings.quotas.nat_gateways_per_zone,
        "NatGatewayLimitExceeded",
        f"Performing this operation would exceed the limit of {ctx.settings.quotas.nat_gateways_per_zone} NAT gateways",
    )


def _obstacle(ctx: Context, subnet: Row[Any], elastic: Sequence[Row[Any]]) -> tuple[str, str] | None:
    """Why a public gateway cannot work here: AWS's failure code and message."""
    attached = select(internet_gateways.c.id).where(internet_gateways.c.vpc_id == subnet.vpc_id)
    if elastic and ctx.db.execute(attached).first() is None:
        return "Gateway.NotAttached", f"Network {subnet.vpc_id} has no Internet gateway attached"
    for row in elastic:
        if row.association_id is not None:
            return "Resource.AlreadyAssociated", f"Elastic IP address {row.allocation_id} is already associated"
    return None


def _furnish(ctx: Context, params: Params, id_: str, elastic: Sequence[Row[Any]]) -> tuple[str, str] | None:
    """The gateway's interface with its addresses, or why there can be none."""
    secondary = tuple(params.get("SecondaryPrivateIpAddresses", ()))
    spec = NewInterface(
        subnet_id=params["SubnetId"],
        description=f"Interface for NAT Gateway {id_}",
        private_ip=params.get("PrivateIpAddress"),
        secondary_ips=secondary,
        secondary_count=params.get("SecondaryPrivateIpAddressCount") or max(len(elastic) - 1 - len(secondary), 0),
        has_groups=False,
        ipv6_count=0,
        interface_type="nat_gateway",
        source_dest_check=False,
        associate_public_ip=False,
    )
    try:
        interface = requester_managed.create(ctx, spec, id_)
    except AwsError as refusal:
        if refusal.code != _FULL:
            raise
        return _FULL, "Subnet has insufficient free addresses to create this NAT gateway"
    ctx.db.execute(update(nat_gateways).where(nat_gateways.c.id == id_).values(network_interface_id=interface))
    columns = private_addresses.c
    mine = select(columns.ip).where(columns.network_interface_id == interface).order_by(columns.position)
    for row, ip in zip(elastic, ctx.db.execute(mine).scalars().all(), strict=bool(elastic)):
        addresses.stand_for(ctx, row, interface, ip)
    return None


def _fail(ctx: Context, id_: str, failure: tuple[str, str], elastic: Sequence[Row[Any]]) -> None:
    code, message = failure
    wanted = [
        {"AllocationId": row.allocation_id, "IsPrimary": place == 0, "Status": "failed", "FailureMessage": message}
        for place, row in enumerate(elastic)
    ]
    values = {"state": "failed", "failure_code": code, "failure_message": message, "last_addresses": wanted}
    ctx.db.execute(update(nat_gateways).where(nat_gateways.c.id == id_).values(**values))


@operation("DeleteNatGateway")
def delete_nat_gateway(ctx: Context, params: Params) -> Result:
    """Its routes become black holes and its Elastic IPs stay allocated. Deleting it again changes nothing."""
    row = fetch(ctx, "nat", params["NatGatewayId"])
    if row.state not in ("deleting", "deleted"):
        values: dict[str, Any] = {"state": "deleted", "deleted_at": ctx.now}
        if row.network_interface_id is not None:
            last = nat_gateway_view.addresses(ctx, [row])[row.id]
            values |= {"state": "deleting", "last_addresses": last}
            requester_managed.release(ctx, row.network_interface_id)
        ctx.db.execute(update(nat_gateways).where(nat_gateways.c.id == row.id).values(**values))
        routes.note_tables_towards(ctx, row.id)
    return {"NatGatewayId": row.id}


_FILTERS = {
    "nat-gateway-id": filters.text(nat_gateways.c.id),
    "state": filters.text(nat_gateways.c.state),
    "subnet-id": filters.text(nat_gateways.c.subnet_id),
    "vpc-id": filters.text(nat_gateways.c.vpc_id),
}


@operation("DescribeNatGateways")
def describe_nat_gateways(ctx: Context, params: Params) -> Result:
    """The caller's gateways, and for about an hour those that were deleted or have failed."""
    given = {**params, "Filters": params.get("Filter", ())}  # AWS names the member as nowhere else
    rows, token = describe(ctx, given, "nat", _FILTERS, "NatGatewayIds")
    return {"NatGateways": nat_gateway_view.describe(ctx, rows), "NextToken": token}
