"""VPC peering connections as the data plane sees them, and the end of their transitional states."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, or_, select, update

from enid.store import tables as t

_PEERINGS, _BLOCKS, _RULES = t.vpc_peering_connections.c, t.vpc_cidr_blocks.c, t.security_group_rules.c
CARRYING = ("provisioning", "active")
"""States in which packets may cross; the first one ends when they do."""
MOVING = ("provisioning", "deleting")


def ends(db: Connection, ids: Collection[str]) -> set[str]:
    """The VPCs of these connections."""
    if not ids:
        return set()
    query = select(_PEERINGS.requester_vpc_id, _PEERINGS.accepter_vpc_id).where(_PEERINGS.id.in_(ids))
    return {vpc for row in db.execute(query) for vpc in row}


def referring(db: Connection, vpcs: Collection[str]) -> list[str]:
    """The security groups of these VPCs that refer to groups of others."""
    if not vpcs:
        return []
    owner = t.security_groups.c
    query = select(_RULES.group_id).join(t.security_groups).where(owner.vpc_id.in_(vpcs))
    return list(db.execute(query.where(_RULES.referenced_vpc_id.is_not(None)).distinct()).scalars())


def of(db: Connection, vpcs: Collection[str] | None) -> dict[str, dict[str, str]]:
    """VPC → peer VPC → the connection that carries packets between them; ``None`` is every VPC."""
    result: defaultdict[str, dict[str, str]] = defaultdict(dict)
    query = select(_PEERINGS.id, _PEERINGS.requester_vpc_id, _PEERINGS.accepter_vpc_id)
    query = query.where(_PEERINGS.state.in_(CARRYING))
    if vpcs is not None:
        query = query.where(or_(_PEERINGS.requester_vpc_id.in_(vpcs), _PEERINGS.accepter_vpc_id.in_(vpcs)))
    for id_, one, other in db.execute(query):
        result[one][other] = result[other][one] = id_
    return result


def blocks(db: Connection, vpcs: Collection[str]) -> dict[str, list[str]]:
    """The blocks of each VPC."""
    result: dict[str, list[str]] = {id_: [] for id_ in vpcs}
    if result:
        query = select(_BLOCKS.vpc_id, _BLOCKS.cidr_block).where(_BLOCKS.state == "associated")
        for vpc_id, block in db.execute(query.where(_BLOCKS.vpc_id.in_(list(result)))):
            result[vpc_id].append(block)
    return result


def moving(db: Connection, ids: Collection[str] | None) -> Sequence[Row[Any]]:
    """Those of the connections that wait for the agent; ``None`` is all of them."""
    query = select(t.vpc_peering_connections).where(_PEERINGS.state.in_(MOVING))
    if ids is not None:
        query = query.where(_PEERINGS.id.in_(ids))
    return db.execute(query).all()


def activated(db: Connection, ids: Collection[str]) -> None:
    """Packets can cross: ``provisioning`` → ``active``."""
    _become(db, ids, "provisioning", "active")


def cut(db: Connection, ids: Collection[str]) -> None:
    """Nothing can cross any more: ``deleting`` → ``deleted``."""
    _become(db, ids, "deleting", "deleted")


def _become(db: Connection, ids: Collection[str], old: str, new: str) -> None:
    if ids:
        condition = and_(_PEERINGS.id.in_(ids), _PEERINGS.state == old)
        db.execute(update(t.vpc_peering_connections).where(condition).values(state=new))


def forget_ended(db: Connection, now: str) -> None:
    """Those that nobody sees any more go, with their tags."""
    unseen = and_(_PEERINGS.requester_sees_until < now, _PEERINGS.accepter_sees_until < now)
    ids = list(db.execute(select(_PEERINGS.id).where(unseen)).scalars())
    if ids:
        db.execute(delete(t.tags).where(t.tags.c.resource_id.in_(ids)))
        db.execute(delete(t.vpc_peering_connections).where(_PEERINGS.id.in_(ids)))
