"""Where an analysis takes place: the network then, and what its records leave out but AWS shows, the gateways' ids."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from enid.ec2 import arns
from enid.ec2.context import Context, Result
from enid.store import snapshot
from enid.store.tables import egress_only_internet_gateways, internet_gateways, vpn_gateways
from enid.topology.records import Kind, Port, Vpc, World

_GATEWAYS = {"igw": internet_gateways, "vgw": vpn_gateways, "eigw": egress_only_internet_gateways}


@dataclass(frozen=True, slots=True)
class Scene:
    """The caller's network, whoever else has one on this enid, as it is in the transaction now."""

    ctx: Context
    world: World
    gateways: dict[str, str | None]
    """Of every kind: its VPC, ``None`` when it is detached."""

    def gateway(self, prefix: str, vpc_id: str) -> str | None:
        """The VPC's gateway of a kind: ``igw``, ``vgw`` or ``eigw``."""
        found = (id_ for id_, vpc in self.gateways.items() if vpc == vpc_id and id_.startswith(f"{prefix}-"))
        return next(found, None)

    def connected(self, link_id: str) -> str | None:
        """The VPN gateway that a VPN connection belongs to."""
        vpcs = (record for record in self.world.values() if isinstance(record, Vpc))
        owner = next((vpc for vpc in vpcs if any(link.id == link_id for link in vpc.vpn)), None)
        return self.gateway("vgw", owner.id) if owner else None

    def port(self, id_: str) -> Port | None:
        """An interface on the network."""
        record = self.world.get((Kind.PORT, id_))
        return record if isinstance(record, Port) else None

    def component(self, id_: str | None) -> Result | None:
        """``AnalysisComponent``."""
        return {"Id": id_, "Arn": arns.of(self.ctx, id_)} if id_ else None


def scene(ctx: Context) -> Scene:
    """What the caller has: a constant number of statements, and as much reading as it has."""
    gateways: dict[str, str | None] = {}
    for table in _GATEWAYS.values():
        rows = ctx.db.execute(select(table.c.id, table.c.vpc_id).where(table.c.account_id == ctx.account_id))
        gateways.update((row.id, row.vpc_id) for row in rows)
    return Scene(ctx, snapshot.world_of(ctx.db, ctx.account_id, ctx.settings.host_id), gateways)
