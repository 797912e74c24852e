"""An Elastic IP changes places: what it leaves behind, what it pushes away, and who may forbid it."""

from __future__ import annotations

from typing import Any

import pytest
from small_network import FIRST, Network
from sqlalchemy import select, update

from enid.ec2 import addresses
from enid.ec2.context import Context
from enid.store import tables as t


@pytest.fixture
def net(call: Any) -> Network:
    """Interfaces made from now on want a public address."""
    net = Network(call)
    call.put(update(t.subnets).values(map_public_ip_on_launch=True))
    return net


def associate(call: Any, allocation: str, **target: Any) -> str:
    return str(call("AssociateAddress", AllocationId=allocation, **target)["AssociationId"])


def auto(call: Any, net: Network, interface: str) -> str:
    """Give the interface an auto-assigned address, as a launch does."""
    with call.database.write() as db:
        return addresses.assign_public(Context(db, FIRST, call.settings), interface, net.ips(interface)[0])


def pool(call: Any) -> set[str]:
    """The public addresses that are in use."""
    with call.database.read() as db:
        return set(db.execute(select(t.public_addresses.c.ip)).scalars())


def test_an_instance_and_one_of_its_addresses_name_the_place(call: Any, net: Network) -> None:
    instance, interface = net.machine(SecondaryPrivateIpAddressCount=1)
    primary, secondary = net.ips(interface)
    elastic = call("AllocateAddress")
    call("AssociateAddress", PublicIp=elastic["PublicIp"], InstanceId=instance, PrivateIpAddress=secondary)
    assert net.address(elastic["AllocationId"])["PrivateIpAddress"] == secondary
    call("AssociateAddress", PublicIp=elastic["PublicIp"], InstanceId=instance)
    assert net.address(elastic["AllocationId"])["PrivateIpAddress"] == primary
    error = call.refused(
        "AssociateAddress", PublicIp=elastic["PublicIp"], InstanceId=instance, PrivateIpAddress="10.0.1.200"
    )
    assert (error.code, error.message) == (
        "InvalidParameterValue",
        f"Private IP address 10.0.1.200 is not assigned to interface {interface}",
    )


def test_a_stopped_instance_takes_one_too(call: Any, net: Network) -> None:
    instance, interface = net.machine()
    call.put(update(t.instances).where(t.instances.c.id == instance).values(state="stopped"))
    elastic = net.elastic_ip()
    associate(call, elastic, InstanceId=instance)
    assert net.address(elastic)["NetworkInterfaceId"] == interface


@pytest.mark.parametrize("allowed", [{}, {"AllowReassociation": True}])
def test_the_instance_it_leaves_gets_an_auto_assigned_address_and_the_one_it_joins_loses_its_own(
    call: Any, net: Network, allowed: dict[str, bool]
) -> None:
    (old, left), (new, joined) = net.machine(), net.machine()
    elastic = net.elastic_ip()
    associate(call, elastic, InstanceId=old)
    auto(call, net, joined)
    associate(call, elastic, InstanceId=new, **allowed)
    assert set(call.changed) == {("network_interface", left), ("network_interface", joined)}
    assert net.shown(joined)["Association"]["AllocationId"] == elastic
    assert net.shown(left)["Association"]["IpOwnerId"] == "amazon"
    assert pool(call) == {net.address(elastic)["PublicIp"], net.shown(left)["Association"]["PublicIp"]}


def test_the_instance_it_leaves_gets_none_if_its_interface_wants_none(call: Any, net: Network) -> None:
    call.put(update(t.subnets).values(map_public_ip_on_launch=False))
    instance, interface = net.machine()
    association = associate(call, net.elastic_ip(), InstanceId=instance)
    call("DisassociateAddress", AssociationId=association)
    assert "Association" not in net.shown(interface)


def test_one_on_a_secondary_address_leaves_the_auto_assigned_one_of_the_primary(call: Any, net: Network) -> None:
    _, interface = net.machine(SecondaryPrivateIpAddressCount=1)
    ip = auto(call, net, interface)
    associate(call, net.elastic_ip(), NetworkInterfaceId=interface, PrivateIpAddress=net.ips(interface)[1])
    assert net.shown(interface)["Association"]["PublicIp"] == ip


def test_a_refused_move_leaves_everything_where_it_was(call: Any, net: Network) -> None:
    (old, left), (_, joined) = net.machine(), net.machine()
    elastic, kept = net.elastic_ip(), auto(call, net, joined)
    associate(call, elastic, InstanceId=old)
    call.refused("AssociateAddress", AllocationId=elastic, NetworkInterfaceId=joined, AllowReassociation=False)
    assert net.address(elastic)["NetworkInterfaceId"] == left
    assert net.shown(joined)["Association"]["PublicIp"] == kept


def test_an_elastic_ip_never_used_associates_where_reassociation_is_forbidden(call: Any, net: Network) -> None:
    elastic, interface = net.elastic_ip(), net.interface()
    associate(call, elastic, NetworkInterfaceId=interface, AllowReassociation=False)
    assert net.address(elastic)["NetworkInterfaceId"] == interface


def test_one_that_a_service_uses_cannot_be_taken_away(call: Any, net: Network) -> None:
    """A NAT gateway's: its interface is managed by its requester."""
    service, elastic = net.interface(), net.elastic_ip()
    association = associate(call, elastic, NetworkInterfaceId=service)
    mine = t.network_interfaces.c.id == service
    call.put(update(t.network_interfaces).where(mine).values(requester_managed=True))
    for action, params in {
        "AssociateAddress": {"AllocationId": elastic, "NetworkInterfaceId": net.interface()},
        "DisassociateAddress": {"AssociationId": association},
    }.items():
        assert call.refused(action, **params).code == "AuthFailure", action


def test_deleting_the_interface_leaves_the_elastic_ip_allocated(call: Any, net: Network) -> None:
    interface, elastic = net.interface(), net.elastic_ip()
    association = associate(call, elastic, NetworkInterfaceId=interface)
    call("DeleteNetworkInterface", NetworkInterfaceId=interface)
    assert "NetworkInterfaceId" not in net.address(elastic)
    error = call.refused("DisassociateAddress", AssociationId=association)
    assert error.code == "InvalidAssociationID.NotFound"
    call("ReleaseAddress", AllocationId=elastic)


def test_another_account_can_neither_use_nor_end_an_association(call: Any, second_account: Any, net: Network) -> None:
    interface, elastic = net.interface(), net.elastic_ip()
    association = associate(call, elastic, NetworkInterfaceId=interface)
    theirs = second_account("AllocateAddress")["AllocationId"]
    for params, code in (
        ({"AllocationId": elastic, "NetworkInterfaceId": interface}, "InvalidAllocationID.NotFound"),
        ({"AllocationId": theirs, "NetworkInterfaceId": interface}, "InvalidNetworkInterfaceID.NotFound"),
    ):
        assert second_account.refused("AssociateAddress", **params).code == code
    error = second_account.refused("DisassociateAddress", AssociationId=association)
    assert error.code == "InvalidAssociationID.NotFound"


def test_filters_of_addresses_know_wildcards_alternatives_and_all_must_hold(call: Any, net: Network) -> None:
    interface, used, spare = net.interface(), net.elastic_ip(), net.elastic_ip()
    associate(call, used, NetworkInterfaceId=interface)
    call("CreateTags", Resources=[used, spare], Tags=[{"Key": "Stage", "Value": "test"}])

    def found(*filters: tuple[str, list[str]]) -> set[str]:
        given = [{"Name": name, "Values": values} for name, values in filters]
        return {item["AllocationId"] for item in call("DescribeAddresses", Filters=given)["Addresses"]}

    assert found(("allocation-id", [used, spare])) == {used, spare}
    assert found(("public-ip", ["198.1?.*"])) == {used, spare}
    assert found(("tag:Stage", ["t*"]), ("association-id", ["eipassoc-*"])) == {used}
    assert found(("tag:Stage", ["t*"]), ("instance-id", ["i-*"])) == set()
