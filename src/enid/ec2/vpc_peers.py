"""Which VPCs are joined by a peering connection, and what that means for the VPCs themselves.

The states, and what may be done in which, are the peering guide's "VPC peering process, lifecycle, and limitations".
The connections' own operations are :mod:`enid.ec2.vpc_peering_connections`'.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, or_, select, update

from enid import clock
from enid.ec2 import cidr
from enid.ec2.context import Context
from enid.ec2.errors import AwsError, not_permitted
from enid.store import peerings
from enid.store.peerings import CARRYING
from enid.store.tables import vpc_peering_connections

PENDING, ACTIVE = "pending-acceptance", "active"
C = vpc_peering_connections.c
BRIEFLY, LONG = timedelta(hours=2), timedelta(days=2)
"""How long one that is over stays in sight: for who ended it, and for the other side."""


def state(now: str) -> ColumnElement[str]:
    """The state as shown: nobody has to note that a request expires."""
    return case((and_(C.state == PENDING, C.expires_at <= now), "expired"), else_=C.state)


def state_of(row: Row[Any], now: str) -> str:
    """The same for a row."""
    return "expired" if row.state == PENDING and row.expires_at <= now else str(row.state)


def seen_by(account_id: Any, now: Any) -> ColumnElement[bool]:
    """Both owners see a connection, each for as long as AWS shows it."""
    sides = (
        (C.requester_account_id, C.requester_sees_until),
        (C.accepter_account_id, C.accepter_sees_until),
    )
    return or_(*(and_(owner == account_id, or_(until.is_(None), until > now)) for owner, until in sides))


def overlap(ctx: Context, one: str, other: str) -> bool:
    """Whether two VPCs have addresses in common."""
    found = {id_: list(map(ip_network, blocks)) for id_, blocks in peerings.blocks(ctx.db, {one, other}).items()}
    return any(cidr.overlaps(block, found[other]) for block in found[one])


def of(ctx: Context, vpc_id: str, *states: str) -> Sequence[Row[Any]]:
    """The connections of a VPC that are in one of ``states``, expired requests left out."""
    mine = or_(C.requester_vpc_id == vpc_id, C.accepter_vpc_id == vpc_id)
    return ctx.db.execute(select(vpc_peering_connections).where(mine, state(ctx.now).in_(states))).all()


def other_end(row: Row[Any], vpc_id: str) -> str:
    """The VPC at the other side of a connection."""
    return str(row.accepter_vpc_id if row.requester_vpc_id == vpc_id else row.requester_vpc_id)


def end(ctx: Context, row: Row[Any], new: str, requester: timedelta, accepter: timedelta) -> None:
    """The connection is over: it carries nothing any more, and each side sees it for so long yet."""
    one_account = row.requester_account_id == row.accepter_account_id
    longest = min(requester, accepter) if one_account else None
    values = {
        "state": new,
        "ended_by": ctx.account_id,
        "pair": None,
        "requester_sees_until": clock.now(ago=-(longest or requester)),
        "accepter_sees_until": clock.now(ago=-(longest or accepter)),
    }
    ctx.db.execute(update(vpc_peering_connections).where(C.id == row.id).values(**values))


def delete(ctx: Context, row: Row[Any]) -> None:
    """End a connection at the caller's wish; one that carries packets is deleted when it does so no more."""
    mine, theirs = (BRIEFLY, LONG) if row.requester_account_id == ctx.account_id else (LONG, BRIEFLY)
    if row.state == PENDING:
        end(ctx, row, "deleted", mine, theirs)
        return
    end(ctx, row, "deleting", mine, theirs)
    ctx.note("vpc_peering_connection", row.id)


def before_new_block(ctx: Context, vpc_id: str, block: cidr.Network) -> None:
    """What the VPC's connections say to one more CIDR block ("VPC CIDR blocks" in AWS's guide).

    A requester adds none while the answer is open. An accepter may, but what then overlaps can be accepted no more.

    :raises AwsError: ``OperationNotPermitted``, ``InvalidVpc.Range``.
    """
    rows = of(ctx, vpc_id, PENDING, *CARRYING)
    blocks = peerings.blocks(ctx.db, {other_end(row, vpc_id) for row in rows})
    for row in rows:
        if row.state == PENDING and row.requester_vpc_id == vpc_id:
            raise not_permitted(f"While {row.id} is {PENDING}, no CIDR block can be added to its requester {vpc_id}.")
        peer = other_end(row, vpc_id)
        if not cidr.overlaps(block, map(ip_network, blocks[peer])):
            continue
        if row.state != PENDING:
            raise AwsError(
                "InvalidVpc.Range", f"The CIDR '{block}' conflicts with a block of {peer}, peered by {row.id}."
            )
        end(ctx, row, "failed", BRIEFLY, BRIEFLY)


def keeping(ctx: Context, vpc_id: str) -> Select[Any]:
    """The connections that stand in the way of deleting a VPC: all that are open, but its owner's own requests."""
    mine = or_(C.requester_vpc_id == vpc_id, C.accepter_vpc_id == vpc_id)
    asked = and_(state(ctx.now) == PENDING, C.requester_account_id != ctx.account_id)
    return select(C.id).where(mine, or_(C.state.in_(CARRYING), asked))


def withdraw(ctx: Context, vpc_id: str) -> None:
    """The open requests of a VPC that goes."""
    for row in of(ctx, vpc_id, PENDING):
        delete(ctx, row)
