"""RunInstances: checks the request, then writes instances, their interfaces and attachments in one transaction.

Everything is ``pending`` and ``attaching`` then; the agent carries it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, func, insert, select

from enid.ec2 import (
    images,
    instance_credits,
    instance_metadata_options,
    instance_types,
    key_pairs,
    launch_interfaces,
    launch_subnet,
    network_interfaces,
    tags,
    user_data,
)
from enid.ec2.auto_public_addresses import assign_on_start
from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import (
    AwsError,
    invalid_parameter_combination,
    invalid_parameter_value,
    missing_parameter,
    unsupported,
)
from enid.ec2.instance_attributes import check_shutdown_behavior
from enid.ec2.instance_view import reservations
from enid.ec2.launch_interfaces import Plug
from enid.ec2.network_interface_attachments import attach
from enid.ec2.registry import operation
from enid.ec2.unsupported import refuse
from enid.store.ids import new_id
from enid.store.tables import instances

DEFAULT_TYPE = "m1.small"
MOST = 1000
"""Most instances of one call."""

_REFUSED = (
    "BlockDeviceMappings",
    "IamInstanceProfile",
    "InstanceMarketOptions",
    "LaunchTemplate",
    "KernelId",
    "RamdiskId",
    "AdditionalInfo",
    "ElasticGpuSpecification",
    "ElasticInferenceAccelerators",
    "LicenseSpecifications",
    "SecondaryInterfaces",
    "Operator",
    "NetworkPerformanceOptions",
)
_REFUSED_PLACEMENT = (
    "Affinity",
    "GroupName",
    "GroupId",
    "PartitionNumber",
    "HostId",
    "HostResourceGroupArn",
    "SpreadDomain",
)
_UNTAGGED = ("spot-instances-request", "elastic-gpu", "capacity-reservation")
"""What AWS would tag at a launch, and enid does not make."""
_TAGGED = ("instance", "network-interface", "volume")
"""Volumes too, because Terraform tags them without being told to: all volumes of a launch, which are none."""


def _check_alive(ctx: Context, result: Result) -> None:
    """A token is of no use any more once an instance of its launch has been terminated."""
    ids = [instance["InstanceId"] for instance in result["Instances"]]
    alive = select(func.count()).where(instances.c.id.in_(ids), instances.c.state != "terminated")
    if ctx.db.execute(alive).scalar_one() < len(ids):
        raise AwsError(
            "IdempotentInstanceTerminated",
            "The client token you have provided is associated with a terminated instance. Please use a different "
            "client token.",
        )


@operation("RunInstances", repeated=_check_alive)
def run_instances(ctx: Context, params: Params) -> Result:
    """As many instances as ``MaxCount`` says, all or none."""
    count = _count(params)
    _refuse(params)
    values = _values(ctx, params)
    launch_interfaces.check(params, values["instance_type"], count)
    given_tags = _tags(params)
    subnet = launch_subnet.find(ctx, params)
    groups = launch_subnet.group_ids(ctx, params, subnet)
    plugs = launch_interfaces.plugs(params, subnet.id, groups)
    launch_subnet.check_groups(ctx, [(plug.new.subnet_id, plug.new.group_ids) for plug in plugs if plug.new])
    _check_interface_tags(given_tags, plugs)
    rows = _insert(ctx, values | _place(ctx, subnet) | {"extra": _extra(params, subnet)}, count)
    ids = [row.id for row in rows]
    tags.write(ctx, "instance", ids, given_tags.get("instance", []))
    _plug(ctx, rows, plugs, given_tags.get("network-interface", []))
    assign_on_start(ctx, ids)
    for id_ in ids:
        ctx.note("instance", id_)
    return reservations(ctx, rows)[0]


def _count(params: Params) -> int:
    least, most = params["MinCount"], params["MaxCount"]
    if least < 1:
        raise invalid_parameter_value(f"Value ({least}) for parameter minCount is invalid. Minimum value is 1.")
    if most < least:
        raise invalid_parameter_combination("The parameter maxCount must not be less than the parameter minCount.")
    if most > MOST:
        raise invalid_parameter_value(f"Value ({most}) for parameter maxCount is invalid. Maximum value is {MOST}.")
    return int(most)


def _refuse(params: Params) -> None:
    refuse(params, *_REFUSED)
    refuse(params.get("Monitoring", {}), "MetricCategoryIds")
    placement: Mapping[str, Any] = params.get("Placement", {})
    refuse(placement, *_REFUSED_PLACEMENT)
    if placement.get("Tenancy", "default") != "default":
        raise unsupported(f"The tenancy '{placement['Tenancy']}' is not supported: the only one is default.")
    if params.get("HibernationOptions", {}).get("Configured"):
        raise unsupported("Instances cannot be hibernated.")
    if params.get("EnclaveOptions", {}).get("Enabled"):
        raise unsupported("Instances cannot have enclaves.")
    if params.get("CapacityReservationSpecification", {}).get("CapacityReservationTarget"):
        raise unsupported("There are no capacity reservations.")


def _values(ctx: Context, params: Params) -> dict[str, Any]:
    """The columns that follow from the request alone."""
    if not params.get("ImageId"):
        raise missing_parameter("ImageId")
    image = images.fetch(params["ImageId"])
    instance_type = params.get("InstanceType") or DEFAULT_TYPE
    instance_types.require_image_runs_on(instance_type)
    key_name = params.get("KeyName") or None
    if key_name:
        key_pairs.require(ctx, key_name)
    return {
        "account_id": ctx.account_id,
        "image_id": image["ImageId"],
        "instance_type": instance_type,
        "vcpus": _vcpus(params, instance_type),
        "memory_mib": instance_types.limits(instance_type).memory_mib,
        "key_name": key_name,
        "user_data": user_data.encode(user_data.decode(params.get("UserData") or "")),
        "disable_api_termination": params.get("DisableApiTermination", False),
        "disable_api_stop": params.get("DisableApiStop", False),
        "shutdown_behavior": check_shutdown_behavior(params.get("InstanceInitiatedShutdownBehavior", "stop")),
        "ebs_optimized": params.get("EbsOptimized", False),
        "monitoring": params.get("Monitoring", {}).get("Enabled", False),
        "metadata_options": instance_metadata_options.chosen(params.get("MetadataOptions", {})),
        "tenancy": "default",
    }


def _place(ctx: Context, subnet: Row[Any]) -> dict[str, Any]:
    return {
        "reservation_id": new_id("r"),
        "availability_zone": subnet.availability_zone,
        "availability_zone_id": subnet.availability_zone_id,
        "vpc_id": subnet.vpc_id,
        "subnet_id": subnet.id,
        "host_id": ctx.settings.host_id,
        "state": "pending",
        "launch_time": ctx.now,
        "changed_at": ctx.now,
    }


def _extra(params: Params, subnet: Row[Any]) -> dict[str, Any]:
    """What is only stored and shown."""
    extra: dict[str, Any] = {
        "PrivateDnsNameOptions": {
            "HostnameType": subnet.private_dns_hostname_type,
            "EnableResourceNameDnsARecord": bool(subnet.resource_name_dns_a),
            "EnableResourceNameDnsAAAARecord": bool(subnet.resource_name_dns_aaaa),
            **params.get("PrivateDnsNameOptions", {}),
        }
    }
    for name in ("ClientToken", "MaintenanceOptions", "CapacityReservationSpecification"):
        if params.get(name):
            extra[name] = params[name]
    instance_type = params.get("InstanceType") or DEFAULT_TYPE
    if params.get("CpuOptions"):
        extra["CpuOptions"] = _cpu_options(params["CpuOptions"], instance_type)
    if params.get("CreditSpecification"):
        if not instance_credits.burstable(instance_type):
            raise invalid_parameter_combination(
                f"The T2/T3 unlimited mode is not supported for the instance type {instance_type}."
            )
        extra["CreditSpecification"] = {
            "CpuCredits": instance_credits.check(params["CreditSpecification"]["CpuCredits"])
        }
    return extra


def _vcpus(params: Params, instance_type: str) -> int:
    chosen = _cpu_options(params.get("CpuOptions") or {}, instance_type)
    cells = instance_types.known(instance_type)
    cores = chosen.get("CoreCount", int(cells["VCpuInfo.DefaultCores"]))
    return cores * chosen.get("ThreadsPerCore", int(cells["VCpuInfo.DefaultThreadsPerCore"]))


def _cpu_options(given: Mapping[str, Any], instance_type: str) -> dict[str, int]:
    """Cores and threads that the type offers; other options are refused."""
    refuse(given, "AmdSevSnp", "NestedVirtualization")
    cells = instance_types.known(instance_type)
    chosen = {}
    for name, column in (("CoreCount", "VCpuInfo.ValidCores"), ("ThreadsPerCore", "VCpuInfo.ValidThreadsPerCore")):
        if name in given:
            if str(given[name]) not in cells[column].split("|"):
                raise invalid_parameter_value(f"{name} {given[name]} is not valid for instance type {instance_type}.")
            chosen[name] = given[name]
    return chosen


def _tags(params: Params) -> dict[str, tags.TagList]:
    for specification in params.get("TagSpecifications", ()):
        if specification.get("ResourceType") in _UNTAGGED:
            raise unsupported(
                f"A launch makes no resource of type '{specification['ResourceType']}' here, so it cannot be tagged."
            )
    return tags.specified(params, _TAGGED)


def _check_interface_tags(given: Mapping[str, tags.TagList], plugs: Sequence[Plug]) -> None:
    if "network-interface" in given and not any(plug.new for plug in plugs):
        raise invalid_parameter_value(
            "You cannot specify tags for network interfaces if there are no network interfaces being created by the "
            "request."
        )


def _insert(ctx: Context, values: Mapping[str, Any], count: int) -> list[Row[Any]]:
    rows = [{**values, "id": new_id("i"), "launch_index": index} for index in range(count)]
    ctx.db.execute(insert(instances), rows)
    mine = instances.c.reservation_id == values["reservation_id"]
    return list(ctx.db.execute(select(instances).where(mine).order_by(instances.c.launch_index)))


def _plug(ctx: Context, rows: Sequence[Row[Any]], plugs: Sequence[Plug], given_tags: tags.TagList) -> None:
    """Make and attach every interface. The answer does not wait for them: that would be waiting for a boot."""
    for row in rows:
        for plug in plugs:
            id_ = plug.existing
            if plug.new is not None:
                id_ = network_interfaces.create(ctx, plug.new, given_tags, launching=True)
            attach(
                ctx,
                id_,
                row,
                plug.device_index,
                plug.network_card_index,
                plug.delete_on_termination,
                launching=True,
            )
            ctx.settling.discard(id_)
