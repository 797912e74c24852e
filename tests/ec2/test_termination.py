"""What a terminated instance leaves: interfaces by the rule of their attachment, and what each of them had."""

from __future__ import annotations

from typing import Any

import pytest
from machines import Machines


@pytest.fixture
def machines(call: Any) -> Machines:
    return Machines(call)


def end(machines: Machines, instance: str) -> None:
    machines.call("TerminateInstances", InstanceIds=[instance])
    machines.agent()


def exists(machines: Machines, interface: str) -> bool:
    found = machines.call("DescribeNetworkInterfaces")["NetworkInterfaces"]
    statuses = {one["NetworkInterfaceId"]: one["Status"] for one in found}
    return statuses.get(interface) == "available"


def test_each_way_of_attaching_has_its_own_default(machines: Machines) -> None:
    net = machines.network
    existing, hot, told = net.interface(), net.interface(), net.interface()
    instance = machines.running(
        InstanceType="t3.xlarge",
        NetworkInterfaces=[
            {"DeviceIndex": 0, "SubnetId": net.subnet},
            {"DeviceIndex": 1, "SubnetId": net.subnet},
            {"DeviceIndex": 2, "NetworkInterfaceId": existing},
        ],
    )
    made = [one["NetworkInterfaceId"] for one in machines.shown(instance)["NetworkInterfaces"]][:2]
    net.call("AttachNetworkInterface", NetworkInterfaceId=hot, InstanceId=instance, DeviceIndex=3)
    end(machines, instance)
    assert [exists(machines, one) for one in (*made, existing, hot)] == [False, False, True, True]
    other = machines.running()
    attachment = net.attach(told, other)
    change = {"AttachmentId": attachment, "DeleteOnTermination": True}
    net.call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=told, Attachment=change)
    end(machines, other)
    assert not exists(machines, told)


def test_delete_on_termination_is_forgotten_with_the_attachment(machines: Machines) -> None:
    net = machines.network
    interface, first, second = net.interface(), machines.running(), machines.running()
    attachment = net.attach(interface, first)
    change = {"AttachmentId": attachment, "DeleteOnTermination": True}
    net.call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=interface, Attachment=change)
    net.call("DetachNetworkInterface", AttachmentId=attachment)
    net.agent_detached()
    net.attach(interface, second)
    end(machines, second)
    assert exists(machines, interface)


def test_an_interface_that_stays_keeps_its_addresses_prefixes_and_elastic_ips(machines: Machines) -> None:
    net = machines.network
    interface = net.interface(Ipv4PrefixCount=1)
    net.call("AssignPrivateIpAddresses", NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.1.50"])
    instance = machines.running()
    net.attach(interface, instance)
    elastic = net.elastic_ip()
    place = {"NetworkInterfaceId": interface, "PrivateIpAddress": "10.0.1.50"}
    net.call("AssociateAddress", AllocationId=elastic, **place)
    before = net.shown(interface)
    end(machines, instance)
    after = net.shown(interface)
    for member in ("PrivateIpAddresses", "Ipv4Prefixes", "MacAddress", "Groups"):
        assert after[member] == before[member]
    assert net.address(elastic)["PrivateIpAddress"] == "10.0.1.50"


def test_an_interface_that_goes_gives_everything_back_but_the_elastic_ip(machines: Machines) -> None:
    net = machines.network

    def free() -> int:
        (subnet,) = net.call("DescribeSubnets", SubnetIds=[net.subnet])["Subnets"]
        return int(subnet["AvailableIpAddressCount"])

    before = free()
    spec = {"DeviceIndex": 0, "SubnetId": net.subnet, "Ipv4PrefixCount": 2}
    instance = machines.running(NetworkInterfaces=[spec])
    interface = machines.shown(instance)["NetworkInterfaces"][0]["NetworkInterfaceId"]
    elastic = net.elastic_ip()
    net.call("AssociateAddress", AllocationId=elastic, NetworkInterfaceId=interface)
    assert free() == before - 33
    end(machines, instance)
    assert free() == before
    assert "AssociationId" not in net.address(elastic)
