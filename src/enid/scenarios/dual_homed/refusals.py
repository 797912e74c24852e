"""What AWS refuses, enid refuses, in the same words."""

from __future__ import annotations

from enid.scenarios.dual_homed import plan
from enid.scenarios.dual_homed.network import Network
from enid.scenarios.dual_homed.servers import Machines
from enid.scenarios.lab import Lab


def prove(lab: Lab, net: Network, machines: Machines) -> None:
    """Attach across zones and VPCs, detach the primary interface, delete what is in use."""
    lab.report.step("What must be refused")
    ec2 = lab.cloud.ec2
    web_1 = machines.by_name[plan.WEB_1.name]
    far = ec2.create_subnet(VpcId=net.vpc, CidrBlock="10.0.3.0/24", AvailabilityZone=net.other_zone)
    _attach(
        lab, far["Subnet"]["SubnetId"], machines.peer, "an interface of another zone", "InvalidParameterCombination"
    )
    other = ec2.create_vpc(CidrBlock=plan.VPC_BLOCK)["Vpc"]["VpcId"]
    foreign = ec2.create_subnet(VpcId=other, CidrBlock="10.0.9.0/24", AvailabilityZone=net.zone)
    _attach(lab, foreign["Subnet"]["SubnetId"], machines.peer, "an interface of another VPC", "InvalidParameterValue")
    primary = lab.cloud.network_interface(web_1.eth0)["Attachment"]["AttachmentId"]
    for force in (False, True):
        said = lab.cloud.refusal("detach_network_interface", AttachmentId=primary, Force=force)
        _expect(
            lab, "the primary interface stays" + (", even by force" if force else ""), said, "OperationNotPermitted"
        )
    said = lab.cloud.refusal("delete_subnet", SubnetId=net.public)
    _expect(lab, "a subnet in use stays", said, "DependencyViolation")


def _attach(lab: Lab, subnet: str, instance: str, what: str, code: str) -> None:
    """Offer an instance an interface of this subnet, then clean up."""
    ec2 = lab.cloud.ec2
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    said = lab.cloud.refusal(
        "attach_network_interface", NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=1
    )
    _expect(lab, f"{what} cannot be attached", said, code)
    vpc = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
    ec2.delete_network_interface(NetworkInterfaceId=interface)
    ec2.delete_subnet(SubnetId=subnet)
    if vpc != lab.cloud.instance(instance)["VpcId"]:
        ec2.delete_vpc(VpcId=vpc)


def _expect(lab: Lab, promise: str, said: str, code: str) -> None:
    lab.report.check(promise, said.startswith(f"{code}:"), said or "it was not refused")
