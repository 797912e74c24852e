"""Security groups and their rules."""

from __future__ import annotations

from typing import Any

import pytest
from small_network import Network

from accounts import FIRST, Account

HTTP = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}


class World:
    """A VPC with two groups."""

    def __init__(self, call: Account, **params: Any) -> None:
        self.call = call
        self.vpc = call("CreateVpc", CidrBlock="10.0.0.0/16", **params)["Vpc"]["VpcId"]
        self.web, self.db = self.group("web"), self.group("db")

    def group(self, name: str, **params: Any) -> str:
        request = {"GroupName": name, "Description": f"{name} servers", "VpcId": self.vpc, **params}
        return str(self.call("CreateSecurityGroup", **request)["GroupId"])

    def allow(self, *permissions: dict[str, Any], group: str = "", way: str = "Ingress") -> list[dict[str, Any]]:
        action = f"AuthorizeSecurityGroup{way}"
        return list(self.call(action, GroupId=group or self.web, IpPermissions=permissions)["SecurityGroupRules"])

    def shown(self, group: str = "") -> dict[str, Any]:
        [shown] = self.call("DescribeSecurityGroups", GroupIds=[group or self.web])["SecurityGroups"]
        return dict(shown)

    def ingress(self, group: str = "") -> list[dict[str, Any]]:
        """The permissions, without empty lists."""
        return [
            {key: value for key, value in item.items() if value != []} for item in self.shown(group)["IpPermissions"]
        ]


@pytest.fixture
def world(call: Account) -> World:
    return World(call)


def blocks(*texts: str, **more: str) -> list[dict[str, str]]:
    return [{"CidrIp": text, **more} for text in texts]


# --- groups -----------------------------------------------------------------------------------------------------------


def test_a_new_group_lets_everything_out_and_nothing_in(world: World) -> None:
    group = world.group("app")
    assert world.call.changed == [("security_group", group)]
    shown = world.shown(group)
    assert shown["IpPermissions"] == []
    [egress] = shown["IpPermissionsEgress"]
    assert (egress["IpProtocol"], egress["IpRanges"], egress["Ipv6Ranges"]) == ("-1", blocks("0.0.0.0/0"), [])
    assert "FromPort" not in egress
    assert shown["SecurityGroupArn"] == f"arn:aws:ec2:us-east-1:{FIRST}:security-group/{group}"


def _let_out(call: Account, vpc: str) -> tuple[list[str], list[str]]:
    """The IPv4 and IPv6 blocks of the default group's outbound rules."""
    (group,) = [each for each in call("DescribeSecurityGroups")["SecurityGroups"] if each["VpcId"] == vpc]
    assert group["GroupName"] == "default"
    (shown,) = group["IpPermissionsEgress"] or [{"IpRanges": [], "Ipv6Ranges": []}]
    return [each["CidrIp"] for each in shown["IpRanges"]], [each["CidrIpv6"] for each in shown["Ipv6Ranges"]]


def test_the_default_group_lets_ipv6_out_from_when_the_vpc_has_it_unless_it_was_changed(call: Account) -> None:
    vpcs = [call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _ in range(2)]
    (changed,) = [each for each in call("DescribeSecurityGroups")["SecurityGroups"] if each["VpcId"] == vpcs[1]]
    call("RevokeSecurityGroupEgress", GroupId=changed["GroupId"], IpPermissions=changed["IpPermissionsEgress"])
    made = [call("AssociateVpcCidrBlock", VpcId=vpc, AmazonProvidedIpv6CidrBlock=True) for vpc in vpcs]
    expected = [(["0.0.0.0/0"], ["::/0"]), ([], [])]
    assert [_let_out(call, vpc) for vpc in vpcs] == expected
    for again in made:
        call("DisassociateVpcCidrBlock", AssociationId=again["Ipv6CidrBlockAssociation"]["AssociationId"])
    for vpc in vpcs:
        call("AssociateVpcCidrBlock", VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    assert [_let_out(call, vpc) for vpc in vpcs] == expected


def test_ipv6_goes_out_too_where_the_vpc_has_it(call: Account) -> None:
    world = World(call, AmazonProvidedIpv6CidrBlock=True)
    assert world.shown()["IpPermissionsEgress"][0]["Ipv6Ranges"] == [{"CidrIpv6": "::/0"}]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"GroupName": "default"}, "InvalidParameterValue"),
        ({"GroupName": "sg-mine"}, "InvalidParameterValue"),
        ({"GroupName": "web"}, "InvalidGroup.Duplicate"),
        ({"GroupName": "nämlich"}, "InvalidParameterValue"),
        ({"GroupName": "x" * 256}, "InvalidParameterValue"),
        ({"Description": "what?"}, "InvalidParameterValue"),
        ({"VpcId": "vpc-12345678"}, "InvalidVpcID.NotFound"),
    ],
)
def test_groups_that_may_not_be(world: World, params: dict[str, str], code: str) -> None:
    request = {"GroupName": "app", "Description": "app", "VpcId": world.vpc, **params}
    assert world.call.refused("CreateSecurityGroup", **request).code == code


def test_there_is_no_default_vpc(world: World) -> None:
    assert world.call.refused("CreateSecurityGroup", GroupName="x", Description="x").code == "VPCIdNotSpecified"
    assert world.call.refused("DescribeSecurityGroups", GroupNames=["web"]).code == "InvalidGroup.NotFound"
    assert world.call.refused("DeleteSecurityGroup", GroupName="web").code == "InvalidGroup.NotFound"
    assert world.call.refused("DeleteSecurityGroup").code == "MissingParameter"


def test_two_vpcs_may_have_groups_of_one_name(call: Account) -> None:
    assert World(call).web != World(call).web


def test_the_quota(world: World) -> None:
    world.call.limit(security_groups=3)
    request = {"GroupName": "app", "Description": "app", "VpcId": world.vpc}
    assert world.call.refused("CreateSecurityGroup", **request).code == "SecurityGroupLimitExceeded"


def test_the_default_group_stays(world: World) -> None:
    wanted = [{"Name": "group-name", "Values": ["default"]}]
    [group] = world.call("DescribeSecurityGroups", Filters=wanted)["SecurityGroups"]
    assert world.call.refused("DeleteSecurityGroup", GroupId=group["GroupId"]).code == "CannotDelete"


def test_a_group_another_refers_to_stays(world: World) -> None:
    pair = {"UserIdGroupPairs": [{"GroupId": world.web}]}
    world.allow({"IpProtocol": "-1", **pair}, group=world.db)
    world.allow({"IpProtocol": "-1", **pair}, group=world.web)
    error = world.call.refused("DeleteSecurityGroup", GroupId=world.web)
    assert error.code == "DependencyViolation"
    assert f"resource {world.web} has a dependent object" in error.message
    assert world.db in error.message
    world.call("DeleteSecurityGroup", GroupId=world.db)
    answer = world.call("DeleteSecurityGroup", GroupId=world.web)
    assert answer == {"Return": True, "GroupId": world.web}, "its own reference to itself does not hold it"
    assert world.call.changed == [("security_group", world.web)]
    assert world.call.refused("DeleteSecurityGroup", GroupId=world.web).code == "InvalidGroup.NotFound"


def test_a_group_an_interface_has_stays(call: Account) -> None:
    network = Network(call)
    interface = network.interface(Groups=[network.web])
    error = call.refused("DeleteSecurityGroup", GroupId=network.web)
    assert error.code == "DependencyViolation"
    assert interface in error.message


# --- rules ------------------------------------------------------------------------------------------------------------


def test_rules_come_one_by_one_and_are_shown_in_groups(world: World) -> None:
    rules = world.allow({**HTTP, "IpRanges": blocks("10.0.0.7/8", Description="inside") + blocks("192.0.2.0/24")})
    assert world.call.changed == [("security_group", world.web)]
    assert [rule["CidrIpv4"] for rule in rules] == ["10.0.0.0/8", "192.0.2.0/24"]
    assert rules[0] | {"IsEgress": False, "FromPort": 80, "Description": "inside", "GroupOwnerId": FIRST} == rules[0]
    [permission] = world.ingress()
    assert permission["IpProtocol"] == "tcp"
    assert sorted(item["CidrIp"] for item in permission["IpRanges"]) == ["10.0.0.0/8", "192.0.2.0/24"]


def test_the_old_single_parameters(world: World) -> None:
    world.call("AuthorizeSecurityGroupIngress", GroupId=world.web, CidrIp="10.0.0.0/8", **HTTP)
    assert world.ingress() == [{**HTTP, "IpRanges": blocks("10.0.0.0/8")}]
    world.call("RevokeSecurityGroupIngress", GroupId=world.web, CidrIp="10.0.0.0/8", **HTTP)
    assert world.ingress() == []


def test_a_source_group_by_id_by_name_and_itself(world: World) -> None:
    world.allow({**HTTP, "UserIdGroupPairs": [{"GroupId": world.db}, {"GroupName": "web", "UserId": FIRST}]})
    [permission] = world.ingress()
    assert {pair["GroupId"] for pair in permission["UserIdGroupPairs"]} == {world.db, world.web}
    assert {pair["UserId"] for pair in permission["UserIdGroupPairs"]} == {FIRST}


def test_the_same_rule_twice(world: World) -> None:
    world.allow({**HTTP, "IpRanges": blocks("10.0.0.0/8", Description="one")})
    again = [{**HTTP, "IpRanges": blocks("172.16.0.0/12", "10.9.9.9/8", Description="two")}]
    error = world.call.refused("AuthorizeSecurityGroupIngress", GroupId=world.web, IpPermissions=again)
    assert (error.code, error.message) == (
        "InvalidPermission.Duplicate",
        'the specified rule "peer: 10.0.0.0/8, TCP, from port: 80, to port: 80, ALLOW" already exists',
    )
    world.allow(again[0], way="Egress")
    twice = [{**HTTP, "IpRanges": blocks("1.0.0.0/8", "1.2.3.4/8")}]
    error = world.call.refused("AuthorizeSecurityGroupIngress", GroupId=world.web, IpPermissions=twice)
    assert error.message == "The same permission must not appear multiple times"


@pytest.mark.parametrize(
    ("permissions", "code"),
    [
        ([], "MissingParameter"),
        ([HTTP], "MissingParameter"),
        ([{**HTTP, "IpRanges": [{"CidrIp": "all"}]}], "InvalidParameterValue"),
        ([{**HTTP, "UserIdGroupPairs": [{"GroupId": "sg-12345678"}]}], "InvalidGroup.NotFound"),
        ([{**HTTP, "UserIdGroupPairs": [{"GroupName": "nobody"}]}], "InvalidGroup.NotFound"),
        ([{**HTTP, "UserIdGroupPairs": [{"GroupName": "db", "UserId": "222222222222"}]}], "InvalidGroup.NotFound"),
        ([{**HTTP, "PrefixListIds": [{"PrefixListId": "pl-12345678"}]}], "InvalidPrefixListID.NotFound"),
        ([{"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}], "InvalidParameterValue"),
    ],
)
@pytest.mark.parametrize("way", ["Ingress", "Egress"])
def test_rules_that_may_not_be(world: World, permissions: list[Any], code: str, way: str) -> None:
    action = f"AuthorizeSecurityGroup{way}"
    assert world.call.refused(action, GroupId=world.web, IpPermissions=permissions).code == code


def test_a_group_of_another_vpc_is_no_source(world: World) -> None:
    pair = {"UserIdGroupPairs": [{"GroupId": World(world.call).web}]}
    error = world.call.refused("AuthorizeSecurityGroupIngress", GroupId=world.web, IpPermissions=[{**HTTP, **pair}])
    assert error.message == "You have specified two resources that belong to different networks."


def test_sixty_rules_each_way_and_family(world: World) -> None:
    def some(count: int, **more: Any) -> dict[str, Any]:
        return {**HTTP, "IpRanges": blocks(*(f"10.0.{number}.0/24" for number in range(count))), **more}

    ipv6 = [{"CidrIpv6": f"2001:db8:{number:x}::/48"} for number in range(59)]
    world.allow(some(59, Ipv6Ranges=ipv6, UserIdGroupPairs=[{"GroupId": world.db}]))
    for one in ({"IpRanges": blocks("192.0.2.0/24")}, {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]}):
        request = {"GroupId": world.web, "IpPermissions": [{**HTTP, **one}]}
        error = world.call.refused("AuthorizeSecurityGroupIngress", **request)
        assert error.code == "RulesPerSecurityGroupLimitExceeded"
    world.allow(some(59), way="Egress")


def test_revoking_ignores_descriptions_and_is_all_or_nothing(world: World) -> None:
    [rule] = world.allow({**HTTP, "IpRanges": blocks("10.0.0.0/8", Description="one")})
    missing = [{**HTTP, "IpRanges": blocks("10.0.0.0/8", "192.0.2.0/24")}]
    error = world.call.refused("RevokeSecurityGroupIngress", GroupId=world.web, IpPermissions=missing)
    assert (error.code, error.message) == (
        "InvalidPermission.NotFound",
        "The specified rule does not exist in this security group.",
    )
    there = [{**HTTP, "IpRanges": blocks("10.1.2.3/8", Description="two")}]
    assert world.call.refused("RevokeSecurityGroupEgress", GroupId=world.web, IpPermissions=there).code == error.code
    answer = world.call("RevokeSecurityGroupIngress", GroupId=world.web, IpPermissions=there)
    assert [item["SecurityGroupRuleId"] for item in answer["RevokedSecurityGroupRules"]] == [
        rule["SecurityGroupRuleId"]
    ]
    assert world.call.changed == [("security_group", world.web)]
    assert world.ingress() == []


def test_revoking_by_id(world: World) -> None:
    [rule] = world.allow({**HTTP, "IpRanges": blocks("10.0.0.0/8")})
    ids = {"SecurityGroupRuleIds": [rule["SecurityGroupRuleId"]]}
    for action, group in (("RevokeSecurityGroupEgress", world.web), ("RevokeSecurityGroupIngress", world.db)):
        assert world.call.refused(action, GroupId=group, **ids).code == "InvalidSecurityGroupRuleId.NotFound"
    both = {"GroupId": world.web, "IpPermissions": [HTTP], **ids}
    assert world.call.refused("RevokeSecurityGroupIngress", **both).code == "InvalidParameterCombination"
    assert world.call.refused("RevokeSecurityGroupIngress", GroupId=world.web).code == "MissingParameter"
    world.call("RevokeSecurityGroupIngress", GroupId=world.web, **ids)
    assert world.ingress() == []


def test_new_descriptions_do_not_trouble_the_agent(world: World) -> None:
    [rule] = world.allow({**HTTP, "IpRanges": blocks("10.0.0.0/8", Description="old")})
    action = "UpdateSecurityGroupRuleDescriptionsIngress"
    new = [{**HTTP, "IpRanges": blocks("10.0.0.0/8", Description="new")}]
    world.call(action, GroupId=world.web, IpPermissions=new)
    assert world.call.changed == []
    assert world.ingress()[0]["IpRanges"] == blocks("10.0.0.0/8", Description="new")
    by_id = [{"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "Description": ""}]
    world.call(action, GroupId=world.web, SecurityGroupRuleDescriptions=by_id)
    assert world.ingress()[0]["IpRanges"] == blocks("10.0.0.0/8")
    for params, code in (
        ({}, "InvalidParameterCombination"),
        ({"IpPermissions": new, "SecurityGroupRuleDescriptions": by_id}, "InvalidParameterCombination"),
        ({"IpPermissions": [{**HTTP, "IpRanges": blocks("1.0.0.0/8")}]}, "InvalidPermission.NotFound"),
        ({"SecurityGroupRuleDescriptions": [{**by_id[0], "Description": "ä"}]}, "InvalidParameterValue"),
    ):
        assert world.call.refused(action, GroupId=world.web, **params).code == code
    egress = action.replace("Ingress", "Egress")
    error = world.call.refused(egress, GroupId=world.web, SecurityGroupRuleDescriptions=by_id)
    assert error.code == "InvalidSecurityGroupRuleId.NotFound"


def change(rule: dict[str, Any], **request: Any) -> dict[str, Any]:
    return {"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "SecurityGroupRule": request}


def test_rules_swap_their_properties_under_their_ids(world: World) -> None:
    one, two = world.allow({**HTTP, "IpRanges": blocks("10.0.0.0/8", "192.0.2.0/24")})
    changes = [
        change(one, **HTTP, CidrIpv4="192.0.2.0/24"),
        change(two, **HTTP, CidrIpv4="10.0.0.0/8", Description="x"),
    ]
    world.call("ModifySecurityGroupRules", GroupId=world.web, SecurityGroupRules=changes)
    assert world.call.changed == [("security_group", world.web)]
    rules = {rule["SecurityGroupRuleId"]: rule["CidrIpv4"] for rule in rules_of(world)}
    assert rules == {one["SecurityGroupRuleId"]: "192.0.2.0/24", two["SecurityGroupRuleId"]: "10.0.0.0/8"}


def rules_of(world: World) -> list[dict[str, Any]]:
    wanted = [{"Name": "group-id", "Values": [world.web]}]
    rules = world.call("DescribeSecurityGroupRules", Filters=wanted)["SecurityGroupRules"]
    return [rule for rule in rules if not rule["IsEgress"]]


def test_modifications_that_may_not_be(world: World) -> None:
    one, two = world.allow({**HTTP, "IpRanges": blocks("10.0.0.0/8", "192.0.2.0/24")})
    for changes, code in (
        ([change(one, **HTTP, CidrIpv4="192.0.2.0/24")], "InvalidPermission.Duplicate"),
        ([change(one, **HTTP, CidrIpv6="::/0")], "InvalidParameterValue"),
        ([change(one, **HTTP)], "InvalidParameterCombination"),
        ([change(one, **HTTP, CidrIpv4="10.0.0.0/8", CidrIpv6="::/0")], "InvalidParameterCombination"),
        ([change(one, IpProtocol="tcp", CidrIpv4="10.0.0.0/8")], "InvalidParameterValue"),
        (
            [change(one, **HTTP, CidrIpv4="1.0.0.0/8"), change(two, **HTTP, CidrIpv4="1.0.0.0/8")],
            "InvalidParameterValue",
        ),
        ([change(one, **HTTP, CidrIpv4="1.0.0.0/8")] * 2, "InvalidParameterValue"),
        ([change({"SecurityGroupRuleId": "sgr-12345678"}, **HTTP)], "InvalidSecurityGroupRuleId.NotFound"),
        ([], "MissingParameter"),
    ):
        error = world.call.refused("ModifySecurityGroupRules", GroupId=world.web, SecurityGroupRules=changes)
        assert error.code == code, changes


def test_rules_have_tags(world: World) -> None:
    tags = [{"ResourceType": "security-group-rule", "Tags": [{"Key": "Name", "Value": "http"}]}]
    permissions = [{**HTTP, "IpRanges": blocks("10.0.0.0/8", "192.0.2.0/24")}]
    request = {"GroupId": world.web, "IpPermissions": permissions, "TagSpecifications": tags}
    rules = world.call("AuthorizeSecurityGroupIngress", **request)["SecurityGroupRules"]
    ids = [rule["SecurityGroupRuleId"] for rule in rules]
    for wanted in (
        {"Filters": [{"Name": "tag:Name", "Values": ["http"]}]},
        {"Filters": [{"Name": "security-group-rule-id", "Values": ids}]},
        {"SecurityGroupRuleIds": ids},
    ):
        shown = world.call("DescribeSecurityGroupRules", **wanted)["SecurityGroupRules"]
        assert {rule["SecurityGroupRuleId"] for rule in shown} == set(ids)
    world.call("RevokeSecurityGroupIngress", GroupId=world.web, SecurityGroupRuleIds=ids)
    assert world.call("DescribeTags")["Tags"] == []


# --- filters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("prefix", "way"), [("", "Ingress"), ("egress.", "Egress")])
def test_filters_on_rules(world: World, prefix: str, way: str) -> None:
    entries = world.call("CreateManagedPrefixList", PrefixListName="offices", MaxEntries=1, AddressFamily="IPv4")[
        "PrefixList"
    ]
    target = {
        "IpRanges": blocks("192.0.2.0/24"),
        "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}],
        "UserIdGroupPairs": [{"GroupId": world.db}],
        "PrefixListIds": [{"PrefixListId": entries["PrefixListId"]}],
    }
    world.allow({"IpProtocol": "tcp", "FromPort": 1000, "ToPort": 1010, **target}, way=way)
    for name, value in (
        ("cidr", "192.0.2.*"),
        ("from-port", "1000"),
        ("group-id", world.db),
        ("group-name", "d?"),
        ("ipv6-cidr", "2001:db8::/32"),
        ("prefix-list-id", entries["PrefixListId"]),
        ("protocol", "tcp"),
        ("to-port", "1010"),
    ):
        filter_ = f"{prefix}ip-permission.{name}"
        assert found(world, filter_, value) == {world.web}, filter_
        assert found(world, filter_, "none") == set(), filter_
    assert world.web in found(world, f"{prefix}ip-permission.user-id", FIRST)
    assert world.db not in found(world, f"{prefix}ip-permission.user-id", FIRST)


def found(world: World, name: str, value: str) -> set[str]:
    shown = world.call("DescribeSecurityGroups", Filters=[{"Name": name, "Values": [value]}])["SecurityGroups"]
    return {group["GroupId"] for group in shown}


def test_filters_on_groups(world: World) -> None:
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": "Name", "Value": "app"}]}]
    app = world.group("app", TagSpecifications=tags)
    for name, value in (
        ("description", "app s*"),
        ("group-id", app),
        ("group-name", "app"),
        ("tag:Name", "app"),
        ("tag-key", "Name"),
    ):
        assert found(world, name, value) == {app}, name
    for name, value in (("owner-id", FIRST), ("vpc-id", world.vpc)):
        assert {app, world.web, world.db} < found(world, name, value), name


def test_the_groups_of_a_vpc(world: World) -> None:
    World(world.call)

    def names(**params: Any) -> list[str]:
        shown = world.call("GetSecurityGroupsForVpc", VpcId=world.vpc, **params)["SecurityGroupForVpcs"]
        return sorted(group["GroupName"] for group in shown)

    assert names() == ["db", "default", "web"]
    for name, value in (
        ("description", "web servers"),
        ("group-id", world.web),
        ("group-name", "web"),
    ):
        assert names(Filters=[{"Name": name, "Values": [value]}]) == ["web"]
    for name, value in (("owner-id", FIRST), ("primary-vpc-id", world.vpc)):
        assert len(names(Filters=[{"Name": name, "Values": [value]}])) == 3


def test_statements_do_not_grow_with_the_page_nor_with_the_rules(world: World) -> None:
    world.allow({**HTTP, "IpRanges": blocks("10.0.0.0/8")})
    one = world.call.statements
    world.allow({**HTTP, "IpRanges": blocks(*(f"192.0.{number}.0/24" for number in range(30)))})
    assert world.call.statements == one
    world.call("DescribeSecurityGroups")
    few = world.call.statements
    for number in range(10):
        world.group(f"group-{number}")
    world.call("DescribeSecurityGroups")
    assert world.call.statements == few
