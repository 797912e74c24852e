"""Instances as the API shows them: rows, interfaces and tags become the model's ``Instance`` and ``Reservation``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from enid import dns_names
from enid.ec2 import instance_metadata_options, tags
from enid.ec2.context import Context
from enid.ec2.images import ROOT_DEVICE_NAME, SANDBOX
from enid.ec2.instance_state import shown_state
from enid.ec2.instance_types import known
from enid.ec2.network_interface_view import shown_on_instances

NetworkInterface = Mapping[str, Any]
"""The model's ``InstanceNetworkInterface``."""


def reservations(ctx: Context, rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """The instances grouped as they were launched. Two statements, however many instances."""
    ids = [row.id for row in rows]
    interfaces, tag_lists = shown_on_instances(ctx, ids), tags.shown(ctx, ids)
    grouped: dict[str, list[Row[Any]]] = {}
    for row in rows:
        grouped.setdefault(row.reservation_id, []).append(row)
    return [
        {
            "ReservationId": id_,
            "OwnerId": members[0].account_id,
            "Groups": [],
            "Instances": [
                _instance(ctx, row, interfaces.get(row.id, []), tag_lists[row.id])
                for row in sorted(members, key=lambda row: row.launch_index)
            ],
        }
        for id_, members in grouped.items()
    ]


def _instance(
    ctx: Context, row: Row[Any], interfaces: Sequence[NetworkInterface], tag_list: tags.TagList
) -> dict[str, Any]:
    extra: Mapping[str, Any] = row.extra or {}
    return {
        "InstanceId": row.id,
        "ImageId": row.image_id,
        "InstanceType": row.instance_type,
        "KeyName": row.key_name,
        "AmiLaunchIndex": row.launch_index,
        "LaunchTime": row.launch_time,
        "State": shown_state(row.state),
        "StateReason": _state_reason(row),
        "StateTransitionReason": row.state_transition_reason,
        "Placement": _placement(row),
        "Monitoring": {"State": "enabled" if row.monitoring else "disabled"},
        "EbsOptimized": row.ebs_optimized,
        "ClientToken": extra.get("ClientToken", ""),
        "MetadataOptions": instance_metadata_options.shown(row.metadata_options),
        "PrivateDnsNameOptions": extra.get("PrivateDnsNameOptions"),
        "MaintenanceOptions": {"AutoRecovery": "default", **extra.get("MaintenanceOptions", {})},
        "CapacityReservationSpecification": {
            "CapacityReservationPreference": "open",
            **extra.get("CapacityReservationSpecification", {}),
        },
        "CpuOptions": _cpu_options(row, extra),
        "ProductCodes": [],
        "Tags": tag_list,
        **_CONSTANT,
        **_network(ctx, row, interfaces),
    }


_CONSTANT: Mapping[str, Any] = {
    "Architecture": SANDBOX["Architecture"],
    "VirtualizationType": SANDBOX["VirtualizationType"],
    "Hypervisor": SANDBOX["Hypervisor"],
    "EnaSupport": True,
    "RootDeviceType": SANDBOX["RootDeviceType"],
    "RootDeviceName": ROOT_DEVICE_NAME,
    "BlockDeviceMappings": [],
    "HibernationOptions": {"Configured": False},
    "EnclaveOptions": {"Enabled": False},
    "PlatformDetails": SANDBOX["PlatformDetails"],
    "UsageOperation": SANDBOX["UsageOperation"],
    "CurrentInstanceBootMode": "legacy-bios",
    "NetworkPerformanceOptions": {"BandwidthWeighting": "default"},
    "Operator": {"Managed": False},
}


def _state_reason(row: Row[Any]) -> dict[str, str] | None:
    if row.state_reason_code:
        return {"Code": row.state_reason_code, "Message": row.state_reason_message}
    return {"Code": "pending", "Message": "pending"} if row.state == "pending" else None


def _placement(row: Row[Any]) -> dict[str, str]:
    return {
        "AvailabilityZone": row.availability_zone,
        "AvailabilityZoneId": row.availability_zone_id,
        "GroupName": "",
        "Tenancy": row.tenancy or "default",
    }


def _cpu_options(row: Row[Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    cells = known(row.instance_type)
    return {
        "CoreCount": int(cells["VCpuInfo.DefaultCores"]),
        "ThreadsPerCore": int(cells["VCpuInfo.DefaultThreadsPerCore"]),
        **extra.get("CpuOptions", {}),
    }


def _network(ctx: Context, row: Row[Any], interfaces: Sequence[NetworkInterface]) -> dict[str, Any]:
    """The instance's own network members: those of its primary interface. A terminated instance has none."""
    if row.state == "terminated":
        return {"PrivateDnsName": "", "PublicDnsName": "", "NetworkInterfaces": [], "SecurityGroups": []}
    primary = next((one for one in interfaces if is_primary(one)), None)
    shown: dict[str, Any] = {"VpcId": row.vpc_id, "SubnetId": row.subnet_id, "NetworkInterfaces": list(interfaces)}
    if primary is None:
        return shown | {"PrivateDnsName": "", "PublicDnsName": "", "SecurityGroups": []}
    association = primary.get("Association") or {}
    ipv6 = primary.get("Ipv6Addresses") or []
    return shown | {
        "PrivateIpAddress": primary["PrivateIpAddress"],
        "PrivateDnsName": private_dns_name(ctx, row, primary["PrivateIpAddress"]),
        "PublicIpAddress": association.get("PublicIp"),
        "PublicDnsName": association.get("PublicDnsName") or "",
        "Ipv6Address": ipv6[0]["Ipv6Address"] if ipv6 else None,
        "SecurityGroups": primary["Groups"],
        "SourceDestCheck": primary["SourceDestCheck"],
    }


def is_primary(interface: NetworkInterface) -> bool:
    """Device 0 of network card 0."""
    attachment = interface["Attachment"]
    return bool(attachment["DeviceIndex"] == 0 and not attachment["NetworkCardIndex"])


def private_dns_name(ctx: Context, row: Row[Any], ip: str) -> str:
    """The instance's host name: made of its address, or of its id where its ``PrivateDnsNameOptions`` say so."""
    options = (row.extra or {}).get("PrivateDnsNameOptions", {})
    if options.get("HostnameType") == "resource-name":
        return f"{row.id}{dns_names.private_suffix(ctx.region)}"
    return dns_names.private_name(ctx.region, ip)
