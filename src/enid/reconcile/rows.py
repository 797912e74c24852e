"""The rows the reconciler decides on: instances and attachments of the keys that changed."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, bindparam, or_, select

from enid.guest.interface import InstanceSpec
from enid.store import tables as t

MOVING = ("pending", "running", "stopping", "shutting-down")
"""States in which the agent has, or may have, something to do."""

_A, _I = t.attachments.c, t.instances.c
_MOVING = (
    select(t.attachments, _I.state, _I.health)
    .outerjoin(t.instances, _I.id == _A.instance_id)
    .where(_A.status.in_(("attaching", "detaching")))
    .where(
        or_(
            _A.network_interface_id.in_(bindparam("interfaces", expanding=True)),
            _A.instance_id.in_(bindparam("instances", expanding=True)),
        )
    )
)


def instances(db: Connection, ids: Collection[str]) -> list[Row[Any]]:
    """The instances of these ids, with the public key they were launched with."""
    if not ids:
        return []
    key = t.key_pairs.c
    query = select(t.instances, key.public_key).outerjoin(
        t.key_pairs, (key.account_id == t.instances.c.account_id) & (key.name == t.instances.c.key_name)
    )
    return list(db.execute(query.where(t.instances.c.id.in_(ids))))


def unfinished_instances(db: Connection) -> list[str]:
    """Instances that are or should be somewhere on the way, all of them."""
    return list(db.execute(select(t.instances.c.id).where(t.instances.c.state.in_(MOVING))).scalars())


def attachments(db: Connection, interfaces: Collection[str], instance_ids: Collection[str]) -> list[Row[Any]]:
    """Attachments in a transitional state, of these interfaces or instances, with the state of the instance, if any."""
    if not interfaces and not instance_ids:
        return []
    return list(db.execute(_MOVING, {"interfaces": list(interfaces), "instances": list(instance_ids)}))


def unfinished_interfaces(db: Connection) -> list[str]:
    """Interfaces that are being attached or detached, all of them."""
    query = select(t.attachments.c.network_interface_id)
    return list(db.execute(query.where(t.attachments.c.status.in_(("attaching", "detaching")))).scalars())


def spec(row: Row[Any]) -> InstanceSpec:
    """What a sandbox needs to boot, from its row."""
    return InstanceSpec(
        id=row.id,
        boot=row.boot,
        hostname=row.id,
        image_id=row.image_id,
        vcpus=row.vcpus,
        memory_mib=row.memory_mib,
        user_data=b64decode(row.user_data) if row.user_data else b"",
        authorized_keys=(row.public_key,) if row.public_key else (),
    )
