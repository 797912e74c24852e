"""Two accounts on one store: whatever one asks with ids of the other's, it is told that there is no such thing.

Every operation is tried, with every member of its request that takes an id: the caller's own ids everywhere else, so
that nothing but the foreign one can be the reason for the refusal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.model import Shape
from sqlalchemy import update

from accounts import Account, model
from enid.ec2.errors import AwsError
from enid.ec2.images import SANDBOX
from enid.ec2.registry import OPERATIONS
from enid.store import status, tables

Ids = dict[str, str]
Path = tuple[str, ...]

KINDS = {
    "MirrorFilterRuleId": "tmfr",
    "MirrorFilterId": "tmf",
    "MirrorTargetId": "tmt",
    "MirrorSessionId": "tms",
    "Attachment": "eni-attach",
    "Allocation": "eipalloc",
    "RuleId": "sgr",
    "PeeringConnection": "pcx",
    "InterfacePermission": "eni-perm",
    "CidrReservation": "scr",
    "NetworkAcl": "acl",
    "NatGateway": "nat",
    "EgressOnly": "eigw",
    "DhcpOptions": "dopt",
    "FlowLog": "fl",
    "NetworkInterface": "eni",
    "InternetGateway": "igw",
    "VpnGateway": "vgw",
    "CustomerGateway": "cgw",
    "VpnConnection": "vpn",
    "VpcEndpointId": "vpce",
    "InsightsPathId": "nip",
    "InsightsAnalysisId": "nia",
    "RouteTable": "rtb",
    "PrefixList": "pl",
    "KeyPairId": "key",
    "Instance": "i",
    "Subnet": "subnet",
    "PublicIp": "public",
    "Group": "sg",
    "Gateway": "igw",
    "Vpc": "vpc",
    "Resource": "vpc",
}
"""Part of a member's name → the kind of id it takes; the first that fits."""
ASSOCIATIONS = {
    "DisassociateAddress": "eipassoc",
    "DisassociateNatGatewayAddress": "eipassoc",
    "ReplaceNetworkAclAssociation": "aclassoc",
    "DisassociateRouteTable": "rtbassoc",
    "ReplaceRouteTableAssociation": "rtbassoc",
    "DisassociateVpcCidrBlock": "vpc-cidr-assoc",
    "DisassociateSubnetCidrBlock": "subnet-cidr-assoc",
}
STRANGER = "999988887777"
"""A third account, with which something is shared."""
S3 = "com.amazonaws.us-east-1.s3"
WORDS = {
    "AwsAccountId": STRANGER,
    "TransferAccountId": STRANGER,
    "DomainName": "mail.example.net",
    "ServiceName": S3,
    "Protocol": "-1",
    "LogDestination": "arn:aws:s3:::traffic",
    "LogDestinationType": "s3",
    "CidrBlock": "10.0.9.0/24",
    "DestinationCidrBlock": "10.99.0.0/16",
    "IpProtocol": "-1",
    "Type": "ipsec.1",
    "Cidr": "10.77.0.0/16",
    "CidrIp": "10.77.0.0/16",
    "ImageId": SANDBOX["ImageId"],
    "InstanceType": "t3.small",
    "BgpAsn": 65000,
    "AddressFamily": "IPv4",
    "CpuCredits": "standard",
    "MaxEntries": 5,
    "DeviceIndex": 5,
}
NO_IDS = re.compile(
    "Pool|Ipam|Outpost|Tag|Dry|Token|Client|Border|Name$|Types?$|Tenancy|Encryption|Ramdisk|Kernel|Placement|Elastic|CoIp"
)


def kind_of(action: str, name: str) -> str | None:
    if (action, name) == ("AcceptAddressTransfer", "Address"):
        return "public"
    if action == "CreateNetworkInsightsPath" and name in ("Source", "Destination"):
        return "i"
    if name.startswith("AssociationId"):
        return ASSOCIATIONS.get(action)
    if NO_IDS.search(name):
        return None
    return next((kind for part, kind in KINDS.items() if part in name and "Owner" not in name), None)


def populate(account: Account, block: str) -> Ids:
    """One of everything; kind → id."""
    ids: Ids = {}
    ids["vpc"] = account("CreateVpc", CidrBlock=block)["Vpc"]["VpcId"]
    added = account("AssociateVpcCidrBlock", VpcId=ids["vpc"], AmazonProvidedIpv6CidrBlock=True)
    ids["vpc-cidr-assoc"] = added["Ipv6CidrBlockAssociation"]["AssociationId"]
    inner = block.replace(".0.0/16", ".1.0/24")
    ids["subnet"] = account("CreateSubnet", VpcId=ids["vpc"], CidrBlock=inner)["Subnet"]["SubnetId"]
    six = account("DescribeVpcs")["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("/56", "/64")
    added = account("AssociateSubnetCidrBlock", SubnetId=ids["subnet"], Ipv6CidrBlock=six)
    ids["subnet-cidr-assoc"] = added["Ipv6CidrBlockAssociation"]["AssociationId"]
    ids["igw"] = account("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
    account("AttachInternetGateway", InternetGatewayId=ids["igw"], VpcId=ids["vpc"])
    ids["vgw"] = account("CreateVpnGateway", Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    account("AttachVpnGateway", VpnGatewayId=ids["vgw"], VpcId=ids["vpc"])
    customer = account("CreateCustomerGateway", Type="ipsec.1", IpAddress="203.0.113.9", BgpAsn=65001)
    ids["cgw"] = customer["CustomerGateway"]["CustomerGatewayId"]
    ends = {"CustomerGatewayId": ids["cgw"], "VpnGatewayId": ids["vgw"], "Options": {"StaticRoutesOnly": True}}
    ids["vpn"] = account("CreateVpnConnection", Type="ipsec.1", **ends)["VpnConnection"]["VpnConnectionId"]
    ids["rtb"] = account("CreateRouteTable", VpcId=ids["vpc"])["RouteTable"]["RouteTableId"]
    joined = account("AssociateRouteTable", RouteTableId=ids["rtb"], SubnetId=ids["subnet"])
    ids["rtbassoc"] = joined["AssociationId"]
    ids["sg"] = account("CreateSecurityGroup", GroupName="web", Description="x", VpcId=ids["vpc"])["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}
    made = account("AuthorizeSecurityGroupIngress", GroupId=ids["sg"], **rule)["SecurityGroupRules"]
    ids["sgr"] = made[0]["SecurityGroupRuleId"]
    listed = account("CreateManagedPrefixList", PrefixListName="x", AddressFamily="IPv4", MaxEntries=5)
    ids["pl"] = listed["PrefixList"]["PrefixListId"]
    ids["key"] = account("CreateKeyPair", KeyName="mine")["KeyPairId"]
    launch = {"ImageId": SANDBOX["ImageId"], "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.small"}
    (machine,) = account("RunInstances", SubnetId=ids["subnet"], SecurityGroupIds=[ids["sg"]], **launch)["Instances"]
    ids["i"], primary = machine["InstanceId"], machine["NetworkInterfaces"][0]["NetworkInterfaceId"]
    ids["eni"] = account("CreateNetworkInterface", SubnetId=ids["subnet"])["NetworkInterface"]["NetworkInterfaceId"]
    with account.database.write() as db:
        status.running(db, [ids["i"]])
        db.execute(update(tables.attachments).values(status="attached"))
    address = account("AllocateAddress", Domain="vpc")
    ids["eipalloc"], ids["public"] = address["AllocationId"], address["PublicIp"]
    linked = account("AssociateAddress", AllocationId=ids["eipalloc"], NetworkInterfaceId=primary)
    ids["eipassoc"] = linked["AssociationId"]
    account("EnableAddressTransfer", AllocationId=ids["eipalloc"], TransferAccountId=STRANGER)
    attached = account("DescribeInstances")["Reservations"][0]["Instances"][0]["NetworkInterfaces"][0]
    ids["eni-attach"] = attached["Attachment"]["AttachmentId"]
    other = account("CreateVpc", CidrBlock=block.replace("10.", "172.", 1).replace(".0.0/16", ".0.0/24"))["Vpc"][
        "VpcId"
    ]
    request = account("CreateVpcPeeringConnection", VpcId=ids["vpc"], PeerVpcId=other)["VpcPeeringConnection"]
    ids["pcx"] = request["VpcPeeringConnectionId"]
    return ids | _newer(account, ids, inner)


def _newer(account: Account, given: Ids, block: str) -> Ids:
    """What is neither a route nor a machine's."""
    ids: Ids = {}
    options = [{"Key": "domain-name", "Values": ["corp.example"]}]
    ids["dopt"] = account("CreateDhcpOptions", DhcpConfigurations=options)["DhcpOptions"]["DhcpOptionsId"]
    stream = {"TrafficType": "ALL", "LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::traffic"}
    ids["fl"] = account("CreateFlowLogs", ResourceType="VPC", ResourceIds=[given["vpc"]], **stream)["FlowLogIds"][0]
    ids["acl"] = account("CreateNetworkAcl", VpcId=given["vpc"])["NetworkAcl"]["NetworkAclId"]
    (guarding,) = [acl for acl in account("DescribeNetworkAcls")["NetworkAcls"] if acl["Associations"]]
    ids["aclassoc"] = guarding["Associations"][0]["NetworkAclAssociationId"]
    made = account("CreateNatGateway", SubnetId=given["subnet"], ConnectivityType="private")["NatGateway"]
    ids["nat"] = made["NatGatewayId"]
    out = account("CreateEgressOnlyInternetGateway", VpcId=given["vpc"])["EgressOnlyInternetGateway"]
    ids["eigw"] = out["EgressOnlyInternetGatewayId"]
    kept = {"SubnetId": given["subnet"], "ReservationType": "explicit", "Cidr": block.replace(".0/24", ".64/28")}
    ids["scr"] = account("CreateSubnetCidrReservation", **kept)["SubnetCidrReservation"]["SubnetCidrReservationId"]
    granted = {"NetworkInterfaceId": given["eni"], "Permission": "INSTANCE-ATTACH", "AwsAccountId": STRANGER}
    shared = account("CreateNetworkInterfacePermission", **granted)["InterfacePermission"]
    ids["eni-perm"] = shared["NetworkInterfacePermissionId"]
    ids["vpce"] = account("CreateVpcEndpoint", VpcId=given["vpc"], ServiceName=S3)["VpcEndpoint"]["VpcEndpointId"]
    ids |= _mirroring(account, given)
    ends = {"Source": given["i"], "Destination": given["eni"]}
    way = account("CreateNetworkInsightsPath", Protocol="tcp", ClientToken="way", **ends)["NetworkInsightsPath"]
    ids["nip"] = way["NetworkInsightsPathId"]
    asked = account("StartNetworkInsightsAnalysis", NetworkInsightsPathId=ids["nip"], ClientToken="asked")[
        "NetworkInsightsAnalysis"
    ]
    ids["nia"] = asked["NetworkInsightsAnalysisId"]
    return ids


def _mirroring(account: Account, given: Ids) -> Ids:
    ids: Ids = {}
    ids["tmf"] = account("CreateTrafficMirrorFilter")["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    rule = {"TrafficDirection": "ingress", "RuleNumber": 9, "RuleAction": "accept"}
    blocks = {"SourceCidrBlock": "0.0.0.0/0", "DestinationCidrBlock": "0.0.0.0/0"}
    made = account("CreateTrafficMirrorFilterRule", TrafficMirrorFilterId=ids["tmf"], **rule, **blocks)
    ids["tmfr"] = made["TrafficMirrorFilterRule"]["TrafficMirrorFilterRuleId"]
    sink = account("CreateNetworkInterface", SubnetId=given["subnet"])["NetworkInterface"]["NetworkInterfaceId"]
    made = account("CreateTrafficMirrorTarget", NetworkInterfaceId=sink)["TrafficMirrorTarget"]
    ids["tmt"] = made["TrafficMirrorTargetId"]
    ends = {"TrafficMirrorFilterId": ids["tmf"], "TrafficMirrorTargetId": ids["tmt"]}
    session = account("CreateTrafficMirrorSession", NetworkInterfaceId=given["eni"], SessionNumber=9, **ends)
    ids["tms"] = session["TrafficMirrorSession"]["TrafficMirrorSessionId"]
    return ids


def places(action: str, shape: Shape, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every place in a request that takes an id, with the kind of id."""
    for name, member in shape.members.items():
        inner = member.member if member.type_name == "list" else member
        here = (*path, name)
        if inner.type_name == "structure" and len(here) < 4 and name not in ("Filters", "TagSpecifications"):
            yield from places(action, inner, here)
        elif inner.type_name == "string" and action not in NOBODYS and (kind := kind_of(action, name)):
            yield here, kind


def filled(action: str, shape: Shape, own: Ids, path: Path, foreign: str) -> dict[str, Any]:
    """The least request that is complete, with the foreign id at ``path``."""
    result: dict[str, Any] = {}
    for name, member in shape.members.items():
        chosen = bool(path) and name == path[0]
        if not chosen and name not in shape.required_members and (action, name) not in NEEDED:
            continue
        value = filled_value(action, name, member, own, path[1:] if chosen else (), foreign if chosen else "")
        result[name] = value
    return result


def filled_value(action: str, name: str, shape: Shape, own: Ids, path: Path, foreign: str) -> Any:
    if shape.type_name == "list":
        return [filled_value(action, name, shape.member, own, path, foreign)]
    if shape.type_name == "structure":
        return filled(action, shape, own, path, foreign)
    if foreign:
        return foreign
    if shape.type_name == "boolean":
        return True
    if name in WORDS:
        return WORDS[name]
    if shape.type_name in ("integer", "long"):
        return 1
    kind = kind_of(action, name)
    return own[kind] if kind else (shape.enum[0] if getattr(shape, "enum", None) else "x")


NEEDED = {
    ("CreateFlowLogs", "LogDestination"),
    ("CreateFlowLogs", "LogDestinationType"),
    ("CreateFlowLogs", "TrafficType"),
    ("CreateNatGateway", "AllocationId"),
    ("CreateNatGateway", "SubnetId"),
    ("CreateNetworkAclEntry", "CidrBlock"),
    ("CreateNetworkInterfacePermission", "AwsAccountId"),
    ("ModifyAddressAttribute", "DomainName"),
    ("ReplaceNetworkAclEntry", "CidrBlock"),
    ("AssignIpv6Addresses", "Ipv6AddressCount"),
    ("AssignPrivateIpAddresses", "SecondaryPrivateIpAddressCount"),
    ("AssociateAddress", "AllocationId"),
    ("AssociateAddress", "NetworkInterfaceId"),
    ("AssociateSubnetCidrBlock", "Ipv6CidrBlock"),
    ("CreateSubnet", "CidrBlock"),
    ("CreateTags", "Tags"),
    ("CreateTags", "Key"),
    ("CreateVpcEndpoint", "ServiceName"),
    ("CreateVpcEndpoint", "VpcId"),
    ("CreateVpcPeeringConnection", "PeerVpcId"),
    ("CreateVpnConnection", "Options"),
    ("CreateVpnConnection", "StaticRoutesOnly"),
    ("CreateVpnConnection", "VpnGatewayId"),
    ("CreateTrafficMirrorSession", "SessionNumber"),
    ("DescribeNetworkInterfaceAttribute", "Attribute"),
    ("ModifyInstanceCreditSpecification", "CpuCredits"),
    ("RunInstances", "ImageId"),
    ("RunInstances", "InstanceType"),
    ("RunInstances", "SubnetId"),
}
"""Members no request of the operation is complete without, though the model calls them optional."""
NOBODYS = {"AllocateAddress", "CreateCustomerGateway", "CreateVpc"}
"""Operations that take addresses which are no account's, or what is not there for anybody."""
SILENT = {"DeleteKeyPair", "DescribeAddressTransfers", "DescribeEgressOnlyInternetGateways"}
"""Deleting a key pair that is not there succeeds, at AWS too; and these lists leave out what is not there."""


@pytest.fixture
def both(call: Account, second_account: Account) -> tuple[Ids, Ids]:
    for account in (call, second_account):
        account.limit(vpcs=20)
    return populate(call, "10.0.0.0/16"), populate(second_account, "10.50.0.0/16")


def test_ids_of_another_account_name_nothing(second_account: Account, both: tuple[Ids, Ids]) -> None:
    theirs, own = both
    before, wrong = second_account.dump(), []
    for action, operation in sorted(OPERATIONS.items()):
        shape = model(operation.service).operation_model(action).input_shape
        codes = set()
        for path, kind in places(action, shape) if shape else ():
            what = f"{action} with {theirs[kind]} as {'.'.join(path)}"
            try:
                answer = second_account(action, **filled(action, shape, own, path, theirs[kind]))
            except AwsError as error:
                codes.add(error.code)
            else:
                refused = {item["Error"]["Code"] for item in answer.get("Unsuccessful", ())}
                codes |= {"NotFound"} if action in SILENT else refused
                wrong += (
                    [f"{what} succeeded"] if not refused and (action not in SILENT or leaks(answer, theirs)) else []
                )
            if second_account.dump() != before:
                wrong.append(f"{what} changed the store")
                before = second_account.dump()
        if codes and not any("NotFound" in code for code in codes):
            wrong.append(f"{action} never said that there is no such thing, but {sorted(codes)}")
    assert not wrong, "\n".join(wrong)


def test_lists_hold_only_ones_own(second_account: Account, both: tuple[Ids, Ids]) -> None:
    theirs, own = both
    for action in sorted(name for name in OPERATIONS if name.startswith("Describe")):
        shape = model("ec2").operation_model(action).input_shape
        answer = second_account(action, **filled(action, shape, own, (), "") if shape else {})
        assert not leaks(answer, theirs), action


def leaks(answer: Any, theirs: Ids) -> list[str]:
    """The ids of the other account that an answer holds."""
    text = repr(answer)
    return [id_ for id_ in theirs.values() if id_ in text]
