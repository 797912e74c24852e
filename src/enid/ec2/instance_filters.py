"""The filters of DescribeInstances and DescribeInstanceStatus.

What is the same for every instance here (no spot, no kernels, no volumes …) is a constant, or matches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, case, cast, false, func, literal

from enid import dns_names
from enid.ec2.filters import Catalogue, Condition, boolean, constant, number, related, text
from enid.ec2.images import ROOT_DEVICE_NAME, SANDBOX
from enid.ec2.instance_metadata_options import DEFAULTS as METADATA_DEFAULTS
from enid.ec2.instance_state import CODES
from enid.store import tables as t

_INSTANCE, _ENI, _ATTACHMENT = t.instances.c, t.network_interfaces.c, t.attachments.c
_ADDRESS, _PUBLIC, _PREFIX = t.private_addresses.c, t.public_addresses.c, t.delegated_prefixes.c


def _nothing(_values: Sequence[str]) -> ColumnElement[bool]:
    return false()


def _code(values: Sequence[str]) -> ColumnElement[bool]:
    """The low byte of a state code of 16 bits; AWS says to ignore the high one."""
    wanted = {int(value) & 0xFF for value in values if value.isdecimal() and len(value) <= len("65535")}
    return _INSTANCE.state.in_([name for name, code in CODES.items() if code in wanted])


def _json(column: Any, *path: str, default: Any = "") -> Condition:
    """A member of a JSON column, shown as ``default`` where it is absent."""
    return text(func.coalesce(cast(column[path].as_string(), Text), literal(str(default))))


def _flag(key: str) -> Condition:
    """A boolean of the instance's ``PrivateDnsNameOptions``."""
    return boolean(func.coalesce(_INSTANCE.extra["PrivateDnsNameOptions", key].as_boolean(), false()))


def _interface(inner: Condition, *links: Any) -> Condition:
    """An attached interface for which ``inner`` holds."""
    return related(_INSTANCE.id, _ATTACHMENT.instance_id, inner, _ATTACHMENT.network_interface_id == _ENI.id, *links)


def _primary(inner: Condition, *links: Any) -> Condition:
    """The primary interface, where ``inner`` holds for it."""
    return _interface(inner, _ATTACHMENT.device_index == 0, _ATTACHMENT.network_card_index == 0, *links)


def _name(ip: ColumnElement[Any], prefix: str, suffix: str) -> ColumnElement[Any]:
    """The DNS name of an address, as :mod:`enid.dns_names` makes it."""
    return literal(prefix) + func.replace(ip, ".", "-") + literal(suffix)


_GROUPS = (
    t.network_interface_groups.c.network_interface_id == _ENI.id,
    t.network_interface_groups.c.group_id == t.security_groups.c.id,
)
_OF_ADDRESS = (_ADDRESS.network_interface_id == _ENI.id,)
_IPV6 = (*_OF_ADDRESS, _ADDRESS.family == 6)
_IPV4 = (*_OF_ADDRESS, _ADDRESS.family == 4)
_OF_PREFIX = (_PREFIX.network_interface_id == _ENI.id,)
_ASSOCIATED = (_PUBLIC.network_interface_id == _ENI.id,)
_MAIN = (*_ASSOCIATED, _PUBLIC.private_ip == _ENI.private_ip_address)
_HAS_NAME = (t.vpcs.c.id == _ENI.vpc_id, and_(t.vpcs.c.enable_dns_hostnames, t.vpcs.c.enable_dns_support))
_IP_OWNER = case((_PUBLIC.allocation_id.is_not(None), _PUBLIC.account_id), else_="amazon")
_ENI_TAG = (t.tags.c.resource_id == _ENI.id,)

_OWN: Catalogue = {
    "affinity": _nothing,
    "architecture": constant(SANDBOX["Architecture"]),
    "availability-zone": text(_INSTANCE.availability_zone),
    "availability-zone-id": text(_INSTANCE.availability_zone_id),
    "boot-mode": _nothing,
    "client-token": _json(_INSTANCE.extra, "ClientToken"),
    "capacity-reservation-specification.capacity-reservation-preference": _json(
        _INSTANCE.extra, "CapacityReservationSpecification", "CapacityReservationPreference", default="open"
    ),
    "current-instance-boot-mode": constant("legacy-bios"),
    "ebs-optimized": boolean(_INSTANCE.ebs_optimized),
    "ena-support": constant("true"),
    "enclave-options.enabled": constant("false"),
    "hibernation-options.configured": constant("false"),
    "hypervisor": constant(SANDBOX["Hypervisor"]),
    "image-id": text(_INSTANCE.image_id),
    "instance-id": text(_INSTANCE.id),
    "instance-state-code": _code,
    "instance-state-name": text(_INSTANCE.state),
    "instance-type": text(_INSTANCE.instance_type),
    "key-name": text(_INSTANCE.key_name),
    "launch-index": number(_INSTANCE.launch_index),
    "launch-time": text(_INSTANCE.launch_time),
    "maintenance-options.auto-recovery": _json(
        _INSTANCE.extra, "MaintenanceOptions", "AutoRecovery", default="default"
    ),
    "metadata-options.http-protocol-ipv4": constant("enabled"),
    "metadata-options.state": constant("applied"),
    "monitoring-state": text(case((_INSTANCE.monitoring, "enabled"), else_="disabled")),
    "network-performance-options.bandwidth-weighting": constant("default"),
    "operator.managed": constant("false"),
    "owner-id": text(_INSTANCE.account_id),
    "platform-details": constant(SANDBOX["PlatformDetails"]),
    "private-dns-name-options.enable-resource-name-dns-a-record": _flag("EnableResourceNameDnsARecord"),
    "private-dns-name-options.enable-resource-name-dns-aaaa-record": _flag("EnableResourceNameDnsAAAARecord"),
    "private-dns-name-options.hostname-type": _json(
        _INSTANCE.extra, "PrivateDnsNameOptions", "HostnameType", default="ip-name"
    ),
    "reason": text(_INSTANCE.state_transition_reason),
    "reservation-id": text(_INSTANCE.reservation_id),
    "root-device-name": constant(ROOT_DEVICE_NAME),
    "root-device-type": constant(SANDBOX["RootDeviceType"]),
    "state-reason-code": text(_INSTANCE.state_reason_code),
    "state-reason-message": text(_INSTANCE.state_reason_message),
    "subnet-id": text(_INSTANCE.subnet_id),
    "tenancy": text(func.coalesce(_INSTANCE.tenancy, "default")),
    "usage-operation": constant(SANDBOX["UsageOperation"]),
    "virtualization-type": constant(SANDBOX["VirtualizationType"]),
    "vpc-id": text(_INSTANCE.vpc_id),
}
_METADATA_OPTIONS: Mapping[str, str] = {
    "http-endpoint": "HttpEndpoint",
    "http-protocol-ipv6": "HttpProtocolIpv6",
    "http-put-response-hop-limit": "HttpPutResponseHopLimit",
    "http-tokens": "HttpTokens",
    "instance-metadata-tags": "InstanceMetadataTags",
}
_PRIMARY: Catalogue = {
    "instance.group-id": _primary(text(t.security_groups.c.id), *_GROUPS),
    "instance.group-name": _primary(text(t.security_groups.c.name), *_GROUPS),
    "ip-address": _primary(text(_PUBLIC.ip), *_MAIN),
    "ipv6-address": _primary(text(_ADDRESS.ip), *_IPV6),
    "private-ip-address": _primary(text(_ENI.private_ip_address)),
    "source-dest-check": _primary(boolean(_ENI.source_dest_check)),
}
_INTERFACE: Catalogue = {
    "addresses.association.allocation-id": _interface(text(_PUBLIC.allocation_id), *_ASSOCIATED),
    "addresses.association.association-id": _interface(text(_PUBLIC.association_id), *_ASSOCIATED),
    "addresses.association.ip-owner-id": _interface(text(_IP_OWNER), *_ASSOCIATED),
    "addresses.association.public-ip": _interface(text(_PUBLIC.ip), *_ASSOCIATED),
    "addresses.primary": _interface(boolean(_ADDRESS.is_primary), *_IPV4),
    "addresses.private-ip-address": _interface(text(_ADDRESS.ip), *_IPV4),
    "association.allocation-id": _interface(text(_PUBLIC.allocation_id), *_MAIN),
    "association.association-id": _interface(text(_PUBLIC.association_id), *_MAIN),
    "association.ip-owner-id": _interface(text(_IP_OWNER), *_MAIN),
    "association.public-ip": _interface(text(_PUBLIC.ip), *_MAIN),
    "attachment.attach-time": _interface(text(_ATTACHMENT.attach_time)),
    "attachment.attachment-id": _interface(text(_ATTACHMENT.id)),
    "attachment.delete-on-termination": _interface(boolean(_ATTACHMENT.delete_on_termination)),
    "attachment.device-index": _interface(number(_ATTACHMENT.device_index)),
    "attachment.instance-id": _interface(text(_ATTACHMENT.instance_id)),
    "attachment.instance-owner-id": _interface(text(_INSTANCE.account_id), _INSTANCE.id == _ATTACHMENT.instance_id),
    "attachment.network-card-index": _interface(number(_ATTACHMENT.network_card_index)),
    "attachment.status": _interface(text(_ATTACHMENT.status)),
    "availability-zone": _interface(text(_ENI.availability_zone)),
    "deny-all-igw-traffic": _interface(constant("false")),
    "description": _interface(text(_ENI.description)),
    "group-id": _interface(text(t.security_groups.c.id), *_GROUPS),
    "group-name": _interface(text(t.security_groups.c.name), *_GROUPS),
    "ipv4-prefixes.ipv4-prefix": _interface(text(_PREFIX.cidr), *_OF_PREFIX, _PREFIX.family == 4),
    "ipv6-address": _interface(text(_ADDRESS.ip), *_IPV6),
    "ipv6-addresses.ipv6-address": _interface(text(_ADDRESS.ip), *_IPV6),
    "ipv6-addresses.is-primary-ipv6": _interface(
        boolean(and_(_ENI.enable_primary_ipv6, _ADDRESS.position == 0)), *_IPV6
    ),
    "ipv6-native": _interface(constant("false")),
    "ipv6-prefixes.ipv6-prefix": _interface(text(_PREFIX.cidr), *_OF_PREFIX, _PREFIX.family == 6),
    "mac-address": _interface(text(_ENI.mac_address)),
    "network-interface-id": _interface(text(_ENI.id)),
    "operator.managed": _interface(constant("false")),
    "owner-id": _interface(text(_ENI.account_id)),
    "private-ip-address": _interface(text(_ENI.private_ip_address)),
    "requester-id": _interface(text(_ENI.requester_id)),
    "requester-managed": _interface(boolean(_ENI.requester_managed)),
    "source-dest-check": _interface(boolean(_ENI.source_dest_check)),
    "status": _interface(text(_ENI.status)),
    "subnet-id": _interface(text(_ENI.subnet_id)),
    "tag-key": _interface(text(t.tags.c.key), *_ENI_TAG),
    "tag-value": _interface(text(t.tags.c.value), *_ENI_TAG),
    "vpc-id": _interface(text(_ENI.vpc_id)),
}
_ABSENT = (
    "block-device-mapping.attach-time",
    "block-device-mapping.delete-on-termination",
    "block-device-mapping.device-name",
    "block-device-mapping.status",
    "block-device-mapping.volume-id",
    "capacity-reservation-id",
    "capacity-reservation-specification.capacity-reservation-target.capacity-reservation-id",
    "capacity-reservation-specification.capacity-reservation-target.capacity-reservation-resource-group-arn",
    "host-id",
    "iam-instance-profile.arn",
    "iam-instance-profile.id",
    "iam-instance-profile.name",
    "instance-lifecycle",
    "kernel-id",
    "network-interface.addresses.association.carrier-ip",
    "network-interface.addresses.association.customer-owned-ip",
    "network-interface.association.carrier-ip",
    "network-interface.association.customer-owned-ip",
    "network-interface.operator.principal",
    "network-interface.outpost-arn",
    "operator.principal",
    "outpost-arn",
    "placement-group-name",
    "placement-partition-number",
    "platform",
    "product-code",
    "product-code.type",
    "ramdisk-id",
    "requester-id",
    "spot-instance-request-id",
    "tpm-support",
    "usage-operation-update-time",
)
"""What no instance here has: such a filter selects nothing."""


def _named(region: str) -> Catalogue:
    """The filters on DNS names, which depend on the region."""
    private, public = dns_names.private_suffix(region), dns_names.public_suffix(region)
    hostname = case(
        (
            cast(_INSTANCE.extra["PrivateDnsNameOptions", "HostnameType"].as_string(), Text) == "resource-name",
            _INSTANCE.id + literal(private),
        ),
        else_=_name(_ENI.private_ip_address, "ip-", private),
    )
    of_instance = (_INSTANCE.id == _ATTACHMENT.instance_id,)
    public_name = text(_name(_PUBLIC.ip, "ec2-", public))
    named = (t.vpcs.c.id == _ENI.vpc_id, t.vpcs.c.enable_dns_hostnames)
    eni_name = _interface(text(_name(_ENI.private_ip_address, "ip-", private)), *named)
    return {
        "dns-name": _primary(public_name, *_MAIN, *_HAS_NAME),
        "private-dns-name": _primary(text(hostname), *of_instance),
        "network-interface.private-dns-name": eni_name,
        "network-interface.addresses.private-dns-name": _interface(
            text(_name(_ADDRESS.ip, "ip-", private)), *_IPV4, *named
        ),
        "network-interface.public-dns-name": _interface(public_name, *_MAIN, *_HAS_NAME),
        "network-interface.association.public-dns-name": _interface(public_name, *_MAIN, *_HAS_NAME),
        "network-interface.addresses.association.public-dns-name": _interface(public_name, *_ASSOCIATED, *_HAS_NAME),
    }


@lru_cache(maxsize=4)
def catalogue(region: str) -> Catalogue:
    """The filters of DescribeInstances."""
    return {
        **_OWN,
        **_PRIMARY,
        **_named(region),
        **{f"network-interface.{name}": condition for name, condition in _INTERFACE.items()},
        **{
            f"metadata-options.{name}": _json(_INSTANCE.metadata_options, key, default=METADATA_DEFAULTS[key])
            for name, key in _METADATA_OPTIONS.items()
        },
        **dict.fromkeys(_ABSENT, _nothing),
    }


_HEALTH = case((_INSTANCE.state == "running", _INSTANCE.health), else_="not-applicable")
_REACHABILITY = case(
    (_INSTANCE.state != "running", None),
    (_INSTANCE.health == "ok", "passed"),
    (_INSTANCE.health == "impaired", "failed"),
    else_="initializing",
)
_EVENTS = ("code", "description", "instance-event-id", "not-after", "not-before", "not-before-deadline")

STATUS: Catalogue = {
    "availability-zone": text(_INSTANCE.availability_zone),
    "availability-zone-id": text(_INSTANCE.availability_zone_id),
    **dict.fromkeys((f"event.{name}" for name in _EVENTS), _nothing),
    "instance-state-code": _code,
    "instance-state-name": text(_INSTANCE.state),
    **{f"{check}-status.status": text(_HEALTH) for check in ("instance", "system")},
    **{f"{check}-status.reachability": text(_REACHABILITY) for check in ("instance", "system")},
    "attached-ebs-status.status": constant("not-applicable"),
    "application-status.status": constant("not-applicable"),
    "operator.managed": constant("false"),
    "operator.principal": _nothing,
}
"""The filters of DescribeInstanceStatus."""
