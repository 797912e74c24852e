"""The IPv6 block of a subnet: a /64 of one of its VPC's blocks, at most one at a time."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Network, ip_network
from typing import Any

from sqlalchemy import Row, select, update

from enid.ec2 import cidr, dependants, subnet_cidr_reservations, vpc_cidr_blocks
from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import AwsError, check_id, missing_parameter, unsupported
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store.ids import new_id
from enid.store.tables import delegated_prefixes, private_addresses, subnets


def checked(text: str, blocks: Iterable[cidr.Network], others: Iterable[cidr.Network]) -> IPv6Network:
    """A /64 of the VPC's ``blocks`` that none of the ``others`` overlaps.

    :raises AwsError: ``InvalidParameterValue``, ``InvalidSubnet.Range``, ``InvalidSubnet.Conflict``.
    """
    block = cidr.ipv6(text)
    if block.prefixlen != 64 or not cidr.within(block, blocks):
        raise AwsError("InvalidSubnet.Range", f"The CIDR '{text}' is invalid.")
    if cidr.overlaps(block, others):
        raise AwsError("InvalidSubnet.Conflict", f"The CIDR '{text}' conflicts with another subnet")
    return block


def values(block: IPv6Network) -> dict[str, str]:
    """The columns of a subnet with this block."""
    return {"ipv6_cidr_block": str(block), "ipv6_association_id": new_id("subnet-cidr-assoc")}


def shown(row: Row[Any], state: str = "associated") -> list[Result]:
    """The subnet's association set: one block or none."""
    if row.ipv6_cidr_block is None:
        return []
    return [
        {
            "AssociationId": row.ipv6_association_id,
            "Ipv6CidrBlock": row.ipv6_cidr_block,
            "Ipv6CidrBlockState": {"State": state},
            "Ipv6AddressAttribute": "public",
            "IpSource": "amazon",
        }
    ]


@operation("AssociateSubnetCidrBlock")
def associate_subnet_cidr_block(ctx: Context, params: Params) -> Result:
    if "Ipv6IpamPoolId" in params or "Ipv6NetmaskLength" in params:
        raise unsupported("There are no IPAM pools; use Ipv6CidrBlock.")
    if "Ipv6CidrBlock" not in params:
        raise missing_parameter("ipv6CidrBlock")
    row = fetch(ctx, "subnet", params["SubnetId"])
    if row.ipv6_cidr_block is not None:
        raise AwsError("InvalidSubnet.Conflict", f"The subnet '{row.id}' already has an IPv6 CIDR block.")
    query = select(subnets.c.ipv6_cidr_block).where(
        subnets.c.vpc_id == row.vpc_id, subnets.c.ipv6_cidr_block.is_not(None)
    )
    others = [ip_network(text) for text in ctx.db.execute(query).scalars() if text]
    block = checked(params["Ipv6CidrBlock"], vpc_cidr_blocks.networks(ctx, row.vpc_id), others)
    return _write(ctx, row.id, values(block), "associating")


@operation("DisassociateSubnetCidrBlock")
def disassociate_subnet_cidr_block(ctx: Context, params: Params) -> Result:
    """An interface with an address of the block stands in the way."""
    id_ = check_id("subnet-cidr-assoc", params["AssociationId"])
    query = select(subnets).where(subnets.c.ipv6_association_id == id_, subnets.c.account_id == ctx.account_id)
    row = ctx.db.execute(query).one_or_none()
    if row is None:
        raise AwsError(
            "InvalidSubnetCidrBlockAssociationID.NotFound",
            f"The subnet CIDR block association '{id_}' does not exist",
        )
    dependants.refuse_if_any(
        ctx,
        f"The subnetCidrBlock '{id_}' has dependencies and cannot be deleted.",
        *(
            select(table.c.network_interface_id).distinct().where(table.c.subnet_id == row.id, table.c.family == 6)
            for table in (private_addresses, delegated_prefixes)
        ),
    )
    answer = {"SubnetId": row.id, "Ipv6CidrBlockAssociation": shown(row, "disassociating")[0]}
    gone = {"ipv6_cidr_block": None, "ipv6_association_id": None, "assign_ipv6_address_on_creation": False}
    subnet_cidr_reservations.remove_of(ctx, row.id, 6)
    _write(ctx, row.id, gone, "")
    return answer


def _write(ctx: Context, subnet_id: str, changes: dict[str, Any], state: str) -> Result:
    ctx.db.execute(update(subnets).where(subnets.c.id == subnet_id).values(changes))
    row = ctx.db.execute(select(subnets).where(subnets.c.id == subnet_id)).one()
    ctx.note("vpc", row.vpc_id)
    ctx.note("subnet", subnet_id)
    return {"SubnetId": subnet_id, "Ipv6CidrBlockAssociation": next(iter(shown(row, state)), None)}
