"""Which prefix comes next: blocks of a subnet that are delegated to interfaces whole, /28 of IPv4 and /80 of IPv6.

Prefixes are looked for from the subnet's end downwards (IPv4), addresses from its beginning upwards, so that the two
meet late; in an IPv6 block, where addresses are anywhere, from a random place on. Reservations of type ``prefix`` come
first. That a block has no address in it is read in the call's own transaction, which is serializable.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from sqlalchemy import BigInteger, Boolean, Connection, bindparam, exists, func, insert, select, text

from enid.store.allocation import Exhausted, block_number, judged
from enid.store.tables import delegated_prefixes, private_addresses, subnet_cidr_reservations
from enid.topology.blocks import DELEGATED_LENGTH

Network = IPv4Network | IPv6Network

LENGTHS = DELEGATED_LENGTH
"""Of every prefix, by IP version."""
_PREFIX, _RESERVED = delegated_prefixes.c, subnet_cidr_reservations.c


def usable(block: Network) -> range:
    """The numbers of the blocks that can be prefixes: the first and the last hold addresses AWS keeps."""
    return range(1, (1 << (LENGTHS[block.version] - block.prefixlen)) - 1)


def numbered(block: Network, number: int) -> Network:
    """The prefix of this number in a subnet's block."""
    length = LENGTHS[block.version]
    base = block.network_address + (number << (block.max_prefixlen - length))
    return IPv4Network((base, length)) if base.version == 4 else IPv6Network((base, length))


_FREE = text(
    """
    WITH RECURSIVE step (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM step WHERE i + 1 < :size)
    SELECT number FROM (SELECT :last - (:shift + i) % :size AS number FROM step) AS candidate
    WHERE NOT EXISTS (
        SELECT 1 FROM delegated_prefixes WHERE subnet_id = :subnet_id AND family = :family AND block = number
    )
    AND NOT EXISTS (
        SELECT 1 FROM private_addresses WHERE subnet_id = :subnet_id AND family = :family AND block = number
    )
    AND NOT EXISTS (
        SELECT 1 FROM subnet_cidr_reservations
        WHERE subnet_id = :subnet_id AND family = :family AND number BETWEEN first_block AND last_block
        AND (NOT :within OR reservation_type = 'explicit')
    )
    AND (NOT :within OR EXISTS (
        SELECT 1 FROM subnet_cidr_reservations
        WHERE subnet_id = :subnet_id AND family = :family AND number BETWEEN first_block AND last_block
    ))
    LIMIT :count
    """
).bindparams(
    *(bindparam(name, type_=BigInteger) for name in ("size", "last", "shift", "count", "family")),
    bindparam("within", type_=Boolean),
)
"""``within``: in reservations of type ``prefix``, else outside of every reservation. Made step by step and stopped at
the limit, as in :mod:`enid.store.allocation`."""

_STATE = select(
    select(func.min(_PREFIX.block))
    .where(_PREFIX.subnet_id == bindparam("subnet"), _PREFIX.family == bindparam("family"))
    .scalar_subquery()
    .label("lowest"),
    exists()
    .where(
        _RESERVED.subnet_id == bindparam("subnet"),
        _RESERVED.family == bindparam("family"),
        _RESERVED.reservation_type == "prefix",
    )
    .label("reserved"),
)


def take(db: Connection, subnet_id: str, block: Network, count: int) -> list[Network]:
    """Choose ``count`` free prefixes of the subnet.

    :raises Exhausted: there are fewer.
    """
    if not count:
        return []
    numbers = usable(block)
    if count > len(numbers):
        raise Exhausted
    state = db.execute(_STATE, {"subnet": subnet_id, "family": block.version}).one()
    last = numbers.stop - 1
    shift = secrets.randbelow(len(numbers)) if block.version == 6 else last + 1 - (state.lowest or last + 1)
    asked = {"size": len(numbers), "last": last, "shift": shift, "subnet_id": subnet_id, "family": block.version}
    found: list[int] = []
    for within in (True, False) if state.reserved else (False,):
        found += db.execute(_FREE, {**asked, "count": count - len(found), "within": within}).scalars()
        if len(found) == count:
            return [numbered(block, number) for number in found]
    raise Exhausted


def taken(db: Connection, subnet_id: str, block: Network, wanted: Sequence[Network]) -> list[Network]:
    """Those of the prefixes that some interface has, or has an address in."""
    if not wanted:
        return []
    numbers = {block_number(block, prefix.network_address): prefix for prefix in wanted}
    used: set[int] = set()
    for table in (delegated_prefixes, private_addresses):
        here = table.c.subnet_id == subnet_id, table.c.family == block.version, table.c.block.in_(numbers)
        used.update(db.execute(select(table.c.block).distinct().where(*here)).scalars())
    return [prefix for number, prefix in numbers.items() if number in used]


def add(db: Connection, subnet_id: str, network_interface_id: str, block: Network, prefixes: Sequence[Network]) -> None:
    """Give an interface prefixes.

    :raises Conflict: one of them is taken by now.
    """
    rows = [
        {
            "subnet_id": subnet_id,
            "family": prefix.version,
            "block": block_number(block, prefix.network_address),
            "cidr": str(prefix),
            "network_interface_id": network_interface_id,
        }
        for prefix in prefixes
    ]
    if rows:
        with judged():
            db.execute(insert(delegated_prefixes), rows)
