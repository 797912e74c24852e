"""What a word on the command line means, and what ids are called: Name tags, group names, sites."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from enid.cli.session import Problem

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from enid.topology.picture import Labels

SITE = "site/"
SITE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_GONE = ("shutting-down", "terminated")


def labels(db: Connection) -> Labels:
    """Names of everything that has one, and the subnets' zones."""
    from sqlalchemy import select

    from enid.store import tables as t
    from enid.topology.picture import Labels

    groups = {row.id: row.name for row in db.execute(select(t.security_groups.c.id, t.security_groups.c.name))}
    tagged = select(t.tags.c.resource_id, t.tags.c.value).where(t.tags.c.key == "Name")
    names = {row.resource_id: row.value for row in db.execute(tagged)}
    zones = {row.id: row.availability_zone for row in db.execute(select(t.subnets.c.id, t.subnets.c.availability_zone))}
    return Labels({**names, **groups}, zones)


def instance(db: Connection, word: str) -> str:
    """The id of the instance that ``word`` names: i-…, or a Name tag that one instance has.

    :raises Problem: there is none, or more than one.
    """
    from sqlalchemy import select

    from enid.store import tables as t

    rows = t.instances.c
    if word.startswith("i-"):
        if db.execute(select(rows.id).where(rows.id == word)).first() is None:
            raise Problem(f"there is no instance {word}: `enid ps` lists them")
        return word
    return _unique(word, tagged(db, word, "i-"), "instance")


def site(db: Connection, word: str) -> str | None:
    """The name behind ``site/NAME``; None where the word is no site's.

    :raises Problem: there is no such site.
    """
    from sqlalchemy import select

    from enid.store import tables as t

    if not word.startswith(SITE):
        return None
    name = word.removeprefix(SITE)
    known = sorted(db.execute(select(t.sites.c.name)).scalars())
    if name not in known:
        raise Problem(f"there is no site {name!r}: " + (f"there are {', '.join(known)}" if known else _NO_SITES))
    return name


def place(db: Connection, word: str) -> str:
    """``word`` as :mod:`enid.topology.places` reads it: Name tags and bare site names become what they stand for.

    :raises Problem: there is no such thing, or it is the name of several.
    """
    from ipaddress import ip_address

    from sqlalchemy import select

    from enid.store import tables as t

    if word == "internet" or word.startswith("site/"):
        return word
    if word.startswith("i-"):
        return instance(db, word)
    if word.startswith("eni-"):
        if db.execute(select(t.network_interfaces.c.id).where(t.network_interfaces.c.id == word)).first() is None:
            raise Problem(f"there is no network interface {word}")
        return word
    if word.startswith("nat-"):
        if db.execute(select(t.nat_gateways.c.id).where(t.nat_gateways.c.id == word)).first() is None:
            raise Problem(f"there is no NAT gateway {word}")
        return word
    try:
        return str(ip_address(word))
    except ValueError:
        pass
    found = [id_ for prefix in ("i-", "eni-", "nat-") for id_ in tagged(db, word, prefix)]
    found += [f"site/{name}" for name in db.execute(select(t.sites.c.name).where(t.sites.c.name == word)).scalars()]
    return _unique(word, found, "instance, interface, NAT gateway or site")


def vpc(db: Connection, word: str | None) -> str:
    """The id of a VPC by id or Name tag; without a word, of the one that has interfaces plugged in, or the only one.

    :raises Problem: there is none, or it is not clear which.
    """
    from sqlalchemy import select

    from enid.store import tables as t

    known: list[str] = list(db.execute(select(t.vpcs.c.id).order_by(t.vpcs.c.created_at, t.vpcs.c.id)).scalars())
    if word is None:
        used = select(t.network_interfaces.c.vpc_id).join(t.attachments).distinct()
        live = list(db.execute(used).scalars())
        choice: list[str] = live if len(live) == 1 else known
        if not choice:
            raise Problem("there is no VPC yet: `aws ec2 create-vpc` makes one")
        if len(choice) > 1:
            raise Problem(f"there are several VPCs, say which: {', '.join(choice)}", 2)
        return choice[0]
    if word.startswith("vpc-"):
        if word not in known:
            raise Problem(f"there is no {word}; there {'are ' + ', '.join(known) if known else 'is none'}")
        return word
    return _unique(word, tagged(db, word, "vpc-"), "VPC")


def tagged(db: Connection, name: str, prefix: str) -> list[str]:
    """Ids of the living resources of a kind that carry the Name."""
    from sqlalchemy import select

    from enid.store import tables as t

    tags = t.tags.c
    query = select(tags.resource_id).where(tags.key == "Name", tags.value == name, tags.resource_id.like(f"{prefix}%"))
    gone = select(t.instances.c.id).where(t.instances.c.state.in_(_GONE))
    return sorted(db.execute(query.where(tags.resource_id.not_in(gone))).scalars())


_NO_SITES = "`enid site create` makes one"


def _unique(word: str, found: list[str], kind: str) -> str:
    if len(found) == 1:
        return found[0]
    if found:
        raise Problem(f"{word!r} is the name of several: {', '.join(found)}; say which", 2)
    raise Problem(f"no {kind} has the name {word!r}: `enid ps` lists what there is")
