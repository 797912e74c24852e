"""RunInstances: what it refuses, in AWS's words, changing nothing (``refused`` compares the whole store)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from machines import IMAGE, Machines
from sqlalchemy import update

from accounts import Account
from enid.store import tables as t

Request = Callable[[Machines], dict[str, Any]]


@pytest.fixture
def machines(call: Account) -> Machines:
    return Machines(call)


def _interfaces(*given: dict[str, Any]) -> Request:
    """Interfaces; those without an id or a subnet get the first subnet."""

    def request(machines: Machines) -> dict[str, Any]:
        subnet = {"SubnetId": machines.network.subnet}
        return {"NetworkInterfaces": [one if "NetworkInterfaceId" in one else subnet | one for one in given]}

    return request


def _existing(**more: Any) -> Request:
    return lambda machines: {
        "NetworkInterfaces": [{"DeviceIndex": 0, "NetworkInterfaceId": machines.network.interface(), **more}]
    }


def _old_type_where_ipv6_is_given(machines: Machines) -> dict[str, Any]:
    machines.change_subnet(assign_ipv6_address_on_creation=True)
    return {"InstanceType": "m1.small"}


def _with(**params: Any) -> Request:
    return lambda _machines: params


def _beside_interfaces(**params: Any) -> Request:
    return lambda machines: _interfaces({"DeviceIndex": 0})(machines) | params


UNKNOWN = "0123456789abcdef0"
BOTH = "Network interfaces and {} may not be specified on the same request"
ID_AND = "A network interface may not specify both a network interface ID and {}"

REFUSALS: list[tuple[str, Request, str, str]] = [
    (
        "no image",
        _with(ImageId=None),
        "MissingParameter",
        "The request must contain the parameter ImageId",
    ),
    (
        "unknown image",
        _with(ImageId=f"ami-{UNKNOWN}"),
        "InvalidAMIID.NotFound",
        f"The image id '[ami-{UNKNOWN}]' does not exist",
    ),
    (
        "malformed image",
        _with(ImageId="debian"),
        "InvalidAMIID.Malformed",
        'Invalid id: "debian" (expecting "ami-...")',
    ),
    (
        "unknown type",
        _with(InstanceType="t3.enormous"),
        "InvalidParameterValue",
        "Invalid value 't3.enormous' for InstanceType.",
    ),
    (
        "unknown key pair",
        _with(KeyName="nobody"),
        "InvalidKeyPair.NotFound",
        "The key pair 'nobody' does not exist",
    ),
    (
        "user data is no base64",
        _with(UserData="#!/bin/sh"),
        "InvalidParameterValue",
        "Invalid BASE64 encoding of user data.",
    ),
    (
        "user data too long",
        _with(UserData=b64encode(b"x" * 16385).decode()),
        "InvalidParameterValue",
        "User data is limited to 16384 bytes",
    ),
    (
        "no instances",
        _with(MinCount=0, MaxCount=1),
        "InvalidParameterValue",
        "Value (0) for parameter minCount is invalid. Minimum value is 1.",
    ),
    (
        "fewer at most than at least",
        _with(MinCount=2, MaxCount=1),
        "InvalidParameterCombination",
        "The parameter maxCount must not be less than the parameter minCount.",
    ),
    (
        "too many",
        _with(MinCount=1, MaxCount=1001),
        "InvalidParameterValue",
        "Value (1001) for parameter maxCount is invalid. Maximum value is 1000.",
    ),
    (
        "unknown subnet",
        _with(SubnetId=f"subnet-{UNKNOWN}"),
        "InvalidSubnetID.NotFound",
        f"The subnet ID 'subnet-{UNKNOWN}' does not exist",
    ),
    ("no default VPC", _with(SubnetId=None), "VPCIdNotSpecified", "No default VPC for this user"),
    (
        "group by name with a subnet",
        _with(SecurityGroups=["web"]),
        "InvalidParameterCombination",
        "The parameter groupName cannot be used with the parameter subnet",
    ),
    (
        "unknown group",
        _with(SecurityGroupIds=[f"sg-{UNKNOWN}"]),
        "InvalidGroup.NotFound",
        f"The security group 'sg-{UNKNOWN}' does not exist",
    ),
    (
        "several instances with one address",
        _with(MinCount=2, MaxCount=2, PrivateIpAddress="10.0.1.9"),
        "InvalidParameterCombination",
        "A private IP address may not be specified when launching more than one instance.",
    ),
    (
        "address outside the subnet",
        _with(PrivateIpAddress="10.0.2.9"),
        "InvalidParameterValue",
        "Address 10.0.2.9 does not fall within the subnet's address range",
    ),
    (
        "reserved address",
        _with(PrivateIpAddress="10.0.1.1"),
        "InvalidParameterValue",
        "Address is in subnet's reserved address range",
    ),
    (
        "IPv6 addresses and their number",
        _with(Ipv6AddressCount=1, Ipv6Addresses=[{"Ipv6Address": "2001:db8:0:1::9"}]),
        "InvalidParameterCombination",
        "IPv6 addresses and IPv6 address count may not be specified on the same request",
    ),
    # interfaces and the instance's own parameters
    (
        "interfaces and a subnet",
        lambda machines: _beside_interfaces(SubnetId=machines.network.subnet)(machines),
        "InvalidParameterCombination",
        BOTH.format("an instance-level subnet ID"),
    ),
    (
        "interfaces and groups",
        lambda machines: _beside_interfaces(SecurityGroupIds=[machines.network.web])(machines),
        "InvalidParameterCombination",
        BOTH.format("an instance-level security groups"),
    ),
    (
        "interfaces and a private address",
        _beside_interfaces(PrivateIpAddress="10.0.1.9"),
        "InvalidParameterCombination",
        BOTH.format("an instance-level private IP address"),
    ),
    # device indexes
    (
        "no index 0",
        _interfaces({"DeviceIndex": 1}),
        "UnsupportedOperation",
        "When specifying network interfaces, you must include a device at index 0.",
    ),
    (
        "the same index twice",
        _interfaces({"DeviceIndex": 0}, {"DeviceIndex": 0}),
        "InvalidParameterValue",
        "Each network interface requires a unique device index.",
    ),
    (
        "no index",
        _interfaces({}),
        "InvalidParameterValue",
        "Each network interface requires a device index.",
    ),
    (
        "more interfaces than the type has",
        _interfaces(*({"DeviceIndex": index} for index in range(4))),
        "AttachmentLimitExceeded",
        "Interface count 4 exceeds the limit for t3.small",
    ),
    (
        "a network card that the type has not",
        _interfaces({"DeviceIndex": 0}, {"DeviceIndex": 1, "NetworkCardIndex": 1}),
        "InvalidParameterValue",
        "Network card index 1 is not valid for instance type t3.small.",
    ),
    (
        "more addresses than the type has",
        _interfaces({"DeviceIndex": 0, "SecondaryPrivateIpAddressCount": 4}),
        "InvalidInterface.IpAddressLimitExceeded",
        "The number of private IP addresses for a specified network interface exceeds the limit for the type of "
        "instance you are trying to launch.",
    ),
    (
        "IPv6 that comes with the subnet, and the type has not",
        _old_type_where_ipv6_is_given,
        "InvalidInterface.IpAddressLimitExceeded",
        "The number of private IP addresses for a specified network interface exceeds the limit for the type of "
        "instance you are trying to launch: m1.small allows 4 IPv4 and 0 IPv6 addresses.",
    ),
    (
        "public address with two interfaces",
        _interfaces({"DeviceIndex": 0, "AssociatePublicIpAddress": True}, {"DeviceIndex": 1}),
        "InvalidParameterCombination",
        "The associatePublicIPAddress parameter cannot be specified when launching with multiple network interfaces.",
    ),
    # existing interfaces
    (
        "existing interface and public address",
        _existing(AssociatePublicIpAddress=True),
        "InvalidParameterCombination",
        "The associatePublicIPAddress parameter cannot be specified for a network interface with an ID.",
    ),
    (
        "existing interface and a subnet",
        lambda machines: _existing(SubnetId=machines.network.subnet)(machines),
        "InvalidParameterCombination",
        ID_AND.format("a subnet"),
    ),
    (
        "existing interface and groups",
        lambda machines: _existing(Groups=[machines.network.web])(machines),
        "InvalidParameterCombination",
        ID_AND.format("security groups"),
    ),
    (
        "existing interface and an address",
        _existing(PrivateIpAddress="10.0.1.9"),
        "InvalidParameterCombination",
        ID_AND.format("a private IP address"),
    ),
    (
        "existing interface to be deleted with the instance",
        _existing(DeleteOnTermination=True),
        "InvalidParameterCombination",
        "A network interface may not specify a network interface ID and delete on termination as true",
    ),
    (
        "existing interface for several instances",
        lambda machines: _existing()(machines) | {"MinCount": 2, "MaxCount": 2},
        "InvalidParameterCombination",
        "A network interface ID may not be specified when launching more than one instance.",
    ),
    (
        "unknown interface",
        _interfaces({"DeviceIndex": 0, "NetworkInterfaceId": f"eni-{UNKNOWN}"}),
        "InvalidNetworkInterfaceID.NotFound",
        f"The networkInterface ID 'eni-{UNKNOWN}' does not exist",
    ),
    (
        "second interface in another zone",
        lambda machines: {
            "NetworkInterfaces": [
                {"DeviceIndex": 0, "SubnetId": machines.network.subnet},
                {"DeviceIndex": 1, "SubnetId": machines.network.subnet_b},
            ]
        },
        "InvalidParameterCombination",
        "You may not attach a network interface to an instance if they are not in the same availability zone",
    ),
    (
        "second interface in another VPC",
        lambda machines: {
            "NetworkInterfaces": [
                {"DeviceIndex": 0, "SubnetId": machines.network.subnet},
                {"DeviceIndex": 1, "SubnetId": machines.network.other_subnet},
            ]
        },
        "InvalidParameterValue",
        "Network interface attachments may not cross VPC boundaries.",
    ),
    (
        "tags for interfaces when none is made",
        lambda machines: (
            _existing()(machines)
            | {"TagSpecifications": [{"ResourceType": "network-interface", "Tags": [{"Key": "a", "Value": "b"}]}]}
        ),
        "InvalidParameterValue",
        "You cannot specify tags for network interfaces if there are no network interfaces being created by the "
        "request.",
    ),
    # what enid does not do
    (
        "tags for a Spot request",
        _with(TagSpecifications=[{"ResourceType": "spot-instances-request", "Tags": [{"Key": "a", "Value": "b"}]}]),
        "UnsupportedOperation",
        "A launch makes no resource of type 'spot-instances-request' here, so it cannot be tagged.",
    ),
    (
        "volumes",
        _with(BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}]),
        "UnsupportedOperation",
        "The parameter BlockDeviceMappings is not supported.",
    ),
    (
        "metrics to be monitored",
        _with(Monitoring={"Enabled": True, "MetricCategoryIds": ["network"]}),
        "UnsupportedOperation",
        "The parameter MetricCategoryIds is not supported.",
    ),
    (
        "instance profile",
        _with(IamInstanceProfile={"Name": "role"}),
        "UnsupportedOperation",
        "The parameter IamInstanceProfile is not supported.",
    ),
    (
        "spot",
        _with(InstanceMarketOptions={"MarketType": "spot"}),
        "UnsupportedOperation",
        "The parameter InstanceMarketOptions is not supported.",
    ),
    (
        "dedicated tenancy",
        _with(Placement={"Tenancy": "dedicated"}),
        "UnsupportedOperation",
        "The tenancy 'dedicated' is not supported: the only one is default.",
    ),
    (
        "cores that the type has not",
        _with(CpuOptions={"CoreCount": 7}),
        "InvalidParameterValue",
        "CoreCount 7 is not valid for instance type t3.small.",
    ),
]


@pytest.mark.parametrize(("request_", "code", "text"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_refusal(machines: Machines, request_: Request, code: str, text: str) -> None:
    assert machines.refused(**request_(machines)) == (code, text)


def test_an_image_of_another_architecture_is_named(machines: Machines) -> None:
    code, text = machines.refused(InstanceType="t4g.small")
    assert code == "InvalidParameterValue"
    assert text.startswith("The architecture 'arm64' of the specified instance type does not match")


def test_an_address_in_use(machines: Machines) -> None:
    machines.launch(PrivateIpAddress="10.0.1.9")
    assert machines.refused(PrivateIpAddress="10.0.1.9") == (
        "InvalidIPAddress.InUse",
        "Address 10.0.1.9 is in use.",
    )


def test_an_interface_in_use(machines: Machines) -> None:
    interface = machines.network.interface()
    request = {"NetworkInterfaces": [{"DeviceIndex": 0, "NetworkInterfaceId": interface}]}
    machines.launch(**request)
    assert machines.refused(**request) == ("InvalidNetworkInterface.InUse", f"Interface: [{interface}] in use.")


def test_one_interface_cannot_be_plugged_twice(machines: Machines) -> None:
    interface = machines.network.interface()
    twice = [{"DeviceIndex": index, "NetworkInterfaceId": interface} for index in range(2)]
    assert machines.refused(NetworkInterfaces=twice) == (
        "InvalidNetworkInterface.InUse",
        f"Interface: [{interface}] in use.",
    )


def test_a_group_of_another_vpc(machines: Machines) -> None:
    network = machines.network
    assert machines.refused(SecurityGroupIds=[network.other_group]) == (
        "InvalidParameter",
        f"Security group {network.other_group} and subnet {network.subnet} belong to different networks.",
    )


def test_a_zone_that_is_not_the_subnet_s(machines: Machines) -> None:
    code, _ = machines.refused(Placement={"AvailabilityZone": "us-east-1b"})
    assert code == "InvalidParameterCombination"


def test_a_subnet_that_is_full_is_left_as_it_was(machines: Machines) -> None:
    assert machines.refused(SubnetId=machines.network.small, MinCount=12, MaxCount=12) == (
        "InsufficientFreeAddressesInSubnet",
        "The specified subnet does not have enough free addresses to satisfy the request.",
    )
    assert len(machines.launch_many(SubnetId=machines.network.small, MinCount=11, MaxCount=11)) == 11


def test_a_default_vpc_without_default_subnets(machines: Machines) -> None:
    vpc = machines.network.vpc
    machines.call.put(update(t.vpcs).where(t.vpcs.c.id == vpc).values(is_default=True))
    assert machines.refused(SubnetId=None) == (
        "MissingInput",
        f"No subnets found for the default VPC '{vpc}'. Please specify a subnet.",
    )
    assert machines.refused(SubnetId=None, Placement={"AvailabilityZone": "us-east-1c"}) == (
        "MissingInput",
        "No default subnet for availability zone: 'us-east-1c'.",
    )


def test_a_group_name_that_the_default_vpc_has_not(machines: Machines) -> None:
    network = machines.network
    machines.call.put(update(t.vpcs).where(t.vpcs.c.id == network.vpc).values(is_default=True))
    machines.call.put(update(t.subnets).where(t.subnets.c.id == network.subnet).values(default_for_az=True))
    assert machines.refused(SubnetId=None, SecurityGroups=["nobody"]) == (
        "InvalidGroup.NotFound",
        f"The security group 'nobody' does not exist in default VPC '{network.vpc}'",
    )


def test_another_account_s_things_do_not_exist(machines: Machines, second_account: Account) -> None:
    network = machines.network
    error = second_account.refused("RunInstances", ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=network.subnet)
    assert error.code == "InvalidSubnetID.NotFound"
