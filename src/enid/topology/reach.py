"""Can A reach B, and if not, why? The one pure answer.

It walks a conversation's first packet through the records as AWS documents them: the sender's groups, its subnet's
route table and network ACL, gateways and address translation, the receiver's network ACL and groups, and the way back
of the reply. It knows nothing of nftables and must not: it is the oracle that the packet tests hold the data plane to.

What it takes for granted: guests route as a good guest does (each address answers through its own interface); groups
are stateful, so a reply is never judged by them, only by the routes it needs; network ACLs are not, so the reply is
judged at each border the request crossed, on its way to any of the ports clients send from; a route to an interface
leads to a NAT gateway, or to an instance that sends on from that same interface: as it is what is bound for the VPC, or
comes or goes where the internet gateway has a route table, as a firewall does; else translated, as a NAT instance does;
a site's own firewall lets everything pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from enid.topology import network_acls, services
from enid.topology.blocks import ANYWHERE, block_of, covered, exactly, is_private, show, within
from enid.topology.network_acls import EGRESS, INGRESS
from enid.topology.places import PING, NotAttached, Place, Traffic, UnknownPlace, place, ports, sites
from enid.topology.places import traffic as parse_traffic
from enid.topology.records import (
    AclEntry,
    Address,
    Kind,
    Network,
    NetworkAcl,
    Port,
    Route,
    RouteTable,
    Rule,
    SecurityGroup,
    Site,
    TargetKind,
    Vpc,
    VpnLink,
    World,
)
from enid.topology.tracking import Way, automatically, is_tracked


class Reason(StrEnum):
    """Why a packet does not arrive."""

    NOT_ATTACHED = "not-attached"
    EGRESS = "egress-groups"
    INGRESS = "ingress-groups"
    ACL_EGRESS = "egress-network-acl"
    ACL_INGRESS = "ingress-network-acl"
    SOURCE_DEST_CHECK = "source-dest-check"
    NO_ROUTE = "no-route"
    BLACKHOLE = "blackhole"
    LOOP = "loop"
    NO_INTERFACE = "no-interface"
    """The address lies in the VPC, and no attached interface has it."""
    NO_PUBLIC_ADDRESS = "no-public-address"
    NO_INTERNET_GATEWAY = "no-internet-gateway"
    TUNNEL_DOWN = "tunnel-down"
    NOT_BEHIND_TUNNEL = "not-behind-tunnel"
    OTHER_VPC = "other-vpc"
    BEYOND_PEER = "beyond-peer"
    """A peering connection carries packets between its two VPCs' own addresses, and no further."""
    NOBODY = "nobody"
    """Out on the internet, or at a site, no one has the address."""
    NOT_SERVED = "not-served"
    """The VPC itself has the address, and does not answer that there."""
    NO_WAY_BACK = "no-way-back"
    FAMILY = "address-family"
    REPLIES_ONLY = "replies-only"
    """A NAT gateway takes in nothing that it did not ask for."""


class Part(StrEnum):
    """The kinds of component a packet meets."""

    INSTANCE = "instance"
    INTERFACE = "network-interface"
    SERVICE = "vpc-service"
    SECURITY_GROUPS = "security-groups"
    ROUTE_TABLE = "route-table"
    NETWORK_ACL = "network-acl"
    INTERNET_GATEWAY = "internet-gateway"
    EGRESS_ONLY_GATEWAY = "egress-only-internet-gateway"
    NAT_GATEWAY = "nat-gateway"
    VPN = "vpn-connection"
    PEERING = "vpc-peering-connection"
    SITE = "site"
    INTERNET = "internet"


@dataclass(frozen=True, slots=True)
class Packet:
    """Who writes to whom, as the addresses are at some point of the way."""

    src: Network
    dst: Network


@dataclass(frozen=True, slots=True)
class Hop:
    """What one component decided."""

    part: Part
    id: str
    says: str
    passed: bool = True
    by: Rule | AclEntry | Route | Network | None = None
    """What of the component decided; a block is that of a local route. ``None``: no single thing, or nothing at all."""
    port: str = ""
    """The interface it decided about: of security groups and network ACLs, eni-…"""
    direction: str = ""
    """The same: ``ingress`` or ``egress``."""
    packet: Packet | None = None
    """What the component sends on, or would have."""
    reply: bool = False
    """It is the answer that is spoken of."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer. ``reason`` and ``sentence`` are set exactly when it is no, and the last hop says so."""

    reachable: bool
    hops: tuple[Hop, ...]
    reason: Reason | None = None
    sentence: str = ""


def reach(
    world: World,
    source: str | Place,
    destination: str | Place,
    traffic: str | Traffic,
    down: Collection[str] = (),
) -> Verdict:
    """Whether ``traffic`` from ``source`` arrives at ``destination`` and its reply comes back.

    Places and traffic may be given as the words :mod:`enid.topology.places` reads. A source that is an address no
    interface and no site has is a host on the internet. A ping is ICMPv6 to an IPv6 address.

    :param down: VPN connections (vpn-…) with a site, and without a tunnel that is up.
    :raises UnknownPlace: a word that names nothing, or a private source address that nobody (or more than one) has.
    """
    path = _Path(world, parse_traffic(traffic) if isinstance(traffic, str) else traffic, down)
    try:
        start = place(world, source) if isinstance(source, str) else source
        end = place(world, destination) if isinstance(destination, str) else destination
        path.run(_sender(world, start), end)
    except NotAttached as absent:
        return Verdict(False, (), Reason.NOT_ATTACHED, str(absent))
    except _Blocked as blocked:
        return Verdict(False, tuple(path.hops), blocked.reason, blocked.hop.says)
    return Verdict(True, tuple(path.hops))


class _Blocked(Exception):
    def __init__(self, reason: Reason, hop: Hop) -> None:
        self.reason, self.hop = reason, hop


@dataclass
class _Path:
    """The walk. Source and destination are blocks: one address, or ``/0`` for anybody on the internet."""

    world: World
    traffic: Traffic
    down: Collection[str]

    def __post_init__(self) -> None:
        self.hops: list[Hop] = []
        self.packet: Packet | None = None
        """As it is now; translations change it."""
        self.borders: list[tuple[Port, str, Network]] = []
        """Of subnets, crossed so far: whose subnet, in which direction, and the far end."""

    def passes(self, part: Part, id_: str, says: str, **decided: Any) -> None:
        """``decided``: further members of the :class:`Hop`."""
        self.hops.append(Hop(part, id_, says, **{"packet": self.packet, **decided}))

    def blocked(self, reason: Reason, part: Part, id_: str, says: str, **decided: Any) -> _Blocked:
        self.passes(part, id_, says, passed=False, **decided)
        return _Blocked(reason, self.hops[-1])

    # --- setting out --------------------------------------------------------------------------------------------------

    def run(self, start: Place, end: Place) -> None:
        dst = self.aim(start, end)
        if self.traffic in PING.values():
            self.traffic = PING[dst.version]
        match start.where:
            case Port():
                port = _leaving(start.where, start.siblings, dst)
                self.leave(port, self.source(port, start.address, dst), dst, ())
            case Site() as site:
                self.leave_site(site, start.address, dst, end)
            case None:
                src = exactly(start.address) if start.address else ANYWHERE[dst.version]
                self.packet = Packet(src, dst)
                self.passes(Part.INTERNET, "", f"{show(src)} sends {self.traffic} to {show(dst)}")
                self.internet(src, dst)
        self.reply()

    def aim(self, start: Place, end: Place) -> Network:
        """The address the sender would write on the packet."""
        if end.address:
            return exactly(end.address)
        match start.where, end.where:
            case Port() as near, Port() as far if near.vpc_id == far.vpc_id or self.peering(near.vpc_id, far.vpc_id):
                return exactly(_same_family(far.addresses, near.addresses[0]))
            case Site() as near, Port() as far if self.links(near, far.vpc_id):
                return exactly(_same_family(far.addresses, near.host_ip or near.public_ip))
            case near, Port() as far:
                return self.public_of(far, near)
            case Port() as near, Site() as far if far.host_ip and self.links(far, near.vpc_id):
                return exactly(far.host_ip)
            case Port() as near, Site() as far:
                return exactly(_same_family(far.public, near.addresses[0]))
            case _, Site() as far:
                return exactly(far.public_ip)
            case Port() as near, None:
                return ANYWHERE[near.addresses[0].version]
        return ANYWHERE[4]

    def public_of(self, far: Port, near: Port | Site | None) -> Network:
        public = [exactly(outside) for address in far.addresses for inside, outside in far.public if inside == address]
        public += [exactly(address) for address in far.addresses if address.version == 6]
        if public:
            return public[0]
        if isinstance(near, Port):
            says = (
                f"{near.id} and {far.id} are in different VPCs, which nothing joins, and {far.id} has no public address"
            )
            raise self.blocked(Reason.OTHER_VPC, Part.INTERFACE, far.id, says)
        says = f"{far.id} has no public address, so nothing outside {far.vpc_id} can name it"
        raise self.blocked(Reason.NO_PUBLIC_ADDRESS, Part.INTERFACE, far.id, says)

    def source(self, port: Port, given: Address | None, dst: Network) -> Network:
        if given:
            return exactly(given)
        mine = [address for address in port.addresses if address.version == dst.version]
        if not mine:
            says = f"{port.id} has no IPv{dst.version} address to reach {show(dst)} from"
            raise self.blocked(Reason.FAMILY, Part.INTERFACE, port.id, says)
        return exactly(mine[0])

    # --- through a VPC ------------------------------------------------------------------------------------------------

    def leave(self, port: Port, src: Network, dst: Network, seen: tuple[str, ...]) -> None:
        """Out of an interface and wherever its subnet's route table leads."""
        self.packet = Packet(src, dst)
        own = {exactly(address) for one in ports(self.world) if _same_guest(one, port) for address in one.addresses}
        if dst in own:
            self.passes(Part.INSTANCE, port.instance_id, f"{show(dst)} is its own address: the packet stays inside")
            return
        self.passes(Part.INTERFACE, port.id, f"sends {self.traffic} from {show(src)} to {show(dst)}")
        if port.source_dest_check and not _is_mine(port, src):
            says = f"{show(src)} is not an address of {port.id}, whose source/destination check is on"
            raise self.blocked(Reason.SOURCE_DEST_CHECK, Part.INTERFACE, port.id, says)
        if self.is_served(port, src, dst):
            return
        self.gate(port, EGRESS, dst, self.over(port, dst))
        self.route(port, src, dst, (*seen, port.id))

    def is_served(self, port: Port, src: Network, dst: Network) -> bool:
        """By the VPC itself: before any group and any route table, but only to an address of the interface."""
        vpc = self.vpc(port.vpc_id)
        if dst not in map(exactly, services.addresses(vpc)):
            return False
        if not _is_mine(port, src):
            says = f"{vpc.id} answers only addresses of {port.id}, and {show(src)} is none"
            raise self.blocked(Reason.SOURCE_DEST_CHECK, Part.SERVICE, vpc.id, says)
        served = {(protocol, port) for address, protocol, port in services.endpoints(vpc) if exactly(address) == dst}
        if (self.traffic.protocol, self.traffic.number) not in served:
            raise self.blocked(Reason.NOT_SERVED, Part.SERVICE, vpc.id, f"{show(dst)} does not answer {self.traffic}")
        self.passes(Part.SERVICE, vpc.id, f"answers {self.traffic} at {show(dst)} itself")
        return True

    def route(self, port: Port, src: Network, dst: Network, seen: tuple[str, ...]) -> None:
        vpc, table = self.vpc(port.vpc_id), port.route_table_id
        inner = self.inner(port, vpc, dst)
        if within(dst, vpc.blocks) and inner is None:
            block = next(block for block in vpc.blocks if within(dst, (block,)))
            self.passes(Part.ROUTE_TABLE, table, f"{show(dst)} is local to {vpc.id}", by=block)
            far = self.local(vpc, dst)
            self.cross(port, far, src, dst)
            self.receive(far, src, dst)
            return
        found = inner or self.lookup(table, dst)
        if found is None:
            raise self.blocked(Reason.NO_ROUTE, Part.ROUTE_TABLE, table, f"{table} has no route to {show(dst)}")
        self.follow(table, found)
        match found.kind:
            case TargetKind.INTERNET:
                self.border(port, EGRESS, dst)
                self.internet(self.translate(vpc, port, src), dst)
            case TargetKind.EGRESS_ONLY:
                self.border(port, EGRESS, dst)
                self.passes(Part.EGRESS_ONLY_GATEWAY, vpc.id, f"lets {show(src)} out as it is, and replies in")
                self.internet(src, dst)
            case TargetKind.VPN:
                self.border(port, EGRESS, dst)
                self.tunnel(vpc, found, dst)
            case TargetKind.PEERING:
                self.peer(port, found, src, dst)
            case TargetKind.PORT:
                self.forward(port, found, src, dst, seen)

    def follow(self, table: str, found: Route) -> None:
        if found.kind is TargetKind.BLACKHOLE:
            says = f"the route {found.destination} of {table} is a blackhole: its target is gone or not attached"
            raise self.blocked(Reason.BLACKHOLE, Part.ROUTE_TABLE, table, says, by=found)
        self.passes(Part.ROUTE_TABLE, table, f"{found.destination} leads to {_target(found)}", by=found)

    def inner(self, port: Port, vpc: Vpc, dst: Network) -> Route | None:
        """The route of the port's table that leads there within the VPC, in place of the local one. A packet that does
        not leave its subnet meets no route."""
        found = self.lookup(port.route_table_id, dst)
        if found is None or within(dst, port.subnet.blocks) or not within(found.destination, vpc.blocks):
            return None
        return found

    def peer(self, port: Port, found: Route, src: Network, dst: Network) -> None:
        """Over a peering connection, and the reply's way back over it."""
        vpc = self.vpc(port.vpc_id)
        link = next((link for link in vpc.peerings if link.id == found.target), None)
        if link is None:
            says = f"{found.target} is no active peering connection of {vpc.id}"
            raise self.blocked(Reason.BLACKHOLE, Part.PEERING, found.target, says)
        for what, end, blocks in (("to", dst, link.blocks), ("from", src, vpc.blocks)):
            if not within(end, blocks):
                says = f"{link.id} carries nothing {what} {show(end)}, which is not in {_list(blocks)}: peers only"
                raise self.blocked(Reason.BEYOND_PEER, Part.PEERING, link.id, says)
        self.border(port, EGRESS, dst)
        self.passes(Part.PEERING, link.id, f"carries it to {link.vpc_id}")
        far = self.local(self.vpc(link.vpc_id), dst)
        self.border(far, INGRESS, src)
        self.receive(far, src, dst, link.id)
        self.way_back(far, src, lambda back: back.target == link.id)

    def over(self, port: Port, dst: Network) -> str:
        """The peering connection that the port's route table sends a packet over, or nothing."""
        found = None if within(dst, self.vpc(port.vpc_id).blocks) else self.lookup(port.route_table_id, dst)
        return found.target if found is not None and found.kind is TargetKind.PEERING else ""

    def peering(self, vpc_id: str, other: str) -> bool:
        return any(link.vpc_id == other for link in self.vpc(vpc_id).peerings)

    def forward(self, port: Port, found: Route, src: Network, dst: Network, seen: tuple[str, ...]) -> None:
        """Into the instance or the NAT gateway a route names, and on from it."""
        table, vpc = port.route_table_id, self.vpc(port.vpc_id)
        middle = self.middle(table, found)
        if middle.id in seen:
            says = f"the route {found.destination} of {table} leads back to {middle.id}, where the packet came from"
            raise self.blocked(Reason.LOOP, Part.ROUTE_TABLE, table, says, by=found)
        self.cross(port, middle, src, dst)
        if not middle.appliance and (vpc.internet_table or within(dst, vpc.blocks)):
            self.pass_on(middle, src, dst, seen)
            return
        self.admit(middle, src, dst)
        own = self.source(middle, None, dst)
        if middle.appliance:
            self.passes(Part.NAT_GATEWAY, middle.instance_id, f"{show(src)} goes on as {show(own)}")
        else:
            says = "forwards and translates, if it does what a NAT instance does"
            self.passes(Part.INSTANCE, middle.instance_id, says)
        self.leave(middle, own, dst, seen)

    def middle(self, table: str, found: Route) -> Port:
        """The interface a route of the table leads to."""
        port = self.world.get((Kind.PORT, found.target))
        if isinstance(port, Port):
            return port
        says = f"the route {found.destination} of {table} is a blackhole: {found.target} is not attached"
        raise self.blocked(Reason.BLACKHOLE, Part.ROUTE_TABLE, table, says, by=found)

    def pass_on(self, middle: Port, src: Network, dst: Network, seen: tuple[str, ...]) -> None:
        """Into an instance and out of it as it was."""
        self.admit(middle, src, dst)
        self.passes(Part.INSTANCE, middle.instance_id, "passes it on as it is, if it does what a firewall does")
        self.leave(middle, src, dst, seen)

    def come_in(self, table: str, port: Port, src: Network, dst: Network) -> None:
        """From a gateway to an interface: straight there, unless the gateway's own route table leads elsewhere."""
        found = self.lookup(table, dst)
        if found is None:
            self.border(port, INGRESS, src)
            self.receive(port, src, dst)
            return
        self.follow(table, found)
        middle = self.middle(table, found)
        self.border(middle, INGRESS, src)
        self.pass_on(middle, src, dst, ())

    def receive(self, port: Port, src: Network, dst: Network, over: str = "") -> None:
        """:param over: the peering connection it came over."""
        self.admit(port, src, dst, over)
        if port.appliance:
            says = f"{port.instance_id} is a NAT gateway: it takes in replies only, and nobody is there to answer"
            raise self.blocked(Reason.REPLIES_ONLY, Part.NAT_GATEWAY, port.instance_id, says)
        self.passes(Part.INTERFACE, port.id, f"receives it as {port.device} of {port.instance_id}")

    def admit(self, port: Port, src: Network, dst: Network, over: str = "") -> None:
        """The receiver's two gates: its groups, and the destination half of the source/destination check."""
        if port.source_dest_check and not _is_mine(port, dst):
            says = f"{show(dst)} is not an address of {port.id}, whose source/destination check is on"
            raise self.blocked(Reason.SOURCE_DEST_CHECK, Part.INTERFACE, port.id, says)
        self.gate(port, INGRESS, src, over)

    def gate(self, port: Port, direction: str, peer: Network, over: str) -> None:
        """One interface's groups, in one direction: the union of what they allow."""
        if not port.gated:
            return
        inward = direction == INGRESS
        names, way = ", ".join(port.groups), "from" if inward else "to"
        for group in self.groups(port):
            rule = self.allowing(group, port.vpc_id, inward, peer, over)
            if rule is not None:
                says = f"{direction} of {port.id}: {group.id} allows {self.traffic} {way} {show(peer)}"
                says += "" if self.tracks(port, inward, peer) else ", and does not track it"
                self.passes(Part.SECURITY_GROUPS, group.id, says, by=rule, port=port.id, direction=direction)
                return
        says = f"{direction} of {port.id}: no rule of {names or 'its groups'} allows {self.traffic} {way} {show(peer)}"
        reason = Reason.INGRESS if inward else Reason.EGRESS
        raise self.blocked(reason, Part.SECURITY_GROUPS, names, says, port=port.id, direction=direction)

    def tracks(self, port: Port, inward: bool, peer: Network) -> bool:
        """A flow that an interface does not track ends with the rule that allows it."""
        if is_tracked(self.groups(port), Way(inward, peer.version, self.traffic.protocol), self.traffic.number):
            return True
        table = self.world.get((Kind.ROUTE_TABLE, port.route_table_id))
        known = {each.id: each for each in ports(self.world)}
        found = table if isinstance(table, RouteTable) else None
        return not inward and automatically(self.vpc(port.vpc_id), found, known, port, peer.network_address)

    def allowing(self, group: SecurityGroup, vpc_id: str, inward: bool, peer: Network, over: str) -> Rule | None:
        """The rule that lets the peer pass. Rules may cover it together, 0.0.0.0/1 and 128.0.0.0/1 let in everybody:
        then one of them. A group of the VPC at the other side of a peering connection is known by what comes or goes
        ``over`` it."""
        speaking = [rule for rule in (group.ingress if inward else group.egress) if self.traffic.allowed_by(rule)]
        blocks = {block_of(rule.cidr): rule for rule in speaking if rule.cidr}
        if covered(peer, blocks):
            return next(
                rule for block, rule in blocks.items() if block.version == peer.version and block.overlaps(peer)
            )
        referenced = {rule.group: rule for rule in speaking if rule.group and rule.peering == over}
        where = next((link.vpc_id for link in self.vpc(vpc_id).peerings if link.id == over), vpc_id)
        for member in ports(self.world):
            if member.vpc_id == where and _is_mine(member, peer):
                for id_ in referenced.keys() & set(member.groups):
                    return referenced[id_]
        return None

    # --- the borders of subnets ---------------------------------------------------------------------------------------

    def cross(self, near: Port, far: Port, src: Network, dst: Network) -> None:
        """From one interface to another; within a subnet there is no border."""
        if near.subnet.id != far.subnet.id:
            self.border(near, EGRESS, dst)
            self.border(far, INGRESS, src)

    def border(self, port: Port, direction: str, peer: Network) -> None:
        """Out of the port's subnet or into it: what its network ACL says."""
        self.judge(port, direction, peer, self.traffic)
        self.borders.append((port, direction, peer))

    def reply(self) -> None:
        """The reply crosses the same borders the other way, and network ACLs know of no conversation."""
        reply = self.traffic.reply()
        if reply is not None:
            for port, direction, peer in reversed(self.borders):
                self.judge(port, INGRESS if direction == EGRESS else EGRESS, peer, reply, "the request arrives, but ")

    def judge(self, port: Port, direction: str, peer: Network, traffic: Traffic, so_far: str = "") -> None:
        acl = self.acl(port)
        if acl is None or not acl.restricts(direction):
            return
        inward, what = direction == INGRESS, "its reply " if so_far else ""
        entries = network_acls.entries(acl, direction)
        found = network_acls.judge(entries, traffic, peer)
        about = f"{what}{traffic} {'from' if inward else 'to'} {show(peer)}"
        where = f"{direction} of {port.subnet.id}: {found.rule} of {acl.id}"
        entry = next((entry for entry in entries if entry.number == found.number), None)
        decided = {"by": entry, "port": port.id, "direction": direction, "reply": bool(so_far)}
        if found.allows:
            self.passes(Part.NETWORK_ACL, acl.id, f"{where} allows {about}", **decided)
            return
        reason = Reason.ACL_INGRESS if inward else Reason.ACL_EGRESS
        some = "some of " if traffic.last > traffic.number or peer.num_addresses > 1 else ""
        raise self.blocked(reason, Part.NETWORK_ACL, acl.id, f"{so_far}{where} denies {some}{about}", **decided)

    # --- outside ------------------------------------------------------------------------------------------------------

    def translate(self, vpc: Vpc, port: Port, src: Network) -> Network:
        """Out through the internet gateway: the private source becomes its public address."""
        if not vpc.internet:
            says = f"{vpc.id} has no internet gateway attached"
            raise self.blocked(Reason.NO_INTERNET_GATEWAY, Part.INTERNET_GATEWAY, vpc.id, says)
        if src.version == 6:
            self.passes(Part.INTERNET_GATEWAY, vpc.id, f"lets {show(src)} out as it is")
            return src
        here = (pair for one in ports(self.world) if one.vpc_id == vpc.id for pair in one.public)
        for inside, outside in here:
            if exactly(inside) == src:
                if self.packet:
                    self.packet = Packet(exactly(outside), self.packet.dst)
                self.passes(Part.INTERNET_GATEWAY, vpc.id, f"{show(src)} goes out as {outside}")
                return exactly(outside)
        says = f"{show(src)} of {port.id} has no public address, so the internet gateway drops the packet"
        raise self.blocked(Reason.NO_PUBLIC_ADDRESS, Part.INTERNET_GATEWAY, vpc.id, says)

    def internet(self, src: Network, dst: Network) -> None:
        """From anywhere on the internet to whoever has ``dst`` there."""
        for port in ports(self.world):
            inside = _inside(port, dst)
            if inside is not None:
                self.enter(port, src, dst, inside)
                return
        site = next((site for site in sites(self.world) if dst in map(exactly, site.public)), None)
        if site:
            self.passes(Part.SITE, site.id, f"has {show(dst)}")
        elif dst == ANYWHERE[dst.version] or dst.network_address.is_global:
            self.passes(Part.INTERNET, "", f"{show(dst)} is out there")
        else:
            raise self.blocked(Reason.NOBODY, Part.INTERNET, "", f"nobody on the internet has {show(dst)}")

    def enter(self, port: Port, src: Network, dst: Network, inside: Network) -> None:
        """In through a VPC's internet gateway, and the reply's way back out."""
        vpc = self.vpc(port.vpc_id)
        if not vpc.internet:
            says = f"{vpc.id} of {port.id} has no internet gateway attached"
            raise self.blocked(Reason.NO_INTERNET_GATEWAY, Part.INTERNET_GATEWAY, vpc.id, says)
        self.packet = Packet(src, inside)
        self.passes(Part.INTERNET_GATEWAY, vpc.id, f"{show(dst)} is {show(inside)} inside")
        self.come_in(vpc.internet_table, port, src, inside)
        straight = self.lookup(vpc.internet_table, inside) is None
        if inside.version == 6 and straight and not self.answers_the_internet(port):
            says = f"the request is dropped: in {port.route_table_id} no IPv6 route leads to the internet gateway"
            raise self.blocked(Reason.NO_WAY_BACK, Part.ROUTE_TABLE, port.route_table_id, says, reply=True)
        self.way_back(port, src, lambda back: back.kind is TargetKind.INTERNET)

    def answers_the_internet(self, port: Port) -> bool:
        """Its route table has some IPv6 route to the internet gateway: else nothing comes in by that (an appliance that
        would take the replies there makes no difference; see the differences from AWS)."""
        routes = self.routes(port.route_table_id)
        return any(route.kind is TargetKind.INTERNET and route.destination.version == 6 for route in routes)

    def tunnel(self, vpc: Vpc, found: Route, dst: Network) -> None:
        """From a VPC down a VPN connection."""
        link = next((link for link in vpc.vpn if link.id == found.target), None)
        if link is None or link.site is None:
            says = f"{found.target} is down: no site has its customer gateway's address"
            raise self.blocked(Reason.TUNNEL_DOWN, Part.VPN, found.target, says)
        if not within(dst, link.prefixes):
            says = f"{show(dst)} is in none of the networks behind {link.id} ({_list(link.prefixes)})"
            raise self.blocked(Reason.NOT_BEHIND_TUNNEL, Part.VPN, link.id, says)
        self.carried(link.id, f"site {link.site}")
        site = self.world[(Kind.SITE, link.site)]
        assert isinstance(site, Site)
        if dst not in {exactly(address) for address in (site.host_ip, *site.public) if address}:
            raise self.blocked(Reason.NOBODY, Part.SITE, site.id, f"no host of site {site.id} has {show(dst)}")
        self.passes(Part.SITE, site.id, f"has {show(dst)}")

    def carried(self, link_id: str, to: str) -> None:
        if link_id in self.down:
            says = f"{link_id} is down: none of its tunnels is up"
            raise self.blocked(Reason.TUNNEL_DOWN, Part.VPN, link_id, says)
        self.passes(Part.VPN, link_id, f"carries it to {to}")

    def leave_site(self, site: Site, given: Address | None, dst: Network, end: Place) -> None:
        """From a site: down its tunnel to the VPCs it is joined to, else over the internet."""
        joined = sorted(
            (link.id in self.down, vpc.id, link.id)
            for vpc in self.vpcs()
            for link in self.links(site, vpc.id)
            if within(dst, vpc.blocks) and (not isinstance(end.where, Port) or end.where.vpc_id == vpc.id)
        )
        if not joined:
            src = self.on_the_internet(site, given, dst)
            self.packet = Packet(src, dst)
            self.passes(Part.SITE, site.id, f"{show(src)} sends {self.traffic} to {show(dst)}")
            self.internet(src, dst)
            return
        src = exactly(given or site.host_ip or site.public_ip)
        self.packet = Packet(src, dst)
        self.passes(Part.SITE, site.id, f"{show(src)} sends {self.traffic} to {show(dst)}")
        _, vpc_id, link_id = joined[0]
        self.carried(link_id, vpc_id)
        port = self.local(self.vpc(vpc_id), dst)
        self.come_in(self.vpc(vpc_id).vpn_table, port, src, dst)
        through = {link.id for link in self.links(site, vpc_id) if within(src, link.prefixes)}
        self.way_back(port, src, lambda back: back.kind is TargetKind.VPN and back.target in through)

    def on_the_internet(self, site: Site, given: Address | None, dst: Network) -> Network:
        """The address a site sends from."""
        named = [given] if given and not is_private(exactly(given)) else []
        own = next((own for own in (*named, *site.public) if own.version == dst.version), None)
        if own is None:
            says = f"site {site.id} has no IPv{dst.version} address on the internet"
            raise self.blocked(Reason.FAMILY, Part.SITE, site.id, says)
        return exactly(own)

    def way_back(self, port: Port, src: Network, arrives: Callable[[Route], bool], seen: tuple[str, ...] = ()) -> None:
        """:param arrives: whether a route leads back to where the request came from; one by way of an appliance may."""
        table = port.route_table_id
        back = self.lookup(table, src)
        returns = back is not None and arrives(back)
        following = self.world.get((Kind.PORT, back.target)) if back and back.kind is TargetKind.PORT else None
        on = isinstance(following, Port) and not (following.appliance or following.source_dest_check)
        if isinstance(following, Port) and on and following.id not in seen:
            self.passes(Part.ROUTE_TABLE, table, f"the reply goes to {following.id} first", by=back, reply=True)
            self.way_back(following, src, arrives, (*seen, port.id))
            return
        leads = f"leads to {_target(back)}" if back else "is missing"
        decided = {"by": back, "reply": True}
        if returns:
            self.passes(Part.ROUTE_TABLE, table, f"the reply's way back to {show(src)} {leads}", **decided)
            return
        says = f"the request arrives, but {port.id} cannot answer: in {table} the route to {show(src)} {leads}"
        raise self.blocked(Reason.NO_WAY_BACK, Part.ROUTE_TABLE, table, says, **decided)

    # --- looking records up -------------------------------------------------------------------------------------------

    def vpc(self, id_: str) -> Vpc:
        record = self.world[(Kind.VPC, id_)]
        assert isinstance(record, Vpc)
        return record

    def vpcs(self) -> Iterable[Vpc]:
        return (record for record in self.world.values() if isinstance(record, Vpc))

    def groups(self, port: Port) -> list[SecurityGroup]:
        found = (self.world.get((Kind.SECURITY_GROUP, id_)) for id_ in port.groups)
        return [group for group in found if isinstance(group, SecurityGroup)]

    def acl(self, port: Port) -> NetworkAcl | None:
        """That of the port's subnet."""
        found = (record for record in self.world.values() if isinstance(record, NetworkAcl))
        return next((acl for acl in found if acl.vpc_id == port.vpc_id and port.subnet.id in acl.subnets), None)

    def links(self, site: Site, vpc_id: str) -> list[VpnLink]:
        return [link for link in self.vpc(vpc_id).vpn if link.site == site.id]

    def routes(self, table: str) -> tuple[Route, ...]:
        record = self.world.get((Kind.ROUTE_TABLE, table))
        return record.routes if isinstance(record, RouteTable) else ()

    def lookup(self, table: str, dst: Network) -> Route | None:
        matching = [route for route in self.routes(table) if within(dst, (route.destination,))]
        return max(matching, key=lambda route: route.destination.prefixlen, default=None)

    def local(self, vpc: Vpc, dst: Network) -> Port:
        for port in ports(self.world):
            if port.vpc_id == vpc.id and _is_mine(port, dst):
                return port
        says = f"no interface attached to a running instance of {vpc.id} has {show(dst)}"
        raise self.blocked(Reason.NO_INTERFACE, Part.INTERFACE, "", says)


def _sender(world: World, start: Place) -> Place:
    """Whose address it is, when only an address was given."""
    if start.where or not start.address:
        return start
    block = exactly(start.address)
    for port in ports(world):
        inside = next((inside for inside, outside in port.public if outside == start.address), None)
        if inside:
            return Place(port, inside)
    for site in sites(world):
        if start.address in (*site.public, site.host_ip):
            return Place(site, start.address)
    owners = [port for port in ports(world) if _is_mine(port, block)]
    if len(owners) == 1:
        return Place(owners[0], start.address)
    if owners:
        several = ", ".join(sorted(port.id for port in owners))
        raise UnknownPlace(f"{start.address} is ambiguous: VPCs overlap and {several} have it; name the interface")
    if is_private(block):
        raise UnknownPlace(f"nothing on the network has {start.address}: no interface and no site")
    return start


def _leaving(first: Port, siblings: tuple[Port, ...], dst: Network) -> Port:
    """The interface a guest sends from: the one in the destination's own subnet, else the first."""
    return next((port for port in siblings if within(dst, port.subnet.blocks)), first)


def _same_guest(one: Port, other: Port) -> bool:
    return (one.instance_id, one.vpc_id) == (other.instance_id, other.vpc_id)


def _same_family(addresses: tuple[Address, ...], model: Address) -> Address:
    return next((address for address in addresses if address.version == model.version), addresses[0])


def _inside(port: Port, public: Network) -> Network | None:
    """The private address behind a public one of the port; IPv6 addresses are their own."""
    if public.version == 6:
        return public if _is_mine(port, public) else None
    return next((exactly(inside) for inside, outside in port.public if exactly(outside) == public), None)


def _is_mine(port: Port, block: Network) -> bool:
    """The block is one address, and the port's own or in a prefix of it."""
    return block.num_addresses == 1 and (block.network_address in port.addresses or within(block, port.prefixes))


_GATEWAYS = {
    TargetKind.INTERNET: "the internet gateway",
    TargetKind.EGRESS_ONLY: "the egress-only internet gateway",
}


def _target(route: Route) -> str:
    return _GATEWAYS.get(route.kind) or route.target or route.kind.value


def _list(blocks: Iterable[Network]) -> str:
    return ", ".join(str(block) for block in blocks) or "none"
