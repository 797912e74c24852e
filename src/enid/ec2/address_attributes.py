"""The attribute of Elastic IPs: a domain name for the reverse lookup.

It is stored and shown. AWS sets it only if the name leads to the address; here no name server is asked.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Row, update

from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import invalid_parameter_value, missing_parameter
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store.tables import public_addresses

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})+\.?")
_LONGEST = 253


@operation("ModifyAddressAttribute", records=True)
def modify_address_attribute(ctx: Context, params: Params) -> Result:
    name = params.get("DomainName")
    if not name:
        raise missing_parameter("domainName")
    if len(name.removesuffix(".")) > _LONGEST or not _DOMAIN_NAME.fullmatch(name):
        raise invalid_parameter_value(f"Value ({name}) for parameter domainName is invalid.")
    return {"Address": _write(ctx, params["AllocationId"], name.removesuffix(".") + ".")}


@operation("ResetAddressAttribute", records=True)
def reset_address_attribute(ctx: Context, params: Params) -> Result:
    """The domain name, the only attribute there is, goes."""
    return {"Address": _write(ctx, params["AllocationId"], None)}


def _write(ctx: Context, allocation_id: str, record: str | None) -> Result:
    elastic = fetch(ctx, "eipalloc", allocation_id)
    mine = public_addresses.c.allocation_id == elastic.allocation_id
    ctx.db.execute(update(public_addresses).where(mine).values(ptr_record=record))
    return _shown(fetch(ctx, "eipalloc", allocation_id))


@operation("DescribeAddressesAttribute")
def describe_addresses_attribute(ctx: Context, params: Params) -> Result:
    """The caller's Elastic IPs, each with its ``PtrRecord`` if it has one."""
    is_elastic = public_addresses.c.allocation_id.is_not(None)
    rows, token = describe(ctx, params, "eipalloc", {}, "AllocationIds", sizes=(1, 1000), condition=is_elastic)
    return {"Addresses": [_shown(row) for row in rows], "NextToken": token}


def _shown(row: Row[Any]) -> Result:
    return {"PublicIp": row.ip, "AllocationId": row.allocation_id, "PtrRecord": row.ptr_record}
