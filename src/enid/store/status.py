"""What the agent writes back. Only here do transitional states end, and only after the kernel has followed.

Every function takes the state it ends from as a condition, so that a write that comes late, or twice, changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, select, update

from enid.store import flow_logs, traffic_mirrors
from enid.store import tables as t
from enid.store.about import About
from enid.store.journal import note

_ATTACHED = About(
    lambda among: (
        update(t.attachments)
        .where(among(t.attachments.c.id), t.attachments.c.status == "attaching")
        .values(status="attached")
        .returning(t.attachments.c.appliance_id)
    )
)


def attached(db: Connection, attachment_ids: Collection[str]) -> None:
    """The port carries packets: ``attaching`` → ``attached``; its appliance works: ``pending`` → ``available``."""
    if attachment_ids:
        appliances = _ATTACHED.of(db, attachment_ids).scalars()
        _move_on(db, [id_ for id_ in appliances if id_], "pending", "available")


def detached(db: Connection, attachment_ids: Collection[str]) -> None:
    """The port is fenced: the attachment is gone, the interface ``available``, or gone too if it is an appliance's."""
    if attachment_ids:
        _release(db, and_(t.attachments.c.id.in_(attachment_ids), t.attachments.c.status == "detaching"))


def plug_failed(db: Connection, attachment_id: str) -> None:
    """A hot-plug that did not work: never half attached, the interface is ``available`` again."""
    _release(db, and_(t.attachments.c.id == attachment_id, t.attachments.c.status == "attaching"))


def _release(db: Connection, condition: Any) -> None:
    rows = list(db.execute(select(t.attachments).where(condition)))
    if rows:
        db.execute(delete(t.attachments).where(t.attachments.c.id.in_([row.id for row in rows])))
        ids = [row.network_interface_id for row in rows]
        db.execute(update(t.network_interfaces).where(t.network_interfaces.c.id.in_(ids)).values(status="available"))
        ended = [row for row in rows if row.appliance_id]
        if ended:
            _delete_interfaces(db, [row.network_interface_id for row in ended])
            _move_on(db, [row.appliance_id for row in ended], "deleting", "deleted")


def _move_on(db: Connection, appliance_ids: Sequence[str], old: str, new: str) -> None:
    """Whatever kind of appliance these are: the others' tables have none of the ids."""
    gateways = t.nat_gateways
    if appliance_ids:
        condition = and_(gateways.c.id.in_(appliance_ids), gateways.c.state == old)
        db.execute(update(gateways).where(condition).values(state=new))


def running(db: Connection, instance_ids: Collection[str]) -> None:
    """Booted, with its network: ``pending`` → ``running``; a reboot's end: status checks pass again."""
    if instance_ids:
        instances = t.instances
        alive = and_(instances.c.id.in_(instance_ids), instances.c.state.in_(("pending", "running")))
        db.execute(update(instances).where(alive).values(state="running", health="ok"))


def impaired(db: Connection, instance_ids: Collection[str]) -> None:
    """Dead without anyone having asked: the interfaces stay in use, the status checks fail."""
    if instance_ids:
        instances = t.instances
        condition = and_(instances.c.id.in_(instance_ids), instances.c.state.in_(("pending", "running")))
        db.execute(update(instances).where(condition).values(state="running", health="impaired"))


def stopped(db: Connection, instance_ids: Collection[str], now: str) -> None:
    """``stopping`` → ``stopped``; auto-assigned public addresses go back to the pool, Elastic IPs stay."""
    ids = _in_state(db, instance_ids, "stopping")
    if ids:
        _drop_auto_public(db, _interfaces_of(db, ids))
        values = {"state": "stopped", "health": "initializing", "changed_at": now}
        db.execute(update(t.instances).where(t.instances.c.id.in_(ids)).values(**values))


def start_failed(db: Connection, instance_id: str, reason: str, now: str) -> None:
    """A machine that could not be made: a first boot ends ``terminated``, a later one ``stopped``, as on AWS."""
    row = db.execute(select(t.instances).where(t.instances.c.id == instance_id)).one_or_none()
    if row is None or row.state != "pending":
        return
    first = row.boot == 1
    values = {
        "state": "shutting-down" if first else "stopping",
        "state_reason_code": "Server.InternalError",
        "state_reason_message": f"Server.InternalError: {reason}",
    }
    db.execute(update(t.instances).where(t.instances.c.id == instance_id).values(**values))
    (terminated if first else stopped)(db, [instance_id], now)


def terminated(db: Connection, instance_ids: Collection[str], now: str) -> None:
    """``shutting-down`` → ``terminated``: interfaces marked so are deleted with their addresses, the rest available."""
    ids = _in_state(db, instance_ids, "shutting-down")
    if not ids:
        return
    enis = _interfaces_of(db, ids)
    _drop_auto_public(db, enis)
    mine = t.attachments.c.instance_id.in_(ids)
    doomed = list(
        db.execute(select(t.attachments.c.network_interface_id).where(mine, t.attachments.c.delete_on_termination))
        .scalars()
        .all()
    )
    db.execute(delete(t.attachments).where(mine))
    if enis:
        db.execute(update(t.network_interfaces).where(t.network_interfaces.c.id.in_(enis)).values(status="available"))
    if doomed:
        _delete_interfaces(db, doomed)
    db.execute(update(t.instances).where(t.instances.c.id.in_(ids)).values(state="terminated", changed_at=now))


def _delete_interfaces(db: Connection, ids: Sequence[str]) -> None:
    public = t.public_addresses
    unmapped = {"network_interface_id": None, "private_ip": None, "association_id": None}
    db.execute(update(public).where(public.c.network_interface_id.in_(ids)).values(**unmapped))
    for table in (t.private_addresses, t.delegated_prefixes, t.network_interface_groups):
        db.execute(delete(table).where(table.c.network_interface_id.in_(ids)))
    db.execute(delete(t.tags).where(t.tags.c.resource_id.in_(ids)))
    flow_logs.forget(db, ids)
    traffic_mirrors.forget(db, ids)
    db.execute(delete(t.network_interfaces).where(t.network_interfaces.c.id.in_(ids)))
    note(db, [("network_interface", id_) for id_ in ids])


def _in_state(db: Connection, ids: Collection[str], state: str) -> list[str]:
    if not ids:
        return []
    query = select(t.instances.c.id).where(t.instances.c.id.in_(ids), t.instances.c.state == state)
    return list(db.execute(query).scalars())


def _interfaces_of(db: Connection, instance_ids: Sequence[str]) -> list[str]:
    query = select(t.attachments.c.network_interface_id).where(t.attachments.c.instance_id.in_(instance_ids))
    return list(db.execute(query).scalars())


def _drop_auto_public(db: Connection, network_interface_ids: Sequence[str]) -> None:
    public = t.public_addresses.c
    condition = and_(public.network_interface_id.in_(network_interface_ids), public.allocation_id.is_(None))
    db.execute(delete(t.public_addresses).where(condition))


def forget_ended(db: Connection, before: str) -> None:
    """What ended, is deleted or never worked, and is still shown: it stays in sight for about an hour, as on AWS."""
    instances, gateways = t.instances.c, t.nat_gateways.c
    _forget(db, t.instances, and_(instances.state == "terminated", instances.changed_at < before))
    _forget(db, t.nat_gateways, and_(gateways.state == "failed", gateways.created_at < before))
    for table in t.metadata.tables.values():
        if "deleted_at" in table.c:
            _forget(db, table, table.c.deleted_at < before)


def _forget(db: Connection, table: Table, old: ColumnElement[bool]) -> None:
    ids = list(db.execute(select(table.c.id).where(old)).scalars())
    if ids:
        db.execute(delete(t.tags).where(t.tags.c.resource_id.in_(ids)))
        db.execute(delete(table).where(table.c.id.in_(ids)))


def tunnels(db: Connection) -> dict[str, tuple[bool, ...]]:
    """Which tunnels of each VPN connection are up, as was written last."""
    connections = t.vpn_connections
    rows = db.execute(select(connections).where(connections.c.state == "available"))
    return {row.id: tuple(each["up"] for each in _telemetry(row)) for row in rows}


def tunnels_changed(db: Connection, changed: Mapping[str, Sequence[bool]], now: str) -> None:
    """These are up now, or not."""
    connections = t.vpn_connections
    for row in db.execute(select(connections).where(connections.c.id.in_(changed))).all():
        found = [
            each if each["up"] == up else {"up": up, "since": now}
            for each, up in zip(_telemetry(row), changed[row.id], strict=True)
        ]
        db.execute(update(connections).where(connections.c.id == row.id).values(telemetry=found))


def _telemetry(row: Any) -> list[dict[str, Any]]:
    down = {"up": False, "since": row.created_at}
    return list(row.telemetry or [down] * len(row.tunnels))


def flow_logs_delivered(db: Connection, delivered: Collection[str], failed: Mapping[str, str]) -> None:
    """How the last delivery of flow logs went; ``failed`` says why."""
    logs = t.flow_logs
    if delivered:
        values = {"deliver_logs_status": "SUCCESS", "deliver_logs_error_message": None}
        db.execute(update(logs).where(logs.c.id.in_(delivered)).values(**values))
    for id_, reason in failed.items():
        values = {"deliver_logs_status": "FAILED", "deliver_logs_error_message": reason}
        db.execute(update(logs).where(logs.c.id == id_).values(**values))
