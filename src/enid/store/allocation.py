"""Which address comes next: private IPv4 and IPv6 addresses of a subnet, and public ones of the pool.

Choosing is one statement inside the call's transaction; the unique constraints of ``private_addresses`` and
``public_addresses`` are the judge. Should two calls choose the same address all the same (PostgreSQL), the second
insert raises :class:`~enid.store.database.Conflict` and its call is made again. What AWS answers when nothing is left
is left to ``ec2/``.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, insert, select, text, union_all, update
from sqlalchemy.exc import IntegrityError

from enid.store.database import Conflict
from enid.store.tables import (
    delegated_prefixes,
    private_addresses,
    public_addresses,
    sites,
    subnet_cidr_reservations,
    subnets,
)
from enid.topology.blocks import DELEGATED_LENGTH

RESERVED_AT_START = 4
"""AWS keeps a subnet's network address, router, resolver, and one for later …"""
RESERVED_AT_END = 1
"""… and the broadcast address; the same five in an IPv6 block."""
INFRASTRUCTURE = 256
"""The last /24 of the public pool belongs to the fabric and the sites, if the pool is larger than that."""


class Exhausted(Exception):
    """Not enough free addresses."""


@contextmanager
def judged() -> Iterator[None]:
    """Around inserts whose keys were chosen, not given: a taken key means another call was faster.

    :raises Conflict: make the whole call again.
    """
    try:
        yield
    except IntegrityError as error:
        raise Conflict from error


def usable(block: IPv4Network | IPv6Network) -> range:
    """The offsets from the block's base that interfaces may have."""
    return range(RESERVED_AT_START, block.num_addresses - RESERVED_AT_END)


_FREE = """
    WITH RECURSIVE step (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM step WHERE i + 1 < :size)
    SELECT free FROM (SELECT :first + (:shift + i) % :size AS free FROM step) AS candidate
    WHERE NOT EXISTS (
        SELECT 1 FROM private_addresses WHERE subnet_id = :subnet_id AND address_offset = free
    )
    AND NOT EXISTS (
        SELECT 1 FROM delegated_prefixes WHERE subnet_id = :subnet_id AND family = 4 AND block = free / 16
    )
    AND NOT EXISTS (
        SELECT 1 FROM subnet_cidr_reservations
        WHERE subnet_id = :subnet_id AND family = 4 AND free BETWEEN first_offset AND last_offset
    )
    LIMIT :count
"""
"""Both databases make the steps one by one and stop at the limit, so that a search costs one look into the index for
each address taken after the starting point: usually none."""
_NUMBERS = [bindparam(name, type_=BigInteger) for name in ("size", "first", "shift", "count")]
_FREE_OFFSETS = text(_FREE).bindparams(*_NUMBERS)
_TAKE_ONE = text(
    f"UPDATE subnets SET next_offset = found.free + 1 FROM ({_FREE}) AS found "
    "WHERE subnets.id = :subnet_id RETURNING next_offset"
).bindparams(*_NUMBERS)
"""The search and the moving on in one: no row when nothing is free."""


def free_offsets(db: Connection, subnet_id: str, block: IPv4Network, start: int, count: int) -> list[int]:
    """The first ``count`` free offsets from ``start`` on, around the end once: in no prefix and no reservation.

    :raises Exhausted: there are fewer.
    """
    found = _search(db, subnet_id, block, start, count)
    if len(found) < count:
        raise Exhausted
    return found


def _search(db: Connection, subnet_id: str, block: IPv4Network, start: int, count: int) -> list[int]:
    """As :func:`free_offsets`, or as many as there are."""
    return list(db.execute(_FREE_OFFSETS, _asked(subnet_id, block, start, count)).scalars())


def _asked(subnet_id: str, block: IPv4Network, start: int, count: int) -> dict[str, Any]:
    offsets = usable(block)
    return {
        "size": len(offsets),
        "first": offsets.start,
        "shift": (start - offsets.start) % len(offsets),
        "subnet_id": subnet_id,
        "count": count,
    }


_MOVE_ON = update(subnets).where(subnets.c.id == bindparam("subnet")).values(next_offset=bindparam("offset"))


def take_ipv4(
    db: Connection, subnet_id: str, block: IPv4Network, start: int, count: int, given: Sequence[IPv4Address] = ()
) -> list[IPv4Address]:
    """Choose ``count`` free addresses that are none of the ``given``, and look after them next time.

    Moving on keeps an address that was just freed from being used again at once, as AWS does.

    :param start: the subnet's ``next_offset``.
    :raises Exhausted: there are fewer.
    """
    if not count:
        return []
    if count == 1 and not given:
        offset = db.execute(_TAKE_ONE, _asked(subnet_id, block, start, 1)).scalar()
        if offset is None:
            raise Exhausted
        return [block.network_address + (offset - 1)]
    base = int(block.network_address)
    avoided = {int(address) - base for address in given}
    found = _search(db, subnet_id, block, start, count + len(avoided))
    chosen = [offset for offset in found if offset not in avoided][:count]
    if len(chosen) < count:
        raise Exhausted
    db.execute(_MOVE_ON, {"subnet": subnet_id, "offset": chosen[-1] + 1})
    return [block.network_address + offset for offset in chosen]


_DRAWS, _ROUNDS = 16, 16
_DELEGATED = select(delegated_prefixes.c.block).where(
    delegated_prefixes.c.subnet_id == bindparam("subnet"),
    delegated_prefixes.c.family == 6,
    delegated_prefixes.c.block.in_(bindparam("blocks", expanding=True)),
)
_RESERVED = select(subnet_cidr_reservations.c.cidr).where(
    subnet_cidr_reservations.c.subnet_id == bindparam("subnet"), subnet_cidr_reservations.c.family == 6
)


def take_ipv6(
    db: Connection, subnet_id: str, block: IPv6Network, count: int, avoided: Sequence[IPv6Network] = ()
) -> list[IPv6Address]:
    """``count`` random addresses of the block, in no prefix, no reservation and none of the ``avoided`` blocks.

    A /64 is too large to meet an address twice, and the key would tell.

    :raises Exhausted: chance found too few, since nearly all of the block is kept for something else.
    """
    reserved = [*avoided, *map(IPv6Network, db.execute(_RESERVED, {"subnet": subnet_id}).scalars())]
    chosen: dict[IPv6Address, None] = {}
    for _ in range(_ROUNDS):
        drawn = [_random(block) for _ in range(count * _DRAWS)]
        blocks = sorted({block_number(block, address) for address in drawn})
        delegated = set(db.execute(_DELEGATED, {"subnet": subnet_id, "blocks": blocks}).scalars())
        for address in drawn:
            if block_number(block, address) not in delegated and not any(address in one for one in reserved):
                chosen[address] = None
        if len(chosen) >= count:
            return list(chosen)[:count]
    raise Exhausted


def _random(block: IPv6Network) -> IPv6Address:
    offsets = usable(block)
    return block.network_address + offsets.start + secrets.randbelow(offsets.stop - offsets.start)


def block_number(block: IPv4Network | IPv6Network, address: IPv4Address | IPv6Address) -> int:
    """Which prefix-sized block of a subnet's block the address lies in, from 0 on."""
    host_bits = block.max_prefixlen - DELEGATED_LENGTH[block.version]
    return (int(address) - int(block.network_address)) >> host_bits


_INSERT_PRIVATE = insert(private_addresses)


def add_private(db: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows of ``private_addresses``.

    :raises Conflict: one of them is taken by now.
    """
    with judged():
        db.execute(_INSERT_PRIVATE, rows)


def private_row(
    subnet_id: str,
    network_interface_id: str,
    address: IPv4Address | IPv6Address,
    block: IPv4Network | IPv6Network,
    position: int,
    *,
    is_primary: bool = False,
) -> dict[str, Any]:
    """A row of ``private_addresses``."""
    ipv4 = address.version == 4
    return {
        "subnet_id": subnet_id,
        "ip": str(address),
        "family": address.version,
        "address_offset": int(address) - int(block.network_address) if ipv4 else None,
        "block": block_number(block, address),
        "network_interface_id": network_interface_id,
        "is_primary": is_primary,
        "position": position,
    }


# --- public -----------------------------------------------------------------------------------------------------------

_GUESSES = 16


def public_offsets(pool: IPv4Network) -> range:
    """The offsets of the pool that are given out."""
    kept = INFRASTRUCTURE if pool.num_addresses > INFRASTRUCTURE else 1
    return range(1, pool.num_addresses - kept)


def is_public(pool: IPv4Network, address: IPv4Address) -> bool:
    """Whether the address is one that the pool gives out."""
    return int(address) - int(pool.network_address) in public_offsets(pool)


def take_public(db: Connection, pool: IPv4Network) -> str:
    """A free public address: a random one while the pool is sparse, else the next free after a random one.

    :raises Exhausted: none is left.
    """
    offsets = public_offsets(pool)
    base = pool.network_address
    guesses = [str(base + offsets[secrets.randbelow(len(offsets))]) for _ in range(_GUESSES)]
    taken = taken_public(db, guesses)
    for guess in guesses:
        if guess not in taken:
            return guess
    taken = taken_public(db)
    first = secrets.randbelow(len(offsets))
    for step in range(len(offsets)):
        address = str(base + offsets[(first + step) % len(offsets)])
        if address not in taken:
            return address
    raise Exhausted


_TAKEN = union_all(select(public_addresses.c.ip.label("ip")), select(sites.c.public_ip))
_TAKEN_OF = union_all(
    select(public_addresses.c.ip.label("ip")).where(public_addresses.c.ip.in_(bindparam("wanted", expanding=True))),
    select(sites.c.public_ip).where(sites.c.public_ip.in_(bindparam("wanted", expanding=True))),
)


def taken_public(db: Connection, wanted: Sequence[str] | None = None) -> set[str]:
    """Which public addresses are in use; of ``wanted`` only, when given."""
    rows = db.execute(_TAKEN) if wanted is None else db.execute(_TAKEN_OF, {"wanted": list(wanted)})
    return set(rows.scalars())
