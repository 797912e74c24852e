"""Who has an address of a VPC: the interface it was assigned to, or the one whose prefix it lies in."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, select

from enid.store import tables as t
from enid.store.allocation import block_number
from enid.topology.blocks import block_of
from enid.topology.records import Address

_ATTACHMENT = select(t.attachments.c.instance_id, t.attachments.c.status).join(
    t.network_interfaces, t.network_interfaces.c.id == t.attachments.c.network_interface_id
)


def attachment(db: Connection, vpc_id: str, address: Address) -> Any:
    """``instance_id`` (none for a NAT gateway) and ``status``: where the interface with this address is attached; None
    when no attached one has it."""
    private = t.private_addresses.c
    own = _ATTACHMENT.join(t.private_addresses, private.network_interface_id == t.network_interfaces.c.id)
    row = db.execute(own.where(t.network_interfaces.c.vpc_id == vpc_id, private.ip == str(address))).first()
    if row is None and (holding := _holding_prefix(db, vpc_id, address)) is not None:
        row = db.execute(_ATTACHMENT.where(t.attachments.c.network_interface_id.in_(holding))).first()
    return row


def _holding_prefix(db: Connection, vpc_id: str, address: Address) -> Select[tuple[str]] | None:
    """Selects the interface that has the prefix-sized block around the address; None when no subnet has the address."""
    column = t.subnets.c.cidr_block if address.version == 4 else t.subnets.c.ipv6_cidr_block
    query = select(t.subnets.c.id, column.label("block")).where(t.subnets.c.vpc_id == vpc_id, column.is_not(None))
    prefix = t.delegated_prefixes.c
    for row in db.execute(query):
        block = block_of(row.block)
        if address in block:
            return select(prefix.network_interface_id).where(
                prefix.subnet_id == row.id,
                prefix.family == address.version,
                prefix.block == block_number(block, address),
            )
    return None
