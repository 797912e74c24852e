"""boto3's resources: the objects many scripts are written with, from a VPC to nothing left of it."""

from __future__ import annotations

from typing import Any

import pytest
from api_server import Api

from enid.ec2.images import SANDBOX


@pytest.fixture
def ec2(api: Api) -> Any:
    made = api.resource("ec2")
    yield made
    made.meta.client.close()


def test_an_interface_and_all_around_it(ec2: Any, api: Api) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")
    vpc.wait_until_available()
    vpc.create_tags(Tags=[{"Key": "Name", "Value": "main"}])
    subnet = vpc.create_subnet(CidrBlock="10.0.1.0/24")
    gateway = ec2.create_internet_gateway()
    vpc.attach_internet_gateway(InternetGatewayId=gateway.id)
    table = vpc.create_route_table()
    route = table.create_route(DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway.id)
    association = table.associate_with_subnet(SubnetId=subnet.id)
    group = vpc.create_security_group(GroupName="web", Description="web")
    group.authorize_ingress(IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="0.0.0.0/0")
    assert [permission["FromPort"] for permission in group.ip_permissions] == [80]

    (instance,) = subnet.create_instances(ImageId=SANDBOX["ImageId"], InstanceType="t3.large", MinCount=1, MaxCount=1)
    api.agent()
    instance.wait_until_running()
    interface = subnet.create_network_interface(Groups=[group.id], Description="floating")
    interface.attach(InstanceId=instance.id, DeviceIndex=1)
    api.agent()
    interface.reload()
    assert (interface.status, interface.attachment["Status"]) == ("in-use", "attached")
    interface.assign_private_ip_addresses(PrivateIpAddresses=["10.0.1.50"])
    interface.modify_attribute(SourceDestCheck={"Value": False})
    address = ec2.VpcAddress(ec2.meta.client.allocate_address(Domain="vpc")["AllocationId"])
    address.associate(NetworkInterfaceId=interface.id, PrivateIpAddress="10.0.1.50")
    interface.reload()
    assert [each.get("Association", {}).get("PublicIp") for each in interface.private_ip_addresses] == [
        None,
        address.public_ip,
    ]
    assert not interface.source_dest_check
    instance.reload()
    assert interface in instance.network_interfaces
    assert [each.id for each in vpc.instances.filter(Filters=[{"Name": "vpc-id", "Values": [vpc.id]}])] == [instance.id]
    assert {each.id for each in vpc.network_interfaces.all()} == {each.id for each in instance.network_interfaces}

    interface.detach()
    api.agent()
    instance.terminate()
    api.agent()
    instance.wait_until_terminated()
    address.association.delete()
    address.release()
    interface.delete()
    association.delete()
    route.delete()
    table.delete()
    subnet.delete()
    group.delete()
    vpc.detach_internet_gateway(InternetGatewayId=gateway.id)
    gateway.delete()
    vpc.delete()
    assert [*ec2.vpcs.all(), *ec2.network_interfaces.all(), *ec2.vpc_addresses.all()] == []
