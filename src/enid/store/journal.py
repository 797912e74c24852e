"""The change journal: written with the rows, read by the agent, woken by a datagram.

An entry names a key to look at again. It carries no instruction, so losing the order of two entries, or seeing one
twice, does no harm.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from enid.store.tables import hosts, journal

Kind = Literal[
    "vpc",
    "subnet",
    "route_table",
    "network_acl",
    "security_group",
    "prefix_list",
    "network_interface",
    "instance",
    "site",
    "vpc_peering_connection",
]
Key = tuple[Kind, str]

_QUEUE = select(func.pg_advisory_xact_lock(0x656E6964))
"""PostgreSQL draws a sequence number long before the transaction commits: without queueing from here to the commit, a
reader could see 6 while 5 is still to come, move on, and never look back. SQLite has one writer at a time."""

_INSERT = insert(journal)
_AFTER = select(journal).where(journal.c.seq > bindparam("seen")).order_by(journal.c.seq).limit(bindparam("most"))


def note(db: Connection, keys: Iterable[Key]) -> None:
    """Add entries for ``keys`` to the transaction."""
    rows = [{"kind": kind, "id": id_} for kind, id_ in dict.fromkeys(keys)]
    if rows:
        if db.dialect.name == "postgresql":
            db.execute(_QUEUE)
        db.execute(_INSERT, rows)


def after(db: Connection, seq: int, limit: int = 10_000) -> tuple[int, list[Key]]:
    """The last sequence number seen and the distinct keys noted after ``seq``, oldest first."""
    rows = db.execute(_AFTER, {"seen": seq, "most": limit}).all()
    return (rows[-1].seq if rows else seq), list(dict.fromkeys((row.kind, row.id) for row in rows))


def last(db: Connection) -> int:
    """The newest sequence number."""
    return int(db.execute(select(func.coalesce(func.max(journal.c.seq), 0))).scalar_one())


def reached(db: Connection, host_id: str, seq: int, now: str) -> None:
    """The agent of ``host_id`` needs nothing up to ``seq`` any more; drop what no agent needs.

    An agent that has been heard of once is reckoned with until its row in ``hosts`` is deleted.
    """
    position = {"seq": seq, "seen_at": now}
    if not db.execute(update(hosts).where(hosts.c.id == host_id).values(position)).rowcount:
        db.execute(insert(hosts), {"id": host_id, **position})
    db.execute(delete(journal).where(journal.c.seq <= select(func.min(hosts.c.seq)).scalar_subquery()))


def wake(*paths: Path) -> None:
    """Nudge whoever listens at these paths; silence where nobody does, since the store keeps the news."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
        for path in paths:
            with suppress(OSError):
                sender.sendto(b"!", str(path))


def wake_all(directory: Path) -> None:
    """Nudge everybody who listens in this directory."""
    wake(*directory.glob("*.sock"))
