"""RunInstances: what a launch makes."""

from __future__ import annotations

import time
from base64 import b64encode
from ipaddress import IPv4Address

import pytest
from machines import IMAGE, Machines
from sqlalchemy import update

from accounts import Account
from enid.store import tables as t


@pytest.fixture
def machines(call: Account) -> Machines:
    return Machines(call)


def test_a_launch_answers_a_pending_instance_with_its_primary_interface(machines: Machines) -> None:
    answer = machines.call("RunInstances", **machines.request())
    (instance,) = answer["Instances"]
    (interface,) = instance["NetworkInterfaces"]
    assert answer["ReservationId"].startswith("r-")
    assert instance["State"] == {"Code": 0, "Name": "pending"}
    assert instance["StateReason"] == {"Code": "pending", "Message": "pending"}
    assert instance["ImageId"] == IMAGE
    assert (instance["VpcId"], instance["SubnetId"]) == (machines.network.vpc, machines.network.subnet)
    assert instance["Placement"]["AvailabilityZone"] == "us-east-1a"
    assert interface["Attachment"]["Status"] == "attaching"
    assert (interface["Attachment"]["DeviceIndex"], interface["Status"]) == (0, "in-use")
    assert interface["Attachment"]["DeleteOnTermination"] is True
    assert instance["PrivateIpAddress"] == interface["PrivateIpAddress"] == "10.0.1.4"
    assert instance["PrivateDnsName"] == "ip-10-0-1-4.ec2.internal"
    assert instance["SecurityGroups"] == interface["Groups"]
    assert [group["GroupName"] for group in interface["Groups"]] == ["default"]


def test_the_agent_is_told_and_the_answer_does_not_wait_for_the_boot(machines: Machines) -> None:
    instance = machines.launch()
    interface = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    assert ("instance", instance["InstanceId"]) in machines.call.changed
    assert ("network_interface", interface) in machines.call.changed
    assert not machines.call.settling


def test_describe_tells_the_same_story_as_the_launch(machines: Machines) -> None:
    launched = machines.launch(TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}])
    assert machines.shown(launched["InstanceId"]) == launched


def test_several_instances_share_a_reservation_and_get_consecutive_addresses(machines: Machines) -> None:
    instances = machines.launch_many(MinCount=1, MaxCount=4)
    assert [one["AmiLaunchIndex"] for one in instances] == [0, 1, 2, 3]
    addresses = [IPv4Address(one["PrivateIpAddress"]) for one in instances]
    assert addresses == [addresses[0] + index for index in range(4)]


def test_everything_the_request_says_is_stored_and_shown(machines: Machines) -> None:
    machines.call("CreateKeyPair", KeyName="mine", KeyType="ed25519")
    shown = machines.launch(
        KeyName="mine",
        UserData=b64encode(b"#!/bin/sh\n").decode(),
        DisableApiTermination=True,
        InstanceInitiatedShutdownBehavior="terminate",
        EbsOptimized=True,
        Monitoring={"Enabled": True},
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
        CpuOptions={"CoreCount": 1, "ThreadsPerCore": 1},
        PrivateDnsNameOptions={"HostnameType": "resource-name"},
        MaintenanceOptions={"AutoRecovery": "disabled"},
        CreditSpecification={"CpuCredits": "standard"},
        ClientToken="once",
    )
    row = machines.row(shown["InstanceId"])
    assert (shown["KeyName"], shown["ClientToken"], shown["EbsOptimized"]) == ("mine", "once", True)
    assert shown["Monitoring"] == {"State": "enabled"}
    assert shown["MetadataOptions"]["HttpTokens"] == "required"
    assert shown["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
    assert shown["CpuOptions"] == {"CoreCount": 1, "ThreadsPerCore": 1}
    assert shown["MaintenanceOptions"] == {"AutoRecovery": "disabled"}
    assert shown["PrivateDnsName"] == f"{shown['InstanceId']}.ec2.internal"
    assert row.user_data == b64encode(b"#!/bin/sh\n").decode()
    assert (row.disable_api_termination, row.shutdown_behavior) == (True, "terminate")


def test_the_default_type_is_aws_s(machines: Machines) -> None:
    assert machines.launch(InstanceType=None)["InstanceType"] == "m1.small"


def test_tags_go_to_the_instance_and_to_its_new_interfaces(machines: Machines) -> None:
    tags = {name: [{"Key": "for", "Value": name}] for name in ("instance", "network-interface")}
    instance = machines.launch(
        TagSpecifications=[{"ResourceType": name, "Tags": value} for name, value in tags.items()]
    )
    assert instance["Tags"] == tags["instance"]
    interface = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    assert machines.network.shown(interface)["TagSet"] == tags["network-interface"]


def test_groups_and_the_address_may_be_given_for_the_instance(machines: Machines) -> None:
    network = machines.network
    instance = machines.launch(SecurityGroupIds=[network.web, network.db], PrivateIpAddress="10.0.1.77")
    assert instance["PrivateIpAddress"] == "10.0.1.77"
    assert [group["GroupId"] for group in instance["SecurityGroups"]] == [network.web, network.db]


def test_ipv6_addresses_may_be_asked_for(machines: Machines) -> None:
    assert machines.launch(Ipv6AddressCount=1)["Ipv6Address"].startswith("2001:db8:0:1:")
    chosen = machines.launch(Ipv6Addresses=[{"Ipv6Address": "2001:db8:0:1::77"}])
    assert chosen["Ipv6Address"] == "2001:db8:0:1::77"


# --- interfaces of the request ----------------------------------------------------------------------------------------


def test_new_interfaces_are_deleted_with_the_instance_unless_told_otherwise(machines: Machines) -> None:
    subnet = machines.network.subnet
    interfaces = machines.launch(
        NetworkInterfaces=[
            {"DeviceIndex": 1, "SubnetId": subnet, "DeleteOnTermination": False, "Description": "second"},
            {"DeviceIndex": 0, "SubnetId": subnet, "SecondaryPrivateIpAddressCount": 2},
        ]
    )["NetworkInterfaces"]
    assert [one["Attachment"]["DeviceIndex"] for one in interfaces] == [0, 1]
    assert [one["Attachment"]["DeleteOnTermination"] for one in interfaces] == [True, False]
    assert len(interfaces[0]["PrivateIpAddresses"]) == 3
    assert interfaces[1]["Description"] == "second"


def test_an_existing_interface_may_be_the_primary_one_and_outlives_the_instance(machines: Machines) -> None:
    interface = machines.network.interface(PrivateIpAddress="10.0.1.50", Groups=[machines.network.web])
    instance = machines.launch(NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": interface}])
    assert instance["PrivateIpAddress"] == "10.0.1.50"
    assert instance["SubnetId"] == machines.network.subnet
    assert instance["NetworkInterfaces"][0]["Attachment"]["DeleteOnTermination"] is False
    machines.agent()
    machines.call("TerminateInstances", InstanceIds=[instance["InstanceId"]])
    machines.agent()
    assert machines.network.shown(interface)["Status"] == "available"


def test_network_cards_of_a_type_that_has_several_may_be_used(machines: Machines) -> None:
    subnet = machines.network.subnet
    instance = machines.launch(
        InstanceType="p5.48xlarge",
        NetworkInterfaces=[
            {"DeviceIndex": 0, "SubnetId": subnet},
            {"DeviceIndex": 1, "NetworkCardIndex": 1, "SubnetId": subnet},
        ],
    )
    cards = [one["Attachment"]["NetworkCardIndex"] for one in instance["NetworkInterfaces"]]
    assert cards == [0, 1]


# --- public addresses -------------------------------------------------------------------------------------------------


def test_the_subnet_decides_whether_a_public_address_is_given(machines: Machines) -> None:
    assert "PublicIpAddress" not in machines.launch()
    machines.change_subnet(map_public_ip_on_launch=True)
    instance = machines.launch()
    association = instance["NetworkInterfaces"][0]["Association"]
    assert association["IpOwnerId"] == "amazon"
    assert instance["PublicIpAddress"] == association["PublicIp"]
    dashed = association["PublicIp"].replace(".", "-")
    assert instance["PublicDnsName"] == f"ec2-{dashed}.compute-1.amazonaws.com"


@pytest.mark.parametrize("wanted", [True, False])
def test_the_request_overrules_the_subnet(machines: Machines, wanted: bool) -> None:
    machines.change_subnet(map_public_ip_on_launch=not wanted)
    interface = {
        "DeviceIndex": 0,
        "SubnetId": machines.network.subnet,
        "AssociatePublicIpAddress": wanted,
    }
    assert ("PublicIpAddress" in machines.launch(NetworkInterfaces=[interface])) is wanted


def test_two_interfaces_at_launch_get_no_public_address(machines: Machines) -> None:
    machines.change_subnet(map_public_ip_on_launch=True)
    subnet = machines.network.subnet
    instance = machines.launch(NetworkInterfaces=[{"DeviceIndex": index, "SubnetId": subnet} for index in range(2)])
    assert "PublicIpAddress" not in instance


def test_an_existing_interface_s_own_setting_decides(machines: Machines) -> None:
    machines.change_subnet(map_public_ip_on_launch=True)
    interface = machines.network.interface()
    machines.change_subnet(map_public_ip_on_launch=False)
    assert "PublicIpAddress" in machines.launch(NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": interface}])


# --- the default VPC --------------------------------------------------------------------------------------------------


def _make_default(machines: Machines) -> None:
    network = machines.network
    machines.call.put(update(t.vpcs).where(t.vpcs.c.id == network.vpc).values(is_default=True))
    defaults = (network.subnet, network.subnet_b)
    machines.call.put(update(t.subnets).where(t.subnets.c.id.in_(defaults)).values(default_for_az=True))


def test_without_a_subnet_the_default_vpc_s_is_used(machines: Machines) -> None:
    _make_default(machines)
    assert machines.launch(SubnetId=None)["SubnetId"] == machines.network.subnet
    placed = machines.launch(SubnetId=None, Placement={"AvailabilityZone": "us-east-1b"})
    assert placed["SubnetId"] == machines.network.subnet_b


def test_groups_may_be_named_in_the_default_vpc(machines: Machines) -> None:
    _make_default(machines)
    instance = machines.launch(SubnetId=None, SecurityGroups=["web", "db"])
    assert [group["GroupName"] for group in instance["SecurityGroups"]] == ["web", "db"]


# --- many -------------------------------------------------------------------------------------------------------------


def test_the_work_grows_linearly_with_the_number_of_instances(machines: Machines) -> None:
    machines.network.subnet = machines.network.add_subnet(machines.network.vpc, "10.0.16.0/20")
    counted = {}
    for count in (10, 20, 40):
        machines.launch_many(MinCount=count, MaxCount=count)
        counted[count] = machines.call.statements
    assert counted[40] - counted[20] <= 2 * (counted[20] - counted[10]) + 2


def test_two_hundred_instances_take_seconds_at_most(machines: Machines) -> None:
    machines.network.subnet = machines.network.add_subnet(machines.network.vpc, "10.0.16.0/20")
    began = time.perf_counter()
    assert len(machines.launch_many(MinCount=200, MaxCount=200)) == 200
    assert time.perf_counter() - began < 10


def test_tags_for_all_volumes_of_a_launch_are_tags_for_none(machines: Machines) -> None:
    """Terraform's ``default_tags`` come for volumes too, whether there are any or not."""
    tags = [{"Key": "a", "Value": "b"}]
    id_ = machines.launch(TagSpecifications=[{"ResourceType": "volume", "Tags": tags}])["InstanceId"]
    assert machines.shown(id_)["Tags"] == []
    assert machines.call("DescribeTags")["Tags"] == []
