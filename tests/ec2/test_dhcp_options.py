"""DHCP option sets, and the VPCs that have them."""

from __future__ import annotations

from typing import Any

import pytest

from accounts import Account

AMAZONS = {"domain-name": ["ec2.internal"], "domain-name-servers": ["AmazonProvidedDNS"]}


def made(call: Account, **options: list[str]) -> str:
    """A set's id; option names are written with underscores."""
    return str(create(call, **options)["DhcpOptionsId"])


def create(call: Account, **options: list[str]) -> dict[str, Any]:
    given = [{"Key": name.replace("_", "-"), "Values": values} for name, values in options.items()]
    return dict(call("CreateDhcpOptions", DhcpConfigurations=given)["DhcpOptions"])


def plain(shown: dict[str, Any]) -> dict[str, list[str]]:
    return {item["Key"]: [value["Value"] for value in item["Values"]] for item in shown["DhcpConfigurations"]}


def ids(call: Account, *filters: tuple[str, str]) -> set[str]:
    given = [{"Name": name, "Values": [value]} for name, value in filters]
    return {found["DhcpOptionsId"] for found in call("DescribeDhcpOptions", Filters=given)["DhcpOptions"]}


def of_vpc(call: Account, vpc: str) -> str:
    return str(call("DescribeVpcs", VpcIds=[vpc])["Vpcs"][0]["DhcpOptionsId"])


def vpc_of(call: Account) -> str:
    return str(call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])


def test_there_is_a_default_set_and_new_vpcs_have_it(call: Account) -> None:
    (default,) = call("DescribeDhcpOptions")["DhcpOptions"]
    assert plain(default) == AMAZONS
    assert default["OwnerId"] == call.account_id
    assert of_vpc(call, vpc_of(call)) == of_vpc(call, vpc_of(call)) == default["DhcpOptionsId"]
    assert len(call("DescribeDhcpOptions")["DhcpOptions"]) == 1


def test_accounts_have_sets_of_their_own(call: Account, second_account: Account) -> None:
    mine = made(call, domain_name=["mine.example"])
    assert mine not in ids(second_account)
    assert ids(call).isdisjoint(ids(second_account))
    vpc = vpc_of(second_account)
    error = second_account.refused("AssociateDhcpOptions", VpcId=vpc, DhcpOptionsId=mine)
    assert error.code == "InvalidDhcpOptionID.NotFound"
    assert second_account.refused("DeleteDhcpOptions", DhcpOptionsId=mine).code == "InvalidDhcpOptionID.NotFound"


def test_elsewhere_than_in_virginia_the_domain_names_the_region(call: Account) -> None:
    call.settings = call.settings.model_copy(update={"region": "eu-west-1"})
    (default,) = call("DescribeDhcpOptions")["DhcpOptions"]
    assert plain(default)["domain-name"] == ["eu-west-1.compute.internal"]


def test_a_set_of_ones_own(call: Account) -> None:
    options = {
        "domain_name": ["corp.example.com"],
        "domain_name_servers": ["10.0.0.53", "AmazonProvidedDNS", "2001:db8::53"],
        "ntp_servers": ["10.0.0.123"],
        "netbios_name_servers": ["10.0.0.137"],
        "netbios_node_type": ["2"],
        "ipv6_address_preferred_lease_time": ["2147483647"],
    }
    shown = create(call, **options)
    assert plain(shown) == {name.replace("_", "-"): values for name, values in options.items()}
    vpc = vpc_of(call)
    call("AssociateDhcpOptions", VpcId=vpc, DhcpOptionsId=shown["DhcpOptionsId"])
    assert ("vpc", vpc) in call.changed
    assert of_vpc(call, vpc) == shown["DhcpOptionsId"]
    call("AssociateDhcpOptions", VpcId=vpc, DhcpOptionsId="default")
    assert of_vpc(call, vpc) == "default"


def test_deletion(call: Account) -> None:
    id_, vpc = made(call, domain_name=["corp.example.com"]), vpc_of(call)
    call("AssociateDhcpOptions", VpcId=vpc, DhcpOptionsId=id_)
    error = call.refused("DeleteDhcpOptions", DhcpOptionsId=id_)
    assert error.code == "DependencyViolation"
    assert vpc in error.message
    call("AssociateDhcpOptions", VpcId=vpc, DhcpOptionsId="default")
    call("DeleteDhcpOptions", DhcpOptionsId=id_)
    assert id_ not in ids(call)
    error = call.refused("DeleteDhcpOptions", DhcpOptionsId=id_)
    assert (error.code, error.message) == (
        "InvalidDhcpOptionID.NotFound",
        f"The dhcpOption ID '{id_}' does not exist",
    )


def test_a_deleted_default_set_is_made_anew(call: Account) -> None:
    (default,) = ids(call)
    call("DeleteDhcpOptions", DhcpOptionsId=default)
    assert ids(call).isdisjoint({default})


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({}, "MissingParameter"),
        ({"domain_name_servers": [f"10.0.0.{number}" for number in range(5)]}, "InvalidParameterValue"),
        ({"ntp_servers": [f"10.0.0.{number}" for number in range(5)]}, "InvalidParameterValue"),
        ({"domain_name_servers": ["amazon"]}, "InvalidParameterValue"),
        ({"ntp_servers": ["AmazonProvidedDNS"]}, "InvalidParameterValue"),
        ({"domain_name_servers": []}, "InvalidParameterValue"),
        ({"domain_name": ["a..b"]}, "InvalidParameterValue"),
        ({"domain_name": ["a.example", "b.example"]}, "InvalidParameterValue"),
        ({"domain_name": ["a\nnameserver 1.2.3.4"]}, "InvalidParameterValue"),
        ({"netbios_node_type": ["3"]}, "InvalidParameterValue"),
        ({"color": ["red"]}, "InvalidParameterValue"),
        ({"ipv6_address_preferred_lease_time": ["139"]}, "InvalidParameterValue"),
        ({"ipv6_address_preferred_lease_time": ["2147483648"]}, "InvalidParameterValue"),
        ({"ipv6_address_preferred_lease_time": ["2h"]}, "InvalidParameterValue"),
        ({"ipv6_address_preferred_lease_time": ["140", "150"]}, "InvalidParameterValue"),
    ],
)
def test_what_is_refused(call: Account, options: dict[str, list[str]], code: str) -> None:
    given = [{"Key": name.replace("_", "-"), "Values": values} for name, values in options.items()]
    assert call.refused("CreateDhcpOptions", DhcpConfigurations=given).code == code


def test_a_key_twice(call: Account) -> None:
    given = [{"Key": "domain-name", "Values": ["a.example"]}, {"Key": "domain-name", "Values": ["b.example"]}]
    assert call.refused("CreateDhcpOptions", DhcpConfigurations=given).code == "InvalidParameterValue"


def test_malformed_ids(call: Account) -> None:
    assert call.refused("DeleteDhcpOptions", DhcpOptionsId="dopt-x").code == "InvalidDhcpOptionsId.Malformed"
    error = call.refused("AssociateDhcpOptions", VpcId=vpc_of(call), DhcpOptionsId="none")
    assert error.code == "InvalidDhcpOptionsId.Malformed"


def test_filters_and_tags(call: Account) -> None:
    (default,) = ids(call)
    given = [{"Key": "domain-name", "Values": ["corp.example.com"]}, {"Key": "ntp-servers", "Values": ["10.0.0.9"]}]
    tagged = [{"ResourceType": "dhcp-options", "Tags": [{"Key": "Name", "Value": "corp"}]}]
    corp = call("CreateDhcpOptions", DhcpConfigurations=given, TagSpecifications=tagged)["DhcpOptions"]
    assert corp["Tags"] == [{"Key": "Name", "Value": "corp"}]
    id_ = corp["DhcpOptionsId"]
    assert ids(call, ("key", "ntp-servers")) == {id_}
    assert ids(call, ("key", "domain-*")) == {id_, default}
    assert ids(call, ("value", "*.example.com")) == {id_}
    assert ids(call, ("value", "AmazonProvidedDNS")) == {default}
    assert ids(call, ("dhcp-options-id", default)) == {default}
    assert ids(call, ("owner-id", call.account_id)) == {id_, default}
    assert ids(call, ("tag:Name", "corp")) == {id_}
    vpc = vpc_of(call)
    found = call("DescribeVpcs", Filters=[{"Name": "dhcp-options-id", "Values": [default]}])["Vpcs"]
    assert [item["VpcId"] for item in found] == [vpc]
