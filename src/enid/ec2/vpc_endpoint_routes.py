"""The routes of Gateway endpoints: in each chosen route table one to the prefix list of the service.

AWS's lists are empty here, so the routes are shown and lead no packet anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select

from enid.ec2 import aws_prefix_lists, gateway_route_tables
from enid.ec2.context import Context
from enid.ec2.errors import AwsError, invalid_parameter_value
from enid.ec2.resources import fetch_all
from enid.ec2.route_listing import VPC_ENDPOINT
from enid.store.tables import routes

_ROUTES = routes.c


def of(ctx: Context, endpoint_ids: Iterable[str]) -> dict[str, list[str]]:
    """The route tables of each endpoint, in one statement."""
    result: dict[str, list[str]] = {id_: [] for id_ in endpoint_ids}
    if result:
        query = select(_ROUTES.target_id, _ROUTES.route_table_id).where(_ROUTES.target_id.in_(list(result)))
        for row in ctx.db.execute(query.order_by(_ROUTES.route_table_id)):
            result[row.target_id].append(row.route_table_id)
    return result


def add(ctx: Context, endpoint: Row[Any], table_ids: Sequence[str]) -> None:
    """Routes in further tables.

    :raises AwsError: unknown tables, of another VPC, or with a route to another endpoint of the service.
    """
    list_id = aws_prefix_lists.of_service(endpoint.service_name.rpartition(".")[2])
    wanted = fetch_all(ctx, "rtb", table_ids)
    for table in wanted.values():
        if table.vpc_id != endpoint.vpc_id:
            raise invalid_parameter_value(f"Route table {table.id} does not belong to VPC {endpoint.vpc_id}")
        gateway_route_tables.refuse_others(ctx, table, "it can have no route to a VPC endpoint")
    there = select(routes).where(_ROUTES.destination == list_id, _ROUTES.route_table_id.in_(list(wanted)))
    mine = set()
    for route in ctx.db.execute(there):
        if route.target_id != endpoint.id:
            raise AwsError(
                "RouteAlreadyExists",
                f"route table {route.route_table_id} already has a route with destination-prefix-list-id {list_id}",
            )
        mine.add(route.route_table_id)
    for id_ in wanted:
        if id_ not in mine:
            values = {"destination": list_id, "target_kind": VPC_ENDPOINT, "target_id": endpoint.id}
            ctx.db.execute(insert(routes).values(route_table_id=id_, **values))
            ctx.note("route_table", id_)


def remove(ctx: Context, endpoint_id: str, table_ids: Iterable[str] | None = None) -> None:
    """Delete the endpoint's routes in these tables; ``None``: all of them."""
    for id_ in of(ctx, [endpoint_id])[endpoint_id] if table_ids is None else table_ids:
        ctx.db.execute(delete(routes).where(_ROUTES.route_table_id == id_, _ROUTES.target_id == endpoint_id))
        ctx.note("route_table", id_)
