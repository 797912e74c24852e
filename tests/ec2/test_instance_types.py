"""Instance types: AWS's limits, and DescribeInstanceTypes with every documented filter."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from accounts import Account, model
from enid.ec2.describe import encode
from enid.ec2.errors import AwsError
from enid.ec2.instance_types import limits, table


@pytest.mark.parametrize(
    ("type_", "interfaces", "ipv4", "vcpus", "memory"),
    [
        ("t2.micro", 2, 2, 1, 1024),
        ("t3.micro", 2, 2, 2, 1024),
        ("t3.small", 3, 4, 2, 2048),
        ("t3.medium", 3, 6, 2, 4096),
        ("t3.large", 3, 12, 2, 8192),
        ("m5.large", 3, 10, 2, 8192),
        ("c7g.large", 3, 10, 2, 4096),
        ("m5.xlarge", 4, 15, 4, 16384),
        ("m5.4xlarge", 8, 30, 16, 65536),
        ("m5.24xlarge", 15, 50, 96, 393216),
    ],
)
def test_limits_are_those_aws_publishes(type_: str, interfaces: int, ipv4: int, vcpus: int, memory: int) -> None:
    found = limits(type_)
    assert (found.max_interfaces, found.ipv4_per_interface) == (interfaces, ipv4)
    assert (found.vcpus, found.memory_mib) == (vcpus, memory)
    assert (found.network_cards, found.interfaces_per_card) == (1, (interfaces,))


def test_a_type_with_several_network_cards_has_a_limit_for_each() -> None:
    found = limits("p5.48xlarge")
    assert (found.network_cards, found.interfaces_per_card) == (32, (2,) * 32)
    assert found.max_interfaces == 64


def test_the_whole_table_is_consistent() -> None:
    for name in table():
        found = limits(name)
        assert found.network_cards == len(found.interfaces_per_card), name
        assert 1 <= found.max_interfaces <= sum(found.interfaces_per_card), name
        assert found.ipv4_per_interface >= 1, name
        assert found.vcpus >= 1, name
        assert found.memory_mib >= 500, name


def test_an_unknown_type_has_no_limits() -> None:
    with pytest.raises(AwsError) as caught:
        limits("t3.enormous")
    assert (caught.value.code, caught.value.message) == (
        "InvalidParameterValue",
        "Invalid value 't3.enormous' for InstanceType.",
    )


def test_importing_does_not_read_the_table() -> None:
    program = "from enid.ec2 import instance_types; print(instance_types.table.cache_info().currsize)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"0\n"


def test_the_table_says_where_it_comes_from() -> None:
    import enid.ec2

    file = Path(enid.ec2.__path__[0]) / "data" / "instance_types.csv"
    assert re.match(r"# .*moto .*Apache-2\.0", file.read_text().splitlines()[0])


# --- DescribeInstanceTypes --------------------------------------------------------------------------------------------


def _names(answer: dict[str, Any]) -> list[str]:
    return [one["InstanceType"] for one in answer["InstanceTypes"]]


def test_a_type_is_shown_as_aws_shows_it(call: Account) -> None:
    (shown,) = call("DescribeInstanceTypes", InstanceTypes=["t3.micro"])["InstanceTypes"]
    assert shown["VCpuInfo"]["DefaultVCpus"] == 2
    assert shown["VCpuInfo"]["ValidThreadsPerCore"] == [1, 2]
    assert shown["MemoryInfo"] == {"SizeInMiB": 1024}
    assert shown["ProcessorInfo"]["SupportedArchitectures"] == ["x86_64"]
    assert shown["NetworkInfo"]["MaximumNetworkInterfaces"] == 2
    assert shown["NetworkInfo"]["Ipv6Supported"] is True
    assert shown["NetworkInfo"]["NetworkCards"] == [
        {"NetworkCardIndex": 0, "MaximumNetworkInterfaces": 2, "NetworkPerformance": "Up to 5 Gigabit"}
    ]
    assert (shown["Hypervisor"], shown["BurstablePerformanceSupported"], shown["BareMetal"]) == ("nitro", True, False)
    assert shown["NitroTpmInfo"] == {"SupportedVersions": ["2.0"]}


def test_every_type_fits_the_model(call: Account) -> None:
    assert len(call("DescribeInstanceTypes")["InstanceTypes"]) == len(table()) > 1000


def test_disks_are_shown(call: Account) -> None:
    (shown,) = call("DescribeInstanceTypes", InstanceTypes=["c6id.large"])["InstanceTypes"]
    assert shown["InstanceStorageInfo"]["Disks"] == [{"Count": 1, "SizeInGB": 118, "Type": "ssd"}]


def test_unknown_types_are_named(call: Account) -> None:
    error = call.refused("DescribeInstanceTypes", InstanceTypes=["t3.micro", "t3.enormous", "t4.none"])
    assert (error.code, error.message) == (
        "InvalidInstanceType",
        "The following supplied instance types do not exist: [t3.enormous, t4.none]",
    )


def test_names_may_have_wildcards(call: Account) -> None:
    names = _names(call("DescribeInstanceTypes", InstanceTypes=["t3.*"]))
    assert "t3.2xlarge" in names
    assert all(name.startswith("t3.") for name in names)


@pytest.mark.parametrize(
    ("name", "value", "inside", "outside"),
    [
        ("instance-type", "m5.*", "m5.large", "t3.micro"),
        ("vcpu-info.default-vcpus", "96", "m5.24xlarge", "t3.micro"),
        ("memory-info.size-in-mib", "1024", "t3.micro", "t3.small"),
        ("bare-metal", "true", "m5.metal", "m5.large"),
        ("current-generation", "false", "m1.small", "t3.micro"),
        ("hypervisor", "xen", "t2.micro", "t3.micro"),
        ("processor-info.supported-architecture", "arm64", "t4g.micro", "t3.micro"),
        ("network-info.maximum-network-interfaces", "2", "t3.micro", "t3.small"),
        ("network-info.maximum-network-cards", "32", "p5.48xlarge", "t3.micro"),
        ("network-info.ipv6-supported", "false", "m1.small", "t3.micro"),
        ("burstable-performance-supported", "true", "t3.micro", "m5.large"),
        ("vcpu-info.valid-threads-per-core", "2", "t3.micro", "m1.small"),
        ("supported-virtualization-type", "paravirtual", "m1.small", "t3.micro"),
        ("instance-storage-info.disk.type", "hdd", "m1.small", "c6id.large"),
        ("network-info.efa-info.maximum-efa-interfaces", "*", "p5.48xlarge", "t3.micro"),
    ],
)
def test_filters(call: Account, name: str, value: str, inside: str, outside: str) -> None:
    found = _names(call("DescribeInstanceTypes", Filters=[{"Name": name, "Values": [value]}]))
    assert inside in found
    assert outside not in found


def documented_filters(operation: str) -> list[str]:
    """The filter names in the model's documentation."""
    text = model("ec2").operation_model(operation).input_shape.members["Filters"].documentation
    return [name for name in re.findall(r"<li>\s*<p>\s*<code>([^<]+)</code> [-–]", text) if not name.startswith("tag:")]


def test_every_documented_filter_is_known(call: Account) -> None:
    names = documented_filters("DescribeInstanceTypes")
    assert len(names) > 50
    for name in names:
        call("DescribeInstanceTypes", Filters=[{"Name": name, "Values": ["none-such"]}])


def test_an_unknown_filter_is_refused(call: Account) -> None:
    error = call.refused("DescribeInstanceTypes", Filters=[{"Name": "colour", "Values": ["red"]}])
    assert (error.code, error.message) == ("InvalidParameterValue", "The filter 'colour' is invalid")


def test_pages_cover_everything_once(call: Account) -> None:
    answer = call("DescribeInstanceTypes", MaxResults=100)
    names = _names(answer)
    while token := answer.get("NextToken"):
        answer = call("DescribeInstanceTypes", MaxResults=100, NextToken=token)
        names += _names(answer)
    assert names == list(table())


@pytest.mark.parametrize("place", ["9" * 5000, "-1", "vpc-0", ""])
def test_a_token_of_another_list_is_refused(call: Account, place: str) -> None:
    error = call.refused("DescribeInstanceTypes", NextToken=encode(place))
    assert error.code == "InvalidPaginationToken"


# --- DescribeInstanceTypeOfferings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "places"),
    [
        (None, ["us-east-1"]),
        ("region", ["us-east-1"]),
        ("availability-zone", ["us-east-1a", "us-east-1b", "us-east-1c"]),
        ("availability-zone-id", ["use1-az1", "use1-az2", "use1-az3"]),
    ],
)
def test_every_type_is_offered_everywhere(call: Account, kind: str | None, places: list[str]) -> None:
    filters = [{"Name": "instance-type", "Values": ["t3.micro"]}]
    request = {"Filters": filters} | ({"LocationType": kind} if kind else {})
    offered = call("DescribeInstanceTypeOfferings", **request)["InstanceTypeOfferings"]
    assert [one["Location"] for one in offered] == places


def test_offerings_may_be_asked_of_one_place(call: Account) -> None:
    offered = call(
        "DescribeInstanceTypeOfferings",
        LocationType="availability-zone",
        Filters=[{"Name": "location", "Values": ["us-east-1b"]}, {"Name": "instance-type", "Values": ["t3.*"]}],
    )["InstanceTypeOfferings"]
    assert {one["Location"] for one in offered} == {"us-east-1b"}
