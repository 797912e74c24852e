"""The filters of DescribeNetworkInterfaces, every one that AWS documents (tags are :mod:`enid.ec2.filters`'s)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, select

from enid.dns_names import private_suffix, public_suffix
from enid.ec2.filters import Catalogue, Condition, absent, boolean, constant, matches, number, related, text
from enid.ec2.network_interface_access import AMAZON
from enid.store.tables import (
    attachments,
    instances,
    network_interface_groups,
    network_interfaces,
    private_addresses,
    public_addresses,
    vpcs,
)

_INTERFACE = network_interfaces.c
_PRIVATE = private_addresses.c
_PUBLIC = public_addresses.c
_ATTACHMENT = attachments.c


def _private(condition: Condition, family: int) -> Condition:
    return related(_INTERFACE.id, _PRIVATE.network_interface_id, condition, _PRIVATE.family == family)


def _public(condition: Condition, *links: ColumnElement[bool]) -> Condition:
    mapped = _PUBLIC.network_interface_id.is_not(None)
    return related(_INTERFACE.id, _PUBLIC.network_interface_id, condition, mapped, *links)


def _attached(condition: Condition, *links: ColumnElement[bool]) -> Condition:
    return related(_INTERFACE.id, _ATTACHMENT.network_interface_id, condition, *links)


def _dns_name(prefix: str, ip: ColumnElement[Any], suffix: str) -> ColumnElement[str]:
    """The same name as :mod:`enid.dns_names` makes, in SQL."""
    return literal(prefix) + func.replace(ip, ".", "-") + literal(suffix)


def _named_privately(region: str) -> Condition:
    name = _dns_name("ip-", _INTERFACE.private_ip_address, private_suffix(region))
    named = _INTERFACE.vpc_id.in_(select(vpcs.c.id).where(vpcs.c.enable_dns_hostnames))
    return lambda values: and_(named, matches(name, values))


def _named_publicly(region: str) -> Condition:
    name = _dns_name("ec2-", _PUBLIC.ip, public_suffix(region))
    condition = _public(text(name))
    named = _INTERFACE.vpc_id.in_(select(vpcs.c.id).where(vpcs.c.enable_dns_hostnames, vpcs.c.enable_dns_support))
    return lambda values: and_(named, condition(values))


_IP_OWNER = case((_PUBLIC.allocation_id.is_(None), "amazon"), else_=_PUBLIC.account_id)

_INSTANCE_OWNER = func.coalesce(
    select(instances.c.account_id).where(instances.c.id == _ATTACHMENT.instance_id).scalar_subquery(), AMAZON
)


@lru_cache
def catalogue(region: str) -> Catalogue:
    """The filters by name; DNS names depend on the region."""
    return {
        "addresses.association.owner-id": _public(text(_IP_OWNER)),
        "addresses.association.public-ip": _public(text(_PUBLIC.ip)),
        "addresses.primary": _private(boolean(_PRIVATE.is_primary), 4),
        "addresses.private-ip-address": _private(text(_PRIVATE.ip), 4),
        "association.allocation-id": _public(text(_PUBLIC.allocation_id)),
        "association.association-id": _public(text(_PUBLIC.association_id)),
        "association.ip-owner-id": _public(text(_IP_OWNER)),
        "association.public-dns-name": _named_publicly(region),
        "association.public-ip": _public(text(_PUBLIC.ip)),
        "attachment.attach-time": _attached(text(_ATTACHMENT.attach_time)),
        "attachment.attachment-id": _attached(text(_ATTACHMENT.id)),
        "attachment.delete-on-termination": _attached(boolean(_ATTACHMENT.delete_on_termination)),
        "attachment.device-index": _attached(number(_ATTACHMENT.device_index)),
        "attachment.instance-id": _attached(text(_ATTACHMENT.instance_id)),
        "attachment.instance-owner-id": _attached(text(_INSTANCE_OWNER)),
        "attachment.status": _attached(text(_ATTACHMENT.status)),
        "availability-zone": text(_INTERFACE.availability_zone),
        "availability-zone-id": text(_INTERFACE.availability_zone_id),
        "description": text(_INTERFACE.description),
        "group-id": related(
            _INTERFACE.id,
            network_interface_groups.c.network_interface_id,
            text(network_interface_groups.c.group_id),
        ),
        "interface-type": text(_INTERFACE.interface_type),
        "ipv6-addresses.ipv6-address": _private(text(_PRIVATE.ip), 6),
        "mac-address": text(_INTERFACE.mac_address),
        "network-interface-id": text(_INTERFACE.id),
        "operator.managed": constant("false"),
        "operator.principal": absent,
        "owner-id": text(_INTERFACE.account_id),
        "private-dns-name": _named_privately(region),
        "private-ip-address": _private(text(_PRIVATE.ip), 4),
        "requester-id": text(_INTERFACE.requester_id),
        "requester-managed": boolean(_INTERFACE.requester_managed),
        "source-dest-check": boolean(_INTERFACE.source_dest_check),
        "status": text(_INTERFACE.status),
        "subnet-id": text(_INTERFACE.subnet_id),
        "vpc-id": text(_INTERFACE.vpc_id),
    }
