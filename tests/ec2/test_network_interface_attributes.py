"""One attribute at a time: modified, reset, described."""

from __future__ import annotations

from typing import Any

import pytest
from small_network import Network
from sqlalchemy import select

from enid.store import tables as t


@pytest.fixture
def net(call: Any) -> Network:
    return Network(call)


def modify(call: Any, interface: str, **attribute: Any) -> None:
    call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=interface, **attribute)


def attribute(call: Any, interface: str, name: str) -> dict[str, Any]:
    answer = call("DescribeNetworkInterfaceAttribute", NetworkInterfaceId=interface, Attribute=name)
    assert answer.pop("NetworkInterfaceId") == interface
    return dict(answer)


def test_each_attribute_is_described_alone(call: Any, net: Network) -> None:
    instance = net.instance()
    interface = net.interface(Description="web", Groups=[net.web])
    assert attribute(call, interface, "attachment") == {}
    net.attach(interface, instance, 0)
    assert attribute(call, interface, "description") == {"Description": {"Value": "web"}}
    assert attribute(call, interface, "groupSet") == {"Groups": [{"GroupId": net.web, "GroupName": "web"}]}
    assert attribute(call, interface, "sourceDestCheck") == {"SourceDestCheck": {"Value": True}}
    assert attribute(call, interface, "associatePublicIpAddress") == {"AssociatePublicIpAddress": False}
    assert attribute(call, interface, "attachment") == {"Attachment": net.shown(interface)["Attachment"]}


def test_description(call: Any, net: Network) -> None:
    interface = net.interface(Description="old")
    modify(call, interface, Description={"Value": "new"})
    assert net.shown(interface)["Description"] == "new"


def test_source_dest_check_off_and_reset(call: Any, net: Network) -> None:
    interface = net.interface()
    modify(call, interface, SourceDestCheck={"Value": False})
    assert call.changed == [("network_interface", interface)]
    assert net.shown(interface)["SourceDestCheck"] is False
    call("ResetNetworkInterfaceAttribute", NetworkInterfaceId=interface, SourceDestCheck="true")
    assert call.changed == [("network_interface", interface)]
    assert net.shown(interface)["SourceDestCheck"] is True


def test_groups_are_replaced_as_a_set(call: Any, net: Network) -> None:
    interface = net.interface(Groups=[net.web])
    modify(call, interface, Groups=[net.db, net.web])
    assert call.changed == [("network_interface", interface)]
    assert [group["GroupId"] for group in net.shown(interface)["Groups"]] == [net.db, net.web]
    modify(call, interface, Groups=[net.db])
    assert [group["GroupId"] for group in net.shown(interface)["Groups"]] == [net.db]


def test_delete_on_termination_belongs_to_the_attachment(call: Any, net: Network) -> None:
    instance, interface = net.instance(), net.interface()
    attachment = net.attach(interface, instance, 0)
    modify(call, interface, Attachment={"AttachmentId": attachment, "DeleteOnTermination": True})
    assert net.shown(interface)["Attachment"]["DeleteOnTermination"] is True
    stranger = net.interface()
    error = call.refused(
        "ModifyNetworkInterfaceAttribute",
        NetworkInterfaceId=stranger,
        Attachment={"AttachmentId": attachment, "DeleteOnTermination": False},
    )
    assert error.code == "InvalidAttachmentID.NotFound"


def test_connection_tracking_timeouts_are_set_one_by_one_within_their_bounds(call: Any, net: Network) -> None:
    interface = net.interface()
    modify(call, interface, ConnectionTrackingSpecification={"UdpTimeout": 45})
    modify(call, interface, ConnectionTrackingSpecification={"TcpEstablishedTimeout": 60})
    shown = net.shown(interface)["ConnectionTrackingConfiguration"]
    assert shown == {"UdpTimeout": 45, "TcpEstablishedTimeout": 60}
    for name, value in {"UdpTimeout": 61, "UdpStreamTimeout": 59, "TcpEstablishedTimeout": 432_001}.items():
        error = call.refused(
            "ModifyNetworkInterfaceAttribute",
            NetworkInterfaceId=interface,
            ConnectionTrackingSpecification={name: value},
        )
        assert error.code == "InvalidParameterValue"


def test_the_primary_ipv6_address_is_sticky(call: Any, net: Network) -> None:
    without = net.interface()
    error = call.refused("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=without, EnablePrimaryIpv6=True)
    assert error.code == "InvalidParameterValue"
    interface = net.interface(Ipv6Addresses=[{"Ipv6Address": f"2001:db8:0:1::{last}"} for last in (5, 6)])
    net.attach(interface, net.instance())
    modify(call, interface, EnablePrimaryIpv6=True)
    assert [item["IsPrimaryIpv6"] for item in net.shown(interface)["Ipv6Addresses"]] == [True, False]
    assert call.refused("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=interface, EnablePrimaryIpv6=False)
    assert call.refused("UnassignIpv6Addresses", NetworkInterfaceId=interface, Ipv6Addresses=["2001:db8:0:1::5"])
    call("UnassignIpv6Addresses", NetworkInterfaceId=interface, Ipv6Addresses=["2001:db8:0:1::6"])
    call("DetachNetworkInterface", AttachmentId=net.shown(interface)["Attachment"]["AttachmentId"])
    net.agent_detached()
    call("UnassignIpv6Addresses", NetworkInterfaceId=interface, Ipv6Addresses=["2001:db8:0:1::5"])


def test_the_primary_ipv6_address_may_be_named_on_creation(call: Any, net: Network) -> None:
    listed = [{"Ipv6Address": "2001:db8:0:1::5"}, {"Ipv6Address": "2001:db8:0:1::6", "IsPrimaryIpv6": True}]
    shown = net.shown(net.interface(Ipv6Addresses=listed))
    assert [(item["Ipv6Address"], item["IsPrimaryIpv6"]) for item in shown["Ipv6Addresses"]] == [
        ("2001:db8:0:1::6", True),
        ("2001:db8:0:1::5", False),
    ]
    twice = [{"Ipv6Address": f"2001:db8:0:1::{last}", "IsPrimaryIpv6": True} for last in (7, 8)]
    error = call.refused("CreateNetworkInterface", SubnetId=net.subnet, Ipv6Addresses=twice)
    assert error.code == "InvalidParameterCombination"


def test_a_public_address_comes_and_goes_with_the_primary_interfaces_setting(call: Any, net: Network) -> None:
    _, interface = net.machine()
    modify(call, interface, AssociatePublicIpAddress=True)
    association = net.shown(interface)["Association"]
    assert association["IpOwnerId"] == "amazon"
    assert "AllocationId" not in association
    assert call("DescribeAddresses")["Addresses"] == []
    modify(call, interface, AssociatePublicIpAddress=True)
    assert net.shown(interface)["Association"] == association
    modify(call, interface, AssociatePublicIpAddress=False)
    assert call.changed == [("network_interface", interface)]
    assert "Association" not in net.shown(interface)
    with call.database.read() as db:
        assert db.execute(select(t.public_addresses)).all() == []


def test_on_any_other_interface_the_setting_waits_until_it_is_a_primary_one(call: Any, net: Network) -> None:
    instance, _ = net.machine()
    secondary, spare = net.interface(), net.interface()
    net.attach(secondary, instance)
    for interface in (secondary, spare):
        modify(call, interface, AssociatePublicIpAddress=True)
        assert "Association" not in net.shown(interface)
        attribute = {"NetworkInterfaceId": interface, "Attribute": "associatePublicIpAddress"}
        assert call("DescribeNetworkInterfaceAttribute", **attribute)["AssociatePublicIpAddress"] is True


def test_public_names_are_those_of_ipv4_addresses(call: Any, net: Network) -> None:
    interface = net.interface()
    assert "PublicIpDnsNameOptions" not in net.shown(interface)
    call("AssociateAddress", AllocationId=net.elastic_ip(), NetworkInterfaceId=interface)
    shown = net.shown(interface)
    assert shown["PublicIpDnsNameOptions"] == {
        "DnsHostnameType": "public-ipv4-dns-name",
        "PublicIpv4DnsName": shown["PublicDnsName"],
    }
    params = {"NetworkInterfaceId": interface, "HostnameType": "public-ipv4-dns-name"}
    assert call("ModifyPublicIpDnsNameOptions", **params) == {"Successful": True}
    for other in ("public-dual-stack-dns-name", "public-ipv6-dns-name"):
        error = call.refused("ModifyPublicIpDnsNameOptions", NetworkInterfaceId=interface, HostnameType=other)
        assert error.code == "UnsupportedOperation"


def test_ena_express_may_be_switched_off_where_it_never_was_on(call: Any, net: Network) -> None:
    instance, interface = net.machine()
    modify(call, interface, EnaSrdSpecification={"EnaSrdEnabled": False})
    params = {"NetworkInterfaceId": net.interface(), "InstanceId": instance, "DeviceIndex": 1}
    for more in ({"EnaSrdSpecification": {"EnaSrdEnabled": True}}, {"EnaQueueCount": 2}):
        assert call.refused("AttachNetworkInterface", **params, **more).code == "UnsupportedOperation"
    call("AttachNetworkInterface", **params, EnaSrdSpecification={"EnaSrdEnabled": False})


def test_no_interface_is_hidden(call: Any, net: Network) -> None:
    interface = net.interface()
    (shown,) = call("DescribeNetworkInterfaces", IncludeManagedResources=True)["NetworkInterfaces"]
    assert shown["NetworkInterfaceId"] == interface
    assert shown["Operator"] == {"Managed": False}


@pytest.mark.parametrize(
    "attribute",
    [
        {"EnaSrdSpecification": {"EnaSrdEnabled": True}},
        {"AssociatedSubnetIds": ["subnet-0000000000000aaa0"]},
        {"Attachment": {"AttachmentId": "eni-attach-0000000000000aaa0", "EnaQueueCount": 2}},
    ],
)
def test_what_is_not_there_is_refused_clearly(call: Any, net: Network, attribute: dict[str, Any]) -> None:
    error = call.refused("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=net.interface(), **attribute)
    assert error.code == "UnsupportedOperation"
