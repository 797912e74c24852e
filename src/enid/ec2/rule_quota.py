"""How many rules a security group may have: inbound and outbound apart, IPv4 and IPv6 apart.

A rule that refers to a group counts once for each family; one that refers to a prefix list counts as many times as
the list may have entries.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import case, func, or_, select

from enid.ec2.context import Context
from enid.ec2.errors import AwsError
from enid.store.tables import prefix_lists, security_group_rules


def check(ctx: Context, group_ids: Collection[str]) -> None:
    """Look at the groups as they are in the transaction now.

    :raises AwsError: ``RulesPerSecurityGroupLimitExceeded``.
    """
    limit, rules = ctx.settings.quotas.rules_per_security_group, security_group_rules.c
    weights = [
        case(
            (direct.is_not(None), 1),
            (rules.referenced_group_id.is_not(None), 1),
            (prefix_lists.c.address_family == family, prefix_lists.c.max_entries),
            else_=0,
        )
        for direct, family in ((rules.cidr_ipv4, "IPv4"), (rules.cidr_ipv6, "IPv6"))
    ]
    query = (
        select(rules.group_id)
        .select_from(security_group_rules)
        .outerjoin(prefix_lists, prefix_lists.c.id == rules.prefix_list_id)
        .where(rules.group_id.in_(list(group_ids)))
        .group_by(rules.group_id, rules.is_egress)
        .having(or_(*(func.sum(weight) > limit for weight in weights)))
    )
    if ctx.db.execute(query).first() is not None:
        raise AwsError(
            "RulesPerSecurityGroupLimitExceeded",
            "The maximum number of rules per security group has been reached.",
        )
