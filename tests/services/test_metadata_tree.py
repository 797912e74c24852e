"""What the metadata service says is what the API says, at the same moment."""

from __future__ import annotations

import json
from base64 import b64encode
from ipaddress import ip_network
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from instance_inside import Inside
from machines import Machines

from enid.services.imds import tree

MACS = "meta-data/network/interfaces/macs"


def of(instance: dict[str, Any]) -> str:
    """The path of its primary interface."""
    return f"{MACS}/{instance['NetworkInterfaces'][0]['MacAddress']}"


def test_an_instance_as_it_was_launched(inside: Inside, instance: dict[str, Any], machines: Machines) -> None:
    said = {name: inside.get(f"meta-data/{name}") for name in inside.lines("meta-data/") if not name.endswith("/")}
    assert said == {
        "ami-id": instance["ImageId"],
        "ami-launch-index": "0",
        "ami-manifest-path": "(unknown)",
        "hostname": f"ip-{instance['PrivateIpAddress'].replace('.', '-')}",
        "instance-action": "none",
        "instance-id": instance["InstanceId"],
        "instance-life-cycle": "on-demand",
        "instance-type": "t3.small",
        "local-hostname": f"ip-{instance['PrivateIpAddress'].replace('.', '-')}",
        "local-ipv4": instance["PrivateIpAddress"],
        "mac": instance["NetworkInterfaces"][0]["MacAddress"],
        "profile": "default-hvm",
        "reservation-id": said["reservation-id"],
        "security-groups": "default",
    }
    assert inside.get("meta-data/placement/availability-zone") == "us-east-1a"
    assert inside.get("meta-data/placement/availability-zone-id") == "use1-az1"
    assert inside.get("meta-data/placement/region") == "us-east-1"
    assert inside.lines("meta-data/services/") == ["domain", "partition"]
    assert inside.get("meta-data/services/domain") == "amazonaws.com"
    assert inside.get("meta-data/block-device-mapping/root") == "/dev/sda1"


def test_the_primary_interface(inside: Inside, instance: dict[str, Any], machines: Machines) -> None:
    (interface,) = instance["NetworkInterfaces"]
    said = {name: inside.get(f"{of(instance)}/{name}") for name in inside.lines(of(instance))}
    assert said == {
        "device-number": "0",
        "interface-id": interface["NetworkInterfaceId"],
        "local-hostname": f"ip-{interface['PrivateIpAddress'].replace('.', '-')}.ec2.internal",
        "local-ipv4s": interface["PrivateIpAddress"],
        "mac": interface["MacAddress"],
        "network-card-index": "0",
        "owner-id": interface["OwnerId"],
        "security-group-ids": interface["Groups"][0]["GroupId"],
        "security-groups": "default",
        "subnet-id": interface["SubnetId"],
        "subnet-ipv4-cidr-block": "10.0.1.0/24",
        "subnet-ipv6-cidr-blocks": "2001:db8:0:1::/64",
        "vpc-id": interface["VpcId"],
        "vpc-ipv4-cidr-block": "10.0.0.0/16",
        "vpc-ipv4-cidr-blocks": "",
    }


def test_what_is_not_there_is_404(inside: Inside, instance: dict[str, Any]) -> None:
    for path in (
        "meta-data/iam/", "meta-data/iam/security-credentials/", "meta-data/spot/instance-action", "user-data",
        "meta-data/public-ipv4", "meta-data/public-hostname", "meta-data/public-keys/", "meta-data/tags/instance",
        "meta-data/instance-id/more", "meta-data/ipv6", "dynamic/instance-identity/pkcs7", "nothing",
        f"{of(instance)}/ipv6s", f"{of(instance)}/ipv4-associations/", f"{of(instance)}/public-ipv4s",
        f"{of(instance)}/network-card", f"{MACS}/02:00:00:00:00:00/",
    ):  # fmt: skip
        assert inside.missing(path), path


def test_directories_with_and_without_a_slash(inside: Inside, instance: dict[str, Any]) -> None:
    assert inside.get("meta-data") == inside.get("meta-data/") == inside.get("/meta-data//")
    assert inside.lines("") == ["dynamic", "meta-data"], "these two have none in their listing"
    assert inside.lines("meta-data/network/") == ["interfaces/"]
    assert inside.lines(f"{MACS}/") == [f"{instance['NetworkInterfaces'][0]['MacAddress']}/"]
    assert inside.get("meta-data/instance-id/") == instance["InstanceId"]
    versions = inside.ask("GET", "/")
    assert versions is not None
    assert versions.body.split()[-1] == b"latest"
    assert inside.status("GET", "/2021-03-23/meta-data/instance-id") == 200
    assert inside.status("GET", "/2021-03-24/meta-data/instance-id") == 404


def test_addresses_and_interfaces_as_they_come_and_go(
    inside: Inside, instance: dict[str, Any], machines: Machines
) -> None:
    network, call = machines.network, machines.call
    primary = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    call("AssignPrivateIpAddresses", NetworkInterfaceId=primary, PrivateIpAddresses=["10.0.1.77"])
    assert inside.lines(f"{of(instance)}/local-ipv4s") == [instance["PrivateIpAddress"], "10.0.1.77"]
    call("AssignIpv6Addresses", NetworkInterfaceId=primary, Ipv6Addresses=["2001:db8:0:1::9"])
    assert inside.lines(f"{of(instance)}/ipv6s") == ["2001:db8:0:1::9"]
    assert inside.get("meta-data/ipv6") == "2001:db8:0:1::9"

    second = network.interface(network.small, Groups=[network.web, network.db])
    mac = network.shown(second)["MacAddress"]
    assert inside.missing(f"{MACS}/{mac}/")
    network.attach(second, instance["InstanceId"], 2)
    assert inside.lines(f"{MACS}/") == sorted([f"{mac}/", f"{instance['NetworkInterfaces'][0]['MacAddress']}/"])
    assert inside.get(f"{MACS}/{mac}/device-number") == "2"
    assert inside.lines(f"{MACS}/{mac}/security-groups") == ["web", "db"]
    assert inside.lines(f"{MACS}/{mac}/security-group-ids") == [network.web, network.db]
    assert inside.get("meta-data/mac") != mac, "the primary interface's"
    attachment = network.shown(second)["Attachment"]["AttachmentId"]
    call("DetachNetworkInterface", AttachmentId=attachment)
    assert inside.missing(f"{MACS}/{mac}/"), "as soon as the API shows it as detaching"


def test_prefixes(inside: Inside, instance: dict[str, Any], machines: Machines) -> None:
    id_ = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    assert not {"ipv4-prefix", "ipv6-prefix"} & set(inside.lines(of(instance)))
    machines.call("AssignPrivateIpAddresses", NetworkInterfaceId=id_, Ipv4PrefixCount=2)
    machines.call("AssignIpv6Addresses", NetworkInterfaceId=id_, Ipv6PrefixCount=1)
    shown = machines.network.shown(id_)
    assert set(inside.lines(f"{of(instance)}/ipv4-prefix")) == {each["Ipv4Prefix"] for each in shown["Ipv4Prefixes"]}
    assert inside.get(f"{of(instance)}/ipv6-prefix") == shown["Ipv6Prefixes"][0]["Ipv6Prefix"]
    for prefix in (shown["Ipv4Prefixes"][1]["Ipv4Prefix"], shown["Ipv6Prefixes"][0]["Ipv6Prefix"]):
        answer = inside.ask("GET", "/latest/meta-data/instance-id", address=str(ip_network(prefix)[5]))
        assert answer is not None, "it may ask from an address of its prefix, as its containers do"
        assert answer.status == (200 if "." in prefix else 403), "IPv6 is off until it is turned on"


def test_public_addresses(inside: Inside, instance: dict[str, Any], machines: Machines) -> None:
    network, call = machines.network, machines.call
    primary = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    call("AssignPrivateIpAddresses", NetworkInterfaceId=primary, PrivateIpAddresses=["10.0.1.77"])
    first, second = network.elastic_ip(), network.elastic_ip()
    call("AssociateAddress", AllocationId=second, NetworkInterfaceId=primary, PrivateIpAddress="10.0.1.77")
    assert inside.missing("meta-data/public-ipv4"), "of the primary address only"
    call("AssociateAddress", AllocationId=first, NetworkInterfaceId=primary)
    one, two = (network.address(each)["PublicIp"] for each in (first, second))
    assert inside.get("meta-data/public-ipv4") == one
    assert inside.get("meta-data/public-hostname") == f"ec2-{one.replace('.', '-')}.compute-1.amazonaws.com"
    assert inside.lines(f"{of(instance)}/public-ipv4s") == [one, two]
    assert inside.get(f"{of(instance)}/ipv4-associations/{one}") == instance["PrivateIpAddress"]
    assert inside.get(f"{of(instance)}/ipv4-associations/{two}") == "10.0.1.77"
    call("ModifyVpcAttribute", VpcId=network.vpc, EnableDnsHostnames={"Value": False})
    assert inside.missing("meta-data/public-hostname")


def test_what_a_launch_gives(call: Any, machines: Machines) -> None:
    pair = call("CreateKeyPair", KeyName="mine", KeyType="ed25519")
    id_ = machines.running(
        KeyName="mine",
        UserData=b64encode(b"#!/bin/sh\n\xff").decode(),
        MetadataOptions={"InstanceMetadataTags": "enabled"},
        TagSpecifications=[
            {
                "ResourceType": "instance",
                "Tags": [{"Key": "Name", "Value": "wéb"}, {"Key": "a b/c", "Value": "no path"}],
            }
        ],
    )
    inside = Inside(call, machines.network.vpc, machines.shown(id_)["PrivateIpAddress"])
    assert inside.lines("meta-data/public-keys/") == ["0=mine"]
    assert inside.lines("meta-data/public-keys/0/") == ["openssh-key"]
    assert inside.get("meta-data/public-keys/0/openssh-key").endswith(" mine")
    assert pair["KeyName"] == "mine"
    user_data = inside.ask("GET", "/latest/user-data")
    assert user_data is not None
    assert user_data.body == b"#!/bin/sh\n\xff"
    assert inside.lines("meta-data/tags/instance/") == ["Name"]
    assert inside.get("meta-data/tags/instance/Name") == "wéb"
    document = json.loads(inside.get("dynamic/instance-identity/document"))
    assert (document["instanceId"], document["accountId"]) == (id_, call.account_id)


def test_the_number_of_statements_does_not_grow(call: Any, inside: Inside, machines: Machines) -> None:
    def statements() -> int:
        call.statements = 0
        with call._counted():
            inside.get("meta-data/instance-id")
        return int(call.statements)

    before = statements()
    for _ in range(3):
        machines.running()
    assert statements() == before


@given(st.text())
def test_no_path_is_too_strange(path: str) -> None:
    found = tree.find({"meta-data": {"a": "1", "b": {"c": b"2"}}}, path)
    assert found is None or isinstance(found, bytes)
