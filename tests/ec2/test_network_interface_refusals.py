"""Refusals word for word: AWS's code and sentence for each thing an interface may not do, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from small_network import Network
from sqlalchemy import update

from enid.settings import Quotas
from enid.store import tables as t

Request = tuple[str, dict[str, Any]]
Case = tuple[str, Callable[[Network], Request], str, str]
MISSING = "0000000000000aaa0"
IN_USE = "Network interface '{eni}' is currently in use."
OUTSIDE = "does not fall within the subnet's address range"
RESERVED = "Address is in subnet's reserved address range"
FULL = "The specified subnet does not have enough free addresses to satisfy the request."
LIMIT = "Number of private addresses will exceed limit."


def create(**params: Any) -> Callable[[Network], Request]:
    return lambda net: ("CreateNetworkInterface", {"SubnetId": net.subnet, **params})


def on_interface(action: str, **params: Any) -> Callable[[Network], Request]:
    return lambda net: (action, {"NetworkInterfaceId": net.interface(), **params})


def modify(**params: Any) -> Callable[[Network], Request]:
    return on_interface("ModifyNetworkInterfaceAttribute", **params)


def assign(**params: Any) -> Callable[[Network], Request]:
    return on_interface("AssignPrivateIpAddresses", **params)


def attach_in_use(net: Network) -> Request:
    _, eni = net.machine()
    return "AttachNetworkInterface", {"NetworkInterfaceId": eni, "InstanceId": net.instance(), "DeviceIndex": 1}


def attach_at_taken_index(net: Network) -> Request:
    instance, _ = net.machine()
    return "AttachNetworkInterface", {"NetworkInterfaceId": net.interface(), "InstanceId": instance, "DeviceIndex": 0}


def attach_across(subnet: str) -> Callable[[Network], Request]:
    def request(net: Network) -> Request:
        eni = net.interface(getattr(net, subnet))
        return "AttachNetworkInterface", {"NetworkInterfaceId": eni, "InstanceId": net.instance(), "DeviceIndex": 1}

    return request


def attach_to(instance: str, index: int = 1) -> Callable[[Network], Request]:
    return on_interface("AttachNetworkInterface", InstanceId=instance, DeviceIndex=index)


def detach_primary(net: Network) -> Request:
    return "DetachNetworkInterface", {"AttachmentId": net.attach(net.interface(), net.instance(), 0), "Force": True}


def delete_in_use(net: Network) -> Request:
    _, eni = net.machine()
    return "DeleteNetworkInterface", {"NetworkInterfaceId": eni}


def taken_primary(net: Network) -> Request:
    net.interface(PrivateIpAddress="10.0.1.50")
    return "CreateNetworkInterface", {"SubnetId": net.subnet, "PrivateIpAddress": "10.0.1.50"}


def taken_secondary(net: Network) -> Request:
    other = net.interface()
    net.call("AssignPrivateIpAddresses", NetworkInterfaceId=other, PrivateIpAddresses=["10.0.1.50"])
    params = {"NetworkInterfaceId": net.interface(), "PrivateIpAddresses": ["10.0.1.50"]}
    return "AssignPrivateIpAddresses", params


def unassign(ip: str) -> Callable[[Network], Request]:
    def request(net: Network) -> Request:
        eni = net.interface(PrivateIpAddress="10.0.1.50")
        return "UnassignPrivateIpAddresses", {"NetworkInterfaceId": eni, "PrivateIpAddresses": [ip]}

    return request


def assign_in_full_subnet(net: Network) -> Request:
    eni = net.interface(net.small, SecondaryPrivateIpAddressCount=9)
    return "AssignPrivateIpAddresses", {"NetworkInterfaceId": eni, "SecondaryPrivateIpAddressCount": 2}


def six_groups(net: Network) -> list[str]:
    return [net.add_group(net.vpc, f"group-{number}") for number in range(6)]


def modify_attachment(**attachment: Any) -> Callable[[Network], Request]:
    def request(net: Network) -> Request:
        eni = net.interface()
        id_ = net.attach(eni, net.instance(), 0)
        params = {"NetworkInterfaceId": eni, "Attachment": {"AttachmentId": id_, **attachment}}
        return "ModifyNetworkInterfaceAttribute", params

    return request


CASES: list[Case] = [
    (
        "an unknown interface",
        lambda net: ("DeleteNetworkInterface", {"NetworkInterfaceId": f"eni-{MISSING}"}),
        "InvalidNetworkInterfaceID.NotFound",
        f"The networkInterface ID 'eni-{MISSING}' does not exist",
    ),
    (
        "a malformed interface",
        lambda net: ("DescribeNetworkInterfaces", {"NetworkInterfaceIds": ["eni-web"]}),
        "InvalidNetworkInterfaceId.Malformed",
        'Invalid id: "eni-web" (expecting "eni-...")',
    ),
    (
        "an unknown attachment",
        lambda net: ("DetachNetworkInterface", {"AttachmentId": f"eni-attach-{MISSING}"}),
        "InvalidAttachmentID.NotFound",
        f"The attachment ID 'eni-attach-{MISSING}' does not exist",
    ),
    (
        "an interface for an attachment",
        lambda net: ("DetachNetworkInterface", {"AttachmentId": f"eni-{MISSING}"}),
        "InvalidNetworkInterfaceAttachmentId.Malformed",
        f'Invalid id: "eni-{MISSING}" (expecting "eni-attach-...")',
    ),
    (
        "the primary interface detached",
        detach_primary,
        "OperationNotPermitted",
        "The network interface at device index 0 cannot be detached.",
    ),
    ("an attached interface attached", attach_in_use, "InvalidParameterValue", IN_USE),
    ("an attached interface deleted", delete_in_use, "InvalidParameterValue", IN_USE),
    (
        "another zone",
        attach_across("subnet_b"),
        "InvalidParameterCombination",
        "You may not attach a network interface to an instance if they are not in the same availability zone",
    ),
    (
        "another VPC",
        attach_across("other_subnet"),
        "InvalidParameterValue",
        "Network interface attachments may not cross VPC boundaries.",
    ),
    (
        "a device index that is taken",
        attach_at_taken_index,
        "InvalidParameterValue",
        "Instance '{instance}' already has an interface attached at device index '0'.",
    ),
    (
        "an unknown instance",
        attach_to(f"i-{MISSING}"),
        "InvalidInstanceID.NotFound",
        f"The instance ID 'i-{MISSING}' does not exist",
    ),
    (
        "an unknown subnet",
        create(SubnetId=f"subnet-{MISSING}"),
        "InvalidSubnetID.NotFound",
        f"The subnet ID 'subnet-{MISSING}' does not exist",
    ),
    (
        "an address outside the subnet",
        create(PrivateIpAddress="10.0.2.4"),
        "InvalidParameterValue",
        f"Address 10.0.2.4 {OUTSIDE}",
    ),
    (
        "a secondary address outside the subnet",
        assign(PrivateIpAddresses=["10.0.2.4"]),
        "InvalidParameterValue",
        f"Address 10.0.2.4 {OUTSIDE}",
    ),
    (
        "an IPv6 address outside the subnet",
        on_interface("AssignIpv6Addresses", Ipv6Addresses=["2001:db8::77"]),
        "InvalidParameterValue",
        f"Address 2001:db8::77 {OUTSIDE}",
    ),
    *[
        (f"the reserved address .{last}", create(PrivateIpAddress=f"10.0.1.{last}"), "InvalidParameterValue", RESERVED)
        for last in (0, 1, 2, 3, 255)
    ],
    *[
        (
            f"the reserved address {ip}",
            on_interface("AssignIpv6Addresses", Ipv6Addresses=[ip]),
            "InvalidParameterValue",
            RESERVED,
        )
        for ip in ("2001:db8:0:1::", "2001:db8:0:1::3", "2001:db8:0:1:ffff:ffff:ffff:ffff")
    ],
    (
        "no address at all",
        create(PrivateIpAddress="10.0.1"),
        "InvalidParameterValue",
        "invalid value for parameter address: [10.0.1]",
    ),
    ("a primary address that is taken", taken_primary, "InvalidIPAddress.InUse", "Address 10.0.1.50 is in use."),
    (
        "a secondary address that is taken",
        taken_secondary,
        "InvalidParameterValue",
        "Some of [10.0.1.50] is assigned, but move is not allowed.",
    ),
    (
        "the primary address unassigned",
        unassign("10.0.1.50"),
        "InvalidParameterValue",
        "Some of the specified addresses are not assigned to interface {eni}",
    ),
    (
        "another's address unassigned",
        unassign("10.0.1.51"),
        "InvalidParameterValue",
        "Some of the specified addresses are not assigned to interface {eni}",
    ),
    ("a full subnet", assign_in_full_subnet, "InsufficientFreeAddressesInSubnet", FULL),
    (
        "a subnet too small",
        lambda net: ("CreateNetworkInterface", {"SubnetId": net.small, "SecondaryPrivateIpAddressCount": 11}),
        "InsufficientFreeAddressesInSubnet",
        FULL,
    ),
    ("more addresses than any type", assign(SecondaryPrivateIpAddressCount=50), "PrivateIpAddressLimitExceeded", LIMIT),
    (
        "an unknown group on creation",
        create(Groups=[f"sg-{MISSING}"]),
        "InvalidSecurityGroupID.NotFound",
        f"The securityGroup ID 'sg-{MISSING}' does not exist",
    ),
    (
        "an unknown group later",
        modify(Groups=[f"sg-{MISSING}"]),
        "InvalidGroup.NotFound",
        f"The security group 'sg-{MISSING}' does not exist",
    ),
    (
        "a group of another VPC",
        lambda net: modify(Groups=[net.web, net.other_group])(net),
        "InvalidGroup.NotFound",
        "You have specified two resources that belong to different networks.",
    ),
    (
        "six groups",
        lambda net: create(Groups=six_groups(net))(net),
        "SecurityGroupsPerInterfaceLimitExceeded",
        "The maximum number of security groups per interface has been reached.",
    ),
    (
        "six groups later",
        lambda net: modify(Groups=six_groups(net))(net),
        "SecurityGroupsPerInterfaceLimitExceeded",
        "The maximum number of security groups per interface has been reached.",
    ),
    (
        "no attribute described",
        on_interface("DescribeNetworkInterfaceAttribute"),
        "InvalidParameterCombination",
        "No attributes specified.",
    ),
    (
        "an unknown attribute described",
        on_interface("DescribeNetworkInterfaceAttribute", Attribute="colour"),
        "InvalidParameterValue",
        "Value (colour) for parameter attribute is invalid. Unknown attribute.",
    ),
    ("no attribute modified", modify(), "InvalidParameterCombination", "No attributes specified."),
    (
        "two attributes modified",
        modify(Description={"Value": "a"}, SourceDestCheck={"Value": False}),
        "InvalidParameterCombination",
        "Multiple attributes specified",
    ),
    (
        "no attribute reset",
        on_interface("ResetNetworkInterfaceAttribute"),
        "InvalidParameterCombination",
        "No attributes specified.",
    ),
    (
        "an attachment modified to nothing",
        modify_attachment(),
        "MissingParameter",
        "The request must contain the parameter attachment deleteOnTermination",
    ),
    (
        "two primary addresses",
        create(PrivateIpAddress="10.0.1.9", PrivateIpAddresses=[{"PrivateIpAddress": "10.0.1.8", "Primary": True}]),
        "InvalidParameterCombination",
        "Only one primary private IP address can be specified.",
    ),
    (
        "addresses by name and by number",
        assign(PrivateIpAddresses=["10.0.1.9"], SecondaryPrivateIpAddressCount=1),
        "InvalidParameterCombination",
        "The parameters privateIpAddresses and secondaryPrivateIpAddressCount may not be used together.",
    ),
    (
        "neither by name nor by number",
        assign(),
        "MissingParameter",
        "The request must contain the parameter secondaryPrivateIpAddressCount or privateIpAddresses",
    ),
    (
        "IPv6 without a block",
        lambda net: ("CreateNetworkInterface", {"SubnetId": net.small, "Ipv6AddressCount": 1}),
        "InvalidParameterValue",
        "The subnet '{subnet}' does not have an IPv6 CIDR block.",
    ),
    *[
        (
            f"interface type {type_}",
            create(InterfaceType=type_),
            "UnsupportedOperation",
            f"The interface type {type_} is not supported: the only one is interface.",
        )
        for type_ in ("efa", "efa-only", "trunk", "branch")
    ],
    (
        "tags of another type",
        create(TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}]),
        "InvalidParameterValue",
        "'vpc' is not a valid taggable resource type for this operation.",
    ),
    (
        "a page together with ids",
        lambda net: ("DescribeNetworkInterfaces", {"NetworkInterfaceIds": [net.interface()], "MaxResults": 5}),
        "InvalidParameterCombination",
        "The parameter NetworkInterfaceIds cannot be used with the parameter MaxResults",
    ),
]


@pytest.mark.parametrize(("request_", "code", "message"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_refusal(call: Any, request_: Callable[[Network], Request], code: str, message: str) -> None:
    action, params = request_(Network(call))
    error = call.refused(action, **params)
    names = {
        "eni": params.get("NetworkInterfaceId"),
        "instance": params.get("InstanceId"),
        "subnet": params.get("SubnetId"),
    }
    assert (error.code, error.message) == (code, message.format(**names))


def test_the_quota_of_interfaces(call: Any) -> None:
    net = Network(call)
    call.settings = call.settings.model_copy(update={"quotas": Quotas(network_interfaces=2)})
    net.interface()
    net.interface()
    error = call.refused("CreateNetworkInterface", SubnetId=net.subnet)
    assert (error.code, error.message) == (
        "NetworkInterfaceLimitExceeded",
        "The maximum number of network interfaces has been reached.",
    )


def test_an_address_of_a_requester_managed_interface_cannot_be_taken_away(call: Any) -> None:
    net = Network(call)
    theirs = net.interface(PrivateIpAddresses=[{"PrivateIpAddress": "10.0.1.60"}])
    call.put(update(t.network_interfaces).where(t.network_interfaces.c.id == theirs).values(requester_managed=True))
    error = call.refused(
        "AssignPrivateIpAddresses",
        NetworkInterfaceId=net.interface(),
        PrivateIpAddresses=["10.0.1.60"],
        AllowReassignment=True,
    )
    assert error.code == "AuthFailure"
