"""Elastic network interfaces: create, delete, describe.

Attaching is :mod:`~enid.ec2.network_interface_attachments`'s, single attributes
:mod:`~enid.ec2.network_interface_attributes`'s, addresses :mod:`~enid.ec2.private_ip_addresses`'s and
:mod:`~enid.ec2.ipv6_addresses`'s, and how an interface is shown :mod:`~enid.ec2.network_interface_view`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from sqlalchemy import Row, and_, bindparam, delete, insert, select

from enid.ec2 import (
    addresses,
    assigned_addresses,
    connection_tracking,
    delegated_prefixes,
    ipv6_addresses,
    network_interface_groups,
    network_interface_view,
    private_ip_addresses,
    tags,
)
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import (
    AwsError,
    check_id,
    invalid_parameter_combination,
    invalid_parameter_value,
    missing_parameter,
    not_found,
    unsupported,
)
from enid.ec2.network_interface_access import in_use, writable
from enid.ec2.network_interface_filters import catalogue
from enid.ec2.registry import operation
from enid.ec2.unsupported import refuse
from enid.store import allocation, flow_logs, traffic_mirrors
from enid.store.ids import new_id, new_mac
from enid.store.tables import attachments, network_interfaces, security_groups, subnets, vpcs
from enid.store.tallies import NETWORK_INTERFACES, tally


@dataclass(frozen=True, slots=True)
class NewInterface:
    """An interface to be made."""

    subnet_id: str
    description: str = ""
    private_ip: str | None = None
    """The primary address; ``None``: any free one."""
    secondary_ips: tuple[str, ...] = ()
    secondary_count: int = 0
    """Secondary addresses of AWS's choice."""
    group_ids: tuple[str, ...] = ()
    """Empty: the VPC's default group."""
    has_groups: bool = True
    """Security groups apply to it."""
    ipv6_addresses: tuple[str, ...] = ()
    ipv6_count: int | None = None
    """``None``: one if the subnet assigns them on creation."""
    primary_ipv6: bool = False
    interface_type: str = "interface"
    source_dest_check: bool = True
    requester_id: str | None = None
    """The service that makes and manages it, if it is not the user's own."""
    associate_public_ip: bool | None = None
    """Whether the interface, as an instance's only one, gets a public address; ``None``: as the subnet says."""
    connection_tracking: Mapping[str, int] | None = None
    ipv4_prefixes: delegated_prefixes.Asked = delegated_prefixes.NOTHING
    ipv6_prefixes: delegated_prefixes.Asked = delegated_prefixes.NOTHING


def specified(params: Params, subnet_id: str) -> NewInterface:
    """The interface that CreateNetworkInterface's parameters, or one of RunInstances' ``NetworkInterfaces``, ask for.

    :raises AwsError: parameters that exclude each other, or that enid does not carry out.
    """
    refuse(params, "Operator")
    type_ = params.get("InterfaceType") or "interface"
    if type_ != "interface":
        raise unsupported(f"The interface type {type_} is not supported: the only one is interface.")
    primary, secondary = _private_addresses(params)
    ipv6, primary_ipv6 = _ipv6_addresses(params)
    assigned_addresses.exclude(params, "Ipv6Addresses", "Ipv6AddressCount", "Ipv6Prefixes", "Ipv6PrefixCount")
    for name in ("Ipv4PrefixCount", "Ipv6PrefixCount"):
        _count(params, name)
    tracking = params.get("ConnectionTrackingSpecification")
    return NewInterface(
        subnet_id=subnet_id,
        description=params.get("Description", ""),
        private_ip=primary,
        secondary_ips=secondary,
        secondary_count=_count(params, "SecondaryPrivateIpAddressCount") or 0,
        group_ids=tuple(params.get("Groups", ())),
        ipv6_addresses=ipv6,
        ipv6_count=_count(params, "Ipv6AddressCount"),
        primary_ipv6=primary_ipv6,
        associate_public_ip=params.get("AssociatePublicIpAddress"),
        connection_tracking=connection_tracking.check(tracking) if tracking else None,
        ipv4_prefixes=delegated_prefixes.asked(params, 4),
        ipv6_prefixes=delegated_prefixes.asked(params, 6),
    )


def _count(params: Params, name: str) -> int | None:
    count = params.get(name)
    if count is not None and count < 0:
        raise invalid_parameter_value(f"Value ({count}) for parameter {name[0].lower()}{name[1:]} is invalid.")
    return count


def _ipv6_addresses(params: Params) -> tuple[tuple[str, ...], bool]:
    """The IPv6 addresses asked for, and whether the first of them shall be the primary one."""
    listed = [item for item in params.get("Ipv6Addresses", ()) if item.get("Ipv6Address")]
    marked = [item["Ipv6Address"] for item in listed if item.get("IsPrimaryIpv6")]
    if len(marked) > 1:
        raise invalid_parameter_combination("Only one primary IPv6 address can be specified.")
    others = [item["Ipv6Address"] for item in listed if not item.get("IsPrimaryIpv6")]
    return (*marked, *others), bool(marked or params.get("EnablePrimaryIpv6") or params.get("PrimaryIpv6"))


_SECONDARY = "SecondaryPrivateIpAddressCount"


def _private_addresses(params: Params) -> tuple[str | None, tuple[str, ...]]:
    """The primary address asked for, if any, and the secondary ones."""
    listed = params.get("PrivateIpAddresses", ())
    if not all(item.get("PrivateIpAddress") for item in listed):
        raise missing_parameter("privateIpAddresses.privateIpAddress")
    marked = [item["PrivateIpAddress"] for item in listed if item.get("Primary")]
    alone = [params["PrivateIpAddress"]] if params.get("PrivateIpAddress") else []
    if len(marked) + len(alone) > 1:
        raise invalid_parameter_combination("Only one primary private IP address can be specified.")
    secondary = tuple(item["PrivateIpAddress"] for item in listed if not item.get("Primary"))
    secondaries = {"PrivateIpAddresses": secondary, "SecondaryPrivateIpAddressCount": params.get(_SECONDARY) or None}
    prefixes = {name: params.get(name) for name in ("Ipv4Prefixes", "Ipv4PrefixCount")}
    assigned_addresses.exclude(secondaries | prefixes, *secondaries, *prefixes)
    return next(iter(marked + alone), None), secondary


# --- create -----------------------------------------------------------------------------------------------------------

_GROUND = (
    select(
        subnets,
        vpcs.c.enable_dns_support,
        vpcs.c.enable_dns_hostnames,
        tally(NETWORK_INTERFACES, subnets.c.account_id).label("interfaces"),
        security_groups.c.id.label("default_group"),
    )
    .join(vpcs, vpcs.c.id == subnets.c.vpc_id)
    .outerjoin(
        security_groups,
        and_(security_groups.c.vpc_id == vpcs.c.id, security_groups.c.name == network_interface_groups.DEFAULT),
    )
    .where(subnets.c.id == bindparam("subnet"), subnets.c.account_id == bindparam("account"))
)
_INSERT = insert(network_interfaces).returning(*network_interfaces.c)


def create(
    ctx: Context, spec: NewInterface, given_tags: Sequence[dict[str, str]] = (), *, launching: bool = False
) -> str:
    """Make an interface with its addresses and groups; answers its id.

    :param launching: the call is RunInstances, which words an unknown group as most operations do.
    :raises AwsError: unknown subnet or groups, addresses that cannot be had, quotas.
    """
    row, _ = _create(ctx, spec, list(given_tags), launching=launching)
    return str(row.id)


@operation("CreateNetworkInterface")
def create_network_interface(ctx: Context, params: Params) -> Result:
    """Answers ``pending``, as AWS does; the interface is ``available`` at once."""
    given_tags = tags.specified(params, ("network-interface",)).get("network-interface", [])
    row, related = _create(ctx, specified(params, params["SubnetId"]), given_tags)
    shown = network_interface_view.created(ctx, row, related) | {"Status": "pending"}
    return {"NetworkInterface": shown, "ClientToken": params.get("ClientToken")}


def _create(
    ctx: Context, spec: NewInterface, given_tags: tags.TagList, *, launching: bool = False
) -> tuple[Row[Any], network_interface_view.Related]:
    ground = _ground(ctx, spec.subnet_id)
    groups: Sequence[network_interface_groups.Group] = []
    if spec.has_groups:
        groups = _groups(ctx, ground, spec.group_ids, creating=not launching)
    block = IPv4Network(ground.cidr_block)
    ipv4 = _ipv4(ctx, spec, ground, block)
    ipv6 = _ipv6(ctx, spec, ground)
    id_ = new_id("eni")
    with allocation.judged():
        row = ctx.db.execute(
            _INSERT, _values(ctx, spec, ground) | {"id": id_, "private_ip_address": str(ipv4[0])}
        ).one()
    rows = [
        allocation.private_row(ground.id, id_, address, block, position, is_primary=position == 0)
        for position, address in enumerate(ipv4)
    ]
    rows += [
        allocation.private_row(ground.id, id_, address, ipv6_addresses.block_of(ground), at)
        for at, address in enumerate(ipv6)
    ]
    allocation.add_private(ctx.db, rows)
    prefixes = _prefixes(ctx, spec, ground, id_)
    network_interface_groups.write(ctx, id_, groups)
    tags.write(ctx, "network-interface", [id_], given_tags)
    # No note for the agent: an interface that is attached to nothing carries nothing.
    related = network_interface_view.Related(
        addresses={id_: [(item["ip"], item["family"], item["is_primary"]) for item in rows]},
        groups={id_: [{"GroupId": group_id, "GroupName": name} for group_id, name in groups]},
        tags={id_: sorted(given_tags, key=lambda tag: tag["Key"])},
        named={ground.vpc_id: network_interface_view.named(ground.enable_dns_support, ground.enable_dns_hostnames)},
        prefixes={id_: prefixes},
    )
    return row, related


def _groups(
    ctx: Context, ground: Row[Any], group_ids: Sequence[str], *, creating: bool
) -> Sequence[network_interface_groups.Group]:
    if group_ids:
        return network_interface_groups.chosen(ctx, ground.vpc_id, group_ids, creating=creating)
    return [(ground.default_group, network_interface_groups.DEFAULT)] if ground.default_group else []


def _prefixes(ctx: Context, spec: NewInterface, ground: Row[Any], id_: str) -> list[tuple[int, str]]:
    """Prefixes come after addresses, so that the choice of one knows of the other."""
    result = []
    for family, wanted in ((4, spec.ipv4_prefixes), (6, spec.ipv6_prefixes)):
        if wanted.number:
            block = IPv4Network(ground.cidr_block) if family == 4 else ipv6_addresses.block_of(ground)
            result += [(family, prefix) for prefix in delegated_prefixes.give(ctx, ground.id, id_, block, wanted)]
    return result


def _ground(ctx: Context, subnet_id: str) -> Row[Any]:
    """The subnet, its VPC's DNS attributes and default group, and how many interfaces the account has."""
    check_id("subnet", subnet_id)
    row = ctx.db.execute(_GROUND, {"subnet": subnet_id, "account": ctx.account_id}).one_or_none()
    if row is None:
        raise not_found("subnet", subnet_id)
    if row.interfaces >= ctx.settings.quotas.network_interfaces:
        raise AwsError("NetworkInterfaceLimitExceeded", "The maximum number of network interfaces has been reached.")
    return row


def _ipv4(ctx: Context, spec: NewInterface, ground: Row[Any], block: IPv4Network) -> list[IPv4Address]:
    """The primary address, the secondary ones that were named, and those of AWS's choice."""
    named = [spec.private_ip, *spec.secondary_ips] if spec.private_ip else spec.secondary_ips
    given = assigned_addresses.parse(block, named)
    count = spec.secondary_count + (0 if spec.private_ip else 1)
    assigned_addresses.check_limit(len(given) + count + spec.ipv4_prefixes.number)
    _check_free(ctx, ground.id, block, given)
    kept = [address for prefix in delegated_prefixes.parse(block, spec.ipv4_prefixes.named) for address in prefix]
    chosen = private_ip_addresses.choose(ctx, ground, count, [*given, *kept])
    return [*given, *chosen] if spec.private_ip else [*chosen[:1], *given, *chosen[1:]]


def _ipv6(ctx: Context, spec: NewInterface, ground: Row[Any]) -> list[IPv6Address]:
    count = spec.ipv6_count
    if count is None and not spec.ipv6_addresses:
        count = int(ground.assign_ipv6_address_on_creation and ground.ipv6_cidr_block is not None)
    assigned_addresses.check_limit((count or len(spec.ipv6_addresses)) + spec.ipv6_prefixes.number)
    if not count and not spec.ipv6_addresses:
        return []
    block = ipv6_addresses.block_of(ground)
    given = assigned_addresses.parse(block, spec.ipv6_addresses)
    _check_free(ctx, ground.id, block, given)
    kept = delegated_prefixes.parse(block, spec.ipv6_prefixes.named)
    return given or ipv6_addresses.choose(ctx, ground.id, block, count or 0, kept)


def _check_free(
    ctx: Context,
    subnet_id: str,
    block: IPv4Network | IPv6Network,
    given: Sequence[IPv4Address] | Sequence[IPv6Address],
) -> None:
    used = [*assigned_addresses.taken(ctx, subnet_id, given)]
    for ip in used + delegated_prefixes.covering(ctx, subnet_id, block, given):
        raise AwsError("InvalidIPAddress.InUse", f"Address {ip} is in use.")


def _values(ctx: Context, spec: NewInterface, ground: Row[Any]) -> dict[str, Any]:
    public = spec.associate_public_ip
    return {
        "account_id": ctx.account_id,
        "vpc_id": ground.vpc_id,
        "subnet_id": ground.id,
        "availability_zone": ground.availability_zone,
        "availability_zone_id": ground.availability_zone_id,
        "description": spec.description,
        "mac_address": new_mac(),
        "interface_type": spec.interface_type,
        "source_dest_check": spec.source_dest_check,
        "requester_id": spec.requester_id,
        "requester_managed": spec.requester_id is not None,
        "associate_public_ip_address": ground.map_public_ip_on_launch if public is None else public,
        "enable_primary_ipv6": spec.primary_ipv6,
        "created_at": ctx.now,
    } | ({"connection_tracking": dict(spec.connection_tracking)} if spec.connection_tracking else {})


# --- delete, describe -------------------------------------------------------------------------------------------------


@operation("DeleteNetworkInterface")
def delete_network_interface(ctx: Context, params: Params) -> Result:
    """Delete an unattached interface; its addresses are free again and its Elastic IPs stay allocated."""
    interface = writable(ctx, params["NetworkInterfaceId"])
    attached = select(attachments.c.id).where(attachments.c.network_interface_id == interface.id)
    if attachment_id := ctx.db.execute(attached).scalar():
        raise in_use(interface.id, attachment_id)
    remove(ctx, interface.id)
    return {}


def remove(ctx: Context, network_interface_id: str) -> None:
    """Delete an interface that has no attachment (any more), with everything it has."""
    addresses.unmap(ctx, network_interface_id)
    tags.forget(ctx, [network_interface_id])
    flow_logs.forget(ctx.db, [network_interface_id])
    traffic_mirrors.forget(ctx.db, [network_interface_id])
    # its private addresses and its memberships of groups go with the row
    ctx.db.execute(delete(network_interfaces).where(network_interfaces.c.id == network_interface_id))
    ctx.note("network_interface", network_interface_id)


@operation("DescribeNetworkInterfaces")
def describe_network_interfaces(ctx: Context, params: Params) -> Result:
    """The caller's interfaces; no interface here is hidden, so ``IncludeManagedResources`` changes nothing."""
    rows, token = describe(ctx, params, "eni", catalogue(ctx.region), "NetworkInterfaceIds")
    return {"NetworkInterfaces": network_interface_view.describe(ctx, rows), "NextToken": token}
