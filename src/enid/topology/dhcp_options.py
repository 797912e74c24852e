"""A DHCP option set as instances see it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network

from enid.topology.services import RESOLVER

AMAZON_PROVIDED = "AmazonProvidedDNS"
"""In place of a server's address: the VPC's resolver at base + 2, and over IPv6 the one that every VPC has."""
LEASE_TIME = "ipv6-address-preferred-lease-time"
SHORTEST_LEASE, LONGEST_LEASE = 140, 2**31 - 1
"""Seconds. The shortest is the default."""


@dataclass(frozen=True, slots=True)
class DhcpOptions:
    domain_name: str = ""
    """One domain, or several between spaces."""
    domain_name_servers: tuple[str, ...] = ()
    """As they are written where an instance's resolver is configured: Amazon's by its IPv4 address."""
    ntp_servers: tuple[str, ...] = ()
    netbios_name_servers: tuple[str, ...] = ()
    netbios_node_type: int = 0
    ipv6_servers: tuple[str, ...] = ()
    """The servers of names that have an IPv6 address, Amazon's by its own."""
    ipv6_lease: int = SHORTEST_LEASE
    """Seconds for which an IPv6 address is preferred."""

    @property
    def domain(self) -> str:
        """What a host name ends in; empty when there is none."""
        return self.domain_name.split(" ")[0]

    @property
    def ipv4_servers(self) -> tuple[str, ...]:
        return tuple(server for server in self.domain_name_servers if ":" not in server)


def compile_options(values: Iterable[tuple[str, str]], vpc_block: str, dns_support: bool) -> DhcpOptions:
    """The option set of a VPC.

    :param values: (option, value) as given, in their order; none when the VPC has no set.
    :param vpc_block: its primary block, where :data:`AMAZON_PROVIDED` is.
    :param dns_support: without it the VPC's resolver does not answer, and is not named.
    """
    given: defaultdict[str, list[str]] = defaultdict(list)
    for key, value in values:
        given[key].append(value)
    resolver = (str(IPv4Network(ip_network(vpc_block)).network_address + 2),) if dns_support else ()
    resolver6 = tuple(str(address) for address in RESOLVER if address.version == 6 and dns_support)
    servers, ipv6_servers = (
        tuple(each for server in given["domain-name-servers"] for each in _meant(server, amazons))
        for amazons in (resolver, resolver6)
    )
    return DhcpOptions(
        " ".join(given["domain-name"]),
        servers,
        tuple(given["ntp-servers"]),
        tuple(given["netbios-name-servers"]),
        int(next(iter(given["netbios-node-type"]), "0")),
        tuple(server for server in ipv6_servers if ":" in server),
        int(next(iter(given[LEASE_TIME]), SHORTEST_LEASE)),
    )


def _meant(server: str, amazons: tuple[str, ...]) -> tuple[str, ...]:
    return amazons if server == AMAZON_PROVIDED else (server,)
