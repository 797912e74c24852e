"""The reverse names of Elastic IPs: recorded and shown, and Terraform asks after every address that has none."""

from __future__ import annotations

import pytest

from accounts import Account


def test_every_elastic_ip_has_no_name(call: Account, second_account: Account) -> None:
    made = [call("AllocateAddress") for _ in range(3)]
    second_account("AllocateAddress")
    shown = call("DescribeAddressesAttribute", Attribute="domain-name")["Addresses"]
    expected = [{"AllocationId": one["AllocationId"], "PublicIp": one["PublicIp"]} for one in made]
    assert shown == sorted(expected, key=lambda one: one["AllocationId"])
    wanted = made[1]["AllocationId"]
    (one,) = call("DescribeAddressesAttribute", AllocationIds=[wanted], Attribute="domain-name")["Addresses"]
    assert one["AllocationId"] == wanted
    theirs = second_account("DescribeAddresses")["Addresses"][0]["AllocationId"]
    assert call.refused("DescribeAddressesAttribute", AllocationIds=[theirs]).code == "InvalidAllocationID.NotFound"


def test_a_name_is_recorded_shown_and_reset(call: Account) -> None:
    id_ = call("AllocateAddress")["AllocationId"]
    for name, record in (("mail.example.com", "mail.example.com."), ("mx.example.com.", "mx.example.com.")):
        answer = call("ModifyAddressAttribute", AllocationId=id_, DomainName=name)["Address"]
        assert answer["PtrRecord"] == record
        assert call("DescribeAddressesAttribute", Attribute="domain-name")["Addresses"] == [answer]
    assert call.refused("ReleaseAddress", AllocationId=id_).code == "InvalidAddress.Locked"
    assert "PtrRecord" not in call("ResetAddressAttribute", AllocationId=id_, Attribute="domain-name")["Address"]
    call("ReleaseAddress", AllocationId=id_)


@pytest.mark.parametrize("name", ["localhost", "a b.example.com", "-a.example.com", f"{'a' * 64}.com", "a..com"])
def test_what_is_no_domain_name_is_refused(call: Account, name: str) -> None:
    id_ = call("AllocateAddress")["AllocationId"]
    error = call.refused("ModifyAddressAttribute", AllocationId=id_, DomainName=name)
    assert error.code == "InvalidParameterValue"
    assert call.refused("ModifyAddressAttribute", AllocationId=id_).code == "MissingParameter"


def test_another_accounts_address_does_not_exist(call: Account, second_account: Account) -> None:
    id_ = call("AllocateAddress")["AllocationId"]
    for action, params in (
        ("ModifyAddressAttribute", {"DomainName": "mail.example.com"}),
        ("ResetAddressAttribute", {"Attribute": "domain-name"}),
    ):
        assert second_account.refused(action, AllocationId=id_, **params).code == "InvalidAllocationID.NotFound"
