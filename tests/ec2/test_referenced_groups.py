"""Rules that refer to groups of a peered VPC: what is allowed, what is shown, and what goes stale."""

from __future__ import annotations

from typing import Any

import pytest
from peers import accept, agent, ask, vpc_of

from accounts import Account

INGRESS = "AuthorizeSecurityGroupIngress"


def group_of(account: Account, vpc: str, name: str = "web") -> str:
    return str(account("CreateSecurityGroup", GroupName=name, Description="x", VpcId=vpc)["GroupId"])


def permission(group: str, owner: Account | None = None) -> list[dict[str, Any]]:
    pair = {"GroupId": group, **({"UserId": owner.account_id} if owner else {})}
    return [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [pair]}]


class Peers:
    """A group of each account, in VPCs with an active connection."""

    def __init__(self, call: Account, other: Account) -> None:
        self.call, self.other = call, other
        self.mine, self.theirs = vpc_of(call), vpc_of(other, "10.1.0.0/16")
        self.id = ask(call, self.mine, self.theirs, other)
        accept(other, self.id)
        self.web, self.far = group_of(call, self.mine), group_of(other, self.theirs)

    def refer(self, action: str = INGRESS) -> Any:
        return self.call(action, GroupId=self.web, IpPermissions=permission(self.far, self.other))

    def pair(self, member: str = "IpPermissions") -> dict[str, Any]:
        (group,) = self.call("DescribeSecurityGroups", GroupIds=[self.web])["SecurityGroups"]
        (found,) = [pair for item in group[member] for pair in item["UserIdGroupPairs"]]
        return dict(found)

    def stale(self) -> list[dict[str, Any]]:
        return list(self.call("DescribeStaleSecurityGroups", VpcId=self.mine)["StaleSecurityGroupSet"])


@pytest.fixture
def peers(call: Account, second_account: Account) -> Peers:
    return Peers(call, second_account)


def test_what_a_rule_shows(peers: Peers) -> None:
    (rule,) = peers.refer()["SecurityGroupRules"]
    across = {
        "GroupId": peers.far,
        "UserId": peers.other.account_id,
        "VpcId": peers.theirs,
        "VpcPeeringConnectionId": peers.id,
        "PeeringStatus": "active",
    }
    assert rule["ReferencedGroupInfo"] == across
    assert peers.pair() == across
    assert peers.stale() == []
    filters = [{"Name": "ip-permission.user-id", "Values": [peers.other.account_id]}]
    assert len(peers.call("DescribeSecurityGroups", Filters=filters)["SecurityGroups"]) == 1
    assert peers.call.refused(INGRESS, GroupId=peers.web, IpPermissions=permission(peers.far)).code == (
        "InvalidPermission.Duplicate"
    )


def test_the_other_side_learns_who_refers_to_its_group(peers: Peers) -> None:
    assert peers.other("DescribeSecurityGroupReferences", GroupId=[peers.far])["SecurityGroupReferenceSet"] == []
    peers.refer()
    peers.refer("AuthorizeSecurityGroupEgress")
    assert peers.other("DescribeSecurityGroupReferences", GroupId=[peers.far])["SecurityGroupReferenceSet"] == [
        {"GroupId": peers.far, "ReferencingVpcId": peers.mine, "VpcPeeringConnectionId": peers.id}
    ]
    assert peers.call.refused("DescribeSecurityGroupReferences", GroupId=[peers.far]).code == "InvalidGroup.NotFound"


@pytest.mark.parametrize("how", ["connection", "group"])
def test_a_rule_goes_stale_and_can_be_revoked(peers: Peers, how: str) -> None:
    peers.refer()
    if how == "connection":
        peers.call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=peers.id)
        agent(peers.call)
    else:
        peers.other("DeleteSecurityGroup", GroupId=peers.far)
    (stale,) = peers.stale()
    assert (stale["GroupId"], stale["GroupName"], stale["VpcId"]) == (peers.web, "web", peers.mine)
    assert stale["StaleIpPermissionsEgress"] == []
    (found,) = stale["StaleIpPermissions"]
    (pair,) = found["UserIdGroupPairs"]
    assert pair == peers.pair()
    assert pair["PeeringStatus"] == ("deleted" if how == "connection" else "active")
    peers.call("RevokeSecurityGroupIngress", GroupId=peers.web, IpPermissions=permission(peers.far, peers.other))
    assert peers.stale() == []


def test_a_new_connection_between_the_vpcs_makes_a_stale_rule_good(peers: Peers) -> None:
    peers.refer()
    peers.call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=peers.id)
    agent(peers.call)
    again = ask(peers.other, peers.theirs, peers.mine, peers.call)
    assert len(peers.stale()) == 1
    accept(peers.call, again)
    assert peers.stale() == []
    assert (peers.pair()["VpcPeeringConnectionId"], peers.pair()["PeeringStatus"]) == (again, "active")


def test_rules_that_may_not_be(peers: Peers, call: Account, second_account: Account) -> None:
    unpeered, hidden = vpc_of(call, "10.2.0.0/16"), vpc_of(second_account, "10.3.0.0/16")
    apart = group_of(call, unpeered)
    secret = group_of(second_account, hidden)
    for group in (permission(apart), permission(secret, second_account), permission(peers.far, call)):
        assert call.refused(INGRESS, GroupId=peers.web, IpPermissions=group).code == "InvalidGroup.NotFound"
    pending = ask(call, peers.mine, hidden, second_account)
    error = call.refused(INGRESS, GroupId=peers.web, IpPermissions=permission(secret, second_account))
    assert error.code == "InvalidGroup.NotFound"
    accept(second_account, pending)
    call(INGRESS, GroupId=peers.web, IpPermissions=permission(secret, second_account))


def test_a_group_may_be_changed_to_one_of_a_peer(peers: Peers) -> None:
    near = group_of(peers.call, peers.mine, "near")
    made = peers.call(INGRESS, GroupId=peers.web, IpPermissions=permission(near))["SecurityGroupRules"]
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "ReferencedGroupId": peers.far}
    update = {"SecurityGroupRuleId": made[0]["SecurityGroupRuleId"], "SecurityGroupRule": rule}
    peers.call("ModifySecurityGroupRules", GroupId=peers.web, SecurityGroupRules=[update])
    assert peers.pair()["VpcPeeringConnectionId"] == peers.id


def test_stale_groups_come_in_pages(peers: Peers) -> None:
    groups = [peers.web, *(group_of(peers.call, peers.mine, f"web-{number}") for number in range(6))]
    for group in groups:
        peers.call(INGRESS, GroupId=group, IpPermissions=permission(peers.far, peers.other))
    peers.other("DeleteSecurityGroup", GroupId=peers.far)
    page = peers.call("DescribeStaleSecurityGroups", VpcId=peers.mine, MaxResults=5)
    token = page["NextToken"]
    rest = peers.call("DescribeStaleSecurityGroups", VpcId=peers.mine, MaxResults=5, NextToken=token)
    found = [item["GroupId"] for item in page["StaleSecurityGroupSet"] + rest["StaleSecurityGroupSet"]]
    assert found == sorted(groups)
    assert (
        peers.call.refused("DescribeStaleSecurityGroups", VpcId=peers.mine, MaxResults=256).code
        == "InvalidParameterValue"
    )
