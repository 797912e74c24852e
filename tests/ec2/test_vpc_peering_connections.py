"""VPC peering connections: their life, who may do what, and what both owners see."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from peers import accept, agent, ask, shown, state, vpc_of
from sqlalchemy import select, update

from accounts import Account
from enid import clock
from enid.store import peerings
from enid.store.tables import tags, vpc_peering_connections

DESCRIBE, CREATE = "DescribeVpcPeeringConnections", "CreateVpcPeeringConnection"


def _earlier(moment: str, time: timedelta) -> str:
    return clock.timestamp(datetime.fromisoformat(moment) - time)


def pass_time(account: Account, **time: float) -> None:
    """So much later: every moment of every connection lies so much further back."""
    columns = ("expires_at", "requester_sees_until", "accepter_sees_until")
    with account.database.write() as db:
        for row in db.execute(select(vpc_peering_connections)).all():
            moments = {name: _earlier(row._mapping[name], timedelta(**time)) for name in columns if row._mapping[name]}
            if moments:
                db.execute(update(vpc_peering_connections).filter_by(id=row.id).values(**moments))


def visible(account: Account) -> list[str]:
    return [item["VpcPeeringConnectionId"] for item in account(DESCRIBE)["VpcPeeringConnections"]]


class TestLife:
    def test_a_request_between_two_accounts(self, call: Account, second_account: Account) -> None:
        mine, theirs = vpc_of(call), vpc_of(second_account, "10.1.0.0/16")
        made = call(CREATE, VpcId=mine, PeerVpcId=theirs, PeerOwnerId=second_account.account_id)
        connection = made["VpcPeeringConnection"]
        id_ = connection["VpcPeeringConnectionId"]
        owner = second_account.account_id
        assert connection["Status"] == {"Code": "initiating-request", "Message": f"Initiating Request to {owner}"}
        for account in (call, second_account):
            seen = shown(account, id_)
            assert seen["Status"] == {"Code": "pending-acceptance", "Message": f"Pending Acceptance by {owner}"}
            assert seen["AccepterVpcInfo"] == {"OwnerId": owner, "VpcId": theirs, "Region": "us-east-1"}
            assert seen["RequesterVpcInfo"]["CidrBlockSet"] == [{"CidrBlock": "10.0.0.0/16"}]
            assert seen["ExpirationTime"] == connection["ExpirationTime"]
        answer = second_account("AcceptVpcPeeringConnection", VpcPeeringConnectionId=id_)["VpcPeeringConnection"]
        assert answer["Status"] == {"Code": "provisioning", "Message": "Provisioning"}
        assert second_account.changed == [("vpc_peering_connection", id_)]
        agent(call)
        for account in (call, second_account):
            seen = shown(account, id_)
            assert seen["Status"] == {"Code": "active", "Message": "Active"}
            assert seen["AccepterVpcInfo"]["CidrBlock"] == "10.1.0.0/16"
            assert "ExpirationTime" not in seen

    def test_one_account_accepts_its_own_request(self, call: Account) -> None:
        id_ = ask(call, vpc_of(call), vpc_of(call, "10.1.0.0/16"))
        accept(call, id_)
        assert state(call, id_) == "active"

    @pytest.mark.parametrize("mine", [True, False])
    def test_either_side_deletes(self, call: Account, second_account: Account, mine: bool) -> None:
        id_ = ask(call, vpc_of(call), vpc_of(second_account, "10.1.0.0/16"), second_account)
        accept(second_account, id_)
        doer, other = (call, second_account) if mine else (second_account, call)
        assert doer("DeleteVpcPeeringConnection", VpcPeeringConnectionId=id_)["Return"]
        assert doer.changed == [("vpc_peering_connection", id_)]
        assert state(other, id_) == "deleting"
        agent(call)
        assert shown(other, id_)["Status"] == {"Code": "deleted", "Message": f"Deleted by {doer.account_id}"}
        pass_time(call, hours=2.1)
        assert (visible(doer), visible(other)) == ([], [id_])
        pass_time(call, days=2)
        assert (visible(doer), visible(other)) == ([], [])

    def test_a_request_expires_after_seven_days(self, call: Account, second_account: Account) -> None:
        mine, theirs = vpc_of(call), vpc_of(second_account, "10.1.0.0/16")
        id_ = ask(call, mine, theirs, second_account)
        pass_time(call, days=6.9)
        assert state(second_account, id_) == "pending-acceptance"
        pass_time(call, days=0.2)
        assert state(second_account, id_) == "expired"
        for action in ("Accept", "Reject", "Delete"):
            actor = call if action == "Delete" else second_account
            error = actor.refused(f"{action}VpcPeeringConnection", VpcPeeringConnectionId=id_)
            assert error.code == "InvalidStateTransition"
        again = ask(call, mine, theirs, second_account)
        assert state(call, id_) == "expired"
        assert state(call, again) == "pending-acceptance"
        pass_time(call, days=2)
        assert visible(call) == visible(second_account) == [again]

    def test_rejecting(self, call: Account, second_account: Account) -> None:
        mine, theirs = vpc_of(call), vpc_of(second_account, "10.1.0.0/16")
        id_ = ask(call, mine, theirs, second_account)
        second_account("RejectVpcPeeringConnection", VpcPeeringConnectionId=id_)
        assert state(call, id_) == "rejected"
        pass_time(call, hours=2.1)
        assert (visible(call), visible(second_account)) == ([id_], [])
        assert ask(call, mine, theirs, second_account) != id_

    def test_what_is_over_is_forgotten_when_nobody_sees_it(self, call: Account) -> None:
        name = [{"ResourceType": "vpc-peering-connection", "Tags": [{"Key": "Name", "Value": "x"}]}]
        id_ = ask(call, vpc_of(call), vpc_of(call, "10.1.0.0/16"), TagSpecifications=name)
        kept = ask(call, vpc_of(call, "10.2.0.0/16"), vpc_of(call, "10.3.0.0/16"))
        call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=id_)
        pass_time(call, hours=2.1)
        with call.database.write() as db:
            peerings.forget_ended(db, clock.now())
            assert db.execute(select(vpc_peering_connections.c.id)).scalars().all() == [kept]
            assert db.execute(select(tags)).all() == []

    @pytest.mark.parametrize("end", ["rejected", "deleted", "failed"])
    def test_no_way_leads_back(self, call: Account, end: str) -> None:
        mine, theirs = vpc_of(call), vpc_of(call, "10.0.0.0/24" if end == "failed" else "10.1.0.0/16")
        id_ = ask(call, mine, theirs)
        if end != "failed":
            call(
                f"{ {'rejected': 'Reject', 'deleted': 'Delete'}[end] }VpcPeeringConnection", VpcPeeringConnectionId=id_
            )
        for action, new in (("Accept", "provisioning"), ("Reject", "rejected"), ("Delete", "deleting")):
            error = call.refused(f"{action}VpcPeeringConnection", VpcPeeringConnectionId=id_)
            assert error.code == "InvalidStateTransition"
            assert error.message == f"Invalid state transition for {id_}, attempted to transition from {end} to {new}"


class TestRequestsThatFail:
    MESSAGE = "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range"

    def test_overlapping_vpcs(self, call: Account) -> None:
        mine, theirs = vpc_of(call), vpc_of(call, "10.1.0.0/16")
        call("AssociateVpcCidrBlock", VpcId=theirs, CidrBlock="10.2.0.0/16")
        call("AssociateVpcCidrBlock", VpcId=mine, CidrBlock="10.2.128.0/20")
        id_ = ask(call, mine, theirs)
        assert shown(call, id_)["Status"] == {"Code": "failed", "Message": self.MESSAGE}
        assert state(call, ask(call, mine, mine)) == "failed"
        pass_time(call, hours=2.1)
        assert visible(call) == []

    def test_what_another_account_has_is_not_told(self, call: Account, second_account: Account) -> None:
        """A VPC that overlaps, one of a third account, and one that is not there: all the same answer."""
        mine, theirs = vpc_of(call), vpc_of(second_account)
        there = {"PeerVpcId": theirs, "PeerOwnerId": second_account.account_id}
        for params in (there, {**there, "PeerOwnerId": "333333333333"}, {**there, "PeerVpcId": "vpc-00000000"}):
            id_ = call(CREATE, VpcId=mine, **params)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
            assert shown(call, id_)["Status"] == {"Code": "failed", "Message": self.MESSAGE}
        assert visible(second_account) == []


class TestRefusals:
    def test_a_request_needs_two_vpcs(self, call: Account, second_account: Account) -> None:
        mine, theirs = vpc_of(call), vpc_of(second_account, "10.1.0.0/16")
        for params, code in (
            ({"VpcId": mine}, "MissingParameter"),
            ({"VpcId": mine, "PeerVpcId": "vpc-x"}, "InvalidVpcID.Malformed"),
            ({"VpcId": mine, "PeerVpcId": theirs}, "InvalidVpcID.NotFound"),
            ({"VpcId": theirs, "PeerVpcId": mine}, "InvalidVpcID.NotFound"),
            ({"VpcId": mine, "PeerVpcId": theirs, "PeerOwnerId": "me"}, "InvalidUserID.Malformed"),
            ({"VpcId": mine, "PeerVpcId": theirs, "PeerRegion": "eu-west-1"}, "UnsupportedOperation"),
            (
                {
                    "VpcId": mine,
                    "PeerVpcId": theirs,
                    "RequesterPeeringConnectionOptions": {"AllowMultipathResilience": True},
                },
                "UnsupportedOperation",
            ),
        ):
            assert call.refused(CREATE, **params).code == code

    def test_one_connection_at_a_time(self, call: Account, second_account: Account) -> None:
        mine, theirs = vpc_of(call), vpc_of(second_account, "10.1.0.0/16")
        id_ = ask(call, mine, theirs, second_account)
        for _ in ("pending", "active"):
            for account, request in (
                (call, {"VpcId": mine, "PeerVpcId": theirs, "PeerOwnerId": second_account.account_id}),
                (second_account, {"VpcId": theirs, "PeerVpcId": mine, "PeerOwnerId": call.account_id}),
            ):
                assert account.refused(CREATE, **request).code == "VpcPeeringConnectionAlreadyExists"
            if state(call, id_) != "active":
                accept(second_account, id_)

    def test_each_side_has_its_part(self, call: Account, second_account: Account) -> None:
        id_ = ask(call, vpc_of(call), vpc_of(second_account, "10.1.0.0/16"), second_account)
        for account, verb in ((call, "accept"), (call, "reject"), (second_account, "delete")):
            error = account.refused(f"{verb.title()}VpcPeeringConnection", VpcPeeringConnectionId=id_)
            assert error.code == "OperationNotPermitted"
            assert error.message == f"User {account.account_id} cannot {verb} peering {id_}"

    def test_who_has_no_part_sees_nothing(self, call: Account, second_account: Account) -> None:
        id_ = ask(call, vpc_of(call), vpc_of(call, "10.1.0.0/16"))
        assert visible(second_account) == []
        for action in ("Accept", "Reject", "Delete"):
            error = second_account.refused(f"{action}VpcPeeringConnection", VpcPeeringConnectionId=id_)
            assert error.code == "InvalidVpcPeeringConnectionID.NotFound"
        assert second_account.refused(DESCRIBE, VpcPeeringConnectionIds=[id_]).code == error.code
        assert (
            call.refused(DESCRIBE, VpcPeeringConnectionIds=["pcx-1"]).code == "InvalidVpcPeeringConnectionId.Malformed"
        )
        tag = {"Resources": [id_], "Tags": [{"Key": "a", "Value": "b"}]}
        assert second_account.refused("CreateTags", **tag).code == error.code

    def test_the_quotas(self, call: Account) -> None:
        call.limit(outstanding_peerings_per_vpc=1, active_peerings_per_vpc=1, vpcs=10)
        mine, *others = (vpc_of(call, f"10.{number}.0.0/16") for number in range(4))
        first = ask(call, mine, others[0])
        error = call.refused(CREATE, VpcId=mine, PeerVpcId=others[1])
        assert error.code == "OutstandingVpcPeeringConnectionLimitExceeded"
        accept(call, first)
        second = ask(call, mine, others[1])
        error = call.refused("AcceptVpcPeeringConnection", VpcPeeringConnectionId=second)
        assert error.code == "ActiveVpcPeeringConnectionPerVpcLimitExceeded"


class TestTheVpcs:
    def test_an_active_connection_keeps_both(self, call: Account, second_account: Account) -> None:
        mine, theirs = vpc_of(call), vpc_of(second_account, "10.1.0.0/16")
        id_ = ask(call, mine, theirs, second_account)
        error = second_account.refused("DeleteVpc", VpcId=theirs)
        assert error.code == "DependencyViolation", "a request of another account is answered first"
        assert id_ in error.message
        accept(second_account, id_)
        assert call.refused("DeleteVpc", VpcId=mine).code == "DependencyViolation"
        call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=id_)
        call("DeleteVpc", VpcId=mine)
        assert shown(second_account, id_)["RequesterVpcInfo"]["CidrBlockSet"] == [{"CidrBlock": "10.0.0.0/16"}]

    def test_a_request_goes_with_the_requesters_vpc(self, call: Account, second_account: Account) -> None:
        mine = vpc_of(call)
        id_ = ask(call, mine, vpc_of(second_account, "10.1.0.0/16"), second_account)
        call("DeleteVpc", VpcId=mine)
        assert state(second_account, id_) == "deleted"

    def test_blocks_of_active_peers_do_not_overlap(self, call: Account, second_account: Account) -> None:
        mine, theirs = vpc_of(call), vpc_of(second_account, "10.1.0.0/16")
        accept(second_account, ask(call, mine, theirs, second_account))
        error = call.refused("AssociateVpcCidrBlock", VpcId=mine, CidrBlock="10.1.4.0/24")
        assert error.code == "InvalidVpc.Range"
        call("AssociateVpcCidrBlock", VpcId=mine, CidrBlock="10.2.0.0/16")
        assert call.changed == [("vpc", mine)]

    def test_blocks_while_a_request_is_open(self, call: Account, second_account: Account) -> None:
        mine, theirs = vpc_of(call), vpc_of(second_account, "10.1.0.0/16")
        id_ = ask(call, mine, theirs, second_account)
        error = call.refused("AssociateVpcCidrBlock", VpcId=mine, CidrBlock="10.2.0.0/16")
        assert error.code == "OperationNotPermitted"
        second_account("AssociateVpcCidrBlock", VpcId=theirs, CidrBlock="10.3.0.0/16")
        assert state(call, id_) == "pending-acceptance"
        second_account("AssociateVpcCidrBlock", VpcId=theirs, CidrBlock="10.0.128.0/24")
        assert state(call, id_) == "failed"


class TestOptions:
    MODIFY = "ModifyVpcPeeringConnectionOptions"
    RESOLVE = {"AllowDnsResolutionFromRemoteVpc": True}

    def test_each_owner_has_those_of_his_side(self, call: Account, second_account: Account) -> None:
        id_ = ask(call, vpc_of(call), vpc_of(second_account, "10.1.0.0/16"), second_account)
        request = {"VpcPeeringConnectionId": id_, "RequesterPeeringConnectionOptions": self.RESOLVE}
        error = call.refused(self.MODIFY, **request)
        assert error.code == "OperationNotPermitted"
        assert "can be added only to active peerings" in error.message
        accept(second_account, id_)
        answer = call(self.MODIFY, **request)
        assert answer["RequesterPeeringConnectionOptions"]["AllowDnsResolutionFromRemoteVpc"] is True
        seen = shown(second_account, id_)
        assert seen["RequesterVpcInfo"]["PeeringOptions"]["AllowDnsResolutionFromRemoteVpc"] is True
        assert seen["AccepterVpcInfo"]["PeeringOptions"]["AllowDnsResolutionFromRemoteVpc"] is False
        assert second_account.refused(self.MODIFY, **request).code == "OperationNotPermitted"

    def test_what_may_not_be(self, call: Account) -> None:
        id_ = ask(call, vpc_of(call), vpc_of(call, "10.1.0.0/16"))
        accept(call, id_)
        assert call.refused(self.MODIFY, VpcPeeringConnectionId=id_).code == "MissingParameter"
        link = {"AllowEgressFromLocalClassicLinkToRemoteVpc": True}
        error = call.refused(self.MODIFY, VpcPeeringConnectionId=id_, AccepterPeeringConnectionOptions=link)
        assert error.code == "UnsupportedOperation"
        both = {"AccepterPeeringConnectionOptions": self.RESOLVE, "RequesterPeeringConnectionOptions": self.RESOLVE}
        assert len(call(self.MODIFY, VpcPeeringConnectionId=id_, **both)) == 2


class TestTagsAndFilters:
    def test_each_owner_has_tags_of_his_own(self, call: Account, second_account: Account) -> None:
        given = [{"ResourceType": "vpc-peering-connection", "Tags": [{"Key": "Name", "Value": "ours"}]}]
        id_ = ask(call, vpc_of(call), vpc_of(second_account, "10.1.0.0/16"), second_account, TagSpecifications=given)
        assert shown(second_account, id_)["Tags"] == []
        second_account("CreateTags", Resources=[id_], Tags=[{"Key": "Name", "Value": "theirs"}])
        for account, value, other in ((call, "ours", "theirs"), (second_account, "theirs", "ours")):
            assert shown(account, id_)["Tags"] == [{"Key": "Name", "Value": value}]
            for found, wanted in (([id_], value), ([], other)):
                filters = [{"Name": "tag:Name", "Values": [wanted]}]
                answer = account(DESCRIBE, Filters=filters)["VpcPeeringConnections"]
                assert [item["VpcPeeringConnectionId"] for item in answer] == found
        call("DeleteTags", Resources=[id_])
        assert shown(second_account, id_)["Tags"] == [{"Key": "Name", "Value": "theirs"}]

    def test_filters(self, call: Account, second_account: Account) -> None:
        mine, theirs = vpc_of(call), vpc_of(second_account, "10.1.0.0/16")
        id_ = ask(call, mine, theirs, second_account)
        pending = ask(call, vpc_of(call, "10.2.0.0/16"), vpc_of(call, "10.3.0.0/16"))
        call("CreateTags", Resources=[id_], Tags=[{"Key": "Name", "Value": "x"}])
        accept(second_account, id_)

        def found(name: str, value: str) -> list[str]:
            answer = call(DESCRIBE, Filters=[{"Name": name, "Values": [value]}])
            return [item["VpcPeeringConnectionId"] for item in answer["VpcPeeringConnections"]]

        for name, value in (
            ("accepter-vpc-info.cidr-block", "10.1.0.0/16"),
            ("accepter-vpc-info.owner-id", second_account.account_id),
            ("accepter-vpc-info.vpc-id", theirs),
            ("requester-vpc-info.cidr-block", "10.0.*"),
            ("requester-vpc-info.vpc-id", mine),
            ("status-code", "active"),
            ("status-message", "Active"),
            ("tag-key", "Name"),
            ("vpc-peering-connection-id", id_),
        ):
            assert found(name, value) == [id_], name
        assert set(found("requester-vpc-info.owner-id", call.account_id)) == {id_, pending}
        assert found("expiration-time", shown(call, pending)["ExpirationTime"]) == [pending]
        assert found("status-message", f"Pending Acceptance by {call.account_id}") == [pending]
        assert found("accepter-vpc-info.cidr-block", "10.3.0.0/16") == [], "not told before it is accepted"

    def test_every_state_is_found_by_what_it_shows(self, call: Account) -> None:
        call.limit(vpcs=20)
        vpcs = iter([vpc_of(call, f"10.{number}.0.0/16") for number in range(14)])
        made = {new: ask(call, next(vpcs), next(vpcs)) for new in ("expired", "active", "deleted", "rejected")}
        accept(call, made["active"])
        pass_time(call, days=7.1)
        for new, verb in (("deleted", "Delete"), ("rejected", "Reject")):
            made[new] = ask(call, next(vpcs), next(vpcs))
            call(f"{verb}VpcPeeringConnection", VpcPeeringConnectionId=made[new])
        one = next(vpcs)
        made["failed"] = ask(call, one, one)
        for new, id_ in made.items():
            seen = shown(call, id_)["Status"]
            assert seen["Code"] == new
            for name, value in (("status-code", new), ("status-message", seen["Message"])):
                answer = call(DESCRIBE, Filters=[{"Name": name, "Values": [value]}])["VpcPeeringConnections"]
                assert id_ in {item["VpcPeeringConnectionId"] for item in answer}
                assert {item["Status"]["Code"] for item in answer} == {new}

    def test_pages(self, call: Account) -> None:
        call.limit(vpcs=20)
        mine, *others = (vpc_of(call, f"10.{number}.0.0/16") for number in range(8))
        made = {ask(call, mine, other) for other in others}
        page = call(DESCRIBE, MaxResults=5)
        rest = call(DESCRIBE, MaxResults=5, NextToken=page["NextToken"])
        items: list[dict[str, Any]] = [*page["VpcPeeringConnections"], *rest["VpcPeeringConnections"]]
        assert {item["VpcPeeringConnectionId"] for item in items} == made
        assert len(items) == len(made)
