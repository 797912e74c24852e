"""Ranges of a subnet that automatic choice keeps out of; what is named may lie in them, and prefixes come from them."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from small_network import Network


@pytest.fixture
def net(call: Any) -> Network:
    return Network(call)


def reserve(
    net: Network, cidr: str, type_: str = "explicit", subnet: str | None = None, **params: Any
) -> dict[str, Any]:
    where = {"SubnetId": subnet or net.subnet, "Cidr": cidr, "ReservationType": type_}
    return dict(net.call("CreateSubnetCidrReservation", **where, **params)["SubnetCidrReservation"])


def listed(net: Network, **params: Any) -> list[str]:
    answer = net.call("GetSubnetCidrReservations", SubnetId=net.subnet, **params)
    assert all(":" not in one["Cidr"] for one in answer["SubnetIpv4CidrReservations"])
    assert all(":" in one["Cidr"] for one in answer["SubnetIpv6CidrReservations"])
    return [one["Cidr"] for family in (4, 6) for one in answer[f"SubnetIpv{family}CidrReservations"]]


def test_a_reservation_is_made_shown_and_deleted(call: Any, net: Network) -> None:
    tags = [{"Key": "Name", "Value": "pods"}]
    made = reserve(
        net,
        "10.0.1.64/26",
        "prefix",
        Description="for pods",
        TagSpecifications=[{"ResourceType": "subnet-cidr-reservation", "Tags": tags}],
    )
    assert made == {
        "SubnetCidrReservationId": made["SubnetCidrReservationId"],
        "SubnetId": net.subnet,
        "Cidr": "10.0.1.64/26",
        "ReservationType": "prefix",
        "OwnerId": call.account_id,
        "Description": "for pods",
        "Tags": tags,
    }
    assert made["SubnetCidrReservationId"].startswith("scr-")
    reserve(net, "2001:db8:0:1:8000::/65")
    reserve(net, "10.0.2.64/26", subnet=net.subnet_b)
    assert listed(net) == ["10.0.1.64/26", "2001:db8:0:1:8000::/65"]
    for name, value, expected in (
        ("reservationType", "prefix", ["10.0.1.64/26"]),
        ("subnet-id", net.subnet_b, []),
        ("tag:Name", "pods", ["10.0.1.64/26"]),
        ("tag-key", "Name", ["10.0.1.64/26"]),
    ):
        assert listed(net, Filters=[{"Name": name, "Values": [value]}]) == expected
    id_ = made["SubnetCidrReservationId"]
    assert call("DeleteSubnetCidrReservation", SubnetCidrReservationId=id_)["DeletedSubnetCidrReservation"] == made
    assert listed(net) == ["2001:db8:0:1:8000::/65"]
    error = call.refused("DeleteSubnetCidrReservation", SubnetCidrReservationId=id_)
    assert error.code == "InvalidSubnetCidrReservationID.NotFound"


@pytest.mark.parametrize("type_", ["explicit", "prefix"])
def test_automatic_choice_keeps_out_until_the_range_is_given_back(call: Any, net: Network, type_: str) -> None:
    small = net.add_subnet(net.vpc, "10.0.5.0/27")
    made = reserve(net, "10.0.5.0/28", type_, small)
    assert net.ips(net.interface(small)) == ["10.0.5.16"]
    net.interface(small, SecondaryPrivateIpAddressCount=13)
    error = call.refused("CreateNetworkInterface", SubnetId=small)
    assert error.code == "InsufficientFreeAddressesInSubnet"
    assert net.ips(net.interface(small, PrivateIpAddress="10.0.5.9")) == ["10.0.5.9"], "named, it can be had"
    call("DeleteSubnetCidrReservation", SubnetCidrReservationId=made["SubnetCidrReservationId"])
    assert net.ips(net.interface(small)) == ["10.0.5.4"]


def test_ipv6_addresses_keep_out_too(call: Any, net: Network) -> None:
    reserve(net, "2001:db8:0:1::/65")
    interface = net.interface(Ipv6AddressCount=20)
    found = [ip_address(item["Ipv6Address"]) for item in net.shown(interface)["Ipv6Addresses"]]
    assert all(one in ip_network("2001:db8:0:1:8000::/65") for one in found)
    reserve(net, "2001:db8:0:1:8000::/65")
    error = call.refused("AssignIpv6Addresses", NetworkInterfaceId=interface, Ipv6AddressCount=1)
    assert error.code == "InsufficientFreeAddressesInSubnet"
    call("AssignIpv6Addresses", NetworkInterfaceId=interface, Ipv6Addresses=["2001:db8:0:1::77"])


def test_prefixes_are_taken_from_ranges_reserved_for_them_then_from_the_rest(call: Any, net: Network) -> None:
    reserve(net, "10.0.1.32/27", "prefix")
    reserve(net, "10.0.1.128/25")
    interface = net.interface(Ipv4PrefixCount=3)
    found = {item["Ipv4Prefix"] for item in net.shown(interface)["Ipv4Prefixes"]}
    assert found > {"10.0.1.32/28", "10.0.1.48/28"}
    (other,) = found - {"10.0.1.32/28", "10.0.1.48/28"}
    assert not ip_network(other).overlaps(ip_network("10.0.1.128/25"))
    call("AssignPrivateIpAddresses", NetworkInterfaceId=interface, Ipv4Prefixes=["10.0.1.128/28"])


def test_a_range_may_hold_what_is_in_use(call: Any, net: Network) -> None:
    interface = net.interface(PrivateIpAddress="10.0.1.70")
    reserve(net, "10.0.1.64/28")
    assert net.ips(interface) == ["10.0.1.70"]


@pytest.mark.parametrize(
    ("cidr", "type_"),
    [
        ("10.0.2.0/28", "explicit"),
        ("10.0.0.0/16", "explicit"),
        ("2001:db8:0:2::/80", "explicit"),
        ("10.0.1.64", "explicit"),
        ("nonsense", "explicit"),
        ("10.0.1.64/29", "prefix"),
        ("2001:db8:0:1::/96", "prefix"),
        ("10.0.1.96/28", "explicit"),
        ("10.0.1.0/24", "explicit"),
    ],
)
def test_what_cannot_be_reserved(call: Any, net: Network, cidr: str, type_: str) -> None:
    reserve(net, "10.0.1.96/27")
    where = {"SubnetId": net.subnet, "Cidr": cidr, "ReservationType": type_}
    assert call.refused("CreateSubnetCidrReservation", **where).code == "InvalidParameterValue"


def test_a_subnet_without_ipv6_has_none_to_reserve(call: Any, net: Network) -> None:
    where = {"SubnetId": net.subnet_b, "Cidr": "2001:db8:0:1::/80", "ReservationType": "prefix"}
    assert call.refused("CreateSubnetCidrReservation", **where).code == "InvalidParameterValue"


def test_reservations_go_with_their_subnet(call: Any, net: Network) -> None:
    subnet = net.add_subnet(net.vpc, "10.0.5.0/24")
    tags = [{"ResourceType": "subnet-cidr-reservation", "Tags": [{"Key": "a", "Value": "b"}]}]
    reserve(net, "10.0.5.64/26", subnet=subnet, TagSpecifications=tags)
    call("DeleteSubnet", SubnetId=subnet)
    assert call("DescribeTags")["Tags"] == []


def test_another_account_sees_none_of_it(call: Any, second_account: Any, net: Network) -> None:
    id_ = reserve(net, "10.0.1.64/26")["SubnetCidrReservationId"]
    for action, params, code in (
        ("GetSubnetCidrReservations", {"SubnetId": net.subnet}, "InvalidSubnetID.NotFound"),
        (
            "DeleteSubnetCidrReservation",
            {"SubnetCidrReservationId": id_},
            "InvalidSubnetCidrReservationID.NotFound",
        ),
    ):
        assert second_account.refused(action, **params).code == code
