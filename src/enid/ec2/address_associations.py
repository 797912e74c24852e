"""Which private address an Elastic IP stands for: AssociateAddress and DisassociateAddress.

One to one, on any interface, attached or not. The place is the caller's, or one the caller is permitted to use, in a
VPC with an internet gateway.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, func, select, update

from enid.ec2 import addresses
from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import AwsError, check_id, invalid_parameter_combination, missing_parameter, not_found
from enid.ec2.network_interface_access import held, holder, permitted
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store.tables import attachments, internet_gateways, private_addresses
from enid.store.tables import public_addresses as public


@operation("AssociateAddress")
def associate_address(ctx: Context, params: Params) -> Result:
    """Let an Elastic IP stand for a private address, the primary one unless another is named.

    What stood for it before goes: an auto-assigned address to the pool, another Elastic IP to the account. The same
    association once more changes nothing.
    """
    elastic = addresses.elastic_ip(ctx, params)
    interface = _target(ctx, params)
    private_ip = params.get("PrivateIpAddress") or interface.private_ip_address
    _check_assigned(ctx, interface, private_ip)
    _check_gateway(ctx, interface.vpc_id)
    if (elastic.network_interface_id, elastic.private_ip) == (interface.id, private_ip):
        return {"AssociationId": elastic.association_id}
    if elastic.association_id is not None and params.get("AllowReassociation") is False:
        raise AwsError(
            "Resource.AlreadyAssociated",
            f"resource {elastic.allocation_id} is already associated with associate-id {elastic.association_id}",
        )
    if elastic.network_interface_id is not None:
        held(ctx, elastic.network_interface_id)
    addresses.unmap(ctx, interface.id, [private_ip])
    association_id = addresses.stand_for(ctx, elastic, interface.id, private_ip)
    if elastic.network_interface_id is not None:
        _left(ctx, elastic.network_interface_id)
    return {"AssociationId": association_id}


@operation("DisassociateAddress")
def disassociate_address(ctx: Context, params: Params) -> Result:
    """Let an Elastic IP stand for nothing; by ``PublicIp`` also when it already does.

    :raises AwsError: ``InvalidAssociationID.NotFound``, which AWS answers for an association that is gone as well.
    """
    association_id = params.get("AssociationId")
    if association_id and params.get("PublicIp"):
        raise invalid_parameter_combination(
            "You may specify public IP or association id, but not both in the same call"
        )
    if not association_id and not params.get("PublicIp"):
        raise missing_parameter("publicIp or associationId")
    elastic = _associated(ctx, association_id) if association_id else addresses.elastic_ip(ctx, params)
    if elastic.network_interface_id is not None:
        held(ctx, elastic.network_interface_id)
        ctx.db.execute(update(public).where(public.c.ip == elastic.ip).values(**addresses.UNMAPPED))
        _left(ctx, elastic.network_interface_id)
    return {}


def _left(ctx: Context, network_interface_id: str) -> None:
    """An Elastic IP has left an interface: a running instance's only one gets an auto-assigned address if it wants it.

    Not while any of its private addresses still has a public one.
    """
    ctx.note("network_interface", network_interface_id)
    interface, instance = held(ctx, network_interface_id), holder(ctx, network_interface_id)
    if not interface.associate_public_ip_address or instance is None or instance.state != "running":
        return
    mapped = select(public.c.ip).where(public.c.network_interface_id == network_interface_id)
    primary = not (instance.device_index or instance.network_card_index)
    if primary and len(_interfaces_of(ctx, instance.instance_id)) == 1 and ctx.db.execute(mapped).first() is None:
        addresses.assign_public(ctx, interface.id, interface.private_ip_address)


def _associated(ctx: Context, association_id: str) -> Row[Any]:
    check_id("eipassoc", association_id)
    query = select(public).where(public.c.association_id == association_id, public.c.account_id == ctx.account_id)
    row = ctx.db.execute(query).one_or_none()
    if row is None:
        raise not_found("eipassoc", association_id)
    return row


def _target(ctx: Context, params: Params) -> Row[Any]:
    """The interface that ``NetworkInterfaceId`` names, or the only one of ``InstanceId``."""
    interface_id, instance_id = params.get("NetworkInterfaceId"), params.get("InstanceId")
    if interface_id and instance_id:
        raise invalid_parameter_combination(
            "You may specify instance ID or network interface id, but not both in the same call"
        )
    if interface_id:
        interface = permitted(ctx, interface_id, "EIP-ASSOCIATE")
        instance = holder(ctx, interface_id)
        if instance is not None and instance.state == "pending":
            raise AwsError(
                "IncorrectInstanceState",
                f"The pending-instance-creation instance to which '{interface_id}' is attached is not in a valid "
                "state for this operation",
            )
        return interface
    if not instance_id:
        raise missing_parameter("instanceId or networkInterfaceId")
    return permitted(ctx, only_interface(ctx, fetch(ctx, "i", instance_id)), "EIP-ASSOCIATE")


def only_interface(ctx: Context, instance: Row[Any]) -> str:
    """The id of the only interface of an instance that is up or stopped.

    :raises AwsError: ``InvalidInstanceID``: there are several, or it is in another state.
    """
    interfaces = _interfaces_of(ctx, instance.id)
    if len(interfaces) > 1:
        raise AwsError(
            "InvalidInstanceID",
            f"There are multiple interfaces attached to instance '{instance.id}'. "
            "Please specify an interface ID for the operation instead.",
        )
    if not interfaces or instance.state in ("pending", "shutting-down", "terminated"):
        raise AwsError(
            "InvalidInstanceID",
            f"The {instance.state} instance '{instance.id}' is not in a valid state for this operation.",
        )
    return interfaces[0]


def _interfaces_of(ctx: Context, instance_id: str) -> list[str]:
    query = select(attachments.c.network_interface_id).where(attachments.c.instance_id == instance_id)
    return list(ctx.db.execute(query).scalars())


def _check_assigned(ctx: Context, interface: Row[Any], private_ip: str) -> None:
    columns = private_addresses.c
    mine = select(func.count()).where(
        columns.subnet_id == interface.subnet_id,
        columns.ip == private_ip,
        columns.network_interface_id == interface.id,
        columns.family == 4,
    )
    if not ctx.db.execute(mine).scalar_one():
        raise AwsError(
            "InvalidParameterValue", f"Private IP address {private_ip} is not assigned to interface {interface.id}"
        )


def _check_gateway(ctx: Context, vpc_id: str) -> None:
    query = select(internet_gateways.c.id).where(internet_gateways.c.vpc_id == vpc_id)
    if ctx.db.execute(query).first() is None:
        raise AwsError("Gateway.NotAttached", f"Network {vpc_id} is not attached to any internet gateway")
