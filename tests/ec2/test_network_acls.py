"""Network ACLs: the default one, entries and what they may say, associations, what stands in the way of deletion."""

from __future__ import annotations

from typing import Any

import pytest

from accounts import FIRST, Account
from enid.store import snapshot
from enid.topology.records import Kind, NetworkAcl

SSH = {"Protocol": "6", "RuleAction": "allow", "CidrBlock": "192.0.2.0/24", "PortRange": {"From": 22, "To": 22}}


class World:
    """A VPC with a subnet, its default ACL, and another one."""

    def __init__(self, call: Account, **params: Any) -> None:
        self.call = call
        self.vpc = call("CreateVpc", CidrBlock="10.0.0.0/16", **params)["Vpc"]["VpcId"]
        self.subnet = call("CreateSubnet", VpcId=self.vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        of_vpc = [{"Name": "vpc-id", "Values": [self.vpc]}]
        [default] = call("DescribeNetworkAcls", Filters=of_vpc)["NetworkAcls"]
        self.default = default["NetworkAclId"]
        self.acl = call("CreateNetworkAcl", VpcId=self.vpc)["NetworkAcl"]["NetworkAclId"]

    def shown(self, acl: str) -> dict[str, Any]:
        [shown] = self.call("DescribeNetworkAcls", NetworkAclIds=[acl])["NetworkAcls"]
        return dict(shown)

    def association(self, acl: str) -> str:
        [association] = self.shown(acl)["Associations"]
        return str(association["NetworkAclAssociationId"])

    def entries(self, acl: str, egress: bool = False) -> list[tuple[int, str, str]]:
        """(number, action, block) of one direction, in AWS's order."""
        return [
            (entry["RuleNumber"], entry["RuleAction"], entry.get("CidrBlock") or entry["Ipv6CidrBlock"])
            for entry in self.shown(acl)["Entries"]
            if entry["Egress"] is egress
        ]

    def request(self, number: int = 100, egress: bool = False, **params: Any) -> dict[str, Any]:
        return {"NetworkAclId": self.acl, "RuleNumber": number, "Egress": egress, **SSH, **params}

    def add(self, number: int = 100, egress: bool = False, **params: Any) -> None:
        self.call("CreateNetworkAclEntry", **self.request(number, egress, **params))

    def compiled(self, acl: str) -> NetworkAcl:
        with self.call.database.read() as db:
            record = snapshot.records(db, [("network_acl", acl)])[Kind.NETWORK_ACL, acl]
        assert isinstance(record, NetworkAcl)
        return record


@pytest.fixture
def world(call: Account) -> World:
    return World(call)


# --- the default ACL --------------------------------------------------------------------------------------------------


def test_the_default_acl_lets_everything_through(world: World) -> None:
    shown = world.shown(world.default)
    assert shown["IsDefault"]
    assert (shown["VpcId"], shown["OwnerId"], shown["Tags"]) == (world.vpc, FIRST, [])
    assert [association["SubnetId"] for association in shown["Associations"]] == [world.subnet]
    everything = {"Protocol": "-1", "CidrBlock": "0.0.0.0/0"}
    assert shown["Entries"] == [
        {"RuleNumber": number, "RuleAction": action, "Egress": egress, **everything}
        for egress in (True, False)
        for number, action in ((100, "allow"), (32767, "deny"))
    ]
    compiled = world.compiled(world.default)
    assert compiled.subnets == (world.subnet,)
    assert not compiled.restricts("ingress")
    assert not compiled.restricts("egress")


def test_with_ipv6_it_lets_all_of_that_through_too(call: Account) -> None:
    world = World(call, AmazonProvidedIpv6CidrBlock=True)
    for egress in (True, False):
        assert world.entries(world.default, egress) == [
            (100, "allow", "0.0.0.0/0"),
            (101, "allow", "::/0"),
            (32767, "deny", "0.0.0.0/0"),
            (32768, "deny", "::/0"),
        ]
    assert not world.compiled(world.default).restricts("ingress")
    assert world.entries(world.acl) == [(32767, "deny", "0.0.0.0/0"), (32768, "deny", "::/0")]


def test_the_first_ipv6_block_opens_the_directions_nobody_has_changed(world: World) -> None:
    world.add(90, NetworkAclId=world.default)
    vpc = {"VpcId": world.vpc, "AmazonProvidedIpv6CidrBlock": True}
    block = world.call("AssociateVpcCidrBlock", **vpc)["Ipv6CidrBlockAssociation"]["AssociationId"]
    assert {key for key in world.call.changed if key[0] == "network_acl"} == {
        ("network_acl", world.default),
        ("network_acl", world.acl),
    }
    assert [number for number, *_ in world.entries(world.default, egress=True)] == [100, 101, 32767, 32768]
    assert [number for number, *_ in world.entries(world.default)] == [90, 100, 32767, 32768]
    assert world.compiled(world.default).restricts("ingress")
    assert not world.compiled(world.default).restricts("egress")
    world.call("DeleteNetworkAclEntry", NetworkAclId=world.default, RuleNumber=101, Egress=True)
    second = world.call("AssociateVpcCidrBlock", **vpc)["Ipv6CidrBlockAssociation"]["AssociationId"]
    assert [number for number, *_ in world.entries(world.default, egress=True)] == [100, 32767, 32768]
    for id_ in (block, second):
        world.call("DisassociateVpcCidrBlock", AssociationId=id_)
    assert ("network_acl", world.acl) in world.call.changed
    assert [number for number, *_ in world.entries(world.default)] == [90, 100, 32767]
    assert not world.compiled(world.default).restricts("egress")


def test_the_default_acl_comes_and_goes_with_its_vpc(world: World) -> None:
    call = world.call
    error = call.refused("DeleteNetworkAcl", NetworkAclId=world.default)
    assert (error.code, error.message) == (
        "InvalidParameterValue",
        f"cannot delete default network ACL {world.default}",
    )
    call("CreateTags", Resources=[world.default], Tags=[{"Key": "Name", "Value": "border"}])
    call("DeleteSubnet", SubnetId=world.subnet)
    assert ("network_acl", world.default) in call.changed
    assert world.shown(world.default)["Associations"] == []
    error = call.refused("DeleteVpc", VpcId=world.vpc)
    assert error.code == "DependencyViolation"
    assert world.acl in error.message
    assert world.default not in error.message
    call("DeleteNetworkAcl", NetworkAclId=world.acl)
    call("DeleteVpc", VpcId=world.vpc)
    assert ("network_acl", world.default) in call.changed
    assert call("DescribeNetworkAcls")["NetworkAcls"] == []
    assert call("DescribeTags")["Tags"] == []


# --- entries ----------------------------------------------------------------------------------------------------------


def test_a_new_acl_denies_everything(world: World) -> None:
    shown = world.shown(world.acl)
    assert (shown["IsDefault"], shown["Associations"]) == (False, [])
    assert world.entries(world.acl) == world.entries(world.acl, egress=True) == [(32767, "deny", "0.0.0.0/0")]
    assert world.compiled(world.acl).restricts("ingress")


def test_entries_are_added_replaced_and_deleted(world: World) -> None:
    world.add(200, CidrBlock="100.68.0.18/18")
    world.add(100)
    world.add(100, egress=True, RuleAction="deny")
    assert world.call.changed == [("network_acl", world.acl)]
    assert world.entries(world.acl) == [
        (100, "allow", "192.0.2.0/24"),
        (200, "allow", "100.68.0.0/18"),
        (32767, "deny", "0.0.0.0/0"),
    ]
    change = {"Protocol": "udp", "PortRange": {"From": 53, "To": 54}, "RuleAction": "deny", "CidrBlock": "10.0.0.0/8"}
    world.call("ReplaceNetworkAclEntry", **world.request(200, **change))
    assert world.call.changed == [("network_acl", world.acl)]
    assert {
        "RuleNumber": 200,
        "RuleAction": "deny",
        "Egress": False,
        "Protocol": "17",
        "CidrBlock": "10.0.0.0/8",
        "PortRange": {"From": 53, "To": 54},
    } in world.shown(world.acl)["Entries"]
    world.call("DeleteNetworkAclEntry", NetworkAclId=world.acl, RuleNumber=100, Egress=False)
    assert [number for number, *_ in world.entries(world.acl)] == [200, 32767]
    assert [number for number, *_ in world.entries(world.acl, egress=True)] == [100, 32767]
    [entry] = world.compiled(world.acl).ingress
    assert (entry.number, entry.allow, entry.protocol, str(entry.block), entry.from_port, entry.to_port) == (
        200,
        False,
        17,
        "10.0.0.0/8",
        53,
        54,
    )


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"Protocol": "-1"}, {"Protocol": "-1"}),
        ({"Protocol": "all"}, {"Protocol": "-1"}),
        ({"Protocol": "47"}, {"Protocol": "47"}),
        ({"Protocol": "tcp"}, {"Protocol": "6", "PortRange": {"From": 22, "To": 22}}),
        ({"Protocol": "icmp", "IcmpTypeCode": {"Type": 8, "Code": -1}}, {"IcmpTypeCode": {"Type": 8, "Code": -1}}),
        ({"Protocol": "1", "IcmpTypeCode": {"Type": -1, "Code": -1}}, {"IcmpTypeCode": {"Type": -1, "Code": -1}}),
        ({"Protocol": "58"}, {"Protocol": "58"}),
    ],
)
def test_ports_and_types_are_kept_only_where_they_mean_something(
    world: World, given: dict[str, Any], stored: dict[str, Any]
) -> None:
    world.add(7, **given)
    [entry] = [entry for entry in world.shown(world.acl)["Entries"] if entry["RuleNumber"] == 7]
    assert entry | stored == entry
    assert ("PortRange" in entry) is ("PortRange" in stored)
    assert ("IcmpTypeCode" in entry) is ("IcmpTypeCode" in stored)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"RuleNumber": 0}, "InvalidParameterValue"),
        ({"RuleNumber": 32767}, "InvalidParameterValue"),
        ({"Protocol": "256"}, "InvalidParameterValue"),
        ({"Protocol": "tcpx"}, "InvalidParameterValue"),
        ({"CidrBlock": ""}, "MissingParameter"),
        ({"CidrBlock": "10.0.0.0"}, "InvalidParameterValue"),
        ({"CidrBlock": "::/0"}, "InvalidParameterValue"),
        ({"CidrBlock": "", "Ipv6CidrBlock": "10.0.0.0/8"}, "InvalidParameterValue"),
        ({"Ipv6CidrBlock": "::/0"}, "InvalidParameterCombination"),
        ({"PortRange": {}}, "MissingParameter"),
        ({"PortRange": {"From": 22}}, "MissingParameter"),
        ({"PortRange": {"From": 23, "To": 22}}, "InvalidParameterValue"),
        ({"PortRange": {"From": 0, "To": 65536}}, "InvalidParameterValue"),
        ({"Protocol": "1"}, "MissingParameter"),
        ({"Protocol": "1", "IcmpTypeCode": {"Type": 8}}, "MissingParameter"),
        ({"Protocol": "1", "IcmpTypeCode": {"Type": -1, "Code": 0}}, "InvalidParameterValue"),
        ({"Protocol": "1", "IcmpTypeCode": {"Type": 256, "Code": 0}}, "InvalidParameterValue"),
        ({"Protocol": "58", "CidrBlock": "", "Ipv6CidrBlock": "::/0"}, "MissingParameter"),
        ({"NetworkAclId": "acl-12345678"}, "InvalidNetworkAclID.NotFound"),
        ({"NetworkAclId": "sg-12345678"}, "InvalidNetworkAclId.Malformed"),
    ],
)
def test_entries_that_may_not_be(world: World, change: dict[str, Any], code: str) -> None:
    world.add(100)
    assert world.call.refused("CreateNetworkAclEntry", **{**world.request(200), **change}).code == code
    assert world.call.refused("ReplaceNetworkAclEntry", **{**world.request(100), **change}).code == code


def test_a_number_is_taken_once_in_each_direction(world: World) -> None:
    world.add(100)
    error = world.call.refused("CreateNetworkAclEntry", **world.request(100))
    assert (error.code, error.message) == (
        "NetworkAclEntryAlreadyExists",
        "The network acl entry identified by 100 already exists.",
    )
    absent = {"NetworkAclId": world.acl, "RuleNumber": 100, "Egress": True}
    for error in (
        world.call.refused("ReplaceNetworkAclEntry", **world.request(100, egress=True)),
        world.call.refused("DeleteNetworkAclEntry", **absent),
    ):
        assert (error.code, error.message) == ("InvalidNetworkAclEntry.NotFound", "no egress entry with number 100")
    last = {**absent, "RuleNumber": 32767}
    assert world.call.refused("DeleteNetworkAclEntry", **last).code == "InvalidParameterValue"


def test_the_quotas(world: World) -> None:
    """The last entry counts, as on AWS."""
    world.call.limit(rules_per_network_acl=3, network_acls_per_vpc=2)
    for number in (1, 2):
        world.add(number)
        world.add(number, egress=True)
    for egress in (False, True):
        error = world.call.refused("CreateNetworkAclEntry", **world.request(3, egress))
        assert error.code == "NetworkAclEntryLimitExceeded"
    world.call("ReplaceNetworkAclEntry", **world.request(2, CidrBlock="10.0.0.0/8"))
    assert world.call.refused("CreateNetworkAcl", VpcId=world.vpc).code == "NetworkAclLimitExceeded"


# --- associations -----------------------------------------------------------------------------------------------------


def test_a_subnet_changes_its_acl_under_a_new_association(world: World) -> None:
    old = world.association(world.default)
    answer = world.call("ReplaceNetworkAclAssociation", AssociationId=old, NetworkAclId=world.acl)
    assert set(world.call.changed) == {("network_acl", world.default), ("network_acl", world.acl)}
    assert answer["NewAssociationId"] == world.association(world.acl) != old
    assert world.shown(world.default)["Associations"] == []
    assert world.compiled(world.acl).subnets == (world.subnet,)
    assert world.compiled(world.default).subnets == ()
    error = world.call.refused("ReplaceNetworkAclAssociation", AssociationId=old, NetworkAclId=world.acl)
    assert (error.code, error.message) == (
        "InvalidAssociationID.NotFound",
        f"The association ID '{old}' does not exist",
    )
    error = world.call.refused("DeleteNetworkAcl", NetworkAclId=world.acl)
    assert error.code == "DependencyViolation"
    assert error.message == f"The networkAcl '{world.acl}' has dependencies and cannot be deleted. ({world.subnet})"
    assert list(error.dependants) == [world.subnet]
    again = {"AssociationId": answer["NewAssociationId"], "NetworkAclId": world.default}
    world.call("ReplaceNetworkAclAssociation", **again)
    world.call("DeleteNetworkAcl", NetworkAclId=world.acl)
    assert world.call.changed == [("network_acl", world.acl)]


def test_associations_that_may_not_be(world: World, second_account: Account) -> None:
    other = World(world.call)
    association = {"AssociationId": world.association(world.default)}
    error = world.call.refused("ReplaceNetworkAclAssociation", **association, NetworkAclId=other.acl)
    assert error.code == "InvalidParameterValue"
    error = world.call.refused("ReplaceNetworkAclAssociation", AssociationId="rtbassoc-1", NetworkAclId=world.acl)
    assert error.code == "InvalidNetworkAclAssociationId.Malformed"
    stranger = World(second_account)
    error = second_account.refused("ReplaceNetworkAclAssociation", **association, NetworkAclId=stranger.acl)
    assert error.code == "InvalidAssociationID.NotFound"


def test_another_account_sees_and_touches_nothing(world: World, second_account: Account) -> None:
    world.add(100)
    assert second_account("DescribeNetworkAcls")["NetworkAcls"] == []
    entry = {"RuleNumber": 100, "Egress": False}
    for action, params in (
        ("CreateNetworkAcl", {"VpcId": world.vpc}),
        ("DeleteNetworkAcl", {"NetworkAclId": world.acl}),
        ("DescribeNetworkAcls", {"NetworkAclIds": [world.acl]}),
        ("CreateNetworkAclEntry", world.request(200)),
        ("ReplaceNetworkAclEntry", world.request(100)),
        ("DeleteNetworkAclEntry", {"NetworkAclId": world.acl, **entry}),
    ):
        assert second_account.refused(action, **params).code.endswith("ID.NotFound"), action


# --- looking ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("association.association-id", "aclassoc-*", "default"),
        ("association.network-acl-id", "acl-*", "default"),
        ("association.subnet-id", "subnet-*", "default"),
        ("default", "true", "default"),
        ("default", "false", "acl"),
        ("entry.cidr", "192.0.2.0/24", "acl"),
        ("entry.cidr", "0.0.0.0/0", "both"),
        ("entry.egress", "true", "both"),
        ("entry.icmp.code", "-1", "acl"),
        ("entry.icmp.type", "8", "acl"),
        ("entry.icmp.type", "9", "none"),
        ("entry.ipv6-cidr", "2001:db8::/32", "acl"),
        ("entry.port-range.from", "22", "acl"),
        ("entry.port-range.to", "23", "none"),
        ("entry.protocol", "tcp", "acl"),
        ("entry.protocol", "1", "acl"),
        ("entry.protocol", "-1", "both"),
        ("entry.rule-action", "allow", "both"),
        ("entry.rule-number", "200", "acl"),
        ("entry.rule-number", "32767", "both"),
        ("network-acl-id", "acl-*", "both"),
        ("owner-id", FIRST, "both"),
        ("tag:Name", "border", "acl"),
        ("tag-key", "Name", "acl"),
        ("vpc-id", "vpc-*", "both"),
    ],
)
def test_filters(world: World, name: str, value: str, expected: str) -> None:
    world.add(100)
    world.add(200, Protocol="1", IcmpTypeCode={"Type": 8, "Code": -1})
    world.add(300, Protocol="-1", CidrBlock="", Ipv6CidrBlock="2001:db8::/32")
    world.call("CreateTags", Resources=[world.acl], Tags=[{"Key": "Name", "Value": "border"}])
    found = world.call("DescribeNetworkAcls", Filters=[{"Name": name, "Values": [value]}])["NetworkAcls"]
    named = {"default": {world.default}, "acl": {world.acl}, "both": {world.default, world.acl}, "none": set()}
    assert {acl["NetworkAclId"] for acl in found} == named[expected]


def test_tags_are_given_on_creation_and_go_with_it(world: World) -> None:
    tags = [{"Key": "Name", "Value": "border"}]
    specification = {"ResourceType": "network-acl", "Tags": tags}
    answer = world.call("CreateNetworkAcl", VpcId=world.vpc, TagSpecifications=[specification])
    assert answer["NetworkAcl"]["Tags"] == tags
    world.call("DeleteNetworkAcl", NetworkAclId=answer["NetworkAcl"]["NetworkAclId"])
    assert world.call("DescribeTags")["Tags"] == []


def test_statements_do_not_grow_with_the_page(world: World) -> None:
    world.call("DescribeNetworkAcls")
    alone = world.call.statements
    for number in range(1, 10):
        world.call("CreateNetworkAcl", VpcId=world.vpc)
        world.add(number)
    world.call("DescribeNetworkAcls")
    assert world.call.statements == alone
    page = world.call("DescribeNetworkAcls", MaxResults=5)
    assert len(page["NetworkAcls"]) == 5
    assert page["NextToken"]
