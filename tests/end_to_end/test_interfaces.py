"""What an interface may be beyond addresses, from the call to the packet: prefixes, and interfaces lent to others."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from whole_enid import Enid, until

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]

OTHER = "222222222222"


def pings(enid: Enid, instance: str, address: str) -> bool:
    return "1 received" in enid.run(instance, "sh", "-c", f"ping -n -c1 -W2 {address} || true")


def test_every_address_of_a_prefix_leads_to_its_instance_and_moves_with_its_interface(enid: Any) -> None:
    subnet = enid.subnet()
    first, second, peer = (one["InstanceId"] for one in enid.launch(subnet, 3))
    interface = enid.ec2.create_network_interface(SubnetId=subnet, Ipv4PrefixCount=1)["NetworkInterface"]
    prefix = interface["Ipv4Prefixes"][0]["Ipv4Prefix"]
    inside = prefix.replace("/28", "").rpartition(".")
    address = f"{inside[0]}.{int(inside[2]) + 9}"
    id_ = {"NetworkInterfaceId": interface["NetworkInterfaceId"]}
    for holder in (first, second):
        attached = enid.ec2.attach_network_interface(InstanceId=holder, DeviceIndex=1, **id_)["AttachmentId"]
        enid.run(holder, "ip", "address", "add", f"{address}/32", "dev", "lo")
        # The guest does nothing about a prefix by itself: what is sent from it must leave by eth1.
        enid.run(holder, "ip", "rule", "add", "from", prefix, "lookup", "10001")
        until(f"{peer} reaches {holder}", lambda: pings(enid, peer, address))
        enid.ec2.detach_network_interface(AttachmentId=attached)
        until("it does no more", lambda: not pings(enid, peer, address))


def test_an_interface_lent_to_another_account_carries_its_owners_packets(enid: Any) -> None:
    subnet = enid.subnet()
    zone = enid.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailabilityZone"]
    (mine,) = (one["InstanceId"] for one in enid.launch(subnet))
    out, _ = enid.command("account", "create", OTHER, "--json").communicate(timeout=20)
    key = json.loads(out)
    theirs = boto3.client(
        "ec2",
        endpoint_url=enid.endpoint,
        region_name=enid.settings.region,
        aws_access_key_id=key["id"],
        aws_secret_access_key=key["secret"],
    )
    vpc = theirs.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    place = theirs.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
    image = theirs.describe_images()["Images"][0]["ImageId"]
    # The two VPCs overlap. Only the guest's own address must not be the peer's: it would take the peer for itself.
    launch = {"ImageId": image, "InstanceType": "t3.large", "SubnetId": place, "PrivateIpAddress": "10.0.1.77"}
    guest = theirs.run_instances(MinCount=1, MaxCount=1, **launch)["Instances"][0]["InstanceId"]
    until("theirs runs", lambda: enid.is_up(guest), 60)
    lent = enid.ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress="10.0.1.200")["NetworkInterface"]
    enid.ec2.create_network_interface_permission(
        NetworkInterfaceId=lent["NetworkInterfaceId"], AwsAccountId=OTHER, Permission="INSTANCE-ATTACH"
    )
    theirs.attach_network_interface(InstanceId=guest, DeviceIndex=1, NetworkInterfaceId=lent["NetworkInterfaceId"])
    until("mine reaches the lent interface", lambda: pings(enid, mine, "10.0.1.200"))
    assert "10.0.1.200" in enid.run(guest, "ip", "-br", "address", "show", "eth1")
