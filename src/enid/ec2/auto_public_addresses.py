"""Who gets a public IPv4 address without asking for one: instances with one interface that wants it.

The address comes at launch and at each start, and goes when the instance has stopped. None is given when more than one
interface is attached, or when the interface has an Elastic IP on any of its addresses
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-instance-addressing.html).
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import exists, func, select

from enid.ec2.addresses import assign_public
from enid.ec2.context import Context
from enid.store.tables import attachments, network_interfaces, public_addresses


def assign_on_start(ctx: Context, instance_ids: Sequence[str]) -> None:
    """Give starting instances the public addresses that are due."""
    if not instance_ids:
        return
    interface, attachment = network_interfaces.c, attachments.c
    alone = (
        select(attachment.instance_id)
        .where(attachment.instance_id.in_(instance_ids))
        .group_by(attachment.instance_id)
        .having(func.count() == 1)
    )
    query = (
        select(interface.id, interface.private_ip_address)
        .where(attachment.network_interface_id == interface.id, attachment.instance_id.in_(alone))
        .where(interface.associate_public_ip_address, attachment.device_index == 0)
        .where(~exists().where(public_addresses.c.network_interface_id == interface.id))
        .order_by(attachment.instance_id)
    )
    for row in ctx.db.execute(query).all():
        assign_public(ctx, row.id, row.private_ip_address)
