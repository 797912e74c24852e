"""What an interface gets by DHCPv6: all the IPv6 addresses it has now, and for how long. The store decides.

As AWS: an address is preferred for 140 seconds, or as long as the option set says, and valid for some minutes more.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address

from sqlalchemy import Connection, select

from enid.store import dhcp_options
from enid.store import tables as t
from enid.topology.dhcp_options import DhcpOptions

_GRACE = 310
"""Seconds that an address stays valid when it is not preferred any more."""
_LONGEST_SILENCE = 21_845
"""Seconds after which a client asks at the latest. With the lease it gets an advertisement, and no router is advertised
for more than three times that."""
_ROUTER_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Lease:
    """What the interface at a link gets."""

    mac: bytes
    addresses: tuple[IPv6Address, ...]
    options: DhcpOptions

    @property
    def seconds(self) -> tuple[int, int]:
        """An address is preferred, and valid."""
        return self.options.ipv6_lease, self.options.ipv6_lease + _GRACE

    @property
    def times(self) -> tuple[int, int]:
        """The client renews the lease, and asks for it anew if nobody has answered."""
        renewal = min(self.options.ipv6_lease // 2, _LONGEST_SILENCE)
        return renewal, renewal * 8 // 5

    @property
    def router_seconds(self) -> int:
        """The router is the default router for."""
        return max(_ROUTER_SECONDS, 3 * self.times[0])


def of(db: Connection, vpc_id: str, attachment: str) -> Lease | None:
    """The lease of the VPC's interface whose attachment's id ends so; None when there is none."""
    interface = t.network_interfaces
    at_link = (
        select(interface.c.id, interface.c.mac_address)
        .join(t.attachments, t.attachments.c.network_interface_id == interface.c.id)
        .where(t.attachments.c.link == attachment, interface.c.vpc_id == vpc_id)
    )
    row = db.execute(at_link).first()
    if row is None:
        return None
    own = t.private_addresses.c
    sixes = select(own.ip).where(own.network_interface_id == row.id, own.family == 6).order_by(own.position)
    addresses = tuple(map(IPv6Address, db.execute(sixes).scalars()))
    return Lease(bytes.fromhex(row.mac_address.replace(":", "")), addresses, dhcp_options.of_vpcs(db, [vpc_id])[vpc_id])
