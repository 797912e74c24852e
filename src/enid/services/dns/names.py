"""Which names and addresses a VPC's resolver knows: asked of the store, one indexed question each."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import Any

from sqlalchemy import Connection, select

from enid.services import holders
from enid.store import tables as t
from enid.topology.records import Address


@dataclass(frozen=True, slots=True)
class Host:
    """An instance by its resource name; only what may be answered."""

    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...]


class Names:
    """What one VPC's instances may look up, in one snapshot of the store."""

    def __init__(self, db: Connection, vpc_id: str) -> None:
        self._db = db
        self._vpc_id = vpc_id

    def served(self) -> bool:
        """Whether the VPC has a resolver (``enableDnsSupport``)."""
        query = select(t.vpcs.c.enable_dns_support).where(t.vpcs.c.id == self._vpc_id)
        return bool(self._db.execute(query).scalar())

    def is_attached(self, address: Address) -> bool:
        """An attached interface of the VPC has this private address."""
        return self._holder(address) is not None

    def instance_of(self, address: Address) -> str | None:
        """The instance with this address, if its resource name leads there."""
        holder = self._holder(address)
        id_ = holder.instance_id if holder else None
        host = self.instance(id_) if id_ else None
        known = host is not None and str(address) in (*host.ipv4, *host.ipv6)
        return id_ if known else None

    def _holder(self, address: Address) -> Any:
        """The row of the attachment; of a NAT gateway's too, which has no instance."""
        row = holders.attachment(self._db, self._vpc_id, address)
        return row if row is not None and row.status in ("attaching", "attached") else None

    def instance(self, instance_id: str) -> Host | None:
        """An instance whose resource name is in use: the addresses of its primary interface, as its options allow."""
        attachment, private = t.attachments.c, t.private_addresses.c
        query = (
            select(t.instances.c.extra, private.ip, private.family, private.is_primary)
            .join(t.attachments, attachment.instance_id == t.instances.c.id)
            .join(t.private_addresses, private.network_interface_id == attachment.network_interface_id)
            .where(t.instances.c.id == instance_id, t.instances.c.vpc_id == self._vpc_id)
            .where(attachment.device_index == 0, attachment.network_card_index == 0)
            .order_by(private.position)
        )
        rows = self._db.execute(query).all()
        options: dict[str, Any] = ((rows[0].extra or {}).get("PrivateDnsNameOptions") or {}) if rows else {}
        if not any(options.get(f"EnableResourceNameDns{kind}Record") for kind in ("A", "AAAA")):
            return None
        ipv4 = tuple(row.ip for row in rows if row.family == 4 and row.is_primary)
        ipv6 = tuple(row.ip for row in rows if row.family == 6)
        return Host(
            ipv4 if options.get("EnableResourceNameDnsARecord") else (),
            ipv6 if options.get("EnableResourceNameDnsAAAARecord") else (),
        )

    def public(self, address: IPv4Address) -> IPv4Address | None:
        """What the public name of this address leads to from here: the private address behind it within the VPC, else
        itself. None when it has no name: nobody uses it, or its VPC has no public names."""
        query = (
            select(t.network_interfaces.c.vpc_id, t.public_addresses.c.private_ip)
            .join(t.network_interfaces, t.network_interfaces.c.id == t.public_addresses.c.network_interface_id)
            .join(t.vpcs, t.vpcs.c.id == t.network_interfaces.c.vpc_id)
            .where(t.public_addresses.c.ip == str(address), t.public_addresses.c.private_ip.is_not(None))
            .where(t.vpcs.c.enable_dns_support, t.vpcs.c.enable_dns_hostnames)
        )
        row = self._db.execute(query).first()
        if row is None:
            return None
        inside = row.vpc_id == self._vpc_id
        return IPv4Address(ip_address(row.private_ip)) if inside else address
