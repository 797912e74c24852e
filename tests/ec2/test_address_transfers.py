"""Elastic IPs that change accounts: offered, taken back, accepted, in sight for a while."""

from __future__ import annotations

from typing import Any

import pytest
from small_network import FIRST, SECOND, Network
from sqlalchemy import update

from accounts import Account
from enid.store import tables as t


def offer(call: Account, **params: Any) -> dict[str, Any]:
    return dict(call("EnableAddressTransfer", TransferAccountId=SECOND, **params)["AddressTransfer"])


def transfers(call: Account, **params: Any) -> list[dict[str, Any]]:
    return list(call("DescribeAddressTransfers", **params)["AddressTransfers"])


def test_an_offered_address_becomes_the_others_under_its_own_id(call: Account, second_account: Account) -> None:
    tagged = [{"ResourceType": "elastic-ip", "Tags": [{"Key": "Name", "Value": "ours"}]}]
    made = call("AllocateAddress", TagSpecifications=tagged)
    shown = offer(call, AllocationId=made["AllocationId"])
    assert shown == {
        "PublicIp": made["PublicIp"],
        "AllocationId": made["AllocationId"],
        "TransferAccountId": SECOND,
        "TransferOfferExpirationTimestamp": shown["TransferOfferExpirationTimestamp"],
        "AddressTransferStatus": "pending",
    }
    assert transfers(call) == [shown]
    assert transfers(second_account) == []
    theirs = [{"ResourceType": "elastic-ip", "Tags": [{"Key": "Name", "Value": "theirs"}]}]
    accepted = second_account("AcceptAddressTransfer", Address=made["PublicIp"], TagSpecifications=theirs)
    assert accepted["AddressTransfer"]["AddressTransferStatus"] == "accepted"
    (address,) = second_account("DescribeAddresses")["Addresses"]
    assert (address["AllocationId"], address["PublicIp"]) == (made["AllocationId"], made["PublicIp"])
    assert address["Tags"] == [{"Key": "Name", "Value": "theirs"}]
    assert call("DescribeAddresses")["Addresses"] == []
    assert [one["AddressTransferStatus"] for one in transfers(call)] == ["accepted"]
    call.put(update(t.address_transfers).values(accepted_at="2020-01-01T00:00:00.000Z"))
    assert transfers(call) == []
    assert offer_back(second_account, made["AllocationId"])["AddressTransferStatus"] == "pending"
    call("AcceptAddressTransfer", Address=made["PublicIp"])
    assert len(call("DescribeAddresses")["Addresses"]) == 1


def offer_back(call: Account, allocation: str) -> dict[str, Any]:
    return dict(call("EnableAddressTransfer", TransferAccountId=FIRST, AllocationId=allocation)["AddressTransfer"])


def test_an_offer_can_be_taken_back_and_runs_out(call: Account, second_account: Account) -> None:
    made = call("AllocateAddress")
    offer(call, AllocationId=made["AllocationId"])
    answer = call("DisableAddressTransfer", AllocationId=made["AllocationId"])["AddressTransfer"]
    assert answer["AddressTransferStatus"] == "disabled"
    assert transfers(call) == []
    refusal = second_account.refused("AcceptAddressTransfer", Address=made["PublicIp"])
    assert refusal.code == "InvalidAddress.NotFound"
    assert call.refused("DisableAddressTransfer", AllocationId=made["AllocationId"]).code == "InvalidParameterValue"
    offer(call, AllocationId=made["AllocationId"])
    call.put(update(t.address_transfers).values(expires_at="2020-01-01T00:00:00.000Z"))
    assert transfers(call) == []
    refusal = second_account.refused("AcceptAddressTransfer", Address=made["PublicIp"])
    assert refusal.code == "InvalidAddress.NotFound"


def test_what_stands_in_the_way_stands_in_the_way_of_the_acceptance(call: Account, second_account: Account) -> None:
    net = Network(call)
    made = call("AllocateAddress")
    ids = {"AllocationId": made["AllocationId"]}
    association = call("AssociateAddress", **ids, NetworkInterfaceId=net.interface())["AssociationId"]
    offer(call, **ids)
    accept = {"Address": made["PublicIp"]}
    assert second_account.refused("AcceptAddressTransfer", **accept).code == "InvalidTransfer.AddressAssociated"
    call("DisassociateAddress", AssociationId=association)
    call("ModifyAddressAttribute", **ids, DomainName="mail.example.com")
    assert second_account.refused("AcceptAddressTransfer", **accept).code == "InvalidTransfer.AddressCustomPtrSet"
    call("ResetAddressAttribute", **ids, Attribute="domain-name")
    for _ in range(5):
        second_account("AllocateAddress")
    assert second_account.refused("AcceptAddressTransfer", **accept).code == "AddressLimitExceeded"


def test_a_released_address_is_no_longer_offered(call: Account, second_account: Account) -> None:
    made = call("AllocateAddress")
    offer(call, AllocationId=made["AllocationId"])
    call("ReleaseAddress", AllocationId=made["AllocationId"])
    assert transfers(call) == []
    call("AllocateAddress", Address=made["PublicIp"])
    assert second_account.refused("AcceptAddressTransfer", Address=made["PublicIp"]).code == "InvalidAddress.NotFound"


@pytest.mark.parametrize("account", [FIRST, "mine", "12"])
def test_who_cannot_be_offered_an_address(call: Account, account: str) -> None:
    params = {"AllocationId": call("AllocateAddress")["AllocationId"], "TransferAccountId": account}
    assert call.refused("EnableAddressTransfer", **params).code == "InvalidParameterValue"


def test_only_the_account_it_is_offered_to_may_accept_and_only_the_owner_offer(
    call: Account, second_account: Account
) -> None:
    made = call("AllocateAddress")
    params = {"AllocationId": made["AllocationId"], "TransferAccountId": "333333333333"}
    assert second_account.refused("EnableAddressTransfer", **params).code == "InvalidAllocationID.NotFound"
    call("EnableAddressTransfer", **params)
    assert second_account.refused("AcceptAddressTransfer", Address=made["PublicIp"]).code == "InvalidAddress.NotFound"


def test_transfers_are_selected_by_id_and_come_in_pages(call: Account) -> None:
    call.limit(addresses=7)
    ids = sorted(call("AllocateAddress")["AllocationId"] for _ in range(6))
    for id_ in ids:
        offer(call, AllocationId=id_)
    assert [one["AllocationId"] for one in transfers(call, AllocationIds=[ids[2]])] == [ids[2]]
    first = call("DescribeAddressTransfers", MaxResults=5)
    second = call("DescribeAddressTransfers", MaxResults=5, NextToken=first["NextToken"])
    found = [one["AllocationId"] for page in (first, second) for one in page["AddressTransfers"]]
    assert found == ids
