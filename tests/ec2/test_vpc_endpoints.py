"""VPC endpoints: the interfaces of the one kind, the routes of the other, and what becomes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from small_network import FIRST, Network

from accounts import Account
from enid.store import snapshot
from enid.topology.records import Kind, Port, RouteTable

EC2, S3 = "com.amazonaws.us-east-1.ec2", "com.amazonaws.us-east-1.s3"


class World(Network):
    """The small network with two route tables."""

    def __init__(self, call: Account) -> None:
        super().__init__(call)
        self.tables = [call("CreateRouteTable", VpcId=self.vpc)["RouteTable"]["RouteTableId"] for _ in "ab"]
        (lists,) = call("DescribePrefixLists", Filters=[{"Name": "prefix-list-name", "Values": [S3]}])["PrefixLists"]
        self.s3_list = lists["PrefixListId"]

    def create(self, **params: Any) -> dict[str, Any]:
        return dict(self.call("CreateVpcEndpoint", **{"VpcId": self.vpc, **params})["VpcEndpoint"])

    def gateway_endpoint(self, *tables: str) -> str:
        return str(self.create(ServiceName=S3, RouteTableIds=list(tables))["VpcEndpointId"])

    def interface_endpoint(self, *subnets: str, **params: Any) -> dict[str, Any]:
        return self.create(VpcEndpointType="Interface", ServiceName=EC2, SubnetIds=list(subnets), **params)

    def described(self, id_: str) -> dict[str, Any]:
        (shown,) = self.call("DescribeVpcEndpoints", VpcEndpointIds=[id_])["VpcEndpoints"]
        return dict(shown)

    def modify(self, id_: str, **params: Any) -> None:
        self.call("ModifyVpcEndpoint", VpcEndpointId=id_, **params)

    def delete(self, *ids: str) -> list[Any]:
        return list(self.call("DeleteVpcEndpoints", VpcEndpointIds=list(ids))["Unsuccessful"])

    def routes(self, table: str) -> list[dict[str, Any]]:
        (shown,) = self.call("DescribeRouteTables", RouteTableIds=[table])["RouteTables"]
        return [route for route in shown["Routes"] if route.get("GatewayId") != "local"]


@pytest.fixture
def world(call: Account) -> World:
    return World(call)


class TestAnInterfaceEndpoint:
    def test_has_an_interface_in_each_subnet(self, world: World) -> None:
        made = world.interface_endpoint(world.subnet, world.subnet_b, SecurityGroupIds=[world.web])
        id_ = made["VpcEndpointId"]
        assert made.pop("CreationTimestamp")
        assert len(made["NetworkInterfaceIds"]) == 2
        assert sorted(made["SubnetIds"]) == sorted([world.subnet, world.subnet_b])
        assert json.loads(made["PolicyDocument"])["Statement"][0]["Effect"] == "Allow"
        wanted = {
            "VpcEndpointType": "Interface",
            "VpcId": world.vpc,
            "ServiceName": EC2,
            "State": "available",
            "Groups": [{"GroupId": world.web, "GroupName": "web"}],
            "IpAddressType": "ipv4",
            "RequesterManaged": False,
            "OwnerId": FIRST,
            "RouteTableIds": [],
        }
        assert wanted.items() <= made.items()
        for interface, subnet in zip(made["NetworkInterfaceIds"], made["SubnetIds"], strict=True):
            shown = world.shown(interface)
            assert shown["Description"] == f"VPC Endpoint Interface {id_}"
            assert (shown["InterfaceType"], shown["Status"]) == ("vpc_endpoint", "in-use")
            assert (shown["SubnetId"], shown["RequesterManaged"]) == (subnet, True)
            assert shown["Attachment"]["InstanceOwnerId"] == "amazon-aws"
            assert shown["Attachment"]["Status"] == "attached"
            assert [group["GroupId"] for group in shown["Groups"]] == [world.web]
            assert "Association" not in shown

    def test_has_the_default_group_and_the_addresses_asked_for(self, world: World) -> None:
        configured = [{"SubnetId": world.subnet, "Ipv4": "10.0.1.77"}]
        made = world.interface_endpoint(SubnetConfigurations=configured)
        assert [group["GroupName"] for group in made["Groups"]] == ["default"]
        (interface,) = made["NetworkInterfaceIds"]
        assert world.ips(interface) == ["10.0.1.77"]
        both = world.interface_endpoint(world.subnet, IpAddressType="dualstack")
        assert len(world.shown(both["NetworkInterfaceIds"][0])["Ipv6Addresses"]) == 1

    def test_keeps_its_interfaces_from_their_owner(self, world: World) -> None:
        (interface,) = world.interface_endpoint(world.subnet)["NetworkInterfaceIds"]
        attachment = world.shown(interface)["Attachment"]["AttachmentId"]
        for action, params in (
            ("DeleteNetworkInterface", {"NetworkInterfaceId": interface}),
            ("ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": interface, "Groups": [world.db]}),
            ("AssignPrivateIpAddresses", {"NetworkInterfaceId": interface, "SecondaryPrivateIpAddressCount": 1}),
        ):
            assert world.call.refused(action, **params).code == "AuthFailure"
        assert attachment.startswith("ela-attach-")
        world.call.refused("DetachNetworkInterface", AttachmentId=attachment)
        world.call("CreateTags", Resources=[interface], Tags=[{"Key": "Name", "Value": "x"}])

    def test_carries_no_packets(self, world: World) -> None:
        (interface,) = world.interface_endpoint(world.subnet)["NetworkInterfaceIds"]
        with world.call.database.read() as db:
            assert not any(isinstance(record, Port) for record in snapshot.world(db).values())
            assert snapshot.records(db, [("network_interface", interface)])[(Kind.PORT, interface)] is None

    def test_goes_with_its_interfaces(self, world: World) -> None:
        made = world.interface_endpoint(world.subnet, SecurityGroupIds=[world.web])
        (interface,) = made["NetworkInterfaceIds"]
        error = world.call.refused("DeleteSubnet", SubnetId=world.subnet)
        assert (error.code, error.dependants) == ("DependencyViolation", (interface,))
        assert world.delete(made["VpcEndpointId"]) == []
        gone = world.call.refused("DescribeNetworkInterfaces", NetworkInterfaceIds=[interface])
        assert gone.code == "InvalidNetworkInterfaceID.NotFound"
        gone = world.call.refused("DescribeVpcEndpoints", VpcEndpointIds=[made["VpcEndpointId"]])
        assert gone.code == "InvalidVpcEndpointId.NotFound"
        world.call("DeleteSubnet", SubnetId=world.subnet)

    def test_changes_subnets_and_groups(self, world: World) -> None:
        made = world.interface_endpoint(world.subnet, SecurityGroupIds=[world.web])
        id_, (first,) = made["VpcEndpointId"], made["NetworkInterfaceIds"]
        world.modify(id_, AddSubnetIds=[world.subnet_b], AddSecurityGroupIds=[world.db])
        shown = world.described(id_)
        assert len(shown["NetworkInterfaceIds"]) == 2
        for interface in shown["NetworkInterfaceIds"]:
            assert [group["GroupId"] for group in world.shown(interface)["Groups"]] == [world.web, world.db]
        world.modify(id_, RemoveSubnetIds=[world.subnet], RemoveSecurityGroupIds=[world.web])
        (left,) = world.described(id_)["NetworkInterfaceIds"]
        assert left != first
        assert [group["GroupId"] for group in world.shown(left)["Groups"]] == [world.db]
        refused = {"VpcEndpointId": id_, "RemoveSecurityGroupIds": [world.db]}
        assert world.call.refused("ModifyVpcEndpoint", **refused).code == "InvalidParameterValue"


class TestAGatewayEndpoint:
    def test_is_a_route_in_each_table(self, world: World) -> None:
        id_ = world.gateway_endpoint(*world.tables)
        assert sorted(world.call.changed) == sorted(("route_table", table) for table in world.tables)
        for table in world.tables:
            assert world.routes(table) == [
                {
                    "DestinationPrefixListId": world.s3_list,
                    "GatewayId": id_,
                    "Origin": "CreateRoute",
                    "State": "active",
                }
            ]
            with world.call.database.read() as db:
                record = snapshot.world(db)[(Kind.ROUTE_TABLE, table)]
            assert isinstance(record, RouteTable)
            assert record.routes == ()
        shown = world.described(id_)
        assert shown["RouteTableIds"] == sorted(world.tables)
        assert (shown["VpcEndpointType"], shown["NetworkInterfaceIds"]) == ("Gateway", [])
        named = [{"Name": "route.gateway-id", "Values": [id_]}]
        assert len(world.call("DescribeRouteTables", Filters=named)["RouteTables"]) == 2

    def test_changes_tables_and_goes(self, world: World) -> None:
        first, second = world.tables
        id_ = world.gateway_endpoint(first)
        world.modify(id_, AddRouteTableIds=[second], RemoveRouteTableIds=[first])
        assert (world.routes(first), len(world.routes(second))) == ([], 1)
        error = world.call.refused("CreateVpcEndpoint", VpcId=world.vpc, ServiceName=S3, RouteTableIds=[second])
        assert error.code == "RouteAlreadyExists"
        removed = {"RouteTableId": second, "DestinationPrefixListId": world.s3_list}
        assert world.call.refused("DeleteRoute", **removed).code == "InvalidPrefixListID.NotFound"
        assert id_ in world.call.refused("DeleteVpc", VpcId=world.vpc).dependants
        assert world.delete(id_) == []
        assert world.call.changed == [("route_table", second)]
        assert world.routes(second) == []

    def test_has_a_policy(self, world: World) -> None:
        id_ = world.gateway_endpoint()
        policy = json.dumps({"Statement": []})
        world.modify(id_, PolicyDocument=policy)
        assert world.described(id_)["PolicyDocument"] == policy
        error = world.call.refused("ModifyVpcEndpoint", VpcEndpointId=id_, PolicyDocument="{")
        assert error.code == "InvalidPolicyDocument"
        world.modify(id_, ResetPolicy=True)
        assert world.described(id_)["PolicyDocument"] != policy


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"ServiceName": "com.amazonaws.us-east-1.nothing"}, "InvalidServiceName"),
        ({"ServiceName": EC2}, "InvalidParameter"),
        ({"ServiceName": S3, "VpcEndpointType": "GatewayLoadBalancer"}, "UnsupportedOperation"),
        ({"ServiceName": S3, "ServiceRegion": "eu-west-1"}, "UnsupportedOperation"),
        ({"ServiceName": S3, "SubnetIds": ["subnet-12345678"]}, "InvalidParameter"),
        ({"ServiceName": S3, "VpcEndpointType": "Interface", "RouteTableIds": ["rtb-12345678"]}, "InvalidParameter"),
        ({"ServiceName": S3, "RouteTableIds": ["rtb-12345678"]}, "InvalidRouteTableID.NotFound"),
        ({"ServiceName": S3, "PolicyDocument": "nonsense"}, "InvalidPolicyDocument"),
        ({"ServiceName": S3, "VpcId": "vpc-12345678"}, "InvalidVpcID.NotFound"),
        ({"ServiceName": S3, "VpcEndpointType": "Interface", "IpAddressType": "ipv6"}, "UnsupportedOperation"),
        ({}, "MissingParameter"),
    ],
)
def test_endpoints_that_may_not_be(world: World, params: dict[str, Any], code: str) -> None:
    assert world.call.refused("CreateVpcEndpoint", **{"VpcId": world.vpc, **params}).code == code


def test_subnets_that_may_not_be(world: World) -> None:
    request = {"VpcId": world.vpc, "VpcEndpointType": "Interface", "ServiceName": EC2}
    for subnets, code in (
        ([world.subnet, world.small], "DuplicateSubnetsInSameZone"),
        ([world.other_subnet], "InvalidParameterValue"),
    ):
        assert world.call.refused("CreateVpcEndpoint", SubnetIds=subnets, **request).code == code
    elsewhere = {"SecurityGroupIds": [world.other_group]}
    assert world.call.refused("CreateVpcEndpoint", **request, **elsewhere).code == "InvalidGroup.NotFound"


def test_quotas(world: World) -> None:
    world.call.limit(gateway_endpoints=1, interface_endpoints_per_vpc=0)
    world.gateway_endpoint()
    for kind in ("Gateway", "Interface"):
        request = {"VpcId": world.vpc, "VpcEndpointType": kind, "ServiceName": S3}
        assert world.call.refused("CreateVpcEndpoint", **request).code == "VpcEndpointLimitExceeded"


def test_filters(world: World, second_account: Account) -> None:
    tags = [{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "Name", "Value": "x"}]}]
    made = world.interface_endpoint(TagSpecifications=tags)
    world.gateway_endpoint()
    for name, value in (
        ("service-name", EC2),
        ("vpc-endpoint-id", made["VpcEndpointId"]),
        ("vpc-endpoint-type", "Interface"),
        ("tag:Name", "x"),
    ):
        found = world.call("DescribeVpcEndpoints", Filters=[{"Name": name, "Values": [value]}])["VpcEndpoints"]
        assert [one["VpcEndpointId"] for one in found] == [made["VpcEndpointId"]], name
    both = [{"Name": "vpc-id", "Values": [world.vpc]}, {"Name": "vpc-endpoint-state", "Values": ["available"]}]
    assert len(world.call("DescribeVpcEndpoints", Filters=both)["VpcEndpoints"]) == 2
    assert second_account("DescribeVpcEndpoints")["VpcEndpoints"] == []
    (failure,) = second_account("DeleteVpcEndpoints", VpcEndpointIds=[made["VpcEndpointId"]])["Unsuccessful"]
    assert failure["Error"]["Code"] == "InvalidVpcEndpoint.NotFound"
    assert world.described(made["VpcEndpointId"])


def test_listing_costs_the_same_for_many(world: World) -> None:
    world.interface_endpoint(world.subnet)
    world.gateway_endpoint(*world.tables)
    world.call("DescribeVpcEndpoints")
    before = world.call.statements
    for _ in range(4):
        world.interface_endpoint(world.subnet, world.subnet_b)
    world.call("DescribeVpcEndpoints")
    assert world.call.statements == before


def test_services(call: Account) -> None:
    answer = call("DescribeVpcEndpointServices", ServiceNames=[S3])
    assert answer["ServiceNames"] == [S3]
    kinds = [detail["ServiceType"][0]["ServiceType"] for detail in answer["ServiceDetails"]]
    assert kinds == ["Gateway", "Interface"]
    gateways = [{"Name": "service-type", "Values": ["Gateway"]}]
    found = call("DescribeVpcEndpointServices", Filters=gateways)["ServiceNames"]
    assert found == ["com.amazonaws.us-east-1.dynamodb", S3]
    assert call("DescribeVpcEndpointServices", Filters=[{"Name": "tag:Name", "Values": ["x"]}])["ServiceDetails"] == []
    wrong = call.refused("DescribeVpcEndpointServices", ServiceNames=["com.amazonaws.us-east-1.nothing"])
    assert wrong.code == "InvalidServiceName"
