"""A DHCP option set as instances see it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network

AMAZON_PROVIDED = "AmazonProvidedDNS"
"""In place of a server's address: the VPC's resolver at base + 2."""


@dataclass(frozen=True, slots=True)
class DhcpOptions:
    domain_name: str = ""
    """One domain, or several between spaces."""
    domain_name_servers: tuple[str, ...] = ()
    ntp_servers: tuple[str, ...] = ()
    netbios_name_servers: tuple[str, ...] = ()
    netbios_node_type: int = 0

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
    servers: list[str] = []
    for server in given["domain-name-servers"]:
        servers += resolver if server == AMAZON_PROVIDED else (server,)
    return DhcpOptions(
        " ".join(given["domain-name"]),
        tuple(servers),
        tuple(given["ntp-servers"]),
        tuple(given["netbios-name-servers"]),
        int(next(iter(given["netbios-node-type"]), "0")),
    )
