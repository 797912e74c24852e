"""All routes of route tables as AWS lists them: local ones, the stored ones, the propagated ones.

One SQL relation, so that listing a table and filtering tables by their routes cannot disagree. ``active`` or
``blackhole`` is worked out here, whenever somebody asks:

* a route to a gateway is active while the gateway is attached to the table's VPC; to a NAT gateway, until that is
  being deleted,
* a route to a peering connection is active while that is,
* a route to an interface is active while the interface is attached to a running instance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, exists, literal, null, or_, select, union_all

from enid.ec2.context import Context, Result
from enid.store.tables import (
    attachments,
    egress_only_internet_gateways,
    instances,
    internet_gateways,
    nat_gateways,
    route_propagations,
    route_tables,
    routes,
    vpc_cidr_blocks,
    vpc_peering_connections,
    vpn_connection_routes,
    vpn_connections,
    vpn_gateways,
)

LOCAL = "local"
INTERNET_GATEWAY, VPN_GATEWAY, NETWORK_INTERFACE = "internet_gateway", "vpn_gateway", "network_interface"
EGRESS_ONLY_INTERNET_GATEWAY, NAT_GATEWAY = "egress_only_internet_gateway", "nat_gateway"
PEERING, VPC_ENDPOINT = "vpc_peering_connection", "vpc_endpoint"
GATEWAYS = (LOCAL, INTERNET_GATEWAY, VPN_GATEWAY, VPC_ENDPOINT)
_PROPAGATED = "EnableVgwRoutePropagation"


def _relation(*columns: ColumnElement[Any]) -> Select[Any]:
    names = ("route_table_id", "destination", "target_kind", "target_id", "origin", "state", "instance_id", "owner_id")
    return select(*(column.label(name) for column, name in zip(columns, (*names, "position"), strict=True)))


def _local() -> Select[Any]:
    """One whose place a stored route has is not there."""
    replaced = exists().where(
        routes.c.route_table_id == route_tables.c.id, routes.c.destination == vpc_cidr_blocks.c.cidr_block
    )
    return _relation(
        route_tables.c.id,
        vpc_cidr_blocks.c.cidr_block,
        literal(LOCAL),
        literal(LOCAL),
        literal("CreateRouteTable"),
        literal("active"),
        null(),
        null(),
        literal(0),
    ).join_from(route_tables, vpc_cidr_blocks, and_(vpc_cidr_blocks.c.vpc_id == route_tables.c.vpc_id, ~replaced))


def _stored() -> Select[Any]:
    attached = and_(attachments.c.status == "attached", instances.c.state == "running")
    active = or_(
        and_(routes.c.target_kind == INTERNET_GATEWAY, _is_attached(internet_gateways)),
        and_(routes.c.target_kind == VPN_GATEWAY, _is_attached(vpn_gateways)),
        and_(routes.c.target_kind == EGRESS_ONLY_INTERNET_GATEWAY, _is_attached(egress_only_internet_gateways)),
        and_(
            routes.c.target_kind == NAT_GATEWAY,
            _is_attached(nat_gateways, nat_gateways.c.state.in_(("pending", "available"))),
        ),
        and_(routes.c.target_kind == NETWORK_INTERFACE, attached),
        routes.c.target_kind == VPC_ENDPOINT,  # goes with its endpoint
        and_(routes.c.target_kind == PEERING, _is_active()),
    )
    return (
        _relation(
            routes.c.route_table_id,
            routes.c.destination,
            routes.c.target_kind,
            routes.c.target_id,
            routes.c.origin,
            case((active, "active"), else_="blackhole"),
            attachments.c.instance_id,
            instances.c.account_id,
            literal(1),
        )
        .join_from(routes, route_tables, route_tables.c.id == routes.c.route_table_id)
        .outerjoin(attachments, attachments.c.network_interface_id == routes.c.target_id)
        .outerjoin(instances, instances.c.id == attachments.c.instance_id)
    )


def _is_attached(gateways: Any, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    there = exists().where(gateways.c.id == routes.c.target_id, gateways.c.vpc_id == route_tables.c.vpc_id, *conditions)
    return there.correlate(routes, route_tables)


def _is_active() -> ColumnElement[bool]:
    """Both of a connection's VPCs stay the same for its life."""
    peerings = vpc_peering_connections.c
    return exists().where(peerings.id == routes.c.target_id, peerings.state == "active").correlate(routes)


def _propagated() -> Select[Any]:
    """What lies behind the VPN connections of a propagating gateway, unless a better route has the destination."""
    destination = vpn_connection_routes.c.destination_cidr_block
    stored = exists().where(routes.c.route_table_id == route_tables.c.id, routes.c.destination == destination)
    local = exists().where(
        vpc_cidr_blocks.c.vpc_id == route_tables.c.vpc_id, vpc_cidr_blocks.c.cidr_block == destination
    )
    return (
        _relation(
            route_tables.c.id,
            destination,
            literal(VPN_GATEWAY),
            vpn_gateways.c.id,
            literal(_PROPAGATED),
            literal("active"),
            null(),
            null(),
            literal(2),
        )
        .join_from(route_propagations, route_tables, route_tables.c.id == route_propagations.c.route_table_id)
        .join(
            vpn_gateways,
            and_(vpn_gateways.c.id == route_propagations.c.gateway_id, vpn_gateways.c.vpc_id == route_tables.c.vpc_id),
        )
        .join(vpn_connections, vpn_connections.c.vpn_gateway_id == vpn_gateways.c.id)
        .join(vpn_connection_routes, vpn_connection_routes.c.vpn_connection_id == vpn_connections.c.id)
        .where(~stored, ~local)
        .distinct()
    )


LISTED = union_all(_local(), _stored(), _propagated()).subquery("listed_routes")
"""Columns: route_table_id, destination, target_kind, target_id, origin, state, instance_id, owner_id, position."""


def of(ctx: Context, table_ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """The routes of each table, local ones first, then stored, then propagated; one statement."""
    found: dict[str, list[Row[Any]]] = {id_: [] for id_ in table_ids}
    if found:
        query = select(LISTED).where(LISTED.c.route_table_id.in_(table_ids))
        for row in ctx.db.execute(query.order_by(LISTED.c.position, LISTED.c.destination)):
            found[row.route_table_id].append(row)
    return found


_MEMBERS = {
    EGRESS_ONLY_INTERNET_GATEWAY: "EgressOnlyInternetGatewayId",
    NAT_GATEWAY: "NatGatewayId",
    PEERING: "VpcPeeringConnectionId",
}
"""The member of a route that names a target of this kind."""


def shown(row: Row[Any]) -> Result:
    """A listed route as a member of a route table's ``Routes``."""
    member = "DestinationIpv6CidrBlock" if ":" in row.destination else "DestinationCidrBlock"
    if row.destination.startswith("pl-"):
        member = "DestinationPrefixListId"
    target = {_MEMBERS.get(row.target_kind, "GatewayId"): row.target_id}
    if row.target_kind == NETWORK_INTERFACE:
        target = {
            "NetworkInterfaceId": row.target_id,
            "InstanceId": row.instance_id,
            "InstanceOwnerId": row.owner_id,
        }
    return {member: row.destination, "Origin": row.origin, "State": row.state, **target}
