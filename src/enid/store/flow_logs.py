"""Flow logs leave with what they watch."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete, select

from enid.store.tables import flow_logs, tags


def forget(db: Connection, resource_ids: Collection[str]) -> None:
    """Delete the flow logs of deleted VPCs, subnets or interfaces."""
    doomed = list(db.execute(select(flow_logs.c.id).where(flow_logs.c.resource_id.in_(resource_ids))).scalars())
    if doomed:
        db.execute(delete(tags).where(tags.c.resource_id.in_(doomed)))
        db.execute(delete(flow_logs).where(flow_logs.c.id.in_(doomed)))
