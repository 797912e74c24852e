"""What is to be logged, read from the store: the flow logs, and the interfaces they watch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from sqlalchemy import Connection, or_, select, union

from enid import flow_log_format
from enid.fabric.linux.names import port_link
from enid.store import tables as t
from enid.store.snapshot import LIVE_STATES


@dataclass(frozen=True, slots=True)
class FlowLog:
    id: str
    account_id: str
    traffic_type: str
    fields: tuple[str, ...]
    destination_type: str
    destination: str
    hive: bool = False
    """Folders named as Hive names partitions: ``year=2026`` …"""
    hourly: bool = False
    """A folder an hour rather than a day."""
    failing: bool = False
    """What the store says about the last delivery."""


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface attached to a running instance, or of an appliance such as a NAT gateway, with a flow log."""

    id: str
    link: str
    account_id: str
    vpc_id: str
    subnet_id: str
    zone_id: str
    instance_id: str
    """``-`` of an appliance."""
    addresses: tuple[bytes, ...]
    """Packed; the primary one of a family first."""
    unlogged: frozenset[bytes]
    """Addresses AWS logs no traffic with."""
    logs: tuple[FlowLog, ...]


_SERVICES = frozenset(
    ip_address(prefix + host).packed for prefix in ("169.254.169.", "fd00:ec2::") for host in ("123", "253", "254")
)
"""Time, DNS, instance metadata."""


def interfaces(db: Connection) -> dict[str, Interface]:
    """The interfaces to watch, by link. A constant number of statements."""
    watching: defaultdict[str, list[FlowLog]] = defaultdict(list)
    for row in db.execute(select(t.flow_logs).order_by(t.flow_logs.c.id)):
        watching[row.resource_id].append(flow_log(row))
    if not watching:
        return {}
    rows = list(db.execute(_attached(watching)))
    addresses = _addresses(db, [row.id for row in rows])
    return {
        port_link(row.attachment_id): _interface(
            row, addresses[row.id], [*watching[row.id], *watching[row.subnet_id], *watching[row.vpc_id]]
        )
        for row in rows
    }


def vpcs(db: Connection) -> set[str]:
    """Those in which anything has a flow log, whether it is plugged in or not."""
    logged = select(t.flow_logs.c.resource_id)
    owners = (select(table.c.vpc_id).where(table.c.id.in_(logged)) for table in (t.network_interfaces, t.subnets))
    return set(db.scalars(union(select(t.vpcs.c.id).where(t.vpcs.c.id.in_(logged)), *owners)))


def flow_log(row: Any) -> FlowLog:
    """A row of ``flow_logs``."""
    options = row.destination_options or {}
    return FlowLog(
        row.id,
        row.account_id,
        row.traffic_type,
        flow_log_format.parse(row.log_format),
        row.log_destination_type,
        row.destination,
        hive=options.get("HiveCompatiblePartitions", False),
        hourly=options.get("PerHourPartition", False),
        failing=row.deliver_logs_status == "FAILED",
    )


def _attached(watched: Iterable[str]) -> Any:
    eni, plug, ids = t.network_interfaces.c, t.attachments.c, list(watched)
    return (
        select(
            eni.id,
            eni.account_id,
            eni.vpc_id,
            eni.subnet_id,
            eni.availability_zone_id,
            plug.id.label("attachment_id"),
            plug.instance_id,
            t.vpcs.c.cidr_block.label("vpc_block"),
            t.subnets.c.cidr_block.label("subnet_block"),
        )
        .join(t.attachments, plug.network_interface_id == eni.id)
        .outerjoin(t.instances, t.instances.c.id == plug.instance_id)
        .join(t.vpcs, t.vpcs.c.id == eni.vpc_id)
        .join(t.subnets, t.subnets.c.id == eni.subnet_id)
        .where(or_(eni.id.in_(ids), eni.subnet_id.in_(ids), eni.vpc_id.in_(ids)))
        .where(or_(plug.appliance_id.is_not(None), t.instances.c.state.in_(LIVE_STATES)))
    )


def _addresses(db: Connection, ids: list[str]) -> defaultdict[str, list[bytes]]:
    result: defaultdict[str, list[bytes]] = defaultdict(list)
    private = t.private_addresses.c
    query = select(private.network_interface_id, private.ip).where(private.network_interface_id.in_(ids))
    for row in db.execute(query.order_by(private.position)):
        result[row.network_interface_id].append(ip_address(row.ip).packed)
    return result


def _interface(row: Any, addresses: list[bytes], logs: list[FlowLog]) -> Interface:
    resolver = ip_network(row.vpc_block).network_address + 2
    router = ip_network(row.subnet_block).network_address + 1
    return Interface(
        row.id,
        port_link(row.attachment_id),
        row.account_id,
        row.vpc_id,
        row.subnet_id,
        row.availability_zone_id,
        row.instance_id or "-",
        tuple(addresses),
        _SERVICES | {resolver.packed, router.packed},
        tuple(logs),
    )
