"""The CIDR blocks of a VPC: which are allowed, adding and removing them.

The rules are AWS's "VPC CIDR blocks" page: IPv4 /16 to /28, no overlap, up to five of each family, and no mixing of
private ranges.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from sqlalchemy import Row, delete, insert, select

from enid.ec2 import cidr, dependants, network_acls, security_groups, vpc_peers
from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import AwsError, check_id, invalid_parameter_value, missing_parameter, not_permitted, unsupported
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store.ids import new_id
from enid.store.tables import route_tables, routes, subnets, vpc_cidr_blocks, vpcs

POOL = IPv6Network("2600:1f00::/24")
"""Amazon-provided IPv6 blocks come from here; nothing outside enid ever routes them."""
POOL_NAME = "Amazon"
_RESTRICTED = [IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.19.0.0/16")]
_POOLS = ("Ipv4IpamPoolId", "Ipv4NetmaskLength", "Ipv6IpamPoolId", "Ipv6NetmaskLength", "Ipv6Pool", "Ipv6CidrBlock")


def refuse_pools(ctx: Context, params: Params) -> None:
    """:raises AwsError: ``UnsupportedOperation`` for blocks out of IPAM or brought by the client;
    ``InvalidParameterValue`` for one announced elsewhere."""
    for name in _POOLS:
        if name in params:
            raise unsupported(f"{name}: there are no IPAM pools and no blocks of your own; use CidrBlock.")
    group = params.get("Ipv6CidrBlockNetworkBorderGroup", ctx.region)
    if group != ctx.region:
        raise invalid_parameter_value(
            f"Value ({group}) for parameter ipv6CidrBlockNetworkBorderGroup is invalid. Expected: {ctx.region}."
        )


def sized(text: str) -> IPv4Network:
    """An IPv4 block as big as a VPC's may be.

    :raises AwsError: ``InvalidParameterValue`` (no block), ``InvalidVpc.Range`` (not /16 to /28).
    """
    network = cidr.ipv4(text)
    if not 16 <= network.prefixlen <= 28:
        raise AwsError("InvalidVpc.Range", f"The CIDR '{text}' is invalid.")
    return network


def free_ipv6(ctx: Context) -> IPv6Network:
    """A /56 that no VPC has."""
    candidates = [str(_random_block()) for _ in range(8)]
    taken = select(vpc_cidr_blocks.c.cidr_block).where(vpc_cidr_blocks.c.cidr_block.in_(candidates))
    free = set(candidates) - set(ctx.db.execute(taken).scalars())
    return IPv6Network(free.pop())


def _random_block() -> IPv6Network:
    number = secrets.randbits(56 - POOL.prefixlen)
    return IPv6Network((int(POOL.network_address) + (number << (128 - 56)), 56))


def row(vpc_id: str, block: cidr.Network, *, primary: bool = False) -> dict[str, Any]:
    """The row of a new block."""
    return {
        "id": new_id("vpc-cidr-assoc"),
        "vpc_id": vpc_id,
        "cidr_block": str(block),
        "family": block.version,
        "is_primary": primary,
    }


def of(ctx: Context, vpc_ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """The blocks of each VPC, the primary one first; one statement."""
    found: dict[str, list[Row[Any]]] = {id_: [] for id_ in vpc_ids}
    if found:
        query = select(vpc_cidr_blocks).where(vpc_cidr_blocks.c.vpc_id.in_(vpc_ids))
        for block in ctx.db.execute(query.order_by(vpc_cidr_blocks.c.is_primary.desc(), vpc_cidr_blocks.c.id)):
            found[block.vpc_id].append(block)
    return found


def networks(ctx: Context, vpc_id: str) -> list[cidr.Network]:
    """A VPC's blocks of both families."""
    return [ip_network(block.cidr_block) for block in of(ctx, [vpc_id])[vpc_id]]


def shown(ctx: Context, block: Row[Any], state: str = "") -> Result:
    """A block as a member of the VPC's association sets."""
    if block.family == 4:
        return {
            "AssociationId": block.id,
            "CidrBlock": block.cidr_block,
            "CidrBlockState": {"State": state or block.state},
        }
    return {
        "AssociationId": block.id,
        "Ipv6CidrBlock": block.cidr_block,
        "Ipv6CidrBlockState": {"State": state or block.state},
        "NetworkBorderGroup": ctx.region,
        "Ipv6Pool": POOL_NAME,
        "Ipv6AddressAttribute": "public",
        "IpSource": "amazon",
    }


@operation("AssociateVpcCidrBlock")
def associate_vpc_cidr_block(ctx: Context, params: Params) -> Result:
    """Add one IPv4 block, or one Amazon-provided IPv6 block."""
    refuse_pools(ctx, params)
    vpc = fetch(ctx, "vpc", params["VpcId"])
    existing = networks(ctx, vpc.id)
    wants_ipv6 = params.get("AmazonProvidedIpv6CidrBlock", False)
    if wants_ipv6 == ("CidrBlock" in params):
        raise missing_parameter("cidrBlock or amazonProvidedIpv6CidrBlock (one of them)")
    block = free_ipv6(ctx) if wants_ipv6 else _secondary(params["CidrBlock"], existing)
    if sum(other.version == block.version for other in existing) >= ctx.settings.quotas.cidr_blocks_per_vpc:
        raise AwsError("VpcCidrBlockLimitExceeded", f"The maximum number of CIDR blocks of {vpc.id} has been reached.")
    vpc_peers.before_new_block(ctx, vpc.id, block)
    added = row(vpc.id, block)
    ctx.db.execute(insert(vpc_cidr_blocks).values(added))
    if wants_ipv6 and all(other.version == 4 for other in existing):
        network_acls.families_changed(ctx, vpc.id, with_ipv6=True)
        security_groups.ipv6_came(ctx, vpc.id)
    ctx.note("vpc", vpc.id)
    return _answer(ctx, added["id"], "associating")


def _secondary(text: str, existing: Iterable[cidr.Network]) -> IPv4Network:
    block, existing = sized(text), list(existing)
    if cidr.overlaps(block, existing):
        raise AwsError("InvalidVpc.Range", f"The CIDR '{text}' conflicts with another block of the VPC.")
    own = [area for area in _RESTRICTED if cidr.overlaps(area, existing)]
    if any(block.overlaps(area) for area in _RESTRICTED if own and area not in own):
        raise AwsError(
            "InvalidVpc.Range",
            f"The CIDR '{text}' is restricted. Use a CIDR from the same private address range as the current VPC "
            "CIDR, or use a publicly-routable CIDR. For additional restrictions, see "
            "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html",
        )
    return block


@operation("DisassociateVpcCidrBlock")
def disassociate_vpc_cidr_block(ctx: Context, params: Params) -> Result:
    """Remove a block that is not the primary one and has no subnet in it."""
    id_ = check_id("vpc-cidr-assoc", params["AssociationId"])
    query = select(vpc_cidr_blocks).join(vpcs).where(vpc_cidr_blocks.c.id == id_, vpcs.c.account_id == ctx.account_id)
    block = ctx.db.execute(query).one_or_none()
    if block is None:
        raise AwsError(
            "InvalidVpcCidrBlockAssociationID.NotFound", f"The vpc CIDR block association '{id_}' does not exist"
        )
    if block.is_primary:
        raise not_permitted(
            f"The vpc CIDR block with association ID {id_} may not be disassociated. "
            "It is the primary IPv4 CIDR block of the VPC"
        )
    _refuse_if_used(ctx, block)
    answer = _answer(ctx, id_, "disassociating")
    ctx.db.execute(delete(vpc_cidr_blocks).where(vpc_cidr_blocks.c.id == id_))
    of_vpc = routes.c.route_table_id.in_(select(route_tables.c.id).where(route_tables.c.vpc_id == block.vpc_id))
    ctx.db.execute(delete(routes).where(of_vpc, routes.c.destination == block.cidr_block))  # a replaced local route
    if block.family == 6:
        network_acls.families_changed(ctx, block.vpc_id, with_ipv6=False)
    ctx.note("vpc", block.vpc_id)
    return answer


def _refuse_if_used(ctx: Context, block: Row[Any]) -> None:
    column = subnets.c.cidr_block if block.family == 4 else subnets.c.ipv6_cidr_block
    query = select(subnets.c.id, column.label("block")).where(subnets.c.vpc_id == block.vpc_id, column.is_not(None))
    network = ip_network(block.cidr_block)
    inside = [row.id for row in ctx.db.execute(query) if cidr.within(ip_network(row.block), [network])]
    if inside:
        dependants.refuse_if_any(
            ctx,
            f"The vpcCidrBlock '{block.id}' has dependencies and cannot be deleted.",
            select(subnets.c.id).where(subnets.c.id.in_(inside)),
        )


def _answer(ctx: Context, id_: str, state: str) -> Result:
    block = ctx.db.execute(select(vpc_cidr_blocks).where(vpc_cidr_blocks.c.id == id_)).one()
    member = "CidrBlockAssociation" if block.family == 4 else "Ipv6CidrBlockAssociation"
    return {"VpcId": block.vpc_id, member: shown(ctx, block, state)}
