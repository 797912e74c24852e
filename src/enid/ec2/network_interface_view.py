"""How an interface is shown: one dictionary per interface, whoever asks, from a constant number of statements.

DescribeNetworkInterfaces and DescribeInstances both come here, so that they can never tell two stories.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Row, Select, Text, bindparam, select

from enid.dns_names import private_suffix, public_suffix
from enid.ec2 import tags
from enid.ec2.context import Context
from enid.ec2.network_interface_access import AMAZON
from enid.store import tables as t
from enid.store.tallies import NETWORK_INTERFACES, tally

Shown = dict[str, Any]


@dataclass(slots=True)
class Related:
    """What belongs to interfaces, by interface id."""

    addresses: Mapping[str, Sequence[tuple[str, int, bool]]]
    """``(ip, family, is_primary)``, the primary one first."""
    groups: Mapping[str, Sequence[Shown]]
    tags: Mapping[str, tags.TagList]
    named: Mapping[str, tuple[bool, bool]]
    """By VPC: whether private addresses have DNS names, and public ones."""
    attachments: Mapping[str, Shown] = field(default_factory=dict)
    prefixes: Mapping[str, Sequence[tuple[int, str]]] = field(default_factory=dict)
    """``(family, prefix)``."""
    public: Mapping[tuple[str, str], Row[Any]] = field(default_factory=dict)
    """By interface and private address."""


def named(enable_dns_support: bool, enable_dns_hostnames: bool) -> tuple[bool, bool]:
    """Whether private and public addresses of a VPC get Amazon's DNS names: public ones need both attributes."""
    return enable_dns_hostnames, enable_dns_support and enable_dns_hostnames


def describe(ctx: Context, rows: Sequence[Row[Any]]) -> list[Shown]:
    """``NetworkInterface`` structures of these rows of ``network_interfaces``, in their order."""
    related = _related(ctx, rows)
    show = _Writer(ctx.region, related).show
    return [show(row) for row in rows]


def created(ctx: Context, row: Row[Any], related: Related) -> Shown:
    """The ``NetworkInterface`` that CreateNetworkInterface answers."""
    return _Writer(ctx.region, related).show(row)


PUBLIC_IPV4_NAME = "public-ipv4-dns-name"
_ON_INSTANCE = frozenset(
    (
        "Attachment",
        "Description",
        "Groups",
        "Ipv6Addresses",
        "MacAddress",
        "NetworkInterfaceId",
        "OwnerId",
        "PrivateDnsName",
        "PrivateIpAddress",
        "SourceDestCheck",
        "Status",
        "SubnetId",
        "VpcId",
        "InterfaceType",
        "Ipv4Prefixes",
        "Ipv6Prefixes",
        "ConnectionTrackingConfiguration",
        "Operator",
    )
)
_ASSOCIATION_ON_INSTANCE = ("IpOwnerId", "PublicDnsName", "PublicIp")
_ATTACHMENT_ON_INSTANCE = (
    "AttachTime",
    "AttachmentId",
    "DeleteOnTermination",
    "DeviceIndex",
    "NetworkCardIndex",
    "Status",
)


def shown_on_instances(ctx: Context, instance_ids: Iterable[str]) -> dict[str, list[Shown]]:
    """``InstanceNetworkInterface`` structures by instance, each list in the order of the device indexes.

    An instance without interfaces maps to ``[]``.
    """
    result: dict[str, list[Shown]] = {id_: [] for id_ in instance_ids}
    if not result:
        return result
    query = (
        select(t.network_interfaces, t.attachments.c.instance_id)
        .join(t.attachments, t.attachments.c.network_interface_id == t.network_interfaces.c.id)
        .where(t.attachments.c.instance_id.in_(list(result)))
        .order_by(t.attachments.c.network_card_index, t.attachments.c.device_index)
    )
    rows = ctx.db.execute(query).all()
    for row, interface in zip(rows, describe(ctx, rows), strict=True):
        result[row.instance_id].append(_on_instance(interface))
    return result


def _on_instance(interface: Shown) -> Shown:
    """The same interface with the fewer members that DescribeInstances has."""
    result = {name: value for name, value in interface.items() if name in _ON_INSTANCE}
    result["Attachment"] = {name: interface["Attachment"][name] for name in _ATTACHMENT_ON_INSTANCE}
    result["PrivateIpAddresses"] = [
        {**address, "Association": _association_on_instance(address)} for address in interface["PrivateIpAddresses"]
    ]
    result["Association"] = _association_on_instance(interface)
    return result


def _association_on_instance(shown: Shown) -> Shown | None:
    association = shown["Association"]
    return association and {name: association[name] for name in _ASSOCIATION_ON_INSTANCE}


# --- reading ----------------------------------------------------------------------------------------------------------

MANY = 200
"""From so many interfaces on it is cheaper to read what belongs to all of the account's than to name each, if it has
not many more."""
_CHUNK = 1000
"""So many are named at most in one statement; databases have a limit."""
_NAMED_ONES: BindParameter[Any] = bindparam("ids", expanding=True)
_ALL = select(t.network_interfaces.c.id).where(t.network_interfaces.c.account_id == bindparam("account"))


def _of_interfaces(query: Select[Any], interface: ColumnElement[str]) -> tuple[Select[Any], Select[Any]]:
    """The query for interfaces that are named, and for all of an account's."""
    return query.where(interface.in_(_NAMED_ONES)), query.where(interface.in_(_ALL))


_PRIVATE = t.private_addresses.c
_ADDRESSES = _of_interfaces(
    select(_PRIVATE.network_interface_id, _PRIVATE.ip, _PRIVATE.family, _PRIVATE.is_primary).order_by(
        _PRIVATE.network_interface_id, _PRIVATE.family, _PRIVATE.position
    ),
    _PRIVATE.network_interface_id,
)
_PREFIX = t.delegated_prefixes.c
_PREFIXES = _of_interfaces(
    select(_PREFIX.network_interface_id, _PREFIX.family, _PREFIX.cidr).order_by(
        _PREFIX.network_interface_id, _PREFIX.family, _PREFIX.block
    ),
    _PREFIX.network_interface_id,
)
_MEMBERSHIP = t.network_interface_groups.c
_GROUPS = _of_interfaces(
    select(_MEMBERSHIP.network_interface_id, t.security_groups.c.id, t.security_groups.c.name)
    .join(t.security_groups, t.security_groups.c.id == _MEMBERSHIP.group_id)
    .order_by(_MEMBERSHIP.network_interface_id, _MEMBERSHIP.position),
    _MEMBERSHIP.network_interface_id,
)
_ATTACHMENTS = _of_interfaces(
    select(t.attachments, t.instances.c.account_id).outerjoin(
        t.instances, t.instances.c.id == t.attachments.c.instance_id
    ),
    t.attachments.c.network_interface_id,
)
_PUBLIC = _of_interfaces(select(t.public_addresses), t.public_addresses.c.network_interface_id)
_TOTAL = select(tally(NETWORK_INTERFACES, bindparam("account", type_=Text)))
_VPCS = select(t.vpcs.c.id, t.vpcs.c.enable_dns_support, t.vpcs.c.enable_dns_hostnames).where(
    t.vpcs.c.id.in_(bindparam("ids", expanding=True))
)


def _total(ctx: Context) -> int:
    """How many interfaces the account has."""
    return int(ctx.db.execute(_TOTAL, {"account": ctx.account_id}).scalar_one())


def _related(ctx: Context, rows: Sequence[Row[Any]]) -> Related:
    ids = [row.id for row in rows]
    foreign = any(row.account_id != ctx.account_id for row in rows)  # attached to an instance of the caller's

    nearly_all = len(ids) >= MANY and not foreign and 2 * len(ids) >= _total(ctx)

    def read(queries: tuple[Select[Any], Select[Any]]) -> Sequence[Any]:
        if nearly_all:
            return ctx.db.execute(queries[1], {"account": ctx.account_id}).all()
        chunks = (ids[at : at + _CHUNK] for at in range(0, len(ids), _CHUNK))
        return [row for chunk in chunks for row in ctx.db.execute(queries[0], {"ids": chunk})]

    addresses: defaultdict[str, list[tuple[str, int, bool]]] = defaultdict(list)
    for id_, ip, family, is_primary in read(_ADDRESSES):
        addresses[id_].append((ip, family, is_primary))
    prefixes: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for id_, family, cidr in read(_PREFIXES):
        prefixes[id_].append((family, cidr))
    groups: defaultdict[str, list[Shown]] = defaultdict(list)
    for id_, group_id, name in read(_GROUPS):
        groups[id_].append({"GroupId": group_id, "GroupName": name})
    vpcs = ctx.db.execute(_VPCS, {"ids": list({row.vpc_id for row in rows})})
    return Related(
        addresses=addresses,
        groups=groups,
        tags=tags.shown(ctx, ids),
        named={id_: named(support, hostnames) for id_, support, hostnames in vpcs},
        prefixes=prefixes,
        attachments={row.network_interface_id: shown_attachment(row) for row in read(_ATTACHMENTS)},
        public={(row.network_interface_id, row.private_ip): row for row in read(_PUBLIC)},
    )


def shown_attachment(row: Row[Any]) -> Shown:
    """``NetworkInterfaceAttachment`` of a row of ``attachments`` with its instance's ``account_id``, if it has one."""
    return {
        "AttachTime": row.attach_time,
        "AttachmentId": row.id,
        "DeleteOnTermination": row.delete_on_termination,
        "DeviceIndex": row.device_index,
        "NetworkCardIndex": row.network_card_index,
        "InstanceId": row.instance_id,
        "InstanceOwnerId": row.account_id or AMAZON,
        "Status": row.status,
    }


def public_ip_dns_name_options(name: str | None) -> Shown | None:
    """There are public names of IPv4 addresses only."""
    return {"DnsHostnameType": PUBLIC_IPV4_NAME, "PublicIpv4DnsName": name} if name else None


# --- writing ----------------------------------------------------------------------------------------------------------


class _Writer:
    """Writes interfaces of one region; what is the same for all is looked up once."""

    __slots__ = ("private_suffix", "public_suffix", "related")

    def __init__(self, region: str, related: Related) -> None:
        self.related = related
        self.private_suffix, self.public_suffix = private_suffix(region), public_suffix(region)

    def show(self, row: Row[Any]) -> Shown:
        related = self.related
        id_, account_id = row.id, row.account_id
        private_names, public_names = related.named[row.vpc_id]
        ipv4: list[Shown] = []
        ipv6: list[Shown] = []
        for ip, family, is_primary in related.addresses[id_]:
            if family == 4:
                association = related.public.get((id_, ip))
                ipv4.append(
                    {
                        "Association": association and self._association(association, public_names),
                        "Primary": is_primary,
                        "PrivateDnsName": f"ip-{ip.replace('.', '-')}{self.private_suffix}" if private_names else None,
                        "PrivateIpAddress": ip,
                    }
                )
            else:
                ipv6.append({"Ipv6Address": ip, "IsPrimaryIpv6": row.enable_primary_ipv6 and not ipv6})
        prefixes = related.prefixes.get(id_, ())
        primary = ipv4[0]
        association = primary["Association"]
        return {
            "Association": association,
            "Attachment": related.attachments.get(id_),
            "AvailabilityZone": row.availability_zone,
            "AvailabilityZoneId": row.availability_zone_id,
            "ConnectionTrackingConfiguration": row.connection_tracking,
            "Description": row.description,
            "Groups": related.groups[id_],
            "InterfaceType": row.interface_type,
            "Ipv4Prefixes": [{"Ipv4Prefix": prefix} for family, prefix in prefixes if family == 4],
            "Ipv6Addresses": ipv6,
            "Ipv6Address": ipv6[0]["Ipv6Address"] if ipv6 else None,
            "Ipv6Prefixes": [{"Ipv6Prefix": prefix} for family, prefix in prefixes if family == 6],
            "MacAddress": row.mac_address,
            "NetworkInterfaceId": id_,
            "Operator": {"Managed": False},
            "OwnerId": account_id,
            "PrivateDnsName": primary["PrivateDnsName"],
            "PublicDnsName": association and association["PublicDnsName"],
            "PublicIpDnsNameOptions": association and public_ip_dns_name_options(association["PublicDnsName"]),
            "PrivateIpAddress": row.private_ip_address,
            "PrivateIpAddresses": ipv4,
            "RequesterId": row.requester_id,
            "RequesterManaged": row.requester_managed,
            "SourceDestCheck": row.source_dest_check,
            "Status": row.status,
            "SubnetId": row.subnet_id,
            "TagSet": related.tags[id_],
            "VpcId": row.vpc_id,
        }

    def _association(self, public: Row[Any], public_names: bool) -> Shown:
        ip = public.ip
        return {
            "AllocationId": public.allocation_id,
            "AssociationId": public.association_id,
            "IpOwnerId": public.account_id if public.allocation_id else "amazon",
            "PublicDnsName": f"ec2-{ip.replace('.', '-')}{self.public_suffix}" if public_names else None,
            "PublicIp": ip,
        }
