"""A small network for the tests of interfaces and addresses, written into the store by hand.

So these tests fail for interfaces' and addresses' own reasons only.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from sqlalchemy import delete, insert, select, update

from enid.store import ids
from enid.store import tables as t

FIRST, SECOND = "111111111111", "222222222222"
"""The accounts of the store."""


class Network:
    """A VPC (10.0.0.0/16, DNS host names, internet gateway) with three subnets in two zones, and another VPC."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.vpc = self.add_vpc("10.0.0.0/16")
        self.subnet = self.add_subnet(self.vpc, "10.0.1.0/24", ipv6="2001:db8:0:1::/64")
        self.subnet_b = self.add_subnet(self.vpc, "10.0.2.0/24", zone="us-east-1b")
        self.small = self.add_subnet(self.vpc, "10.0.3.0/28")
        self.web, self.db = self.add_group(self.vpc, "web"), self.add_group(self.vpc, "db")
        self.gateway = self.add_gateway(self.vpc)
        self.other_vpc = self.add_vpc("10.9.0.0/16")
        self.other_subnet = self.add_subnet(self.other_vpc, "10.9.1.0/24")
        self.other_group = self.add_group(self.other_vpc, "elsewhere")

    def _insert(self, table: Any, **values: Any) -> str:
        self.call.put(insert(table).values(**values))
        return str(values["id"])

    def add_vpc(self, cidr: str, account: str = FIRST) -> str:
        vpc = self._insert(t.vpcs, id=ids.new_id("vpc"), account_id=account, cidr_block=cidr, enable_dns_hostnames=True)
        self.add_group(vpc, "default", account)
        return vpc

    def add_subnet(self, vpc: str, cidr: str, *, zone: str = "us-east-1a", ipv6: str | None = None, **more: Any) -> str:
        return self._insert(
            t.subnets,
            id=ids.new_id("subnet"),
            **({"account_id": FIRST} | more),
            vpc_id=vpc,
            availability_zone=zone,
            availability_zone_id=f"use1-az{'abc'.index(zone[-1]) + 1}",
            cidr_block=str(IPv4Network(cidr)),
            ipv6_cidr_block=ipv6,
        )

    def add_group(self, vpc: str, name: str, account: str = FIRST) -> str:
        return self._insert(t.security_groups, id=ids.new_id("sg"), account_id=account, vpc_id=vpc, name=name)

    def add_gateway(self, vpc: str) -> str:
        return self._insert(t.internet_gateways, id=ids.new_id("igw"), account_id=FIRST, vpc_id=vpc)

    def detach_gateway(self) -> None:
        self.call.put(update(t.internet_gateways).values(vpc_id=None))

    def instance(self, *, state: str = "running", type_: str = "t3.small", subnet: str | None = None) -> str:
        """An instance without interfaces."""
        subnet = subnet or self.subnet
        with self.call.database.read() as db:
            place = db.execute(select(t.subnets).where(t.subnets.c.id == subnet)).one()
        return self._insert(
            t.instances,
            id=ids.new_id("i"),
            account_id=FIRST,
            reservation_id=ids.new_id("r"),
            image_id="ami-0",
            instance_type=type_,
            state=state,
            vpc_id=place.vpc_id,
            subnet_id=subnet,
            availability_zone=place.availability_zone,
        )

    def interface(self, subnet: str | None = None, **params: Any) -> str:
        shown = self.call("CreateNetworkInterface", SubnetId=subnet or self.subnet, **params)
        return str(shown["NetworkInterface"]["NetworkInterfaceId"])

    def attach(self, interface: str, instance: str, index: int = 1) -> str:
        """Attach, and let the agent say that it is done."""
        answer = self.call(
            "AttachNetworkInterface", NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=index
        )
        self.agent_attached()
        return str(answer["AttachmentId"])

    def machine(self, **params: Any) -> tuple[str, str]:
        """A running instance with a primary interface: both ids."""
        instance, interface = self.instance(), self.interface(**params)
        self.attach(interface, instance, 0)
        return instance, interface

    def agent_attached(self) -> None:
        self.call.put(update(t.attachments).where(t.attachments.c.status == "attaching").values(status="attached"))

    def agent_detached(self) -> None:
        gone = select(t.attachments.c.network_interface_id).where(t.attachments.c.status == "detaching")
        self.call.put(
            update(t.network_interfaces).where(t.network_interfaces.c.id.in_(gone)).values(status="available")
        )
        self.call.put(delete(t.attachments).where(t.attachments.c.status == "detaching"))

    def shown(self, interface: str) -> dict[str, Any]:
        """As DescribeNetworkInterfaces shows it."""
        (shown,) = self.call("DescribeNetworkInterfaces", NetworkInterfaceIds=[interface])["NetworkInterfaces"]
        return dict(shown)

    def ips(self, interface: str) -> list[str]:
        """The private IPv4 addresses, the primary one first."""
        return [item["PrivateIpAddress"] for item in self.shown(interface)["PrivateIpAddresses"]]

    def elastic_ip(self) -> str:
        """A new allocation id."""
        return str(self.call("AllocateAddress", Domain="vpc")["AllocationId"])

    def address(self, allocation: str) -> dict[str, Any]:
        """As DescribeAddresses shows it."""
        (shown,) = self.call("DescribeAddresses", AllocationIds=[allocation])["Addresses"]
        return dict(shown)
