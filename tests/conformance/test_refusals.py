"""Every refusal that clients of network interfaces know, as AWS words it: one table, over HTTP, with boto3.

The rows are in the order of AWS's documentation of elastic network interfaces as this project sums it up. Each refused
call changes nothing. What cannot be met yet is listed at the end with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from api_server import QUOTAS, Api
from botocore.exceptions import ClientError
from sqlalchemy import update
from world import GONE, World

from enid.store import tables as t

Refused = tuple[str, dict[str, Any], str]
"""Operation, parameters, and the message; a message that ends with ``…`` is only the start."""


@dataclass(frozen=True)
class Row:
    when: str
    code: str
    ask: Callable[[World], Refused]
    status: int = 400


TABLE: list[Row] = []


def row(when: str, code: str, status: int = 400) -> Callable[[Callable[[World], Refused]], Callable[[World], Refused]]:
    def add(ask: Callable[[World], Refused]) -> Callable[[World], Refused]:
        TABLE.append(Row(when, code, ask, status))
        return ask

    return add


@row("unknown interface: only the first is named", "InvalidNetworkInterfaceID.NotFound")
def _(w: World) -> Refused:
    params = {"NetworkInterfaceIds": [w.eni(), f"eni-{GONE}", "eni-00000000000000001"]}
    return "DescribeNetworkInterfaces", params, f"The networkInterface ID 'eni-{GONE}' does not exist"


@row("malformed interface id", "InvalidNetworkInterfaceId.Malformed")
def _(w: World) -> Refused:
    return "DeleteNetworkInterface", {"NetworkInterfaceId": "x"}, 'Invalid id: "x" (expecting "eni-...")'


@row("malformed attachment id", "InvalidNetworkInterfaceAttachmentId.Malformed")
def _(w: World) -> Refused:
    return "DetachNetworkInterface", {"AttachmentId": w.eni()}, "Invalid id: …"


@row("unknown attachment", "InvalidAttachmentID.NotFound")
def _(w: World) -> Refused:
    id_ = f"eni-attach-{GONE}"
    return "DetachNetworkInterface", {"AttachmentId": id_}, f"The attachment ID '{id_}' does not exist"


@row("detach the primary interface", "OperationNotPermitted")
def _(w: World) -> Refused:
    _, eni = w.running()
    (shown,) = w.ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"]
    params = {"AttachmentId": shown["Attachment"]["AttachmentId"], "Force": True}
    return "DetachNetworkInterface", params, "The network interface at device index 0 cannot be detached."


@row("attach an interface in use", "InvalidParameterValue")
def _(w: World) -> Refused:
    (first, _), (second, _) = w.running(), w.running()
    eni = w.eni()
    w.attach(eni, first)
    params = {"NetworkInterfaceId": eni, "InstanceId": second, "DeviceIndex": 1}
    return "AttachNetworkInterface", params, f"Network interface '{eni}' is currently in use."


@row("delete an interface in use", "InvalidParameterValue")
def _(w: World) -> Refused:
    _, eni = w.running()
    return "DeleteNetworkInterface", {"NetworkInterfaceId": eni}, f"Network interface '{eni}' is currently in use."


@row("launch with an interface in use", "InvalidNetworkInterface.InUse")
def _(w: World) -> Refused:
    _, eni = w.running()
    params = w.launch(NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": eni}])
    return "RunInstances", params, f"Interface: [{eni}] in use."


@row("attach in another zone", "InvalidParameterCombination")
def _(w: World) -> Refused:
    instance, _ = w.running()
    eni = w.eni(w.add_subnet("10.0.2.0/24", "us-east-1b"))
    message = "You may not attach a network interface to an instance if they are not in the same availability zone"
    params = {"NetworkInterfaceId": eni, "InstanceId": instance, "DeviceIndex": 1}
    return "AttachNetworkInterface", params, message


@row("attach in another VPC", "InvalidParameterValue")
def _(w: World) -> Refused:
    instance, _ = w.running()
    params = {"NetworkInterfaceId": w.eni(w.add_vpc()[1]), "InstanceId": instance, "DeviceIndex": 1}
    return "AttachNetworkInterface", params, "Network interface attachments may not cross VPC boundaries."


def _taken(w: World, index: int) -> Refused:
    instance = w.two_interfaces()
    message = f"Instance '{instance}' already has an interface attached at device index '{index}'."
    params = {"NetworkInterfaceId": w.eni(), "InstanceId": instance, "DeviceIndex": index}
    return "AttachNetworkInterface", params, message


@row("attach where another is", "InvalidParameterValue")
def _(w: World) -> Refused:
    return _taken(w, 1)


@row("attach where the primary is", "InvalidParameterValue")
def _(w: World) -> Refused:
    return _taken(w, 0)


@row("more interfaces than the type has", "AttachmentLimitExceeded")
def _(w: World) -> Refused:
    instance, _ = w.running("t3.small")
    w.attach(w.eni(), instance, 1)
    w.attach(w.eni(), instance, 2)
    params = {"NetworkInterfaceId": w.eni(), "InstanceId": instance, "DeviceIndex": 3}
    return "AttachNetworkInterface", params, "Interface count 4 exceeds the limit for t3.small"


@row("more addresses than the type has, at a launch", "InvalidInterface.IpAddressLimitExceeded")
def _(w: World) -> Refused:
    interface = {"DeviceIndex": 0, "SubnetId": w.subnet, "SecondaryPrivateIpAddressCount": 4}
    return "RunInstances", w.launch("t3.small", NetworkInterfaces=[interface]), "…"


@row("more addresses than the type has, later", "PrivateIpAddressLimitExceeded")
def _(w: World) -> Refused:
    _, eni = w.running("t3.small")
    params = {"NetworkInterfaceId": eni, "SecondaryPrivateIpAddressCount": 4}
    return "AssignPrivateIpAddresses", params, "Number of private addresses will exceed limit."


@row("an address outside the subnet", "InvalidParameterValue")
def _(w: World) -> Refused:
    params = {"SubnetId": w.subnet, "PrivateIpAddress": "10.0.2.9"}
    return "CreateNetworkInterface", params, "Address 10.0.2.9 does not fall within the subnet's address range"


@row("a reserved address", "InvalidParameterValue")
def _(w: World) -> Refused:
    params = {"SubnetId": w.subnet, "PrivateIpAddress": "10.0.1.3"}
    return "CreateNetworkInterface", params, "Address is in subnet's reserved address range"


@row("a primary address that is taken", "InvalidIPAddress.InUse")
def _(w: World) -> Refused:
    w.eni(PrivateIpAddress="10.0.1.5")
    params = {"SubnetId": w.subnet, "PrivateIpAddress": "10.0.1.5"}
    return "CreateNetworkInterface", params, "Address 10.0.1.5 is in use."


@row("a secondary address that is taken", "InvalidParameterValue")
def _(w: World) -> Refused:
    eni = w.eni()
    w.eni(PrivateIpAddresses=[{"PrivateIpAddress": "10.0.1.50", "Primary": True}, {"PrivateIpAddress": "10.0.1.51"}])
    params = {"NetworkInterfaceId": eni, "PrivateIpAddresses": ["10.0.1.51"]}
    return "AssignPrivateIpAddresses", params, "Some of [10.0.1.51] is assigned, but move is not allowed."


@row("unassign the primary address", "InvalidParameterValue")
def _(w: World) -> Refused:
    eni = w.eni(PrivateIpAddress="10.0.1.5")
    params = {"NetworkInterfaceId": eni, "PrivateIpAddresses": ["10.0.1.5"]}
    return (
        "UnassignPrivateIpAddresses",
        params,
        f"Some of the specified addresses are not assigned to interface {eni}",
    )


@row("unassign an address that is not there", "InvalidParameterValue")
def _(w: World) -> Refused:
    eni = w.eni()
    params = {"NetworkInterfaceId": eni, "PrivateIpAddresses": ["10.0.1.99"]}
    return (
        "UnassignPrivateIpAddresses",
        params,
        f"Some of the specified addresses are not assigned to interface {eni}",
    )


@row("a full subnet", "InsufficientFreeAddressesInSubnet")
def _(w: World) -> Refused:
    small = w.add_subnet("10.0.3.0/28")
    w.eni(small, SecondaryPrivateIpAddressCount=10)
    message = "The specified subnet does not have enough free addresses to satisfy the request."
    return "CreateNetworkInterface", {"SubnetId": small}, message


@row("an unknown group, at creation", "InvalidSecurityGroupID.NotFound")
def _(w: World) -> Refused:
    params = {"SubnetId": w.subnet, "Groups": [f"sg-{GONE}"]}
    return "CreateNetworkInterface", params, f"The securityGroup ID 'sg-{GONE}' does not exist"


@row("an unknown group, later", "InvalidGroup.NotFound")
def _(w: World) -> Refused:
    params = {"NetworkInterfaceId": w.eni(), "Groups": [f"sg-{GONE}"]}
    return "ModifyNetworkInterfaceAttribute", params, f"The security group 'sg-{GONE}' does not exist"


@row("a group of another VPC", "InvalidGroup.NotFound")
def _(w: World) -> Refused:
    params = {"NetworkInterfaceId": w.eni(), "Groups": [w.group(vpc=w.add_vpc()[0])]}
    message = "You have specified two resources that belong to different networks."
    return "ModifyNetworkInterfaceAttribute", params, message


@row("too many groups", "SecurityGroupsPerInterfaceLimitExceeded")
def _(w: World) -> Refused:
    params = {"SubnetId": w.subnet, "Groups": [w.group(f"g{number}") for number in range(6)]}
    message = "The maximum number of security groups per interface has been reached."
    return "CreateNetworkInterface", params, message


@row("too many rules", "RulesPerSecurityGroupLimitExceeded")
def _(w: World) -> Refused:
    group = w.group()
    rules = [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port} for port in range(1, 62)]
    everywhere = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    params = {"GroupId": group, "IpPermissions": [rule | everywhere for rule in rules]}
    message = "The maximum number of rules per security group has been reached."
    return "AuthorizeSecurityGroupIngress", params, message


@row("too many interfaces", "NetworkInterfaceLimitExceeded")
def _(w: World) -> Refused:
    for _ in range(QUOTAS.network_interfaces):
        w.eni()
    return "CreateNetworkInterface", {"SubnetId": w.subnet}, "…"


@row("describe no attribute", "InvalidParameterCombination")
def _(w: World) -> Refused:
    params = {"NetworkInterfaceId": w.eni()}
    return "DescribeNetworkInterfaceAttribute", params, "No attributes specified."


@row("describe an unknown attribute", "InvalidParameterValue")
def _(w: World) -> Refused:
    params = {"NetworkInterfaceId": w.eni(), "Attribute": "colour"}
    return "DescribeNetworkInterfaceAttribute", params, "…"


@row("modify nothing", "InvalidParameterCombination")
def _(w: World) -> Refused:
    params = {"NetworkInterfaceId": w.eni()}
    return "ModifyNetworkInterfaceAttribute", params, "No attributes specified."


@row("modify two attributes", "InvalidParameterCombination")
def _(w: World) -> Refused:
    params = {"NetworkInterfaceId": w.eni(), "Description": {"Value": "a"}, "SourceDestCheck": {"Value": False}}
    return "ModifyNetworkInterfaceAttribute", params, "Multiple attributes specified"


@row("modify an attachment without saying what", "MissingParameter")
def _(w: World) -> Refused:
    instance, _ = w.running()
    eni = w.eni()
    params = {"NetworkInterfaceId": eni, "Attachment": {"AttachmentId": w.attach(eni, instance)}}
    message = "The request must contain the parameter attachment deleteOnTermination"
    return "ModifyNetworkInterfaceAttribute", params, message


def _several(instance: str) -> str:
    return (
        f"There are multiple interfaces attached to instance '{instance}'. "
        "Please specify an interface ID for the operation instead."
    )


@row("which of several interfaces, AssociateAddress", "InvalidInstanceID")
def _(w: World) -> Refused:
    assert w.gateway
    instance = w.two_interfaces()
    return "AssociateAddress", {"AllocationId": w.elastic(), "InstanceId": instance}, _several(instance)


@row("which of several interfaces, CreateRoute", "InvalidInstanceID")
def _(w: World) -> Refused:
    instance = w.two_interfaces()
    table = w.ec2.create_route_table(VpcId=w.vpc)["RouteTable"]["RouteTableId"]
    params = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "InstanceId": instance}
    return "CreateRoute", params, _several(instance)


@row("which of several interfaces, ModifyInstanceAttribute", "InvalidInstanceID")
def _(w: World) -> Refused:
    instance = w.two_interfaces()
    params = {"InstanceId": instance, "SourceDestCheck": {"Value": False}}
    return "ModifyInstanceAttribute", params, _several(instance)


@row("an Elastic IP without internet gateway", "Gateway.NotAttached")
def _(w: World) -> Refused:
    params = {"AllocationId": w.elastic(), "NetworkInterfaceId": w.eni()}
    return "AssociateAddress", params, f"Network {w.vpc} is not attached to any internet gateway"


@row("an Elastic IP that is somewhere else", "Resource.AlreadyAssociated")
def _(w: World) -> Refused:
    assert w.gateway
    address = w.elastic()
    there = w.ec2.associate_address(AllocationId=address, NetworkInterfaceId=w.eni())["AssociationId"]
    params = {"AllocationId": address, "NetworkInterfaceId": w.eni(), "AllowReassociation": False}
    return "AssociateAddress", params, f"resource {address} is already associated with associate-id {there}"


@row("release an Elastic IP in use", "InvalidIPAddress.InUse")
def _(w: World) -> Refused:
    assert w.gateway
    address = w.elastic()
    w.ec2.associate_address(AllocationId=address, NetworkInterfaceId=w.eni())
    (shown,) = w.ec2.describe_addresses(AllocationIds=[address])["Addresses"]
    return "ReleaseAddress", {"AllocationId": address}, f"Address {shown['PublicIp']} is in use."


@row("an Elastic IP for a starting instance", "IncorrectInstanceState")
def _(w: World) -> Refused:
    assert w.gateway
    _, eni = w.pending()
    return "AssociateAddress", {"AllocationId": w.elastic(), "NetworkInterfaceId": eni}, "…"


@row("an interface that belongs to a service", "AuthFailure")
def _(w: World) -> Refused:
    eni = w.eni()
    w.api.put(update(t.network_interfaces).where(t.network_interfaces.c.id == eni).values(requester_managed=True))
    return (
        "DeleteNetworkInterface",
        {"NetworkInterfaceId": eni},
        ("You do not have permission to access the specified resource."),
    )


@row("delete a subnet in use", "DependencyViolation")
def _(w: World) -> Refused:
    w.eni()
    params = {"SubnetId": w.subnet}
    return "DeleteSubnet", params, f"The subnet '{w.subnet}' has dependencies and cannot be deleted.…"


@row("delete a VPC in use", "DependencyViolation")
def _(w: World) -> Refused:
    assert w.subnet
    return "DeleteVpc", {"VpcId": w.vpc}, f"The vpc '{w.vpc}' has dependencies and cannot be deleted.…"


@row("delete a group in use", "DependencyViolation")
def _(w: World) -> Refused:
    group = w.group()
    w.eni(Groups=[group])
    return "DeleteSecurityGroup", {"GroupId": group}, f"resource {group} has a dependent object…"


@row("detach a gateway in use", "DependencyViolation")
def _(w: World) -> Refused:
    params = {"InternetGatewayId": w.gateway, "VpcId": w.vpc}
    w.ec2.associate_address(AllocationId=w.elastic(), NetworkInterfaceId=w.eni())
    message = (
        f"Network {w.vpc} has some mapped public address(es). "
        "Please unmap those public address(es) before detaching the gateway…"
    )
    return "DetachInternetGateway", params, message


@row("launch with interfaces and a subnet", "InvalidParameterCombination")
def _(w: World) -> Refused:
    params = w.launch(NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": w.subnet}]) | {"SubnetId": w.subnet}
    message = "Network interfaces and an instance-level subnet ID may not be specified on the same request"
    return "RunInstances", params, message


@row("launch with interfaces and a group", "InvalidParameterCombination")
def _(w: World) -> Refused:
    interfaces = [{"DeviceIndex": 0, "SubnetId": w.subnet}]
    params = w.launch(NetworkInterfaces=interfaces, SecurityGroupIds=[w.group()])
    message = "Network interfaces and an instance-level security groups may not be specified on the same request"
    return "RunInstances", params, message


@row("launch with interfaces and an address", "InvalidParameterCombination")
def _(w: World) -> Refused:
    interfaces = [{"DeviceIndex": 0, "SubnetId": w.subnet}]
    params = w.launch(NetworkInterfaces=interfaces, PrivateIpAddress="10.0.1.9")
    message = "Network interfaces and an instance-level private IP address may not be specified on the same request"
    return "RunInstances", params, message


@row("launch without a primary interface", "UnsupportedOperation")
def _(w: World) -> Refused:
    params = w.launch(NetworkInterfaces=[{"DeviceIndex": 1, "SubnetId": w.subnet}])
    message = "When specifying network interfaces, you must include a device at index 0."
    return "RunInstances", params, message


@row("launch with two interfaces at one index", "InvalidParameterValue")
def _(w: World) -> Refused:
    params = w.launch(NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": w.subnet}] * 2)
    return "RunInstances", params, "Each network interface requires a unique device index."


@row("launch with an interface without index", "InvalidParameterValue")
def _(w: World) -> Refused:
    params = w.launch(NetworkInterfaces=[{"SubnetId": w.subnet}])
    return "RunInstances", params, "Each network interface requires a device index."


def _existing(w: World, what: str, **more: Any) -> Refused:
    params = w.launch(NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": w.eni(), **more}])
    return "RunInstances", params, f"A network interface may not specify both a network interface ID and {what}"


@row("launch with an interface and a subnet for it", "InvalidParameterCombination")
def _(w: World) -> Refused:
    return _existing(w, "a subnet", SubnetId=w.subnet)


@row("launch with an interface and groups for it", "InvalidParameterCombination")
def _(w: World) -> Refused:
    return _existing(w, "…", Groups=[w.group()])


@row("launch with an interface and an address for it", "InvalidParameterCombination")
def _(w: World) -> Refused:
    return _existing(w, "…", PrivateIpAddress="10.0.1.9")


@row("launch with an interface that is to die with the instance", "InvalidParameterCombination")
def _(w: World) -> Refused:
    params = w.launch(
        NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": w.eni(), "DeleteOnTermination": True}]
    )
    return (
        "RunInstances",
        params,
        "A network interface may not specify a network interface ID and delete on termination…",
    )


@row("launch with two interfaces and a public address", "InvalidParameterCombination")
def _(w: World) -> Refused:
    first = {"DeviceIndex": 0, "SubnetId": w.subnet, "AssociatePublicIpAddress": True}
    params = w.launch(NetworkInterfaces=[first, {"DeviceIndex": 1, "SubnetId": w.subnet}])
    message = (
        "The associatePublicIPAddress parameter cannot be specified when launching with multiple network interfaces."
    )
    return "RunInstances", params, message


@row("only asking", "DryRunOperation", 412)
def _(w: World) -> Refused:
    params = {"SubnetId": w.subnet, "DryRun": True}
    return "CreateNetworkInterface", params, "Request would have succeeded, but DryRun flag is set."


@row("no room for a prefix", "InsufficientCidrBlocks")
def _(w: World) -> Refused:
    params = {"SubnetId": w.add_subnet("10.0.2.0/27"), "Ipv4PrefixCount": 1}
    message = "The specified subnet does not have enough free cidr blocks to satisfy the request."
    return "CreateNetworkInterface", params, message


@row("a prefix that an address lies in", "InvalidIPAddress.InUse")
def _(w: World) -> Refused:
    eni = w.eni(PrivateIpAddress="10.0.1.40")
    params = {"NetworkInterfaceId": eni, "Ipv4Prefixes": ["10.0.1.32/28"]}
    return "AssignPrivateIpAddresses", params, "Address 10.0.1.32/28 is in use."


@row("an address that lies in a prefix", "InvalidParameterValue")
def _(w: World) -> Refused:
    w.eni(Ipv4Prefixes=[{"Ipv4Prefix": "10.0.1.32/28"}])
    params = {"NetworkInterfaceId": w.eni(), "PrivateIpAddresses": ["10.0.1.40"], "AllowReassignment": True}
    return "AssignPrivateIpAddresses", params, "Some of [10.0.1.40] is assigned, but move is not allowed."


@row("more prefixes than the type has addresses", "PrivateIpAddressLimitExceeded")
def _(w: World) -> Refused:
    _, eni = w.running()
    params = {"NetworkInterfaceId": eni, "Ipv4PrefixCount": 4}
    return "AssignPrivateIpAddresses", params, "Number of private addresses will exceed limit."


@row("a permission for a second account", "InvalidParameterValue")
def _(w: World) -> Refused:
    params = {"NetworkInterfaceId": w.eni(), "Permission": "INSTANCE-ATTACH", "AwsAccountId": "222222222222"}
    w.ec2.create_network_interface_permission(**params)
    return "CreateNetworkInterfacePermission", params | {"AwsAccountId": "333333333333"}, "The permission …"


@row("reserve what is reserved", "InvalidParameterValue")
def _(w: World) -> Refused:
    params = {"SubnetId": w.subnet, "Cidr": "10.0.1.64/26", "ReservationType": "prefix"}
    w.ec2.create_subnet_cidr_reservation(**params)
    message = "The CIDR '10.0.1.64/28' conflicts with the reservation of 10.0.1.64/26."
    return "CreateSubnetCidrReservation", params | {"Cidr": "10.0.1.64/28"}, message


@row("accept an address nobody offers", "InvalidAddress.NotFound")
def _(w: World) -> Refused:
    return "AcceptAddressTransfer", {"Address": "198.18.0.77"}, "Address '198.18.0.77' not found."


@row("release an address with a reverse name", "InvalidAddress.Locked")
def _(w: World) -> Refused:
    params = {"AllocationId": w.elastic()}
    w.ec2.modify_address_attribute(DomainName="mail.example.com", **params)
    return "ReleaseAddress", params, "Address …"


@row("mirror to a load balancer", "UnsupportedOperation")
def _(w: World) -> Refused:
    params = {"NetworkLoadBalancerArn": "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/x/1"}
    return "CreateTrafficMirrorTarget", params, "The parameter NetworkLoadBalancerArn is not supported."


@row("mirror by a filter that is not there", "InvalidTrafficMirrorFilterId.NotFound")
def _(w: World) -> Refused:
    id_ = f"tmf-{GONE}"
    params = w.mirror() | {"TrafficMirrorFilterId": id_}
    return "CreateTrafficMirrorSession", params, f"The traffic mirror filter ID '{id_}' does not exist"


@row("a session number that is taken", "InvalidParameterValue")
def _(w: World) -> Refused:
    params = w.mirror()
    w.ec2.create_traffic_mirror_session(**params)
    return "CreateTrafficMirrorSession", params, "The session number 1 is already being used by tms-…"


@row("a fourth session of an interface", "TrafficMirrorSessionsPerInterfaceLimitExceeded")
def _(w: World) -> Refused:
    params = w.mirror()
    for number in (2, 3, 4):
        w.ec2.create_traffic_mirror_session(**params | {"SessionNumber": number})
    sentence = "The allowed number of Traffic Mirror sessions for the specified network interface has been exceeded."
    return "CreateTrafficMirrorSession", params, sentence


@row("delete a filter a session uses", "TrafficMirrorFilterInUse")
def _(w: World) -> Refused:
    params = w.mirror()
    w.ec2.create_traffic_mirror_session(**params)
    asked = {"TrafficMirrorFilterId": params["TrafficMirrorFilterId"]}
    return "DeleteTrafficMirrorFilter", asked, "The Traffic Mirror filter cannot be deleted because …"


@row("delete a target a session uses", "TrafficMirrorTargetInUseException")
def _(w: World) -> Refused:
    params = w.mirror()
    w.ec2.create_traffic_mirror_session(**params)
    asked = {"TrafficMirrorTargetId": params["TrafficMirrorTargetId"]}
    return "DeleteTrafficMirrorTarget", asked, "The Traffic Mirror target cannot be deleted because …"


@row("a token used for something else", "IdempotentParameterMismatch")
def _(w: World) -> Refused:
    w.eni(ClientToken="token")
    return "CreateNetworkInterface", {"SubnetId": w.subnet, "ClientToken": "token", "Description": "other"}, "…"


NOT_MET = {
    "UnauthorizedOperation, a dry run that is not allowed": "every key of an account may do everything in it",
    "OperationNotPermitted instead of AuthFailure": "one of the two codes AWS documents for a service's interface",
}
"""Rows of AWS's documentation that no call can meet here, and why."""


@pytest.mark.parametrize("expected", TABLE, ids=lambda row: row.when)
def test_refusal(api: Api, expected: Row) -> None:
    action, params, message = expected.ask(World(api))
    before = api.dump()
    with pytest.raises(ClientError) as caught:
        api.ec2._make_api_call(action, params)
    answer = caught.value.response
    assert answer["Error"]["Code"] == expected.code, answer["Error"]["Message"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == expected.status
    said = answer["Error"]["Message"]
    start, partial, _ = message.partition("…")
    assert said.startswith(start) if partial else said == message
    assert said
    assert api.dump() == before, "it was refused but changed the store"
