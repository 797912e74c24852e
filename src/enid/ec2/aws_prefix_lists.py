"""The prefix lists that AWS keeps of its own services' addresses.

There are no such services here, so the lists are empty. They are nobody's to change, and gateway endpoints route to
them (:mod:`enid.ec2.vpc_endpoints`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from enid.ec2 import list_filters
from enid.ec2.context import Context, Result

OWNER = "AWS"
_IDS = {"s3": "pl-63a5400a", "dynamodb": "pl-02cd2c6b"}
"""By service. The ids are those of us-east-1, in every region."""
_NAMES = {id_: service for service, id_ in _IDS.items()}
_PROPERTIES = {
    "owner-id": lambda shown: [shown["OwnerId"]],
    "prefix-list-id": lambda shown: [shown["PrefixListId"]],
    "prefix-list-name": lambda shown: [shown["PrefixListName"]],
}


def are(id_: str) -> bool:
    """Whether it is one of these lists."""
    return id_ in _NAMES


def of_service(service: str) -> str:
    """The list of ``s3`` or ``dynamodb``."""
    return _IDS[service]


def selected(ctx: Context, ids: Collection[str], given: Sequence[Mapping[str, Any]]) -> list[Result]:
    """As DescribeManagedPrefixLists shows those that a request selects. They have no tags."""
    lists = [_shown(ctx, id_) for id_ in _NAMES if not ids or id_ in ids]
    if any(str(filter_.get("Name", "")).startswith("tag") for filter_ in given):
        return []
    return list_filters.keep(lists, given, _PROPERTIES)


def _shown(ctx: Context, id_: str) -> Result:
    return {
        "PrefixListId": id_,
        "PrefixListName": f"com.amazonaws.{ctx.region}.{_NAMES[id_]}",
        "PrefixListArn": f"arn:aws:ec2:{ctx.region}:aws:prefix-list/{id_}",
        "AddressFamily": "IPv4",
        "State": "create-complete",
        "OwnerId": OWNER,
        "Tags": [],
    }
