"""Step one: a VPC with a public and a private subnet, joined to the internet and to a corporate network."""

from __future__ import annotations

from dataclasses import dataclass

from enid.scenarios.cloud import Cloud, tagged
from enid.scenarios.dual_homed import plan
from enid.scenarios.lab import Lab


@dataclass(frozen=True, slots=True)
class Network:
    """Ids of what was made."""

    vpc: str
    public: str
    management: str
    zone: str
    other_zone: str


def build(lab: Lab) -> Network:
    """Make it all through the API, except the two places outside AWS."""
    lab.report.step("A VPC between the internet and a corporate network")
    _make_sites(lab)
    cloud = lab.cloud
    zones = [zone["ZoneName"] for zone in cloud.ec2.describe_availability_zones()["AvailabilityZones"]]
    vpc = cloud.aws("create-vpc", "--cidr-block", plan.VPC_BLOCK)["Vpc"]["VpcId"]
    cloud.ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "dual-homed"}])
    public = _subnet(cloud, vpc, plan.PUBLIC_BLOCK, zones[0], "public")
    management = _subnet(cloud, vpc, plan.MANAGEMENT_BLOCK, zones[0], "management")
    _open_to_internet(cloud, vpc, public)
    lab.report.did(f"{plan.PUBLIC_BLOCK} public: 0.0.0.0/0 → internet gateway")
    _join_corporate_network(cloud, vpc, management)
    lab.report.did(
        f"{plan.MANAGEMENT_BLOCK} management: {plan.CORPORATE_BLOCK} → VPN gateway, and no way to the internet"
    )
    return Network(vpc, public, management, zones[0], zones[1])


def _make_sites(lab: Lab) -> None:
    lab.enid("site", "create", "client", "--public-ip", plan.CLIENT_PUBLIC_IP)
    where = ("--network", plan.CORPORATE_BLOCK, "--host-ip", plan.ADMINISTRATOR)
    lab.enid("site", "create", "corporate", "--public-ip", plan.CORPORATE_PUBLIC_IP, *where)
    lab.report.did(f"site client on the internet, {plan.CLIENT_PUBLIC_IP}")
    lab.report.did(f"site corporate, {plan.CORPORATE_BLOCK}, administrator {plan.ADMINISTRATOR}")


def _subnet(cloud: Cloud, vpc: str, block: str, zone: str, name: str) -> str:
    made = cloud.ec2.create_subnet(
        VpcId=vpc, CidrBlock=block, AvailabilityZone=zone, TagSpecifications=tagged("subnet", name)
    )
    return str(made["Subnet"]["SubnetId"])


def _route_table(cloud: Cloud, vpc: str, subnet: str, name: str) -> str:
    made = cloud.ec2.create_route_table(VpcId=vpc, TagSpecifications=tagged("route-table", name))
    table = str(made["RouteTable"]["RouteTableId"])
    cloud.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    return table


def _open_to_internet(cloud: Cloud, vpc: str, subnet: str) -> None:
    gateway = cloud.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    cloud.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = _route_table(cloud, vpc, subnet, "public")
    cloud.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)


def _join_corporate_network(cloud: Cloud, vpc: str, subnet: str) -> None:
    theirs = cloud.ec2.create_customer_gateway(Type="ipsec.1", PublicIp=plan.CORPORATE_PUBLIC_IP, BgpAsn=65000)
    ours = cloud.ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    cloud.ec2.attach_vpn_gateway(VpnGatewayId=ours, VpcId=vpc)
    connection = cloud.ec2.create_vpn_connection(
        Type="ipsec.1",
        CustomerGatewayId=theirs["CustomerGateway"]["CustomerGatewayId"],
        VpnGatewayId=ours,
        Options={"StaticRoutesOnly": True},
    )["VpnConnection"]["VpnConnectionId"]
    cloud.ec2.create_vpn_connection_route(VpnConnectionId=connection, DestinationCidrBlock=plan.CORPORATE_BLOCK)
    table = _route_table(cloud, vpc, subnet, "management")
    cloud.ec2.create_route(RouteTableId=table, DestinationCidrBlock=plan.CORPORATE_BLOCK, GatewayId=ours)
