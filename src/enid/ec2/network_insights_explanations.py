"""Why there is no path, in the codes of Reachability Analyzer.

The codes and what they mean: docs.aws.amazon.com/vpc/latest/reachability/explanation-codes.html. AWS knows more of them
than there is to explain here, and for some things that can go wrong here it has only a general one.
"""

from __future__ import annotations

from enid.ec2.context import Result
from enid.ec2.network_insights_components import component_of, decision
from enid.ec2.network_insights_scene import Scene
from enid.topology.reach import Hop, Part, Reason, Verdict
from enid.topology.records import Kind, Port, SecurityGroup

CODES: dict[Reason, str] = {
    Reason.NOT_ATTACHED: "BAD_STATE_ATTACHMENT",
    Reason.EGRESS: "ENI_SG_RULES_MISMATCH",
    Reason.INGRESS: "ENI_SG_RULES_MISMATCH",
    Reason.ACL_EGRESS: "SUBNET_ACL_RESTRICTION",
    Reason.ACL_INGRESS: "SUBNET_ACL_RESTRICTION",
    Reason.SOURCE_DEST_CHECK: "ENI_SOURCE_DEST_CHECK_RESTRICTION",
    Reason.NO_ROUTE: "NO_ROUTE_TO_DESTINATION",
    Reason.BLACKHOLE: "BAD_STATE_ROUTE",
    Reason.LOOP: "NO_PATH",
    Reason.NO_INTERFACE: "NO_POSSIBLE_DESTINATION",
    Reason.NO_PUBLIC_ADDRESS: "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS",
    Reason.NO_INTERNET_GATEWAY: "BAD_STATE_ATTACHMENT",
    Reason.TUNNEL_DOWN: "BAD_STATE_VPN",
    Reason.NOT_BEHIND_TUNNEL: "CANNOT_ROUTE",
    Reason.OTHER_VPC: "DISCONNECTED_VPCS",
    Reason.BEYOND_PEER: "CANNOT_ROUTE",
    Reason.NOBODY: "NO_POSSIBLE_DESTINATION",
    Reason.NOT_SERVED: "NO_POSSIBLE_DESTINATION",
    Reason.NO_WAY_BACK: "NO_ROUTE_TO_DESTINATION",
    Reason.FAMILY: "UNASSOCIATED_COMPONENT",
    Reason.REPLIES_ONLY: "NGW_REQUIRES_SOURCE_IN_VPC",
}


def explain(scene: Scene, verdict: Verdict) -> Result:
    """``Explanation`` of a verdict that is no."""
    assert verdict.reason is not None
    hop = verdict.hops[-1]
    shown: Result = {"ExplanationCode": _code(scene, verdict.reason, hop), "Direction": hop.direction or None}
    shown |= {name: value for name, value in decision(scene, hop).items() if name != "SecurityGroupRule"}
    shown["Component"] = scene.component(component_of(scene, hop))
    port = scene.port(hop.port or hop.id)
    if port is not None:
        shown |= {
            "NetworkInterface": scene.component(port.id),
            "Subnet": scene.component(port.subnet.id),
            "Vpc": scene.component(port.vpc_id),
        }
    match hop.part:
        case Part.NETWORK_ACL:
            shown["Acl"] = scene.component(hop.id)
        case Part.ROUTE_TABLE:
            shown["RouteTable"] = scene.component(hop.id)
        case Part.SECURITY_GROUPS if port is not None:
            shown["SecurityGroups"] = [scene.component(id_) for id_ in port.groups]
        case Part.INTERNET_GATEWAY:
            shown |= {"InternetGateway": shown["Component"], "Vpc": scene.component(hop.id)}
        case Part.VPN:
            shown["VpnGateway"] = shown["Component"]
    if hop.packet is not None:
        shown["Addresses"] = [str(hop.packet.dst)]
    return shown


def _code(scene: Scene, reason: Reason, hop: Hop) -> str:
    """Two reasons have a closer code where it is known which way the packet went, or what the groups say."""
    if reason is Reason.NO_PUBLIC_ADDRESS and hop.part is Part.INTERFACE:
        return "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS"
    port = scene.port(hop.port)
    if reason in (Reason.EGRESS, Reason.INGRESS) and port is not None and not _rules(scene, port, hop.direction):
        return "SG_HAS_NO_RULES"
    return CODES[reason]


def _rules(scene: Scene, port: Port, direction: str) -> bool:
    groups = (scene.world.get((Kind.SECURITY_GROUP, id_)) for id_ in port.groups)
    return any(
        group.ingress if direction == "ingress" else group.egress
        for group in groups
        if isinstance(group, SecurityGroup)
    )
