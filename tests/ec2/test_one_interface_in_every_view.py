"""One interface through its life: whichever operation describes it, the story is the same.

DescribeNetworkInterfaces, DescribeInstances, DescribeAddresses and DescribeNetworkInterfaceAttribute are compared after
every step, also in the middle of a transition.
"""

from __future__ import annotations

from typing import Any

import pytest
from views import Views

from accounts import Account


@pytest.fixture
def views(call: Account) -> Views:
    return Views(call)


def public_ips(shown: dict[str, Any]) -> dict[str, str]:
    """Private address → the Elastic IP's allocation."""
    return {
        item["PrivateIpAddress"]: item["Association"]["AllocationId"]
        for item in shown["PrivateIpAddresses"]
        if "Association" in item
    }


def place(shown: dict[str, Any]) -> tuple[str, str | None, str | None]:
    """Status, attachment's status, instance."""
    attachment = shown.get("Attachment", {})
    return shown["Status"], attachment.get("Status"), attachment.get("InstanceId")


def test_a_secondary_interface_from_creation_to_termination(call: Account, views: Views) -> None:
    net, machines = views.network, views.machines
    first, second = machines.running(), machines.running()

    interface = net.interface(Groups=[net.web], Description="service", Ipv6AddressCount=1)
    assert place(views.agreed(interface)) == ("available", None, None)

    attachment = call("AttachNetworkInterface", NetworkInterfaceId=interface, InstanceId=first, DeviceIndex=1)
    assert place(views.agreed(interface)) == ("in-use", "attaching", first)
    machines.agent()
    shown = views.agreed(interface)
    assert place(shown) == ("in-use", "attached", first)
    assert shown["Attachment"]["AttachmentId"] == attachment["AttachmentId"]
    primary = shown["PrivateIpAddress"]

    elastic = net.elastic_ip()
    call("AssociateAddress", AllocationId=elastic, NetworkInterfaceId=interface)
    assert public_ips(views.agreed(interface)) == {primary: elastic}

    call("AssignPrivateIpAddresses", NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.1.90"])
    floating = net.elastic_ip()
    call("AssociateAddress", AllocationId=floating, NetworkInterfaceId=interface, PrivateIpAddress="10.0.1.90")
    assert public_ips(views.agreed(interface)) == {primary: elastic, "10.0.1.90": floating}

    other = net.interface()
    net.attach(other, second)
    call(
        "AssignPrivateIpAddresses",
        NetworkInterfaceId=other,
        PrivateIpAddresses=["10.0.1.90"],
        AllowReassignment=True,
    )
    assert public_ips(views.agreed(interface)) == {primary: elastic}
    assert public_ips(views.agreed(other)) == {"10.0.1.90": floating}
    call("UnassignPrivateIpAddresses", NetworkInterfaceId=other, PrivateIpAddresses=["10.0.1.90"])
    assert public_ips(views.agreed(other)) == {}

    call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=interface, SourceDestCheck={"Value": False})
    call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=interface, Groups=[net.db, net.web])
    assert [group["GroupId"] for group in views.agreed(interface)["Groups"]] == [net.db, net.web]

    call("DetachNetworkInterface", AttachmentId=attachment["AttachmentId"])
    assert place(views.agreed(interface)) == ("in-use", "detaching", first)
    net.agent_detached()
    shown = views.agreed(interface)
    assert place(shown) == ("available", None, None)
    assert public_ips(shown) == {primary: elastic}

    net.attach(interface, second, 2)
    assert place(views.agreed(interface)) == ("in-use", "attached", second)

    call("TerminateInstances", InstanceIds=[second])
    assert place(views.agreed(interface))[0] == "in-use"
    machines.agent()
    for survivor in (interface, other):
        assert place(views.agreed(survivor)) == ("available", None, None)
    assert public_ips(views.agreed(interface)) == {primary: elastic}
    assert machines.shown(second)["NetworkInterfaces"] == []

    call("DeleteNetworkInterface", NetworkInterfaceId=interface)
    assert "NetworkInterfaceId" not in net.address(elastic)


def test_a_primary_interface_goes_with_its_instance_and_leaves_its_elastic_ip(call: Account, views: Views) -> None:
    machines, net = views.machines, views.network
    machines.change_subnet(map_public_ip_on_launch=True)
    launched = machines.launch()
    instance = launched["InstanceId"]
    interface = launched["NetworkInterfaces"][0]["NetworkInterfaceId"]
    shown = views.agreed(interface)
    assert place(shown) == ("in-use", "attaching", instance)
    assert shown["Association"]["IpOwnerId"] == "amazon"
    machines.agent()
    assert place(views.agreed(interface)) == ("in-use", "attached", instance)

    elastic = net.elastic_ip()
    call("AssociateAddress", AllocationId=elastic, InstanceId=instance)
    shown = views.agreed(interface)
    assert shown["Association"]["AllocationId"] == elastic
    call("StopInstances", InstanceIds=[instance])
    machines.agent()
    assert views.agreed(interface)["Association"] == shown["Association"]

    call("TerminateInstances", InstanceIds=[instance])
    machines.agent()
    gone = call.refused("DescribeNetworkInterfaceAttribute", NetworkInterfaceId=interface, Attribute="attachment")
    assert gone.code == "InvalidNetworkInterfaceID.NotFound"
    error = call.refused("DescribeNetworkInterfaces", NetworkInterfaceIds=[interface])
    assert error.code == "InvalidNetworkInterfaceID.NotFound"
    assert machines.shown(instance)["NetworkInterfaces"] == []
    assert {"NetworkInterfaceId", "InstanceId", "AssociationId", "PrivateIpAddress"}.isdisjoint(net.address(elastic))


def test_an_auto_assigned_address_is_told_by_both_and_leaves_both_when_the_instance_stops(
    call: Account, views: Views
) -> None:
    views.machines.change_subnet(map_public_ip_on_launch=True)
    instance = views.machines.running()
    (item,) = views.machines.shown(instance)["NetworkInterfaces"]
    interface = item["NetworkInterfaceId"]
    before = views.agreed(interface)["Association"]
    call("StopInstances", InstanceIds=[instance])
    views.machines.agent()
    assert "Association" not in views.agreed(interface)
    call("StartInstances", InstanceIds=[instance])
    views.machines.agent()
    after = views.agreed(interface)["Association"]
    assert after["IpOwnerId"] == before["IpOwnerId"] == "amazon"
