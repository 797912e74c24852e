"""Zones, the region, and the account's attributes."""

from __future__ import annotations

import pytest

from accounts import Account
from enid.ec2 import availability_zones
from enid.settings import Settings


@pytest.mark.parametrize(
    ("region", "first"),
    [
        ("us-east-1", "use1-az1"),
        ("us-west-2", "usw2-az1"),
        ("eu-central-1", "euc1-az1"),
        ("ap-southeast-2", "apse2-az1"),
        ("ap-northeast-3", "apne3-az1"),
        ("us-gov-west-1", "usgw1-az1"),
        ("ca-central-1", "cac1-az1"),
    ],
)
def test_zone_ids_are_built_as_aws_builds_them(region: str, first: str) -> None:
    assert availability_zones.zone_ids(Settings(region=region))[f"{region}a"] == first


def zones(call: Account, name: str, value: str) -> list[str]:
    shown = call("DescribeAvailabilityZones", Filters=[{"Name": name, "Values": [value]}])["AvailabilityZones"]
    return [zone["ZoneName"][-1] for zone in shown]


def test_zones_and_their_filters(call: Account) -> None:
    assert [zone["ZoneId"] for zone in call("DescribeAvailabilityZones")["AvailabilityZones"]] == [
        "use1-az1",
        "use1-az2",
        "use1-az3",
    ]
    assert zones(call, "zone-name", "*b") == ["b"]
    assert zones(call, "zone-id", "use1-az3") == ["c"]
    for name, value in {
        "group-long-name": "us-east-1*",
        "group-name": "us-east-1-zg-1",
        "opt-in-status": "opt-in-not-required",
        "region-name": "us-east-1",
        "state": "available",
        "zone-type": "availability-zone",
    }.items():
        assert zones(call, name, value) == ["a", "b", "c"], name
    for name in ("message", "parent-zone-id", "parent-zone-name"):
        assert zones(call, name, "*") == [], name


def test_zones_by_name_and_id(call: Account) -> None:
    [zone] = call("DescribeAvailabilityZones", ZoneNames=["us-east-1b"])["AvailabilityZones"]
    assert call("DescribeAvailabilityZones", ZoneIds=[zone["ZoneId"]])["AvailabilityZones"] == [zone]
    error = call.refused("DescribeAvailabilityZones", ZoneNames=["us-east-1z"])
    assert error.code == "InvalidParameterValue"


def test_there_is_one_region_and_it_is_here(call: Account) -> None:
    [region] = call("DescribeRegions")["Regions"]
    assert (region["RegionName"], region["Endpoint"]) == ("us-east-1", "127.0.0.1:8773")
    assert call("DescribeRegions", Filters=[{"Name": "region-name", "Values": ["eu-*"]}])["Regions"] == []
    assert call.refused("DescribeRegions", RegionNames=["eu-west-1"]).code == "InvalidParameterValue"


def test_account_attributes(call: Account) -> None:
    shown = {
        attribute["AttributeName"]: [value["AttributeValue"] for value in attribute["AttributeValues"]]
        for attribute in call("DescribeAccountAttributes")["AccountAttributes"]
    }
    assert shown["supported-platforms"] == ["VPC"]
    assert shown["default-vpc"] == ["none"]
    assert shown["vpc-max-elastic-ips"] == ["5"]
    [one] = call("DescribeAccountAttributes", AttributeNames=["default-vpc"])["AccountAttributes"]
    assert one["AttributeName"] == "default-vpc"
