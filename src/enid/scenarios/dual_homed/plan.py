"""Who is who in the dual-homed network: names, addresses, ports. Nothing here does anything."""

from __future__ import annotations

from dataclasses import dataclass

VPC_BLOCK = "10.0.0.0/16"
PUBLIC_BLOCK = "10.0.1.0/24"
MANAGEMENT_BLOCK = "10.0.2.0/24"

CORPORATE_BLOCK = "192.168.0.0/16"
ADMINISTRATOR = "192.168.0.10"
CORPORATE_PUBLIC_IP = "203.0.113.1"
CLIENT_PUBLIC_IP = "203.0.113.80"

INSTANCE_TYPE = "t3.medium"
"""Three interfaces of six addresses each."""

HTTP, SSH, ECHO = 80, 22, 7


@dataclass(frozen=True, slots=True)
class Server:
    """A web server that is managed over a network of its own."""

    name: str
    public: str
    """eth0, in the public subnet."""
    management: str
    """eth1, in the management subnet."""


WEB_1 = Server("web-1", "10.0.1.11", "10.0.2.11")
WEB_2 = Server("web-2", "10.0.1.12", "10.0.2.12")
SERVERS = (WEB_1, WEB_2)
PEER = "10.0.1.50"
"""A plain instance in the public subnet, from where the neighbours' side of things is seen."""

APPLICATIONS = {"10.0.1.100": "shop", "10.0.1.101": "blog", "10.0.1.102": "wiki"}
"""Addresses of the interface that moves, the primary one first, and the application that lives on each."""
FLOATING = next(iter(APPLICATIONS))
