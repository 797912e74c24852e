"""Pools of addresses of one's own: none, said as AWS says it."""

from __future__ import annotations

import pytest

from accounts import Account


@pytest.mark.parametrize(
    ("operation", "member", "code"),
    [
        ("DescribePublicIpv4Pools", "PublicIpv4Pools", "InvalidPublicIpv4PoolID.NotFound"),
        ("DescribeIpv6Pools", "Ipv6Pools", "InvalidIpv6PoolID.NotFound"),
    ],
)
def test_there_are_none(call: Account, operation: str, member: str, code: str) -> None:
    assert call(operation) == {member: []}
    assert call(operation, MaxResults=10, Filters=[{"Name": "tag-key", "Values": ["a"]}]) == {member: []}
    assert call.refused(operation, PoolIds=["ipv4pool-ec2-12345678"]).code == code
    unknown = [{"Name": "colour", "Values": ["red"]}]
    assert call.refused(operation, Filters=unknown).code == "InvalidParameterValue"
    assert call.refused(operation, MaxResults=5000).code == "InvalidParameterValue"


def test_so_nothing_came_from_one(call: Account) -> None:
    error = call.refused("GetAssociatedIpv6PoolCidrs", PoolId="ipv6pool-ec2-12345678")
    assert error.code == "InvalidIpv6PoolID.NotFound"
