"""All entries of network ACLs as AWS lists them: the stored ones, and after them the ones that deny whatever is left.

One SQL relation, so that listing an ACL, filtering ACLs by their entries and counting entries cannot disagree. The last
entry of IPv6 is there in a VPC that has an IPv6 block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Boolean, Integer, Row, Select, Text, cast, literal, null, select, true, union_all

from enid.ec2.context import Context, Result
from enid.store.tables import network_acl_entries, network_acls, vpc_cidr_blocks

LAST, LAST_IPV6 = 32767, 32768
"""Numbers of the entries nobody can change; the console shows them as ``*``."""


def _last(number: int, block: str, ipv6_block: str | None) -> Select[Any]:
    """One in each direction."""
    directions = union_all(select(true().label("egress")), select(cast(literal(False), Boolean))).subquery()
    fixed: dict[str, Any] = {
        "rule_number": literal(number),
        "rule_action": literal("deny"),
        "protocol": literal("-1"),
        "cidr_block": cast(literal(block) if block else null(), Text),
        "ipv6_cidr_block": cast(literal(ipv6_block) if ipv6_block else null(), Text),
        **{name: cast(null(), Integer) for name in ("from_port", "to_port", "icmp_type", "icmp_code")},
    }
    columns = [network_acls.c.id, directions.c.egress, *(value.label(name) for name, value in fixed.items())]
    return select(*columns).select_from(network_acls.join(directions, true()))


def _relation() -> Any:
    with_ipv6 = select(vpc_cidr_blocks.c.vpc_id).where(vpc_cidr_blocks.c.family == 6)
    return union_all(
        select(network_acl_entries),
        _last(LAST, "0.0.0.0/0", None),
        _last(LAST_IPV6, "", "::/0").where(network_acls.c.vpc_id.in_(with_ipv6)),
    ).subquery("network_acl_listing")


LISTED = _relation()
"""The columns of ``network_acl_entries``."""


def of(ctx: Context, acl_ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """The entries of many ACLs in one statement, outbound first and by number."""
    result: dict[str, list[Row[Any]]] = {id_: [] for id_ in acl_ids}
    if result:
        query = select(LISTED).where(LISTED.c.network_acl_id.in_(acl_ids))
        for row in ctx.db.execute(query.order_by(LISTED.c.egress.desc(), LISTED.c.rule_number)):
            result[row.network_acl_id].append(row)
    return result


def shown(row: Row[Any]) -> Result:
    """An entry as AWS shows it."""
    return {
        "RuleNumber": row.rule_number,
        "RuleAction": row.rule_action,
        "Egress": row.egress,
        "Protocol": row.protocol,
        "CidrBlock": row.cidr_block,
        "Ipv6CidrBlock": row.ipv6_cidr_block,
        "PortRange": None if row.from_port is None else {"From": row.from_port, "To": row.to_port},
        "IcmpTypeCode": None if row.icmp_type is None else {"Type": row.icmp_type, "Code": row.icmp_code},
    }
