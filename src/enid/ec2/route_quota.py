"""How many routes a route table may have, IPv4 and IPv6 apart.

A route whose destination is a prefix list counts as many times as the list may have entries.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import case, func, or_, select

from enid.ec2.context import Context
from enid.ec2.errors import AwsError
from enid.store.tables import prefix_lists, routes


def check(ctx: Context, table_ids: Collection[str]) -> None:
    """Look at the tables as they are in the transaction now.

    :raises AwsError: ``RouteLimitExceeded``.
    """
    is_ipv6, is_list = routes.c.destination.contains(":"), routes.c.destination.startswith("pl-")
    weights = [
        case(
            (prefix_lists.c.address_family == family, prefix_lists.c.max_entries),
            (is_list, 0),
            (of_family, 1),
            else_=0,
        )
        for family, of_family in (("IPv4", ~is_ipv6), ("IPv6", is_ipv6))
    ]
    query = (
        select(routes.c.route_table_id)
        .outerjoin(prefix_lists, prefix_lists.c.id == routes.c.destination)
        .where(routes.c.route_table_id.in_(list(table_ids)))
        .group_by(routes.c.route_table_id)
        .having(or_(*(func.sum(weight) > ctx.settings.quotas.routes_per_table for weight in weights)))
    )
    found = ctx.db.execute(query).scalars().first()
    if found is not None:
        raise AwsError("RouteLimitExceeded", f"The maximum number of routes of {found} has been reached.")
