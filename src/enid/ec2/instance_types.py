"""What AWS publishes of its instance types: how many interfaces and addresses each may have, CPUs, memory.

The table is ``data/instance_types.csv`` (AWS's own answer of DescribeInstanceTypes, as carried by moto, Apache-2.0;
``scripts/generate-instance-types`` writes it). A column is a path into the model's ``InstanceTypeInfo``; lists are
joined by ``|``, a network card is ``interfaces:performance`` and a disk ``count:size:type``. GPUs and other
accelerators are left out: nothing here has them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from enid.ec2.availability_zones import zone_ids
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import slice_page
from enid.ec2.errors import AwsError, invalid_parameter_combination, invalid_parameter_value
from enid.ec2.images import SANDBOX
from enid.ec2.list_filters import keep, matches
from enid.ec2.registry import operation

Cells = Mapping[str, str]
"""One type: column → text."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an instance of a type may have."""

    max_interfaces: int
    ipv4_per_interface: int
    """The primary address included."""
    ipv6_per_interface: int
    network_cards: int
    interfaces_per_card: tuple[int, ...]
    """Most interfaces of each network card, by card index."""
    vcpus: int
    memory_mib: int


@lru_cache(maxsize=1)
def table() -> dict[str, Cells]:
    """The whole table, by type. Read once, at the first use."""
    text = (files("enid.ec2") / "data" / "instance_types.csv").read_text()
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {row["InstanceType"]: row for row in rows}


@lru_cache(maxsize=2048)
def limits(instance_type: str) -> Limits:
    """The limits of a type.

    :raises AwsError: ``InvalidParameterValue``: there is no such type.
    """
    row = known(instance_type)
    interfaces = int(row["NetworkInfo.MaximumNetworkInterfaces"])
    cards = row["NetworkInfo.NetworkCards"]
    return Limits(
        max_interfaces=interfaces,
        ipv4_per_interface=int(row["NetworkInfo.Ipv4AddressesPerInterface"]),
        ipv6_per_interface=int(row["NetworkInfo.Ipv6AddressesPerInterface"]),
        network_cards=int(row["NetworkInfo.MaximumNetworkCards"]),
        interfaces_per_card=tuple(int(card.partition(":")[0]) for card in cards.split("|")) if cards else (interfaces,),
        vcpus=int(row["VCpuInfo.DefaultVCpus"]),
        memory_mib=int(row["MemoryInfo.SizeInMiB"]),
    )


def known(instance_type: str) -> Cells:
    """The table's row of a type.

    :raises AwsError: ``InvalidParameterValue``: there is no such type.
    """
    row = table().get(instance_type)
    if row is None:
        raise invalid_parameter_value(f"Invalid value '{instance_type}' for InstanceType.")
    return row


def require_image_runs_on(instance_type: str) -> None:
    """The image runs on instances of this type.

    :raises AwsError: ``InvalidParameterValue``: no such type, or one of another architecture.
    """
    architectures = known(instance_type)["ProcessorInfo.SupportedArchitectures"].split("|")
    wanted = SANDBOX["Architecture"]
    if wanted not in architectures:
        raise invalid_parameter_value(
            f"The architecture '{','.join(architectures)}' of the specified instance type does not match the "
            f"architecture '{wanted}' of the specified AMI. Specify an instance type and an AMI that have matching "
            "architectures, and try again. You can use 'describe-instance-types' or 'describe-images' to discover the "
            "architecture of the instance type or AMI."
        )


# --- as the API shows it ----------------------------------------------------------------------------------------------

_NUMBERS = frozenset({"ValidCores", "ValidThreadsPerCore"})
_LISTS = _NUMBERS | {
    "SupportedArchitectures",
    "SupportedFeatures",
    "SupportedUsageClasses",
    "SupportedRootDeviceTypes",
    "SupportedVirtualizationTypes",
    "SupportedBootModes",
    "SupportedVersions",
    "SupportedStrategies",
    "BandwidthWeightings",
}


def info(row: Cells) -> dict[str, Any]:
    """A row as the model's ``InstanceTypeInfo``; what the table has no text for is absent."""
    result: dict[str, Any] = {}
    for path, text in row.items():
        if text:
            *parents, name = path.split(".")
            place = result
            for parent in parents:
                place = place.setdefault(parent, {})
            place[name] = _value(name, text)
    network = result["NetworkInfo"]
    network["NetworkCards"] = _cards(row)
    network["DefaultNetworkCardIndex"] = 0
    result["SupportedInRegion"] = True
    return result


def _value(name: str, text: str) -> Any:
    if name in _LISTS:
        parts = text.split("|")
        return [int(part) for part in parts] if name in _NUMBERS else parts
    if name == "Disks":
        return [
            {"Count": int(count), "SizeInGB": int(size), "Type": kind}
            for count, size, kind in (disk.split(":") for disk in text.split("|"))
        ]
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text


def _cards(row: Cells) -> list[dict[str, Any]]:
    several = row["NetworkInfo.NetworkCards"]
    single = f"{row['NetworkInfo.MaximumNetworkInterfaces']}:{row['NetworkInfo.NetworkPerformance']}"
    return [
        {"NetworkCardIndex": index, "MaximumNetworkInterfaces": int(interfaces), "NetworkPerformance": performance}
        for index, (interfaces, _, performance) in enumerate(
            card.partition(":") for card in (several or single).split("|")
        )
    ]


# --- operations -------------------------------------------------------------------------------------------------------

_PLAIN_FILTERS = """
auto-recovery-supported bare-metal burstable-performance-supported current-generation dedicated-hosts-supported
ebs-info.attachment-limit-type ebs-info.maximum-ebs-attachments
ebs-info.ebs-optimized-info.baseline-bandwidth-in-mbps ebs-info.ebs-optimized-info.baseline-iops
ebs-info.ebs-optimized-info.baseline-throughput-in-mbps ebs-info.ebs-optimized-info.maximum-bandwidth-in-mbps
ebs-info.ebs-optimized-info.maximum-iops ebs-info.ebs-optimized-info.maximum-throughput-in-mbps
ebs-info.ebs-optimized-support ebs-info.encryption-support ebs-info.nvme-support free-tier-eligible
hibernation-supported hypervisor instance-storage-info.encryption-support instance-storage-info.nvme-support
instance-storage-info.total-size-in-gb instance-storage-supported instance-type memory-info.size-in-mib
network-info.bandwidth-weightings network-info.efa-info.maximum-efa-interfaces network-info.efa-supported
network-info.ena-support network-info.flexible-ena-queues-support network-info.encryption-in-transit-supported
network-info.ipv4-addresses-per-interface network-info.ipv6-addresses-per-interface network-info.ipv6-supported
network-info.maximum-network-cards network-info.maximum-network-interfaces network-info.network-performance
nitro-enclaves-support nitro-tpm-support nitro-tpm-info.supported-versions processor-info.supported-features
processor-info.sustained-clock-speed-in-ghz reboot-migration-support vcpu-info.default-cores
vcpu-info.default-threads-per-core vcpu-info.default-vcpus vcpu-info.valid-cores vcpu-info.valid-threads-per-core
"""
"""Filters named as their column is, but for case and hyphens."""
_RENAMED_FILTERS = {
    "processor-info.supported-architecture": "ProcessorInfo.SupportedArchitectures",
    "supported-boot-mode": "SupportedBootModes",
    "supported-root-device-type": "SupportedRootDeviceTypes",
    "supported-usage-class": "SupportedUsageClasses",
    "supported-virtualization-type": "SupportedVirtualizationTypes",
}
_DISK_FILTERS = ("count", "size-in-gb", "type")


@lru_cache(maxsize=1)
def filter_properties() -> Mapping[str, Callable[[Cells], Sequence[str]]]:
    """Filter name → what a type has for it."""
    columns = {path.lower(): path for path in next(iter(table().values()))}
    paths = {name: columns[name.replace("-", "")] for name in _PLAIN_FILTERS.split()} | _RENAMED_FILTERS
    properties = {name: _column(path) for name, path in paths.items()}
    return properties | {
        f"instance-storage-info.disk.{name}": _disks(place) for place, name in enumerate(_DISK_FILTERS)
    }


def _column(path: str) -> Callable[[Cells], Sequence[str]]:
    return lambda row: row[path].split("|") if row[path] else ()


def _disks(place: int) -> Callable[[Cells], Sequence[str]]:
    column = _column("InstanceStorageInfo.Disks")
    return lambda row: [disk.split(":")[place] for disk in column(row)]


@operation("DescribeInstanceTypes")
def describe_instance_types(ctx: Context, params: Params) -> Result:
    """By name (wildcards allowed, as AWS does) and by filter."""
    names = list(dict.fromkeys(params.get("InstanceTypes", ())))
    if names and params.get("MaxResults") is not None:
        raise invalid_parameter_combination(
            "The parameter MaxResults cannot be used with the parameter InstanceTypes in the same request"
        )
    _require(names)
    chosen = [row for name, row in table().items() if not names or matches(name, names)]
    page, token = slice_page(params, keep(chosen, params.get("Filters", ()), filter_properties()), (5, 100))
    return {"InstanceTypes": [info(row) for row in page], "NextToken": token}


def _require(names: Sequence[str]) -> None:
    missing = [name for name in names if "*" not in name and "?" not in name and name not in table()]
    if missing:
        raise AwsError(
            "InvalidInstanceType", f"The following supplied instance types do not exist: [{', '.join(missing)}]"
        )


@operation("DescribeInstanceTypeOfferings")
def describe_instance_type_offerings(ctx: Context, params: Params) -> Result:
    """Every type is offered in the region and in each of its zones."""
    kind = params.get("LocationType", "region")
    offerings = [
        {"InstanceType": name, "LocationType": kind, "Location": place}
        for place in _locations(ctx, kind)
        for name in table()
    ]
    properties: dict[str, Callable[[dict[str, str]], Sequence[str]]] = {
        "instance-type": lambda offering: [offering["InstanceType"]],
        "location": lambda offering: [offering["Location"]],
    }
    page, token = slice_page(params, keep(offerings, params.get("Filters", ()), properties))
    return {"InstanceTypeOfferings": list(page), "NextToken": token}


def _locations(ctx: Context, kind: str) -> Sequence[str]:
    if kind == "region":
        return (ctx.region,)
    if kind == "availability-zone":
        return ctx.settings.zone_names
    if kind == "availability-zone-id":
        return tuple(zone_ids(ctx.settings).values())
    raise invalid_parameter_value(f"Value ({kind}) for parameter locationType is invalid.")
