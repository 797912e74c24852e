"""What a client that knows its business asks: one request of each changing operation that mostly works.

``<eni>`` stands for the id of some network interface that there is, ``<eni-1>`` for that of the first, ``<#>`` for a
small number. :mod:`random_requests` fills them in, and spoils some.
"""

from __future__ import annotations

from typing import Any

from enid.ec2.images import SANDBOX

_WEB = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "192.0.2.<#>/32"}]}
_GROUPS = {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "UserIdGroupPairs": [{"GroupId": "<sg>"}]}
_LISTS = {"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": "<pl>"}]}
_TAGS = [{"Key": "k<#>", "Value": "v"}]
_ENTRY = {"NetworkAclId": "<acl>", "RuleNumber": 7, "Protocol": "6", "RuleAction": "deny", "Egress": False}
_LAUNCH = {"ImageId": SANDBOX["ImageId"], "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1}
_ENI, _EIP, _INSTANCES = {"NetworkInterfaceId": "<eni>"}, {"AllocationId": "<eipalloc>"}, {"InstanceIds": ["<i>"]}
_MIRROR_RULE = {
    "TrafficDirection": "ingress",
    "RuleNumber": 7,
    "RuleAction": "accept",
    "DestinationCidrBlock": "0.0.0.0/0",
    "SourceCidrBlock": "10.0.0.0/8",
}
_PEERING = {"VpcPeeringConnectionId": "<pcx>"}

PLAUSIBLE: dict[str, list[dict[str, Any]]] = {
    "AcceptAddressTransfer": [{"Address": "<ip>"}],
    "AcceptVpcPeeringConnection": [_PEERING],
    "AllocateAddress": [{"Domain": "vpc"}, {"Address": "<ip>"}],
    "AssignIpv6Addresses": [{**_ENI, "Ipv6AddressCount": 1}, {**_ENI, "Ipv6PrefixCount": 1}],
    "AssignPrivateIpAddresses": [
        {**_ENI, "SecondaryPrivateIpAddressCount": 1},
        {**_ENI, "PrivateIpAddresses": ["10.0.1.<#>"], "AllowReassignment": True},
        {**_ENI, "Ipv4PrefixCount": 1},
    ],
    "AssignPrivateNatGatewayAddress": [{"NatGatewayId": "<nat>", "PrivateIpAddressCount": 1}],
    "AssociateAddress": [{**_EIP, **_ENI}, {**_EIP, "InstanceId": "<i>", "AllowReassociation": True}],
    "AssociateDhcpOptions": [
        {"DhcpOptionsId": "<dopt>", "VpcId": "<vpc>"},
        {"DhcpOptionsId": "default", "VpcId": "<vpc>"},
    ],
    "AssociateNatGatewayAddress": [{"NatGatewayId": "<nat>", "AllocationIds": ["<eipalloc>"]}],
    "AssociateRouteTable": [{"RouteTableId": "<rtb>", "SubnetId": "<subnet>"}],
    "AssociateSubnetCidrBlock": [{"SubnetId": "<subnet>", "Ipv6CidrBlock": "<ipv6>"}],
    "AssociateVpcCidrBlock": [
        {"VpcId": "<vpc>", "CidrBlock": "10.<#>.0.0/16"},
        {"VpcId": "<vpc>", "AmazonProvidedIpv6CidrBlock": True},
    ],
    "AttachInternetGateway": [{"InternetGatewayId": "<igw>", "VpcId": "<vpc>"}],
    "AttachNetworkInterface": [{**_ENI, "InstanceId": "<i>", "DeviceIndex": 1}],
    "AttachVpnGateway": [{"VpnGatewayId": "<vgw>", "VpcId": "<vpc>"}],
    "AuthorizeSecurityGroupEgress": [{"GroupId": "<sg>", "IpPermissions": [one]} for one in (_WEB, _GROUPS, _LISTS)],
    "AuthorizeSecurityGroupIngress": [{"GroupId": "<sg>", "IpPermissions": [one]} for one in (_WEB, _GROUPS, _LISTS)],
    "CreateCustomerGateway": [{"Type": "ipsec.1", "PublicIp": "203.0.113.<#>", "BgpAsn": 65000}],
    "CreateDhcpOptions": [{"DhcpConfigurations": [{"Key": "domain-name", "Values": ["a<#>.example"]}]}],
    "CreateEgressOnlyInternetGateway": [{"VpcId": "<vpc>"}],
    "CreateFlowLogs": [
        {
            "ResourceIds": [id_],
            "ResourceType": kind,
            "TrafficType": "ALL",
            "LogDestinationType": "s3",
            "LogDestination": "arn:aws:s3:::logs<#>",
        }
        for id_, kind in (("<vpc>", "VPC"), ("<eni>", "NetworkInterface"))
    ],
    "CreateInternetGateway": [{}],
    "CreateKeyPair": [{"KeyName": "key<#>", "KeyType": "ed25519"}],
    "CreateManagedPrefixList": [
        {"PrefixListName": "l<#>", "AddressFamily": "IPv4", "MaxEntries": 3, "Entries": [{"Cidr": "10.<#>.0.0/16"}]}
    ],
    "CreateNatGateway": [
        {"SubnetId": "<subnet>", **_EIP},
        {"SubnetId": "<subnet>", "ConnectivityType": "private", "SecondaryPrivateIpAddressCount": 1},
    ],
    "CreateNetworkAcl": [{"VpcId": "<vpc>"}],
    "CreateNetworkAclEntry": [{**_ENTRY, "CidrBlock": "0.0.0.0/0", "PortRange": {"From": 22, "To": 22}}],
    "CreateNetworkInsightsPath": [
        {"Source": "<eni>", "Destination": "<eni>", "Protocol": "tcp", "DestinationPort": 80}
    ],
    "CreateNetworkInterface": [
        {"SubnetId": "<subnet>"},
        {"SubnetId": "<subnet-1>", "Groups": ["<sg>"], "PrivateIpAddress": "10.0.1.<#>"},
        {"SubnetId": "<subnet-1>", "Ipv4PrefixCount": 1, "Description": "d"},
    ],
    "CreateNetworkInterfacePermission": [{**_ENI, "AwsAccountId": "<account>", "Permission": "INSTANCE-ATTACH"}],
    "CreateRoute": [
        {"RouteTableId": "<rtb>", "DestinationCidrBlock": "172.16.<#>.0/24", member: id_}
        for member, id_ in (
            ("GatewayId", "<igw>"),
            ("NetworkInterfaceId", "<eni>"),
            ("InstanceId", "<i>"),
            ("NatGatewayId", "<nat>"),
            ("VpcPeeringConnectionId", "<pcx>"),
        )
    ],
    "CreateRouteTable": [{"VpcId": "<vpc>"}],
    "CreateSecurityGroup": [{"GroupName": "g<#>", "Description": "d", "VpcId": "<vpc>"}],
    "CreateSubnet": [
        {"VpcId": "<vpc>", "CidrBlock": "10.0.<#>.0/24"},
        {"VpcId": "<vpc>", "CidrBlock": "10.9.<#>.0/26"},
    ],
    "CreateSubnetCidrReservation": [
        {"SubnetId": "<subnet-1>", "Cidr": "10.0.1.128/26", "ReservationType": "prefix"},
        {"SubnetId": "<subnet>", "Cidr": "10.0.1.208/28", "ReservationType": "explicit"},
    ],
    "CreateTags": [{"Resources": [id_], "Tags": _TAGS} for id_ in ("<eni>", "<i>", "<vpc>", "<pcx>")],
    "CreateTrafficMirrorFilter": [{"Description": "d"}],
    "CreateTrafficMirrorFilterRule": [{"TrafficMirrorFilterId": "<tmf>", **_MIRROR_RULE}],
    "CreateTrafficMirrorSession": [
        {**_ENI, "TrafficMirrorTargetId": "<tmt>", "TrafficMirrorFilterId": "<tmf>", "SessionNumber": 1}
    ],
    "CreateTrafficMirrorTarget": [_ENI],
    "CreateVpc": [{"CidrBlock": "10.<#>.0.0/16"}],
    "CreateVpcEndpoint": [
        {"VpcId": "<vpc>", "ServiceName": "com.amazonaws.us-east-1.s3", "RouteTableIds": ["<rtb>"]},
        {
            "VpcId": "<vpc>",
            "VpcEndpointType": "Interface",
            "ServiceName": "com.amazonaws.us-east-1.ec2",
            "SubnetIds": ["<subnet>"],
        },
    ],
    "CreateVpcPeeringConnection": [
        {"VpcId": "<vpc>", "PeerVpcId": "<vpc>"},
        {"VpcId": "<vpc>", "PeerVpcId": "<vpc>", "PeerOwnerId": "<account>"},
    ],
    "CreateVpnConnection": [
        {
            "Type": "ipsec.1",
            "CustomerGatewayId": "<cgw>",
            "VpnGatewayId": "<vgw>",
            "Options": {"StaticRoutesOnly": True},
        }
    ],
    "CreateVpnConnectionRoute": [{"VpnConnectionId": "<vpn>", "DestinationCidrBlock": "192.168.<#>.0/24"}],
    "CreateVpnGateway": [{"Type": "ipsec.1"}],
    "DeleteCustomerGateway": [{"CustomerGatewayId": "<cgw>"}],
    "DeleteDhcpOptions": [{"DhcpOptionsId": "<dopt>"}],
    "DeleteEgressOnlyInternetGateway": [{"EgressOnlyInternetGatewayId": "<eigw>"}],
    "DeleteFlowLogs": [{"FlowLogIds": ["<fl>"]}],
    "DeleteInternetGateway": [{"InternetGatewayId": "<igw>"}],
    "DeleteKeyPair": [{"KeyPairId": "<key>"}, {"KeyName": "key<#>"}],
    "DeleteManagedPrefixList": [{"PrefixListId": "<pl>"}],
    "DeleteNatGateway": [{"NatGatewayId": "<nat>"}],
    "DeleteNetworkAcl": [{"NetworkAclId": "<acl>"}],
    "DeleteNetworkAclEntry": [{"NetworkAclId": "<acl>", "RuleNumber": 7, "Egress": False}],
    "DeleteNetworkInsightsAnalysis": [{"NetworkInsightsAnalysisId": "<nia>"}],
    "DeleteNetworkInsightsPath": [{"NetworkInsightsPathId": "<nip>"}],
    "DeleteNetworkInterface": [_ENI],
    "DeleteNetworkInterfacePermission": [{"NetworkInterfacePermissionId": "<eni-perm>"}],
    "DeleteRoute": [{"RouteTableId": "<rtb>", "DestinationCidrBlock": "172.16.<#>.0/24"}],
    "DeleteRouteTable": [{"RouteTableId": "<rtb>"}],
    "DeleteSecurityGroup": [{"GroupId": "<sg>"}],
    "DeleteSubnet": [{"SubnetId": "<subnet>"}],
    "DeleteSubnetCidrReservation": [{"SubnetCidrReservationId": "<scr>"}],
    "DeleteTags": [{"Resources": ["<eni>"], "Tags": [{"Key": "k<#>"}]}, {"Resources": ["<i>"]}],
    "DeleteTrafficMirrorFilter": [{"TrafficMirrorFilterId": "<tmf>"}],
    "DeleteTrafficMirrorFilterRule": [{"TrafficMirrorFilterRuleId": "<tmfr>"}],
    "DeleteTrafficMirrorSession": [{"TrafficMirrorSessionId": "<tms>"}],
    "DeleteTrafficMirrorTarget": [{"TrafficMirrorTargetId": "<tmt>"}],
    "DeleteVpc": [{"VpcId": "<vpc>"}],
    "DeleteVpcEndpoints": [{"VpcEndpointIds": ["<vpce>"]}],
    "DeleteVpcPeeringConnection": [_PEERING],
    "DeleteVpnConnection": [{"VpnConnectionId": "<vpn>"}],
    "DeleteVpnConnectionRoute": [{"VpnConnectionId": "<vpn>", "DestinationCidrBlock": "192.168.<#>.0/24"}],
    "DeleteVpnGateway": [{"VpnGatewayId": "<vgw>"}],
    "DetachInternetGateway": [{"InternetGatewayId": "<igw>", "VpcId": "<vpc>"}],
    "DetachNetworkInterface": [{"AttachmentId": "<eni-attach>"}, {"AttachmentId": "<eni-attach>", "Force": True}],
    "DetachVpnGateway": [{"VpnGatewayId": "<vgw>", "VpcId": "<vpc>"}],
    "DisableAddressTransfer": [_EIP],
    "DisableVgwRoutePropagation": [{"GatewayId": "<vgw>", "RouteTableId": "<rtb>"}],
    "DisassociateAddress": [{"AssociationId": "<eipassoc>"}],
    "DisassociateNatGatewayAddress": [{"NatGatewayId": "<nat>", "AssociationIds": ["<eipassoc>"]}],
    "DisassociateRouteTable": [{"AssociationId": "<rtbassoc>"}],
    "DisassociateSubnetCidrBlock": [{"AssociationId": "<subnet-cidr-assoc>"}],
    "DisassociateVpcCidrBlock": [{"AssociationId": "<vpc-cidr-assoc>"}],
    "EnableAddressTransfer": [{**_EIP, "TransferAccountId": "<account>"}],
    "EnableVgwRoutePropagation": [{"GatewayId": "<vgw>", "RouteTableId": "<rtb>"}],
    "ModifyAddressAttribute": [{**_EIP, "DomainName": "a.example"}],
    "ModifyInstanceAttribute": [
        {"InstanceId": "<i>", "Groups": ["<sg>"]},
        {"InstanceId": "<i>", "SourceDestCheck": {"Value": False}},
        {"InstanceId": "<i>", "InstanceType": {"Value": "t3.micro"}},
        {"InstanceId": "<i>", "DisableApiTermination": {"Value": False}},
    ],
    "ModifyInstanceMetadataOptions": [{"InstanceId": "<i>", "HttpTokens": "required"}],
    "ModifyManagedPrefixList": [
        {"PrefixListId": "<pl>", "CurrentVersion": 1, "AddEntries": [{"Cidr": "10.<#>.0.0/16"}]},
        {"PrefixListId": "<pl>", "PrefixListName": "n<#>"},
    ],
    "ModifyNetworkInterfaceAttribute": [
        {**_ENI, "Groups": ["<sg>"]},
        {**_ENI, "SourceDestCheck": {"Value": False}},
        {**_ENI, "Description": {"Value": "d<#>"}},
        {**_ENI, "Attachment": {"AttachmentId": "<eni-attach>", "DeleteOnTermination": True}},
    ],
    "ModifySecurityGroupRules": [
        {
            "GroupId": "<sg>",
            "SecurityGroupRules": [
                {
                    "SecurityGroupRuleId": "<sgr>",
                    "SecurityGroupRule": {
                        "IpProtocol": "tcp",
                        "FromPort": 1,
                        "ToPort": 2,
                        "CidrIpv4": "192.0.2.<#>/32",
                    },
                }
            ],
        }
    ],
    "ModifySubnetAttribute": [{"SubnetId": "<subnet>", "MapPublicIpOnLaunch": {"Value": True}}],
    "ModifyTrafficMirrorSession": [{"TrafficMirrorSessionId": "<tms>", "SessionNumber": 2}],
    "ModifyVpcAttribute": [{"VpcId": "<vpc>", "EnableDnsHostnames": {"Value": True}}],
    "ModifyVpcEndpoint": [
        {"VpcEndpointId": "<vpce>", "AddRouteTableIds": ["<rtb>"]},
        {"VpcEndpointId": "<vpce>", "AddSecurityGroupIds": ["<sg>"]},
        {"VpcEndpointId": "<vpce>", "RemoveSubnetIds": ["<subnet>"]},
    ],
    "ModifyVpcPeeringConnectionOptions": [
        {**_PEERING, "RequesterPeeringConnectionOptions": {"AllowDnsResolutionFromRemoteVpc": True}}
    ],
    "ModifyVpnTunnelOptions": [
        {
            "VpnConnectionId": "<vpn>",
            "VpnTunnelOutsideIpAddress": "198.51.100.1",
            "TunnelOptions": {"PreSharedKey": "another.key_<#>"},
        }
    ],
    "MonitorInstances": [_INSTANCES],
    "RebootInstances": [_INSTANCES],
    "RejectVpcPeeringConnection": [_PEERING],
    "ReleaseAddress": [_EIP],
    "ReplaceNetworkAclAssociation": [{"AssociationId": "<aclassoc>", "NetworkAclId": "<acl>"}],
    "ReplaceNetworkAclEntry": [{**_ENTRY, "CidrBlock": "10.0.0.0/8", "PortRange": {"From": 1, "To": 9}}],
    "ReplaceRoute": [
        {"RouteTableId": "<rtb>", "DestinationCidrBlock": "172.16.<#>.0/24", "NetworkInterfaceId": "<eni>"},
        {"RouteTableId": "<rtb>", "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "<igw>"},
    ],
    "ReplaceRouteTableAssociation": [{"AssociationId": "<rtbassoc>", "RouteTableId": "<rtb>"}],
    "ResetAddressAttribute": [{**_EIP, "Attribute": "domain-name"}],
    "ResetNetworkInterfaceAttribute": [{**_ENI, "SourceDestCheck": "x"}],
    "RestoreManagedPrefixListVersion": [{"PrefixListId": "<pl>", "PreviousVersion": 1, "CurrentVersion": 2}],
    "RevokeSecurityGroupEgress": [{"GroupId": "<sg>", "SecurityGroupRuleIds": ["<sgr>"]}],
    "RevokeSecurityGroupIngress": [
        {"GroupId": "<sg>", "SecurityGroupRuleIds": ["<sgr>"]},
        {"GroupId": "<sg>", "IpPermissions": [_WEB]},
    ],
    "RunInstances": [
        {**_LAUNCH, "SubnetId": "<subnet>"},
        {**_LAUNCH, "SubnetId": "<subnet-1>", "SecurityGroupIds": ["<sg>"], "KeyName": "key"},
        {**_LAUNCH, "NetworkInterfaces": [{"DeviceIndex": 0, "NetworkInterfaceId": "<eni>"}]},
        {**_LAUNCH, "NetworkInterfaces": [{"DeviceIndex": index, "SubnetId": "<subnet-1>"} for index in (0, 1)]},
    ],
    "StartInstances": [_INSTANCES],
    "StartNetworkInsightsAnalysis": [{"NetworkInsightsPathId": "<nip>"}],
    "StopInstances": [_INSTANCES, {**_INSTANCES, "Force": True}],
    "TerminateInstances": [_INSTANCES],
    "UnassignIpv6Addresses": [{**_ENI, "Ipv6Addresses": ["<ipv6>"]}],
    "UnassignPrivateIpAddresses": [{**_ENI, "PrivateIpAddresses": ["10.0.1.<#>"]}],
    "UnassignPrivateNatGatewayAddress": [{"NatGatewayId": "<nat>", "PrivateIpAddresses": ["10.0.1.<#>"]}],
    "UpdateSecurityGroupRuleDescriptionsIngress": [
        {"GroupId": "<sg>", "SecurityGroupRuleDescriptions": [{"SecurityGroupRuleId": "<sgr>", "Description": "d"}]}
    ],
}
