"""AWS's error codes. Every refusal is an :class:`AwsError`; raising one rolls the whole call back.

Texts follow ``docs/`` of EC2 and what real AWS has been seen to answer.
"""

from __future__ import annotations

from collections.abc import Sequence


class AwsError(Exception):
    """A refusal: AWS's ``code``, a sentence for a person, and the HTTP status.

    ``dependants``: ids of what stands in the way, where AWS's sentence does not say; ``enid why-not-delete`` does.
    """

    def __init__(self, code: str, message: str, status: int = 400, *, dependants: Sequence[str] = ()) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.dependants = tuple(dependants)


def missing_parameter(name: str) -> AwsError:
    return AwsError("MissingParameter", f"The request must contain the parameter {name}")


def invalid_parameter_value(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)


def invalid_parameter_combination(message: str) -> AwsError:
    return AwsError("InvalidParameterCombination", message)


def unsupported(message: str) -> AwsError:
    return AwsError("UnsupportedOperation", message)


def dependency_violation(message: str, dependants: Sequence[str] = ()) -> AwsError:
    return AwsError("DependencyViolation", message, dependants=dependants)


def not_permitted(message: str, dependants: Sequence[str] = ()) -> AwsError:
    return AwsError("OperationNotPermitted", message, dependants=dependants)


NOT_FOUND: dict[str, tuple[str, str]] = {
    # prefix → (code, what AWS calls the thing in the sentence)
    "vpc": ("InvalidVpcID.NotFound", "The vpc ID '{id}' does not exist"),
    "subnet": ("InvalidSubnetID.NotFound", "The subnet ID '{id}' does not exist"),
    "dopt": ("InvalidDhcpOptionID.NotFound", "The dhcpOption ID '{id}' does not exist"),
    "igw": ("InvalidInternetGatewayID.NotFound", "The internetGateway ID '{id}' does not exist"),
    "eigw": ("InvalidGatewayID.NotFound", "The gateway ID '{id}' does not exist"),
    "nat": ("NatGatewayNotFound", "The Nat Gateway {id} was not found"),
    "vgw": ("InvalidVpnGatewayID.NotFound", "The vpnGateway ID '{id}' does not exist"),
    "cgw": ("InvalidCustomerGatewayID.NotFound", "The customerGateway ID '{id}' does not exist"),
    "vpn": ("InvalidVpnConnectionID.NotFound", "The vpnConnection ID '{id}' does not exist"),
    "pcx": ("InvalidVpcPeeringConnectionID.NotFound", "The vpcPeeringConnection ID '{id}' does not exist"),
    "rtb": ("InvalidRouteTableID.NotFound", "The routeTable ID '{id}' does not exist"),
    "rtbassoc": ("InvalidAssociationID.NotFound", "The association ID '{id}' does not exist"),
    "acl": ("InvalidNetworkAclID.NotFound", "The networkAcl ID '{id}' does not exist"),
    "aclassoc": ("InvalidAssociationID.NotFound", "The association ID '{id}' does not exist"),
    "sg": ("InvalidGroup.NotFound", "The security group '{id}' does not exist"),
    "sgr": ("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '{id}' does not exist"),
    "pl": ("InvalidPrefixListID.NotFound", "The prefix list ID '{id}' does not exist"),
    "eni": ("InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '{id}' does not exist"),
    "eni-perm": (
        "InvalidNetworkInterfacePermissionId.NotFound",
        "The network interface permission ID '{id}' does not exist",
    ),
    "scr": ("InvalidSubnetCidrReservationID.NotFound", "The subnet CIDR reservation ID '{id}' does not exist"),
    "eni-attach": ("InvalidAttachmentID.NotFound", "The attachment ID '{id}' does not exist"),
    "eipalloc": ("InvalidAllocationID.NotFound", "The allocation ID '{id}' does not exist"),
    "eipassoc": ("InvalidAssociationID.NotFound", "The association ID '{id}' does not exist"),
    "i": ("InvalidInstanceID.NotFound", "The instance ID '{id}' does not exist"),
    "ami": ("InvalidAMIID.NotFound", "The image id '[{id}]' does not exist"),
    "key": ("InvalidKeyPair.NotFound", "The key pair '{id}' does not exist"),
    "fl": (
        "InvalidFlowLogId.NotFound",
        "These flow log ids in the input list are not found: [TotalCount: 1] {id}",
    ),
    "vpce": ("InvalidVpcEndpointId.NotFound", "The Vpc Endpoint Id '{id}' does not exist"),
    "nip": ("InvalidNetworkInsightsPathId.NotFound", "The network insights path ID '{id}' does not exist"),
    "nia": ("InvalidNetworkInsightsAnalysisId.NotFound", "The network insights analysis ID '{id}' does not exist"),
    "tmf": ("InvalidTrafficMirrorFilterId.NotFound", "The traffic mirror filter ID '{id}' does not exist"),
    "tmfr": ("InvalidTrafficMirrorFilterRuleId.NotFound", "The traffic mirror filter rule ID '{id}' does not exist"),
    "tmt": ("InvalidTrafficMirrorTargetId.NotFound", "The traffic mirror target ID '{id}' does not exist"),
    "tms": ("InvalidTrafficMirrorSessionId.NotFound", "The traffic mirror session ID '{id}' does not exist"),
}

MALFORMED: dict[str, str] = {
    "vpc": "InvalidVpcID.Malformed",
    "subnet": "InvalidSubnetID.Malformed",
    "dopt": "InvalidDhcpOptionsId.Malformed",
    "igw": "InvalidInternetGatewayId.Malformed",
    "eigw": "InvalidEgressOnlyInternetGatewayId.Malformed",
    "nat": "NatGatewayMalformed",
    "vgw": "InvalidVpnGatewayID.Malformed",
    "cgw": "InvalidCustomerGatewayId.Malformed",
    "vpn": "InvalidVpnConnectionID.Malformed",
    "pcx": "InvalidVpcPeeringConnectionId.Malformed",
    "rtb": "InvalidRouteTableId.Malformed",
    "rtbassoc": "InvalidRouteTableAssociationId.Malformed",
    "acl": "InvalidNetworkAclId.Malformed",
    "aclassoc": "InvalidNetworkAclAssociationId.Malformed",
    "sg": "InvalidGroupId.Malformed",
    "sgr": "InvalidSecurityGroupRuleId.Malformed",
    "pl": "InvalidPrefixListId.Malformed",
    "eni": "InvalidNetworkInterfaceId.Malformed",
    "eni-perm": "InvalidNetworkInterfacePermissionId.Malformed",
    "scr": "InvalidSubnetCidrReservationID.Malformed",
    "eni-attach": "InvalidNetworkInterfaceAttachmentId.Malformed",
    "eipalloc": "InvalidAllocationId.Malformed",
    "eipassoc": "InvalidAssociationId.Malformed",
    "i": "InvalidInstanceID.Malformed",
    "ami": "InvalidAMIID.Malformed",
    "vpce": "InvalidVpcEndpointId.Malformed",
    "nip": "InvalidNetworkInsightsPathId.Malformed",
    "nia": "InvalidNetworkInsightsAnalysisId.Malformed",
    "tmf": "InvalidTrafficMirrorFilterId.Malformed",
    "tmfr": "InvalidTrafficMirrorFilterRuleId.Malformed",
    "tmt": "InvalidTrafficMirrorTargetId.Malformed",
    "tms": "InvalidTrafficMirrorSessionId.Malformed",
}


def not_found(prefix: str, id_: str) -> AwsError:
    """The resource of this kind does not exist (for this account)."""
    code, sentence = NOT_FOUND[prefix]
    return AwsError(code, sentence.format(id=id_))


def check_id(prefix: str, id_: str) -> str:
    """``id_`` when it has the form ``prefix-`` + 8 or 17 hexadecimal digits; else AWS's ``…Malformed``."""
    head, dash, tail = id_.rpartition("-")
    if head == prefix and dash and len(tail) in (8, 17) and set(tail) <= set("0123456789abcdef"):
        return id_
    code = MALFORMED.get(prefix, "InvalidParameterValue")
    raise AwsError(code, f'Invalid id: "{id_}" (expecting "{prefix}-...")')
