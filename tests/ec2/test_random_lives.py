"""Interfaces, addresses and instances through lives made up at random: every view tells one story after every call.

A refusal changes nothing; a success has done what it says. ``SEED`` and ``SOAK`` as in :mod:`proof.scale`.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest
from sqlalchemy import select
from views import Views

from accounts import Account
from enid.ec2.errors import AwsError
from enid.store import status
from enid.store import tables as t

_SOAK = float(os.environ.get("SOAK") or 0)
STEPS = int(3000 * _SOAK) or 70
SEED = int(os.environ.get("SEED") or 1)
_RESERVED, _MOSTLY = 5, 0.8


class Life:
    """One account's doings. Each method is one call with what ``dice`` choose; it checks what a success promises."""

    def __init__(self, call: Account, dice: random.Random) -> None:
        self.call, self.dice = call, dice
        call.limit(addresses=6, network_interfaces=14)
        self.views = Views(call)
        self.network = self.views.network
        self.subnets = [self.network.subnet, self.network.small]
        self.views.machines.change_subnet(map_public_ip_on_launch=True)

    # --- looking ------------------------------------------------------------------------------------------------------

    def interfaces(self) -> list[dict[str, Any]]:
        return list(self.call("DescribeNetworkInterfaces")["NetworkInterfaces"])

    def instances(self) -> list[dict[str, Any]]:
        return [one for found in self.call("DescribeInstances")["Reservations"] for one in found["Instances"]]

    def some_interface(self, fits: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """Mostly one that ``fits``, if there is any."""
        every = self.interfaces() or [{"NetworkInterfaceId": "eni-00000000", "PrivateIpAddresses": []}]
        return dict(self.dice.choice(self._mostly([one for one in every if fits(one)], every)))

    def _mostly(self, wanted: list[dict[str, Any]], every: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return wanted if wanted and self.dice.random() < _MOSTLY else every

    def some_instance(self) -> str:
        return str(self.dice.choice([one["InstanceId"] for one in self.instances()] or ["i-00000000"]))

    def some_address(self, fits: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        every = self.call("DescribeAddresses")["Addresses"] or [{"AllocationId": "eipalloc-00000000"}]
        return dict(self.dice.choice(self._mostly([one for one in every if fits(one)], every)))

    def interface(self, id_: str) -> dict[str, Any]:
        return self.network.shown(id_)

    def addresses_of(self, id_: str) -> set[str]:
        return {item["PrivateIpAddress"] for item in self.interface(id_)["PrivateIpAddresses"]}

    # --- doing --------------------------------------------------------------------------------------------------------

    def create(self) -> None:
        more = self.dice.choice(
            [{}, {"SecondaryPrivateIpAddressCount": 2}, {"Ipv6AddressCount": 1}, {"Ipv4PrefixCount": 1}]
        )
        made = self.call("CreateNetworkInterface", SubnetId=self.dice.choice(self.subnets), **more)["NetworkInterface"]
        assert self.interface(made["NetworkInterfaceId"])["Status"] == "available"

    def launch(self) -> None:
        spare = self.some_interface()
        new = {"DeviceIndex": 0, "SubnetId": self.network.subnet}
        given = self.dice.choice(
            [
                {"SubnetId": self.network.subnet},
                {"NetworkInterfaces": [new, {"DeviceIndex": 1, "SubnetId": self.network.small}]},
                {"NetworkInterfaces": [{"DeviceIndex": 0, "NetworkInterfaceId": spare["NetworkInterfaceId"]}]},
            ]
        )
        made = self.views.machines.launch(**given)
        kept = "NetworkInterfaceId" in given.get("NetworkInterfaces", [{}])[0]
        assert {one["Attachment"]["DeleteOnTermination"] for one in made["NetworkInterfaces"]} == {not kept}

    def attach(self) -> None:
        id_, index = self.some_interface()["NetworkInterfaceId"], self.dice.randint(0, 2)
        params = {"NetworkInterfaceId": id_, "InstanceId": self.some_instance(), "DeviceIndex": index}
        answer = self.call("AttachNetworkInterface", **params)
        attachment = self.interface(id_)["Attachment"]
        assert attachment["AttachmentId"] == answer["AttachmentId"]
        assert not attachment["DeleteOnTermination"]

    def detach(self) -> None:
        shown = self.some_interface(lambda one: one.get("Attachment", {}).get("DeviceIndex", 0) > 0)
        attachment = shown.get("Attachment", {}).get("AttachmentId", "eni-attach-00000000")
        before = {name: shown.get(name) for name in _FOLLOWING}
        self.call("DetachNetworkInterface", AttachmentId=attachment, Force=self.dice.random() < 0.5)
        self.agent()
        after = self.interface(shown["NetworkInterfaceId"])
        assert {name: after.get(name) for name in _FOLLOWING} == before, "what an interface has goes along"
        assert "Attachment" not in after

    def delete(self) -> None:
        shown = self.some_interface(lambda one: "Attachment" not in one)
        self.call("DeleteNetworkInterface", NetworkInterfaceId=shown["NetworkInterfaceId"])
        assert "Attachment" not in shown

    def assign(self) -> None:
        id_, other = (self.some_interface()["NetworkInterfaceId"] for _ in "ab")
        theirs = self.dice.choice(sorted(self.addresses_of(other)))
        params = self.dice.choice(
            [
                {"SecondaryPrivateIpAddressCount": self.dice.randint(1, 3)},
                {"PrivateIpAddresses": [f"10.0.1.{self.dice.randint(1, 40)}"]},
                {"PrivateIpAddresses": [theirs], "AllowReassignment": self.dice.random() < 0.8},
                {"Ipv4PrefixCount": 1},
            ]
        )
        before = self.addresses_of(id_)
        public = {
            item["PrivateIpAddress"]: item.get("Association") for item in self.interface(other)["PrivateIpAddresses"]
        }
        answer = self.call("AssignPrivateIpAddresses", NetworkInterfaceId=id_, **params)
        new = {item["PrivateIpAddress"] for item in answer["AssignedPrivateIpAddresses"]}
        assert new == self.addresses_of(id_) - before, "exactly the new ones are answered"
        for item in self.interface(id_)["PrivateIpAddresses"]:
            if item["PrivateIpAddress"] in new & public.keys():
                assert item.get("Association") == public[item["PrivateIpAddress"]], "an Elastic IP moves along"

    def unassign(self) -> None:
        shown = self.some_interface(lambda one: len(one["PrivateIpAddresses"]) > 1)
        gone = self.dice.choice(shown["PrivateIpAddresses"] or [{"PrivateIpAddress": "10.0.1.99"}])["PrivateIpAddress"]
        params = {"NetworkInterfaceId": shown["NetworkInterfaceId"], "PrivateIpAddresses": [gone]}
        self.call("UnassignPrivateIpAddresses", **params)
        assert gone not in self.addresses_of(shown["NetworkInterfaceId"])
        assert gone != shown["PrivateIpAddress"], "the primary one stays"

    def give_ipv6(self) -> None:
        id_ = self.some_interface()["NetworkInterfaceId"]
        answer = self.call("AssignIpv6Addresses", NetworkInterfaceId=id_, Ipv6AddressCount=1)
        assert answer["AssignedIpv6Addresses"][0] in [
            one["Ipv6Address"] for one in self.interface(id_)["Ipv6Addresses"]
        ]

    def take_ipv6(self) -> None:
        shown = self.some_interface(lambda one: bool(one.get("Ipv6Addresses")))
        have = [one["Ipv6Address"] for one in shown.get("Ipv6Addresses", ())] or ["2001:db8::9"]
        params = {"NetworkInterfaceId": shown["NetworkInterfaceId"], "Ipv6Addresses": have[:1]}
        self.call("UnassignIpv6Addresses", **params)
        left = [one["Ipv6Address"] for one in self.interface(shown["NetworkInterfaceId"])["Ipv6Addresses"]]
        assert left == have[1:]

    def allocate(self) -> None:
        self.call("AllocateAddress", Domain="vpc")

    def associate(self) -> None:
        address, shown = self.some_address(), self.some_interface()
        where = self.dice.choice(
            [
                {"InstanceId": self.some_instance()},
                {"NetworkInterfaceId": shown["NetworkInterfaceId"]},
                {
                    "NetworkInterfaceId": shown["NetworkInterfaceId"],
                    "PrivateIpAddress": self.dice.choice(
                        shown["PrivateIpAddresses"] or [{"PrivateIpAddress": "10.0.1.9"}]
                    )["PrivateIpAddress"],
                },
            ]
        )
        again = self.dice.random() < 0.7
        params = {"AllocationId": address["AllocationId"], "AllowReassociation": again, **where}
        answer = self.call("AssociateAddress", **params)
        now = self.network.address(address["AllocationId"])
        assert now["AssociationId"] == answer["AssociationId"]
        assert now["NetworkInterfaceId"] == where.get("NetworkInterfaceId", now["NetworkInterfaceId"])
        assert again or address.get("AssociationId") in (None, answer["AssociationId"])

    def disassociate(self) -> None:
        address = self.some_address(lambda one: "AssociationId" in one)
        self.call("DisassociateAddress", AssociationId=address.get("AssociationId", "eipassoc-00000000"))
        assert "NetworkInterfaceId" not in self.network.address(address["AllocationId"])

    def release(self) -> None:
        address = self.some_address(lambda one: "AssociationId" not in one)
        self.call("ReleaseAddress", AllocationId=address["AllocationId"])
        assert "AssociationId" not in address

    def modify(self) -> None:
        shown = self.some_interface()
        id_, attachment = shown["NetworkInterfaceId"], shown.get("Attachment", {}).get("AttachmentId")
        choices: list[dict[str, Any]] = [
            {"Description": {"Value": f"number {self.dice.randint(1, 9)}"}},
            {"SourceDestCheck": {"Value": self.dice.random() < 0.5}},
            {"Groups": self.dice.sample([self.network.web, self.network.db], self.dice.randint(1, 2))},
            {"AssociatePublicIpAddress": self.dice.random() < 0.5},
        ]
        if attachment:
            ends = self.dice.random() < 0.5
            choices.append({"Attachment": {"AttachmentId": attachment, "DeleteOnTermination": ends}})
        self.call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=id_, **self.dice.choice(choices))

    def change_state(self) -> None:
        id_ = self.some_instance()
        action = self.dice.choice(["StartInstances", "StopInstances", "RebootInstances", "TerminateInstances"])
        mine = {
            one["NetworkInterfaceId"]: one["Attachment"]["DeleteOnTermination"]
            for one in self.interfaces()
            if one.get("Attachment", {}).get("InstanceId") == id_
        }
        self.call(action, InstanceIds=[id_])
        self.agent()
        left = {one["NetworkInterfaceId"]: one for one in self.interfaces()}
        if action == "TerminateInstances":
            assert all((id_ in left) is not ends for id_, ends in mine.items()), "as each attachment says"
            assert all(left[id_]["Status"] == "available" for id_, ends in mine.items() if not ends)
        else:
            assert mine.keys() <= left.keys()

    def agent(self) -> None:
        """Everything that was asked is carried out."""
        with self.call.database.write() as db:
            attachments = db.execute(select(t.attachments.c.id)).scalars().all()
            status.attached(db, attachments)
            status.detached(db, attachments)
        self.views.machines.agent()

    # --- what is always so --------------------------------------------------------------------------------------------

    def check(self) -> None:
        shown = [self.views.agreed(one["NetworkInterfaceId"]) for one in self.interfaces()]
        self._check_addresses(shown)
        self._check_instances(shown)
        self._check_filters(shown)

    def _check_addresses(self, shown: list[dict[str, Any]]) -> None:
        private = Counter(
            (one["SubnetId"], item["PrivateIpAddress"]) for one in shown for item in one["PrivateIpAddresses"]
        )
        public = Counter(
            item["Association"]["PublicIp"]
            for one in shown
            for item in one["PrivateIpAddresses"]
            if "Association" in item
        )
        assert set((private + public).values()) <= {1}, "an address has one place"
        for subnet in self.call("DescribeSubnets", SubnetIds=self.subnets)["Subnets"]:
            here = [one for one in shown if one["SubnetId"] == subnet["SubnetId"]]
            used = sum(len(one["PrivateIpAddresses"]) + 16 * len(one.get("Ipv4Prefixes", ())) for one in here)
            size = ip_network(subnet["CidrBlock"]).num_addresses
            assert subnet["AvailableIpAddressCount"] == size - _RESERVED - used

    def _check_instances(self, shown: list[dict[str, Any]]) -> None:
        for instance in self.instances():
            state, own = instance["State"]["Name"], instance["NetworkInterfaces"]
            assert [one["Attachment"]["DeviceIndex"] for one in own][:1] == ([] if state == "terminated" else [0])
            if state == "stopped":
                assert all(one.get("Association", {}).get("IpOwnerId") != "amazon" for one in own)
        unattached = [one for one in shown if "Attachment" not in one]
        assert {one["Status"] for one in unattached} <= {"available"}
        for one in unattached:
            assert one.get("Association", {}).get("IpOwnerId") != "amazon", "only an instance's are assigned by AWS"

    def _check_filters(self, shown: list[dict[str, Any]]) -> None:
        """A sample: what an interface shows is what it is found by, with all others that show it."""
        if not shown:
            return
        one = self.dice.choice(shown)
        name, value = self.dice.choice(list(_found_by(one)))
        found = self.call("DescribeNetworkInterfaces", Filters=[{"Name": name, "Values": [value]}])["NetworkInterfaces"]
        wanted = {each["NetworkInterfaceId"] for each in shown if (name, value) in set(_found_by(each))}
        assert {each["NetworkInterfaceId"] for each in found} == wanted


_FOLLOWING = (
    "Description",
    "Groups",
    "Ipv6Addresses",
    "Ipv4Prefixes",
    "MacAddress",
    "PrivateIpAddress",
    "SourceDestCheck",
)


def _found_by(shown: dict[str, Any]) -> list[tuple[str, str]]:
    """Filters and values that an interface matches."""
    result = [
        ("description", shown["Description"]),
        ("status", shown["Status"]),
        ("subnet-id", shown["SubnetId"]),
        ("mac-address", shown["MacAddress"]),
        ("source-dest-check", str(shown["SourceDestCheck"]).lower()),
    ]
    result += [("group-id", group["GroupId"]) for group in shown["Groups"]]
    result += [("ipv6-addresses.ipv6-address", item["Ipv6Address"]) for item in shown["Ipv6Addresses"]]
    for item in shown["PrivateIpAddresses"]:
        result.append(("addresses.private-ip-address", item["PrivateIpAddress"]))
        if "Association" in item:
            result.append(("association.public-ip", item["Association"]["PublicIp"]))
            result.append(("addresses.association.owner-id", item["Association"]["IpOwnerId"]))
    if "Attachment" in shown:
        result.append(("attachment.instance-id", shown["Attachment"]["InstanceId"]))
        result.append(("attachment.status", shown["Attachment"]["Status"]))
        result.append(("attachment.delete-on-termination", str(shown["Attachment"]["DeleteOnTermination"]).lower()))
        result.append(("attachment.device-index", str(shown["Attachment"]["DeviceIndex"])))
    return [(name, value) for name, value in result if value]


def _refused(doing: Callable[[], None]) -> bool:
    try:
        doing()
    except AwsError as refusal:
        print(f"    refused: {refusal}")
        return True
    return False


@pytest.mark.timeout(0)
def test_every_view_tells_one_story_after_every_call(call: Account) -> None:
    life = Life(call, random.Random(SEED))
    doings: list[Callable[[], None]] = [
        life.create,
        life.launch,
        life.attach,
        life.detach,
        life.delete,
        life.assign,
        life.unassign,
        life.give_ipv6,
        life.take_ipv6,
        life.allocate,
        life.associate,
        life.disassociate,
        life.release,
        life.modify,
        life.change_state,
        life.agent,
    ]
    weights = [4, 3, 5, 3, 2, 5, 3, 3, 2, 3, 5, 2, 2, 4, 3, 3]
    done: Counter[str] = Counter()
    for step in range(STEPS):
        (doing,) = life.dice.choices(doings, weights)
        print(f"seed {SEED} step {step}: {doing.__name__}")
        before = call.dump()
        if _refused(doing):
            assert call.dump() == before, "it was refused but changed the store"
        else:
            done[doing.__name__] += 1
            life.check()
    assert len(done) >= 8, f"too few succeed to prove anything: {done}"
