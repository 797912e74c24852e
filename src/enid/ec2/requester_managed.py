"""Interfaces that a service of AWS's keeps in its users' subnets: a NAT gateway's, for example.

Their owner sees and tags them, and may do nothing else with them (:func:`~enid.ec2.network_interface_access.writable`
refuses). They come with what they belong to, are plugged into it and never into an instance, and go with it. What that
is, and its states, are its own module's affair.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import delete, insert, update

from enid.ec2 import network_interfaces
from enid.ec2.context import Context
from enid.ec2.network_interface_access import AMAZON
from enid.ec2.network_interfaces import NewInterface
from enid.store import allocation, tables
from enid.store.ids import new_id
from enid.store.tables import attachments

_DEVICE_INDEX = 1
"""What AWS shows for them."""


def create(ctx: Context, spec: NewInterface, appliance_id: str) -> str:
    """Make an interface and begin to plug it into what it belongs to; answers its id.

    :param spec: with the interface type; its requester and ``in-use`` are added here.
    :param appliance_id: e.g. ``nat-…``; the agent makes what the interface type says and then writes ``attached``.
    :raises AwsError: as CreateNetworkInterface.
    """
    id_ = _made(ctx, spec, appliance_id, "attaching")
    ctx.note("network_interface", id_)
    ctx.settle(id_)
    return id_


def keep(ctx: Context, spec: NewInterface, owner_id: str) -> str:
    """Make an interface that nothing is behind, so that no packet flows there and the agent has nothing to do.

    :param owner_id: e.g. ``vpce-…``.
    :raises AwsError: as CreateNetworkInterface.
    """
    return _made(ctx, spec, owner_id, "attached")


def discard(ctx: Context, network_interface_id: str) -> None:
    """Delete one that :func:`keep` made, with all it has."""
    ctx.db.execute(delete(attachments).where(attachments.c.network_interface_id == network_interface_id))
    network_interfaces.remove(ctx, network_interface_id)


def _made(ctx: Context, spec: NewInterface, owner_id: str, status: str) -> str:
    id_ = network_interfaces.create(ctx, replace(spec, requester_id=AMAZON))
    mine = tables.network_interfaces.c.id == id_
    ctx.db.execute(update(tables.network_interfaces).where(mine).values(status="in-use"))
    row = {
        "id": new_id("ela-attach"),
        "network_interface_id": id_,
        "appliance_id": owner_id,
        "device_index": _DEVICE_INDEX,
        "status": status,
        "attach_time": ctx.now,
    }
    with allocation.judged():
        ctx.db.execute(insert(attachments), row)
    return id_


def release(ctx: Context, network_interface_id: str) -> None:
    """Begin to unplug it; the agent deletes it with all it has when no packet goes there any more."""
    mine = attachments.c.network_interface_id == network_interface_id
    ctx.db.execute(update(attachments).where(mine).values(status="detaching"))
    ctx.note("network_interface", network_interface_id)
    ctx.settle(network_interface_id)
