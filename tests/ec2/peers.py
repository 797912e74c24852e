"""Two VPCs and the connection between them, as both owners see it."""

from __future__ import annotations

from typing import Any

from accounts import Account
from enid.store import peerings


def vpc_of(account: Account, block: str = "10.0.0.0/16") -> str:
    return str(account("CreateVpc", CidrBlock=block)["Vpc"]["VpcId"])


def ask(account: Account, vpc: str, peer: str, owner: Account | None = None, **params: Any) -> str:
    """A request; the id of the connection."""
    whose = {"PeerOwnerId": owner.account_id} if owner else {}
    made = account("CreateVpcPeeringConnection", VpcId=vpc, PeerVpcId=peer, **whose, **params)
    return str(made["VpcPeeringConnection"]["VpcPeeringConnectionId"])


def agent(account: Account) -> None:
    """What the agent writes when it has followed."""
    with account.database.write() as db:
        rows = peerings.moving(db, None)
        peerings.activated(db, [row.id for row in rows if row.state == "provisioning"])
        peerings.cut(db, [row.id for row in rows if row.state == "deleting"])


def accept(account: Account, id_: str) -> None:
    account("AcceptVpcPeeringConnection", VpcPeeringConnectionId=id_)
    agent(account)


def shown(account: Account, id_: str) -> dict[str, Any]:
    (found,) = account("DescribeVpcPeeringConnections", VpcPeeringConnectionIds=[id_])["VpcPeeringConnections"]
    return dict(found)


def state(account: Account, id_: str) -> str:
    return str(shown(account, id_)["Status"]["Code"])
