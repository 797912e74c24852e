"""``enid orphans``: what nobody holds any more, as is left when a program dies between detaching and deleting.

AWS has no call that detaches and deletes in one, so whoever manages interfaces leaks some, sooner or later.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from enid.cli import show
from enid.cli.session import settings_of, store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

_COLUMNS = ("name", "id", "why", "made", "account", "description", "ends_with")
_EMPTY = "no orphans: every interface is attached, and every Elastic IP stands for an address"


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Looking at the network")(orphans)


def orphans(
    context: typer.Context,
    older: Annotated[float, typer.Option(help="Only what was made at least so many seconds ago.")] = 0.0,
    json: show.AsJson = False,
) -> None:
    """List interfaces attached to nothing, or to a dead instance, and Elastic IPs that stand for nothing.

    Exit code 0: there are none; 1: there are some.
    """
    from enid.clock import now

    limit = now(timedelta(seconds=older))
    with store(settings_of(context)) as database, database.read() as db:
        found = [one for one in _found(db) if one["made"] <= limit]
    if json:
        show.as_json(found)
    else:
        show.table(found, _COLUMNS, _EMPTY)
    raise typer.Exit(1 if found else 0)


def _found(db: Connection) -> Iterator[dict[str, Any]]:
    from enid.cli.naming import labels

    names = labels(db).names
    for one in (*_interfaces(db), *_addresses(db)):
        yield {"name": names.get(one["id"], ""), **one}


def _interfaces(db: Connection) -> Iterator[dict[str, Any]]:
    """A service's are never anybody's to clear away."""
    from sqlalchemy import select

    from enid.store import tables as t

    query = (
        select(t.network_interfaces, t.attachments.c.id.label("attachment_id"), t.attachments.c.instance_id)
        .outerjoin(t.attachments, t.attachments.c.network_interface_id == t.network_interfaces.c.id)
        .outerjoin(t.instances, t.instances.c.id == t.attachments.c.instance_id)
        .where(t.network_interfaces.c.requester_managed.is_(False))
        .where(
            t.attachments.c.id.is_(None) | ((t.instances.c.health == "impaired") & (t.attachments.c.device_index > 0))
        )
        .order_by(t.network_interfaces.c.created_at, t.network_interfaces.c.id)
    )
    for row in db.execute(query):
        dead = row.attachment_id is not None
        detach = f"aws ec2 detach-network-interface --force --attachment-id {row.attachment_id}"
        yield _orphan(
            row,
            f"on {row.instance_id}, which is impaired" if dead else "attached to nothing",
            detach if dead else f"aws ec2 delete-network-interface --network-interface-id {row.id}",
            row.description,
        )


def _addresses(db: Connection) -> Iterator[dict[str, Any]]:
    from sqlalchemy import select

    from enid.store import tables as t

    public = t.public_addresses.c
    query = select(t.public_addresses, public.allocation_id.label("id")).where(
        public.allocation_id.is_not(None), public.association_id.is_(None)
    )
    for row in db.execute(query.order_by(public.created_at, public.allocation_id)):
        yield _orphan(row, f"{row.ip} stands for nothing", f"aws ec2 release-address --allocation-id {row.id}")


def _orphan(row: Any, why: str, ends_with: str, description: str = "") -> dict[str, Any]:
    return {
        "id": row.id,
        "why": why,
        "made": row.created_at,
        "account": row.account_id,
        "description": description,
        "ends_with": ends_with,
    }
