"""Small networks, written as records: the worlds the topology tests speak of."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network

from enid.topology.records import (
    Appliance,
    Port,
    Record,
    Route,
    RouteTable,
    Rule,
    SecurityGroup,
    Site,
    Subnet,
    TargetKind,
    Vpc,
    VpnLink,
    World,
)


def world(*records: Record) -> World:
    return {record.key: record for record in records}


def subnet(id_: str, block: str) -> Subnet:
    return Subnet(id_, (ip_network(block),))


def tcp(port: int, cidr: str = "", group: str = "") -> Rule:
    return Rule(6, port, port, cidr, group)


def all_traffic(cidr: str = "0.0.0.0/0") -> Rule:
    return Rule(-1, -1, -1, cidr)


def group(id_: str, *ingress: Rule, egress: tuple[Rule, ...] = (all_traffic(),), vpc: str = "vpc-1") -> SecurityGroup:
    return SecurityGroup(id_, vpc, tuple(sorted(ingress)), egress)


def to_internet(block: str = "0.0.0.0/0") -> Route:
    return Route(ip_network(block), TargetKind.INTERNET)


def to_vpn(block: str, link: str = "vpn-1") -> Route:
    return Route(ip_network(block), TargetKind.VPN, link)


def to_port(block: str, eni: str, via: str) -> Route:
    return Route(ip_network(block), TargetKind.PORT, eni, ip_address(via))


def out_only(block: str = "::/0") -> Route:
    return Route(ip_network(block), TargetKind.EGRESS_ONLY)


def blackhole(block: str) -> Route:
    return Route(ip_network(block), TargetKind.BLACKHOLE)


def table(id_: str, *routes: Route, vpc: str = "vpc-1") -> RouteTable:
    return RouteTable(id_, vpc, routes)


def port(
    id_: str,
    instance: str,
    where: Subnet,
    rtb: str,
    *addresses: str,
    groups: tuple[str, ...] = (),
    public: dict[str, str] | None = None,
    index: int = 0,
    check: bool = True,
    vpc: str = "vpc-1",
    appliance: Appliance | None = None,
) -> Port:
    return Port(
        id=id_,
        attachment_id=id_.replace("eni-", "eni-attach-"),
        vpc_id=vpc,
        subnet=where,
        route_table_id=rtb,
        host="host-1",
        instance_id=instance,
        boot=1,
        device_index=index,
        network_card_index=0,
        mac="02:00:00:00:00:01",
        addresses=tuple(ip_address(address) for address in addresses),
        groups=tuple(sorted(groups)),
        source_dest_check=check,
        public=tuple((IPv4Address(inside), IPv4Address(outside)) for inside, outside in (public or {}).items()),
        appliance=appliance,
    )


PUBLIC = subnet("subnet-public", "10.0.1.0/24")
MANAGEMENT = subnet("subnet-management", "10.0.2.0/24")
PRIVATE = subnet("subnet-private", "10.0.3.0/24")
CORP = Site("corp", IPv4Address("203.0.113.10"), ip_network("192.168.0.0/16"), ip_address("192.168.0.10"))
CLIENT = Site("client", IPv4Address("203.0.113.77"))

VPC = Vpc(
    "vpc-1",
    (ip_network("10.0.0.0/16"),),
    (PUBLIC, MANAGEMENT, PRIVATE),
    internet=True,
    vpn=(VpnLink("vpn-1", "corp", (ip_network("192.168.0.0/16"),)),),
)

WEB_PUBLIC = port(
    "eni-web0", "i-web", PUBLIC, "rtb-public", "10.0.1.10", groups=("sg-web",), public={"10.0.1.10": "198.18.0.5"}
)
WEB_MANAGEMENT = port(
    "eni-web1", "i-web", MANAGEMENT, "rtb-management", "10.0.2.10", groups=("sg-management",), index=1
)
APP = port("eni-app", "i-app", PRIVATE, "rtb-private", "10.0.3.20", groups=("sg-app",))
NAT = port(
    "eni-nat",
    "i-nat",
    PUBLIC,
    "rtb-public",
    "10.0.1.99",
    groups=("sg-nat",),
    public={"10.0.1.99": "198.18.0.9"},
    check=False,
)

DUAL_HOMED = world(
    VPC,
    CORP,
    CLIENT,
    WEB_PUBLIC,
    WEB_MANAGEMENT,
    APP,
    NAT,
    table("rtb-public", to_internet()),
    table("rtb-management", to_vpn("192.168.0.0/16")),
    table("rtb-private", to_port("0.0.0.0/0", "eni-nat", "10.0.1.99")),
    group("sg-web", tcp(80, "0.0.0.0/0")),
    group("sg-management", tcp(22, "192.168.0.0/16")),
    group("sg-app", tcp(8080, group="sg-web")),
    group("sg-nat", all_traffic("10.0.3.0/24")),
)
"""A web server with a public and a management interface, an application server behind a NAT instance, a corporate
network behind a tunnel, and a client somewhere on the internet."""


NAT_GATEWAY = port(
    "eni-natgw",
    "nat-1",
    PUBLIC,
    "rtb-public",
    "10.0.1.98",
    public={"10.0.1.98": "198.18.0.8"},
    check=False,
    appliance=Appliance.NAT_GATEWAY,
)


def but(base: World, *records: Record) -> World:
    """The world with some records replaced or added."""
    return {**base, **world(*records)}
