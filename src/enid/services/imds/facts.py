"""What the metadata service says of an instance, read from the store in one snapshot: what the API says right now.

A constant number of statements. Only reads; :mod:`tree` says where each fact stands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from enid.store import dhcp_options
from enid.store import tables as t
from enid.topology.dhcp_options import DhcpOptions


@dataclass(frozen=True, slots=True)
class VpcFacts:
    id: str
    block: str
    blocks: tuple[str, ...]
    ipv6_blocks: tuple[str, ...]
    public_names: bool
    options: DhcpOptions


@dataclass(frozen=True, slots=True)
class InterfaceFacts:
    """One attached interface."""

    id: str
    owner: str
    mac: str
    device_index: int
    network_card_index: int
    subnet_id: str
    subnet_block: str
    subnet_ipv6_block: str
    vpc: VpcFacts
    ipv4: tuple[str, ...]
    """The primary one first."""
    ipv6: tuple[str, ...]
    ipv4_prefixes: tuple[str, ...]
    ipv6_prefixes: tuple[str, ...]
    public: tuple[tuple[str, str], ...]
    """(private, public), in the order of the private addresses."""
    groups: tuple[tuple[str, str], ...]
    """(id, name)."""


@dataclass(frozen=True, slots=True)
class Facts:
    instance: Row[Any]
    """Columns of ``instances``, and ``public_key``."""
    interfaces: tuple[InterfaceFacts, ...]
    """By network card and device index: the primary one first."""
    tags: tuple[tuple[str, str], ...]


def read(db: Connection, instance_id: str) -> Facts | None:
    """None when there is no such instance (any more)."""
    keys = t.key_pairs.c
    query = select(t.instances, keys.public_key).outerjoin(
        t.key_pairs, (keys.account_id == t.instances.c.account_id) & (keys.name == t.instances.c.key_name)
    )
    row = db.execute(query.where(t.instances.c.id == instance_id)).first()
    if row is None:
        return None
    tags = db.execute(select(t.tags.c.key, t.tags.c.value).where(t.tags.c.resource_id == instance_id))
    return Facts(row, tuple(_interfaces(db, instance_id)), tuple(sorted((key, value) for key, value in tags)))


def _interfaces(db: Connection, instance_id: str) -> list[InterfaceFacts]:
    interface, attachment, subnet = t.network_interfaces, t.attachments, t.subnets
    query = (
        select(
            interface.c.id,
            interface.c.account_id,
            interface.c.vpc_id,
            interface.c.mac_address,
            interface.c.subnet_id,
            attachment.c.device_index,
            attachment.c.network_card_index,
            subnet.c.cidr_block,
            subnet.c.ipv6_cidr_block,
        )
        .join(attachment, attachment.c.network_interface_id == interface.c.id)
        .join(subnet, subnet.c.id == interface.c.subnet_id)
        .where(attachment.c.instance_id == instance_id, attachment.c.status.in_(("attaching", "attached")))
        .order_by(attachment.c.network_card_index, attachment.c.device_index)
    )
    rows = db.execute(query).all()
    ids = [row.id for row in rows]
    vpcs = _vpcs(db, {row.vpc_id for row in rows})
    addresses, groups, public, prefixes = _addresses(db, ids), _groups(db, ids), _public(db, ids), _prefixes(db, ids)
    return [
        _one(row, vpcs[row.vpc_id], addresses[row.id], prefixes[row.id], groups[row.id], public[row.id]) for row in rows
    ]


def _one(
    row: Any,
    vpc: VpcFacts,
    addresses: Sequence[tuple[str, int]],
    prefixes: Sequence[tuple[str, int]],
    groups: Sequence[tuple[str, str]],
    public: Mapping[str, str],
) -> InterfaceFacts:
    ipv4 = tuple(ip for ip, family in addresses if family == 4)
    return InterfaceFacts(
        id=row.id,
        owner=row.account_id,
        mac=row.mac_address,
        device_index=row.device_index,
        network_card_index=row.network_card_index,
        subnet_id=row.subnet_id,
        subnet_block=row.cidr_block,
        subnet_ipv6_block=row.ipv6_cidr_block or "",
        vpc=vpc,
        ipv4=ipv4,
        ipv6=tuple(ip for ip, family in addresses if family == 6),
        ipv4_prefixes=tuple(cidr for cidr, family in prefixes if family == 4),
        ipv6_prefixes=tuple(cidr for cidr, family in prefixes if family == 6),
        public=tuple((ip, public[ip]) for ip in ipv4 if ip in public),
        groups=tuple(groups),
    )


def _addresses(db: Connection, ids: Sequence[str]) -> Mapping[str, list[tuple[str, int]]]:
    private = t.private_addresses.c
    query = select(private.network_interface_id, private.ip, private.family).order_by(
        private.is_primary.desc(), private.position
    )
    found: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for id_, ip, family in db.execute(query.where(private.network_interface_id.in_(ids))):
        found[id_].append((ip, family))
    return found


def _prefixes(db: Connection, ids: Sequence[str]) -> Mapping[str, list[tuple[str, int]]]:
    prefix = t.delegated_prefixes.c
    query = select(prefix.network_interface_id, prefix.cidr, prefix.family).order_by(prefix.family, prefix.block)
    found: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for id_, cidr, family in db.execute(query.where(prefix.network_interface_id.in_(ids))):
        found[id_].append((cidr, family))
    return found


def _groups(db: Connection, ids: Sequence[str]) -> Mapping[str, list[tuple[str, str]]]:
    member, group = t.network_interface_groups.c, t.security_groups
    query = select(member.network_interface_id, group.c.id, group.c.name).join(group, group.c.id == member.group_id)
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for id_, group_id, name in db.execute(query.where(member.network_interface_id.in_(ids)).order_by(member.position)):
        found[id_].append((group_id, name))
    return found


def _public(db: Connection, ids: Sequence[str]) -> Mapping[str, dict[str, str]]:
    public = t.public_addresses.c
    query = select(public.network_interface_id, public.private_ip, public.ip)
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for id_, private, ip in db.execute(
        query.where(public.network_interface_id.in_(ids), public.private_ip.is_not(None))
    ):
        found[id_][private] = ip
    return found


def _vpcs(db: Connection, ids: set[str]) -> dict[str, VpcFacts]:
    options = dhcp_options.of_vpcs(db, ids)
    blocks: defaultdict[str, list[Any]] = defaultdict(list)
    block = t.vpc_cidr_blocks.c
    for row in db.execute(
        select(block.vpc_id, block.cidr_block, block.family)
        .where(block.vpc_id.in_(ids), block.state == "associated")
        .order_by(block.is_primary.desc(), block.id)
    ):
        blocks[row.vpc_id].append(row)
    return {
        row.id: VpcFacts(
            row.id,
            row.cidr_block,
            tuple(block.cidr_block for block in blocks[row.id] if block.family == 4),
            tuple(block.cidr_block for block in blocks[row.id] if block.family == 6),
            row.enable_dns_support and row.enable_dns_hostnames,
            options[row.id],
        )
        for row in db.execute(select(t.vpcs).where(t.vpcs.c.id.in_(ids)))
    }
