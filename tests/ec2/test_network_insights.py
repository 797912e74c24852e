"""Reachability Analyzer: paths, what an analysis finds, and that it stays as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from accounts import FIRST, Account
from enid.ec2.images import SANDBOX
from enid.ec2.network_insights_explanations import CODES
from enid.store import status
from enid.store import tables as t
from enid.topology.reach import Reason

ANYBODY = [{"CidrIp": "0.0.0.0/0"}]


class Cloud:
    """A VPC with a public and a private subnet, a web server (TCP 80 for everybody) and an application server
    (TCP 8080 for the web server's group)."""

    def __init__(self, call: Account) -> None:
        self.call = call
        self.vpc = call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.public, self.private = (self._subnet(f"10.0.{number}.0/24") for number in (1, 2))
        self.gateway = call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
        call("AttachInternetGateway", InternetGatewayId=self.gateway, VpcId=self.vpc)
        self.table = call("CreateRouteTable", VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        call("AssociateRouteTable", RouteTableId=self.table, SubnetId=self.public)
        call("CreateRoute", RouteTableId=self.table, DestinationCidrBlock="0.0.0.0/0", GatewayId=self.gateway)
        self.web_group, self.app_group = self._group("web"), self._group("app")
        self.allow(self.web_group, FromPort=80, ToPort=80, IpRanges=ANYBODY)
        self.allow(self.app_group, FromPort=8080, ToPort=8081, UserIdGroupPairs=[{"GroupId": self.web_group}])
        self.web, self.web_eni = self._machine(self.public, self.web_group)
        self.app, self.app_eni = self._machine(self.private, self.app_group)
        with call.database.write() as db:
            status.attached(db, db.execute(select(t.attachments.c.id)).scalars().all())
            status.running(db, [self.web, self.app])

    def _subnet(self, block: str) -> str:
        return str(self.call("CreateSubnet", VpcId=self.vpc, CidrBlock=block)["Subnet"]["SubnetId"])

    def _group(self, name: str) -> str:
        made = self.call("CreateSecurityGroup", GroupName=name, Description=name, VpcId=self.vpc)
        return str(made["GroupId"])

    def _machine(self, subnet: str, group: str) -> tuple[str, str]:
        (made,) = self.call(
            "RunInstances",
            ImageId=SANDBOX["ImageId"],
            InstanceType="t3.small",
            MinCount=1,
            MaxCount=1,
            SubnetId=subnet,
            SecurityGroupIds=[group],
        )["Instances"]
        return made["InstanceId"], made["NetworkInterfaces"][0]["NetworkInterfaceId"]

    def allow(self, group: str, **permission: Any) -> None:
        permission = {"IpProtocol": "tcp", **permission}
        self.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[permission])

    def forbid(self, group: str) -> None:
        """Take all inbound rules away."""
        rules = self.call("DescribeSecurityGroupRules", Filters=[{"Name": "group-id", "Values": [group]}])
        ids = [rule["SecurityGroupRuleId"] for rule in rules["SecurityGroupRules"] if not rule["IsEgress"]]
        self.call("RevokeSecurityGroupIngress", GroupId=group, SecurityGroupRuleIds=ids)

    def elastic_ip(self, eni: str) -> str:
        made = self.call("AllocateAddress", Domain="vpc")
        self.call("AssociateAddress", AllocationId=made["AllocationId"], NetworkInterfaceId=eni)
        return str(made["PublicIp"])

    def address(self, eni: str) -> str:
        (shown,) = self.call("DescribeNetworkInterfaces", NetworkInterfaceIds=[eni])["NetworkInterfaces"]
        return str(shown["PrivateIpAddress"])

    def path(self, source: str, destination: str | None = None, **params: Any) -> str:
        request = {"Source": source, "Protocol": "tcp", "ClientToken": "x", **params}
        if destination:
            request["Destination"] = destination
        made = self.call("CreateNetworkInsightsPath", **request)["NetworkInsightsPath"]
        return str(made["NetworkInsightsPathId"])

    def start(self, path: str, **params: Any) -> dict[str, Any]:
        request = {"NetworkInsightsPathId": path, "ClientToken": "x", **params}
        return dict(self.call("StartNetworkInsightsAnalysis", **request)["NetworkInsightsAnalysis"])

    def analyze(self, source: str, destination: str | None = None, **params: Any) -> dict[str, Any]:
        return self.start(self.path(source, destination, **params))

    def why_not(self, source: str, destination: str | None = None, **params: Any) -> str:
        """The explanation code of what cannot be."""
        shown = self.analyze(source, destination, **params)
        assert not shown["NetworkPathFound"]
        assert "ForwardPathComponents" not in shown
        (explanation,) = shown["Explanations"]
        return str(explanation["ExplanationCode"])


@pytest.fixture
def cloud(call: Account) -> Cloud:
    return Cloud(call)


def ids(components: list[dict[str, Any]]) -> list[str]:
    assert [component["SequenceNumber"] for component in components] == list(range(1, len(components) + 1))
    return [component["Component"]["Id"] for component in components]


def test_every_reason_has_a_code() -> None:
    assert set(CODES) == set(Reason)


class TestAPathThatIsFound:
    def test_between_instances(self, cloud: Cloud) -> None:
        shown = cloud.analyze(cloud.web, cloud.app, DestinationPort=8080, Protocol="TCP")  # as AWS's examples write it
        assert (shown["Status"], shown["NetworkPathFound"]) == ("succeeded", True)
        forward = shown["ForwardPathComponents"]
        tables = cloud.call("DescribeRouteTables", RouteTableIds=[cloud.table])["RouteTables"]
        assert tables[0]["VpcId"] == cloud.vpc
        assert ids(forward) == [
            cloud.web,
            cloud.web_eni,
            cloud.web_group,
            cloud.table,
            cloud.app_group,
            cloud.app_eni,
            cloud.app,
        ]
        by_id = {component["Component"]["Id"]: component for component in forward}
        assert by_id[cloud.app_group]["SecurityGroupRule"] == {
            "Direction": "ingress",
            "Protocol": "tcp",
            "PortRange": {"From": 8080, "To": 8081},
            "SecurityGroupId": cloud.web_group,
        }
        route = {"DestinationCidr": "10.0.0.0/16", "GatewayId": "local", "State": "active"}
        assert by_id[cloud.table]["RouteTableRoute"] == route
        eni = by_id[cloud.web_eni]
        assert (eni["AttachedTo"]["Id"], eni["Subnet"]["Id"], eni["Vpc"]["Id"]) == (
            cloud.web,
            cloud.public,
            cloud.vpc,
        )
        assert eni["Component"]["Arn"] == f"arn:aws:ec2:us-east-1:{FIRST}:network-interface/{cloud.web_eni}"
        header = eni["OutboundHeader"]
        assert header["SourceAddresses"] == [f"{cloud.address(cloud.web_eni)}/32"]
        assert header["DestinationAddresses"] == [f"{cloud.address(cloud.app_eni)}/32"]
        assert header["DestinationPortRanges"] == [{"From": 8080, "To": 8080}]
        assert header["Protocol"] == "6"

    def test_out_by_the_internet_gateway_with_the_public_address(self, cloud: Cloud) -> None:
        public = cloud.elastic_ip(cloud.web_eni)
        shown = cloud.analyze(cloud.web_eni, cloud.gateway, DestinationPort=443)
        last = shown["ForwardPathComponents"][-1]
        assert ids(shown["ForwardPathComponents"]) == [cloud.web_eni, cloud.web_group, cloud.table, cloud.gateway]
        assert last["InboundHeader"]["SourceAddresses"] == [f"{cloud.address(cloud.web_eni)}/32"]
        assert last["OutboundHeader"]["SourceAddresses"] == [f"{public}/32"]

    def test_in_by_the_internet_gateway_and_the_way_back(self, cloud: Cloud) -> None:
        cloud.elastic_ip(cloud.web_eni)
        shown = cloud.analyze(cloud.gateway, cloud.web, DestinationPort=80)
        assert ids(shown["ForwardPathComponents"]) == [cloud.gateway, cloud.web_group, cloud.web_eni, cloud.web]
        (back,) = shown["ReturnPathComponents"]
        assert back["Component"]["Id"] == cloud.table
        assert back["RouteTableRoute"] == {
            "DestinationCidr": "0.0.0.0/0",
            "GatewayId": cloud.gateway,
            "State": "active",
        }

    def test_without_a_port_any_open_one_will_do(self, cloud: Cloud) -> None:
        shown = cloud.analyze(cloud.web, cloud.app)
        (port,) = shown["ForwardPathComponents"][0]["OutboundHeader"]["DestinationPortRanges"]
        assert port == {"From": 8080, "To": 8080}

    @pytest.mark.parametrize(("ports", "found"), [((1, 8079), False), ((8081, 9000), True), ((8082, 9000), False)])
    def test_a_range_of_ports(self, cloud: Cloud, ports: tuple[int, int], found: bool) -> None:
        limits = {"DestinationPortRange": {"FromPort": ports[0], "ToPort": ports[1]}}
        for end in ("FilterAtSource", "FilterAtDestination"):
            assert cloud.analyze(cloud.web, cloud.app, **{end: limits})["NetworkPathFound"] is found

    def test_over_network_acls(self, cloud: Cloud) -> None:
        (acl,) = cloud.call("DescribeNetworkAcls")["NetworkAcls"]
        id_ = acl["NetworkAclId"]
        rule = {"NetworkAclId": id_, "Protocol": "17", "RuleAction": "deny", "CidrBlock": "0.0.0.0/0"}
        ports = {"PortRange": {"From": 1, "To": 2}}
        cloud.call("CreateNetworkAclEntry", RuleNumber=10, Egress=False, **rule, **ports)
        shown = cloud.analyze(cloud.web_eni, cloud.app_eni, DestinationPort=8080)
        entries = [component for component in shown["ForwardPathComponents"] if component["Component"]["Id"] == id_]
        assert [entry["AclRule"] for entry in entries] == [
            {"Cidr": "0.0.0.0/0", "Egress": False, "Protocol": "all", "RuleAction": "allow", "RuleNumber": 100}
        ]
        assert entries[0]["Subnet"]["Id"] == cloud.private
        back = shown["ReturnPathComponents"]
        assert [component["Subnet"]["Id"] for component in back] == [cloud.public]


class TestAPathThatIsNotFound:
    def test_for_the_receivers_groups(self, cloud: Cloud) -> None:
        shown = cloud.analyze(cloud.web, cloud.app, DestinationPort=22)
        (explanation,) = shown["Explanations"]
        assert explanation["ExplanationCode"] == "ENI_SG_RULES_MISMATCH"
        assert explanation["Direction"] == "ingress"
        assert explanation["NetworkInterface"]["Id"] == explanation["Component"]["Id"] == cloud.app_eni
        assert [group["Id"] for group in explanation["SecurityGroups"]] == [cloud.app_group]
        cloud.forbid(cloud.app_group)
        assert cloud.why_not(cloud.web, cloud.app) == "SG_HAS_NO_RULES"

    def test_for_a_network_acl(self, cloud: Cloud) -> None:
        (acl,) = cloud.call("DescribeNetworkAcls")["NetworkAcls"]
        id_ = acl["NetworkAclId"]
        cloud.call("DeleteNetworkAclEntry", NetworkAclId=id_, RuleNumber=100, Egress=False)
        (explanation,) = cloud.analyze(cloud.web, cloud.app, DestinationPort=8080)["Explanations"]
        assert explanation["ExplanationCode"] == "SUBNET_ACL_RESTRICTION"
        assert explanation["Acl"]["Id"] == id_
        assert explanation["AclRule"] == {
            "Cidr": "0.0.0.0/0",
            "Egress": False,
            "Protocol": "all",
            "RuleAction": "deny",
            "RuleNumber": 32767,
        }

    def test_for_routes(self, cloud: Cloud) -> None:
        assert cloud.why_not(cloud.app, cloud.gateway) == "NO_ROUTE_TO_DESTINATION"
        assert cloud.why_not(cloud.web, DestinationIp="10.0.2.250") == "NO_POSSIBLE_DESTINATION"
        cloud.elastic_ip(cloud.web_eni)
        path = cloud.path(cloud.web, DestinationIp="8.8.8.8")
        everywhere = {"RouteTableId": cloud.table, "DestinationCidrBlock": "0.0.0.0/0"}
        cloud.call("ReplaceRoute", NetworkInterfaceId=spare(cloud), **everywhere)
        (explanation,) = cloud.start(path)["Explanations"]
        assert explanation["ExplanationCode"] == "BAD_STATE_ROUTE"
        assert explanation["RouteTable"]["Id"] == cloud.table
        assert explanation["RouteTableRoute"]["State"] == "blackhole"

    def test_for_addresses(self, cloud: Cloud) -> None:
        assert cloud.why_not(cloud.web, cloud.gateway) == "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS"
        assert cloud.why_not(cloud.gateway, cloud.web) == "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS"
        assert cloud.why_not(cloud.web, cloud.gateway, DestinationIp="10.9.9.9") == "IGW_EXPECTS_PUBLIC_ADDRESS"
        assert cloud.why_not(cloud.web, cloud.app, DestinationIp="10.0.2.250") == "ENI_ADDRESS_RESTRICTION"
        assert cloud.why_not(cloud.web, cloud.app, SourceIp="10.7.7.7") == "ENI_SOURCE_DEST_CHECK_RESTRICTION"

    def test_for_an_end_that_is_not_on_the_network(self, cloud: Cloud) -> None:
        assert cloud.why_not(spare(cloud), cloud.app) == "BAD_STATE_ATTACHMENT"
        other = cloud.call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
        assert cloud.why_not(cloud.web, other) == "BAD_STATE_ATTACHMENT"
        vpn = cloud.call("CreateVpnGateway", Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
        assert cloud.why_not(cloud.web, vpn) == "BAD_STATE_ATTACHMENT"
        cloud.call("AttachVpnGateway", VpnGatewayId=vpn, VpcId=cloud.vpc)
        assert cloud.why_not(cloud.web, vpn) == "BAD_STATE_VPN"

    def test_for_what_arrives(self, cloud: Cloud) -> None:
        public, private = cloud.elastic_ip(cloud.web_eni), cloud.address(cloud.web_eni)
        assert cloud.analyze(cloud.web, cloud.gateway, FilterAtDestination={"SourceAddress": public})[
            "NetworkPathFound"
        ]
        code = cloud.why_not(cloud.web, cloud.gateway, FilterAtDestination={"SourceAddress": private})
        assert code == "FILTER_AT_DESTINATION_SOURCE_ADDRESS"

    def test_for_a_component_it_must_meet_or_avoid(self, cloud: Cloud) -> None:
        path = cloud.path(cloud.web, cloud.app)
        arn = f"arn:aws:ec2:us-east-1:{FIRST}:security-group/{cloud.app_group}"
        other = f"arn:aws:ec2:us-east-1:{FIRST}:internet-gateway/{cloud.gateway}"
        assert cloud.start(path, FilterInArns=[arn], FilterOutArns=[other])["NetworkPathFound"]
        for wrong in ({"FilterInArns": [other]}, {"FilterOutArns": [arn]}):
            shown = cloud.start(path, **wrong)
            assert shown["Explanations"][0]["ExplanationCode"] == "COMPONENT_FILTER_RESTRICTION"
            assert shown | wrong == shown

    def test_another_accounts_interface_is_nobody(self, cloud: Cloud, second_account: Account) -> None:
        public = cloud.elastic_ip(cloud.web_eni)
        stranger = Cloud(second_account)
        stranger.elastic_ip(stranger.web_eni)
        assert stranger.why_not(stranger.web, DestinationIp=public, DestinationPort=80) == "NO_POSSIBLE_DESTINATION"
        assert (
            second_account.refused(
                "CreateNetworkInsightsPath", Source=cloud.web, Destination=stranger.web, Protocol="tcp", ClientToken="x"
            ).code
            == "InvalidInstanceID.NotFound"
        )


def spare(cloud: Cloud) -> str:
    """An interface that is not attached."""
    made = cloud.call("CreateNetworkInterface", SubnetId=cloud.public)
    return str(made["NetworkInterface"]["NetworkInterfaceId"])


def test_over_a_vpn_gateway(cloud: Cloud) -> None:
    call = cloud.call
    call.put(
        insert(t.sites).values(name="corp", public_ip="203.0.113.10", network="192.168.0.0/16", host_ip="192.168.0.10")
    )
    vpn = call("CreateVpnGateway", Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    call("AttachVpnGateway", VpnGatewayId=vpn, VpcId=cloud.vpc)
    customer = call("CreateCustomerGateway", Type="ipsec.1", PublicIp="203.0.113.10", BgpAsn=65000)
    customer_id = customer["CustomerGateway"]["CustomerGatewayId"]
    made = call(
        "CreateVpnConnection",
        Type="ipsec.1",
        CustomerGatewayId=customer_id,
        VpnGatewayId=vpn,
        Options={"StaticRoutesOnly": True},
    )
    connection = made["VpnConnection"]["VpnConnectionId"]
    call("CreateVpnConnectionRoute", VpnConnectionId=connection, DestinationCidrBlock="192.168.0.0/16")
    assert cloud.why_not(vpn, cloud.web, DestinationPort=22) == "ENI_SG_RULES_MISMATCH"
    assert cloud.why_not(vpn, cloud.web, DestinationPort=80) == "NO_ROUTE_TO_DESTINATION"
    call("CreateRoute", RouteTableId=cloud.table, DestinationCidrBlock="192.168.0.0/16", GatewayId=vpn)
    inward = cloud.analyze(vpn, cloud.web, DestinationPort=80)
    assert ids(inward["ForwardPathComponents"]) == [vpn, cloud.web_group, cloud.web_eni, cloud.web]
    assert inward["ReturnPathComponents"][0]["RouteTableRoute"]["GatewayId"] == vpn
    outward = cloud.analyze(cloud.web, vpn, DestinationIp="192.168.0.10")
    assert ids(outward["ForwardPathComponents"])[-1] == vpn


class TestPaths:
    def test_are_shown_as_they_were_made(self, cloud: Cloud, second_account: Account) -> None:
        tags = [{"ResourceType": "network-insights-path", "Tags": [{"Key": "Name", "Value": "x"}]}]
        arn = f"arn:aws:ec2:us-east-1:{FIRST}:instance/{cloud.web}"
        at_source = {"DestinationPortRange": {"FromPort": 80, "ToPort": 90}, "SourceAddress": "10.0.1.9"}
        path = cloud.path(arn, cloud.app_eni, Protocol="udp", FilterAtSource=at_source, TagSpecifications=tags)
        cloud.path(cloud.app, cloud.gateway)
        (shown,) = cloud.call("DescribeNetworkInsightsPaths", NetworkInsightsPathIds=[path])["NetworkInsightsPaths"]
        assert shown.pop("CreatedDate")
        assert shown == {
            "NetworkInsightsPathId": path,
            "NetworkInsightsPathArn": f"arn:aws:ec2:us-east-1:{FIRST}:network-insights-path/{path}",
            "Source": cloud.web,
            "SourceArn": arn,
            "Destination": cloud.app_eni,
            "DestinationArn": f"arn:aws:ec2:us-east-1:{FIRST}:network-interface/{cloud.app_eni}",
            "Protocol": "udp",
            "FilterAtSource": at_source,
            "Tags": [{"Key": "Name", "Value": "x"}],
        }
        for name, value in (
            ("source", cloud.web),
            ("destination", cloud.app_eni),
            ("protocol", "udp"),
            ("filter-at-source.source-address", "10.0.1.*"),
            ("filter-at-source.destination-port-range", "80-90"),
            ("tag:Name", "x"),
        ):
            found = cloud.call("DescribeNetworkInsightsPaths", Filters=[{"Name": name, "Values": [value]}])
            assert [one["NetworkInsightsPathId"] for one in found["NetworkInsightsPaths"]] == [path], name
        assert second_account("DescribeNetworkInsightsPaths")["NetworkInsightsPaths"] == []

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({"Destination": None}, "MissingParameter"),
            ({"Source": "vpc-0123456789abcdef0"}, "UnsupportedOperation"),
            ({"Source": "arn:aws:ec2:us-east-1:999999999999:instance/i-0123456789abcdef0"}, "UnsupportedOperation"),
            ({"Source": "arn:aws:s3:::bucket"}, "InvalidParameterValue"),
            ({"Source": "i-0123456789abcdef0"}, "InvalidInstanceID.NotFound"),
            ({"SourceIp": "10.0.0.999"}, "InvalidParameterValue"),
            ({"SourceIp": "10.0.0.9", "FilterAtSource": {"SourceAddress": "10.0.0.9"}}, "InvalidParameterCombination"),
            (
                {"DestinationIp": "10.0.0.9", "FilterAtDestination": {"SourceAddress": "10.0.0.9"}},
                "InvalidParameterCombination",
            ),
            ({"FilterAtSource": {"SourcePortRange": {"FromPort": 5000, "ToPort": 5000}}}, "UnsupportedOperation"),
            ({"FilterAtSource": {"DestinationPortRange": {"FromPort": 90, "ToPort": 80}}}, "InvalidParameterValue"),
        ],
    )
    def test_that_may_not_be(self, cloud: Cloud, params: dict[str, Any], code: str) -> None:
        request = {"Source": cloud.web, "Destination": cloud.app, "Protocol": "tcp", "ClientToken": "x", **params}
        given = {name: value for name, value in request.items() if value is not None}
        assert cloud.call.refused("CreateNetworkInsightsPath", **given).code == code

    def test_stay_while_there_are_analyses(self, cloud: Cloud) -> None:
        path = cloud.path(cloud.web, cloud.app)
        analysis = cloud.start(path)["NetworkInsightsAnalysisId"]
        error = cloud.call.refused("DeleteNetworkInsightsPath", NetworkInsightsPathId=path)
        assert (error.code, error.dependants) == ("AnalysisExistsForNetworkInsightsPath", (analysis,))
        cloud.call("DeleteNetworkInsightsAnalysis", NetworkInsightsAnalysisId=analysis)
        assert cloud.call("DeleteNetworkInsightsPath", NetworkInsightsPathId=path) == {"NetworkInsightsPathId": path}
        error = cloud.call.refused("DeleteNetworkInsightsPath", NetworkInsightsPathId=path)
        assert error.code == "InvalidNetworkInsightsPathId.NotFound"


class TestAnalyses:
    def test_stay_as_they_were(self, cloud: Cloud, second_account: Account) -> None:
        path, other = cloud.path(cloud.web, cloud.app), cloud.path(cloud.app, cloud.gateway)
        before = cloud.start(path)
        cloud.forbid(cloud.app_group)
        after, elsewhere = cloud.start(path), cloud.start(other)
        assert (before["NetworkPathFound"], after["NetworkPathFound"]) == (True, False)

        def found(**params: Any) -> list[dict[str, Any]]:
            shown = cloud.call("DescribeNetworkInsightsAnalyses", **params)["NetworkInsightsAnalyses"]
            return sorted(shown, key=lambda one: str(one["NetworkInsightsAnalysisId"]))

        def ordered(*analyses: dict[str, Any]) -> list[dict[str, Any]]:
            return sorted(analyses, key=lambda one: str(one["NetworkInsightsAnalysisId"]))

        assert found() == ordered(before, after, elsewhere)
        assert found(NetworkInsightsPathId=path) == ordered(before, after)
        assert found(NetworkInsightsAnalysisIds=[before["NetworkInsightsAnalysisId"]]) == [before]
        assert found(Filters=[{"Name": "path-found", "Values": ["true"]}]) == [before]
        assert found(Filters=[{"Name": "status", "Values": ["running"]}]) == []
        now = datetime.now(UTC)
        assert len(found(AnalysisStartTime=now - timedelta(hours=1), AnalysisEndTime=now + timedelta(hours=1))) == 3
        assert found(AnalysisStartTime=now + timedelta(hours=1)) == []
        assert found(AnalysisEndTime=now - timedelta(hours=1)) == []
        assert second_account("DescribeNetworkInsightsAnalyses")["NetworkInsightsAnalyses"] == []

    def test_cost_the_same_however_large_the_network_is(self, cloud: Cloud) -> None:
        path = cloud.path(cloud.web, cloud.app)
        cloud.start(path)
        before = cloud.call.statements
        for number in range(3, 8):
            cloud._subnet(f"10.0.{number}.0/24")
            cloud._group(f"group-{number}")
        cloud.start(path)
        assert cloud.call.statements == before
