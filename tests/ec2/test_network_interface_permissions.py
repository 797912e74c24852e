"""An interface lent to another account: attached to its instance, given its Elastic IP; isolation stays otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from machines import IMAGE, Machines
from small_network import SECOND, Network
from sqlalchemy import insert

from enid.store import ids, snapshot
from enid.store import tables as t
from enid.topology.records import Kind, Port

ATTACH, ASSOCIATE = "INSTANCE-ATTACH", "EIP-ASSOCIATE"


@pytest.fixture
def net(call: Any) -> Network:
    return Network(call)


class Guest:
    """The second account: a VPC of its own, with an instance in the first account's zone."""

    def __init__(self, call: Any, net: Network) -> None:
        self.call, self.net = call, net
        self.vpc = net.add_vpc("10.0.0.0/16", SECOND)
        self.subnet = net.add_subnet(self.vpc, "10.0.1.0/24", account_id=SECOND)
        call.put(insert(t.internet_gateways).values(id=ids.new_id("igw"), account_id=SECOND, vpc_id=self.vpc))
        self.instance = self.launch(self.subnet)

    def launch(self, subnet: str) -> str:
        made = self.call(
            "RunInstances", ImageId=IMAGE, InstanceType="t3.small", MinCount=1, MaxCount=1, SubnetId=subnet
        )
        self.agent()
        return str(made["Instances"][0]["InstanceId"])

    def agent(self) -> None:
        Machines.agent(self)  # type: ignore[arg-type]  # all it needs is ``call``

    def attach(self, interface: str, index: int = 1) -> str:
        params = {"NetworkInterfaceId": interface, "InstanceId": self.instance, "DeviceIndex": index}
        made = self.call("AttachNetworkInterface", **params)
        self.net.agent_attached()
        return str(made["AttachmentId"])


@pytest.fixture
def guest(second_account: Any, net: Network) -> Guest:
    return Guest(second_account, net)


def grant(call: Any, interface: str, permission: str = ATTACH, account: str = SECOND) -> dict[str, Any]:
    params = {"NetworkInterfaceId": interface, "AwsAccountId": account, "Permission": permission}
    return dict(call("CreateNetworkInterfacePermission", **params)["InterfacePermission"])


def test_a_permission_is_granted_described_and_revoked(call: Any, net: Network) -> None:
    interface, other = net.interface(), net.interface()
    made = grant(call, interface)
    assert made == {
        "NetworkInterfacePermissionId": made["NetworkInterfacePermissionId"],
        "NetworkInterfaceId": interface,
        "AwsAccountId": SECOND,
        "Permission": ATTACH,
        "PermissionState": {"State": "granted"},
    }
    assert made["NetworkInterfacePermissionId"].startswith("eni-perm-")
    assert grant(call, interface) == made, "once more changes nothing"
    second = grant(call, other, ASSOCIATE)

    def found(**params: Any) -> list[dict[str, Any]]:
        return list(call("DescribeNetworkInterfacePermissions", **params)["NetworkInterfacePermissions"])

    key = "network-interface-permission."
    assert sorted(map(str, found())) == sorted(map(str, [made, second]))
    assert found(NetworkInterfacePermissionIds=[made["NetworkInterfacePermissionId"]]) == [made]
    for name, value, expected in (
        ("network-interface-permission-id", second["NetworkInterfacePermissionId"], [second]),
        ("network-interface-id", interface, [made]),
        ("permission", ASSOCIATE, [second]),
        ("aws-service", "*", []),
    ):
        assert found(Filters=[{"Name": key + name, "Values": [value]}]) == expected
    assert len(found(Filters=[{"Name": key + "aws-account-id", "Values": [SECOND]}])) == 2
    id_ = made["NetworkInterfacePermissionId"]
    assert call("DeleteNetworkInterfacePermission", NetworkInterfacePermissionId=id_) == {"Return": True}
    assert found() == [second]
    call("DeleteNetworkInterface", NetworkInterfaceId=other)
    assert found() == [], "permissions go with the interface"


def test_the_permitted_account_attaches_the_interface_and_both_see_it_where_they_should(
    call: Any, net: Network, guest: Guest
) -> None:
    interface = net.interface(Groups=[net.web])
    grant(call, interface)
    attachment = guest.attach(interface)
    shown = net.shown(interface)["Attachment"]
    assert (shown["InstanceId"], shown["InstanceOwnerId"]) == (guest.instance, SECOND)
    (reservation,) = guest.call("DescribeInstances")["Reservations"]
    second = reservation["Instances"][0]["NetworkInterfaces"][1]
    assert (second["NetworkInterfaceId"], second["OwnerId"], second["VpcId"]) == (interface, call.account_id, net.vpc)
    with call.database.read() as db:
        record = snapshot.records(db, [("network_interface", interface)], "host-1")[Kind.PORT, interface]
    assert isinstance(record, Port)
    assert (record.vpc_id, record.instance_id, record.groups) == (net.vpc, guest.instance, (net.web,))
    guest.call("DetachNetworkInterface", AttachmentId=attachment)
    net.agent_detached()
    assert net.shown(interface)["Status"] == "available"


def test_the_owner_takes_the_interface_back(call: Any, net: Network, guest: Guest) -> None:
    interface = net.interface()
    grant(call, interface)
    call("DetachNetworkInterface", AttachmentId=guest.attach(interface), Force=True)
    net.agent_detached()
    assert net.shown(interface)["Status"] == "available"


def test_a_terminated_instance_of_the_other_account_leaves_the_interface_behind(
    call: Any, net: Network, guest: Guest
) -> None:
    interface = net.interface()
    grant(call, interface)
    guest.attach(interface)
    guest.call("TerminateInstances", InstanceIds=[guest.instance])
    guest.agent()
    assert net.shown(interface)["Status"] == "available"


def test_without_the_permission_the_interface_does_not_exist(call: Any, net: Network, guest: Guest) -> None:
    interface = net.interface()
    grant(call, interface, ASSOCIATE)
    params = {"NetworkInterfaceId": interface, "InstanceId": guest.instance, "DeviceIndex": 1}
    assert guest.call.refused("AttachNetworkInterface", **params).code == "InvalidNetworkInterfaceID.NotFound"
    made = grant(call, interface)
    for action, more in (
        ("DeleteNetworkInterface", {}),
        ("ModifyNetworkInterfaceAttribute", {"Description": {"Value": "mine"}}),
        ("AssignPrivateIpAddresses", {"SecondaryPrivateIpAddressCount": 1}),
        ("CreateNetworkInterfacePermission", {"AwsAccountId": SECOND, "Permission": ATTACH}),
    ):
        error = guest.call.refused(action, NetworkInterfaceId=interface, **more)
        assert error.code == "InvalidNetworkInterfaceID.NotFound"
    assert interface not in str(guest.call("DescribeNetworkInterfaces"))
    assert guest.call("DescribeNetworkInterfacePermissions")["NetworkInterfacePermissions"] == []
    id_ = made["NetworkInterfacePermissionId"]
    error = guest.call.refused("DeleteNetworkInterfacePermission", NetworkInterfacePermissionId=id_)
    assert error.code == "InvalidNetworkInterfacePermissionId.NotFound"
    call("DeleteNetworkInterfacePermission", NetworkInterfacePermissionId=id_)
    assert guest.call.refused("AttachNetworkInterface", **params).code == "InvalidNetworkInterfaceID.NotFound"


def test_the_zone_must_be_the_same_and_only_the_own_vpc_matters_otherwise(
    call: Any, net: Network, guest: Guest
) -> None:
    elsewhere = net.interface(net.subnet_b)
    grant(call, elsewhere)
    params = {"NetworkInterfaceId": elsewhere, "InstanceId": guest.instance, "DeviceIndex": 1}
    assert "availability zone" in guest.call.refused("AttachNetworkInterface", **params).message
    mine = net.interface(net.other_subnet)
    params = {"NetworkInterfaceId": mine, "InstanceId": net.instance(), "DeviceIndex": 1}
    assert "VPC boundaries" in call.refused("AttachNetworkInterface", **params).message


def test_a_permission_in_use_is_revoked_only_by_force(call: Any, net: Network, guest: Guest) -> None:
    interface = net.interface()
    id_ = grant(call, interface)["NetworkInterfacePermissionId"]
    guest.attach(interface)
    error = call.refused("DeleteNetworkInterfacePermission", NetworkInterfacePermissionId=id_)
    assert (error.code, error.message) == (
        "InvalidParameterValue",
        f"Network interface '{interface}' is currently in use.",
    )
    call("DeleteNetworkInterfacePermission", NetworkInterfacePermissionId=id_, Force=True)
    assert net.shown(interface)["Status"] == "in-use"


def test_the_permitted_account_gives_the_interface_its_elastic_ip(call: Any, net: Network, guest: Guest) -> None:
    interface = net.interface()
    elastic = guest.call("AllocateAddress", Domain="vpc")
    params = {"AllocationId": elastic["AllocationId"], "NetworkInterfaceId": interface}
    assert guest.call.refused("AssociateAddress", **params).code == "InvalidNetworkInterfaceID.NotFound"
    grant(call, interface, ASSOCIATE)
    association = guest.call("AssociateAddress", **params)["AssociationId"]
    shown = net.shown(interface)["Association"]
    assert (shown["PublicIp"], shown["IpOwnerId"]) == (elastic["PublicIp"], SECOND)
    (address,) = guest.call("DescribeAddresses")["Addresses"]
    assert (address["NetworkInterfaceId"], address["NetworkInterfaceOwnerId"]) == (interface, call.account_id)
    guest.call("DisassociateAddress", AssociationId=association)
    assert "Association" not in net.shown(interface)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "MissingParameter"),
        ({"AwsAccountId": "mine"}, "InvalidParameterValue"),
        ({"AwsAccountId": SECOND, "AwsService": "lambda"}, "UnsupportedOperation"),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused(call: Any, net: Network, params: dict[str, Any], code: str) -> None:
    asked = {"NetworkInterfaceId": net.interface(), "Permission": ATTACH, **params}
    assert call.refused("CreateNetworkInterfacePermission", **asked).code == code


def test_one_account_at_a_time(call: Any, net: Network) -> None:
    interface = net.interface()
    grant(call, interface)
    params = {"NetworkInterfaceId": interface, "AwsAccountId": "333333333333", "Permission": ATTACH}
    assert call.refused("CreateNetworkInterfacePermission", **params).code == "InvalidParameterValue"


def test_a_permission_has_no_tags(call: Any, net: Network) -> None:
    id_ = grant(call, net.interface())["NetworkInterfacePermissionId"]
    assert call.refused("CreateTags", Resources=[id_], Tags=[{"Key": "a", "Value": "b"}]).code == "InvalidID"
