"""What an interface is told when it asks for a lease: always its own primary address. The store decides, nobody counts.

As AWS: secondary addresses are not given (the guest sets them itself, by what the metadata service says), a lease lasts
an hour, and the answer comes from the subnet's gateway.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from sqlalchemy import Connection, select

from enid import dns_names
from enid.services.dhcp import packet
from enid.services.dhcp.packet import Message
from enid.store import dhcp_options
from enid.store import tables as t
from enid.topology.dhcp_options import DhcpOptions

SECONDS = 3600
MTU = 9001


@dataclass(frozen=True, slots=True)
class Lease:
    """What the interface with a MAC gets."""

    attachment_id: str
    address: IPv4Address
    network: IPv4Network
    host_name: str
    options: DhcpOptions

    @property
    def gateway(self) -> IPv4Address:
        return self.network.network_address + 1


def of(db: Connection, vpc_id: str, mac: str) -> Lease | None:
    """The lease of the VPC's attached interface with this MAC."""
    interface, attachment = t.network_interfaces, t.attachments
    query = (
        select(
            interface.c.private_ip_address,
            attachment.c.id,
            attachment.c.instance_id,
            t.subnets.c.cidr_block,
            t.instances.c.extra,
        )
        .join(attachment, attachment.c.network_interface_id == interface.c.id)
        .join(t.subnets, t.subnets.c.id == interface.c.subnet_id)
        .join(t.instances, t.instances.c.id == attachment.c.instance_id)
        .where(interface.c.vpc_id == vpc_id, interface.c.mac_address == mac)
    )
    row = db.execute(query).first()
    return None if row is None else _lease(row, dhcp_options.of_vpcs(db, [vpc_id])[vpc_id])


def _lease(row: Any, options: DhcpOptions) -> Lease:
    kind = ((row.extra or {}).get("PrivateDnsNameOptions") or {}).get("HostnameType", "")
    return Lease(
        row.id,
        IPv4Address(row.private_ip_address),
        IPv4Network(row.cidr_block),
        dns_names.host_label(kind, row.instance_id, row.private_ip_address),
        options,
    )


def answer(asked: Message, lease: Lease) -> Message | None:
    """The server's part of the conversation; None where it is silent (RFC 2131, 4.3)."""
    server = asked.address(packet.SERVER)
    if server is not None and server != lease.gateway:
        return None  # another server was chosen; there is none, but that is the client's affair
    told = _told(lease)
    base = Message(asked.transaction, asked.mac, {}, asked.to_all, asked.client, lease.address, lease.gateway)
    if asked.type == packet.DISCOVER:
        return replace(base, options={packet.TYPE: bytes((packet.OFFER,)), **told})
    if asked.type == packet.INFORM:
        kept = {number: value for number, value in told.items() if number not in _TIMES}
        return replace(base, yours=packet.NOBODY, options={packet.TYPE: bytes((packet.ACK,)), **kept})
    if asked.type != packet.REQUEST:
        return None
    wanted = asked.address(packet.REQUESTED) or asked.client
    if wanted != lease.address:
        refusal = {packet.TYPE: bytes((packet.NAK,)), packet.SERVER: lease.gateway.packed}
        nobody = packet.NOBODY
        return replace(base, to_all=True, client=nobody, yours=nobody, server=nobody, options=refusal)
    return replace(base, options={packet.TYPE: bytes((packet.ACK,)), **told})


_TIMES = (packet.LEASE, packet.RENEWAL, packet.REBINDING)


def _told(lease: Lease) -> dict[int, bytes]:
    options = lease.options
    values = {
        packet.SERVER: lease.gateway.packed,
        packet.LEASE: SECONDS.to_bytes(4, "big"),
        packet.RENEWAL: (SECONDS // 2).to_bytes(4, "big"),
        packet.REBINDING: (SECONDS * 7 // 8).to_bytes(4, "big"),
        packet.MASK: lease.network.netmask.packed,
        packet.BROADCAST: lease.network.broadcast_address.packed,
        packet.ROUTER: lease.gateway.packed,
        packet.DNS: packet.addresses(options.ipv4_servers),
        packet.HOST_NAME: lease.host_name.encode(),
        packet.DOMAIN: options.domain_name.encode(),
        packet.MTU: MTU.to_bytes(2, "big"),
        packet.NTP: packet.addresses(server for server in options.ntp_servers if ":" not in server),
        packet.NETBIOS_SERVERS: packet.addresses(options.netbios_name_servers),
        packet.NETBIOS_NODE: bytes((options.netbios_node_type,)) if options.netbios_node_type else b"",
    }
    return {number: value for number, value in values.items() if value}
