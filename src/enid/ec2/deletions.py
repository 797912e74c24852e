"""Why something cannot be deleted, found out by trying: the operation itself is asked, and nothing it does is kept.

AWS says ``DependencyViolation`` and leaves it to the user to find out who depends. What is deleted by which operation
is the one thing to say here; what refuses is the operations' own affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from enid.ec2.context import Context
from enid.ec2.errors import AwsError
from enid.ec2.registry import OPERATIONS
from enid.ec2.resources import RESOURCES
from enid.settings import Settings
from enid.store.tables import attachments, network_interfaces, route_table_associations


@dataclass(frozen=True, slots=True)
class Call:
    """An operation with its parameters."""

    operation: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A resource, what deleting it takes, and what refuses that now."""

    id: str
    calls: tuple[Call, ...]
    """In this order; empty where nothing a user can call deletes it."""
    refusal: AwsError | None
    behind: tuple[Obstacle, ...] = ()
    """What stands in its way."""


def _plain(operation: str, member: str) -> Callable[[Any], Iterator[Call]]:
    def calls(row: Any) -> Iterator[Call]:
        key = getattr(row, "allocation_id", None) or row.id
        yield Call(operation, {member: [key] if member.endswith("s") else key})

    return calls


def _gateway(kind: str) -> Callable[[Any], Iterator[Call]]:
    def calls(row: Any) -> Iterator[Call]:
        if row.vpc_id:
            yield Call(f"Detach{kind}", {f"{kind}Id": row.id, "VpcId": row.vpc_id})
        yield Call(f"Delete{kind}", {f"{kind}Id": row.id})

    return calls


_DELETED_BY: dict[str, Callable[[Any], Iterator[Call]]] = {
    "acl": _plain("DeleteNetworkAcl", "NetworkAclId"),
    "cgw": _plain("DeleteCustomerGateway", "CustomerGatewayId"),
    "eigw": _plain("DeleteEgressOnlyInternetGateway", "EgressOnlyInternetGatewayId"),
    "dopt": _plain("DeleteDhcpOptions", "DhcpOptionsId"),
    "eipalloc": _plain("ReleaseAddress", "AllocationId"),
    "eni": _plain("DeleteNetworkInterface", "NetworkInterfaceId"),
    "fl": _plain("DeleteFlowLogs", "FlowLogIds"),
    "i": _plain("TerminateInstances", "InstanceIds"),
    "igw": _gateway("InternetGateway"),
    "key": _plain("DeleteKeyPair", "KeyPairId"),
    "nat": _plain("DeleteNatGateway", "NatGatewayId"),
    "nia": _plain("DeleteNetworkInsightsAnalysis", "NetworkInsightsAnalysisId"),
    "nip": _plain("DeleteNetworkInsightsPath", "NetworkInsightsPathId"),
    "pl": _plain("DeleteManagedPrefixList", "PrefixListId"),
    "rtb": _plain("DeleteRouteTable", "RouteTableId"),
    "sg": _plain("DeleteSecurityGroup", "GroupId"),
    "subnet": _plain("DeleteSubnet", "SubnetId"),
    "tmf": _plain("DeleteTrafficMirrorFilter", "TrafficMirrorFilterId"),
    "tmfr": _plain("DeleteTrafficMirrorFilterRule", "TrafficMirrorFilterRuleId"),
    "tms": _plain("DeleteTrafficMirrorSession", "TrafficMirrorSessionId"),
    "tmt": _plain("DeleteTrafficMirrorTarget", "TrafficMirrorTargetId"),
    "vgw": _gateway("VpnGateway"),
    "vpc": _plain("DeleteVpc", "VpcId"),
    "vpce": _plain("DeleteVpcEndpoints", "VpcEndpointIds"),
    "vpn": _plain("DeleteVpnConnection", "VpnConnectionId"),
}


def obstacles(db: Connection, settings: Settings, id_: str) -> Obstacle:
    """The resource of this id, and the tree of what stands in the way of deleting it.

    :param db: in a write transaction; nothing is left in it. The operations must be registered (:mod:`catalogue`).
    :raises KeyError: no resource has this id.
    """
    return _look(db, settings, id_, set())


def _look(db: Connection, settings: Settings, id_: str, seen: set[str]) -> Obstacle:
    seen.add(id_)
    account, calls = _calls(db, id_)
    refusal = _try(Context(db, account, settings), calls)
    found = refusal.dependants if refusal else ()
    behind = [_look(db, settings, other, seen) for other in found if other not in seen and _is_known(db, other)]
    return Obstacle(id_, calls, refusal, tuple(behind))


def _try(ctx: Context, calls: tuple[Call, ...]) -> AwsError | None:
    savepoint = ctx.db.begin_nested()
    try:
        for call in calls:
            OPERATIONS[call.operation].function(ctx, call.parameters)
    except AwsError as refusal:
        return refusal
    finally:
        savepoint.rollback()
    return None


def _is_known(db: Connection, id_: str) -> bool:
    try:
        _calls(db, id_)
    except KeyError:
        return False
    return True


def _calls(db: Connection, id_: str) -> tuple[str, tuple[Call, ...]]:
    """The account a resource belongs to, and what deletes it."""
    prefix = id_.rpartition("-")[0]
    if prefix in _LINKS:
        query, call = _LINKS[prefix]
        account = db.execute(query(id_)).scalar()
        if account is None:
            raise KeyError(id_)
        return account, (Call(call[0], {call[1]: id_}),)
    resource = RESOURCES[prefix]
    row = db.execute(select(resource.table).where(resource.id == id_)).one_or_none()
    if row is None:
        raise KeyError(id_)
    return row.account_id, tuple(_DELETED_BY[prefix](row)) if prefix in _DELETED_BY else ()


def _attachment(id_: str) -> Any:
    query = select(network_interfaces.c.account_id).join(
        attachments, attachments.c.network_interface_id == network_interfaces.c.id
    )
    return query.where(attachments.c.id == id_)


def _address_association(id_: str) -> Any:
    public = RESOURCES["eipalloc"].table.c
    return select(public.account_id).where(public.association_id == id_)


def _table_association(id_: str) -> Any:
    table = RESOURCES["rtb"].table.c
    query = select(table.account_id).join(
        route_table_associations, route_table_associations.c.route_table_id == table.id
    )
    return query.where(route_table_associations.c.id == id_)


def _peering(id_: str) -> Any:
    """Of its two owners, the one who may delete it in every state."""
    peering = RESOURCES["pcx"].table.c
    return select(peering.requester_account_id).where(peering.id == id_)


_LINKS: dict[str, tuple[Callable[[str], Any], tuple[str, str]]] = {
    "eni-attach": (_attachment, ("DetachNetworkInterface", "AttachmentId")),
    "eipassoc": (_address_association, ("DisassociateAddress", "AssociationId")),
    "pcx": (_peering, ("DeleteVpcPeeringConnection", "VpcPeeringConnectionId")),
    "rtbassoc": (_table_association, ("DisassociateRouteTable", "AssociationId")),
}
"""What holds two resources together: how its owner is found, and what ends it."""
