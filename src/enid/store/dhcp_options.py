"""The DHCP option sets of VPCs, as their instances see them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, select

from enid.store.tables import dhcp_option_values, vpcs
from enid.topology.dhcp_options import AMAZON_PROVIDED, DhcpOptions, compile_options

__all__ = ["AMAZON_PROVIDED", "of_vpcs"]


def of_vpcs(db: Connection, ids: Collection[str]) -> dict[str, DhcpOptions]:
    """By VPC, in one statement. A VPC without a set has no options."""
    values = dhcp_option_values
    query = (
        select(vpcs.c.id, vpcs.c.cidr_block, vpcs.c.enable_dns_support, values.c.key, values.c.value)
        .outerjoin(values, values.c.dhcp_options_id == vpcs.c.dhcp_options_id)
        .where(vpcs.c.id.in_(ids))
        .order_by(vpcs.c.id, values.c.position)
    )
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for row in db.execute(query):
        found[row.id].append(row)
    return {
        id_: compile_options(
            ((row.key, row.value) for row in rows if row.key), rows[0].cidr_block, rows[0].enable_dns_support
        )
        for id_, rows in found.items()
    }
