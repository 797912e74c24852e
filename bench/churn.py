"""Calls that change a standing network all the time and always bring it back.

An *episode* is a generator that makes a call, yields, and in the end has undone what it did. Many are under way at
once, in an order that the seed decides; when all have ended the network is as it was, but for where its interfaces are.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from random import Random

from bench.client import first, numbered
from bench.cloud import Cloud, Interface, until

AT_ONCE = 8
"""Episodes under way."""
OUTSIDE = "203.0.113.0/24"
"""Where routes that come and go lead to."""
_SPARE_INDEX = 14
"""The place at each instance that is free when nothing is under way."""

Episode = Iterator[None]


class Churn:
    """``standing`` are interfaces that are attached for good, by the instance that holds each."""

    def __init__(self, cloud: Cloud, holders: Iterable[str], standing: Iterable[str], seed: int) -> None:
        self._cloud = cloud
        self._call = cloud.client.call
        self._random = Random(seed)
        self._holders = list(holders)
        """With a free place: taken out while an episode uses it."""
        self._standing = list(standing)
        self._named = 0
        self.calls: Counter[str] = Counter()
        """By action, those answered."""

    def spend(self, calls: int, period: float = 0.0) -> None:
        """At least so many calls, one each ``period`` seconds, until everything is as it was.

        :raises Refused: enid answered with an error."""
        goal, due = self.calls.total() + calls, time.monotonic()
        under_way: list[Episode] = []
        while under_way or self.calls.total() < goal:
            while len(under_way) < AT_ONCE and self.calls.total() < goal:
                under_way.append(self._random.choice(_EPISODES)(self))
            episode = self._random.choice(under_way)
            if next(episode, self) is self:
                under_way.remove(episode)
                continue
            due = max(due + period, time.monotonic() - period)
            time.sleep(max(due - time.monotonic(), 0.0))

    def _do(self, action: str, **parameters: str | int) -> bytes:
        answer = self._call(action, **parameters)
        self.calls[action] += 1
        return answer

    def _take(self, pool: list[str]) -> str:
        return pool.pop(self._random.randrange(len(pool)))

    def _name(self) -> str:
        self._named += 1
        return f"churn-{self._named}"

    def _interface(self) -> Interface:
        answer = self._do(
            "CreateNetworkInterface", SubnetId=self._cloud.here, **{"SecurityGroupId.1": self._cloud.open}
        )
        return Interface(first(answer, "networkInterfaceId"), first(answer, "privateIpAddress"))

    def _attached(self, interface: str, holder: str) -> str:
        answer = self._do(
            "AttachNetworkInterface", NetworkInterfaceId=interface, InstanceId=holder, DeviceIndex=_SPARE_INDEX
        )
        return first(answer, "attachmentId")

    def _detach(self, attachment: str, interface: str) -> None:
        self._do("DetachNetworkInterface", AttachmentId=attachment)
        until("detached", lambda: not self._cloud.attachment_status(interface))

    # --- episodes -----------------------------------------------------------------------------------------------------

    def come_and_go(self) -> Episode:
        """An interface is made, attached, moved and deleted."""
        if len(self._holders) < 2:
            return
        one, two = self._take(self._holders), self._take(self._holders)
        made = self._interface()
        yield
        for holder in (one, two):
            attachment = self._attached(made.id, holder)
            yield
            self._detach(attachment, made.id)
            yield
        self._do("DeleteNetworkInterface", NetworkInterfaceId=made.id)
        self._holders += [one, two]
        yield

    def addresses(self) -> Episode:
        """A secondary address is assigned, goes over to another interface, and is given back."""
        if len(self._standing) < 2:
            return
        one, two = self._take(self._standing), self._take(self._standing)
        answer = self._do("AssignPrivateIpAddresses", NetworkInterfaceId=one, SecondaryPrivateIpAddressCount=1)
        address = first(answer.partition(b"<assignedPrivateIpAddressesSet>")[2], "privateIpAddress")
        yield
        named: dict[str, str | int] = {"PrivateIpAddress.1": address}
        self._do("AssignPrivateIpAddresses", NetworkInterfaceId=two, AllowReassignment="true", **named)
        yield
        self._do("UnassignPrivateIpAddresses", NetworkInterfaceId=two, **named)
        self._standing += [one, two]
        yield

    def elastic_address(self) -> Episode:
        """An Elastic IP is taken, moves from one interface to another, and is given back."""
        if len(self._standing) < 2:
            return
        one, two = self._take(self._standing), self._take(self._standing)
        allocation = first(self._do("AllocateAddress", Domain="vpc"), "allocationId")
        yield
        answer = b""
        for interface in (one, two):
            answer = self._do(
                "AssociateAddress", AllocationId=allocation, NetworkInterfaceId=interface, AllowReassociation="true"
            )
            yield
        self._do("DisassociateAddress", AssociationId=first(answer, "associationId"))
        yield
        self._do("ReleaseAddress", AllocationId=allocation)
        self._standing += [one, two]
        yield

    def rules(self) -> Episode:
        """The group of all interfaces lets in more, and no longer."""
        port = self._random.randrange(1, 65536)
        rule: dict[str, str | int] = {
            "IpPermissions.1.IpProtocol": "tcp",
            "IpPermissions.1.FromPort": port,
            "IpPermissions.1.ToPort": port,
            "IpPermissions.1.IpRanges.1.CidrIp": f"198.51.100.{self._named % 256}/32",
        }
        self._named += 1
        self._do("AuthorizeSecurityGroupIngress", GroupId=self._cloud.open, **rule)
        yield
        self._do("RevokeSecurityGroupIngress", GroupId=self._cloud.open, **rule)
        yield

    def groups(self) -> Episode:
        """A group is made, joined by an interface, left and deleted."""
        if not self._standing:
            return
        interface, name = self._take(self._standing), self._name()
        answer = self._do("CreateSecurityGroup", GroupName=name, GroupDescription=name, VpcId=self._cloud.vpc)
        made = first(answer, "groupId")
        yield
        for groups in ([self._cloud.open, made], [self._cloud.open]):
            self._do(
                "ModifyNetworkInterfaceAttribute", NetworkInterfaceId=interface, **numbered("SecurityGroupId", groups)
            )
            yield
        self._do("DeleteSecurityGroup", GroupId=made)
        self._standing.append(interface)
        yield

    def routes(self) -> Episode:
        """A route table is made, with a route that changes from one interface to another, and is deleted."""
        if len(self._standing) < 2:
            return
        one, two = self._take(self._standing), self._take(self._standing)
        table = first(self._do("CreateRouteTable", VpcId=self._cloud.vpc), "routeTableId")
        yield
        for action, interface in (("CreateRoute", one), ("ReplaceRoute", two)):
            self._do(action, RouteTableId=table, DestinationCidrBlock=OUTSIDE, NetworkInterfaceId=interface)
            yield
        self._do("DeleteRouteTable", RouteTableId=table)
        self._standing += [one, two]
        yield

    def attributes(self) -> Episode:
        """The source check of an interface goes off and on."""
        if not self._standing:
            return
        interface = self._take(self._standing)
        for check in ("false", "true"):
            self._do(
                "ModifyNetworkInterfaceAttribute", NetworkInterfaceId=interface, **{"SourceDestCheck.Value": check}
            )
            yield
        self._standing.append(interface)

    def tags(self) -> Episode:
        """A tag comes and goes."""
        if not self._standing:
            return
        interface = self._take(self._standing)
        self._do("CreateTags", **{"ResourceId.1": interface, "Tag.1.Key": "churn", "Tag.1.Value": self._name()})
        yield
        self._do("DeleteTags", **{"ResourceId.1": interface, "Tag.1.Key": "churn"})
        self._standing.append(interface)
        yield


_EPISODES: tuple[Callable[[Churn], Episode], ...] = (
    Churn.come_and_go,
    Churn.come_and_go,
    Churn.addresses,
    Churn.elastic_address,
    Churn.rules,
    Churn.groups,
    Churn.routes,
    Churn.attributes,
    Churn.tags,
)
