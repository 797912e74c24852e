"""DescribeInstances: reservations, filters, pages."""

from __future__ import annotations

from typing import Any

import pytest
from machines import Machines
from test_instance_types import documented_filters

from accounts import Account


@pytest.fixture
def machines(call: Account) -> Machines:
    return Machines(call)


def _ids(machines: Machines, **request: Any) -> list[str]:
    reservations = machines.call("DescribeInstances", **request)["Reservations"]
    return [instance["InstanceId"] for reservation in reservations for instance in reservation["Instances"]]


def _found(machines: Machines, name: str, *values: str) -> list[str]:
    return _ids(machines, Filters=[{"Name": name, "Values": list(values)}])


def test_instances_come_by_reservation_in_the_order_of_their_launch(machines: Machines) -> None:
    first, second = machines.launch_many(MaxCount=3), machines.launch_many(MaxCount=2)
    reservations = machines.call("DescribeInstances")["Reservations"]
    by_size = sorted(reservations, key=lambda one: len(one["Instances"]))
    assert [[one["InstanceId"] for one in each["Instances"]] for each in by_size] == [
        [one["InstanceId"] for one in second],
        [one["InstanceId"] for one in first],
    ]


def test_each_account_sees_its_own(machines: Machines, second_account: Account) -> None:
    id_ = machines.running()
    assert second_account("DescribeInstances")["Reservations"] == []
    assert second_account.refused("DescribeInstances", InstanceIds=[id_]).code == "InvalidInstanceID.NotFound"


def test_the_number_of_statements_is_constant(machines: Machines) -> None:
    machines.launch()
    _ids(machines)
    few = machines.call.statements
    machines.launch_many(MaxCount=20)
    assert len(_ids(machines)) == 21
    assert machines.call.statements == few <= 10


def test_pages_cover_everything_once(machines: Machines) -> None:
    launched = {one["InstanceId"] for one in machines.launch_many(MaxCount=12)}
    seen: list[str] = []
    request: dict[str, Any] = {"MaxResults": 5}
    while True:
        answer = machines.call("DescribeInstances", **request)
        seen += [one["InstanceId"] for each in answer["Reservations"] for one in each["Instances"]]
        if "NextToken" not in answer:
            break
        request["NextToken"] = answer["NextToken"]
    assert len(seen) == 12
    assert set(seen) == launched


@pytest.mark.parametrize("size", [4, 1001])
def test_pages_have_5_to_1000_instances(machines: Machines, size: int) -> None:
    assert machines.call.refused("DescribeInstances", MaxResults=size).code == "InvalidParameterValue"


def test_ids_and_pages_exclude_each_other(machines: Machines) -> None:
    error = machines.call.refused("DescribeInstances", MaxResults=5, InstanceIds=[machines.running()])
    assert error.code == "InvalidParameterCombination"


# --- filters ----------------------------------------------------------------------------------------------------------


def test_every_documented_filter_is_known(machines: Machines) -> None:
    names = documented_filters("DescribeInstances")
    assert len(names) > 110
    for name in names:
        assert _found(machines, name, "none-such") == []


@pytest.mark.parametrize(("family", "asked"), [(4, {"Ipv4PrefixCount": 1}), (6, {"Ipv6PrefixCount": 1})])
def test_instances_are_found_by_a_prefix_of_an_interface(
    machines: Machines, family: int, asked: dict[str, Any]
) -> None:
    interface = {"DeviceIndex": 0, "SubnetId": machines.network.subnet, **asked}
    with_one, without = machines.launch(NetworkInterfaces=[interface])["InstanceId"], machines.launch()["InstanceId"]
    member = f"Ipv{family}Prefix"
    (given,) = machines.shown(with_one)["NetworkInterfaces"][0][member + "es"]
    name = f"network-interface.ipv{family}-prefixes.ipv{family}-prefix"
    assert _found(machines, name, given[member]) == [with_one]
    assert _found(machines, name, "*") == [with_one]
    assert without not in _found(machines, name, "*")


@pytest.mark.parametrize("code", ["9" * 5000, "123456", "-1", "\u0663"])
def test_a_state_code_that_is_none_finds_nothing(machines: Machines, code: str) -> None:
    machines.launch()
    assert _found(machines, "instance-state-code", code) == []


def test_an_unknown_filter_is_refused(machines: Machines) -> None:
    error = machines.call.refused("DescribeInstances", Filters=[{"Name": "colour", "Values": ["red"]}])
    assert (error.code, error.message) == ("InvalidParameterValue", "The filter 'colour' is invalid")


def _paths(shown: dict[str, Any]) -> dict[str, Any]:
    """Filter name → what this instance has for it, read from the shown instance."""
    interface = shown["NetworkInterfaces"][0]
    attachment, options = interface["Attachment"], shown["MetadataOptions"]
    association = interface["Association"]
    return {
        "architecture": shown["Architecture"],
        "availability-zone": shown["Placement"]["AvailabilityZone"],
        "availability-zone-id": shown["Placement"]["AvailabilityZoneId"],
        "capacity-reservation-specification.capacity-reservation-preference": "none",
        "client-token": shown["ClientToken"],
        "dns-name": shown["PublicDnsName"],
        "ebs-optimized": shown["EbsOptimized"],
        "ena-support": shown["EnaSupport"],
        "hypervisor": shown["Hypervisor"],
        "image-id": shown["ImageId"],
        "instance-id": shown["InstanceId"],
        "instance-state-code": shown["State"]["Code"],
        "instance-state-name": shown["State"]["Name"],
        "instance-type": shown["InstanceType"],
        "instance.group-id": shown["SecurityGroups"][0]["GroupId"],
        "instance.group-name": shown["SecurityGroups"][0]["GroupName"],
        "ip-address": shown["PublicIpAddress"],
        "key-name": shown["KeyName"],
        "launch-index": shown["AmiLaunchIndex"],
        "launch-time": shown["LaunchTime"],
        "maintenance-options.auto-recovery": shown["MaintenanceOptions"]["AutoRecovery"],
        "metadata-options.http-endpoint": options["HttpEndpoint"],
        "metadata-options.http-protocol-ipv6": options["HttpProtocolIpv6"],
        "metadata-options.http-put-response-hop-limit": options["HttpPutResponseHopLimit"],
        "metadata-options.http-tokens": options["HttpTokens"],
        "metadata-options.instance-metadata-tags": options["InstanceMetadataTags"],
        "metadata-options.state": options["State"],
        "monitoring-state": shown["Monitoring"]["State"],
        "network-interface.addresses.association.ip-owner-id": association["IpOwnerId"],
        "network-interface.addresses.association.public-ip": association["PublicIp"],
        "network-interface.addresses.association.public-dns-name": association["PublicDnsName"],
        "network-interface.addresses.primary": True,
        "network-interface.addresses.private-ip-address": interface["PrivateIpAddress"],
        "network-interface.addresses.private-dns-name": interface["PrivateDnsName"],
        "network-interface.association.public-ip": association["PublicIp"],
        "network-interface.association.ip-owner-id": association["IpOwnerId"],
        "network-interface.association.public-dns-name": association["PublicDnsName"],
        "network-interface.attachment.attach-time": attachment["AttachTime"],
        "network-interface.attachment.attachment-id": attachment["AttachmentId"],
        "network-interface.attachment.delete-on-termination": attachment["DeleteOnTermination"],
        "network-interface.attachment.device-index": attachment["DeviceIndex"],
        "network-interface.attachment.instance-id": shown["InstanceId"],
        "network-interface.attachment.instance-owner-id": interface["OwnerId"],
        "network-interface.attachment.network-card-index": attachment["NetworkCardIndex"],
        "network-interface.attachment.status": attachment["Status"],
        "network-interface.availability-zone": shown["Placement"]["AvailabilityZone"],
        "network-interface.description": interface["Description"],
        "network-interface.group-id": interface["Groups"][0]["GroupId"],
        "network-interface.group-name": interface["Groups"][0]["GroupName"],
        "network-interface.mac-address": interface["MacAddress"],
        "network-interface.network-interface-id": interface["NetworkInterfaceId"],
        "network-interface.owner-id": interface["OwnerId"],
        "network-interface.private-dns-name": interface["PrivateDnsName"],
        "network-interface.private-ip-address": interface["PrivateIpAddress"],
        "network-interface.public-dns-name": association["PublicDnsName"],
        "network-interface.requester-managed": False,
        "network-interface.source-dest-check": interface["SourceDestCheck"],
        "network-interface.status": interface["Status"],
        "network-interface.subnet-id": interface["SubnetId"],
        "network-interface.tag-key": "purpose",
        "network-interface.tag-value": "a test",
        "network-interface.vpc-id": interface["VpcId"],
        "network-performance-options.bandwidth-weighting": shown["NetworkPerformanceOptions"]["BandwidthWeighting"],
        "operator.managed": shown["Operator"]["Managed"],
        "owner-id": interface["OwnerId"],
        "platform-details": shown["PlatformDetails"],
        "private-dns-name": shown["PrivateDnsName"],
        "private-dns-name-options.enable-resource-name-dns-a-record": True,
        "private-dns-name-options.enable-resource-name-dns-aaaa-record": False,
        "private-dns-name-options.hostname-type": "ip-name",
        "private-ip-address": shown["PrivateIpAddress"],
        "root-device-name": shown["RootDeviceName"],
        "root-device-type": shown["RootDeviceType"],
        "source-dest-check": shown["SourceDestCheck"],
        "subnet-id": shown["SubnetId"],
        "tag-key": "name",
        "tag:name": "one",
        "tenancy": shown["Placement"]["Tenancy"],
        "usage-operation": shown["UsageOperation"],
        "virtualization-type": shown["VirtualizationType"],
        "vpc-id": shown["VpcId"],
    }


def test_an_instance_is_found_by_everything_it_shows(machines: Machines) -> None:
    machines.call("CreateKeyPair", KeyName="mine", KeyType="ed25519")
    id_ = machines.running(
        KeyName="mine",
        ClientToken="once",
        CapacityReservationSpecification={"CapacityReservationPreference": "none"},
        MetadataOptions={"HttpTokens": "required"},
        PrivateDnsNameOptions={"EnableResourceNameDnsARecord": True},
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "name", "Value": "one"}]},
            {"ResourceType": "network-interface", "Tags": [{"Key": "purpose", "Value": "a test"}]},
        ],
        NetworkInterfaces=[
            {
                "DeviceIndex": 0,
                "SubnetId": machines.network.subnet,
                "AssociatePublicIpAddress": True,
                "Description": "first",
                "Groups": [machines.network.web],
            }
        ],
    )
    for name, value in _paths(machines.shown(id_)).items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        assert _found(machines, name, text) == [id_], (name, text)
        assert _found(machines, name, f"{text}x") == [], name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("instance-state-name", "stopped"),
        ("state-reason-code", "Client.UserInitiatedShutdown"),
        ("state-reason-message", "*User initiated*"),
        ("reason", "User initiated (20*"),
    ],
)
def test_a_stopped_instance_is_found_by_its_state_and_reason(machines: Machines, name: str, value: str) -> None:
    machines.running()
    stopped = machines.stopped()
    assert _found(machines, name, value) == [stopped]


def test_the_high_byte_of_a_state_code_is_ignored(machines: Machines) -> None:
    id_ = machines.running()
    assert _found(machines, "instance-state-code", "272") == [id_]
    assert _found(machines, "instance-state-code", "80") == []


def test_an_instance_named_by_its_id_is_found_by_that_name(machines: Machines) -> None:
    id_ = machines.running(PrivateDnsNameOptions={"HostnameType": "resource-name"})
    machines.running()
    assert _found(machines, "private-dns-name", f"{id_}.ec2.internal") == [id_]
    assert _found(machines, "private-dns-name-options.hostname-type", "resource-name") == [id_]


def test_a_second_interface_s_properties_find_the_instance_but_are_not_its_own(machines: Machines) -> None:
    id_ = machines.running()
    machines.network.attach(machines.network.interface(PrivateIpAddress="10.0.1.200"), id_)
    assert _found(machines, "network-interface.private-ip-address", "10.0.1.200") == [id_]
    assert _found(machines, "private-ip-address", "10.0.1.200") == []


def test_filters_are_anded_and_values_ored(machines: Machines) -> None:
    small, micro = machines.running(), machines.running(InstanceType="t3.micro")
    assert set(_found(machines, "instance-type", "t3.small", "t3.micro")) == {small, micro}
    both = [{"Name": "instance-type", "Values": ["t3.*"]}, {"Name": "instance-id", "Values": [micro]}]
    assert _ids(machines, Filters=both) == [micro]
