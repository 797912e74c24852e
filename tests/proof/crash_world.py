"""A small network that is changed while enid dies, and the acts that change it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

import acts
import boto3
from acts import Act
from botocore.config import Config

from whole_enid import Enid, until

TYPE = "m5.4xlarge"
"""Eight interfaces."""
_ACTORS = ("10.0.1.96/27", "10.0.1.128/26")
"""Where actors have their addresses, and nobody else by chance."""


class CrashWorld:
    """Two instances that stay, whose first interfaces carry the flows; two groups; Elastic IPs; a NAT gateway."""

    def __init__(self, enid: Enid) -> None:
        self.enid = enid
        ec2 = enid.ec2
        self.subnet = enid.subnet()
        self.vpc = ec2.describe_subnets(SubnetIds=[self.subnet])["Subnets"][0]["VpcId"]
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["RouteTables"][0]
        ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        self.image = ec2.describe_images()["Images"][0]["ImageId"]
        for block in _ACTORS:
            ec2.create_subnet_cidr_reservation(SubnetId=self.subnet, Cidr=block, ReservationType="explicit")
        self.one, self.two = self.launch(2)
        groups = [ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc) for name in "xy"]
        self.groups = [group["GroupId"] for group in groups]
        ec2.create_nat_gateway(SubnetId=self.subnet, AllocationId=self.allocate()[0])

    def launch(self, count: int) -> list[dict[str, Any]]:
        launched = self.enid.ec2.run_instances(
            ImageId=self.image, MinCount=count, MaxCount=count, SubnetId=self.subnet, InstanceType=TYPE
        )["Instances"]
        ids = [instance["InstanceId"] for instance in launched]
        until("instances run", lambda: set(self.enid.states(ids)) == {"running"}, 60)
        return list(launched)

    def allocate(self) -> tuple[str, str]:
        """An Elastic IP: allocation and address."""
        made = self.enid.ec2.allocate_address(Domain="vpc")
        return made["AllocationId"], made["PublicIp"]

    def client(self) -> Any:
        """One that tries nothing twice: what is not answered is not answered."""
        return boto3.client(
            "ec2",
            endpoint_url=self.enid.endpoint,
            region_name=self.enid.settings.region,
            aws_access_key_id=self.enid.key.id,
            aws_secret_access_key=self.enid.key.secret,
            config=Config(retries={"max_attempts": 0}, connect_timeout=20, read_timeout=60),
        )


class Actor:
    """One client with an interface of its own, at a device index of its own. ``number`` is from 1 on."""

    def __init__(self, world: CrashWorld, number: int) -> None:
        self._world = world
        self._ec2 = world.client()
        self._number = number
        self._allocation, self._public = world.allocate()
        self._addresses = [f"10.0.1.{100 + number * 10 + place}" for place in range(3)]
        self._counter = itertools.count()
        made = world.enid.ec2.create_network_interface(SubnetId=world.subnet, PrivateIpAddress=self._addresses[0])
        self.eni = made["NetworkInterface"]["NetworkInterfaceId"]

    def seen(self) -> Any:
        return acts.interface(self._ec2, self.eni)

    def _act(self, name: str, call: Callable[[], object], refused: bool = False, **changes: Any) -> Act:
        return Act(name, call, self.seen, lambda before: before and {**before, **changes}, refused)

    def attach(self, instance: str, refused: bool = False) -> Act:
        def call() -> object:
            return self._ec2.attach_network_interface(
                NetworkInterfaceId=self.eni, InstanceId=instance, DeviceIndex=self._number
            )

        act = self._act("attach", call, refused, holder=(instance, self._number))
        return replace(act, excuses=("currently in use", "already has an interface"))

    def detach(self) -> Act:
        def call() -> object:
            (shown,) = self._ec2.describe_network_interfaces(NetworkInterfaceIds=[self.eni])["NetworkInterfaces"]
            return self._ec2.detach_network_interface(AttachmentId=shown["Attachment"]["AttachmentId"], Force=True)

        return self._act("detach", call, holder=None)

    def assign(self, now: dict[str, Any]) -> Act:
        extra = self._addresses[1:]
        wanted = sorted({*now["addresses"], *extra})

        def call() -> object:
            return self._ec2.assign_private_ip_addresses(NetworkInterfaceId=self.eni, PrivateIpAddresses=extra)

        return self._act("assign", call, addresses=wanted)

    def unassign(self, now: dict[str, Any]) -> Act:
        extra = self._addresses[1:]
        kept = [pair for pair in now["public"] if pair[0] not in extra]

        def call() -> object:
            return self._ec2.unassign_private_ip_addresses(NetworkInterfaceId=self.eni, PrivateIpAddresses=extra)

        return self._act("unassign", call, addresses=[self._addresses[0]], public=kept)

    def associate(self, now: dict[str, Any]) -> Act:
        def call() -> object:
            return self._ec2.associate_address(
                AllocationId=self._allocation, NetworkInterfaceId=self.eni, PrivateIpAddress=self._addresses[0]
            )

        return self._act("associate address", call, public=[(self._addresses[0], self._public)])

    def disassociate(self, now: dict[str, Any]) -> Act:
        def call() -> object:
            (shown,) = self._ec2.describe_addresses(AllocationIds=[self._allocation])["Addresses"]
            return self._ec2.disassociate_address(AssociationId=shown["AssociationId"])

        return self._act("disassociate address", call, public=[])

    def regroup(self, now: dict[str, Any]) -> Act:
        wanted = next(group for group in self._world.groups if [group] != now["groups"])

        def call() -> object:
            return self._ec2.modify_network_interface_attribute(NetworkInterfaceId=self.eni, Groups=[wanted])

        return self._act("group change", call, groups=[wanted])

    def describe(self) -> Act:
        text = f"{self._number}-{next(self._counter)}"

        def call() -> object:
            return self._ec2.modify_network_interface_attribute(
                NetworkInterfaceId=self.eni, Description={"Value": text}
            )

        return self._act("describe", call, description=text)

    def rule(self) -> Act:
        """A rule more in a group, or the same one less."""
        group, port = self._world.groups[self._number % 2], 1000 + self._number
        block = f"10.9.{self._number}.0/24"
        there = acts.patiently(lambda: (block, port) in acts.rules_of(self._ec2, group))
        permission = {
            "IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": block}]
        }  # fmt: skip
        change = "revoke" if there else "authorize"
        method = getattr(self._ec2, f"{change}_security_group_ingress")

        def seen() -> bool:
            return (block, port) in acts.rules_of(self._ec2, group)

        return Act(
            f"{change} rule", lambda: method(GroupId=group, IpPermissions=[permission]), seen, lambda _: not there
        )

    def taken(self) -> Act:
        """An address that somebody else has."""
        other = str(self._world.one["PrivateIpAddress"])

        def call() -> object:
            return self._ec2.assign_private_ip_addresses(NetworkInterfaceId=self.eni, PrivateIpAddresses=[other])

        return self._act("assign a taken address", call, refused=True)

    def some_act(self, random: Random) -> Act:
        """Whatever can be done now."""
        now = acts.patiently(self.seen)
        instances = [self._world.one["InstanceId"], self._world.two["InstanceId"]]
        choices: list[Callable[[], Act]] = [lambda: self.regroup(now), self.describe, self.rule, self.taken]
        choices.append(lambda: self.unassign(now) if len(now["addresses"]) > 1 else self.assign(now))
        choices.append(lambda: self.disassociate(now) if now["public"] else self.associate(now))
        if now["holder"] is None:
            choices += [lambda: self.attach(random.choice(instances))] * 3
        else:
            choices += [self.detach, self.detach, lambda: self.attach(instances[0], refused=True)]
        return random.choice(choices)()


class Founder:
    """One client that makes and deletes VPCs, interfaces and instances."""

    def __init__(self, world: CrashWorld, name: str) -> None:
        self._world, self._name = world, name
        self._ec2 = world.client()
        self._counter = itertools.count()

    def vpc(self) -> Iterator[Act]:
        """Create one, then delete it, if it is there."""
        name = f"{self._name}-vpc-{next(self._counter)}"

        def seen() -> Any:
            return acts.vpc_named(self._ec2, name)

        tags = [{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": name}]}]
        yield Act(
            "create VPC",
            lambda: self._ec2.create_vpc(CidrBlock="10.7.0.0/16", TagSpecifications=tags),
            seen,
            lambda _: (1, 1, 1, 1),
        )
        filters = [{"Name": "tag:Name", "Values": [name]}]
        for vpc in acts.patiently(lambda: self._ec2.describe_vpcs(Filters=filters))["Vpcs"]:
            id_ = vpc["VpcId"]
            yield Act("delete VPC", lambda id_=id_: self._ec2.delete_vpc(VpcId=id_), seen, lambda _: (0, 0, 0, 0))

    def instance(self) -> Iterator[Act]:
        """Launch one with a client token, once more with the same, then terminate it."""
        token = f"{self._name}-run-{next(self._counter)}"

        def seen() -> Any:
            return acts.instances_of(self._ec2, token)

        def run() -> object:
            return self._ec2.run_instances(
                ImageId=self._world.image,
                MinCount=1,
                MaxCount=1,
                SubnetId=self._world.subnet,
                InstanceType="t3.micro",
                ClientToken=token,
            )

        yield Act("run", run, seen, lambda _: (1, 1))
        yield Act("run again", run, seen, lambda _: (1, 1))
        filters = [{"Name": "client-token", "Values": [token]}]
        found = acts.patiently(lambda: self._ec2.describe_instances(Filters=filters))["Reservations"]
        ids = [instance["InstanceId"] for reservation in found for instance in reservation["Instances"]]
        if ids:
            yield Act("terminate", lambda: self._ec2.terminate_instances(InstanceIds=ids), seen, lambda _: (0, 0))

    def interface(self) -> Iterator[Act]:
        """Create one, then delete it, if it is there."""
        name = f"{self._name}-eni-{next(self._counter)}"

        def seen() -> Any:
            return acts.interfaces_named(self._ec2, name)

        tags = [{"ResourceType": "network-interface", "Tags": [{"Key": "Name", "Value": name}]}]
        yield Act(
            "create interface",
            lambda: self._ec2.create_network_interface(SubnetId=self._world.subnet, TagSpecifications=tags),
            seen,
            lambda _: 1,
        )
        filters = [{"Name": "tag:Name", "Values": [name]}]
        found = acts.patiently(lambda: self._ec2.describe_network_interfaces(Filters=filters))["NetworkInterfaces"]
        for shown in found:
            id_ = shown["NetworkInterfaceId"]
            delete = lambda id_=id_: self._ec2.delete_network_interface(NetworkInterfaceId=id_)  # noqa: E731
            yield Act("delete interface", delete, seen, lambda _: 0)


class Stream:
    """Clients at work in threads until told to stop; what they found wrong is raised then."""

    def __init__(self, steps: list[Callable[[], None]]) -> None:
        self._over = threading.Event()
        self.calls = 0
        self._wrong: list[BaseException] = []
        self._threads = [threading.Thread(target=self._work, args=(step,)) for step in steps]

    def __enter__(self) -> Stream:
        for thread in self._threads:
            thread.start()
        return self

    def _work(self, step: Callable[[], None]) -> None:
        try:
            while not self._over.is_set() and not self._wrong:
                step()
                self.calls += 1
        except BaseException as error:
            self._wrong.append(error)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        if self._wrong:
            raise self._wrong[0]
