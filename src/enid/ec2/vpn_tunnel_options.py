"""Changing one tunnel of a VPN connection: another key, other addresses inside. Where tunnels are real it goes down and
comes up as soon as the far side knows, too; the other one carries on meanwhile."""

from __future__ import annotations

from sqlalchemy import select, update

from enid.ec2 import vpn_connections, vpn_tunnels
from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import invalid_parameter_value, unsupported
from enid.ec2.registry import operation
from enid.ec2.resources import fetch, is_alive
from enid.store import tables as t


@operation("ModifyVpnTunnelOptions")
def modify_vpn_tunnel_options(ctx: Context, params: Params) -> Result:
    """At once; on AWS the connection is ``modifying`` for some minutes."""
    for name in ("SkipTunnelReplacement", "PreSharedKeyStorage"):
        if params.get(name):
            raise unsupported(f"{name} is not there.")
    row = fetch(ctx, "vpn", params["VpnConnectionId"])
    outside = params["VpnTunnelOutsideIpAddress"]
    if outside not in (tunnel["OutsideIpAddress"] for tunnel in row.tunnels):
        raise invalid_parameter_value(f"{row.id} has no tunnel with the outside address {outside}.")
    changed = [
        vpn_tunnels.changed(tunnel, params["TunnelOptions"], _inside_blocks(ctx, row.vpn_gateway_id))
        if tunnel["OutsideIpAddress"] == outside
        else tunnel
        for tunnel in row.tunnels
    ]
    ctx.db.execute(update(t.vpn_connections).where(t.vpn_connections.c.id == row.id).values(tunnels=changed))
    vpn_connections.note(ctx, row)
    return {"VpnConnection": vpn_connections.shown(ctx, [fetch(ctx, "vpn", row.id)])[0]}


def _inside_blocks(ctx: Context, gateway_id: str) -> set[str]:
    """Of all tunnels of the gateway."""
    connections = t.vpn_connections
    query = select(connections.c.tunnels).where(connections.c.vpn_gateway_id == gateway_id, is_alive(connections))
    return {tunnel["TunnelInsideCidr"] for tunnels in ctx.db.execute(query).scalars() for tunnel in tunnels}
