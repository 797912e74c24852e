"""A store with something of everything in it."""

from __future__ import annotations

from api_server import Api
from world import World


def populate(api: Api) -> None:
    world = World(api)
    ec2 = api.ec2
    assert world.gateway
    group = world.group()
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
            {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]},
        ],
    )
    instance, primary = world.running(SecurityGroupIds=[group])
    world.attach(world.eni(SecondaryPrivateIpAddressCount=2), instance)
    world.pending()
    stopped, _ = world.running()
    ec2.stop_instances(InstanceIds=[stopped])
    api.agent()
    free = world.eni(Description="free")
    ec2.associate_address(AllocationId=world.elastic(), NetworkInterfaceId=primary)
    world.elastic()
    table = ec2.create_route_table(VpcId=world.vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=world.subnet)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=world.gateway)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.200.0.0/16", NetworkInterfaceId=free)
    ours = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    ec2.attach_vpn_gateway(VpnGatewayId=ours, VpcId=world.vpc)
    ec2.enable_vgw_route_propagation(GatewayId=ours, RouteTableId=table)
    theirs = ec2.create_customer_gateway(Type="ipsec.1", PublicIp="203.0.113.1", BgpAsn=65000)["CustomerGateway"]
    ec2.create_vpn_connection(
        Type="ipsec.1",
        CustomerGatewayId=theirs["CustomerGatewayId"],
        VpnGatewayId=ours,
        Options={"StaticRoutesOnly": True},
    )
    ec2.create_managed_prefix_list(
        PrefixListName="offices", AddressFamily="IPv4", MaxEntries=5, Entries=[{"Cidr": "198.51.100.0/24"}]
    )
    ec2.associate_vpc_cidr_block(VpcId=world.vpc, AmazonProvidedIpv6CidrBlock=True)
    ec2.associate_vpc_cidr_block(VpcId=world.vpc, CidrBlock="10.1.0.0/16")
    ec2.assign_private_ip_addresses(NetworkInterfaceId=free, Ipv4PrefixCount=1)
    ec2.create_network_interface_permission(
        NetworkInterfaceId=free, AwsAccountId="222222222222", Permission="INSTANCE-ATTACH"
    )
    ec2.create_subnet_cidr_reservation(SubnetId=world.subnet, Cidr="10.0.1.64/26", ReservationType="explicit")
    ec2.enable_address_transfer(AllocationId=world.elastic(), TransferAccountId="222222222222")
    ec2.create_key_pair(KeyName="key")
    ec2.create_tags(Resources=[instance, free, group], Tags=[{"Key": "Name", "Value": "web"}])
    far, _ = world.add_vpc()
    peer(api, world, group, far)


def peer(api: Api, world: World, group: str, far: str) -> None:
    """An active connection with a rule over it, and a request."""
    asked = api.ec2.create_vpc_peering_connection(VpcId=world.vpc, PeerVpcId=far)["VpcPeeringConnection"]
    api.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=asked["VpcPeeringConnectionId"])
    api.agent()
    pair = {"GroupId": world.group("far", far), "UserId": api.account_id}
    permission = {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "UserIdGroupPairs": [pair]}
    api.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    third = api.ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    api.ec2.create_vpc_peering_connection(VpcId=far, PeerVpcId=third)
