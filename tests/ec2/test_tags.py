"""Tags: what they may be, how they come and go, and which of them DescribeTags shows."""

from __future__ import annotations

from typing import Any

import pytest
from small_network import Network

from accounts import Account


@pytest.fixture
def eni(call: Account) -> str:
    return Network(call).interface()


def tag(call: Account, id_: str, **tags: str) -> None:
    call("CreateTags", Resources=[id_], Tags=[{"Key": key, "Value": value} for key, value in tags.items()])


def shown(call: Account, *filters: tuple[str, str]) -> list[tuple[str, str]]:
    answer = call("DescribeTags", Filters=[{"Name": name, "Values": [value]} for name, value in filters])
    return [(item["Key"], item["Value"]) for item in answer["Tags"]]


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("k" * 127, "v" * 256, None),
        ("k" * 128, "v", "InvalidParameterValue"),
        ("k", "v" * 257, "InvalidParameterValue"),
        ("aws:k", "v", "InvalidParameterValue"),
        ("", "v", "MissingParameter"),
    ],
)
def test_how_long_they_may_be(call: Account, eni: str, key: str, value: str, code: str | None) -> None:
    request: dict[str, Any] = {"Resources": [eni], "Tags": [{"Key": key, "Value": value}]}
    if code is None:
        call("CreateTags", **request)
        assert shown(call) == [(key, value)]
    else:
        assert call.refused("CreateTags", **request).code == code


def test_a_resource_has_fifty_at_most(call: Account, eni: str) -> None:
    tag(call, eni, **{f"k{number}": "v" for number in range(50)})
    tag(call, eni, k0="another value")
    more = [{"Key": "one-more", "Value": ""}]
    assert call.refused("CreateTags", Resources=[eni], Tags=more).code == "TagLimitExceeded"


def test_all_resources_or_none(call: Account, eni: str) -> None:
    there_and_not = [eni, "eni-0123456789abcdef0"]
    assert call.refused("CreateTags", Resources=there_and_not, Tags=[{"Key": "k", "Value": "v"}]).code == (
        "InvalidNetworkInterfaceID.NotFound"
    )
    assert shown(call) == []


def test_a_value_given_with_a_deletion_must_be_the_tags(call: Account, eni: str) -> None:
    tag(call, eni, a="1", b="2", c="3")
    call("DeleteTags", Resources=[eni], Tags=[{"Key": "a", "Value": "9"}, {"Key": "b"}])
    assert shown(call) == [("a", "1"), ("c", "3")]
    call("DeleteTags", Resources=[eni])
    assert shown(call) == []


def test_each_filter_selects_tags_not_resources(call: Account, eni: str) -> None:
    tag(call, eni, **{"Stack": "Test", "Owner": "Test", "Purpose": "", "St*": "wild"})
    assert shown(call, ("tag:Stack", "T?st")) == [("Stack", "Test")]
    assert shown(call, ("key", "Stack"), ("value", "Test")) == [("Stack", "Test")]
    assert shown(call, ("tag:St*", "*")) == [("St*", "wild")], "a key is literal"
    assert shown(call, ("tag:Stack", "Other")) == []
    assert shown(call, ("key", "Purpose"), ("value", "")) == [("Purpose", "")]
    assert shown(call, ("key", "St*"), ("resource-id", eni)) == [("St*", "wild"), ("Stack", "Test")]
    assert len(shown(call, ("resource-type", "network-interface"))) == 4
