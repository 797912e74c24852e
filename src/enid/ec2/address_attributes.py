"""The attributes of Elastic IPs: a domain name for the reverse lookup, which none has here.

Terraform asks after every Elastic IP it reads. Giving one a name (ModifyAddressAttribute) is not there.
"""

from __future__ import annotations

from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.registry import operation
from enid.store.tables import public_addresses


@operation("DescribeAddressesAttribute")
def describe_addresses_attribute(ctx: Context, params: Params) -> Result:
    """The caller's Elastic IPs, each without a ``PtrRecord``."""
    is_elastic = public_addresses.c.allocation_id.is_not(None)
    rows, token = describe(ctx, params, "eipalloc", {}, "AllocationIds", sizes=(1, 1000), condition=is_elastic)
    shown = [{"PublicIp": row.ip, "AllocationId": row.allocation_id} for row in rows]
    return {"Addresses": shown, "NextToken": token}
