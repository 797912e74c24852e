"""Elastic IPs on their way to another account: offered, taken back, accepted.

An offer stands for seven days; an accepted one is shown to the account that made it for fourteen. The address keeps its
allocation id. What stands in the way of an acceptance (an association, a reverse name, the quota) does not stand in the
way of the offer, as on AWS (*Transfer Elastic IP addresses*).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, delete, insert, or_, select, update

from enid.clock import timestamp
from enid.ec2 import addresses, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import slice_page
from enid.ec2.errors import AwsError, check_id, invalid_parameter_value
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store.tables import address_transfers, public_addresses

OFFER, SIGHT = timedelta(days=7), timedelta(days=14)
_TABLE = address_transfers.c
_DIGITS = 12


def _moved(time: str, by: timedelta) -> str:
    """An ISO 8601 time of the store, later or earlier."""
    return timestamp(datetime.fromisoformat(time) + by)


@operation("EnableAddressTransfer")
def enable_address_transfer(ctx: Context, params: Params) -> Result:
    """Offer an Elastic IP to an account; an offer that stands is replaced."""
    account = params["TransferAccountId"]
    if not (account.isascii() and account.isdecimal() and len(account) == _DIGITS) or account == ctx.account_id:
        raise invalid_parameter_value(f"Invalid value '{account}' for TransferAccountId.")
    elastic = fetch(ctx, "eipalloc", params["AllocationId"])
    mine = _TABLE.account_id == ctx.account_id
    outdated = or_(_TABLE.allocation_id == elastic.allocation_id, _TABLE.accepted_at < _moved(ctx.now, -SIGHT))
    ctx.db.execute(delete(address_transfers).where(mine, outdated))
    row = {
        "allocation_id": elastic.allocation_id,
        "account_id": ctx.account_id,
        "public_ip": elastic.ip,
        "transfer_account_id": account,
        "expires_at": _moved(ctx.now, OFFER),
    }
    ctx.db.execute(insert(address_transfers).values(**row))
    return {"AddressTransfer": _shown(_offer(ctx, elastic), "pending")}


@operation("DisableAddressTransfer")
def disable_address_transfer(ctx: Context, params: Params) -> Result:
    """Take an offer back."""
    elastic = fetch(ctx, "eipalloc", params["AllocationId"])
    row = _offer(ctx, elastic)
    mine = _TABLE.allocation_id == elastic.allocation_id, _TABLE.account_id == ctx.account_id
    ctx.db.execute(delete(address_transfers).where(*mine))
    return {"AddressTransfer": _shown(row, "disabled")}


def _offer(ctx: Context, elastic: Row[Any]) -> Row[Any]:
    """The caller's standing offer of its Elastic IP.

    :raises AwsError: ``InvalidParameterValue``: there is none.
    """
    mine = _TABLE.allocation_id == elastic.allocation_id, _TABLE.account_id == ctx.account_id
    row = ctx.db.execute(select(address_transfers).where(*mine, _standing(ctx))).one_or_none()
    if row is None:
        raise invalid_parameter_value(f"The address '{elastic.ip}' is not being transferred.")
    return row


def _standing(ctx: Context) -> Any:
    return and_(_TABLE.accepted_at.is_(None), _TABLE.expires_at > ctx.now)


@operation("AcceptAddressTransfer")
def accept_address_transfer(ctx: Context, params: Params) -> Result:
    """The Elastic IP is the caller's from here on, without the tags it had."""
    ip = params["Address"]
    offered = _TABLE.public_ip == ip, _TABLE.transfer_account_id == ctx.account_id
    row = ctx.db.execute(select(address_transfers).where(*offered, _standing(ctx))).one_or_none()
    if row is None:
        raise addresses.no_such_address(ip)
    _check_acceptable(ctx, ip)
    ctx.db.execute(update(public_addresses).where(public_addresses.c.ip == ip).values(account_id=ctx.account_id))
    this = _TABLE.allocation_id == row.allocation_id, _TABLE.account_id == row.account_id
    ctx.db.execute(update(address_transfers).where(*this).values(accepted_at=ctx.now))
    tags.forget(ctx, [row.allocation_id])
    tags.on_creation(ctx, params, "elastic-ip", [row.allocation_id])
    accepted = ctx.db.execute(select(address_transfers).where(*this)).one()
    return {"AddressTransfer": _shown(accepted, "accepted")}


def _check_acceptable(ctx: Context, ip: str) -> None:
    addresses.check_quota(ctx)
    elastic = ctx.db.execute(select(public_addresses).where(public_addresses.c.ip == ip)).one()
    if elastic.association_id is not None:
        raise AwsError("InvalidTransfer.AddressAssociated", f"The address '{ip}' is associated with a resource.")
    if elastic.ptr_record is not None:
        raise AwsError("InvalidTransfer.AddressCustomPtrSet", f"The address '{ip}' has a reverse DNS record.")


@operation("DescribeAddressTransfers")
def describe_address_transfers(ctx: Context, params: Params) -> Result:
    """The caller's offers that stand, and those that were accepted lately."""
    lately = _TABLE.accepted_at > _moved(ctx.now, -SIGHT)
    query = select(address_transfers).where(_TABLE.account_id == ctx.account_id, or_(_standing(ctx), lately))
    if ids := [check_id("eipalloc", id_) for id_ in params.get("AllocationIds", ())]:
        query = query.where(_TABLE.allocation_id.in_(ids))
    page, token = slice_page(params, list(ctx.db.execute(query.order_by(_TABLE.allocation_id))))
    shown = [_shown(row, "accepted" if row.accepted_at else "pending") for row in page]
    return {"AddressTransfers": shown, "NextToken": token}


def _shown(row: Row[Any], status: str) -> Result:
    return {
        "PublicIp": row.public_ip,
        "AllocationId": row.allocation_id,
        "TransferAccountId": row.transfer_account_id,
        "TransferOfferExpirationTimestamp": row.expires_at,
        "TransferOfferAcceptedTimestamp": row.accepted_at,
        "AddressTransferStatus": status,
    }
