"""What a guest asks its router over IPv6 before it has an address: router solicitations, and DHCPv6. Pure.

Both go to a multicast group. The kernel makes a router member of one of them, on each link; of the other nobody is:
what goes there is sent on to an address the router has anyway, so that no link costs more than without. Neither is
tracked, and nothing is learned of it: the sender of a solicitation is blotted out, or the kernel would note it as a
neighbour. Who asks is known by the link, and by the MAC which must be its port's.
"""

from __future__ import annotations

from ipaddress import IPv6Address

from enid.fabric.linux.names import TABLE
from enid.netlink import expressions as nft
from enid.netlink.nftables import add_chain, add_rule
from enid.topology.services import DHCP6, RESOLVER, UDP

_TO = next(address for address in RESOLVER if address.version == 6).packed
"""Every router has it. An address of the link's own would be gone with its port's last IPv6 address, and whoever renews
the lease of that would not be told so."""
_ROUTERS = IPv6Address("ff02::2").packed
_SERVERS = IPv6Address("ff02::1:2").packed
_NOBODY = bytes(16)
_LINK_LOCAL, _LINK_LOCAL_MASK = IPv6Address("fe80::").packed, IPv6Address("ffc0::").packed
_MULTICAST, _MULTICAST_MASK = IPv6Address("ff00::").packed, IPv6Address("ff00::").packed

_FROM_NOBODY = nft.source(6) + nft.equal(_NOBODY)
FROM_LINK = nft.source(6) + nft.masked(_LINK_LOCAL_MASK) + nft.equal(_LINK_LOCAL)
_SOLICITS = nft.icmp_type(6, 133, 0)
_LEASES = nft.l4proto() + nft.equal(bytes((UDP,))) + nft.dport() + nft.equal(DHCP6.to_bytes(2, "big"))


def _to(address: bytes) -> bytes:
    return nft.destination(6) + nft.equal(address)


def _rule(chain: str, *expressions: bytes) -> bytes:
    return add_rule(TABLE, chain, *expressions)


def admitted(source: str) -> list[bytes]:
    """Where it is decided who may send from which address: nobody has these yet."""
    many = nft.destination(6) + nft.masked(_MULTICAST_MASK) + nft.equal(_MULTICAST)
    solicits = _to(_ROUTERS) + _SOLICITS
    untracked = nft.notrack() + nft.accept()
    return [
        add_chain(TABLE, "solicits"),
        _rule("solicits", FROM_LINK, _to(_SERVERS), _LEASES, nft.rewrite6(_TO, destination=True), untracked),
        _rule("solicits", FROM_LINK, solicits, nft.rewrite6(_NOBODY, destination=False), untracked),
        _rule("solicits", _FROM_NOBODY, solicits, untracked),
        _rule(source, nft.version(6), many, nft.jump("solicits")),
    ]


def asked(entrance: str) -> list[bytes]:
    """At the router's own input."""
    return [_rule(entrance, nft.version(6), question, nft.goto("asked")) for question in _QUESTIONS]


def answered(chain: str, forged: bytes, unwanted: bytes) -> list[bytes]:
    """For what is within the rate: it must be a port's, and from its MAC, or else one of these happens to it."""
    sender = nft.iifname() + nft.ether_source(nft.FIELD + 4)
    return [
        add_chain(TABLE, "known_by_link"),
        _rule("known_by_link", sender, nft.lookup_missing("macs"), forged),
        _rule("known_by_link", nft.iifname(), nft.lookup_value("subnet"), nft.accept()),
        _rule("known_by_link", unwanted),
        *(_rule(chain, nft.version(6), question, nft.goto("known_by_link")) for question in _QUESTIONS),
    ]


_QUESTIONS = (FROM_LINK + _to(_TO) + _LEASES, _FROM_NOBODY + _SOLICITS)
