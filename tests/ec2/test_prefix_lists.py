"""Managed prefix lists: versions, sizes, and who uses them."""

from __future__ import annotations

from typing import Any

import pytest

from accounts import FIRST, Account


def entries(*blocks: str, **more: str) -> list[dict[str, str]]:
    return [{"Cidr": block, **more} for block in blocks]


def list_of(call: Account, name: str = "offices", size: int = 5, **params: Any) -> dict[str, Any]:
    request = {"PrefixListName": name, "MaxEntries": size, "AddressFamily": "IPv4", **params}
    return dict(call("CreateManagedPrefixList", **request)["PrefixList"])


def modify(call: Account, shown: dict[str, Any], **params: Any) -> dict[str, Any]:
    return dict(call("ModifyManagedPrefixList", PrefixListId=shown["PrefixListId"], **params)["PrefixList"])


def blocks_of(call: Account, shown: dict[str, Any], **params: Any) -> dict[str, str | None]:
    answer = call("GetManagedPrefixListEntries", PrefixListId=shown["PrefixListId"], **params)
    return {entry["Cidr"]: entry.get("Description") for entry in answer["Entries"]}


def test_a_new_list(call: Account) -> None:
    shown = list_of(call, Entries=entries("192.0.2.7/24", Description="Paris") + entries("10.0.0.0/8"))
    assert call.changed == [("prefix_list", shown["PrefixListId"])]
    assert shown["PrefixListArn"] == f"arn:aws:ec2:us-east-1:{FIRST}:prefix-list/{shown['PrefixListId']}"
    assert shown | {"Version": 1, "State": "create-complete", "MaxEntries": 5, "OwnerId": FIRST} == shown
    assert blocks_of(call, shown) == {"10.0.0.0/8": None, "192.0.2.0/24": "Paris"}


def test_every_version_stays_readable(call: Account) -> None:
    shown = list_of(call, Entries=entries("10.0.0.0/8", "192.0.2.0/24"))
    second = modify(
        call, shown, CurrentVersion=1, AddEntries=entries("172.16.0.0/12"), RemoveEntries=entries("10.0.0.0/8")
    )
    assert (second["Version"], second["State"]) == (2, "modify-complete")
    assert call.changed == [("prefix_list", shown["PrefixListId"])]
    modify(call, shown, CurrentVersion=2, AddEntries=entries("192.0.2.0/24", Description="Paris"))
    modify(call, shown, CurrentVersion=3, AddEntries=entries("10.0.0.0/8"))
    assert blocks_of(call, shown, TargetVersion=1) == {"10.0.0.0/8": None, "192.0.2.0/24": None}
    assert blocks_of(call, shown, TargetVersion=2) == {"172.16.0.0/12": None, "192.0.2.0/24": None}
    assert blocks_of(call, shown, TargetVersion=3) == {"172.16.0.0/12": None, "192.0.2.0/24": "Paris"}
    assert set(blocks_of(call, shown)) == {"10.0.0.0/8", "172.16.0.0/12", "192.0.2.0/24"}
    request = {"PrefixListId": shown["PrefixListId"], "TargetVersion": 5}
    assert call.refused("GetManagedPrefixListEntries", **request).code == "InvalidParameterValue"


def test_name_and_size_make_no_version(call: Account) -> None:
    shown = list_of(call, Entries=entries("10.0.0.0/8", "192.0.2.0/24"))
    renamed = modify(call, shown, PrefixListName="branches")
    resized = modify(call, shown, MaxEntries=2)
    assert (renamed["PrefixListName"], resized["MaxEntries"], resized["Version"]) == ("branches", 2, 1)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"AddEntries": entries("172.16.0.0/12")}, "MissingParameter"),
        ({"AddEntries": entries("172.16.0.0/12"), "CurrentVersion": 2}, "PrefixListVersionMismatch"),
        (
            {"AddEntries": entries("172.16.0.0/12", "1.0.0.0/8"), "CurrentVersion": 1},
            "PrefixListMaxEntriesExceeded",
        ),
        ({"AddEntries": entries("1.0.0.0/8"), "CurrentVersion": 1, "MaxEntries": 9}, "InvalidParameterCombination"),
        ({"RemoveEntries": entries("1.0.0.0/8"), "CurrentVersion": 1}, "InvalidPrefixListModification"),
        ({"AddEntries": entries("2001:db8::/32"), "CurrentVersion": 1}, "InvalidParameterValue"),
        ({"AddEntries": entries("1.0.0.0/8", "1.2.3.4/8"), "CurrentVersion": 1}, "InvalidParameterValue"),
        ({"MaxEntries": 1}, "PrefixListMaxEntriesExceeded"),
        ({"MaxEntries": 0}, "InvalidParameterValue"),
        ({"PrefixListName": "com.amazonaws.mine"}, "InvalidParameterValue"),
        ({"IpamPrefixListResolverSyncEnabled": True}, "UnsupportedOperation"),
    ],
)
def test_modifications_that_may_not_be(call: Account, params: dict[str, Any], code: str) -> None:
    shown = list_of(call, size=3, Entries=entries("10.0.0.0/8", "192.0.2.0/24"))
    request = {"PrefixListId": shown["PrefixListId"], **params}
    assert call.refused("ModifyManagedPrefixList", **request).code == code


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"AddressFamily": "IPX"}, "InvalidParameterValue"),
        ({"PrefixListName": "com.amazonaws.us-east-1.s3"}, "InvalidParameterValue"),
        ({"MaxEntries": 1001}, "InvalidParameterValue"),
        ({"Entries": entries("10.0.0.0/8", "192.0.2.0/24")}, "PrefixListMaxEntriesExceeded"),
        ({"Entries": entries("::/0")}, "InvalidParameterValue"),
    ],
)
def test_lists_that_may_not_be(call: Account, params: dict[str, Any], code: str) -> None:
    request = {"PrefixListName": "offices", "MaxEntries": 1, "AddressFamily": "IPv4", **params}
    assert call.refused("CreateManagedPrefixList", **request).code == code


def test_a_rule_that_refers_to_a_list_holds_it_and_counts_its_size(call: Account) -> None:
    vpc = call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = call("CreateSecurityGroup", GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    shown = list_of(call, size=60)
    id_ = shown["PrefixListId"]
    permission = {"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": id_}]}
    rules = call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[permission])["SecurityGroupRules"]
    assert rules[0]["PrefixListId"] == id_
    users = call("GetManagedPrefixListAssociations", PrefixListId=id_)["PrefixListAssociations"]
    assert users == [{"ResourceId": group, "ResourceOwner": FIRST}]

    error = call.refused("DeleteManagedPrefixList", PrefixListId=id_)
    assert error.code == "DependencyViolation"
    assert group in error.message
    limit = "RulesPerSecurityGroupLimitExceeded"
    more = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
    assert call.refused("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=more).code == limit
    assert call.refused("ModifyManagedPrefixList", PrefixListId=id_, MaxEntries=61).code == limit
    ipv6 = [{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]
    call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=ipv6)

    ids = [rules[0]["SecurityGroupRuleId"]]
    call("RevokeSecurityGroupIngress", GroupId=group, SecurityGroupRuleIds=ids)
    deleted = call("DeleteManagedPrefixList", PrefixListId=id_)["PrefixList"]
    assert deleted["State"] == "delete-complete"
    assert call.changed == [("prefix_list", id_)]
    assert call.refused("DeleteManagedPrefixList", PrefixListId=id_).code == "InvalidPrefixListID.NotFound"


def test_filters_and_the_older_call(call: Account, second_account: Account) -> None:
    list_of(call, "others")
    tags = [{"ResourceType": "prefix-list", "Tags": [{"Key": "Name", "Value": "x"}]}]
    shown = list_of(call, Entries=entries("192.0.2.0/24", "10.0.0.0/8"), TagSpecifications=tags)
    id_ = shown["PrefixListId"]
    for name, value in (("prefix-list-id", id_), ("prefix-list-name", "off*"), ("tag:Name", "x"), ("tag-key", "Name")):
        wanted = [{"Name": name, "Values": [value]}]
        assert call("DescribeManagedPrefixLists", Filters=wanted)["PrefixLists"] == [shown]
        [old] = call("DescribePrefixLists", Filters=wanted)["PrefixLists"]
        assert old == {"PrefixListId": id_, "PrefixListName": "offices", "Cidrs": ["10.0.0.0/8", "192.0.2.0/24"]}
    owned = [{"Name": "owner-id", "Values": [FIRST]}]
    assert len(call("DescribeManagedPrefixLists", Filters=owned)["PrefixLists"]) == 2
    assert [one["OwnerId"] for one in second_account("DescribeManagedPrefixLists")["PrefixLists"]] == ["AWS", "AWS"]


def test_pages_of_entries(call: Account) -> None:
    shown = list_of(call, Entries=entries(*(f"10.{number}.0.0/16" for number in range(5))))
    request = {"PrefixListId": shown["PrefixListId"], "MaxResults": 3}
    first = call("GetManagedPrefixListEntries", **request)
    second = call("GetManagedPrefixListEntries", NextToken=first["NextToken"], **request)
    assert [len(first["Entries"]), len(second["Entries"])] == [3, 2]
    assert "NextToken" not in second


def test_an_earlier_version_is_restored(call: Account) -> None:
    shown = list_of(call, Entries=entries("10.0.0.0/8") + entries("192.0.2.0/24", Description="Paris"))
    modify(call, shown, CurrentVersion=1, AddEntries=entries("192.0.2.0/24"), RemoveEntries=entries("10.0.0.0/8"))
    request = {"PrefixListId": shown["PrefixListId"], "PreviousVersion": 1}
    error = call.refused("RestoreManagedPrefixListVersion", **request, CurrentVersion=1)
    assert error.code == "PrefixListVersionMismatch"
    restored = call("RestoreManagedPrefixListVersion", **request, CurrentVersion=2)["PrefixList"]
    assert call.changed == [("prefix_list", shown["PrefixListId"])]
    assert (restored["Version"], restored["State"]) == (3, "restore-complete")
    assert blocks_of(call, shown) == {"10.0.0.0/8": None, "192.0.2.0/24": "Paris"}
    assert blocks_of(call, shown, TargetVersion=2) == {"192.0.2.0/24": None}
    modify(call, shown, CurrentVersion=3, RemoveEntries=entries("10.0.0.0/8"))
    modify(call, shown, MaxEntries=1)
    error = call.refused("RestoreManagedPrefixListVersion", **request, CurrentVersion=4)
    assert error.code == "PrefixListMaxEntriesExceeded"
    request["PreviousVersion"] = 4
    error = call.refused("RestoreManagedPrefixListVersion", **request, CurrentVersion=4)
    assert error.code == "InvalidParameterValue"


def test_awss_own_lists_are_there_and_empty(call: Account) -> None:
    named = [{"Name": "prefix-list-name", "Values": ["*.s3"]}]
    [shown] = call("DescribeManagedPrefixLists", Filters=named)["PrefixLists"]
    assert (shown["PrefixListName"], shown["OwnerId"]) == ("com.amazonaws.us-east-1.s3", "AWS")
    id_ = shown["PrefixListId"]
    assert call("DescribeManagedPrefixLists", PrefixListIds=[id_])["PrefixLists"] == [shown]
    assert call("DescribePrefixLists", PrefixListIds=[id_])["PrefixLists"] == [
        {"PrefixListId": id_, "PrefixListName": "com.amazonaws.us-east-1.s3", "Cidrs": []}
    ]
    assert call("GetManagedPrefixListEntries", PrefixListId=id_)["Entries"] == []
    tagged = [{"Name": "tag-key", "Values": ["*"]}]
    assert call("DescribeManagedPrefixLists", Filters=tagged)["PrefixLists"] == []
    mine = list_of(call)
    both = call("DescribeManagedPrefixLists", PrefixListIds=[id_, mine["PrefixListId"]])["PrefixLists"]
    assert both == [mine, shown]
    assert call.refused("DeleteManagedPrefixList", PrefixListId=id_).code == "InvalidPrefixListID.NotFound"
    vpc = call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = call("CreateSecurityGroup", GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    permission = {"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": id_}]}
    call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[permission])
