"""Where a launch happens: the subnet of its primary interface, and the security groups named for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, select

from enid.ec2.context import Context, Params
from enid.ec2.errors import AwsError, invalid_parameter_combination
from enid.ec2.launch_interfaces import primary
from enid.ec2.resources import fetch, fetch_all
from enid.store.tables import security_groups, subnets, vpcs


def find(ctx: Context, params: Params) -> Row[Any]:
    """The subnet to launch into; without one in the request, a default subnet of the default VPC.

    :raises AwsError: there is none, or it is not in the zone that ``Placement`` names.
    """
    one = primary(params)
    placement: Mapping[str, Any] = params.get("Placement", {})
    if one.get("NetworkInterfaceId"):
        subnet = fetch(ctx, "subnet", fetch(ctx, "eni", one["NetworkInterfaceId"]).subnet_id)
    elif one.get("SubnetId"):
        subnet = fetch(ctx, "subnet", one["SubnetId"])
    else:
        return _default(ctx, placement)
    for member, zone in (
        ("AvailabilityZone", subnet.availability_zone),
        ("AvailabilityZoneId", subnet.availability_zone_id),
    ):
        if placement.get(member) and placement[member] != zone:
            raise invalid_parameter_combination(
                f"The subnet '{subnet.id}' is in the availability zone '{zone}', not in '{placement[member]}'."
            )
    return subnet


def _default(ctx: Context, placement: Mapping[str, Any]) -> Row[Any]:
    vpc = ctx.db.execute(select(vpcs.c.id).where(vpcs.c.account_id == ctx.account_id, vpcs.c.is_default)).first()
    if vpc is None:
        raise AwsError("VPCIdNotSpecified", "No default VPC for this user")
    query = select(subnets).where(subnets.c.vpc_id == vpc.id, subnets.c.default_for_az)
    for column, member in (
        (subnets.c.availability_zone, "AvailabilityZone"),
        (subnets.c.availability_zone_id, "AvailabilityZoneId"),
    ):
        if placement.get(member):
            query = query.where(column == placement[member])
    row = ctx.db.execute(query.order_by(subnets.c.availability_zone)).first()
    if row is not None:
        return row
    zone = placement.get("AvailabilityZone") or placement.get("AvailabilityZoneId")
    if zone:
        raise AwsError("MissingInput", f"No default subnet for availability zone: '{zone}'.")
    raise AwsError("MissingInput", f"No subnets found for the default VPC '{vpc.id}'. Please specify a subnet.")


def group_ids(ctx: Context, params: Params, subnet: Row[Any]) -> list[str]:
    """The instance-level security groups, named by id or (in the default VPC) by name.

    :raises AwsError: a name is unknown, or names are used with a subnet.
    """
    names = list(dict.fromkeys(params.get("SecurityGroups", ())))
    ids = list(params.get("SecurityGroupIds", ()))
    if not names:
        return ids
    if params.get("SubnetId"):
        raise invalid_parameter_combination("The parameter groupName cannot be used with the parameter subnet")
    columns = security_groups.c
    query = select(columns.id, columns.name).where(columns.vpc_id == subnet.vpc_id, columns.name.in_(names))
    found = {row.name: row.id for row in ctx.db.execute(query)}
    for name in names:
        if name not in found:
            raise AwsError(
                "InvalidGroup.NotFound", f"The security group '{name}' does not exist in default VPC '{subnet.vpc_id}'"
            )
    return ids + [found[name] for name in names]


def check_groups(ctx: Context, uses: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Every group is in the VPC of the subnet it is used in.

    :param uses: (subnet id, group ids) of each interface to be made.
    :raises AwsError: ``InvalidParameter`` in the words only RunInstances uses; ``InvalidGroup.NotFound``.
    """
    used = [(subnet, list(groups)) for subnet, groups in uses if groups]
    if not used:
        return
    places = fetch_all(ctx, "subnet", [subnet for subnet, _ in used])
    found = fetch_all(ctx, "sg", [group for _, groups in used for group in groups])
    for subnet, groups in used:
        for group in groups:
            if found[group].vpc_id != places[subnet].vpc_id:
                raise AwsError(
                    "InvalidParameter", f"Security group {group} and subnet {subnet} belong to different networks."
                )
