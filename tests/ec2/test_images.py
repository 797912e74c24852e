"""The sandbox image, found the ways tools look for images."""

from __future__ import annotations

from typing import Any

import pytest
from test_instance_types import documented_filters

from accounts import FIRST, Account
from enid.ec2.images import OWNER_ID, SANDBOX

ID = SANDBOX["ImageId"]


def _ids(answer: dict[str, Any]) -> list[str]:
    return [image["ImageId"] for image in answer["Images"]]


def test_the_image_is_shown_whole(call: Account) -> None:
    (image,) = call("DescribeImages")["Images"]
    assert image == SANDBOX
    assert (image["Name"], image["Architecture"], image["VirtualizationType"]) == ("enid/sandbox", "x86_64", "hvm")
    assert (image["RootDeviceType"], image["RootDeviceName"], image["State"]) == ("ebs", "/dev/sda1", "available")


@pytest.mark.parametrize(
    ("owners", "found"),
    [(["amazon"], True), ([OWNER_ID], True), (["self"], False), ([FIRST], False), (["self", "amazon"], True)],
)
def test_owners(call: Account, owners: list[str], found: bool) -> None:
    assert bool(_ids(call("DescribeImages", Owners=owners))) is found


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("name", "enid/*", True),
        ("name", "al2023-ami-*", False),
        ("architecture", "x86_64", True),
        ("architecture", "arm64", False),
        ("virtualization-type", "hvm", True),
        ("root-device-type", "ebs", True),
        ("state", "available", True),
        ("is-public", "true", True),
        ("owner-alias", "amazon", True),
        ("image-id", ID, True),
        ("platform", "windows", False),
        ("tag:Name", "*", False),
    ],
)
def test_filters(call: Account, name: str, value: str, found: bool) -> None:
    assert bool(_ids(call("DescribeImages", Filters=[{"Name": name, "Values": [value]}]))) is found


def test_every_documented_filter_is_known(call: Account) -> None:
    severities = ("informational", "low", "medium", "high", "critical")
    """Listed in the same form: they are values of one of the filters."""
    names = documented_filters("DescribeImages")
    assert len(names) > 50
    for name in names:
        if name not in severities:
            call("DescribeImages", Filters=[{"Name": name, "Values": ["none-such"]}])


def test_an_unknown_filter_is_refused(call: Account) -> None:
    error = call.refused("DescribeImages", Filters=[{"Name": "colour", "Values": ["red"]}])
    assert (error.code, error.message) == ("InvalidParameterValue", "The filter 'colour' is invalid")


def test_by_id(call: Account) -> None:
    assert _ids(call("DescribeImages", ImageIds=[ID])) == [ID]
    error = call.refused("DescribeImages", ImageIds=["ami-0123456789abcdef0"])
    assert (error.code, error.message) == (
        "InvalidAMIID.NotFound",
        "The image id '[ami-0123456789abcdef0]' does not exist",
    )
    assert call.refused("DescribeImages", ImageIds=["debian"]).code == "InvalidAMIID.Malformed"
