"""Public IPv4 addresses: Elastic IPs (AllocateAddress …) and the ones AWS assigns by itself.

Both come from one pool and are rows of one table; an auto-assigned one has no allocation id, lives as long as its use,
and is never shown by DescribeAddresses. Which private address an Elastic IP stands for is
:mod:`enid.ec2.address_associations`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, insert, select, update

from enid.ec2 import filters, quotas, tags
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
from enid.ec2.unsupported import refuse
from enid.store import allocation
from enid.store.ids import new_id
from enid.store.tables import address_transfers, attachments, network_interfaces
from enid.store.tables import public_addresses as public
from enid.store.tallies import ELASTIC_IPS

UNMAPPED: dict[str, str | None] = {"network_interface_id": None, "private_ip": None, "association_id": None}
"""The columns of an Elastic IP that stands for no private address."""


# --- what AWS does by itself ------------------------------------------------------------------------------------------


def assign_public(ctx: Context, network_interface_id: str, private_ip: str) -> str:
    """Give a private address that has none a public one for as long as it is used; answers the public one.

    :raises AwsError: ``InsufficientAddressCapacity``.
    """
    ip = _take(ctx)
    row = _row(ctx, ip) | {"network_interface_id": network_interface_id, "private_ip": private_ip}
    with allocation.judged():
        ctx.db.execute(insert(public), row)
    ctx.note("network_interface", network_interface_id)
    return ip


def release_auto(ctx: Context, network_interface_ids: Iterable[str]) -> None:
    """Give the auto-assigned public addresses of these interfaces back to the pool; Elastic IPs stay."""
    ids = list(network_interface_ids)
    if ids:
        condition = and_(public.c.network_interface_id.in_(ids), public.c.allocation_id.is_(None))
        for id_ in ctx.db.execute(delete(public).where(condition).returning(public.c.network_interface_id)).scalars():
            ctx.note("network_interface", id_)


def unmap(ctx: Context, network_interface_id: str, private_ips: Sequence[str] | None = None) -> None:
    """Take the public addresses off an interface (or off some of its private addresses): Elastic IPs stay allocated."""
    condition: ColumnElement[bool] = public.c.network_interface_id == network_interface_id
    if private_ips is not None:
        condition = and_(condition, public.c.private_ip.in_(private_ips))
    ctx.db.execute(delete(public).where(condition, public.c.allocation_id.is_(None)))
    ctx.db.execute(update(public).where(condition).values(**UNMAPPED))


def stand_for(ctx: Context, elastic: Row[Any], network_interface_id: str, private_ip: str) -> str:
    """Let an Elastic IP stand for a private address that has no public one; answers the association's id."""
    association_id = new_id("eipassoc")
    place = {"network_interface_id": network_interface_id, "private_ip": private_ip, "association_id": association_id}
    ctx.db.execute(update(public).where(public.c.ip == elastic.ip).values(**place))
    ctx.note("network_interface", network_interface_id)
    return association_id


def _pool(ctx: Context) -> IPv4Network:
    return IPv4Network(ctx.settings.public_pool)


def _take(ctx: Context) -> str:
    try:
        return allocation.take_public(ctx.db, _pool(ctx))
    except allocation.Exhausted:
        message = "Not enough available addresses to satisfy the requested minimum size."
        raise AwsError("InsufficientAddressCapacity", message, 500) from None


def _row(ctx: Context, ip: str) -> dict[str, Any]:
    return {"ip": ip, "account_id": ctx.account_id, "network_border_group": ctx.region, "created_at": ctx.now}


# --- Elastic IPs ------------------------------------------------------------------------------------------------------


@operation("AllocateAddress")
def allocate_address(ctx: Context, params: Params) -> Result:
    """An Elastic IP: any free one, or with ``Address`` that one if it is free (AWS: if it once was the account's)."""
    refuse(params, "CustomerOwnedIpv4Pool", "IpamPoolId")
    if params.get("Domain", "vpc") != "vpc":
        raise unsupported("EC2-Classic has been retired: the only domain is vpc.")
    if params.get("PublicIpv4Pool", "amazon") != "amazon":
        raise unsupported("Address pools of your own are not supported: the only PublicIpv4Pool is amazon.")
    _check_border_group(ctx, params)
    check_quota(ctx)
    ip = _recover(ctx, params["Address"]) if params.get("Address") else _take(ctx)
    allocation_id = new_id("eipalloc")
    with allocation.judged():
        ctx.db.execute(insert(public), _row(ctx, ip) | {"allocation_id": allocation_id})
    tags.on_creation(ctx, params, "elastic-ip", [allocation_id])
    return {
        "AllocationId": allocation_id,
        "PublicIp": ip,
        "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": ctx.region,
        "Domain": "vpc",
    }


def check_quota(ctx: Context) -> None:
    """:raises AwsError: ``AddressLimitExceeded``: the caller has as many Elastic IPs as it may."""
    most = ctx.settings.quotas.addresses
    quotas.check_tally(
        ctx, ELASTIC_IPS, most, "AddressLimitExceeded", "The maximum number of addresses has been reached."
    )


def _check_border_group(ctx: Context, params: Params) -> None:
    group = params.get("NetworkBorderGroup", ctx.region)
    if group != ctx.region:
        raise invalid_parameter_value(f"Value ({group}) for parameter networkBorderGroup is invalid.")


def _recover(ctx: Context, text: str) -> str:
    try:
        address = IPv4Address(text)
    except AddressValueError:
        raise AwsError("InvalidAddress.Malformed", f"Invalid IPv4 address: '{text}'") from None
    if not allocation.is_public(_pool(ctx), address) or allocation.taken_public(ctx.db, [str(address)]):
        raise no_such_address(text)
    return str(address)


def no_such_address(ip: str) -> AwsError:
    """AWS's refusal of an address that is none of the caller's."""
    return AwsError("InvalidAddress.NotFound", f"Address '{ip}' not found.")


def elastic_ip(ctx: Context, params: Params) -> Row[Any]:
    """The caller's Elastic IP that ``AllocationId`` or ``PublicIp`` names.

    :raises AwsError: neither or both of them, or none of the caller's.
    """
    allocation_id, ip = params.get("AllocationId"), params.get("PublicIp")
    if allocation_id and ip:
        raise invalid_parameter_combination("You may specify public IP or allocation id, but not both in the same call")
    if allocation_id:
        return fetch(ctx, "eipalloc", allocation_id)
    if not ip:
        raise missing_parameter("publicIp or allocationId")
    query = select(public).where(public.c.ip == ip, public.c.account_id == ctx.account_id)
    row = ctx.db.execute(query.where(public.c.allocation_id.is_not(None))).one_or_none()
    if row is None:
        raise AwsError("AuthFailure", f"The address '{ip}' does not belong to you.")
    return row


@operation("ReleaseAddress")
def release_address(ctx: Context, params: Params) -> Result:
    """Give an Elastic IP back to the pool; it must stand for nothing (AWS's rule outside the default VPC)."""
    row = elastic_ip(ctx, params)
    if params.get("NetworkBorderGroup", row.network_border_group) != row.network_border_group:
        raise no_such_address(row.ip)
    if row.association_id is not None:
        raise AwsError("InvalidIPAddress.InUse", f"Address {row.ip} is in use.", dependants=[row.association_id])
    if row.ptr_record is not None:
        raise AwsError(
            "InvalidAddress.Locked",
            f"Address {row.ip} cannot be released while a reverse DNS record is associated with it.",
        )
    transfers = address_transfers.c
    offered = transfers.allocation_id == row.allocation_id, transfers.accepted_at.is_(None)
    ctx.db.execute(delete(address_transfers).where(*offered))
    ctx.db.execute(delete(public).where(public.c.ip == row.ip))
    tags.forget(ctx, [row.allocation_id])
    return {}


_OF_INTERFACE = attachments.c.network_interface_id, filters.text(attachments.c.instance_id)
_OWNED = network_interfaces.c.id, filters.text(network_interfaces.c.account_id)
_FILTERS: filters.Catalogue = {
    "allocation-id": filters.text(public.c.allocation_id),
    "association-id": filters.text(public.c.association_id),
    "domain": filters.constant("vpc"),
    "instance-id": filters.related(public.c.network_interface_id, *_OF_INTERFACE),
    "network-border-group": filters.text(public.c.network_border_group),
    "network-interface-id": filters.text(public.c.network_interface_id),
    "network-interface-owner-id": filters.related(public.c.network_interface_id, *_OWNED),
    "private-ip-address": filters.text(public.c.private_ip),
    "public-ip": filters.text(public.c.ip),
}


@operation("DescribeAddresses")
def describe_addresses(ctx: Context, params: Params) -> Result:
    """The caller's Elastic IPs; addresses and allocation ids named must exist."""
    condition: ColumnElement[bool] = public.c.allocation_id.is_not(None)
    if ips := params.get("PublicIps"):
        _require(ctx, ips)
        condition = and_(condition, public.c.ip.in_(ips))
    rows, _ = describe(ctx, params, "eipalloc", _FILTERS, "AllocationIds", condition=condition)
    ids = [row.network_interface_id for row in rows if row.network_interface_id]
    places = {row.id: row for row in ctx.db.execute(_placed(ids))} if ids else {}
    tagged = tags.shown(ctx, [row.allocation_id for row in rows])
    return {"Addresses": [_shown(row, places.get(row.network_interface_id), tagged) for row in rows]}


def _require(ctx: Context, ips: Sequence[str]) -> None:
    mine = and_(public.c.account_id == ctx.account_id, public.c.allocation_id.is_not(None))
    found = set(ctx.db.execute(select(public.c.ip).where(mine, public.c.ip.in_(ips))).scalars())
    for ip in ips:
        if ip not in found:
            raise no_such_address(ip)


def _placed(network_interface_ids: Sequence[str]) -> Any:
    interfaces = network_interfaces.c
    return (
        select(interfaces.id, interfaces.account_id, interfaces.subnet_id, attachments.c.instance_id)
        .outerjoin(attachments, attachments.c.network_interface_id == interfaces.id)
        .where(interfaces.id.in_(network_interface_ids))
    )


def _shown(row: Row[Any], place: Row[Any] | None, tagged: dict[str, tags.TagList]) -> dict[str, Any]:
    return {
        "AllocationId": row.allocation_id,
        "AssociationId": row.association_id,
        "Domain": "vpc",
        "InstanceId": place and place.instance_id,
        "NetworkBorderGroup": row.network_border_group,
        "NetworkInterfaceId": row.network_interface_id,
        "NetworkInterfaceOwnerId": place and place.account_id,
        "PrivateIpAddress": row.private_ip,
        "PublicIp": row.ip,
        "PublicIpv4Pool": "amazon",
        "SubnetId": place and place.subnet_id,
        "Tags": tagged[row.allocation_id],
    }
