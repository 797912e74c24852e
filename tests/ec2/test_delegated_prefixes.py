"""Prefixes: assigned whole, aligned and free; counted, shown, given back; never both a prefix and an address."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from typing import Any

import pytest
from machines import Machines
from small_network import Network
from sqlalchemy import update

from enid.ec2.errors import AwsError
from enid.store import tables as t
from enid.store.database import Conflict

V4, V6 = "10.0.1.32/28", "2001:db8:0:1:5::/80"


@pytest.fixture
def net(call: Any) -> Network:
    return Network(call)


def assign4(call: Any, interface: str, **params: Any) -> list[str]:
    answer = call("AssignPrivateIpAddresses", NetworkInterfaceId=interface, **params)
    assert answer["AssignedPrivateIpAddresses"] == []
    return [item["Ipv4Prefix"] for item in answer["AssignedIpv4Prefixes"]]


def assign6(call: Any, interface: str, **params: Any) -> list[str]:
    answer = call("AssignIpv6Addresses", NetworkInterfaceId=interface, **params)
    assert answer["AssignedIpv6Addresses"] == []
    return list(answer["AssignedIpv6Prefixes"])


def prefixes(net: Network, interface: str) -> list[str]:
    shown = net.shown(interface)
    return [item["Ipv4Prefix"] for item in shown["Ipv4Prefixes"]] + [
        item["Ipv6Prefix"] for item in shown["Ipv6Prefixes"]
    ]


def free(net: Network, subnet: str | None = None) -> int:
    (shown,) = net.call("DescribeSubnets", SubnetIds=[subnet or net.subnet])["Subnets"]
    return int(shown["AvailableIpAddressCount"])


def test_prefixes_are_assigned_by_number_or_by_name(call: Any, net: Network) -> None:
    interface = net.interface()
    assert assign4(call, interface, Ipv4PrefixCount=2) == ["10.0.1.224/28", "10.0.1.208/28"]
    assert call.changed == [("network_interface", interface)]
    assert assign4(call, interface, Ipv4Prefixes=[V4]) == [V4]
    (chosen,) = assign6(call, interface, Ipv6PrefixCount=1)
    assert ip_network(chosen).prefixlen == 80
    assert ip_network(chosen).subnet_of(ip_network("2001:db8:0:1::/64"))  # type: ignore[arg-type]
    assert assign6(call, interface, Ipv6Prefixes=[V6]) == [V6]
    assert set(prefixes(net, interface)) == {"10.0.1.224/28", "10.0.1.208/28", V4, V6, chosen}


def test_an_interface_can_be_made_with_prefixes(call: Any, net: Network) -> None:
    answer = call(
        "CreateNetworkInterface",
        SubnetId=net.subnet,
        Ipv4Prefixes=[{"Ipv4Prefix": V4}],
        Ipv6Prefixes=[{"Ipv6Prefix": V6}],
    )["NetworkInterface"]
    assert (answer["Ipv4Prefixes"], answer["Ipv6Prefixes"]) == ([{"Ipv4Prefix": V4}], [{"Ipv6Prefix": V6}])
    shown = net.shown(answer["NetworkInterfaceId"])
    assert (shown["Ipv4Prefixes"], shown["Ipv6Prefixes"]) == ([{"Ipv4Prefix": V4}], [{"Ipv6Prefix": V6}])
    assert len(prefixes(net, net.interface(Ipv4PrefixCount=2, Ipv6PrefixCount=3))) == 5


def test_a_chosen_primary_address_keeps_clear_of_the_prefix_the_same_call_names(call: Any, net: Network) -> None:
    call.put(update(t.subnets).where(t.subnets.c.id == net.subnet).values(next_offset=32))
    interface = net.interface(Ipv4Prefixes=[{"Ipv4Prefix": V4}])
    assert net.ips(interface) == ["10.0.1.48"]


def test_a_launch_can_have_prefixes_and_every_view_shows_them(call: Any) -> None:
    machines = Machines(call)
    instance = machines.running(
        NetworkInterfaces=[
            {"DeviceIndex": 0, "SubnetId": machines.network.subnet, "Ipv4PrefixCount": 1, "Ipv6PrefixCount": 1}
        ]
    )
    (interface,) = machines.shown(instance)["NetworkInterfaces"]
    assert [item["Ipv4Prefix"] for item in interface["Ipv4Prefixes"]] == ["10.0.1.224/28"]
    assert len(interface["Ipv6Prefixes"]) == 1
    assert prefixes(machines.network, interface["NetworkInterfaceId"]) == [
        "10.0.1.224/28",
        interface["Ipv6Prefixes"][0]["Ipv6Prefix"],
    ]


def test_a_prefix_costs_a_subnet_sixteen_addresses(call: Any, net: Network) -> None:
    before = free(net)
    interface = net.interface(Ipv4PrefixCount=2)
    assert free(net) == before - 1 - 32
    call("UnassignPrivateIpAddresses", NetworkInterfaceId=interface, Ipv4Prefixes=["10.0.1.224/28"])
    assert free(net) == before - 1 - 16
    call("DeleteNetworkInterface", NetworkInterfaceId=interface)
    assert free(net) == before


def test_prefixes_are_unassigned_all_or_none(call: Any, net: Network) -> None:
    interface = net.interface(Ipv4Prefixes=[{"Ipv4Prefix": V4}], Ipv6Prefixes=[{"Ipv6Prefix": V6}])
    for action, params in (
        ("UnassignPrivateIpAddresses", {"Ipv4Prefixes": [V4, "10.0.1.64/28"]}),
        ("UnassignIpv6Addresses", {"Ipv6Prefixes": [V6, "2001:db8:0:1:6::/80"]}),
    ):
        error = call.refused(action, NetworkInterfaceId=interface, **params)
        assert error.message == f"Some of the specified addresses are not assigned to interface {interface}"
    call("UnassignPrivateIpAddresses", NetworkInterfaceId=interface, Ipv4Prefixes=[V4])
    assert call.changed == [("network_interface", interface)]
    answer = call("UnassignIpv6Addresses", NetworkInterfaceId=interface, Ipv6Prefixes=[V6])
    assert (answer["UnassignedIpv6Prefixes"], answer["UnassignedIpv6Addresses"]) == ([V6], [])
    assert prefixes(net, interface) == []


def test_a_prefix_counts_as_one_address_of_the_types_limit(call: Any, net: Network) -> None:
    """A t3.small's interface has room for four of each family."""
    _, interface = net.machine()
    assign4(call, interface, Ipv4PrefixCount=3)
    assign6(call, interface, Ipv6PrefixCount=4)
    for action, params in (
        ("AssignPrivateIpAddresses", {"Ipv4PrefixCount": 1}),
        ("AssignPrivateIpAddresses", {"SecondaryPrivateIpAddressCount": 1}),
        ("AssignIpv6Addresses", {"Ipv6PrefixCount": 1}),
        ("AssignIpv6Addresses", {"Ipv6AddressCount": 1}),
    ):
        assert call.refused(action, NetworkInterfaceId=interface, **params).code == "PrivateIpAddressLimitExceeded"
    full = net.interface(Ipv4PrefixCount=4)
    params = {"NetworkInterfaceId": full, "InstanceId": net.instance(), "DeviceIndex": 0}
    assert call.refused("AttachNetworkInterface", **params).code == "PrivateIpAddressLimitExceeded"


def test_a_launch_with_too_many_prefixes_is_refused(call: Any) -> None:
    machines = Machines(call)
    spec = {"DeviceIndex": 0, "SubnetId": machines.network.subnet, "Ipv4PrefixCount": 4}
    assert machines.refused(NetworkInterfaces=[spec])[0] == "InvalidInterface.IpAddressLimitExceeded"


def test_a_prefix_and_an_address_never_share_a_block(call: Any, net: Network) -> None:
    owner = net.interface(PrivateIpAddress="10.0.1.40", Ipv6Addresses=[{"Ipv6Address": "2001:db8:0:1:5::9"}])
    for action, params in (
        ("AssignPrivateIpAddresses", {"Ipv4Prefixes": [V4]}),
        ("AssignIpv6Addresses", {"Ipv6Prefixes": [V6]}),
    ):
        error = call.refused(action, NetworkInterfaceId=owner, **params)
        assert error.code == "InvalidIPAddress.InUse"
    other = net.interface(
        Ipv4Prefixes=[{"Ipv4Prefix": "10.0.1.64/28"}], Ipv6Prefixes=[{"Ipv6Prefix": "2001:db8:0:1:6::/80"}]
    )
    error = call.refused(
        "AssignPrivateIpAddresses", NetworkInterfaceId=owner, PrivateIpAddresses=["10.0.1.70"], AllowReassignment=True
    )
    assert error.message == "Some of [10.0.1.70] is assigned, but move is not allowed."
    error = call.refused("AssignIpv6Addresses", NetworkInterfaceId=owner, Ipv6Addresses=["2001:db8:0:1:6::1"])
    assert error.message == "Some of [2001:db8:0:1:6::1] is assigned, but move is not allowed."
    error = call.refused("CreateNetworkInterface", SubnetId=net.subnet, PrivateIpAddress="10.0.1.79")
    assert (error.code, error.message) == ("InvalidIPAddress.InUse", "Address 10.0.1.79 is in use.")
    error = call.refused("AssignPrivateIpAddresses", NetworkInterfaceId=other, Ipv4Prefixes=["10.0.1.64/28"])
    assert error.message == "Address 10.0.1.64/28 is in use."


def test_a_subnet_without_a_whole_free_block_has_no_prefix_to_give(call: Any, net: Network) -> None:
    """The two blocks of a /27 hold the addresses AWS keeps; a /26 has two more."""
    narrow = net.add_subnet(net.vpc, "10.0.4.0/27")
    error = call.refused("CreateNetworkInterface", SubnetId=narrow, Ipv4PrefixCount=1)
    assert (error.code, error.message) == (
        "InsufficientCidrBlocks",
        "The specified subnet does not have enough free cidr blocks to satisfy the request.",
    )
    wider = net.add_subnet(net.vpc, "10.0.4.64/26")
    assert prefixes(net, net.interface(wider, Ipv4PrefixCount=2)) == ["10.0.4.80/28", "10.0.4.96/28"]
    assert call.refused("CreateNetworkInterface", SubnetId=wider, Ipv4PrefixCount=1).code == "InsufficientCidrBlocks"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("10.0.1.33/28", "Invalid value"),
        ("10.0.1.32/27", "Invalid value"),
        ("10.0.1.32", "Invalid value"),
        ("2001:db8:0:1:5::/80", "Invalid value"),
        ("10.0.2.32/28", "does not fall within the subnet's address range"),
        ("10.0.1.0/28", "overlaps the subnet's reserved address range"),
        ("10.0.1.240/28", "overlaps the subnet's reserved address range"),
    ],
)
def test_what_is_no_prefix_of_the_subnet_is_refused(call: Any, net: Network, text: str, says: str) -> None:
    error = call.refused("AssignPrivateIpAddresses", NetworkInterfaceId=net.interface(), Ipv4Prefixes=[text])
    assert error.code == "InvalidParameterValue"
    assert says in error.message


@pytest.mark.parametrize(
    "params",
    [
        {"Ipv4Prefixes": [{"Ipv4Prefix": V4}], "Ipv4PrefixCount": 1},
        {"Ipv4PrefixCount": 1, "SecondaryPrivateIpAddressCount": 1},
        {"Ipv4PrefixCount": 1, "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.9"}]},
        {"Ipv6PrefixCount": 1, "Ipv6AddressCount": 1},
        {"Ipv6Prefixes": [{"Ipv6Prefix": V6}], "Ipv6Addresses": [{"Ipv6Address": "2001:db8:0:1::9"}]},
    ],
)
def test_prefixes_and_addresses_of_a_family_exclude_each_other(call: Any, net: Network, params: dict[str, Any]) -> None:
    assert call.refused("CreateNetworkInterface", SubnetId=net.subnet, **params).code == "InvalidParameterCombination"


def test_the_ipv6_block_of_a_subnet_stays_while_a_prefix_is_of_it(call: Any, net: Network) -> None:
    call.put(
        update(t.subnets)
        .where(t.subnets.c.id == net.subnet)
        .values(ipv6_association_id="subnet-cidr-assoc-" + 17 * "1")
    )
    interface = net.interface(Ipv6PrefixCount=1)
    error = call.refused("DisassociateSubnetCidrBlock", AssociationId="subnet-cidr-assoc-" + 17 * "1")
    assert error.code == "DependencyViolation"
    assert interface in error.message


def test_callers_at_once_get_prefixes_and_addresses_that_share_nothing(call: Any, net: Network) -> None:
    """Fourteen blocks, eight callers who name what others name too: the database decides, nobody shares."""
    interfaces = [net.interface() for _ in range(8)]

    def ask(number: int) -> list[Exception]:
        caller = type(call)(call.database, call.settings, call.account_id)
        refusals: list[Exception] = []
        for block in list(ip_network("10.0.1.0/24").subnets(new_prefix=28))[1:-1]:
            named = {"PrivateIpAddresses": [str(block[number])]} if number % 2 else {"Ipv4Prefixes": [str(block)]}
            try:
                caller("AssignPrivateIpAddresses", NetworkInterfaceId=interfaces[number], **named)
            except (AwsError, Conflict) as refusal:
                refusals.append(refusal)
        return refusals

    with ThreadPoolExecutor(8) as pool:
        refusals = [one for several in pool.map(ask, range(8)) for one in several]
    assert refusals
    assert {one.code for one in refusals if isinstance(one, AwsError)} <= {
        "InvalidIPAddress.InUse",
        "InvalidParameterValue",
    }
    blocks = [ip_network(text) for one in interfaces for text in prefixes(net, one)]
    singles = [ip_network(ip) for one in interfaces for ip in net.ips(one)]
    assert blocks or len(singles) > 8
    assert len(set(blocks)) == len(blocks)
    assert not [(ip, block) for ip in singles for block in blocks if ip.subnet_of(block)]  # type: ignore[arg-type]
