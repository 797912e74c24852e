"""Where a route of a request leads: one target, there, and of the same VPC as the table."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Row, select

from enid.ec2.context import Context, Params
from enid.ec2.errors import (
    AwsError,
    check_id,
    invalid_parameter_combination,
    invalid_parameter_value,
    missing_parameter,
    not_found,
    unsupported,
)
from enid.ec2.resources import RESOURCES, fetch
from enid.ec2.route_listing import (
    EGRESS_ONLY_INTERNET_GATEWAY,
    INTERNET_GATEWAY,
    LOCAL,
    NAT_GATEWAY,
    NETWORK_INTERFACE,
    PEERING,
    VPN_GATEWAY,
)
from enid.ec2.vpc_peers import PENDING, state_of
from enid.store.peerings import CARRYING
from enid.store.tables import attachments, nat_gateways


class Target(NamedTuple):
    """As the ``routes`` table has it."""

    kind: str
    id: str


_BUILT = (
    "GatewayId",
    "NetworkInterfaceId",
    "InstanceId",
    "NatGatewayId",
    "EgressOnlyInternetGatewayId",
    "VpcPeeringConnectionId",
)
_UNBUILT = (
    "TransitGatewayId",
    "VpcEndpointId",
    "LocalGatewayId",
    "CarrierGatewayId",
    "CoreNetworkArn",
    "OdbNetworkArn",
)
_GATEWAYS = {"igw": INTERNET_GATEWAY, "vgw": VPN_GATEWAY}


def resolve(ctx: Context, params: Params, table: Any) -> Target:
    """The one target the request names.

    :param table: the route table's row.
    :raises AwsError: none or several, a kind that is not there, one that does not exist or is of another VPC.
    """
    given = [name for name in (*_BUILT, *_UNBUILT) if params.get(name)]
    if not given:
        raise missing_parameter("gatewayId, networkInterfaceId, instanceId or vpcPeeringConnectionId")
    if len(given) > 1:
        raise invalid_parameter_combination(f"Only one target may be specified for a route, not {', '.join(given)}.")
    name, id_ = given[0], params[given[0]]
    if name == "GatewayId":
        return _gateway(ctx, table, id_)
    if name == "NatGatewayId":
        return _nat_gateway(ctx, table, id_)
    if name == "EgressOnlyInternetGatewayId":
        _check_network(table, fetch(ctx, "eigw", id_))
        return Target(EGRESS_ONLY_INTERNET_GATEWAY, id_)
    if name == "VpcPeeringConnectionId":
        return _peering(ctx, table, id_)
    if name == "InstanceId":
        id_ = interface_of(ctx, id_)
    elif name != "NetworkInterfaceId":
        raise unsupported(
            f"{name}: a route can lead to an internet, egress-only, NAT or VPN gateway, a peering connection, "
            "an interface or an instance."
        )
    if fetch(ctx, "eni", id_).vpc_id != table.vpc_id:
        raise invalid_parameter_value(f"route table {table.id} and interface {id_} belong to different networks")
    return Target(NETWORK_INTERFACE, id_)


def _gateway(ctx: Context, table: Any, id_: str) -> Target:
    if id_ == LOCAL:
        raise invalid_parameter_value("The local routes are there by themselves; no route to 'local' can be made.")
    _check_network(table, gateway(ctx, id_))
    return Target(_GATEWAYS[id_.partition("-")[0]], id_)


def gateway(ctx: Context, id_: str) -> Row[Any]:
    """The caller's internet or VPN gateway.

    :raises AwsError: there is none of this id.
    """
    prefix = id_.partition("-")[0]
    gateways = RESOURCES[prefix].table if prefix in _GATEWAYS else None
    row = None
    if gateways is not None:
        query = select(gateways).where(gateways.c.id == id_, gateways.c.account_id == ctx.account_id)
        row = ctx.db.execute(query).one_or_none()
    if row is None:
        raise AwsError("InvalidGatewayID.NotFound", f"The gateway ID '{id_}' does not exist")
    return row


def _nat_gateway(ctx: Context, table: Any, id_: str) -> Target:
    """One that is being deleted is no target any more."""
    check_id("nat", id_)
    columns = nat_gateways.c
    query = select(nat_gateways).where(columns.id == id_, columns.account_id == ctx.account_id)
    row = ctx.db.execute(query.where(columns.state.in_(("pending", "available")))).one_or_none()
    if row is None:
        raise AwsError("InvalidNatGatewayID.NotFound", f"The natGateway ID '{id_}' does not exist")
    _check_network(table, row)
    return Target(NAT_GATEWAY, id_)


def _check_network(table: Any, row: Any) -> None:
    if row.vpc_id != table.vpc_id:
        raise invalid_parameter_value(
            f"route table {table.id} and network gateway {row.id} belong to different networks"
        )


def _peering(ctx: Context, table: Any, id_: str) -> Target:
    """A route may be there before the request is accepted, and is a black hole till then; as at AWS."""
    row = fetch(ctx, "pcx", id_)
    if table.vpc_id not in (row.requester_vpc_id, row.accepter_vpc_id):
        raise invalid_parameter_value(
            f"route table {table.id} and VPC peering connection {id_} belong to different networks"
        )
    if state_of(row, ctx.now) not in (PENDING, *CARRYING):
        raise not_found("pcx", id_)
    return Target(PEERING, id_)


def interface_of(ctx: Context, instance_id: str) -> str:
    """The only interface of an instance.

    :raises AwsError: ``InvalidInstanceID`` when there are several (AWS's words), or none.
    """
    fetch(ctx, "i", instance_id)
    query = select(attachments.c.network_interface_id).where(attachments.c.instance_id == instance_id)
    found: list[str] = list(ctx.db.execute(query).scalars())
    if len(found) > 1:
        raise AwsError(
            "InvalidInstanceID",
            f"There are multiple interfaces attached to instance '{instance_id}'. "
            "Please specify an interface ID for the operation instead.",
        )
    if not found:
        raise AwsError("InvalidInstanceID", f"There is no interface attached to instance '{instance_id}'.")
    return found[0]
