"""Resources for the tests to meet, made through the API as a client makes them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from api_server import Api

from enid.ec2.images import SANDBOX

GONE = "0123456789abcdef0"
"""The tail of an id that nothing has."""


class World:
    """A VPC with two subnets in one zone and one in another, made piece by piece as rows ask for them."""

    def __init__(self, api: Api) -> None:
        self.api, self.ec2 = api, api.ec2

    @cached_property
    def vpc(self) -> str:
        return str(self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])

    @cached_property
    def subnet(self) -> str:
        return self.add_subnet("10.0.1.0/24")

    def add_subnet(self, block: str, zone: str = "us-east-1a", vpc: str | None = None) -> str:
        made = self.ec2.create_subnet(VpcId=vpc or self.vpc, CidrBlock=block, AvailabilityZone=zone)
        return str(made["Subnet"]["SubnetId"])

    def add_vpc(self) -> tuple[str, str]:
        """Another VPC and a subnet of it."""
        vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        return vpc, self.add_subnet("10.9.1.0/24", vpc=vpc)

    @cached_property
    def gateway(self) -> str:
        """An attached internet gateway."""
        id_ = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=id_, VpcId=self.vpc)
        return str(id_)

    def group(self, name: str = "web", vpc: str | None = None) -> str:
        made = self.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc or self.vpc)
        return str(made["GroupId"])

    def eni(self, subnet: str | None = None, **params: Any) -> str:
        made = self.ec2.create_network_interface(SubnetId=subnet or self.subnet, **params)
        return str(made["NetworkInterface"]["NetworkInterfaceId"])

    def mirror(self) -> dict[str, Any]:
        """What CreateTrafficMirrorSession is asked."""
        target = self.ec2.create_traffic_mirror_target(NetworkInterfaceId=self.eni())["TrafficMirrorTarget"]
        return {
            "NetworkInterfaceId": self.eni(),
            "TrafficMirrorTargetId": target["TrafficMirrorTargetId"],
            "TrafficMirrorFilterId": self.ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"][
                "TrafficMirrorFilterId"
            ],
            "SessionNumber": 1,
        }

    def launch(self, type_: str = "t3.small", **params: Any) -> dict[str, Any]:
        """What RunInstances is asked."""
        where = {} if "NetworkInterfaces" in params else {"SubnetId": self.subnet}
        return {"ImageId": SANDBOX["ImageId"], "InstanceType": type_, "MinCount": 1, "MaxCount": 1, **where, **params}

    def pending(self, type_: str = "t3.small", **params: Any) -> tuple[str, str]:
        """A starting instance and its primary interface."""
        (made,) = self.ec2.run_instances(**self.launch(type_, **params))["Instances"]
        return made["InstanceId"], made["NetworkInterfaces"][0]["NetworkInterfaceId"]

    def running(self, type_: str = "t3.small", **params: Any) -> tuple[str, str]:
        """A running instance and its primary interface."""
        made = self.pending(type_, **params)
        self.api.agent()
        return made

    def attach(self, eni: str, instance: str, index: int = 1) -> str:
        made = self.ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=instance, DeviceIndex=index)
        self.api.agent()
        return str(made["AttachmentId"])

    def two_interfaces(self) -> str:
        """An instance with two interfaces."""
        instance, _ = self.running()
        self.attach(self.eni(), instance)
        return instance

    def elastic(self) -> str:
        return str(self.ec2.allocate_address(Domain="vpc")["AllocationId"])
