"""What filters of DescribeNetworkInterfaces do with odd values, with ids beside them, and with other accounts."""

from __future__ import annotations

from typing import Any

import pytest
from small_network import FIRST, Network

from enid.ec2.network_interface_filters import catalogue


@pytest.fixture
def net(call: Any) -> Network:
    return Network(call)


def found(call: Any, *filters: tuple[str, list[str]], **params: Any) -> list[str]:
    given = [{"Name": name, "Values": values} for name, values in filters]
    answer = call("DescribeNetworkInterfaces", Filters=given, **params)
    return [item["NetworkInterfaceId"] for item in answer["NetworkInterfaces"]]


def test_each_of_several_interfaces_is_found_by_its_own_place(call: Any, net: Network) -> None:
    instance = net.instance()
    placed = {index: net.interface() for index in (0, 1, 2)}
    for index, interface in placed.items():
        net.attach(interface, instance, index)
    for index, interface in placed.items():
        assert found(call, ("attachment.device-index", [str(index)])) == [interface]
        assert found(call, ("private-ip-address", net.ips(interface))) == [interface]
        assert found(call, ("mac-address", [net.shown(interface)["MacAddress"]])) == [interface]
    assert set(found(call, ("attachment.device-index", ["0", "2"]))) == {placed[0], placed[2]}
    assert len(found(call, ("attachment.device-index", ["?"]))) == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attachment.device-index", "--1"),
        ("attachment.device-index", "9" * 40),
        ("attachment.device-index", "\u00b2"),
        ("attachment.device-index", "first"),
        ("addresses.primary", "maybe"),
        ("description", "\\"),
        ("mac-address", ""),
    ],
)
def test_a_value_that_cannot_be_finds_nothing(call: Any, net: Network, name: str, value: str) -> None:
    net.attach(net.interface(Description="web"), net.instance(), 1)
    assert found(call, (name, [value])) == []


def test_several_addresses_of_one_interface_satisfy_several_filters(call: Any, net: Network) -> None:
    interface = net.interface(SecondaryPrivateIpAddressCount=1)
    first, second = net.ips(interface)
    net.interface()
    assert found(call, ("private-ip-address", [first]), ("private-ip-address", [second])) == [interface]


def test_ids_and_filters_together(call: Any, net: Network) -> None:
    attached, other = net.interface(), net.interface()
    net.attach(attached, net.instance())
    in_use = ("status", ["in-use"])
    assert found(call, in_use, NetworkInterfaceIds=[attached, other]) == [attached]
    assert found(call, in_use, NetworkInterfaceIds=[other]) == []


@pytest.mark.parametrize("name", ["Status", "tag", "attachment.device_index", "association"])
def test_nearly_a_filter_is_none(call: Any, name: str) -> None:
    error = call.refused("DescribeNetworkInterfaces", Filters=[{"Name": name, "Values": ["x"]}])
    assert (error.code, error.message) == ("InvalidParameterValue", f"The filter '{name}' is invalid")


def test_no_values_and_too_many_are_refused(call: Any) -> None:
    for values, code in (([], "InvalidParameterValue"), (["x"] * 201, "FilterLimitExceeded")):
        error = call.refused("DescribeNetworkInterfaces", Filters=[{"Name": "description", "Values": values}])
        assert error.code == code


def test_no_filter_reaches_into_another_account(call: Any, second_account: Any, net: Network) -> None:
    net.attach(net.interface(Ipv6AddressCount=1), net.instance())
    for name in catalogue(call.settings.region):
        for value in ("*", "true", "false", "available", FIRST):
            assert found(second_account, (name, [value])) == [], name
