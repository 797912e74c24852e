"""Managed prefix lists: named, versioned sets of blocks that security group rules and routes refer to.

Those that AWS keeps are :mod:`enid.ec2.aws_prefix_lists`' affair; they are shown here with the customer's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, delete, insert, select, union, update

from enid.ec2 import aws_prefix_lists, dependants, filters, prefix_list_entries, route_quota, rule_quota, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe, slice_page
from enid.ec2.errors import (
    AwsError,
    invalid_parameter_combination,
    invalid_parameter_value,
    missing_parameter,
    unsupported,
)
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.store import tables
from enid.store.ids import new_id
from enid.store.tables import prefix_lists, routes, security_group_rules

_ENTRIES = tables.prefix_list_entries.c
_SIZES = (1, 100)


@operation("CreateManagedPrefixList")
def create_managed_prefix_list(ctx: Context, params: Params) -> Result:
    family = params["AddressFamily"]
    if family not in ("IPv4", "IPv6"):
        raise invalid_parameter_value(f"Value ({family}) for parameter addressFamily is invalid.")
    _check_name(params["PrefixListName"])
    _check_size(params["MaxEntries"])
    id_ = new_id("pl")
    ctx.db.execute(
        insert(prefix_lists).values(
            id=id_,
            account_id=ctx.account_id,
            name=params["PrefixListName"],
            address_family=family,
            max_entries=params["MaxEntries"],
            created_at=ctx.now,
        )
    )
    entries = prefix_list_entries.parse(params.get("Entries", ()), family)
    if len(entries) > params["MaxEntries"]:
        raise _too_many()
    prefix_list_entries.add(ctx, id_, entries, version=1)
    tags.on_creation(ctx, params, "prefix-list", [id_])
    ctx.note("prefix_list", id_)
    return {"PrefixList": _shown(ctx, [fetch(ctx, "pl", id_)])[0]}


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= 255 or name.lower().startswith("com.amazonaws"):
        raise invalid_parameter_value(f"Value ({name}) for parameter prefixListName is invalid.")


def _check_size(size: int) -> None:
    if not 1 <= size <= 1000:
        raise invalid_parameter_value(f"Value ({size}) for parameter maxEntries is invalid: 1 to 1000.")


def _too_many() -> AwsError:
    return AwsError("PrefixListMaxEntriesExceeded", "The number of entries exceeds the list's maximum.")


@operation("ModifyManagedPrefixList")
def modify_managed_prefix_list(ctx: Context, params: Params) -> Result:
    """Entries make a new version, for which the current one must be named; name and size do not."""
    row = fetch(ctx, "pl", params["PrefixListId"])
    if "IpamPrefixListResolverSyncEnabled" in params:
        raise unsupported("IpamPrefixListResolverSyncEnabled: there is no IPAM.")
    changes: dict[str, Any] = {"state": "modify-complete"}
    if "PrefixListName" in params:
        _check_name(params["PrefixListName"])
        changes["name"] = params["PrefixListName"]
    if params.get("AddEntries") or params.get("RemoveEntries"):
        if "MaxEntries" in params:
            raise invalid_parameter_combination(
                "You cannot modify the entries of a prefix list and modify the size of a prefix list at the same time."
            )
        changes["version"] = _change_entries(ctx, row, params)
    elif "MaxEntries" in params:
        changes["max_entries"] = _resized(ctx, row, params["MaxEntries"])
    ctx.db.execute(update(prefix_lists).where(prefix_lists.c.id == row.id).values(changes))
    if "max_entries" in changes:
        users = _users(ctx, row.id)
        rule_quota.check(ctx, [id_ for id_ in users if id_.startswith("sg-")])
        route_quota.check(ctx, [id_ for id_ in users if id_.startswith("rtb-")])
    ctx.note("prefix_list", row.id)
    return {"PrefixList": _shown(ctx, [fetch(ctx, "pl", row.id)])[0]}


def _change_entries(ctx: Context, row: Row[Any], params: Params) -> int:
    if "CurrentVersion" not in params:
        raise missing_parameter("currentVersion")
    _check_current(row, params)
    added = prefix_list_entries.parse(params.get("AddEntries", ()), row.address_family)
    removed = prefix_list_entries.parse(params.get("RemoveEntries", ()), row.address_family)
    prefix_list_entries.change(ctx, row.id, added, removed, version=row.version + 1)
    if prefix_list_entries.count(ctx, row.id) > row.max_entries:
        raise _too_many()
    return int(row.version) + 1


def _check_current(row: Row[Any], params: Params) -> None:
    if params["CurrentVersion"] != row.version:
        raise AwsError("PrefixListVersionMismatch", "The prefix list has the incorrect version number.")


def _resized(ctx: Context, row: Row[Any], size: int) -> int:
    _check_size(size)
    if prefix_list_entries.count(ctx, row.id) > size:
        raise _too_many()
    return size


@operation("RestoreManagedPrefixListVersion")
def restore_managed_prefix_list_version(ctx: Context, params: Params) -> Result:
    """A new version with the entries of an earlier one."""
    row = fetch(ctx, "pl", params["PrefixListId"])
    _check_current(row, params)
    if not 1 <= params["PreviousVersion"] < row.version:
        raise invalid_parameter_value(f"Value ({params['PreviousVersion']}) for parameter previousVersion is invalid.")
    prefix_list_entries.restore(ctx, row.id, params["PreviousVersion"], version=row.version + 1)
    if prefix_list_entries.count(ctx, row.id) > row.max_entries:
        raise _too_many()
    restored = update(prefix_lists).where(prefix_lists.c.id == row.id)
    ctx.db.execute(restored.values(version=row.version + 1, state="restore-complete"))
    ctx.note("prefix_list", row.id)
    return {"PrefixList": _shown(ctx, [fetch(ctx, "pl", row.id)])[0]}


def _using(id_: str) -> tuple[Select[Any], Select[Any]]:
    """The security groups with a rule that refers to the list, and the route tables with a route to it."""
    rules = select(security_group_rules.c.group_id).where(security_group_rules.c.prefix_list_id == id_)
    return rules.distinct(), select(routes.c.route_table_id).where(routes.c.destination == id_)


def _users(ctx: Context, id_: str) -> list[str]:
    return sorted(ctx.db.execute(union(*_using(id_))).scalars())


@operation("DeleteManagedPrefixList")
def delete_managed_prefix_list(ctx: Context, params: Params) -> Result:
    """A security group rule or a route that refers to the list stands in the way."""
    row = fetch(ctx, "pl", params["PrefixListId"])
    dependants.refuse_if_any(
        ctx,
        f"The prefix list '{row.id}' is in use and cannot be deleted.",
        *_using(row.id),
    )
    answer = _shown(ctx, [row])[0] | {"State": "delete-complete"}
    ctx.db.execute(delete(prefix_lists).where(prefix_lists.c.id == row.id))
    tags.forget(ctx, [row.id])
    ctx.note("prefix_list", row.id)
    return {"PrefixList": answer}


_FILTERS = {
    "owner-id": filters.text(prefix_lists.c.account_id),
    "prefix-list-id": filters.text(prefix_lists.c.id),
    "prefix-list-name": filters.text(prefix_lists.c.name),
}


@operation("DescribeManagedPrefixLists")
def describe_managed_prefix_lists(ctx: Context, params: Params) -> Result:
    rows, token, aws = _selected(ctx, params, _FILTERS)
    return {"PrefixLists": _shown(ctx, rows) + aws, "NextToken": token}


def _selected(
    ctx: Context, params: Params, catalogue: filters.Catalogue
) -> tuple[list[Row[Any]], str | None, list[Result]]:
    """The customer's lists page by page, and with the last page AWS's."""
    ids = params.get("PrefixListIds", ())
    own = [id_ for id_ in ids if not aws_prefix_lists.are(id_)]
    rows: list[Row[Any]] = []
    token = None
    if own or not ids:
        rows, token = describe(ctx, {**params, "PrefixListIds": own}, "pl", catalogue, "PrefixListIds", sizes=_SIZES)
    return rows, token, aws_prefix_lists.selected(ctx, ids, params.get("Filters", ())) if token is None else []


def _shown(ctx: Context, rows: Sequence[Row[Any]]) -> list[Result]:
    tags_of = tags.shown(ctx, [row.id for row in rows])
    return [
        {
            "PrefixListId": row.id,
            "PrefixListName": row.name,
            "PrefixListArn": f"arn:aws:ec2:{ctx.region}:{row.account_id}:prefix-list/{row.id}",
            "AddressFamily": row.address_family,
            "MaxEntries": row.max_entries,
            "State": row.state,
            "Version": row.version,
            "OwnerId": row.account_id,
            "Tags": tags_of[row.id],
        }
        for row in rows
    ]


@operation("DescribePrefixLists")
def describe_prefix_lists(ctx: Context, params: Params) -> Result:
    """The same lists, with their blocks, as clients older than managed lists ask for them."""
    catalogue = {name: _FILTERS[name] for name in ("prefix-list-id", "prefix-list-name")}
    rows, token, aws = _selected(ctx, params, catalogue)
    blocks: dict[str, list[str]] = {row.id: [] for row in rows}
    if rows:
        query = select(_ENTRIES.prefix_list_id, _ENTRIES.cidr).where(_ENTRIES.prefix_list_id.in_(list(blocks)))
        for entry in ctx.db.execute(query.where(_ENTRIES.removed_in.is_(None)).order_by(_ENTRIES.cidr)):
            blocks[entry.prefix_list_id].append(entry.cidr)
    shown = [{"PrefixListId": row.id, "PrefixListName": row.name, "Cidrs": blocks[row.id]} for row in rows]
    shown += [{name: list_[name] for name in ("PrefixListId", "PrefixListName")} | {"Cidrs": []} for list_ in aws]
    return {"PrefixLists": shown, "NextToken": token}


@operation("GetManagedPrefixListEntries")
def get_managed_prefix_list_entries(ctx: Context, params: Params) -> Result:
    """Of the newest version, or of ``TargetVersion``: every version stays readable."""
    if aws_prefix_lists.are(params["PrefixListId"]):
        return {"Entries": []}
    row = fetch(ctx, "pl", params["PrefixListId"])
    version = params.get("TargetVersion", row.version)
    if not 1 <= version <= row.version:
        raise invalid_parameter_value(f"Value ({version}) for parameter targetVersion is invalid.")
    query = select(tables.prefix_list_entries).where(
        _ENTRIES.prefix_list_id == row.id, prefix_list_entries.in_version(version)
    )
    entries, token = slice_page(params, list(ctx.db.execute(query.order_by(_ENTRIES.cidr))), _SIZES)
    shown = [{"Cidr": entry.cidr, "Description": entry.description} for entry in entries]
    return {"Entries": shown, "NextToken": token}


@operation("GetManagedPrefixListAssociations")
def get_managed_prefix_list_associations(ctx: Context, params: Params) -> Result:
    row = fetch(ctx, "pl", params["PrefixListId"])
    users, token = slice_page(params, _users(ctx, row.id), (5, 255))
    shown = [{"ResourceId": id_, "ResourceOwner": row.account_id} for id_ in users]
    return {"PrefixListAssociations": shown, "NextToken": token}
