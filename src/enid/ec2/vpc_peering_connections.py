"""VPC peering connections: asking for one, accepting, rejecting, deleting, and how AWS lists them to both owners.

``active`` and ``deleted`` are the agent's words: packets cross, or nothing does any more. What a connection means for
its VPCs is :mod:`enid.ec2.vpc_peers`' affair.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, case, insert, literal, select, update

from enid import clock
from enid.ec2 import filters, tags, vpc_peers
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import AwsError, check_id, missing_parameter, not_found, not_permitted, unsupported
from enid.ec2.registry import operation
from enid.ec2.resources import fetch
from enid.ec2.vpc_peers import ACTIVE, BRIEFLY, LONG, PENDING
from enid.store import peerings
from enid.store.ids import new_id
from enid.store.peerings import CARRYING
from enid.store.tables import vpc_peering_connections, vpcs

_EXPIRES_AFTER = timedelta(days=7)
_C = vpc_peering_connections.c
_OPTIONS = {
    "AllowDnsResolutionFromRemoteVpc": False,
    "AllowEgressFromLocalClassicLinkToRemoteVpc": False,
    "AllowEgressFromLocalVpcToRemoteClassicLink": False,
}
_ACCEPTER, _REQUESTER, _ENDER = _C.accepter_account_id, _C.requester_account_id, _C.ended_by
_MESSAGES: Mapping[str, tuple[str, Any]] = {
    "initiating-request": ("Initiating Request to ", _ACCEPTER),
    PENDING: ("Pending Acceptance by ", _ACCEPTER),
    "provisioning": ("Provisioning", None),
    ACTIVE: ("Active", None),
    "deleting": ("Deleting", None),
    "deleted": ("Deleted by ", _ENDER),
    "rejected": ("Rejected by ", _ENDER),
    "expired": ("Expired", None),
    "failed": ("Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range", None),
}
"""State → AWS's message, and the account that it ends with."""


@operation("CreateVpcPeeringConnection")
def create_vpc_peering_connection(ctx: Context, params: Params) -> Result:
    """Ask the owner of another VPC. What cannot be joined is not refused: the connection is there, and ``failed``."""
    _refuse_unbuilt(ctx, params)
    vpc = fetch(ctx, "vpc", params["VpcId"])
    if not params.get("PeerVpcId"):
        raise missing_parameter("peerVpcId")
    peer_id, owner = check_id("vpc", params["PeerVpcId"]), params.get("PeerOwnerId") or ctx.account_id
    if not re.fullmatch("[0-9]{12}", owner):
        raise AwsError("InvalidUserID.Malformed", f"Invalid user id: '{owner}'")
    peer = ctx.db.execute(select(vpcs).where(vpcs.c.id == peer_id, vpcs.c.account_id == owner)).one_or_none()
    if peer is None and owner == ctx.account_id:
        raise not_found("vpc", peer_id)
    pair = " ".join(sorted((vpc.id, peer_id)))
    _make_room(ctx, pair)
    _check_outstanding(ctx, vpc.id)
    failed = peer is None or vpc_peers.overlap(ctx, vpc.id, peer_id)
    id_ = new_id("pcx")
    values = {
        "id": id_,
        "requester_account_id": ctx.account_id,
        "requester_vpc_id": vpc.id,
        "requester_cidr_block": vpc.cidr_block,
        "accepter_account_id": owner,
        "accepter_vpc_id": peer_id,
        "accepter_cidr_block": peer.cidr_block if peer is not None else "",
        "requester_options": _OPTIONS,
        "accepter_options": _OPTIONS,
        "created_at": ctx.now,
        **(_failed(ctx) if failed else _pending(pair)),
    }
    ctx.db.execute(insert(vpc_peering_connections).values(**values))
    tags.on_creation(ctx, params, "vpc-peering-connection", [id_])
    return {"VpcPeeringConnection": _shown(ctx, [fetch(ctx, "pcx", id_)], "initiating-request")[0]}


def _refuse_unbuilt(ctx: Context, params: Params) -> None:
    if params.get("PeerRegion", ctx.region) != ctx.region:
        raise unsupported(f"There is one region here, {ctx.region}; no VPC of {params['PeerRegion']} can be a peer.")
    if any(params.get("RequesterPeeringConnectionOptions", {}).values()):
        raise unsupported("Multipath resilience is for peering connections between regions, which are not there.")


def _pending(pair: str) -> dict[str, Any]:
    expires, unseen = clock.now(ago=-_EXPIRES_AFTER), clock.now(ago=-(_EXPIRES_AFTER + LONG))
    return {
        "state": PENDING,
        "pair": pair,
        "expires_at": expires,
        "requester_sees_until": unseen,
        "accepter_sees_until": unseen,
    }


def _failed(ctx: Context) -> dict[str, Any]:
    """Only who asked hears of it: the other VPC may be somebody else's, or nobody's."""
    return {"state": "failed", "requester_sees_until": clock.now(ago=-BRIEFLY), "accepter_sees_until": ctx.now}


def _make_room(ctx: Context, pair: str) -> None:
    """Two VPCs have one connection at a time.

    :raises AwsError: ``VpcPeeringConnectionAlreadyExists``.
    """
    row = ctx.db.execute(select(vpc_peering_connections).where(_C.pair == pair)).one_or_none()
    if row is None:
        return
    if vpc_peers.state_of(row, ctx.now) != "expired":
        raise AwsError("VpcPeeringConnectionAlreadyExists", f"The VPC peering connection {row.id} joins these VPCs.")
    ctx.db.execute(update(vpc_peering_connections).where(_C.id == row.id).values(state="expired", pair=None))


def _check_outstanding(ctx: Context, vpc_id: str) -> None:
    requests = [row for row in vpc_peers.of(ctx, vpc_id, PENDING) if row.requester_vpc_id == vpc_id]
    if len(requests) >= ctx.settings.quotas.outstanding_peerings_per_vpc:
        raise AwsError(
            "OutstandingVpcPeeringConnectionLimitExceeded",
            f"The maximum number of VPC peering connection requests of {vpc_id} has been reached.",
        )


@operation("AcceptVpcPeeringConnection")
def accept_vpc_peering_connection(ctx: Context, params: Params) -> Result:
    """Only the owner of the other VPC accepts; who asked for a VPC of his own is that too."""
    row = _answerable(ctx, params, "accept", "provisioning")
    for vpc_id in (row.requester_vpc_id, row.accepter_vpc_id):
        if len(vpc_peers.of(ctx, vpc_id, *CARRYING)) >= ctx.settings.quotas.active_peerings_per_vpc:
            raise AwsError(
                "ActiveVpcPeeringConnectionPerVpcLimitExceeded",
                f"The maximum number of active VPC peering connections of {vpc_id} has been reached.",
            )
    accepted = {"state": "provisioning", "expires_at": None, "requester_sees_until": None, "accepter_sees_until": None}
    ctx.db.execute(update(vpc_peering_connections).where(_C.id == row.id).values(**accepted))
    ctx.note("vpc_peering_connection", row.id)
    return {"VpcPeeringConnection": _shown(ctx, [fetch(ctx, "pcx", row.id)])[0]}


@operation("RejectVpcPeeringConnection")
def reject_vpc_peering_connection(ctx: Context, params: Params) -> Result:
    row = _answerable(ctx, params, "reject", "rejected")
    vpc_peers.end(ctx, row, "rejected", LONG, BRIEFLY)
    return {"Return": True}


def _answerable(ctx: Context, params: Params, verb: str, new: str) -> Row[Any]:
    """The request, which the caller may answer, and which waits for an answer."""
    row = fetch(ctx, "pcx", params["VpcPeeringConnectionId"])
    if row.accepter_account_id != ctx.account_id:
        raise _forbidden(ctx, verb, row.id)
    _check_transition(ctx, row, new, PENDING)
    return row


def _forbidden(ctx: Context, verb: str, id_: str) -> AwsError:
    return not_permitted(f"User {ctx.account_id} cannot {verb} peering {id_}")


def _check_transition(ctx: Context, row: Row[Any], new: str, *old: str) -> None:
    """:raises AwsError: ``InvalidStateTransition`` unless the connection is in one of the states ``old``."""
    now = vpc_peers.state_of(row, ctx.now)
    if now not in old:
        message = f"Invalid state transition for {row.id}, attempted to transition from {now} to {new}"
        raise AwsError("InvalidStateTransition", message)


@operation("DeleteVpcPeeringConnection")
def delete_vpc_peering_connection(ctx: Context, params: Params) -> Result:
    """Either side ends what it agreed to; a request is withdrawn by who made it."""
    row = fetch(ctx, "pcx", params["VpcPeeringConnectionId"])
    _check_transition(ctx, row, "deleting", PENDING, *CARRYING)
    if row.state == PENDING and row.requester_account_id != ctx.account_id:
        raise _forbidden(ctx, "delete", row.id)
    vpc_peers.delete(ctx, row)
    return {"Return": True}


@operation("ModifyVpcPeeringConnectionOptions", records=True)
def modify_vpc_peering_connection_options(ctx: Context, params: Params) -> Result:
    """Each owner has the options of his own side. No name is resolved here, so packets do not follow them."""
    row = fetch(ctx, "pcx", params["VpcPeeringConnectionId"])
    sides = {side: params.get(f"{side}PeeringConnectionOptions") for side in ("Accepter", "Requester")}
    given = {side: options for side, options in sides.items() if options is not None}
    if not given:
        raise missing_parameter("accepterPeeringConnectionOptions or requesterPeeringConnectionOptions")
    if vpc_peers.state_of(row, ctx.now) != ACTIVE:
        raise not_permitted(f"Peering {row.id} is not active. Peering options can be added only to active peerings.")
    answer: Result = {}
    for side, options in given.items():
        if row._mapping[f"{side.lower()}_account_id"] != ctx.account_id:
            raise _forbidden(ctx, f"modify the {side.lower()}'s options of", row.id)
        if any(value for name, value in options.items() if name != "AllowDnsResolutionFromRemoteVpc"):
            raise unsupported("Neither ClassicLink nor multipath resilience is there.")
        column = _C[f"{side.lower()}_options"]
        changed = {**row._mapping[column], **{name: value for name, value in options.items() if name in _OPTIONS}}
        ctx.db.execute(update(vpc_peering_connections).where(_C.id == row.id).values({column.name: changed}))
        answer[f"{side}PeeringConnectionOptions"] = changed
    return answer


def _message(ctx: Context) -> ColumnElement[str]:
    shown = vpc_peers.state(ctx.now)
    words = [
        (shown == name, text if account is None else literal(text).concat(account))
        for name, (text, account) in _MESSAGES.items()
    ]
    return case(*words, else_="")


def _if_accepted(inner: filters.Condition) -> filters.Condition:
    return lambda values: _C.state.in_(CARRYING) & inner(values)


def _catalogue(ctx: Context) -> filters.Catalogue:
    return {
        "accepter-vpc-info.cidr-block": _if_accepted(filters.text(_C.accepter_cidr_block)),
        "accepter-vpc-info.owner-id": filters.text(_C.accepter_account_id),
        "accepter-vpc-info.vpc-id": filters.text(_C.accepter_vpc_id),
        "expiration-time": filters.text(_C.expires_at),
        "requester-vpc-info.cidr-block": filters.text(_C.requester_cidr_block),
        "requester-vpc-info.owner-id": filters.text(_C.requester_account_id),
        "requester-vpc-info.vpc-id": filters.text(_C.requester_vpc_id),
        "status-code": filters.text(vpc_peers.state(ctx.now)),
        "status-message": filters.text(_message(ctx)),
        "vpc-peering-connection-id": filters.text(_C.id),
    }


@operation("DescribeVpcPeeringConnections")
def describe_vpc_peering_connections(ctx: Context, params: Params) -> Result:
    rows, token = describe(ctx, params, "pcx", _catalogue(ctx), "VpcPeeringConnectionIds")
    return {"VpcPeeringConnections": _shown(ctx, rows), "NextToken": token}


def _shown(ctx: Context, rows: Sequence[Row[Any]], state: str = "") -> list[Result]:
    """:param state: what AWS says in place of the state, in the answer that makes a connection."""
    tags_of = tags.shown(ctx, [row.id for row in rows])
    blocks = peerings.blocks(ctx.db, {vpc for row in rows for vpc in (row.requester_vpc_id, row.accepter_vpc_id)})
    return [
        _one(ctx, row, blocks, state or vpc_peers.state_of(row, ctx.now)) | {"Tags": tags_of[row.id]} for row in rows
    ]


def _one(ctx: Context, row: Row[Any], blocks: Mapping[str, Sequence[str]], state: str) -> Result:
    text, account = _MESSAGES[state]
    return {
        "VpcPeeringConnectionId": row.id,
        "Status": {"Code": state, "Message": text + (row._mapping[account] if account is not None else "")},
        "ExpirationTime": row.expires_at,
        "RequesterVpcInfo": _side(ctx, row, "requester", blocks),
        "AccepterVpcInfo": _side(ctx, row, "accepter", blocks if row.state in CARRYING else None),
    }


def _side(ctx: Context, row: Row[Any], side: str, blocks: Mapping[str, Sequence[str]] | None) -> Result:
    """One of the two VPCs. Of the accepter's who asked learns no more than he knew, until it is accepted."""
    columns = row._mapping
    info: Result = {
        "OwnerId": columns[f"{side}_account_id"],
        "VpcId": columns[f"{side}_vpc_id"],
        "Region": ctx.region,
    }
    if blocks is None:
        return info
    found = blocks[info["VpcId"]] or [columns[f"{side}_cidr_block"]]
    return info | {
        "CidrBlock": columns[f"{side}_cidr_block"],
        "CidrBlockSet": [{"CidrBlock": block} for block in sorted(found) if ":" not in block],
        "Ipv6CidrBlockSet": [{"Ipv6CidrBlock": block} for block in sorted(found) if ":" in block],
        "PeeringOptions": columns[f"{side}_options"],
    }
