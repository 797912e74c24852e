"""Describe, modify and reset one attribute of an instance.

Source/destination check and security groups are the interface's; asking them of an instance works while it has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Row, func, select, update

from enid.ec2 import assigned_addresses, network_interface_groups, user_data
from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import AwsError, invalid_parameter_combination, invalid_parameter_value, unsupported
from enid.ec2.images import ROOT_DEVICE_NAME
from enid.ec2.instance_state import incorrect_state
from enid.ec2.instance_types import limits, require_image_runs_on
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store.tables import (
    attachments,
    instances,
    network_interfaces,
    security_groups,
)
from enid.store.tables import network_interface_groups as memberships

# --- describe ---------------------------------------------------------------------------------------------------------

_Shown = Callable[[Context, Row[Any]], Any]


def _value(column: str) -> _Shown:
    return lambda _ctx, row: {"Value": getattr(row, column)}


def _constant(value: Any) -> _Shown:
    return lambda _ctx, _row: value


def _shown_groups(ctx: Context, row: Row[Any]) -> list[dict[str, str]]:
    query = (
        select(security_groups.c.id, security_groups.c.name)
        .join(memberships, memberships.c.group_id == security_groups.c.id)
        .where(memberships.c.network_interface_id == only_interface(ctx, row).id)
        .order_by(memberships.c.position)
    )
    return [{"GroupId": group.id, "GroupName": group.name} for group in ctx.db.execute(query)]


_DESCRIBED: Mapping[str, tuple[str, _Shown]] = {
    "blockDeviceMapping": ("BlockDeviceMappings", _constant([])),
    "disableApiStop": ("DisableApiStop", _value("disable_api_stop")),
    "disableApiTermination": ("DisableApiTermination", _value("disable_api_termination")),
    "ebsOptimized": ("EbsOptimized", _value("ebs_optimized")),
    "enaSupport": ("EnaSupport", _constant({"Value": True})),
    "enclaveOptions": ("EnclaveOptions", _constant({"Enabled": False})),
    "groupSet": ("Groups", _shown_groups),
    "instanceInitiatedShutdownBehavior": ("InstanceInitiatedShutdownBehavior", _value("shutdown_behavior")),
    "instanceType": ("InstanceType", _value("instance_type")),
    "kernel": ("KernelId", _constant({})),
    "productCodes": ("ProductCodes", _constant([])),
    "ramdisk": ("RamdiskId", _constant({})),
    "rootDeviceName": ("RootDeviceName", _constant({"Value": ROOT_DEVICE_NAME})),
    "sourceDestCheck": ("SourceDestCheck", lambda ctx, row: {"Value": only_interface(ctx, row).source_dest_check}),
    "sriovNetSupport": ("SriovNetSupport", _constant({})),
    "userData": ("UserData", _value("user_data")),
}


@operation("DescribeInstanceAttribute")
def describe_instance_attribute(ctx: Context, params: Params) -> Result:
    row = fetch(ctx, "i", params["InstanceId"])
    found = _DESCRIBED.get(params["Attribute"])
    if found is None:
        raise invalid_parameter_value(f"Value ({params['Attribute']}) for parameter attribute is invalid.")
    member, shown = found
    return {"InstanceId": row.id, member: shown(ctx, row)}


# --- modify -----------------------------------------------------------------------------------------------------------

_Change = Callable[[Context, Row[Any], Any], None]


def _write(ctx: Context, row: Row[Any], **values: Any) -> None:
    ctx.db.execute(update(instances).where(instances.c.id == row.id).values(**values))
    ctx.note("instance", row.id)


def _flag(column: str) -> _Change:
    return lambda ctx, row, value: _write(ctx, row, **{column: _boolean(value)})


def _boolean(value: bool | str) -> bool:
    """A boolean, or its text when it came as the request's ``Value``."""
    if isinstance(value, bool):
        return value
    if value.lower() not in ("true", "false"):
        raise invalid_parameter_value(f"Invalid value '{value}' for a boolean attribute.")
    return value.lower() == "true"


def _shutdown_behavior(ctx: Context, row: Row[Any], value: str) -> None:
    _write(ctx, row, shutdown_behavior=check_shutdown_behavior(value))


def check_shutdown_behavior(value: str) -> str:
    """:raises AwsError: ``InvalidParameterValue``: neither ``stop`` nor ``terminate``."""
    if value not in ("stop", "terminate"):
        raise invalid_parameter_value(f"Invalid value '{value}' for instanceInitiatedShutdownBehavior.")
    return value


def _instance_type(ctx: Context, row: Row[Any], value: str) -> None:
    require_image_runs_on(value)
    _require_stopped(row)
    _require_room(ctx, row, value)
    size = limits(value)
    _write(ctx, row, instance_type=value, vcpus=size.vcpus, memory_mib=size.memory_mib)


def _require_room(ctx: Context, row: Row[Any], instance_type: str) -> None:
    """The interfaces and addresses that the instance has fit the new type."""
    most = limits(instance_type)
    addresses = assigned_addresses.used().c
    query = (
        select(attachments.c.network_interface_id, addresses.family, func.count().label("total"))
        .where(addresses.network_interface_id == attachments.c.network_interface_id)
        .where(attachments.c.instance_id == row.id)
        .group_by(attachments.c.network_interface_id, addresses.family)
    )
    counted = list(ctx.db.execute(query))
    interfaces = len({one.network_interface_id for one in counted})
    if interfaces > most.max_interfaces:
        raise too_many_interfaces(interfaces, instance_type)
    room = {4: most.ipv4_per_interface, 6: most.ipv6_per_interface}
    if any(one.total > room[one.family] for one in counted):
        raise AwsError("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")


def too_many_interfaces(count: int, instance_type: str) -> AwsError:
    return AwsError("AttachmentLimitExceeded", f"Interface count {count} exceeds the limit for {instance_type}")


def _user_data(ctx: Context, row: Row[Any], value: bytes | str) -> None:
    data = user_data.decode(value) if isinstance(value, str) else user_data.check(value)
    _require_stopped(row)
    _write(ctx, row, user_data=user_data.encode(data))


def _require_stopped(row: Row[Any]) -> None:
    if row.state != "stopped":
        raise incorrect_state(f"The instance '{row.id}' is not in the 'stopped' state.")


def _source_dest_check(ctx: Context, row: Row[Any], value: bool | str) -> None:
    interface = only_interface(ctx, row)
    statement = update(network_interfaces).where(network_interfaces.c.id == interface.id)
    ctx.db.execute(statement.values(source_dest_check=_boolean(value)))
    ctx.note("network_interface", interface.id)


def _groups(ctx: Context, row: Row[Any], value: list[str] | str) -> None:
    interface = only_interface(ctx, row)
    group_ids = [value] if isinstance(value, str) else value
    groups = network_interface_groups.chosen(ctx, interface.vpc_id, group_ids)
    network_interface_groups.replace(ctx, interface.id, groups)
    ctx.note("network_interface", interface.id)


def only_interface(ctx: Context, row: Row[Any]) -> Row[Any]:
    """The interface of an instance that has just one.

    :raises AwsError: ``InvalidInstanceID`` when there are several, ``IncorrectInstanceState`` when there is none left.
    """
    query = (
        select(network_interfaces)
        .join(attachments, attachments.c.network_interface_id == network_interfaces.c.id)
        .where(attachments.c.instance_id == row.id)
    )
    found = ctx.db.execute(query.limit(2)).all()
    if len(found) > 1:
        raise AwsError(
            "InvalidInstanceID",
            f"There are multiple interfaces attached to instance '{row.id}'. "
            "Please specify an interface ID for the operation instead.",
        )
    if not found:
        raise incorrect_state(f"The instance '{row.id}' has no network interface.")
    return found[0]


def _refused(name: str) -> _Change:
    def change(_ctx: Context, _row: Row[Any], _value: Any) -> None:
        raise unsupported(f"The attribute '{name}' cannot be modified.")

    return change


_MODIFIED: Mapping[str, tuple[str, _Change]] = {
    "blockDeviceMapping": ("BlockDeviceMappings", _refused("blockDeviceMapping")),
    "disableApiStop": ("DisableApiStop", _flag("disable_api_stop")),
    "disableApiTermination": ("DisableApiTermination", _flag("disable_api_termination")),
    "ebsOptimized": ("EbsOptimized", _flag("ebs_optimized")),
    "enaSupport": ("EnaSupport", _refused("enaSupport")),
    "enclaveOptions": ("EnclaveOptions", _refused("enclaveOptions")),
    "groupSet": ("Groups", _groups),
    "instanceInitiatedShutdownBehavior": ("InstanceInitiatedShutdownBehavior", _shutdown_behavior),
    "instanceType": ("InstanceType", _instance_type),
    "kernel": ("Kernel", _refused("kernel")),
    "ramdisk": ("Ramdisk", _refused("ramdisk")),
    "sourceDestCheck": ("SourceDestCheck", _source_dest_check),
    "sriovNetSupport": ("SriovNetSupport", _refused("sriovNetSupport")),
    "userData": ("UserData", _user_data),
}
"""Attribute → the request's own member for it, and what to do."""


@operation("ModifyInstanceAttribute")
def modify_instance_attribute(ctx: Context, params: Params) -> Result:
    """One attribute a call, either in its own member or as ``Attribute`` and ``Value``."""
    row = fetch(ctx, "i", params["InstanceId"])
    change, value = _asked(params)
    if row.state in ("shutting-down", "terminated"):
        raise incorrect_state(f"The instance '{row.id}' is {row.state}; its attributes cannot be modified.")
    change(ctx, row, value)
    return {}


def _asked(params: Params) -> tuple[_Change, Any]:
    given = [(change, params[member]) for member, change in _MODIFIED.values() if member in params]
    if "Attribute" in params:
        if params["Attribute"] not in _MODIFIED:
            raise invalid_parameter_value(f"Value ({params['Attribute']}) for parameter attribute is invalid.")
        if "Value" in params:
            given.append((_MODIFIED[params["Attribute"]][1], params["Value"]))
    if not given:
        raise invalid_parameter_combination("No attributes specified.")
    if len(given) > 1:
        raise invalid_parameter_combination("Fields for multiple attribute types specified.")
    change, value = given[0]
    return change, value.get("Value", "") if isinstance(value, Mapping) else value


@operation("ResetInstanceAttribute")
def reset_instance_attribute(ctx: Context, params: Params) -> Result:
    """Only the source/destination check has a default to go back to (on)."""
    row = fetch(ctx, "i", params["InstanceId"])
    attribute = params["Attribute"]
    if attribute in ("kernel", "ramdisk"):
        raise unsupported(f"The attribute '{attribute}' cannot be reset.")
    if attribute != "sourceDestCheck":
        raise invalid_parameter_value(f"Value ({attribute}) for parameter attribute is invalid.")
    _source_dest_check(ctx, row, True)
    return {}
