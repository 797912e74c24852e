"""What becomes of one packet, by AWS's rules: loops over what the plan says, and nothing of enid's.

AWS's guide to VPCs is the source: source/destination checks; groups, of which any rule may allow and which know a
reply; the longest prefix of the subnet's route table, a local route before all but those within it, and none of these
for what stays in its subnet; network ACLs at the borders of subnets, where the first entry that matches decides and a
reply is a packet like any other; one-to-one translation at the internet gateway. A rule that refers to a group means
the private addresses of the interfaces that carry it; to a group of a peer, only what goes over the peering connection.
That carries what goes from one of its two VPCs to the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from aws_plan import Acl, Address, Interface, Plan, Route, named, to_address, to_network

PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58}
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
_ANSWERS = {(ICMP, 8): 0, (ICMP, 13): 14, (ICMP6, 128): 129}


@dataclass(frozen=True)
class Packet:
    """``number`` and ``code``: the destination port and 0, or ICMP's type and code."""

    source: Address
    destination: Address
    protocol: int
    number: int = 0
    code: int = 0


@dataclass(frozen=True)
class Arrival:
    """Where a packet came out, and with which addresses; ``borders`` it crossed: (subnet, egress, the far end)."""

    interface: str
    source: Address
    destination: Address
    borders: tuple[tuple[str, bool, Address], ...]
    over: str = ""
    """The peering connection it came over."""
    unsure: bool = False
    """Not to be judged: AWS delivers it and enid need not, since no reply could leave (see the differences from AWS);
    or what goes over a peering connection is answered around it, over the internet; or a route within the VPC leads the
    reply elsewhere, or a packet that enid takes for another sender's."""
    anywhere: bool = False
    """Not even where it comes out."""


def arrival(plan: Plan, sender: Interface, packet: Packet) -> Arrival | None:
    """Where the first packet of a conversation arrives; ``None``: nowhere."""
    found = _arrival(plan, sender, packet)
    return replace(found, unsure=found.unsure or _is_detoured(plan, sender, found)) if found else None


def _arrival(plan: Plan, sender: Interface, packet: Packet) -> Arrival | None:
    if sender.source_dest_check and packet.source not in sender.parsed():
        return None
    vpc = plan.vpc_of(sender)
    local = _in_any(packet.destination, vpc.blocks)
    route = None if local else _route(plan, sender, packet.destination)
    over = route.target if route is not None and route.kind == "peering" else ""
    if not _groups_allow(plan, sender, True, packet, packet.destination, over):
        return None
    if local and _pretends(plan, sender, packet.source, packet.destination):
        return Arrival(sender.id, packet.source, packet.destination, (), unsure=True, anywhere=True)
    if local:
        receiver = _owner(plan, vpc.id, packet.destination)
        inner = _inner(plan, sender, packet.destination)
        if inner is not None:
            return _led_within(plan, sender, inner, packet)
        return receiver and _across(plan, sender, receiver, packet)
    if route is None:
        return None
    if over:
        return _over_a_peering(plan, sender, over, packet)
    if route.kind == "interface":
        return _through(plan, sender, route, packet)
    return _over_the_internet(plan, sender, route, packet)


def _through(plan: Plan, sender: Interface, route: Route, packet: Packet) -> Arrival | None:
    receiver = next((each for each in plan.interfaces if each.id == route.target), None)
    has_family = receiver and any(each.version == packet.destination.version for each in receiver.parsed())
    return (receiver and has_family and _across(plan, sender, receiver, packet)) or None


def _inner(plan: Plan, sender: Interface, destination: Address) -> Route | None:
    """The route within the VPC that a packet meets which leaves its subnet."""
    found = _route(plan, sender, destination)
    if found is None or found.kind != "interface" or _in_any(destination, named(plan.subnets, sender.subnet).blocks):
        return None
    network = to_network(found.destination)
    blocks = [to_network(block) for block in plan.vpc_of(sender).blocks]
    inside = any(network.version == block.version and network.subnet_of(block) for block in blocks)  # type: ignore[arg-type]
    return found if inside else None


def _led_within(plan: Plan, sender: Interface, route: Route, packet: Packet) -> Arrival | None:
    """enid leads nothing to an interface that checks addresses, not even to its own."""
    found = _through(plan, sender, route, packet)
    receiver = next((each for each in plan.interfaces if each.id == route.target), None)
    return replace(found, unsure=receiver.source_dest_check) if found and receiver else None


def _is_detoured(plan: Plan, sender: Interface, came: Arrival) -> bool:
    """A route within the VPC leads the reply somewhere, or may."""
    receiver = next(each for each in plan.interfaces if each.id == came.interface)
    there = _pretends(plan, sender, came.source, came.destination)
    back = _pretends(plan, receiver, came.destination, came.source)
    return there or back or _inner(plan, receiver, came.source) is not None


def _pretends(plan: Plan, sender: Interface, source: Address, destination: Address) -> bool:
    """It stays in its subnet by its source and not by its sender, or the other way round; and a route is for it. enid
    goes by the source, AWS by the sender."""
    met = _route(plan, sender, destination)
    homes = [each for each in plan.subnets if each.vpc == plan.vpc_of(sender).id and _in_any(destination, each.blocks)]
    if met is None or met.kind != "interface" or not homes:
        return False
    return (sender.subnet == homes[0].id) is not _in_any(source, homes[0].blocks)


def _over_a_peering(plan: Plan, sender: Interface, over: str, packet: Packet) -> Arrival | None:
    vpc = plan.vpc_of(sender)
    peer = plan.peers(vpc.id).get(over)
    if peer is None or not _in_any(packet.source, vpc.blocks):
        return None
    receiver = _owner(plan, peer, packet.destination)
    found = receiver and _across(plan, sender, receiver, packet, over)
    if not receiver or not found:
        return None
    back = _route(plan, receiver, packet.source)
    around = packet.source.version == 6 and back is not None and back.kind in ("internet", "egress_only")
    return replace(found, unsure=around)


def _across(plan: Plan, sender: Interface, receiver: Interface, packet: Packet, over: str = "") -> Arrival | None:
    """From one interface to another of the same VPC, or of a peer."""
    borders: tuple[tuple[str, bool, Address], ...] = ()
    if sender.subnet != receiver.subnet:
        borders = ((sender.subnet, True, packet.destination), (receiver.subnet, False, packet.source))
    if not all(_border_allows(plan, border, packet) for border in borders):
        return None
    return _received(plan, receiver, packet, borders, over)


def _received(
    plan: Plan, receiver: Interface, packet: Packet, borders: tuple[tuple[str, bool, Address], ...], over: str = ""
) -> Arrival | None:
    if receiver.source_dest_check and packet.destination not in receiver.parsed():
        return None
    if not _groups_allow(plan, receiver, False, packet, packet.source, over):
        return None
    return Arrival(receiver.id, packet.source, packet.destination, borders, over)


def _over_the_internet(plan: Plan, sender: Interface, route: Route, packet: Packet) -> Arrival | None:
    """Out of one VPC's gateway and in at another's, or its own."""
    vpc = plan.vpc_of(sender)
    out = (sender.subnet, True, packet.destination)
    if not _border_allows(plan, out, packet):
        return None
    if route.kind == "egress_only":
        if not vpc.egress_only:
            return None
        source: Address | None = packet.source
    else:
        if not vpc.internet_gateway:
            return None
        source = packet.source if packet.source.version == 6 else _public(sender, packet.source)
    if source is None:
        return None
    for receiver in plan.interfaces:
        inside = _private(receiver, packet.destination)
        if inside is None or not plan.vpc_of(receiver).internet_gateway:
            continue
        seen = Packet(source, inside, packet.protocol, packet.number, packet.code)
        entering = (receiver.subnet, False, source)
        if not _border_allows(plan, entering, seen):
            return None
        found = _received(plan, receiver, seen, (out, entering))
        if found is None or packet.source.version == 4:
            return found
        back = _route(plan, receiver, source)
        if back is not None and back.kind == "internet":
            return found
        table = named(plan.tables, named(plan.subnets, receiver.subnet).table)
        some = any(each.kind == "internet" and ":" in each.destination for each in table.routes)
        return Arrival(receiver.id, source, inside, (out, entering), unsure=True) if some else None
    return None


def answered(plan: Plan, sender: Interface, packet: Packet, came: Arrival, client_port: int) -> bool:
    """Whether the reply of a packet that arrived comes back to its sender."""
    receiver = next(each for each in plan.interfaces if each.id == came.interface)
    if packet.source not in sender.parsed():
        return False
    if not _in_any(came.source, plan.vpc_of(receiver).blocks):
        back = _route(plan, receiver, came.source)
        if back is None or (back.kind, back.target) != (("peering", came.over) if came.over else ("internet", "")):
            return False
    number = client_port if packet.protocol in (TCP, UDP) else _ANSWERS.get((packet.protocol, packet.number), 0)
    code = 0 if packet.protocol in (ICMP, ICMP6) else packet.code
    reply = Packet(came.destination, came.source, packet.protocol, number, code)
    return all(_border_allows(plan, (subnet, not egress, far), reply) for subnet, egress, far in came.borders)


def client_ports(plan: Plan) -> list[int]:
    """Where what network ACLs say about ports from 1024 may change."""
    edges = {entry.first for acl in plan.acls for entry in acl.entries if entry.protocol in (TCP, UDP)}
    edges |= {(entry.last or 0) + 1 for acl in plan.acls for entry in acl.entries if entry.protocol in (TCP, UDP)}
    return sorted({1024, 65535} | {port for port in edges if port is not None and 1024 <= port <= 65535})


def _groups_allow(plan: Plan, interface: Interface, egress: bool, packet: Packet, far: Address, over: str) -> bool:
    vpc = plan.vpc_of(interface)
    known = {vpc.id, plan.peers(vpc.id).get(over)}
    for group in plan.groups:
        if group.id in interface.groups:
            for rule in group.permissions:
                if rule.egress == egress and _speaks_of(rule.protocol, rule.first, rule.last, packet):
                    if rule.group:
                        for member in plan.interfaces:
                            if (
                                rule.group in member.groups
                                and plan.vpc_of(member).id in known
                                and far in member.parsed()
                            ):
                                return True
                    elif _in_any(far, named(plan.lists, rule.prefix_list).blocks if rule.prefix_list else (rule.cidr,)):
                        return True
    return False


def _border_allows(plan: Plan, border: tuple[str, bool, Address], packet: Packet) -> bool:
    subnet, egress, far = border
    acl: Acl | None = next((acl for acl in plan.acls if subnet in acl.subnets), None)
    if acl is None:
        return True
    for entry in sorted(acl.entries, key=lambda entry: entry.number):
        if entry.egress == egress and _in_any(far, (entry.block,)):
            first, last = entry.first, entry.last
            if _speaks_of(str(entry.protocol), -1 if first is None else first, -1 if last is None else last, packet):
                return entry.allow
    return False


def _speaks_of(protocol: str, first: int, last: int, packet: Packet) -> bool:
    number = PROTOCOLS[protocol] if protocol in PROTOCOLS else int(protocol)
    if number == -1:
        return True
    if number != packet.protocol:
        return False
    if number in (TCP, UDP):
        return first <= packet.number <= last
    if number in (ICMP, ICMP6):
        return (first == -1 or first == packet.number) and (last == -1 or last == packet.code)
    return True


def _route(plan: Plan, sender: Interface, destination: Address) -> Route | None:
    table = named(plan.tables, named(plan.subnets, sender.subnet).table)
    best = None
    for route in table.routes:
        block = to_network(route.destination)
        if destination in block and (best is None or block.prefixlen > to_network(best.destination).prefixlen):
            best = route
    return best


def _owner(plan: Plan, vpc: str, address: Address) -> Interface | None:
    for interface in plan.interfaces:
        if plan.vpc_of(interface).id == vpc and address in interface.parsed():
            return interface
    return None


def _public(interface: Interface, private: Address) -> Address | None:
    for inside, outside in interface.public:
        if to_address(inside) == private:
            return to_address(outside)
    return None


def _private(interface: Interface, public: Address) -> Address | None:
    if public.version == 6:
        return public if public in interface.parsed() else None
    for inside, outside in interface.public:
        if to_address(outside) == public:
            return to_address(inside)
    return None


def _in_any(address: Address, blocks: tuple[str, ...]) -> bool:
    return any(address in to_network(block) for block in blocks)
