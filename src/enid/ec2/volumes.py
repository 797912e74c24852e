"""Volumes: there are none to see. A sandbox's disk belongs to it and is no resource of its own.

Terraform asks for the volumes and the profile of every instance it reads; the true answer is an empty list.
"""

from __future__ import annotations

from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import AwsError
from enid.ec2.registry import operation


@operation("DescribeVolumes")
def describe_volumes(_ctx: Context, params: Params) -> Result:
    for id_ in params.get("VolumeIds", ()):
        raise AwsError("InvalidVolume.NotFound", f"The volume '{id_}' does not exist.")
    return {"Volumes": []}


@operation("DescribeIamInstanceProfileAssociations")
def describe_iam_instance_profile_associations(_ctx: Context, params: Params) -> Result:
    for id_ in params.get("AssociationIds", ()):
        raise AwsError("InvalidAssociationID.NotFound", f"The association ID '{id_}' does not exist")
    return {"IamInstanceProfileAssociations": []}
