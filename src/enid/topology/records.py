"""The records the fabric carries out. All frozen, all comparable: two equal records need no work.

A :data:`World` maps a key to a record. The reconciler compiles the wanted records of the keys that changed and hands
the fabric pairs of (applied, wanted).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Kind(StrEnum):
    """What a record is about; with an id, its key."""

    VPC = "vpc"
    ROUTE_TABLE = "route_table"
    NETWORK_ACL = "network_acl"
    SECURITY_GROUP = "security_group"
    PORT = "port"
    SITE = "site"


RecordKey = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet as the router sees it: its blocks and its gateway addresses (base + 1)."""

    id: str
    blocks: tuple[Network, ...]

    @property
    def gateways(self) -> tuple[Address, ...]:
        return tuple(block.network_address + 1 for block in self.blocks)


@dataclass(frozen=True, slots=True)
class VpnLink:
    """A VPN connection of the VPC's virtual private gateway, and the site at its far end."""

    id: str
    """vpn-…"""
    site: str | None
    """Name of the site with the customer gateway's public address; ``None``: nobody is there, it is down."""
    prefixes: tuple[Network, ...]
    """What lies behind the connection (its static routes)."""
    outside: tuple[IPv4Address, ...] = ()
    """The VPN gateway's addresses on the internet, one per tunnel."""


@dataclass(frozen=True, slots=True)
class Peering:
    """An active VPC peering connection, seen from one of its two VPCs."""

    id: str
    """pcx-…"""
    vpc_id: str
    """The VPC at the other side."""
    blocks: tuple[Network, ...]
    """The other VPC's: nothing else is ever sent or received over the connection."""


@dataclass(frozen=True, slots=True)
class Vpc:
    """A router: everything of a VPC that is not a port, a route table, a network ACL or a security group."""

    id: str
    blocks: tuple[Network, ...]
    subnets: tuple[Subnet, ...]
    internet: bool
    """An internet gateway is attached."""
    vpn: tuple[VpnLink, ...] = ()
    peerings: tuple[Peering, ...] = ()
    egress_only: bool = False
    """There is an egress-only internet gateway: IPv6 may go out, and only replies come in."""
    internet_table: str = ""
    """The route table (rtb-…) that what comes in through the internet gateway obeys: its routes are all within the VPC.
    Without one a packet goes straight to its address."""
    vpn_table: str = ""
    """The same for the virtual private gateway."""

    @property
    def key(self) -> RecordKey:
        return (Kind.VPC, self.id)

    @property
    def online(self) -> bool:
        """There is a way to the internet, whatever may use it."""
        return self.internet or self.egress_only

    @property
    def gateway_tables(self) -> tuple[str, ...]:
        """The route tables of its gateways."""
        return tuple(table for table in (self.internet_table, self.vpn_table) if table)


class TargetKind(StrEnum):
    """Where a route leads. Local routes are not listed: they follow from the VPC's blocks."""

    INTERNET = "internet"
    """The VPC's internet gateway."""
    EGRESS_ONLY = "egress_only"
    """The VPC's egress-only internet gateway; the destination is an IPv6 block."""
    VPN = "vpn"
    """``target`` is a VPN connection (vpn-…) of the VPC."""
    PORT = "port"
    """``target`` is an attached interface (eni-…); ``via`` its primary address of the route's family."""
    PEERING = "peering"
    """``target`` is an active peering connection (pcx-…) of the VPC."""
    BLACKHOLE = "blackhole"


@dataclass(frozen=True, slots=True)
class Route:
    destination: Network
    kind: TargetKind
    target: str = ""
    via: Address | None = None


@dataclass(frozen=True, slots=True)
class RouteTable:
    id: str
    vpc_id: str
    routes: tuple[Route, ...]
    """Sorted by destination; longest prefix wins; at most one route per destination."""

    @property
    def key(self) -> RecordKey:
        return (Kind.ROUTE_TABLE, self.id)


@dataclass(frozen=True, slots=True)
class AclEntry:
    """One numbered entry of a network ACL, in one direction."""

    number: int
    allow: bool
    protocol: int
    """IANA number; -1 is any."""
    block: Network
    """The far end: where a packet comes from (ingress) or goes to (egress)."""
    from_port: int = -1
    """TCP and UDP: first destination port. ICMP: the type, -1 any. Otherwise -1."""
    to_port: int = -1
    """TCP and UDP: last destination port. ICMP: the code, -1 any. Otherwise -1."""


@dataclass(frozen=True, slots=True)
class NetworkAcl:
    """What may cross the borders of subnets, packet by packet: the first entry that matches decides, and what none
    matches may not. Between interfaces of one subnet it has no say."""

    id: str
    vpc_id: str
    versions: tuple[int, ...]
    """The address families of the VPC: of others there are no packets."""
    subnets: tuple[str, ...]
    """Those it guards, sorted. Every subnet is guarded by at most one."""
    ingress: tuple[AclEntry, ...]
    egress: tuple[AclEntry, ...]
    """Both in the order of their numbers."""

    @property
    def key(self) -> RecordKey:
        return (Kind.NETWORK_ACL, self.id)

    def restricts(self, direction: str) -> bool:
        """Whether it may deny a packet; ``direction`` is ``ingress`` or ``egress``.

        An ACL with an allow-everything entry before any deny is as good as none, and costs nothing.
        """
        entries = self.egress if direction == "egress" else self.ingress
        return not all(_opens(entries, version) for version in self.versions)


def _opens(entries: tuple[AclEntry, ...], version: int) -> bool:
    for entry in entries:
        if entry.block.version == version:
            if not entry.allow:
                return False
            if entry.protocol == -1 and entry.block.prefixlen == 0:
                return True
    return False


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """One allow. Exactly one of ``cidr`` and ``group`` is set; prefix lists are already expanded."""

    protocol: int
    """IANA number; -1 is any."""
    from_port: int
    """TCP and UDP: first port. ICMP: the type, -1 any. Otherwise -1."""
    to_port: int
    """TCP and UDP: last port. ICMP: the code, -1 any. Otherwise -1."""
    cidr: str = ""
    """Canonical IPv4 or IPv6 block."""
    group: str = ""
    """sg-…: matches every private address of the attached ports that carry it."""
    peering: str = ""
    """pcx-…, where ``group`` is the peer VPC's: only what goes over that connection matches."""


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    id: str
    vpc_id: str
    ingress: tuple[Rule, ...]
    egress: tuple[Rule, ...]
    """Both sorted and without repetition."""

    @property
    def key(self) -> RecordKey:
        return (Kind.SECURITY_GROUP, self.id)


class Appliance(StrEnum):
    """What a port can be plugged into that is no instance; the fabric makes it. Values: AWS's interface types."""

    NAT_GATEWAY = "nat_gateway"
    """Sends on what it is given as if from its own addresses, and takes in replies only."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds after which an idle flow is forgotten: AWS's defaults, unless the interface says otherwise."""

    tcp_established: int = 432_000
    udp_stream: int = 180
    udp: int = 30


@dataclass(frozen=True, slots=True)
class MirrorRule:
    """One rule of a traffic mirror filter, in one direction."""

    accept: bool
    protocol: int
    """IANA number; -1 is any."""
    source: Network
    destination: Network
    """Of the same family."""
    source_ports: tuple[int, int] | None = None
    destination_ports: tuple[int, int] | None = None
    """First and last, of TCP and UDP only; ``None`` is any."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """A traffic mirror session of a port: where copies of its packets go, and of which."""

    id: str
    """tms-…"""
    target: IPv4Address
    """The primary address of the target's interface."""
    network: int
    """VXLAN's."""
    length: int | None
    """Most bytes of a packet, counted from its Ethernet header; ``None``: all that fit."""
    ingress: tuple[MirrorRule, ...]
    egress: tuple[MirrorRule, ...]
    """In order: the first that fits decides. None fits: not mirrored."""
    dns: bool = False
    """What is asked of Amazon's resolver, too, whatever the rules say."""


DEVICE_INDEXES = 100
"""How many device indexes there are on a network card; no instance type has so many interfaces."""


def number_of(network_card_index: int, device_index: int) -> int:
    """Different for each place of an instance, and the device index itself on the first network card."""
    return DEVICE_INDEXES * network_card_index + device_index


@dataclass(frozen=True, slots=True)
class Port:
    """An interface plugged into a running instance, or into an appliance."""

    id: str
    """eni-…"""
    attachment_id: str
    """eni-attach-…; a move is a new attachment, so the old and the new plug never share a name."""
    vpc_id: str
    subnet: Subnet
    route_table_id: str
    host: str
    instance_id: str
    """i-…, or the id of the appliance (nat-…)."""
    boot: int
    """The instance's boot number: a port is plugged anew when its instance starts again."""
    device_index: int
    network_card_index: int
    mac: str
    addresses: tuple[Address, ...]
    """Primary IPv4 first, then the others in order of assignment, then IPv6."""
    groups: tuple[str, ...]
    """sg-…, sorted; to an appliance that has none they do not apply."""
    source_dest_check: bool
    public: tuple[tuple[IPv4Address, IPv4Address], ...] = ()
    """(private, public) pairs: Elastic IPs and the auto-assigned address, sorted."""
    appliance: Appliance | None = None
    prefixes: tuple[Network, ...] = ()
    """Delegated to it whole, IPv4 before IPv6, sorted: packets arrive, and the guest does with them what it likes."""
    timeouts: Timeouts = Timeouts()
    logged: bool = False
    """A flow log watches it: each of its packets must be seen, so none may take a short cut past the router's rules."""
    mirrors: tuple[Mirror, ...] = ()
    """In the order they are asked: the first one with a filter that fits copies a packet."""

    @property
    def key(self) -> RecordKey:
        return (Kind.PORT, self.id)

    @property
    def gated(self) -> bool:
        """Security groups apply to it."""
        return self.appliance is None or bool(self.groups)

    @property
    def number(self) -> int:
        """Where it is plugged, as one number: ``number_of`` its card and index."""
        return number_of(self.network_card_index, self.device_index)

    @property
    def device(self) -> str:
        """The interface's name in the instance."""
        return f"eth{self.number}"


@dataclass(frozen=True, slots=True)
class Site:
    """A place outside AWS that enid plays, joined to the internet by its public addresses."""

    id: str
    """Its name."""
    public_ip: IPv4Address
    network: Network | None = None
    host_ip: Address | None = None
    public_ipv6: IPv6Address | None = None

    @property
    def key(self) -> RecordKey:
        return (Kind.SITE, self.id)

    @property
    def public(self) -> tuple[Address, ...]:
        """Its addresses on the internet."""
        return (self.public_ip, self.public_ipv6) if self.public_ipv6 else (self.public_ip,)


Record = Vpc | RouteTable | NetworkAcl | SecurityGroup | Port | Site
World = Mapping[RecordKey, Record]


@dataclass(frozen=True, slots=True)
class Change:
    """``old`` is what the fabric was last given for the key, ``new`` what is wanted; ``None`` is absence."""

    old: Record | None
    new: Record | None

    @property
    def key(self) -> RecordKey:
        record = self.new or self.old
        assert record is not None
        return record.key
