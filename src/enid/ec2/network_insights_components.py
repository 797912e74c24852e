"""The way a packet took, as Reachability Analyzer lists it: a component for each hop, with the rule, route or entry
that let it pass, and the addresses before and after.

Sites and hosts on the internet are no components of AWS's: a path that leads there ends at the gateway.
"""

from __future__ import annotations

from collections.abc import Iterable

from enid.ec2.context import Result
from enid.ec2.network_insights_scene import Scene
from enid.topology.places import PROTOCOLS, Traffic
from enid.topology.reach import Hop, Packet, Part
from enid.topology.records import AclEntry, Kind, Route, RouteTable, Rule, TargetKind

_NAMES = {number: name for name, number in PROTOCOLS.items()}
_LAST_ENTRY = 32767
"""The number AWS gives the entry that denies what is left."""
_CLIENT_PORTS = {"From": 0, "To": 65535}


def listed(scene: Scene, hops: Iterable[Hop], traffic: Traffic, ends: tuple[str, str | None]) -> list[Result]:
    """``PathComponentList``: the hops in order.

    :param ends: what the path was asked from and to; an instance is listed before, or after, its interface.
    """
    result: list[Result] = []
    before: Packet | None = None
    for hop in hops:
        id_ = component_of(scene, hop)
        if id_ is None:
            continue
        port = scene.port(id_)
        owner = port.instance_id if port and hop.part is Part.INTERFACE else None
        if owner == ends[0] and not result:
            result.append({"Component": scene.component(owner), "OutboundHeader": header(hop.packet, traffic)})
        result.append(
            {
                "Component": scene.component(id_),
                "InboundHeader": header(before, traffic) if result else None,
                "OutboundHeader": header(hop.packet, traffic),
                **_place(scene, hop),
                **decision(scene, hop),
            }
        )
        if owner is not None and owner == ends[1] and len(result) > 2:
            result.append({"Component": scene.component(owner), "InboundHeader": header(hop.packet, traffic)})
        before = hop.packet
    return [{"SequenceNumber": number, **component} for number, component in enumerate(result, 1)]


def component_of(scene: Scene, hop: Hop) -> str | None:
    """The id AWS would name; ``None``: nothing of AWS's."""
    match hop.part:
        case Part.INTERNET_GATEWAY:
            return scene.gateway("igw", hop.id)
        case Part.EGRESS_ONLY_GATEWAY:
            return scene.gateway("eigw", hop.id)
        case Part.VPN:
            return scene.connected(hop.id)
        case Part.SECURITY_GROUPS if not hop.passed:
            return hop.port
        case Part.SITE | Part.INTERNET:
            return None
    return hop.id or None


def _place(scene: Scene, hop: Hop) -> Result:
    port = scene.port(hop.port or hop.id)
    if port is None:
        vpc = hop.id if hop.part in (Part.INTERNET_GATEWAY, Part.EGRESS_ONLY_GATEWAY) else None
        return {"Vpc": scene.component(vpc)} if vpc else {}
    place: Result = {"Vpc": scene.component(port.vpc_id)}
    if hop.part is Part.INTERFACE:
        place["AttachedTo"] = scene.component(port.instance_id)
    if hop.part in (Part.INTERFACE, Part.NETWORK_ACL):
        place["Subnet"] = scene.component(port.subnet.id)
    return place


def decision(scene: Scene, hop: Hop) -> Result:
    """What of the component decided: a member of its own for a rule, a route and an entry."""
    if hop.part is Part.NETWORK_ACL:
        return {"AclRule": _acl_rule(hop)}
    match hop.by:
        case Rule() as rule:
            return {"SecurityGroupRule": _group_rule(rule, hop)}
        case Route() as route:
            return {"RouteTableRoute": _route(scene, route, hop.id)}
        case None | AclEntry():
            return {}
    return {"RouteTableRoute": {"DestinationCidr": str(hop.by), "GatewayId": "local", "State": "active"}}


def _acl_rule(hop: Hop) -> Result:
    egress = hop.direction == "egress"
    if not isinstance(hop.by, AclEntry):
        family = hop.packet.dst.version if hop.packet else 4
        everything = "0.0.0.0/0" if family == 4 else "::/0"
        return {
            "Cidr": everything,
            "Egress": egress,
            "Protocol": "all",
            "RuleAction": "deny",
            "RuleNumber": _LAST_ENTRY,
        }
    return {
        "Cidr": str(hop.by.block),
        "Egress": egress,
        "Protocol": _protocol(hop.by.protocol),
        "PortRange": _ports(hop.by.protocol, hop.by.from_port, hop.by.to_port),
        "RuleAction": "allow" if hop.by.allow else "deny",
        "RuleNumber": hop.by.number,
    }


def _group_rule(rule: Rule, hop: Hop) -> Result:
    return {
        "Cidr": rule.cidr or None,
        "SecurityGroupId": rule.group or None,
        "Direction": hop.direction,
        "Protocol": _protocol(rule.protocol),
        "PortRange": _ports(rule.protocol, rule.from_port, rule.to_port),
    }


def _route(scene: Scene, route: Route, table_id: str) -> Result:
    table = scene.world.get((Kind.ROUTE_TABLE, table_id))
    vpc_id = table.vpc_id if isinstance(table, RouteTable) else ""
    shown: Result = {"DestinationCidr": str(route.destination), "State": "active"}
    match route.kind:
        case TargetKind.INTERNET:
            return shown | {"GatewayId": scene.gateway("igw", vpc_id)}
        case TargetKind.EGRESS_ONLY:
            return shown | {"EgressOnlyInternetGatewayId": scene.gateway("eigw", vpc_id)}
        case TargetKind.VPN:
            return shown | {"GatewayId": scene.connected(route.target)}
        case TargetKind.PORT:
            port = scene.port(route.target)
            member = "NatGatewayId" if port and port.appliance else "NetworkInterfaceId"
            return shown | {member: port.instance_id if port and port.appliance else route.target}
        case TargetKind.BLACKHOLE:
            return shown | {"State": "blackhole"}
    return shown


def _protocol(number: int) -> str:
    return "all" if number == -1 else _NAMES.get(number, str(number))


def _ports(protocol: int, first: int, last: int) -> Result | None:
    return {"From": first, "To": last} if protocol in (6, 17) else None


def header(packet: Packet | None, traffic: Traffic) -> Result | None:
    """``AnalysisPacketHeader``."""
    if packet is None:
        return None
    return {
        "SourceAddresses": [str(packet.src)],
        "DestinationAddresses": [str(packet.dst)],
        "SourcePortRanges": [_CLIENT_PORTS],
        "DestinationPortRanges": [{"From": traffic.number, "To": traffic.number}],
        "Protocol": str(traffic.protocol),
    }
