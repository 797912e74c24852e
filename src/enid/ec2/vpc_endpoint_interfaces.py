"""The interfaces of Interface endpoints: one per subnet, with the endpoint's security groups.

They hold addresses and say what they are for. The services are not here, so nobody answers behind them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, select

from enid.ec2 import network_interface_groups, requester_managed
from enid.ec2.context import Context
from enid.ec2.errors import AwsError, invalid_parameter_value
from enid.ec2.network_interfaces import NewInterface
from enid.ec2.resources import fetch_all
from enid.store.tables import attachments, network_interfaces

Configurations = Mapping[str, Mapping[str, str]]
"""By subnet: the addresses asked for, as ``Ipv4`` and ``Ipv6``."""


def of(ctx: Context, endpoint_ids: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    """(interface, subnet) of each endpoint, in one statement."""
    result: dict[str, list[tuple[str, str]]] = {id_: [] for id_ in endpoint_ids}
    if result:
        query = select(attachments.c.appliance_id, network_interfaces.c.id, network_interfaces.c.subnet_id)
        query = query.join(network_interfaces, network_interfaces.c.id == attachments.c.network_interface_id)
        for row in ctx.db.execute(query.where(attachments.c.appliance_id.in_(list(result))).order_by("id")):
            result[row.appliance_id].append((row.id, row.subnet_id))
    return result


def add(ctx: Context, endpoint: Row[Any], subnet_ids: Sequence[str], configurations: Configurations) -> None:
    """Interfaces in further subnets.

    :raises AwsError: unknown subnets, of another VPC, or two in one zone; addresses that cannot be had.
    """
    wanted = fetch_all(ctx, "subnet", subnet_ids)
    there = fetch_all(ctx, "subnet", [subnet for _, subnet in of(ctx, [endpoint.id])[endpoint.id]])
    for subnet in wanted.values():
        if subnet.vpc_id != endpoint.vpc_id:
            raise invalid_parameter_value(f"Subnet {subnet.id} does not belong to VPC {endpoint.vpc_id}")
    zones = Counter(subnet.availability_zone for subnet in {**there, **wanted}.values())
    if zones and max(zones.values()) > 1:
        raise AwsError("DuplicateSubnetsInSameZone", "Found another VPC endpoint subnet in the availability zone.")
    for id_ in wanted:
        if id_ not in there:
            _add(ctx, endpoint, id_, configurations.get(id_, {}))


def _add(ctx: Context, endpoint: Row[Any], subnet_id: str, configuration: Mapping[str, str]) -> None:
    ipv6 = (configuration["Ipv6"],) if configuration.get("Ipv6") else ()
    dual = endpoint.ip_address_type == "dualstack"
    spec = NewInterface(
        subnet_id=subnet_id,
        description=f"VPC Endpoint Interface {endpoint.id}",
        private_ip=configuration.get("Ipv4") or None,
        group_ids=tuple(endpoint.group_ids),
        ipv6_addresses=ipv6,
        ipv6_count=1 if dual and not ipv6 else 0,
        interface_type="vpc_endpoint",
        associate_public_ip=False,
    )
    requester_managed.keep(ctx, spec, endpoint.id)


def remove(ctx: Context, endpoint_id: str, subnet_ids: Iterable[str] | None = None) -> None:
    """Delete the endpoint's interfaces in these subnets; ``None``: all of them."""
    wanted = None if subnet_ids is None else set(subnet_ids)
    for interface, subnet in of(ctx, [endpoint_id])[endpoint_id]:
        if wanted is None or subnet in wanted:
            requester_managed.discard(ctx, interface)


def regroup(ctx: Context, endpoint_id: str, groups: Sequence[network_interface_groups.Group]) -> None:
    """Put the endpoint's interfaces into these groups."""
    for interface, _ in of(ctx, [endpoint_id])[endpoint_id]:
        network_interface_groups.replace(ctx, interface, groups)
