// Calls an endpoint as an application would and prints, as JSON, what came back. The Python test makes the same calls
// with boto3 and compares. Endpoint, region and keys come from the environment, as `enid env` exports them.

import {
  AllocateAddressCommand,
  CreateNetworkInterfaceCommand,
  CreateSecurityGroupCommand,
  CreateSubnetCommand,
  CreateTagsCommand,
  CreateVpcCommand,
  DeleteNetworkInterfaceCommand,
  AuthorizeSecurityGroupIngressCommand,
  DescribeAddressesCommand,
  DescribeAvailabilityZonesCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeInstanceTypesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeRegionsCommand,
  DescribeRouteTablesCommand,
  DescribeSecurityGroupRulesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeVpcAttributeCommand,
  DescribeVpcsCommand,
  EC2Client,
  paginateDescribeNetworkInterfaces,
  waitUntilInstanceRunning,
  waitUntilNetworkInterfaceAvailable,
  waitUntilVpcAvailable,
} from "@aws-sdk/client-ec2";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const ec2 = new EC2Client({ maxAttempts: 1 });
const sts = new STSClient({ maxAttempts: 1 });
const call = (Command, input = {}) => ec2.send(new Command(input));
const waiting = { client: ec2, maxWaitTime: 30, minDelay: 1, maxDelay: 1 };

async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    const { name, message, $fault, $metadata } = error;
    return { name, message, fault: $fault, status: $metadata.httpStatusCode, requestId: $metadata.requestId };
  }
  throw new Error("the call was not refused");
}

const { Vpc } = await call(CreateVpcCommand, {
  CidrBlock: "10.0.0.0/16",
  TagSpecifications: [{ ResourceType: "vpc", Tags: [{ Key: "Name", Value: 'a <b> & "c" ü' }] }],
});
await waitUntilVpcAvailable(waiting, { VpcIds: [Vpc.VpcId] });
const { Subnet } = await call(CreateSubnetCommand, { VpcId: Vpc.VpcId, CidrBlock: "10.0.1.0/24" });
const { GroupId } = await call(CreateSecurityGroupCommand, { GroupName: "js", Description: "js", VpcId: Vpc.VpcId });
await call(AuthorizeSecurityGroupIngressCommand, {
  GroupId,
  IpPermissions: [
    { IpProtocol: "tcp", FromPort: 80, ToPort: 80, IpRanges: [{ CidrIp: "0.0.0.0/0", Description: "web" }] },
    { IpProtocol: "-1", UserIdGroupPairs: [{ GroupId }] },
  ],
});
const interfaces = [];
for (let number = 0; number < 6; number++) {
  const { NetworkInterface } = await call(CreateNetworkInterfaceCommand, {
    SubnetId: Subnet.SubnetId,
    Groups: [GroupId],
    PrivateIpAddresses: [{ PrivateIpAddress: `10.0.1.${10 + number}`, Primary: true }],
  });
  interfaces.push(NetworkInterface.NetworkInterfaceId);
}
await waitUntilNetworkInterfaceAvailable(waiting, { NetworkInterfaceIds: interfaces });
await waitUntilInstanceRunning(waiting, { InstanceIds: [process.env.INSTANCE] });
await call(AllocateAddressCommand, { Domain: "vpc" });
await call(CreateTagsCommand, { Resources: [interfaces[0]], Tags: [{ Key: "empty", Value: "" }] });

const pages = [];
for await (const page of paginateDescribeNetworkInterfaces(
  { client: ec2, pageSize: 5 },
  { Filters: [{ Name: "vpc-id", Values: [Vpc.VpcId] }] },
)) {
  pages.push(page.NetworkInterfaces.map((shown) => shown.NetworkInterfaceId));
}

const described = {};
for (const [name, command, input] of [
  ["DescribeAddresses", DescribeAddressesCommand, {}],
  ["DescribeAvailabilityZones", DescribeAvailabilityZonesCommand, {}],
  ["DescribeImages", DescribeImagesCommand, {}],
  ["DescribeInstances", DescribeInstancesCommand, {}],
  ["DescribeInstanceTypes", DescribeInstanceTypesCommand, { InstanceTypes: ["t3.small", "p5.48xlarge"] }],
  ["DescribeNetworkInterfaces", DescribeNetworkInterfacesCommand, {}],
  ["DescribeRegions", DescribeRegionsCommand, {}],
  ["DescribeRouteTables", DescribeRouteTablesCommand, {}],
  ["DescribeSecurityGroupRules", DescribeSecurityGroupRulesCommand, {}],
  ["DescribeSecurityGroups", DescribeSecurityGroupsCommand, {}],
  ["DescribeSubnets", DescribeSubnetsCommand, {}],
  ["DescribeVpcAttribute", DescribeVpcAttributeCommand, { VpcId: Vpc.VpcId, Attribute: "enableDnsSupport" }],
  ["DescribeVpcs", DescribeVpcsCommand, {}],
  ["DescribeVpcs", DescribeVpcsCommand, { Filters: [{ Name: "vpc-id", Values: ["vpc-nothing"] }] }],
]) {
  const { $metadata, ...answer } = await call(command, input);
  (described[name] ??= []).push({ input, answer });
}

const refusals = {
  notFound: await refused(
    call(DeleteNetworkInterfaceCommand, { NetworkInterfaceId: "eni-0123456789abcdef0" }),
  ),
  dryRun: await refused(call(CreateVpcCommand, { CidrBlock: "10.1.0.0/16", DryRun: true })),
};

const { $metadata, ...identity } = await sts.send(new GetCallerIdentityCommand({}));

process.stdout.write(JSON.stringify({ identity, interfaces, pages, described, refusals }));
