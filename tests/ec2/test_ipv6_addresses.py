"""IPv6 addresses: which may be asked for, all or none of them, and which may be given back."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest
from small_network import Network

BLOCK = IPv6Network("2001:db8:0:1::/64")


@pytest.fixture
def net(call: Any) -> Network:
    return Network(call)


def assign(call: Any, interface: str, **params: Any) -> list[str]:
    answer = call("AssignIpv6Addresses", NetworkInterfaceId=interface, **params)
    assert answer["NetworkInterfaceId"] == interface
    return list(answer["AssignedIpv6Addresses"])


def ips(net: Network, interface: str) -> list[str]:
    return [item["Ipv6Address"] for item in net.shown(interface)["Ipv6Addresses"]]


def test_addresses_chosen_are_free_ones_of_the_subnets_block(call: Any, net: Network) -> None:
    interface = net.interface()
    chosen = assign(call, interface, Ipv6AddressCount=20)
    assert len(set(chosen)) == 20
    for text in chosen:
        assert IPv6Address(text) in BLOCK
        assert text == str(IPv6Address(text)), "as short as it can be written"
    assert ips(net, interface) == chosen
    assert net.shown(interface)["Ipv6Address"] == chosen[0], "the first is the interface's own"


def test_subnets_that_give_out_no_ipv6_refuse(call: Any, net: Network) -> None:
    interface = net.interface(net.subnet_b)
    error = call.refused("AssignIpv6Addresses", NetworkInterfaceId=interface, Ipv6AddressCount=1)
    assert (error.code, error.message) == (
        "InvalidParameterValue",
        f"The subnet '{net.subnet_b}' does not have an IPv6 CIDR block.",
    )


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("2001:db8:0:2::5", "Address 2001:db8:0:2::5 does not fall within the subnet's address range"),
        ("2001:db8:0:1::", "Address is in subnet's reserved address range"),
        ("2001:db8:0:1::1", "Address is in subnet's reserved address range"),
        ("2001:db8:0:1::3", "Address is in subnet's reserved address range"),
        ("2001:db8:0:1:ffff:ffff:ffff:ffff", "Address is in subnet's reserved address range"),
        ("10.0.1.9", "invalid value for parameter address: [10.0.1.9]"),
        ("2001:db8:0:1::77%eth0", "invalid value for parameter address: [2001:db8:0:1::77%eth0]"),
    ],
)
def test_addresses_that_no_interface_may_have(call: Any, net: Network, address: str, message: str) -> None:
    interface = net.interface()
    error = call.refused("AssignIpv6Addresses", NetworkInterfaceId=interface, Ipv6Addresses=[address])
    assert (error.code, error.message) == ("InvalidParameterValue", message)
    created = call.refused("CreateNetworkInterface", SubnetId=net.subnet, Ipv6Addresses=[{"Ipv6Address": address}])
    assert (created.code, created.message) == (error.code, error.message)


def test_one_address_however_written_is_assigned_once(call: Any, net: Network) -> None:
    assign(call, net.interface(), Ipv6Addresses=["2001:db8:0:1::77"])
    other = net.interface()
    for text in ("2001:DB8:0:1::77", "2001:db8:0:1:0:0:0:77", "2001:db8::1:0:0:0:77"):
        error = call.refused("AssignIpv6Addresses", NetworkInterfaceId=other, Ipv6Addresses=[text])
        assert error.message == "Some of [2001:db8:0:1::77] is assigned, but move is not allowed."
    twice = ["2001:db8:0:1::88", "2001:DB8:0:1::88"]
    assert call.refused("AssignIpv6Addresses", NetworkInterfaceId=other, Ipv6Addresses=twice).code == (
        "InvalidParameterValue"
    )


def test_one_address_that_cannot_be_had_fails_the_whole_call(call: Any, net: Network) -> None:
    assign(call, net.interface(), Ipv6Addresses=["2001:db8:0:1::77"])
    wanted = ["2001:db8:0:1::78", "2001:db8:0:1::77"]
    call.refused("AssignIpv6Addresses", NetworkInterfaceId=net.interface(), Ipv6Addresses=wanted)
    assert assign(call, net.interface(), Ipv6Addresses=["2001:db8:0:1::78"]) == ["2001:db8:0:1::78"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "MissingParameter"),
        ({"Ipv6AddressCount": 0}, "InvalidParameterValue"),
        ({"Ipv6AddressCount": -1}, "InvalidParameterValue"),
        ({"Ipv6AddressCount": 1, "Ipv6Addresses": ["2001:db8:0:1::9"]}, "InvalidParameterCombination"),
        ({"Ipv6PrefixCount": 0}, "InvalidParameterValue"),
        ({"Ipv6Prefixes": ["2001:db8:0:1:1::/96"]}, "InvalidParameterValue"),
    ],
)
def test_requests_that_make_no_sense_or_are_not_there(
    call: Any, net: Network, params: dict[str, Any], code: str
) -> None:
    assert call.refused("AssignIpv6Addresses", NetworkInterfaceId=net.interface(), **params).code == code


def test_only_an_interfaces_own_addresses_are_given_back_all_or_none(call: Any, net: Network) -> None:
    interface, other = net.interface(), net.interface()
    mine = assign(call, interface, Ipv6AddressCount=2)
    (theirs,) = assign(call, other, Ipv6AddressCount=1)
    for wrong in (theirs, "2001:db8:0:1::dead", "nonsense", net.ips(interface)[0]):
        error = call.refused("UnassignIpv6Addresses", NetworkInterfaceId=interface, Ipv6Addresses=[mine[0], wrong])
        assert (error.code, error.message) == (
            "InvalidParameterValue",
            f"Some of the specified addresses are not assigned to interface {interface}",
        )
    assert call.refused("UnassignIpv6Addresses", NetworkInterfaceId=interface).code == "MissingParameter"
    long = IPv6Address(mine[0]).exploded.upper()
    call("UnassignIpv6Addresses", NetworkInterfaceId=interface, Ipv6Addresses=[mine[0], long])
    assert ips(net, interface) == [mine[1]]
    assert ips(net, other) == [theirs]


def test_they_are_counted_apart_from_ipv4(call: Any, net: Network) -> None:
    """A t3.small's interface holds four of each."""
    _, interface = net.machine(SecondaryPrivateIpAddressCount=3)
    assign(call, interface, Ipv6AddressCount=4)
    error = call.refused("AssignIpv6Addresses", NetworkInterfaceId=interface, Ipv6AddressCount=1)
    assert error.code == "PrivateIpAddressLimitExceeded"
    assert len(net.ips(interface)) == 4


def test_an_attached_interfaces_addresses_come_and_go_and_the_agent_hears_of_it(call: Any, net: Network) -> None:
    _, interface = net.machine()
    (address,) = assign(call, interface, Ipv6AddressCount=1)
    assert call.changed == [("network_interface", interface)]
    call("UnassignIpv6Addresses", NetworkInterfaceId=interface, Ipv6Addresses=[address])
    assert call.changed == [("network_interface", interface)]
    assert ips(net, interface) == []


def test_ipv4_addresses_written_with_more_than_an_address_are_refused(call: Any, net: Network) -> None:
    for text in ("10.0.1.9/32", "10.0.1.09", "10.0.1.9%eth0", " 10.0.1.9"):
        error = call.refused("AssignPrivateIpAddresses", NetworkInterfaceId=net.interface(), PrivateIpAddresses=[text])
        assert (error.code, error.message) == (
            "InvalidParameterValue",
            f"invalid value for parameter address: [{text}]",
        )
