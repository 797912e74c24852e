"""What the benches of a whole enid stand on: a VPC with two subnets and open groups, instances, their interfaces."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from bench.client import every, first, numbered
from bench.site import Site, site

HELD_BY = "t3.xlarge"
"""Four interfaces, fifteen addresses each."""
ROOMY, ROOM = "c5.18xlarge", 15
"""A type of instance with room for many interfaces, and how many."""
PORT = 7000
"""What probes are sent to; every group lets it in."""
_WITHIN = 600.0
"""Seconds: on a busy machine things take their time, and shall be told how long."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A running instance, its first interface, and that one's address."""

    id: str
    interface: str
    address: str


@dataclass(frozen=True, slots=True)
class Interface:
    id: str
    address: str


@dataclass(frozen=True, slots=True)
class Holder:
    """A running instance with many interfaces, the first one first."""

    id: str
    interfaces: tuple[Interface, ...]


class Cloud:
    """``here`` is where instances are; the vantage they are probed from is in a subnet of its own, so that no
    neighbour discovery of the prober's has a part in what is timed."""

    def __init__(self, enid: Site, *, vantage: bool = True) -> None:
        """:param vantage: not needed where nothing is probed."""
        self.enid = enid
        self.client = enid.client
        call = self.client.call
        self.vpc = first(call("CreateVpc", CidrBlock="10.0.0.0/16"), "vpcId")
        self.here = first(call("CreateSubnet", VpcId=self.vpc, CidrBlock="10.0.0.0/18"), "subnetId")
        self.open = self.group("open")
        self.allow(self.open, 0, 65535)
        self.image = first(call("DescribeImages"), "imageId")
        if vantage:
            there = first(call("CreateSubnet", VpcId=self.vpc, CidrBlock="10.0.64.0/24"), "subnetId")
            (self.vantage,) = self.launch(1, subnet=there)

    def group(self, name: str) -> str:
        answer = self.client.call("CreateSecurityGroup", GroupName=name, GroupDescription=name, VpcId=self.vpc)
        return first(answer, "groupId")

    def allow(self, group: str, low: int, high: int) -> None:
        """Let UDP to these ports in, from everywhere."""
        self.client.call("AuthorizeSecurityGroupIngress", GroupId=group, **_udp(low, high))

    def disallow(self, group: str, low: int, high: int) -> None:
        self.client.call("RevokeSecurityGroupIngress", GroupId=group, **_udp(low, high))

    def run(self, count: int, *, subnet: str = "", group: str = "", kind: str = HELD_BY) -> list[Instance]:
        """RunInstances, not waited for."""
        answer = self.client.call(
            "RunInstances",
            ImageId=self.image,
            MinCount=count,
            MaxCount=count,
            InstanceType=kind,
            SubnetId=subnet or self.here,
            **{"SecurityGroupId.1": group or self.open},
        )
        pieces = answer.decode().split("<instanceId>")[1:]
        return [
            Instance(
                piece.split("<", 1)[0],
                first(piece.encode(), "networkInterfaceId"),
                first(piece.encode(), "privateIpAddress"),
            )
            for piece in pieces
        ]

    def crowd(self, count: int, interfaces: int, *, group: str = "", wait: bool = True) -> list[Holder]:
        """Instances with so many interfaces each, from one call to RunInstances; wait until they run."""
        asked: dict[str, str | int] = {}
        for index in range(interfaces):
            asked[f"NetworkInterface.{index + 1}.DeviceIndex"] = index
            asked[f"NetworkInterface.{index + 1}.SubnetId"] = self.here
            asked[f"NetworkInterface.{index + 1}.SecurityGroupId.1"] = group or self.open
        answer = self.client.call(
            "RunInstances", ImageId=self.image, MinCount=count, MaxCount=count, InstanceType=ROOMY, **asked
        )
        made = [_holder(piece) for piece in answer.decode().split("<instanceId>")[1:]]
        if wait:
            self.await_running(made)
        return made

    def internet(self) -> None:
        """An internet gateway, and the default route of all subnets to it."""
        gateway = first(self.client.call("CreateInternetGateway"), "internetGatewayId")
        self.client.call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=self.vpc)
        self.client.call("CreateRoute", RouteTableId=self.routes, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)

    @cached_property
    def routes(self) -> str:
        """The VPC's main route table, which is every subnet's."""
        answer = self.client.call("DescribeRouteTables", **{"Filter.1.Name": "vpc-id", "Filter.1.Value.1": self.vpc})
        return first(answer, "routeTableId")

    def launch(self, count: int, *, subnet: str = "", group: str = "", kind: str = HELD_BY) -> list[Instance]:
        """RunInstances, and wait until they run."""
        made = self.run(count, subnet=subnet, group=group, kind=kind)
        self.await_running(made)
        return made

    def await_running(self, instances: Sequence[Instance | Holder]) -> None:
        def states() -> set[str]:
            found: set[str] = set()
            for start in range(0, len(instances), 500):
                ids = [instance.id for instance in instances[start : start + 500]]
                answer = self.client.call(
                    "DescribeInstanceStatus", IncludeAllInstances="true", **numbered("InstanceId", ids)
                )
                found |= set(every(answer.replace(b"\n", b""), "name")) & {"pending", "running", "terminated"}
            return found

        until("instances run", lambda: states() == {"running"}, every_seconds=0.1)

    def interface(self, *, group: str = "") -> Interface:
        """A new one, ``available``."""
        answer = self.client.call(
            "CreateNetworkInterface", SubnetId=self.here, **{"SecurityGroupId.1": group or self.open}
        )
        return Interface(first(answer, "networkInterfaceId"), first(answer, "privateIpAddress"))

    def attach(self, interface: str, instance: str, index: int = 1) -> str:
        """The attachment's id."""
        answer = self.client.call(
            "AttachNetworkInterface", NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=index
        )
        return first(answer, "attachmentId")

    def detach(self, attachment: str, *, force: bool = False) -> None:
        self.client.call("DetachNetworkInterface", AttachmentId=attachment, **({"Force": "true"} if force else {}))

    def attachment_status(self, interface: str) -> str:
        """Empty when it is attached to nothing."""
        answer = self.client.call("DescribeNetworkInterfaces", **{"NetworkInterfaceId.1": interface})
        attachment = answer.partition(b"<attachment>")[2].partition(b"</attachment>")[0]
        return first(attachment, "status") if attachment else ""

    def terminate(self, instances: Sequence[str]) -> None:
        self.client.call("TerminateInstances", **numbered("InstanceId", list(instances)))

    @contextmanager
    def inside(self, *instances: str) -> Iterator[list[int]]:
        """Descriptors of the instances' network namespaces."""
        opened: list[int] = []
        try:
            opened += [self.enid.network_namespace(instance) for instance in instances]
            yield opened
        finally:
            for descriptor in opened:
                os.close(descriptor)


def _holder(piece: str) -> Holder:
    """From what RunInstances says of one instance."""
    parts = piece.partition("<networkInterfaceSet>")[2].split("<networkInterfaceId>")[1:]
    interfaces = (Interface(part.split("<", 1)[0], first(part.encode(), "privateIpAddress")) for part in parts)
    return Holder(piece.split("<", 1)[0], tuple(interfaces))


@contextmanager
def cloud() -> Iterator[Cloud]:
    with site() as enid:
        yield Cloud(enid)


def until(what: str, probe: Callable[[], object], within: float = _WITHIN, every_seconds: float = 0.003) -> None:
    """:raises TimeoutError: saying what did not come."""
    deadline = time.monotonic() + within
    while not probe():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {within:.0f} seconds")
        time.sleep(every_seconds)


def _udp(low: int, high: int) -> dict[str, str | int]:
    return {
        "IpPermissions.1.IpProtocol": "udp",
        "IpPermissions.1.FromPort": low,
        "IpPermissions.1.ToPort": high,
        "IpPermissions.1.IpRanges.1.CidrIp": "0.0.0.0/0",
    }
