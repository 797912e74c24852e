"""Tags: on creation (``TagSpecifications``), later (``CreateTags``, ``DeleteTags``), and shown with each resource."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from enid.ec2 import filters
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import decode, encode, limit_of
from enid.ec2.errors import AwsError, check_id, invalid_parameter_value, missing_parameter, not_found
from enid.ec2.registry import operation
from enid.ec2.resources import RESOURCES, Resource
from enid.store.tables import tags

MAX_TAGS = 50
TagList = list[dict[str, str]]


def shown(ctx: Context, ids: Iterable[str]) -> dict[str, TagList]:
    """The tags of many resources in one statement; an id without tags maps to ``[]``."""
    result: dict[str, TagList] = {id_: [] for id_ in ids}
    if result:
        mine = tags.c.account_id == ctx.account_id
        query = select(tags).where(mine, tags.c.resource_id.in_(list(result))).order_by(tags.c.resource_id, tags.c.key)
        for row in ctx.db.execute(query):
            result[row.resource_id].append({"Key": row.key, "Value": row.value})
    return result


def on_creation(ctx: Context, params: Params, type_: str, ids: Sequence[str]) -> TagList:
    """Give new resources the tags that the request's ``TagSpecifications`` has for their type; answers those tags.

    :raises AwsError: a specification for a type this operation does not make (``allowed`` is just ``type_``), a
        repeated or reserved key, more than 50 tags.
    """
    return write(ctx, type_, ids, specified(params, (type_,)).get(type_, []))


def specified(params: Params, types: Sequence[str]) -> dict[str, TagList]:
    """The request's tag specifications by resource type, checked.

    :raises AwsError: for a type not in ``types`` or a tag that may not be.
    """
    result: dict[str, TagList] = {}
    for specification in params.get("TagSpecifications", ()):
        type_ = specification.get("ResourceType")
        if type_ is None:
            raise missing_parameter("TagSpecification.ResourceType")
        if type_ not in types:
            raise invalid_parameter_value(f"'{type_}' is not a valid taggable resource type for this operation.")
        if type_ in result:
            raise invalid_parameter_value(f"Tag specification resource type '{type_}' is specified more than once.")
        result[type_] = check(specification.get("Tags", ()))
    return result


def write(ctx: Context, type_: str, ids: Sequence[str], given: TagList) -> TagList:
    """Write checked tags to resources, replacing values of keys that are there."""
    rows = [
        {
            "resource_id": id_,
            "key": tag["Key"],
            "value": tag["Value"],
            "account_id": ctx.account_id,
            "resource_type": type_,
        }
        for id_ in ids
        for tag in given
    ]
    if rows:
        insert = sqlite_insert if ctx.db.dialect.name == "sqlite" else postgresql_insert
        statement = insert(tags)
        ctx.db.execute(
            statement.on_conflict_do_update(
                index_elements=["resource_id", "key", "account_id"], set_={"value": statement.excluded.value}
            ),
            rows,
        )
    return given


def forget(ctx: Context, ids: Sequence[str]) -> None:
    """Delete the tags of deleted resources."""
    if ids:
        ctx.db.execute(delete(tags).where(tags.c.resource_id.in_(ids)))


def check(given: Iterable[Mapping[str, Any]]) -> TagList:
    """Tags as AWS allows them: keys unique, 1 to 127 characters, not ``aws:``; values up to 256."""
    result: TagList = []
    seen: set[str] = set()
    for tag in given:
        key, value = tag.get("Key", ""), tag.get("Value") or ""
        if not key:
            raise missing_parameter("Tag.Key")
        if len(key) > 127:
            raise invalid_parameter_value("Tag key exceeds the maximum length of 127 characters")
        if len(value) > 256:
            raise invalid_parameter_value("Tag value exceeds the maximum length of 256 characters")
        if key.lower().startswith("aws:"):
            raise invalid_parameter_value(f"Tag keys starting with 'aws:' are reserved for internal use: {key}")
        if key in seen:
            raise invalid_parameter_value(f"Duplicate tag key '{key}' specified.")
        seen.add(key)
        result.append({"Key": key, "Value": value})
    if len(result) > MAX_TAGS:
        raise AwsError("TagLimitExceeded", f"More than {MAX_TAGS} tags specified")
    return result


def _resource_of(id_: str) -> Resource:
    resource = RESOURCES.get(id_.rpartition("-")[0])
    if resource is None or not resource.type:
        raise AwsError("InvalidID", f"The ID '{id_}' is not valid")
    check_id(resource.prefix, id_)
    return resource


def _existing(ctx: Context, ids: Sequence[str]) -> dict[str, list[str]]:
    """The ids by resource type, all of them the caller's."""
    by_prefix: dict[str, list[str]] = {}
    for id_ in dict.fromkeys(ids):
        by_prefix.setdefault(_resource_of(id_).prefix, []).append(id_)
    for prefix, wanted in by_prefix.items():
        resource = RESOURCES[prefix]
        query = select(resource.id).where(resource.id.in_(wanted), resource.visible(ctx.account_id, ctx.now))
        missing = set(wanted) - set(ctx.db.execute(query).scalars())
        for id_ in wanted:
            if id_ in missing:
                raise not_found(prefix, id_)
    return {RESOURCES[prefix].type: wanted for prefix, wanted in by_prefix.items()}


@operation("CreateTags", records=True)
def create_tags(ctx: Context, params: Params) -> Result:
    """All resources get all tags, or none does."""
    given = check(params.get("Tags", ()))
    if not given:
        raise missing_parameter("Tag")
    for type_, ids in _existing(ctx, params.get("Resources", ())).items():
        write(ctx, type_, ids, given)
        mine = tags.c.account_id == ctx.account_id
        query = select(tags.c.resource_id).where(mine, tags.c.resource_id.in_(ids)).group_by(tags.c.resource_id)
        if ctx.db.execute(query.having(func.count() > MAX_TAGS)).first() is not None:
            raise AwsError("TagLimitExceeded", f"The maximum number of tags of a resource is {MAX_TAGS}.")
    return {}


@operation("DeleteTags", records=True)
def delete_tags(ctx: Context, params: Params) -> Result:
    """A tag without ``Value`` goes whatever its value is; with one, only if it is equal. No tags given: all go."""
    ids = [id_ for group in _existing(ctx, params.get("Resources", ())).values() for id_ in group]
    conditions = [
        and_(tags.c.key == tag.get("Key", ""), *([tags.c.value == tag["Value"]] if "Value" in tag else []))
        for tag in params.get("Tags", ())
    ]
    statement = delete(tags).where(tags.c.resource_id.in_(ids), tags.c.account_id == ctx.account_id)
    ctx.db.execute(statement.where(or_(*conditions)) if conditions else statement)
    return {}


_FILTERS = {
    "key": filters.text(tags.c.key),
    "resource-id": filters.text(tags.c.resource_id),
    "resource-type": filters.text(tags.c.resource_type),
    "value": filters.text(tags.c.value),
}


_ORDER = tags.c.resource_id, tags.c.key


def _after(token: str) -> tuple[str, str]:
    """The tag that the page comes after; a key may have spaces, an id has none."""
    resource_id, _, key = decode(token).partition(" ")
    return resource_id, key


_WILD = re.compile(r"[*?\\]")


def _plain(given: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """``tag:<key>`` as what it is short for here: elsewhere it selects resources, here tags."""
    for item in given:
        name = item.get("Name", "")
        if name.startswith("tag:"):
            yield {"Name": "key", "Values": [_WILD.sub(r"\\\g<0>", name[4:])]}
            name = "value"
        yield {**item, "Name": name}


@operation("DescribeTags")
def describe_tags(ctx: Context, params: Params) -> Result:
    given = list(_plain(params.get("Filters", ())))
    condition = filters.where(given, _FILTERS, tags.c.resource_id, ctx.account_id)
    query = select(tags).where(tags.c.account_id == ctx.account_id, condition).order_by(*_ORDER)
    limit = limit_of(params)
    if token := params.get("NextToken"):
        query = query.where(tuple_(*_ORDER) > tuple_(*_after(token)))
    rows = list(ctx.db.execute(query if limit is None else query.limit(limit + 1)))
    token = None
    if limit is not None and len(rows) > limit:
        del rows[limit:]
        token = encode(f"{rows[-1].resource_id} {rows[-1].key}")
    shown_tags = [
        {"Key": row.key, "Value": row.value, "ResourceId": row.resource_id, "ResourceType": row.resource_type}
        for row in rows
    ]
    return {"Tags": shown_tags, "NextToken": token}
