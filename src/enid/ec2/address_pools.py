"""Pools of addresses that an account brought along: nobody did, and these answers say so.

Public IPv4 addresses and IPv6 blocks come from Amazon's own pools, which AWS does not list either.
"""

from __future__ import annotations

from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import slice_page
from enid.ec2.errors import AwsError
from enid.ec2.list_filters import keep
from enid.ec2.registry import operation


def _none(params: Params, code: str, sizes: tuple[int, int]) -> None:
    """The request, were there any.

    :raises AwsError: it names a pool, a filter that AWS has not, or a page that is none.
    """
    for id_ in params.get("PoolIds", ()):
        raise _not_found(code, id_)
    keep((), [item for item in params.get("Filters", ()) if not item.get("Name", "").startswith("tag")], {})
    slice_page(params, (), sizes)


def _not_found(code: str, id_: str) -> AwsError:
    return AwsError(code, f"The pool ID '{id_}' does not exist")


@operation("DescribePublicIpv4Pools")
def describe_public_ipv4_pools(_ctx: Context, params: Params) -> Result:
    _none(params, "InvalidPublicIpv4PoolID.NotFound", (1, 10))
    return {"PublicIpv4Pools": []}


@operation("DescribeIpv6Pools")
def describe_ipv6_pools(_ctx: Context, params: Params) -> Result:
    _none(params, "InvalidIpv6PoolID.NotFound", (1, 1000))
    return {"Ipv6Pools": []}


@operation("GetAssociatedIpv6PoolCidrs")
def get_associated_ipv6_pool_cidrs(_ctx: Context, params: Params) -> Result:
    """:raises AwsError: always, since no pool is there to be named."""
    raise _not_found("InvalidIpv6PoolID.NotFound", params["PoolId"])
