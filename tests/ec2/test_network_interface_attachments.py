"""Attaching and detaching: transitions, what is shown meanwhile, and where an interface may not go."""

from __future__ import annotations

from typing import Any

import pytest
from small_network import FIRST, Network
from sqlalchemy import select, update

from enid.ec2.context import Context
from enid.ec2.errors import AwsError
from enid.ec2.network_interface_attachments import attach
from enid.ec2.network_interface_view import shown_on_instances
from enid.store import tables as t


@pytest.fixture
def net(call: Any) -> Network:
    return Network(call)


def on_instances(call: Any, *instances: str) -> dict[str, list[dict[str, Any]]]:
    with call.database.read() as db:
        return shown_on_instances(Context(db, FIRST, call.settings), instances)


def test_attaching_is_a_transition_that_the_agent_ends(call: Any, net: Network) -> None:
    instance, _ = net.machine()
    interface = net.interface()
    answer = call("AttachNetworkInterface", NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=1)
    assert answer["NetworkCardIndex"] == 0
    assert call.changed == [("network_interface", interface)]
    assert call.settling == {interface}
    shown = net.shown(interface)
    assert shown["Status"] == "in-use"
    attachment = shown["Attachment"]
    assert attachment.pop("AttachTime")
    assert attachment == {
        "AttachmentId": answer["AttachmentId"],
        "DeleteOnTermination": False,
        "DeviceIndex": 1,
        "NetworkCardIndex": 0,
        "InstanceId": instance,
        "InstanceOwnerId": FIRST,
        "Status": "attaching",
    }
    net.agent_attached()
    assert net.shown(interface)["Attachment"]["Status"] == "attached"


def test_detaching_is_a_transition_that_the_agent_ends(call: Any, net: Network) -> None:
    instance, _ = net.machine()
    interface = net.interface()
    attachment = net.attach(interface, instance)
    call("DetachNetworkInterface", AttachmentId=attachment)
    assert call.changed == [("network_interface", interface)]
    assert call.settling == {interface}
    shown = net.shown(interface)
    assert (shown["Status"], shown["Attachment"]["Status"]) == ("in-use", "detaching")
    net.agent_detached()
    shown = net.shown(interface)
    assert shown["Status"] == "available"
    assert "Attachment" not in shown


def test_everything_but_the_attachment_follows_an_interface_to_another_instance(call: Any, net: Network) -> None:
    (failed, _), (standby, _) = net.machine(), net.machine()
    interface = net.interface(
        Groups=[net.web, net.db], SecondaryPrivateIpAddressCount=1, Ipv6AddressCount=1, Description="service"
    )
    call("AssociateAddress", AllocationId=net.elastic_ip(), NetworkInterfaceId=interface)
    call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=interface, SourceDestCheck={"Value": False})
    attachment = net.attach(interface, failed)
    call(
        "ModifyNetworkInterfaceAttribute",
        NetworkInterfaceId=interface,
        Attachment={"AttachmentId": attachment, "DeleteOnTermination": True},
    )
    before = net.shown(interface)
    call("DetachNetworkInterface", AttachmentId=attachment, Force=True)
    net.agent_detached()
    net.attach(interface, standby)
    after = net.shown(interface)
    old, new = before.pop("Attachment"), after.pop("Attachment")
    assert after == before
    assert (old["InstanceId"], new["InstanceId"]) == (failed, standby)
    assert (old["DeleteOnTermination"], new["DeleteOnTermination"]) == (True, False)


def test_both_views_show_the_same_attachment(call: Any, net: Network) -> None:
    instance, primary = net.machine()
    third, second = net.interface(), net.interface()
    net.attach(third, instance, 2)
    net.attach(second, instance, 1)
    call("AssociateAddress", AllocationId=net.elastic_ip(), NetworkInterfaceId=second)
    shown = on_instances(call, instance)[instance]
    assert [item["NetworkInterfaceId"] for item in shown] == [primary, second, third]
    for item in shown:
        full = net.shown(item["NetworkInterfaceId"])
        for member in ("MacAddress", "PrivateIpAddress", "Groups", "Status", "SubnetId", "SourceDestCheck"):
            assert item[member] == full[member]
        for member, value in item["Attachment"].items():
            assert full["Attachment"][member] == value
    association = shown[1]["Association"]
    assert association == {
        member: net.shown(second)["Association"][member] for member in ("IpOwnerId", "PublicDnsName", "PublicIp")
    }
    assert shown[1]["PrivateIpAddresses"][0]["Association"] == association


def test_instances_without_interfaces_are_shown_without(call: Any, net: Network) -> None:
    instance = net.instance(state="terminated")
    assert on_instances(call, instance) == {instance: []}
    assert on_instances(call) == {}


@pytest.mark.parametrize("state", ["pending", "running", "stopped"])
def test_an_instance_that_is_up_or_stopped_takes_interfaces(net: Network, state: str) -> None:
    assert net.attach(net.interface(), net.instance(state=state), 0).startswith("eni-attach-")


@pytest.mark.parametrize("state", ["stopping", "shutting-down", "terminated"])
def test_an_instance_that_is_going_takes_none(call: Any, net: Network, state: str) -> None:
    instance = net.instance(state=state)
    error = call.refused(
        "AttachNetworkInterface", NetworkInterfaceId=net.interface(), InstanceId=instance, DeviceIndex=1
    )
    assert (error.code, error.message) == ("IncorrectState", f"Instance '{instance}' is not 'running' or 'stopped'.")


def test_a_transition_must_end_before_the_next_begins_unless_forced(call: Any, net: Network) -> None:
    instance, _ = net.machine()
    interface = net.interface()
    attachment = call("AttachNetworkInterface", NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=1)[
        "AttachmentId"
    ]
    error = call.refused("DetachNetworkInterface", AttachmentId=attachment)
    assert (error.code, error.message) == ("IncorrectState", f"Attachment '{attachment}' is currently attaching.")
    call("DetachNetworkInterface", AttachmentId=attachment, Force=True)
    assert net.shown(interface)["Attachment"]["Status"] == "detaching"
    assert call.refused("DetachNetworkInterface", AttachmentId=attachment).code == "IncorrectState"
    call("DetachNetworkInterface", AttachmentId=attachment, Force=True)
    in_use = f"Network interface '{interface}' is currently in use."
    assert call.refused("DeleteNetworkInterface", NetworkInterfaceId=interface).message == in_use
    error = call.refused("AttachNetworkInterface", NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=2)
    assert error.message == in_use


def test_a_freed_device_index_can_be_used_again(call: Any, net: Network) -> None:
    instance, _ = net.machine()
    call("DetachNetworkInterface", AttachmentId=net.attach(net.interface(), instance))
    net.agent_detached()
    net.attach(net.interface(), instance)


@pytest.mark.parametrize(("type_", "most"), [("t3.micro", 2), ("t3.small", 3), ("m5.xlarge", 4)])
def test_the_instance_type_bounds_the_number_of_interfaces(call: Any, net: Network, type_: str, most: int) -> None:
    instance = net.instance(type_=type_)
    for index in range(most):
        net.attach(net.interface(), instance, index)
    error = call.refused(
        "AttachNetworkInterface", NetworkInterfaceId=net.interface(), InstanceId=instance, DeviceIndex=most
    )
    assert (error.code, error.message) == (
        "AttachmentLimitExceeded",
        f"Interface count {most + 1} exceeds the limit for {type_}",
    )


def test_an_interface_with_more_addresses_than_the_type_allows_is_refused(call: Any, net: Network) -> None:
    instance, interface = net.instance(type_="t3.micro"), net.interface(SecondaryPrivateIpAddressCount=2)
    error = call.refused("AttachNetworkInterface", NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=0)
    assert (error.code, error.message) == (
        "PrivateIpAddressLimitExceeded",
        "Number of private addresses will exceed limit.",
    )


def test_launching_words_two_refusals_otherwise(call: Any, net: Network) -> None:
    _, taken = net.machine()
    crowded = net.interface(SecondaryPrivateIpAddressCount=2)
    fresh = net.instance(type_="t3.micro", state="pending")
    with call.database.read() as db:
        ctx = Context(db, FIRST, call.settings)
        row = db.execute(select(t.instances).where(t.instances.c.id == fresh)).one()
        with pytest.raises(AwsError) as refusal:
            attach(ctx, taken, row, 0, launching=True)
        assert (refusal.value.code, refusal.value.message) == (
            "InvalidNetworkInterface.InUse",
            f"Interface: [{taken}] in use.",
        )
        with pytest.raises(AwsError) as refusal:
            attach(ctx, crowded, row, 0, launching=True)
        assert refusal.value.code == "InvalidInterface.IpAddressLimitExceeded"


def test_network_cards_have_slots_of_their_own(call: Any, net: Network) -> None:
    instance = net.instance(type_="c6in.32xlarge")
    for card in (0, 1):
        call(
            "AttachNetworkInterface",
            NetworkInterfaceId=net.interface(),
            InstanceId=instance,
            DeviceIndex=1,
            NetworkCardIndex=card,
        )
    error = call.refused(
        "AttachNetworkInterface",
        NetworkInterfaceId=net.interface(),
        InstanceId=instance,
        DeviceIndex=1,
        NetworkCardIndex=2,
    )
    assert error.code == "InvalidParameterValue"


def test_the_number_of_statements_does_not_grow_with_the_number_of_instances(call: Any, net: Network) -> None:
    counted: set[int] = set()
    instances = []
    for _ in range(4):
        instances.append(net.machine()[0])
        interface = net.interface()
        call("AttachNetworkInterface", NetworkInterfaceId=interface, InstanceId=instances[-1], DeviceIndex=1)
        counted.add(call.statements)
    assert counted == {6}
    assert [len(shown) for shown in on_instances(call, *instances).values()] == [2] * 4


def test_requester_managed_interfaces_are_not_the_users_to_touch(call: Any, net: Network) -> None:
    instance, _ = net.machine()
    interface = net.interface()
    attachment = net.attach(interface, instance)
    call.put(update(t.network_interfaces).where(t.network_interfaces.c.id == interface).values(requester_managed=True))
    for action, params in {
        "DetachNetworkInterface": {"AttachmentId": attachment},
        "DeleteNetworkInterface": {"NetworkInterfaceId": interface},
        "ModifyNetworkInterfaceAttribute": {"NetworkInterfaceId": interface, "Description": {"Value": "mine"}},
        "ResetNetworkInterfaceAttribute": {"NetworkInterfaceId": interface, "SourceDestCheck": "true"},
        "AssignPrivateIpAddresses": {"NetworkInterfaceId": interface, "SecondaryPrivateIpAddressCount": 1},
        "AssignIpv6Addresses": {"NetworkInterfaceId": interface, "Ipv6AddressCount": 1},
        "AssociateAddress": {"NetworkInterfaceId": interface, "AllocationId": net.elastic_ip()},
    }.items():
        error = call.refused(action, **params)
        assert (error.code, error.message) == (
            "AuthFailure",
            "You do not have permission to access the specified resource.",
        ), action


@pytest.mark.parametrize("index", [-1, 100, 2**31 - 1])
def test_device_indexes_are_0_to_99(net: Network, index: int) -> None:
    request = {"NetworkInterfaceId": net.interface(), "InstanceId": net.instance(), "DeviceIndex": index}
    error = net.call.refused("AttachNetworkInterface", **request)
    assert (error.code, error.message) == ("InvalidParameterValue", f"Invalid value '{index}' for deviceIndex.")
