"""What the owner of an interface lets another account do with it: plug it into an instance, give it an Elastic IP.

A grant takes effect at once, so none is ever seen ``pending`` or ``revoking``, and a revoked one is gone. Who may do
what is asked in :mod:`~enid.ec2.network_interface_access`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, insert, select

from enid.ec2 import filters
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import invalid_parameter_value, missing_parameter
from enid.ec2.network_interface_access import in_use, writable
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.ec2.unsupported import refuse
from enid.store import allocation
from enid.store.ids import new_id
from enid.store.tables import attachments, instances, network_interface_permissions

_TABLE = network_interface_permissions.c
_INSERT = insert(network_interface_permissions).returning(*_TABLE)
_DIGITS = 12


@operation("CreateNetworkInterfacePermission")
def create_network_interface_permission(ctx: Context, params: Params) -> Result:
    """Grant a permission to one account; the same grant once more answers the one that is there."""
    refuse(params, "AwsService")
    account = params.get("AwsAccountId")
    if not account:
        raise missing_parameter("awsAccountId")
    if not (account.isascii() and account.isdecimal() and len(account) == _DIGITS):
        raise invalid_parameter_value(f"Invalid value '{account}' for AwsAccountId.")
    interface = writable(ctx, params["NetworkInterfaceId"])
    mine = _TABLE.network_interface_id == interface.id, _TABLE.permission == params["Permission"]
    row = ctx.db.execute(select(network_interface_permissions).where(*mine)).one_or_none()
    if row is not None and row.aws_account_id != account:
        raise invalid_parameter_value(
            f"The permission {row.permission} for network interface '{interface.id}' is already granted to account "
            f"{row.aws_account_id}. You can grant it to one account at a time."
        )
    return {"InterfacePermission": _shown(row or _insert(ctx, interface.id, account, params["Permission"]))}


def _insert(ctx: Context, network_interface_id: str, account: str, permission: str) -> Row[Any]:
    row = {
        "id": new_id("eni-perm"),
        "account_id": ctx.account_id,
        "network_interface_id": network_interface_id,
        "aws_account_id": account,
        "permission": permission,
        "state": "granted",
        "created_at": ctx.now,
    }
    with allocation.judged():
        return ctx.db.execute(_INSERT, row).one()


@operation("DeleteNetworkInterfacePermission")
def delete_network_interface_permission(ctx: Context, params: Params) -> Result:
    """Revoke a permission; while the account has the interface attached only with ``Force``, and it stays attached."""
    row = fetch(ctx, "eni-perm", params["NetworkInterfacePermissionId"])
    attachment_id = _attachment(ctx, row)
    if row.permission == "INSTANCE-ATTACH" and attachment_id and not params.get("Force"):
        raise in_use(row.network_interface_id, attachment_id)
    ctx.db.execute(delete(network_interface_permissions).where(_TABLE.id == row.id))
    return {"Return": True}


def _attachment(ctx: Context, permission: Row[Any]) -> str | None:
    """The attachment of the interface to an instance of the account that has the permission."""
    query = (
        select(attachments.c.id)
        .join(instances, instances.c.id == attachments.c.instance_id)
        .where(attachments.c.network_interface_id == permission.network_interface_id)
        .where(instances.c.account_id == permission.aws_account_id)
    )
    return ctx.db.execute(query).scalar()


_FILTERS: filters.Catalogue = {
    f"network-interface-permission.{name}": condition
    for name, condition in {
        "network-interface-permission-id": filters.text(_TABLE.id),
        "network-interface-id": filters.text(_TABLE.network_interface_id),
        "aws-account-id": filters.text(_TABLE.aws_account_id),
        "aws-service": filters.absent,
        "permission": filters.text(_TABLE.permission),
    }.items()
}


@operation("DescribeNetworkInterfacePermissions")
def describe_network_interface_permissions(ctx: Context, params: Params) -> Result:
    """The permissions that the caller granted."""
    rows, token = describe(ctx, params, "eni-perm", _FILTERS, "NetworkInterfacePermissionIds", sizes=(5, 255))
    return {"NetworkInterfacePermissions": [_shown(row) for row in rows], "NextToken": token}


def _shown(row: Row[Any]) -> Result:
    return {
        "NetworkInterfacePermissionId": row.id,
        "NetworkInterfaceId": row.network_interface_id,
        "AwsAccountId": row.aws_account_id,
        "Permission": row.permission,
        "PermissionState": {"State": row.state},
    }
