"""Single attributes of an interface: modify exactly one, reset, describe one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Row, func, select, update

from enid.ec2 import addresses, connection_tracking, ena_express, network_interface_groups, network_interface_view
from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import (
    invalid_parameter_combination,
    invalid_parameter_value,
    missing_parameter,
    not_found,
    unsupported,
)
from enid.ec2.network_interface_access import attachment, holder, writable
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store.tables import attachments, network_interfaces, private_addresses
from enid.store.tables import public_addresses as public

Setter = Callable[[Context, Row[Any], Any], None]
"""``(context, the interface's row, the parameter's value)``."""


def _set(ctx: Context, interface: Row[Any], **values: Any) -> None:
    mine = network_interfaces.c.id == interface.id
    ctx.db.execute(update(network_interfaces).where(mine).values(**values))


def _description(ctx: Context, interface: Row[Any], given: Any) -> None:
    _set(ctx, interface, description=given.get("Value", ""))


def _source_dest_check(ctx: Context, interface: Row[Any], given: Any) -> None:
    if "Value" not in given:
        raise missing_parameter("sourceDestCheck.value")
    _set(ctx, interface, source_dest_check=given["Value"])


def _groups(ctx: Context, interface: Row[Any], given: Any) -> None:
    if not given:
        raise missing_parameter("groupId")
    groups = network_interface_groups.chosen(ctx, interface.vpc_id, given)
    network_interface_groups.replace(ctx, interface.id, groups)


def _attachment(ctx: Context, interface: Row[Any], given: Any) -> None:
    if "EnaQueueCount" in given or "DefaultEnaQueueCount" in given:
        raise unsupported("ENA queues are not supported.")
    if not given.get("AttachmentId"):
        raise missing_parameter("attachment attachmentId")
    if "DeleteOnTermination" not in given:
        raise missing_parameter("attachment deleteOnTermination")
    row = attachment(ctx, given["AttachmentId"])
    if row.network_interface_id != interface.id:
        raise not_found("eni-attach", row.id)
    mine = attachments.c.id == row.id
    ctx.db.execute(update(attachments).where(mine).values(delete_on_termination=given["DeleteOnTermination"]))


def _connection_tracking(ctx: Context, interface: Row[Any], given: Any) -> None:
    timeouts = (interface.connection_tracking or {}) | connection_tracking.check(given)
    _set(ctx, interface, connection_tracking=timeouts)


def _enable_primary_ipv6(ctx: Context, interface: Row[Any], given: Any) -> None:
    """Once enabled it stays so, as AWS documents; it needs an address to make primary."""
    if not given and interface.enable_primary_ipv6:
        raise invalid_parameter_value("The primary IPv6 address cannot be disabled once it has been enabled.")
    columns = private_addresses.c
    have = select(func.count()).where(columns.network_interface_id == interface.id, columns.family == 6)
    if given and not ctx.db.execute(have).scalar_one():
        raise invalid_parameter_value(f"The network interface '{interface.id}' does not have an IPv6 address.")
    _set(ctx, interface, enable_primary_ipv6=given)


def _associate_public_ip_address(ctx: Context, interface: Row[Any], given: Any) -> None:
    """Any interface may be set so, and as a primary one it counts: a running instance's gets or loses its auto-assigned
    address at once."""
    instance = holder(ctx, interface.id)
    _set(ctx, interface, associate_public_ip_address=given)
    if not given:
        addresses.release_auto(ctx, [interface.id])
        return
    mapped = select(public.c.ip).where(
        public.c.network_interface_id == interface.id, public.c.private_ip == interface.private_ip_address
    )
    if instance is None or instance.device_index or instance.network_card_index:
        return
    if instance.state == "running" and ctx.db.execute(mapped).first() is None:
        addresses.assign_public(ctx, interface.id, interface.private_ip_address)


def _ena_srd(_ctx: Context, _interface: Row[Any], given: Any) -> None:
    ena_express.refuse(given)


def _associated_subnets(_ctx: Context, _interface: Row[Any], _given: Any) -> None:
    raise unsupported("Associated subnets are not supported.")


_SETTERS: dict[str, Setter] = {
    "Description": _description,
    "SourceDestCheck": _source_dest_check,
    "Groups": _groups,
    "Attachment": _attachment,
    "EnaSrdSpecification": _ena_srd,
    "EnablePrimaryIpv6": _enable_primary_ipv6,
    "ConnectionTrackingSpecification": _connection_tracking,
    "AssociatePublicIpAddress": _associate_public_ip_address,
    "AssociatedSubnetIds": _associated_subnets,
}


@operation("ModifyNetworkInterfaceAttribute")
def modify_network_interface_attribute(ctx: Context, params: Params) -> Result:
    """Exactly one attribute at a time."""
    interface = writable(ctx, params["NetworkInterfaceId"])
    named = [name for name in _SETTERS if name in params]
    if len(named) != 1:
        raise invalid_parameter_combination("Multiple attributes specified" if named else "No attributes specified.")
    _SETTERS[named[0]](ctx, interface, params[named[0]])
    ctx.note("network_interface", interface.id)
    return {}


@operation("ResetNetworkInterfaceAttribute")
def reset_network_interface_attribute(ctx: Context, params: Params) -> Result:
    """The source/destination check, the only attribute that can be reset, is on again."""
    interface = writable(ctx, params["NetworkInterfaceId"])
    if "SourceDestCheck" not in params:
        raise invalid_parameter_combination("No attributes specified.")
    _set(ctx, interface, source_dest_check=True)
    ctx.note("network_interface", interface.id)
    return {}


@operation("ModifyPublicIpDnsNameOptions", records=True)
def modify_public_ip_dns_name_options(ctx: Context, params: Params) -> Result:
    """Public names are those of IPv4 addresses, which is what AWS begins with: nothing to change."""
    writable(ctx, params["NetworkInterfaceId"])
    if params["HostnameType"] != network_interface_view.PUBLIC_IPV4_NAME:
        raise unsupported(f"The public hostname type {params['HostnameType']} is not supported.")
    return {"Successful": True}


@operation("DescribeNetworkInterfaceAttribute")
def describe_network_interface_attribute(ctx: Context, params: Params) -> Result:
    """The one attribute that ``Attribute`` names."""
    interface = fetch(ctx, "eni", params["NetworkInterfaceId"])
    attribute = params.get("Attribute")
    if not attribute:
        raise invalid_parameter_combination("No attributes specified.")
    shown = network_interface_view.describe(ctx, [interface])[0]
    values: dict[str, Result] = {
        "attachment": {"Attachment": shown["Attachment"]},
        "associatePublicIpAddress": {"AssociatePublicIpAddress": interface.associate_public_ip_address},
        "description": {"Description": {"Value": interface.description}},
        "groupSet": {"Groups": shown["Groups"]},
        "sourceDestCheck": {"SourceDestCheck": {"Value": interface.source_dest_check}},
    }
    if attribute not in values:
        raise invalid_parameter_value(f"Value ({attribute}) for parameter attribute is invalid. Unknown attribute.")
    return {"NetworkInterfaceId": interface.id, **values[attribute]}
