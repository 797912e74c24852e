"""Traffic mirror sessions end with the interface they watch; one whose target's interface is gone reaches nobody."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete, select

from enid.store.journal import note
from enid.store.tables import tags, traffic_mirror_sessions, traffic_mirror_targets

_SESSIONS, _TARGETS = traffic_mirror_sessions.c, traffic_mirror_targets.c


def forget(db: Connection, interface_ids: Collection[str]) -> None:
    """These interfaces are about to be deleted: the agent looks again at whoever sends copies there, since their
    addresses may soon be somebody else's."""
    doomed = list(db.execute(select(_SESSIONS.id).where(_SESSIONS.network_interface_id.in_(interface_ids))).scalars())
    if doomed:
        db.execute(delete(tags).where(tags.c.resource_id.in_(doomed)))
        db.execute(delete(traffic_mirror_sessions).where(_SESSIONS.id.in_(doomed)))
    senders = select(_SESSIONS.network_interface_id).join(traffic_mirror_targets, _TARGETS.id == _SESSIONS.target_id)
    found = db.execute(senders.where(_TARGETS.network_interface_id.in_(interface_ids)).distinct())
    note(db, [("network_interface", id_) for id_ in found.scalars()])
