"""Attaching and detaching interfaces: what may be plugged where, and the transitions the agent carries out.

``attaching`` and ``detaching`` are written here; ``attached``, and the end of an attachment, only by the agent once
the kernel has followed (:mod:`enid.store.status`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, bindparam, func, insert, or_, select, update

from enid.ec2 import assigned_addresses, ena_express
from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import (
    AwsError,
    invalid_parameter_combination,
    invalid_parameter_value,
    not_permitted,
)
from enid.ec2.instance_types import limits
from enid.ec2.network_interface_access import attachment, held, in_use, permitted
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store import allocation
from enid.store.ids import new_id
from enid.store.tables import attachments, network_interfaces
from enid.topology.records import DEVICE_INDEXES

_ATTACHABLE = ("pending", "running", "stopped")

_INSERT = insert(attachments)
_DETACH = update(attachments).where(attachments.c.id == bindparam("attachment")).values(status="detaching")
_IN_USE = update(network_interfaces).where(network_interfaces.c.id == bindparam("interface")).values(status="in-use")
_IN_THE_WAY = select(attachments).where(
    or_(
        attachments.c.network_interface_id == bindparam("interface"),
        attachments.c.instance_id == bindparam("instance"),
    )
)
_USED = assigned_addresses.used().c
_COUNT = (
    select(_USED.family, func.count().label("number"))
    .where(_USED.network_interface_id == bindparam("interface"))
    .group_by(_USED.family)
)


@operation("AttachNetworkInterface")
def attach_network_interface(ctx: Context, params: Params) -> Result:
    """Plug an interface into an instance, running or stopped. DeleteOnTermination starts as false."""
    ena_express.check(params)
    instance = fetch(ctx, "i", params["InstanceId"])
    card = params.get("NetworkCardIndex") or 0
    id_ = attach(ctx, params["NetworkInterfaceId"], instance, params["DeviceIndex"], card)
    return {"AttachmentId": id_, "NetworkCardIndex": card}


def attach(
    ctx: Context,
    network_interface_id: str,
    instance: Row[Any],
    device_index: int,
    network_card_index: int = 0,
    delete_on_termination: bool = False,
    *,
    launching: bool = False,
) -> str:
    """Start to attach an interface; answers the attachment's id.

    :param instance: the row of ``instances``.
    :param launching: the call is RunInstances, which words some refusals otherwise.
    :raises AwsError: whatever forbids it; nothing is changed then.
    """
    interface = permitted(ctx, network_interface_id, "INSTANCE-ATTACH")
    _check_free(ctx, interface, instance, device_index, network_card_index, launching)
    _check_place(interface, instance)
    _check_addresses(ctx, interface, instance, launching)
    id_ = new_id("eni-attach")
    row = {
        "id": id_,
        "network_interface_id": interface.id,
        "instance_id": instance.id,
        "device_index": device_index,
        "network_card_index": network_card_index,
        "status": "attaching",
        "attach_time": ctx.now,
        "delete_on_termination": delete_on_termination,
    }
    with allocation.judged():
        ctx.db.execute(_INSERT, row)
    _transition(ctx, interface.id)
    return id_


def _transition(ctx: Context, network_interface_id: str) -> None:
    """The interface is neither here nor there: ``in-use`` until the agent says otherwise."""
    ctx.db.execute(_IN_USE, {"interface": network_interface_id})
    ctx.note("network_interface", network_interface_id)
    ctx.settle(network_interface_id)


def _check_free(
    ctx: Context, interface: Row[Any], instance: Row[Any], device_index: int, card: int, launching: bool
) -> None:
    """Neither the interface nor the slot is taken, and the type has room."""
    rows = list(ctx.db.execute(_IN_THE_WAY, {"interface": interface.id, "instance": instance.id}))
    if mine := next((row for row in rows if row.network_interface_id == interface.id), None):
        if launching:
            raise AwsError("InvalidNetworkInterface.InUse", f"Interface: [{interface.id}] in use.")
        raise in_use(interface.id, mine.id)
    if instance.state not in _ATTACHABLE:
        raise AwsError("IncorrectState", f"Instance '{instance.id}' is not 'running' or 'stopped'.")
    if not 0 <= device_index < DEVICE_INDEXES:
        raise invalid_parameter_value(f"Invalid value '{device_index}' for deviceIndex.")
    if any((row.network_card_index, row.device_index) == (card, device_index) for row in rows):
        raise invalid_parameter_value(
            f"Instance '{instance.id}' already has an interface attached at device index '{device_index}'."
        )
    bounds = limits(instance.instance_type)
    if not 0 <= card < bounds.network_cards:
        raise invalid_parameter_value(
            f"Network card index {card} is not valid for instance type {instance.instance_type}."
        )
    on_card = sum(row.network_card_index == card for row in rows)
    if len(rows) >= bounds.max_interfaces or on_card >= bounds.interfaces_per_card[card]:
        raise AwsError(
            "AttachmentLimitExceeded", f"Interface count {len(rows) + 1} exceeds the limit for {instance.instance_type}"
        )


def _check_place(interface: Row[Any], instance: Row[Any]) -> None:
    """The same zone and the same VPC; another account's interface is always of another VPC, and stays in it."""
    if interface.vpc_id != instance.vpc_id and interface.account_id == instance.account_id:
        raise invalid_parameter_value("Network interface attachments may not cross VPC boundaries.")
    if interface.availability_zone != instance.availability_zone:
        raise invalid_parameter_combination(
            "You may not attach a network interface to an instance if they are not in the same availability zone"
        )


def _check_addresses(ctx: Context, interface: Row[Any], instance: Row[Any], launching: bool) -> None:
    counts = {row.family: row.number for row in ctx.db.execute(_COUNT, {"interface": interface.id})}
    bounds = limits(instance.instance_type)
    if counts.get(4, 0) <= bounds.ipv4_per_interface and counts.get(6, 0) <= bounds.ipv6_per_interface:
        return
    if launching:
        raise AwsError(
            "InvalidInterface.IpAddressLimitExceeded",
            "The number of private IP addresses for a specified network interface exceeds the limit for the type of "
            f"instance you are trying to launch: {instance.instance_type} allows {bounds.ipv4_per_interface} IPv4 and "
            f"{bounds.ipv6_per_interface} IPv6 addresses.",
        )
    raise AwsError("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")


@operation("DetachNetworkInterface")
def detach_network_interface(ctx: Context, params: Params) -> Result:
    """Unplug a secondary interface. A transition under way must end first, unless ``Force`` cuts it short."""
    row = attachment(ctx, params["AttachmentId"])
    interface = held(ctx, row.network_interface_id)
    if row.device_index == 0 and row.network_card_index == 0:
        raise not_permitted("The network interface at device index 0 cannot be detached.", [row.instance_id])
    if row.status != "attached" and not params.get("Force"):
        raise AwsError("IncorrectState", f"Attachment '{row.id}' is currently {row.status}.")
    ctx.db.execute(_DETACH, {"attachment": row.id})
    _transition(ctx, interface.id)
    return {}
