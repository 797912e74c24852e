"""Who may touch an interface: its owner, unless an AWS service made it and manages it
(:mod:`enid.ec2.requester_managed`); and for two things, whom the owner permitted them
(:mod:`enid.ec2.network_interface_permissions`)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, exists, or_, select, true

from enid.ec2.context import Context
from enid.ec2.errors import AwsError, check_id, not_found, not_permitted
from enid.ec2.resources import fetch
from enid.store.tables import attachments, instances, network_interface_permissions, network_interfaces

AMAZON = "amazon-aws"
"""Who AWS says manages, and owns the far end of, a service's interface."""
_ATTACHMENT = (
    select(attachments)
    .join(network_interfaces, network_interfaces.c.id == attachments.c.network_interface_id)
    .join(instances, instances.c.id == attachments.c.instance_id)
    .where(attachments.c.id == bindparam("id"))
    .where(or_(network_interfaces.c.account_id == bindparam("account"), instances.c.account_id == bindparam("account")))
)


def _interface(condition: ColumnElement[bool]) -> Select[Any]:
    return select(network_interfaces).where(network_interfaces.c.id == bindparam("id"), condition)


_GRANT = network_interface_permissions.c
_GRANTED = exists().where(
    _GRANT.network_interface_id == network_interfaces.c.id,
    _GRANT.permission == bindparam("permission"),
    _GRANT.aws_account_id == bindparam("account"),
    _GRANT.state == "granted",
)
_PERMITTED = _interface(or_(network_interfaces.c.account_id == bindparam("account"), _GRANTED))
_ANYBODYS = _interface(true())


def writable(ctx: Context, network_interface_id: str) -> Row[Any]:
    """The interface's row, for an operation that changes it.

    :raises AwsError: malformed, unknown, or managed by its requester.
    """
    return _unmanaged(ctx, fetch(ctx, "eni", network_interface_id))


def _unmanaged(ctx: Context, row: Row[Any]) -> Row[Any]:
    if row.requester_managed:
        appliance = select(attachments.c.appliance_id).where(attachments.c.network_interface_id == row.id)
        raise AwsError(
            "AuthFailure",
            "You do not have permission to access the specified resource.",
            dependants=list(ctx.db.execute(appliance).scalars()),
        )
    return row


def permitted(ctx: Context, network_interface_id: str, permission: str) -> Row[Any]:
    """The interface's row, for its owner and for the account that has the permission.

    :param permission: ``INSTANCE-ATTACH`` or ``EIP-ASSOCIATE``.
    :raises AwsError: malformed, unknown (as is any other account's), or managed by its requester.
    """
    return _found(ctx, _PERMITTED, {"id": network_interface_id, "account": ctx.account_id, "permission": permission})


def held(ctx: Context, network_interface_id: str) -> Row[Any]:
    """The interface's row, whoever owns it: for what the caller has there, its attachment or its Elastic IP.

    :raises AwsError: unknown, or managed by its requester.
    """
    return _found(ctx, _ANYBODYS, {"id": network_interface_id})


def _found(ctx: Context, query: Select[Any], values: dict[str, str]) -> Row[Any]:
    check_id("eni", values["id"])
    row = ctx.db.execute(query, values).one_or_none()
    if row is None:
        raise not_found("eni", values["id"])
    return _unmanaged(ctx, row)


def in_use(network_interface_id: str, attachment_id: str) -> AwsError:
    """AWS's refusal to attach or delete an attached interface."""
    return AwsError(
        "InvalidParameterValue",
        f"Network interface '{network_interface_id}' is currently in use.",
        dependants=[attachment_id],
    )


def attachment(ctx: Context, attachment_id: str) -> Row[Any]:
    """The attachment's row, if it is of one of the caller's interfaces, or of the caller's instances.

    :raises AwsError: malformed, unknown, or a service's.
    """
    if attachment_id.startswith("ela-attach-"):
        raise not_permitted("You are not allowed to manage 'ela-attach' attachments.")
    check_id("eni-attach", attachment_id)
    row = ctx.db.execute(_ATTACHMENT, {"id": attachment_id, "account": ctx.account_id}).one_or_none()
    if row is None:
        raise not_found("eni-attach", attachment_id)
    return row


def holder(ctx: Context, network_interface_id: str) -> Row[Any] | None:
    """The attachment of the interface to an instance, with its ``state`` and ``instance_type``; ``None``: to none."""
    query = (
        select(attachments, instances.c.state, instances.c.instance_type)
        .join(instances, instances.c.id == attachments.c.instance_id)
        .where(attachments.c.network_interface_id == network_interface_id)
    )
    return ctx.db.execute(query).one_or_none()
