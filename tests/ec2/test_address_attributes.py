"""The reverse names of Elastic IPs: there are none, and Terraform must be able to read that."""

from __future__ import annotations

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
