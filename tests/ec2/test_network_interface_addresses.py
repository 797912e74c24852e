"""Secondary addresses: assigned, moved with their Elastic IP, unassigned; all or none."""

from __future__ import annotations

from typing import Any

import pytest
from small_network import Network


@pytest.fixture
def net(call: Any) -> Network:
    return Network(call)


def assign(call: Any, interface: str, **params: Any) -> list[str]:
    answer = call("AssignPrivateIpAddresses", NetworkInterfaceId=interface, **params)
    assert answer["NetworkInterfaceId"] == interface
    return [item["PrivateIpAddress"] for item in answer["AssignedPrivateIpAddresses"]]


def test_addresses_are_assigned_by_number_or_by_name_and_only_the_new_ones_answered(call: Any, net: Network) -> None:
    interface = net.interface()
    assert assign(call, interface, SecondaryPrivateIpAddressCount=2) == ["10.0.1.5", "10.0.1.6"]
    assert call.changed == [("network_interface", interface)]
    assert assign(call, interface, PrivateIpAddresses=["10.0.1.99"]) == ["10.0.1.99"]
    assert net.ips(interface) == ["10.0.1.4", "10.0.1.5", "10.0.1.6", "10.0.1.99"]


def test_a_moved_address_takes_its_elastic_ip_along(call: Any, net: Network) -> None:
    old, new = net.interface(), net.interface()
    assign(call, old, PrivateIpAddresses=["10.0.1.50", "10.0.1.51"])
    elastic = net.elastic_ip()
    association = call("AssociateAddress", AllocationId=elastic, NetworkInterfaceId=old, PrivateIpAddress="10.0.1.50")[
        "AssociationId"
    ]
    moved = assign(call, new, PrivateIpAddresses=["10.0.1.50", "10.0.1.60"], AllowReassignment=True)
    assert set(moved) == {"10.0.1.50", "10.0.1.60"}
    assert set(call.changed) == {("network_interface", old), ("network_interface", new)}
    assert net.ips(old) == ["10.0.1.4", "10.0.1.51"]
    assert set(net.ips(new)) == {"10.0.1.5", "10.0.1.50", "10.0.1.60"}
    shown = net.address(elastic)
    assert (shown["NetworkInterfaceId"], shown["PrivateIpAddress"]) == (new, "10.0.1.50")
    assert shown["AssociationId"] == association


def test_an_address_the_interface_has_already_is_no_news(call: Any, net: Network) -> None:
    interface = net.interface()
    assign(call, interface, PrivateIpAddresses=["10.0.1.50"])
    assert assign(call, interface, PrivateIpAddresses=["10.0.1.50"], AllowReassignment=True) == []
    assert net.ips(interface) == ["10.0.1.4", "10.0.1.50"]


def test_a_primary_address_never_moves(call: Any, net: Network) -> None:
    primary = net.ips(net.interface())[0]
    error = call.refused(
        "AssignPrivateIpAddresses",
        NetworkInterfaceId=net.interface(),
        PrivateIpAddresses=[primary],
        AllowReassignment=True,
    )
    assert error.message == f"Some of [{primary}] is assigned, but move is not allowed."


def test_one_address_that_cannot_be_had_fails_the_whole_call(call: Any, net: Network) -> None:
    taken = net.ips(net.interface())[0]
    call.refused(
        "AssignPrivateIpAddresses", NetworkInterfaceId=net.interface(), PrivateIpAddresses=["10.0.1.77", taken]
    )
    interface = net.interface()
    assign(call, interface, PrivateIpAddresses=["10.0.1.77"])
    call.refused(
        "UnassignPrivateIpAddresses", NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.1.77", "10.0.1.78"]
    )
    assert "10.0.1.77" in net.ips(interface)


def test_unassigning_disassociates_the_elastic_ip(call: Any, net: Network) -> None:
    interface = net.interface()
    assign(call, interface, PrivateIpAddresses=["10.0.1.50", "10.0.1.51"])
    elastic = net.elastic_ip()
    call("AssociateAddress", AllocationId=elastic, NetworkInterfaceId=interface, PrivateIpAddress="10.0.1.50")
    call("UnassignPrivateIpAddresses", NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.1.50"])
    assert call.changed == [("network_interface", interface)]
    assert net.ips(interface) == ["10.0.1.4", "10.0.1.51"]
    assert "AssociationId" not in net.address(elastic)


def test_the_type_of_the_instance_bounds_the_addresses(call: Any, net: Network) -> None:
    """A t3.small has three interfaces of four addresses each."""
    _, interface = net.machine()
    assign(call, interface, SecondaryPrivateIpAddressCount=3)
    error = call.refused("AssignPrivateIpAddresses", NetworkInterfaceId=interface, SecondaryPrivateIpAddressCount=1)
    assert (error.code, error.message) == (
        "PrivateIpAddressLimitExceeded",
        "Number of private addresses will exceed limit.",
    )
    call("AssignIpv6Addresses", NetworkInterfaceId=interface, Ipv6AddressCount=4)
    error = call.refused("AssignIpv6Addresses", NetworkInterfaceId=interface, Ipv6AddressCount=1)
    assert error.code == "PrivateIpAddressLimitExceeded"


def test_an_unattached_interface_may_have_fifty(call: Any, net: Network) -> None:
    interface = net.interface()
    assign(call, interface, SecondaryPrivateIpAddressCount=49)
    call.refused("AssignPrivateIpAddresses", NetworkInterfaceId=interface, SecondaryPrivateIpAddressCount=1)
    call.refused("CreateNetworkInterface", SubnetId=net.subnet, SecondaryPrivateIpAddressCount=50)


def test_ipv6_addresses_are_assigned_and_unassigned(call: Any, net: Network) -> None:
    interface = net.interface()
    answer = call("AssignIpv6Addresses", NetworkInterfaceId=interface, Ipv6Addresses=["2001:DB8:0:1:0::77"])
    assert answer["AssignedIpv6Addresses"] == ["2001:db8:0:1::77"]
    assert call.changed == [("network_interface", interface)]
    (automatic,) = call("AssignIpv6Addresses", NetworkInterfaceId=interface, Ipv6AddressCount=1)[
        "AssignedIpv6Addresses"
    ]
    shown = [item["Ipv6Address"] for item in net.shown(interface)["Ipv6Addresses"]]
    assert shown == ["2001:db8:0:1::77", automatic]
    answer = call("UnassignIpv6Addresses", NetworkInterfaceId=interface, Ipv6Addresses=["2001:db8:0:1:0:0:0:77"])
    assert answer["UnassignedIpv6Addresses"] == ["2001:db8:0:1::77"]
    assert [item["Ipv6Address"] for item in net.shown(interface)["Ipv6Addresses"]] == [automatic]


def test_an_ipv6_address_cannot_be_moved_only_given_back_first(call: Any, net: Network) -> None:
    owner, other = net.interface(Ipv6Addresses=[{"Ipv6Address": "2001:db8:0:1::77"}]), net.interface()
    error = call.refused("AssignIpv6Addresses", NetworkInterfaceId=other, Ipv6Addresses=["2001:db8:0:1::77"])
    assert error.message == "Some of [2001:db8:0:1::77] is assigned, but move is not allowed."
    call("UnassignIpv6Addresses", NetworkInterfaceId=owner, Ipv6Addresses=["2001:db8:0:1::77"])
    call("AssignIpv6Addresses", NetworkInterfaceId=other, Ipv6Addresses=["2001:db8:0:1::77"])


@pytest.mark.parametrize("item", [{}, {"Primary": True}, {"Primary": False, "PrivateIpAddress": ""}])
def test_a_listed_address_must_be_there(call: Any, net: Network, item: dict[str, Any]) -> None:
    error = call.refused("CreateNetworkInterface", SubnetId=net.subnet, PrivateIpAddresses=[item])
    assert error.code == "MissingParameter"


def test_any_number_of_addresses_costs_the_same_statements(call: Any, net: Network) -> None:
    counts = set()
    for number in (2, 5, 20):
        assign(call, net.interface(), SecondaryPrivateIpAddressCount=number)
        counts.add(call.statements)
    assert counts == {7}
