"""NAT gateways, as their owner sees them: what one is made of, what may not be, how it ends."""

from __future__ import annotations

from typing import Any

import pytest
from small_network import Network

from accounts import Account
from enid.store import status
from enid.store import tables as t


@pytest.fixture
def net(call: Account) -> Network:
    return Network(call)


def agent(net: Network) -> None:
    """The agent carries out what interfaces wait for."""
    with net.call.database.write() as db:
        rows = list(db.execute(t.attachments.select()))
        status.attached(db, [row.id for row in rows if row.status == "attaching"])
        status.detached(db, [row.id for row in rows if row.status == "detaching"])


def create(net: Network, **params: Any) -> str:
    """A gateway in the first subnet that is available: a public one unless ``params`` say otherwise."""
    if params.get("ConnectivityType") != "private":
        params.setdefault("AllocationId", net.elastic_ip())
    answer = net.call("CreateNatGateway", **({"SubnetId": net.subnet} | params))
    agent(net)
    return str(answer["NatGateway"]["NatGatewayId"])


def shown(net: Network, gateway: str) -> dict[str, Any]:
    (found,) = net.call("DescribeNatGateways", NatGatewayIds=[gateway])["NatGateways"]
    return dict(found)


def interface_of(net: Network, gateway: str) -> dict[str, Any]:
    return net.shown(shown(net, gateway)["NatGatewayAddresses"][0]["NetworkInterfaceId"])


def delete(net: Network, gateway: str) -> None:
    assert net.call("DeleteNatGateway", NatGatewayId=gateway) == {"NatGatewayId": gateway}
    agent(net)


class TestAPublicGateway:
    def test_is_pending_then_available(self, net: Network) -> None:
        allocation = net.elastic_ip()
        tags = [{"ResourceType": "natgateway", "Tags": [{"Key": "Name", "Value": "out"}]}]
        answer = net.call("CreateNatGateway", SubnetId=net.subnet, AllocationId=allocation, TagSpecifications=tags)
        made = answer["NatGateway"]
        assert made["State"] == "pending"
        assert made["Tags"] == [{"Key": "Name", "Value": "out"}]
        assert [address["Status"] for address in made["NatGatewayAddresses"]] == ["associating"]
        interface = made["NatGatewayAddresses"][0]["NetworkInterfaceId"]
        assert ("network_interface", interface) in net.call.changed
        assert net.call.settling == {interface}
        agent(net)
        found = shown(net, made["NatGatewayId"])
        public = net.address(allocation)
        assert found.pop("CreateTime")
        assert found == {
            "NatGatewayId": made["NatGatewayId"],
            "VpcId": net.vpc,
            "SubnetId": net.subnet,
            "State": "available",
            "ConnectivityType": "public",
            "AvailabilityMode": "zonal",
            "NatGatewayAddresses": [
                {
                    "AllocationId": allocation,
                    "AssociationId": public["AssociationId"],
                    "IsPrimary": True,
                    "NetworkInterfaceId": interface,
                    "PrivateIp": public["PrivateIpAddress"],
                    "PublicIp": public["PublicIp"],
                    "Status": "succeeded",
                }
            ],
            "Tags": [{"Key": "Name", "Value": "out"}],
        }

    def test_takes_the_private_addresses_that_are_asked_for(self, net: Network) -> None:
        more = {"SecondaryAllocationIds": [net.elastic_ip()], "SecondaryPrivateIpAddresses": ["10.0.1.21"]}
        gateway = create(net, PrivateIpAddress="10.0.1.20", **more)
        addresses = shown(net, gateway)["NatGatewayAddresses"]
        assert [(one["PrivateIp"], one["IsPrimary"]) for one in addresses] == [
            ("10.0.1.20", True),
            ("10.0.1.21", False),
        ]
        assert addresses[1]["AllocationId"] == more["SecondaryAllocationIds"][0]

    def test_chooses_addresses_for_secondary_elastic_ips(self, net: Network) -> None:
        gateway = create(net, SecondaryAllocationIds=[net.elastic_ip()])
        assert all(address["PublicIp"] for address in shown(net, gateway)["NatGatewayAddresses"])

    def test_the_same_token_makes_one(self, net: Network) -> None:
        """The wire does this; here only that the model has the member."""
        allocation = net.elastic_ip()
        answer = net.call("CreateNatGateway", SubnetId=net.subnet, AllocationId=allocation, ClientToken="once")
        assert answer["ClientToken"] == "once"


class TestThePrivateKind:
    def test_has_no_public_address(self, net: Network) -> None:
        gateway = create(net, ConnectivityType="private", SecondaryPrivateIpAddressCount=2)
        found = shown(net, gateway)
        assert found["ConnectivityType"] == "private"
        assert len(found["NatGatewayAddresses"]) == 3
        assert not any("PublicIp" in address for address in found["NatGatewayAddresses"])

    def test_needs_no_internet_gateway(self, net: Network) -> None:
        gateway = create(net, ConnectivityType="private", SubnetId=net.other_subnet)
        assert shown(net, gateway)["State"] == "available"


class TestItsInterface:
    def test_is_amazons(self, net: Network) -> None:
        gateway = create(net)
        found = interface_of(net, gateway)
        assert found["Attachment"].pop("AttachTime")
        assert found["Attachment"].pop("AttachmentId").startswith("ela-attach-")
        expected = {
            "Attachment": {
                "DeleteOnTermination": False,
                "DeviceIndex": 1,
                "NetworkCardIndex": 0,
                "InstanceOwnerId": "amazon-aws",
                "Status": "attached",
            },
            "Description": f"Interface for NAT Gateway {gateway}",
            "Groups": [],
            "InterfaceType": "nat_gateway",
            "Ipv6Addresses": [],
            "RequesterId": "amazon-aws",
            "RequesterManaged": True,
            "SourceDestCheck": False,
            "Status": "in-use",
            "SubnetId": net.subnet,
        }
        assert {name: found[name] for name in expected} == expected
        assert found["Association"]["IpOwnerId"] == net.call.account_id

    def test_is_found_by_what_it_is(self, net: Network) -> None:
        found = interface_of(net, create(net))
        net.machine()
        for name, value in (
            ("requester-managed", "true"),
            ("requester-id", "amazon-aws"),
            ("interface-type", "nat_gateway"),
            ("attachment.instance-owner-id", "amazon-*"),
            ("attachment.attachment-id", "ela-attach-*"),
            ("description", "Interface for NAT Gateway nat-*"),
            ("source-dest-check", "false"),
        ):
            answer = net.call("DescribeNetworkInterfaces", Filters=[{"Name": name, "Values": [value]}])
            assert [one["NetworkInterfaceId"] for one in answer["NetworkInterfaces"]] == [
                found["NetworkInterfaceId"]
            ], name
        owned = [{"Name": "attachment.instance-owner-id", "Values": [net.call.account_id]}]
        assert len(net.call("DescribeNetworkInterfaces", Filters=owned)["NetworkInterfaces"]) == 1

    def test_can_be_tagged(self, net: Network) -> None:
        interface = interface_of(net, create(net))["NetworkInterfaceId"]
        net.call("CreateTags", Resources=[interface], Tags=[{"Key": "Name", "Value": "mine"}])
        assert net.shown(interface)["TagSet"] == [{"Key": "Name", "Value": "mine"}]

    def test_nobody_else_may_touch_it(self, net: Network) -> None:
        gateway = create(net)
        found = interface_of(net, gateway)
        interface, instance = found["NetworkInterfaceId"], net.machine()[0]
        association = found["Association"]["AssociationId"]
        other = net.elastic_ip()
        for operation, params in (
            ("DeleteNetworkInterface", {"NetworkInterfaceId": interface}),
            ("AttachNetworkInterface", {"NetworkInterfaceId": interface, "InstanceId": instance, "DeviceIndex": 1}),
            ("ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": interface, "Description": {"Value": "x"}}),
            ("ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": interface, "Groups": [net.web]}),
            ("ResetNetworkInterfaceAttribute", {"NetworkInterfaceId": interface, "SourceDestCheck": "true"}),
            ("AssignPrivateIpAddresses", {"NetworkInterfaceId": interface, "SecondaryPrivateIpAddressCount": 1}),
            ("UnassignPrivateIpAddresses", {"NetworkInterfaceId": interface, "PrivateIpAddresses": ["10.0.1.5"]}),
            ("AssociateAddress", {"NetworkInterfaceId": interface, "AllocationId": other}),
            ("DisassociateAddress", {"AssociationId": association}),
        ):
            error = net.call.refused(operation, **params)
            assert (error.code, error.message) == (
                "AuthFailure",
                "You do not have permission to access the specified resource.",
            ), operation

    def test_cannot_be_detached(self, net: Network) -> None:
        attachment = interface_of(net, create(net))["Attachment"]["AttachmentId"]
        error = net.call.refused("DetachNetworkInterface", AttachmentId=attachment, Force=True)
        assert (error.code, error.message) == (
            "OperationNotPermitted",
            "You are not allowed to manage 'ela-attach' attachments.",
        )

    def test_its_elastic_ip_cannot_be_taken_away(self, net: Network) -> None:
        gateway = create(net)
        allocation = shown(net, gateway)["NatGatewayAddresses"][0]["AllocationId"]
        instance, interface = net.machine()
        assert net.call.refused("ReleaseAddress", AllocationId=allocation).code == "InvalidIPAddress.InUse"
        for place in ({"NetworkInterfaceId": interface}, {"InstanceId": instance}):
            again = {"AllocationId": allocation, "AllowReassociation": True, **place}
            assert net.call.refused("AssociateAddress", **again).code == "AuthFailure"
        assert "InstanceId" not in net.address(allocation)


class TestDeletion:
    def test_goes_through_deleting_and_stays_in_sight(self, net: Network) -> None:
        gateway = create(net, PrivateIpAddress="10.0.1.20")
        before = shown(net, gateway)
        interface = before["NatGatewayAddresses"][0]["NetworkInterfaceId"]
        net.call("CreateTags", Resources=[gateway], Tags=[{"Key": "Name", "Value": "out"}])
        net.call("DeleteNatGateway", NatGatewayId=gateway)
        assert net.call.settling == {interface}
        assert shown(net, gateway)["State"] == "deleting"
        assert net.shown(interface)["Attachment"]["Status"] == "detaching"
        agent(net)
        after = shown(net, gateway)
        assert after["State"] == "deleted"
        assert after["DeleteTime"]
        assert after["NatGatewayAddresses"] == before["NatGatewayAddresses"]
        assert after["Tags"] == [{"Key": "Name", "Value": "out"}]
        missing = net.call.refused("DescribeNetworkInterfaces", NetworkInterfaceIds=[interface])
        assert missing.code == "InvalidNetworkInterfaceID.NotFound"

    def test_frees_its_addresses(self, net: Network) -> None:
        gateway = create(net, PrivateIpAddress="10.0.1.20")
        allocation = shown(net, gateway)["NatGatewayAddresses"][0]["AllocationId"]
        delete(net, gateway)
        assert "AssociationId" not in net.address(allocation)
        net.call("ReleaseAddress", AllocationId=allocation)
        assert net.ips(net.interface(PrivateIpAddress="10.0.1.20")) == ["10.0.1.20"]

    def test_one_that_is_pending(self, net: Network) -> None:
        answer = net.call("CreateNatGateway", SubnetId=net.subnet, AllocationId=net.elastic_ip())
        gateway = answer["NatGateway"]["NatGatewayId"]
        delete(net, gateway)
        assert shown(net, gateway)["State"] == "deleted"

    def test_of_nothing(self, net: Network, second_account: Account) -> None:
        gateway = create(net)
        for call, id_ in ((net.call, "nat-12345678"), (second_account, gateway)):
            error = call.refused("DeleteNatGateway", NatGatewayId=id_)
            assert (error.code, error.message) == ("NatGatewayNotFound", f"The Nat Gateway {id_} was not found")
        assert net.call.refused("DeleteNatGateway", NatGatewayId="nat-x").code == "NatGatewayMalformed"

    def test_is_forgotten_after_an_hour(self, net: Network) -> None:
        gateway, kept = create(net), create(net, SubnetId=net.subnet_b)
        delete(net, gateway)
        with net.call.database.write() as db:
            status.forget_ended(db, "9999-01-01T00:00:00.000Z")
        assert [one["NatGatewayId"] for one in net.call("DescribeNatGateways")["NatGateways"]] == [kept]
        assert net.call.refused("DescribeNatGateways", NatGatewayIds=[gateway]).code == "NatGatewayNotFound"


class TestWhatDependsOnIt:
    def test_its_subnet_and_vpc_stay(self, net: Network) -> None:
        gateway = create(net, SubnetId=net.small)
        for operation, name, id_ in (("DeleteSubnet", "SubnetId", net.small), ("DeleteVpc", "VpcId", net.vpc)):
            assert net.call.refused(operation, **{name: id_}).code == "DependencyViolation"
        delete(net, gateway)
        net.call("DeleteSubnet", SubnetId=net.small)

    def test_its_internet_gateway_stays(self, net: Network) -> None:
        gateway = create(net)
        detach = {"InternetGatewayId": net.gateway, "VpcId": net.vpc}
        error = net.call.refused("DetachInternetGateway", **detach)
        assert error.code == "DependencyViolation"
        assert "mapped public address(es)" in error.message
        delete(net, gateway)
        net.call("DetachInternetGateway", **detach)


class TestFailures:
    """AWS lets the call succeed and the gateway fail."""

    def failed(self, net: Network, **params: Any) -> dict[str, Any]:
        answer = net.call("CreateNatGateway", **params)
        assert answer["NatGateway"]["State"] == "pending"
        found = shown(net, answer["NatGateway"]["NatGatewayId"])
        assert found["State"] == "failed"
        return found

    def test_without_an_internet_gateway(self, net: Network) -> None:
        allocation = net.elastic_ip()
        found = self.failed(net, SubnetId=net.other_subnet, AllocationId=allocation)
        assert found["FailureCode"] == "Gateway.NotAttached"
        assert found["FailureMessage"] == f"Network {net.other_vpc} has no Internet gateway attached"
        assert [address["Status"] for address in found["NatGatewayAddresses"]] == ["failed"]
        assert "AssociationId" not in net.address(allocation)

    def test_with_an_elastic_ip_in_use(self, net: Network) -> None:
        allocation = net.elastic_ip()
        association = net.call("AssociateAddress", AllocationId=allocation, NetworkInterfaceId=net.interface())
        found = self.failed(net, SubnetId=net.subnet, AllocationId=allocation)
        assert found["FailureCode"] == "Resource.AlreadyAssociated"
        assert found["FailureMessage"] == f"Elastic IP address {allocation} is already associated"
        assert net.address(allocation)["AssociationId"] == association["AssociationId"]

    def test_in_a_full_subnet(self, net: Network) -> None:
        for _ in range(11):
            net.interface(net.small)
        found = self.failed(net, SubnetId=net.small, AllocationId=net.elastic_ip())
        assert found["FailureCode"] == "InsufficientFreeAddressesInSubnet"
        assert found["FailureMessage"] == "Subnet has insufficient free addresses to create this NAT gateway"

    def test_a_failed_one_has_no_interface_and_can_be_deleted_or_is_forgotten(self, net: Network) -> None:
        first = self.failed(net, SubnetId=net.other_subnet, AllocationId=net.elastic_ip())["NatGatewayId"]
        second = self.failed(net, SubnetId=net.other_subnet, AllocationId=net.elastic_ip())["NatGatewayId"]
        assert net.call("DescribeNetworkInterfaces")["NetworkInterfaces"] == []
        delete(net, first)
        assert shown(net, first)["State"] == "deleted"
        with net.call.database.write() as db:
            status.forget_ended(db, "9999-01-01T00:00:00.000Z")
        assert net.call.refused("DescribeNatGateways", NatGatewayIds=[second]).code == "NatGatewayNotFound"


class TestRefusals:
    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({}, "MissingParameter"),
            ({"AllocationId": "eipalloc-12345678"}, "InvalidAllocationID.NotFound"),
            ({"AllocationId": "198.18.0.1"}, "InvalidAllocationId.Malformed"),
            ({"ConnectivityType": "private", "AllocationId": "eipalloc-12345678"}, "InvalidParameterCombination"),
            ({"ConnectivityType": "private", "SecondaryAllocationIds": ["eipalloc-1"]}, "InvalidParameterCombination"),
            (
                {
                    "ConnectivityType": "private",
                    "SecondaryPrivateIpAddresses": ["10.0.1.9"],
                    "SecondaryPrivateIpAddressCount": 1,
                },
                "InvalidParameterCombination",
            ),
            ({"ConnectivityType": "private", "PrivateIpAddress": "10.0.9.9"}, "InvalidParameterValue"),
            ({"ConnectivityType": "private", "SecondaryPrivateIpAddressCount": 8}, "NatGatewayAddressLimitExceeded"),
            ({"ConnectivityType": "private", "AvailabilityMode": "regional"}, "UnsupportedOperation"),
            ({"AvailabilityMode": "regional", "VpcId": "vpc-12345678"}, "UnsupportedOperation"),
            ({"ConnectivityType": "private", "SubnetId": "subnet-12345678"}, "InvalidSubnetID.NotFound"),
        ],
    )
    def test_nothing_is_made(self, net: Network, params: dict[str, Any], code: str) -> None:
        assert net.call.refused("CreateNatGateway", **({"SubnetId": net.subnet} | params)).code == code
        assert net.call("DescribeNatGateways")["NatGateways"] == []
        assert net.call("DescribeNetworkInterfaces")["NetworkInterfaces"] == []

    def test_an_address_in_use(self, net: Network) -> None:
        net.interface(PrivateIpAddress="10.0.1.20")
        wanted = {"SubnetId": net.subnet, "AllocationId": net.elastic_ip(), "PrivateIpAddress": "10.0.1.20"}
        assert net.call.refused("CreateNatGateway", **wanted).code == "InvalidIPAddress.InUse"

    def test_more_elastic_ips_than_the_quota(self, net: Network) -> None:
        elastic = [net.elastic_ip() for _ in range(3)]
        wanted = {"SubnetId": net.subnet, "AllocationId": elastic[0], "SecondaryAllocationIds": elastic[1:]}
        assert net.call.refused("CreateNatGateway", **wanted).code == "NatGatewayAddressLimitExceeded"

    def test_five_in_a_zone(self, net: Network) -> None:
        made = [create(net, ConnectivityType="private") for _ in range(5)]
        wanted = {"SubnetId": net.small, "ConnectivityType": "private"}
        assert net.call.refused("CreateNatGateway", **wanted).code == "NatGatewayLimitExceeded"
        create(net, ConnectivityType="private", SubnetId=net.subnet_b)
        delete(net, made[0])
        create(net, **wanted)

    def test_anothers_subnet_and_elastic_ip(self, net: Network, second_account: Account) -> None:
        theirs = str(second_account("AllocateAddress", Domain="vpc")["AllocationId"])
        assert net.call.refused("CreateNatGateway", SubnetId=net.subnet, AllocationId=theirs).code == (
            "InvalidAllocationID.NotFound"
        )
        private = {"SubnetId": net.subnet, "ConnectivityType": "private"}
        assert second_account.refused("CreateNatGateway", **private).code == "InvalidSubnetID.NotFound"


class TestSecondaryAddresses:
    def test_of_a_private_gateway(self, net: Network) -> None:
        gateway = create(net, ConnectivityType="private", PrivateIpAddress="10.0.1.20")
        answer = net.call(
            "AssignPrivateNatGatewayAddress", NatGatewayId=gateway, PrivateIpAddresses=["10.0.1.30", "10.0.1.31"]
        )
        assert [(one["PrivateIp"], one["Status"]) for one in answer["NatGatewayAddresses"]] == [
            ("10.0.1.30", "assigning"),
            ("10.0.1.31", "assigning"),
        ]
        interface = answer["NatGatewayAddresses"][0]["NetworkInterfaceId"]
        assert ("network_interface", interface) in net.call.changed
        net.call("AssignPrivateNatGatewayAddress", NatGatewayId=gateway, PrivateIpAddressCount=1)
        assert len(shown(net, gateway)["NatGatewayAddresses"]) == 4
        gone = net.call("UnassignPrivateNatGatewayAddress", NatGatewayId=gateway, PrivateIpAddresses=["10.0.1.30"])
        assert [(one["PrivateIp"], one["Status"]) for one in gone["NatGatewayAddresses"]] == [
            ("10.0.1.30", "unassigning")
        ]
        assert "10.0.1.30" not in [one["PrivateIp"] for one in shown(net, gateway)["NatGatewayAddresses"]]

    def test_of_a_public_gateway(self, net: Network) -> None:
        gateway, allocation = create(net), net.elastic_ip()
        answer = net.call("AssociateNatGatewayAddress", NatGatewayId=gateway, AllocationIds=[allocation])
        (added,) = answer["NatGatewayAddresses"]
        assert (added["AllocationId"], added["Status"], added["IsPrimary"]) == (allocation, "associating", False)
        assert [one["Status"] for one in shown(net, gateway)["NatGatewayAddresses"]] == ["succeeded"] * 2
        gone = net.call("DisassociateNatGatewayAddress", NatGatewayId=gateway, AssociationIds=[added["AssociationId"]])
        assert gone["NatGatewayAddresses"] == [added | {"Status": "disassociating"}]
        assert len(shown(net, gateway)["NatGatewayAddresses"]) == 1
        net.call("ReleaseAddress", AllocationId=allocation)

    def test_that_may_not_be(self, net: Network) -> None:
        public, private = create(net), create(net, ConnectivityType="private")
        primary = shown(net, public)["NatGatewayAddresses"][0]
        own = shown(net, private)["NatGatewayAddresses"][0]["PrivateIp"]
        used = create(net)
        taken = shown(net, used)["NatGatewayAddresses"][0]["AllocationId"]
        for operation, gateway, params, code in (
            ("AssignPrivateNatGatewayAddress", public, {"PrivateIpAddressCount": 1}, "InvalidParameterValue"),
            ("AssignPrivateNatGatewayAddress", private, {}, "MissingParameter"),
            ("AssignPrivateNatGatewayAddress", private, {"PrivateIpAddressCount": 8}, "NatGatewayAddressLimitExceeded"),
            ("AssignPrivateNatGatewayAddress", private, {"PrivateIpAddresses": [own]}, "InvalidIPAddress.InUse"),
            ("UnassignPrivateNatGatewayAddress", private, {"PrivateIpAddresses": [own]}, "InvalidParameterValue"),
            ("AssociateNatGatewayAddress", private, {"AllocationIds": [taken]}, "InvalidParameterValue"),
            ("AssociateNatGatewayAddress", public, {"AllocationIds": [taken]}, "Resource.AlreadyAssociated"),
            (
                "AssociateNatGatewayAddress",
                public,
                {"AllocationIds": [taken], "AvailabilityZone": "us-east-1a"},
                "UnsupportedOperation",
            ),
            (
                "DisassociateNatGatewayAddress",
                public,
                {"AssociationIds": [primary["AssociationId"]]},
                "InvalidParameterValue",
            ),
            (
                "DisassociateNatGatewayAddress",
                public,
                {"AssociationIds": ["eipassoc-12345678"]},
                "InvalidAssociationID.NotFound",
            ),
        ):
            assert net.call.refused(operation, NatGatewayId=gateway, **params).code == code, (operation, params)
        net.call("DeleteNatGateway", NatGatewayId=private)
        late = {"NatGatewayId": private, "PrivateIpAddressCount": 1}
        assert net.call.refused("AssignPrivateNatGatewayAddress", **late).code == "NatGatewayNotFound"


class TestDescribing:
    def test_filters(self, net: Network) -> None:
        public, private = create(net), create(net, ConnectivityType="private", SubnetId=net.other_subnet)
        net.call("CreateTags", Resources=[public], Tags=[{"Key": "Name", "Value": "out"}])
        for name, value, expected in (
            ("nat-gateway-id", private, {private}),
            ("state", "avail*", {public, private}),
            ("state", "deleted", set()),
            ("subnet-id", net.subnet, {public}),
            ("vpc-id", net.other_vpc, {private}),
            ("tag:Name", "out", {public}),
            ("tag-key", "Name", {public}),
        ):
            answer = net.call("DescribeNatGateways", Filter=[{"Name": name, "Values": [value]}])
            assert {one["NatGatewayId"] for one in answer["NatGateways"]} == expected, name
        assert net.call.refused("DescribeNatGateways", Filter=[{"Name": "colour", "Values": ["x"]}]).code == (
            "InvalidParameterValue"
        )

    def test_pages(self, net: Network) -> None:
        made = {create(net, ConnectivityType="private") for _ in range(5)}
        made.add(create(net, ConnectivityType="private", SubnetId=net.subnet_b))
        first = net.call("DescribeNatGateways", MaxResults=5)
        second = net.call("DescribeNatGateways", MaxResults=5, NextToken=first["NextToken"])
        assert {one["NatGatewayId"] for one in first["NatGateways"] + second["NatGateways"]} == made

    def test_others_see_nothing(self, net: Network, second_account: Account) -> None:
        gateway = create(net)
        assert second_account("DescribeNatGateways")["NatGateways"] == []
        assert second_account.refused("DescribeNatGateways", NatGatewayIds=[gateway]).code == "NatGatewayNotFound"

    def test_many_cost_no_more_statements_than_one(self, net: Network) -> None:
        create(net, ConnectivityType="private")
        net.call("DescribeNatGateways")
        once = net.call.statements
        create(net, ConnectivityType="private")
        net.call("DescribeNatGateways")
        assert net.call.statements == once


class TestRoutes:
    @pytest.fixture
    def table(self, net: Network) -> str:
        return str(net.call("CreateRouteTable", VpcId=net.vpc)["RouteTable"]["RouteTableId"])

    def route(self, net: Network, table: str) -> dict[str, Any]:
        (found,) = net.call("DescribeRouteTables", RouteTableIds=[table])["RouteTables"]
        return next(route for route in found["Routes"] if route.get("DestinationCidrBlock") == "0.0.0.0/0")

    def test_a_route_is_active_until_its_gateway_goes(self, net: Network, table: str) -> None:
        gateway = create(net)
        net.call("CreateRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=gateway)
        expected = {
            "DestinationCidrBlock": "0.0.0.0/0",
            "NatGatewayId": gateway,
            "Origin": "CreateRoute",
            "State": "active",
        }
        assert self.route(net, table) == expected
        net.call("DeleteNatGateway", NatGatewayId=gateway)
        assert ("route_table", table) in net.call.changed
        assert self.route(net, table) == expected | {"State": "blackhole"}
        again = create(net)
        net.call("ReplaceRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=again)
        assert self.route(net, table)["NatGatewayId"] == again

    def test_tables_are_found_by_it(self, net: Network, table: str) -> None:
        gateway = create(net)
        net.call("CreateRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=gateway)
        found = net.call("DescribeRouteTables", Filters=[{"Name": "route.nat-gateway-id", "Values": [gateway]}])
        assert [one["RouteTableId"] for one in found["RouteTables"]] == [table]
        by_gateway = [{"Name": "route.gateway-id", "Values": [gateway]}]
        assert net.call("DescribeRouteTables", Filters=by_gateway)["RouteTables"] == []

    def test_that_may_not_be(self, net: Network, table: str, second_account: Account) -> None:
        gateway, elsewhere = create(net), create(net, ConnectivityType="private", SubnetId=net.other_subnet)
        gone = create(net)
        delete(net, gone)
        for destination, target, code in (
            ({"DestinationCidrBlock": "0.0.0.0/0"}, elsewhere, "InvalidParameterValue"),
            ({"DestinationCidrBlock": "0.0.0.0/0"}, gone, "InvalidNatGatewayID.NotFound"),
            ({"DestinationIpv6CidrBlock": "64:ff9b::/96"}, gateway, "UnsupportedOperation"),
        ):
            refused = net.call.refused("CreateRoute", RouteTableId=table, NatGatewayId=target, **destination)
            assert refused.code == code
