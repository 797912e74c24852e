"""Which security groups an interface is in: its VPC's, five at most, the default one when none is named."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, select

from enid.ec2.context import Context
from enid.ec2.errors import AwsError, check_id, not_found
from enid.store.tables import network_interface_groups, security_groups

Group = tuple[str, str]
"""Id and name."""

DEFAULT = "default"
"""The name of the group that every VPC has, and keeps."""
_GROUPS = security_groups.c
_SELECT = select(_GROUPS.id, _GROUPS.name, _GROUPS.vpc_id)
_DEFAULT = _SELECT.where(_GROUPS.vpc_id == bindparam("vpc"), _GROUPS.name == DEFAULT)
_NAMED = _SELECT.where(_GROUPS.account_id == bindparam("account"), _GROUPS.id.in_(bindparam("wanted", expanding=True)))
_INSERT = insert(network_interface_groups)


def chosen(ctx: Context, vpc_id: str, group_ids: Sequence[str], *, creating: bool = False) -> list[Group]:
    """The groups that an interface of this VPC gets, in the order they were named.

    :param creating: CreateNetworkInterface words an unknown group otherwise than every other operation.
    :raises AwsError: a malformed or unknown group, one of another VPC, more than the quota.
    """
    wanted = [check_id("sg", id_) for id_ in dict.fromkeys(group_ids)]
    quota = ctx.settings.quotas.security_groups_per_interface
    if len(wanted) > quota:
        raise AwsError(
            "SecurityGroupsPerInterfaceLimitExceeded",
            "The maximum number of security groups per interface has been reached.",
        )
    if not wanted:
        return [(row.id, row.name) for row in ctx.db.execute(_DEFAULT, {"vpc": vpc_id})]
    found = {row.id: row for row in ctx.db.execute(_NAMED, {"account": ctx.account_id, "wanted": wanted})}
    for id_ in wanted:
        if id_ not in found:
            raise _unknown(id_) if creating else not_found("sg", id_)
    if any(row.vpc_id != vpc_id for row in found.values()):
        raise AwsError("InvalidGroup.NotFound", "You have specified two resources that belong to different networks.")
    return [(id_, found[id_].name) for id_ in wanted]


def write(ctx: Context, network_interface_id: str, groups: Sequence[Group]) -> None:
    """Put a new interface into groups."""
    if groups:
        rows = [
            {"network_interface_id": network_interface_id, "group_id": group_id, "position": position}
            for position, (group_id, _) in enumerate(groups)
        ]
        ctx.db.execute(_INSERT, rows)


def replace(ctx: Context, network_interface_id: str, groups: Sequence[Group]) -> None:
    """Take an interface out of all its groups and put it into these."""
    mine = network_interface_groups.c.network_interface_id == network_interface_id
    ctx.db.execute(delete(network_interface_groups).where(mine))
    write(ctx, network_interface_id, groups)


def _unknown(group_id: str) -> AwsError:
    return AwsError("InvalidSecurityGroupID.NotFound", f"The securityGroup ID '{group_id}' does not exist")
