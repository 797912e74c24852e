"""A few operations under EC2's real names, just enough to see what the wire does around one."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import AwsError
from enid.ec2.registry import Operation
from enid.ec2.sts import get_caller_identity
from enid.store.ids import new_id
from enid.store.tables import attachments, vpcs


def create_vpc(context: Context, params: Params) -> Result:
    """No ``ClientToken`` in AWS's model."""
    if params.get("CidrBlock") == "1.2.3.4/33":
        raise AwsError("InvalidParameterValue", "Value (1.2.3.4/33) for parameter cidrBlock is invalid.")
    id_ = _new_vpc(context, params.get("CidrBlock", "10.0.0.0/16"))
    return {"Vpc": {"VpcId": id_, "CidrBlock": params.get("CidrBlock"), "IsDefault": False, "Tags": []}}


def create_vpc_endpoint(context: Context, params: Params) -> Result:
    """Takes a ``ClientToken``."""
    id_ = _new_vpc(context, params["ServiceName"])
    return {
        "VpcEndpoint": {"VpcEndpointId": id_, "CreationTimestamp": context.now},
        "ClientToken": params["ClientToken"],
    }


def describe_vpcs(context: Context, params: Params) -> Result:
    wanted = params.get("VpcIds")
    rows = context.db.execute(select(vpcs).where(vpcs.c.account_id == context.account_id)).all()
    return {
        "Vpcs": [{"VpcId": row.id, "CidrBlock": row.cidr_block} for row in rows if wanted is None or row.id in wanted],
        "NextToken": None,
    }


def detach_network_interface(context: Context, params: Params) -> Result:
    """Moves the attachment and asks the answer to wait for the agent."""
    eni = params["AttachmentId"].replace("eni-attach-", "eni-")
    context.db.execute(update(attachments).where(attachments.c.network_interface_id == eni).values(status="detaching"))
    context.note("network_interface", eni)
    context.settle(eni)
    return {}


def delete_vpc(context: Context, params: Params) -> Result:
    raise RuntimeError("a defect")


def describe_subnets(context: Context, params: Params) -> Result:
    return {"Subnets": [{"NoSuchMember": "x"}]}


def _new_vpc(context: Context, cidr: str) -> str:
    id_ = new_id("vpc")
    context.db.execute(insert(vpcs), {"id": id_, "account_id": context.account_id, "cidr_block": cidr})
    context.note("vpc", id_)
    return id_


TOYS = {
    operation.name: operation
    for operation in (
        Operation("CreateVpc", create_vpc, False, "ec2"),
        Operation("CreateVpcEndpoint", create_vpc_endpoint, False, "ec2"),
        Operation("DescribeVpcs", describe_vpcs, True, "ec2"),
        Operation("DetachNetworkInterface", detach_network_interface, False, "ec2"),
        Operation("DeleteVpc", delete_vpc, False, "ec2"),
        Operation("DescribeSubnets", describe_subnets, True, "ec2"),
        Operation("GetCallerIdentity", get_caller_identity, True, "sts"),
    )
}
