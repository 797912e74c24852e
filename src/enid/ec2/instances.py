"""DescribeInstances. How instances come to be is in :mod:`run_instances`, how they live in :mod:`instance_state`."""

from __future__ import annotations

from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.instance_filters import catalogue
from enid.ec2.instance_view import reservations
from enid.ec2.registry import operation


@operation("DescribeInstances")
def describe_instances(ctx: Context, params: Params) -> Result:
    """Instances by reservation; a page is cut between instances, so a reservation may go on on the next."""
    rows, token = describe(ctx, params, "i", catalogue(ctx.region), "InstanceIds")
    return {"Reservations": reservations(ctx, rows), "NextToken": token}
