"""DHCP option sets: what instances of a VPC are told of names, time and NetBIOS. Immutable; a VPC is given another one.

Every account has a default set, with the region's domain and Amazon's resolver, which its new VPCs get.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from enid import dns_names
from enid.ec2 import dependants, filters, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import AwsError, invalid_parameter_value, missing_parameter
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store.dhcp_options import AMAZON_PROVIDED
from enid.store.ids import new_id
from enid.store.tables import dhcp_option_values, dhcp_options, vpcs
from enid.topology.dhcp_options import LEASE_TIME, LONGEST_LEASE, SHORTEST_LEASE

NONE = "default"
"""In place of an id: the VPC has no option set at all."""
MOST_SERVERS = 4
_SERVERS = ("domain-name-servers", "ntp-servers", "netbios-name-servers")
_NODE_TYPES = ("1", "2", "4", "8")
_LEASES = range(SHORTEST_LEASE, LONGEST_LEASE + 1)
_DOMAIN = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_SECONDS = re.compile(r"[0-9]{1,10}")

Option = tuple[str, list[str]]
"""A key and its values."""


def default(ctx: Context) -> str:
    """The id of the caller's default set, made at the first use."""
    id_ = ctx.db.execute(select(dhcp_options.c.id).where(dhcp_options.c.default_of == ctx.account_id)).scalar()
    return id_ or _insert(ctx, _amazons(ctx.region), default_of=ctx.account_id)


def _amazons(region: str) -> list[Option]:
    return [
        ("domain-name", [dns_names.private_suffix(region)[1:]]),
        ("domain-name-servers", [AMAZON_PROVIDED]),
    ]


def _insert(ctx: Context, options: Sequence[Option], default_of: str | None = None) -> str:
    id_ = new_id("dopt")
    ctx.db.execute(
        insert(dhcp_options).values(id=id_, account_id=ctx.account_id, default_of=default_of, created_at=ctx.now)
    )
    pairs = [(key, value) for key, values in options for value in values]
    rows = [
        {"dhcp_options_id": id_, "position": position, "key": key, "value": value}
        for position, (key, value) in enumerate(pairs)
    ]
    ctx.db.execute(insert(dhcp_option_values), rows)
    return id_


@operation("CreateDhcpOptions")
def create_dhcp_options(ctx: Context, params: Params) -> Result:
    """At least one option; each key once."""
    options = [_option(given) for given in params["DhcpConfigurations"]]
    if not options:
        raise missing_parameter("dhcpConfigurationSet")
    keys = [key for key, _ in options]
    for key in keys:
        if keys.count(key) > 1:
            raise invalid_parameter_value(f"Value ({key}) for parameter dhcpConfiguration is invalid. Duplicate key.")
    id_ = _insert(ctx, options)
    tags.on_creation(ctx, params, "dhcp-options", [id_])
    return {"DhcpOptions": _shown(ctx, [fetch(ctx, "dopt", id_)])[0]}


def _option(given: Mapping[str, Any]) -> Option:
    key = given.get("Key", "")
    values = list(given.get("Values", ()))
    if key in _SERVERS:
        _check_servers(key, values)
    elif key == "domain-name":
        if len(values) != 1 or not all(_DOMAIN.fullmatch(name) for name in values[0].split(" ")):
            raise _invalid(key, values)
    elif key == "netbios-node-type":
        if len(values) != 1 or values[0] not in _NODE_TYPES:
            raise _invalid(key, values)
    elif key == LEASE_TIME:
        if len(values) != 1 or not _SECONDS.fullmatch(values[0]) or int(values[0]) not in _LEASES:
            raise _invalid(key, values)
    else:
        raise invalid_parameter_value(f"Value ({key}) for parameter name is invalid. Unknown DHCP option")
    return key, values


def _check_servers(key: str, values: Sequence[str]) -> None:
    if not values:
        raise _invalid(key, values)
    if len(values) > MOST_SERVERS:
        raise AwsError("InvalidParameterValue", f"Too many values for option {key}: at most {MOST_SERVERS} are allowed")
    for value in values:
        if key == "domain-name-servers" and value == AMAZON_PROVIDED:
            continue
        try:
            ip_address(value)
        except ValueError:
            raise _invalid(key, [value]) from None


def _invalid(key: str, values: Sequence[str]) -> AwsError:
    return invalid_parameter_value(f"Value ({', '.join(values)}) for parameter value is invalid. Invalid {key}")


@operation("DeleteDhcpOptions")
def delete_dhcp_options(ctx: Context, params: Params) -> Result:
    """Not while a VPC has it."""
    id_ = fetch(ctx, "dopt", params["DhcpOptionsId"]).id
    dependants.refuse_if_any(
        ctx,
        f"The dhcpOptions '{id_}' has dependencies and cannot be deleted.",
        select(vpcs.c.id).where(vpcs.c.dhcp_options_id == id_),
    )
    ctx.db.execute(delete(dhcp_options).where(dhcp_options.c.id == id_))
    tags.forget(ctx, [id_])
    return {}


@operation("AssociateDhcpOptions")
def associate_dhcp_options(ctx: Context, params: Params) -> Result:
    """Instances learn of it when they boot, or when they renew their lease."""
    vpc_id = fetch(ctx, "vpc", params["VpcId"]).id
    id_ = params["DhcpOptionsId"]
    if id_ != NONE:
        fetch(ctx, "dopt", id_)
    ctx.db.execute(update(vpcs).where(vpcs.c.id == vpc_id).values(dhcp_options_id=id_))
    ctx.note("vpc", vpc_id)
    return {}


_VALUES = dhcp_option_values.c
_FILTERS = {
    "dhcp-options-id": filters.text(dhcp_options.c.id),
    "key": filters.related(dhcp_options.c.id, _VALUES.dhcp_options_id, filters.text(_VALUES.key)),
    "value": filters.related(dhcp_options.c.id, _VALUES.dhcp_options_id, filters.text(_VALUES.value)),
    "owner-id": filters.text(dhcp_options.c.account_id),
}


@operation("DescribeDhcpOptions", reads=False)
def describe_dhcp_options(ctx: Context, params: Params) -> Result:
    """The default set is always there, so it is made if it is not."""
    default(ctx)
    rows, token = describe(ctx, params, "dopt", _FILTERS, "DhcpOptionsIds")
    return {"DhcpOptions": _shown(ctx, rows), "NextToken": token}


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    ids = [row.id for row in rows]
    tags_of = tags.shown(ctx, ids)
    options: dict[str, dict[str, list[Result]]] = {id_: {} for id_ in ids}
    query = select(dhcp_option_values).where(_VALUES.dhcp_options_id.in_(ids))
    for entry in ctx.db.execute(query.order_by(_VALUES.dhcp_options_id, _VALUES.position)):
        options[entry.dhcp_options_id].setdefault(entry.key, []).append({"Value": entry.value})
    return [
        {
            "DhcpOptionsId": row.id,
            "OwnerId": row.account_id,
            "DhcpConfigurations": [{"Key": key, "Values": values} for key, values in options[row.id].items()],
            "Tags": tags_of[row.id],
        }
        for row in rows
    ]
