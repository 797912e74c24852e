"""Every documented filter of DescribeNetworkInterfaces selects what it says, and nothing else."""

from __future__ import annotations

import re
from typing import Any

import pytest
from small_network import FIRST, Network
from sqlalchemy import update

from accounts import model
from enid.ec2 import addresses
from enid.ec2.context import Context
from enid.ec2.network_interface_filters import catalogue
from enid.store import tables as t


class Zoo:
    """Two interfaces that differ in everything a filter can see."""

    def __init__(self, call: Any) -> None:
        self.call = call
        net = self.net = Network(call)
        self.instance = net.instance()
        self.service = net.interface(
            Description="the service",
            Groups=[net.web],
            PrivateIpAddress="10.0.1.20",
            PrivateIpAddresses=[{"PrivateIpAddress": "10.0.1.21"}],
            Ipv6Addresses=[{"Ipv6Address": "2001:db8:0:1::20"}],
            TagSpecifications=[{"ResourceType": "network-interface", "Tags": [{"Key": "Role", "Value": "web"}]}],
        )
        self.attachment = net.attach(self.service, self.instance, 1)
        self.elastic = net.elastic_ip()
        self.association = call("AssociateAddress", AllocationId=self.elastic, NetworkInterfaceId=self.service)[
            "AssociationId"
        ]
        call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=self.service, SourceDestCheck={"Value": False})
        self.public_ip = net.address(self.elastic)["PublicIp"]
        self.mac = net.shown(self.service)["MacAddress"]
        self.attach_time = net.shown(self.service)["Attachment"]["AttachTime"]
        self.spare = net.interface(net.other_subnet, PrivateIpAddress="10.9.1.50")
        call.put(
            update(t.network_interfaces)
            .where(t.network_interfaces.c.id == self.spare)
            .values(
                requester_id="amazon-elb", requester_managed=True, availability_zone="us-east-1b",
                availability_zone_id="use1-az2", interface_type="nat_gateway",
            )
        )  # fmt: skip
        call.put(update(t.vpcs).where(t.vpcs.c.id == net.other_vpc).values(enable_dns_hostnames=False))

    def found(self, name: str, *values: str) -> set[str]:
        answer = self.call("DescribeNetworkInterfaces", Filters=[{"Name": name, "Values": list(values)}])
        names = {self.service: "service", self.spare: "spare"}
        return {names[item["NetworkInterfaceId"]] for item in answer["NetworkInterfaces"]}


@pytest.fixture
def zoo(call: Any) -> Zoo:
    return Zoo(call)


def test_every_documented_filter_is_known_and_no_other() -> None:
    shape = model("ec2").operation_model("DescribeNetworkInterfaces").input_shape
    assert shape is not None
    items = re.findall(r"<li> <p> <code>([^<]+)</code>", shape.members["Filters"].documentation)
    documented = set(items) - {"tag", "tag-key"}
    assert len(documented) == 35
    assert set(catalogue("us-east-1")) == documented


def test_filters_that_find_the_service(zoo: Zoo) -> None:
    net = zoo.net
    name = f"ec2-{zoo.public_ip.replace('.', '-')}.compute-1.amazonaws.com"
    cases = {
        "addresses.association.owner-id": (FIRST, "amazon"),
        "addresses.association.public-ip": (zoo.public_ip, "198.18.255.*"),
        "addresses.private-ip-address": ("10.0.1.21", "10.0.1.2"),
        "association.allocation-id": (zoo.elastic, "eipalloc-0"),
        "association.association-id": (zoo.association, "eipassoc-0"),
        "association.ip-owner-id": (FIRST, "amazon"),
        "association.public-dns-name": (name, "ec2-0*"),
        "association.public-ip": (zoo.public_ip[:-1] + "?", "10.*"),
        "attachment.attach-time": (zoo.attach_time[:10] + "*", "1999-*"),
        "attachment.attachment-id": (zoo.attachment, "eni-attach-0"),
        "attachment.delete-on-termination": ("false", "true"),
        "attachment.device-index": ("1", "0"),
        "attachment.instance-id": (zoo.instance, "i-0"),
        "attachment.instance-owner-id": (FIRST, "222222222222"),
        "attachment.status": ("attached", "detaching"),
        "availability-zone": ("us-east-1a", "us-east-1c"),
        "availability-zone-id": ("use1-az1", "use1-az3"),
        "description": ("the s*", "service"),
        "group-id": (net.web, net.db),
        "interface-type": ("interface", "efa"),
        "ipv6-addresses.ipv6-address": ("2001:db8:0:1::20", "2001:db8:0:1::21"),
        "mac-address": (zoo.mac, "02:00:00:00:00:00"),
        "network-interface-id": (zoo.service, "eni-0"),
        "private-dns-name": ("ip-10-0-1-20.ec2.internal", "ip-10-9-1-50.ec2.internal"),
        "private-ip-address": ("10.0.1.2*", "10.0.1"),
        "requester-managed": ("false", "neither"),
        "source-dest-check": ("false", "neither"),
        "status": ("in-use", "associated"),
        "subnet-id": (net.subnet, net.subnet_b),
        "tag:Role": ("w?b", "web server"),
        "tag-key": ("Role", "role"),
        "vpc-id": (net.vpc, "vpc-0"),
    }
    for filter_, (value, other) in cases.items():
        assert zoo.found(filter_, value) == {"service"}, filter_
        assert zoo.found(filter_, other) == set(), filter_
        assert zoo.found(filter_, other, value) == {"service"}, f"{filter_}: values are alternatives"


def test_filters_that_find_the_other_or_both(zoo: Zoo) -> None:
    both = {"service", "spare"}
    assert zoo.found("requester-id", "amazon-*") == {"spare"}
    assert zoo.found("requester-managed", "true") == {"spare"}
    assert zoo.found("source-dest-check", "true") == {"spare"}
    assert zoo.found("interface-type", "nat_gateway") == {"spare"}
    assert zoo.found("status", "available") == {"spare"}
    assert zoo.found("addresses.primary", "true") == both
    assert zoo.found("addresses.primary", "false") == {"service"}
    assert zoo.found("operator.managed", "false") == both
    assert zoo.found("operator.managed", "true") == zoo.found("operator.principal", "*") == set()
    assert zoo.found("owner-id", FIRST) == both
    assert zoo.found("owner-id", "222222222222") == set()
    assert zoo.found("source-dest-check", "true", "false") == both


def test_an_auto_assigned_address_belongs_to_amazon(zoo: Zoo) -> None:
    with zoo.call.database.write() as db:
        addresses.assign_public(Context(db, FIRST, zoo.call.settings), zoo.spare, "10.9.1.50")
    assert zoo.found("association.ip-owner-id", "amazon") == {"spare"}
    assert zoo.found("association.allocation-id", "*") == {"service"}
    assert zoo.found("association.public-dns-name", "ec2-*") == {"service"}, "the other's VPC has no DNS host names"


def test_between_filters_all_must_hold(zoo: Zoo) -> None:
    def found(*filters: tuple[str, str]) -> int:
        given = [{"Name": name, "Values": [value]} for name, value in filters]
        return len(zoo.call("DescribeNetworkInterfaces", Filters=given)["NetworkInterfaces"])

    assert found(("vpc-id", zoo.net.vpc), ("status", "in-use")) == 1
    assert found(("vpc-id", zoo.net.vpc), ("status", "available")) == 0


def test_wildcards_can_be_escaped_and_case_matters(zoo: Zoo) -> None:
    zoo.call(
        "ModifyNetworkInterfaceAttribute", NetworkInterfaceId=zoo.service, Description={"Value": "100% *real* a_b"}
    )
    assert zoo.found("description", "100% \\*real\\* a_b") == {"service"}
    assert zoo.found("description", "100% \\*r\\?al\\* a_b") == set()
    assert zoo.found("description", "1__% *") == set()
    assert zoo.found("description", "100% *REAL*") == set()


def test_an_unknown_filter_is_refused(zoo: Zoo) -> None:
    error = zoo.call.refused("DescribeNetworkInterfaces", Filters=[{"Name": "colour", "Values": ["blue"]}])
    assert (error.code, error.message) == ("InvalidParameterValue", "The filter 'colour' is invalid")
