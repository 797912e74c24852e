"""The rows the reconciler decides on: instances and attachments of the keys that changed."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, select

from enid import dns_names
from enid.guest.interface import InstanceSpec
from enid.store import tables as t
from enid.store.about import About, is_one_of
from enid.topology.dhcp_options import DhcpOptions

MOVING = ("pending", "running", "stopping", "shutting-down")
"""States in which the agent has, or may have, something to do."""

_A, _I = t.attachments.c, t.instances.c
_MOVING = (
    select(t.attachments, _I.state, _I.health)
    .outerjoin(t.instances, _I.id == _A.instance_id)
    .where(is_one_of(_A.status, ("attaching", "detaching")))
)
_OF_INTERFACES = About(lambda among: _MOVING.where(among(_A.network_interface_id)))
_OF_INSTANCES = About(lambda among: _MOVING.where(among(_A.instance_id)))


NETWORK_TAG = "enid:network"
"""The tag that says ``dhcp`` where enid shall not configure the guest's network."""


def instances(db: Connection, ids: Collection[str]) -> list[Row[Any]]:
    """The instances of these ids, with the public key they were launched with and what names them."""
    if not ids:
        return []
    instance, key, attachment = t.instances.c, t.key_pairs.c, t.attachments.c
    primary = (attachment.device_index == 0) & (attachment.network_card_index == 0)
    tagged = (t.tags.c.resource_id == instance.id) & (t.tags.c.key == NETWORK_TAG)
    query = (
        select(
            t.instances,
            key.public_key,
            t.network_interfaces.c.private_ip_address,
            t.tags.c.value.label("network"),
        )
        .outerjoin(t.key_pairs, (key.account_id == instance.account_id) & (key.name == instance.key_name))
        .outerjoin(t.attachments, (attachment.instance_id == instance.id) & primary)
        .outerjoin(t.network_interfaces, t.network_interfaces.c.id == attachment.network_interface_id)
        .outerjoin(t.tags, tagged)
    )
    return list(db.execute(query.where(t.instances.c.id.in_(ids))))


def unfinished_instances(db: Connection) -> dict[str, str]:
    """Instances that are or should be somewhere on the way, all of them, each with its state."""
    query = select(t.instances.c.id, t.instances.c.state).where(t.instances.c.state.in_(MOVING))
    return {row.id: row.state for row in db.execute(query)}


def attachments(db: Connection, interfaces: Collection[str], instance_ids: Collection[str]) -> list[Row[Any]]:
    """Attachments in a transitional state, of these interfaces or instances, with the state of the instance, if any."""
    of_interfaces = _OF_INTERFACES.of(db, interfaces) if interfaces else ()
    of_instances = _OF_INSTANCES.of(db, instance_ids) if instance_ids else ()
    return list({row.id: row for row in (*of_interfaces, *of_instances)}.values())


def unfinished_interfaces(db: Connection) -> list[str]:
    """Interfaces that are being attached or detached, all of them."""
    query = select(t.attachments.c.network_interface_id)
    return list(db.execute(query.where(t.attachments.c.status.in_(("attaching", "detaching")))).scalars())


def spec(row: Row[Any], options: DhcpOptions) -> InstanceSpec:
    """What a sandbox needs to boot, from its row and its VPC's DHCP options."""
    return InstanceSpec(
        id=row.id,
        boot=row.boot,
        hostname=_host_name(row, options.domain),
        image_id=row.image_id,
        vcpus=row.vcpus,
        memory_mib=row.memory_mib,
        user_data=b64decode(row.user_data) if row.user_data else b"",
        authorized_keys=(row.public_key,) if row.public_key else (),
        address=row.private_ip_address or "",
        nameservers=options.domain_name_servers,
        search=tuple(options.domain_name.split()),
        leave_network=row.network == "dhcp",
    )


def _host_name(row: Row[Any], domain: str) -> str:
    """As DHCP would name it."""
    if not row.private_ip_address:
        return str(row.id)
    kind = ((row.extra or {}).get("PrivateDnsNameOptions") or {}).get("HostnameType", "")
    return ".".join(filter(None, (dns_names.host_label(kind, row.id, row.private_ip_address), domain)))
