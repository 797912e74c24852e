"""Public addresses: allocated, associated with private ones, moved, released; and those AWS assigns by itself."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from small_network import FIRST, Network
from sqlalchemy import insert, select, update

from enid.ec2 import addresses
from enid.ec2.context import Context
from enid.store import tables as t


@pytest.fixture
def net(call: Any) -> Network:
    return Network(call)


def associate(call: Any, allocation: str, **target: Any) -> str:
    return str(call("AssociateAddress", AllocationId=allocation, **target)["AssociationId"])


def want_public(call: Any) -> None:
    """Interfaces made from now on want a public address."""
    call.put(update(t.subnets).values(map_public_ip_on_launch=True))


def assign_auto(call: Any, net: Network, interface: str) -> str:
    """As RunInstances does."""
    with call.database.write() as db:
        ctx = Context(db, FIRST, call.settings)
        ip = addresses.assign_public(ctx, interface, net.ips(interface)[0])
        assert ctx.changed == [("network_interface", interface)]
    return ip


# --- allocate, describe, release --------------------------------------------------------------------------------------


def test_an_allocated_address_is_shown_until_it_is_released(call: Any, net: Network) -> None:
    answer = call(
        "AllocateAddress",
        Domain="vpc",
        TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": [{"Key": "Name", "Value": "web"}]}],
    )
    assert answer["AllocationId"].startswith("eipalloc-")
    assert (answer["Domain"], answer["PublicIpv4Pool"], answer["NetworkBorderGroup"]) == ("vpc", "amazon", "us-east-1")
    assert IPv4Address(answer["PublicIp"]) in IPv4Network(call.settings.public_pool)
    assert net.address(answer["AllocationId"]) == {**answer, "Tags": [{"Key": "Name", "Value": "web"}]}
    call("ReleaseAddress", AllocationId=answer["AllocationId"])
    error = call.refused("DescribeAddresses", AllocationIds=[answer["AllocationId"]])
    assert (error.code, error.message) == (
        "InvalidAllocationID.NotFound",
        f"The allocation ID '{answer['AllocationId']}' does not exist",
    )
    with call.database.read() as db:
        assert db.execute(select(t.tags)).all() == []


def test_a_free_address_can_be_asked_for_by_name(call: Any, second_account: Any) -> None:
    answer = call("AllocateAddress", Address="198.18.3.4")
    assert answer["PublicIp"] == "198.18.3.4"
    taken = second_account.refused("AllocateAddress", Address="198.18.3.4")
    assert (taken.code, taken.message) == ("InvalidAddress.NotFound", "Address '198.18.3.4' not found.")
    call("ReleaseAddress", PublicIp="198.18.3.4")
    assert second_account("AllocateAddress", Address="198.18.3.4")["PublicIp"] == "198.18.3.4"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Domain": "standard"}, "UnsupportedOperation"),
        ({"PublicIpv4Pool": "ipv4pool-ec2-1"}, "UnsupportedOperation"),
        ({"CustomerOwnedIpv4Pool": "coip-pool-1"}, "UnsupportedOperation"),
        ({"IpamPoolId": "ipam-pool-1"}, "UnsupportedOperation"),
        ({"NetworkBorderGroup": "us-west-2"}, "InvalidParameterValue"),
        ({"Address": "nonsense"}, "InvalidAddress.Malformed"),
        ({"Address": "8.8.8.8"}, "InvalidAddress.NotFound"),
        ({"Address": "198.19.255.1"}, "InvalidAddress.NotFound"),
    ],
)
def test_what_cannot_be_allocated(call: Any, params: dict[str, str], code: str) -> None:
    assert call.refused("AllocateAddress", **params).code == code


def test_the_quota_is_five(call: Any, second_account: Any) -> None:
    for _ in range(5):
        call("AllocateAddress")
    error = call.refused("AllocateAddress")
    assert (error.code, error.message) == ("AddressLimitExceeded", "The maximum number of addresses has been reached.")
    second_account("AllocateAddress")


def test_an_empty_pool_is_a_fault_of_the_server(call: Any) -> None:
    call.settings = call.settings.model_copy(update={"public_pool": "198.18.0.0/30"})
    assert {call("AllocateAddress")["PublicIp"] for _ in range(2)} == {"198.18.0.1", "198.18.0.2"}
    error = call.refused("AllocateAddress")
    assert (error.code, error.status) == ("InsufficientAddressCapacity", 500)


def test_a_site_on_the_internet_keeps_its_address(call: Any) -> None:
    call.put(insert(t.sites).values(name="office", public_ip="198.18.0.1"))
    call.settings = call.settings.model_copy(update={"public_pool": "198.18.0.0/30"})
    assert call("AllocateAddress")["PublicIp"] == "198.18.0.2"


def test_another_accounts_addresses_do_not_belong_to_the_caller(call: Any, second_account: Any) -> None:
    answer = call("AllocateAddress")
    assert second_account("DescribeAddresses")["Addresses"] == []
    error = second_account.refused("ReleaseAddress", AllocationId=answer["AllocationId"])
    assert error.code == "InvalidAllocationID.NotFound"
    error = second_account.refused("ReleaseAddress", PublicIp=answer["PublicIp"])
    assert (error.code, error.message) == (
        "AuthFailure",
        f"The address '{answer['PublicIp']}' does not belong to you.",
    )
    error = second_account.refused("DescribeAddresses", PublicIps=[answer["PublicIp"]])
    assert (error.code, error.message) == ("InvalidAddress.NotFound", f"Address '{answer['PublicIp']}' not found.")


@pytest.mark.parametrize("action", ["ReleaseAddress", "AssociateAddress"])
def test_an_address_is_named_in_one_way(call: Any, action: str) -> None:
    answer = call("AllocateAddress")
    assert call.refused(action).code == "MissingParameter"
    both = {"AllocationId": answer["AllocationId"], "PublicIp": answer["PublicIp"]}
    assert call.refused(action, **both).code == "InvalidParameterCombination"


def test_the_border_group_of_a_release_must_be_the_addresses_own(call: Any, net: Network) -> None:
    elastic = net.elastic_ip()
    error = call.refused("ReleaseAddress", AllocationId=elastic, NetworkBorderGroup="us-west-2")
    assert error.code == "InvalidAddress.NotFound"
    call("ReleaseAddress", AllocationId=elastic, NetworkBorderGroup="us-east-1")


# --- associate --------------------------------------------------------------------------------------------------------


def test_an_association_is_shown_at_both_ends(call: Any, net: Network) -> None:
    instance, interface = net.machine()
    elastic = net.elastic_ip()
    association = associate(call, elastic, InstanceId=instance)
    assert association.startswith("eipassoc-")
    assert call.changed == [("network_interface", interface)]
    shown = net.address(elastic)
    public_ip = shown["PublicIp"]
    assert shown == {
        "AllocationId": elastic,
        "AssociationId": association,
        "Domain": "vpc",
        "InstanceId": instance,
        "NetworkBorderGroup": "us-east-1",
        "NetworkInterfaceId": interface,
        "NetworkInterfaceOwnerId": FIRST,
        "PrivateIpAddress": "10.0.1.4",
        "PublicIp": public_ip,
        "PublicIpv4Pool": "amazon",
        "SubnetId": net.subnet,
        "Tags": [],
    }
    seen = net.shown(interface)
    assert seen["Association"] == seen["PrivateIpAddresses"][0]["Association"]
    assert seen["Association"] == {
        "AllocationId": elastic,
        "AssociationId": association,
        "IpOwnerId": FIRST,
        "PublicDnsName": f"ec2-{public_ip.replace('.', '-')}.compute-1.amazonaws.com",
        "PublicIp": public_ip,
    }


def test_an_unattached_interface_may_have_one_for_each_private_address(call: Any, net: Network) -> None:
    interface = net.interface(SecondaryPrivateIpAddressCount=2)
    first, second = net.elastic_ip(), net.elastic_ip()
    associate(call, second, NetworkInterfaceId=interface, PrivateIpAddress="10.0.1.6")
    shown = net.shown(interface)
    assert "Association" not in shown, "the interface's own association is that of its primary address"
    associate(call, first, NetworkInterfaceId=interface)
    by_ip = {item["PrivateIpAddress"]: item.get("Association") for item in net.shown(interface)["PrivateIpAddresses"]}
    assert by_ip["10.0.1.4"]["AllocationId"] == first
    assert by_ip["10.0.1.5"] is None
    assert by_ip["10.0.1.6"]["AllocationId"] == second


def test_the_old_form_by_public_ip_works_too(call: Any, net: Network) -> None:
    interface, ip = net.interface(), call("AllocateAddress")["PublicIp"]
    call("AssociateAddress", PublicIp=ip, NetworkInterfaceId=interface)
    assert net.shown(interface)["Association"]["PublicIp"] == ip
    call("DisassociateAddress", PublicIp=ip)
    assert call.changed == [("network_interface", interface)]
    call("DisassociateAddress", PublicIp=ip)
    assert call.changed == []
    call("ReleaseAddress", PublicIp=ip)


def test_an_address_moves_unless_the_caller_forbids_it(call: Any, net: Network) -> None:
    old, new, elastic = net.interface(), net.interface(), net.elastic_ip()
    first = associate(call, elastic, NetworkInterfaceId=old)
    error = call.refused("AssociateAddress", AllocationId=elastic, NetworkInterfaceId=new, AllowReassociation=False)
    assert (error.code, error.message) == (
        "Resource.AlreadyAssociated",
        f"resource {elastic} is already associated with associate-id {first}",
    )
    second = associate(call, elastic, NetworkInterfaceId=new)
    assert second != first
    assert set(call.changed) == {("network_interface", old), ("network_interface", new)}
    assert "Association" not in net.shown(old)
    assert net.shown(new)["Association"]["AssociationId"] == second


def test_the_same_association_once_more_changes_nothing(call: Any, net: Network) -> None:
    interface, elastic = net.interface(), net.elastic_ip()
    first = associate(call, elastic, NetworkInterfaceId=interface)
    assert associate(call, elastic, NetworkInterfaceId=interface, AllowReassociation=False) == first
    assert call.changed == []


def test_another_elastic_ip_takes_the_place_of_the_former_which_stays_allocated(call: Any, net: Network) -> None:
    interface, first, second = net.interface(), net.elastic_ip(), net.elastic_ip()
    associate(call, first, NetworkInterfaceId=interface)
    associate(call, second, NetworkInterfaceId=interface)
    assert "AssociationId" not in net.address(first)
    assert net.shown(interface)["Association"]["AllocationId"] == second


def test_an_elastic_ip_follows_the_interface_to_another_instance(call: Any, net: Network) -> None:
    (old, _), (new, _) = net.machine(), net.machine()
    interface, elastic = net.interface(), net.elastic_ip()
    attachment = net.attach(interface, old)
    associate(call, elastic, NetworkInterfaceId=interface)
    call("DetachNetworkInterface", AttachmentId=attachment)
    net.agent_detached()
    assert "InstanceId" not in net.address(elastic)
    net.attach(interface, new)
    assert net.address(elastic)["InstanceId"] == new


def test_an_address_in_use_is_not_released(call: Any, net: Network) -> None:
    elastic = net.elastic_ip()
    association = associate(call, elastic, NetworkInterfaceId=net.interface())
    error = call.refused("ReleaseAddress", AllocationId=elastic)
    ip = net.address(elastic)["PublicIp"]
    assert (error.code, error.message) == ("InvalidIPAddress.InUse", f"Address {ip} is in use.")
    call("DisassociateAddress", AssociationId=association)
    call("ReleaseAddress", AllocationId=elastic)


def test_the_vpc_needs_an_internet_gateway(call: Any, net: Network) -> None:
    interface, elastic = net.interface(), net.elastic_ip()
    net.detach_gateway()
    error = call.refused("AssociateAddress", AllocationId=elastic, NetworkInterfaceId=interface)
    assert (error.code, error.message) == (
        "Gateway.NotAttached",
        f"Network {net.vpc} is not attached to any internet gateway",
    )


def test_where_an_address_cannot_be_associated(call: Any, net: Network) -> None:
    elastic, interface = net.elastic_ip(), net.interface()
    other = net.ips(net.interface())[0]
    two, _ = net.machine()
    net.attach(net.interface(), two)
    pending, starting = net.instance(state="pending"), net.interface()
    net.attach(starting, pending, 0)
    terminated = net.instance(state="terminated")
    refusals = {
        "MissingParameter": [{}],
        "InvalidParameterCombination": [{"InstanceId": two, "NetworkInterfaceId": interface}],
        "InvalidParameterValue": [{"NetworkInterfaceId": interface, "PrivateIpAddress": other}],
        "IncorrectInstanceState": [{"NetworkInterfaceId": starting}],
        "InvalidInstanceID": [{"InstanceId": two}, {"InstanceId": pending}, {"InstanceId": terminated}],
        "InvalidInstanceID.NotFound": [{"InstanceId": "i-0000000000000aaa0"}],
        "InvalidInstanceID.Malformed": [{"InstanceId": "web"}],
    }
    texts = {}
    for code, targets in refusals.items():
        for target in targets:
            error = call.refused("AssociateAddress", AllocationId=elastic, **target)
            assert error.code == code, target
            texts[target.get("InstanceId") or target.get("NetworkInterfaceId")] = error.message
    assert texts[two] == (
        f"There are multiple interfaces attached to instance '{two}'. "
        "Please specify an interface ID for the operation instead."
    )
    assert texts[pending] == f"The pending instance '{pending}' is not in a valid state for this operation."
    assert texts[terminated] == f"The terminated instance '{terminated}' is not in a valid state for this operation."
    assert texts[starting] == (
        f"The pending-instance-creation instance to which '{starting}' is attached is not in a valid state for this "
        "operation"
    )


# --- disassociate, and what AWS assigns by itself ---------------------------------------------------------------------


def test_disassociating(call: Any, net: Network) -> None:
    interface, elastic = net.interface(), net.elastic_ip()
    association = associate(call, elastic, NetworkInterfaceId=interface)
    call("DisassociateAddress", AssociationId=association)
    assert call.changed == [("network_interface", interface)]
    assert "Association" not in net.shown(interface)
    assert "PrivateIpAddress" not in net.address(elastic)
    error = call.refused("DisassociateAddress", AssociationId=association)
    assert (error.code, error.message) == (
        "InvalidAssociationID.NotFound",
        f"The association ID '{association}' does not exist",
    )
    assert call.refused("DisassociateAddress").code == "MissingParameter"
    assert call.refused("DisassociateAddress", AssociationId="x").code == "InvalidAssociationId.Malformed"
    both = {"AssociationId": association, "PublicIp": "198.18.0.1"}
    assert call.refused("DisassociateAddress", **both).code == "InvalidParameterCombination"


def test_an_elastic_ip_releases_the_auto_assigned_address_and_gives_way_to_a_new_one(call: Any, net: Network) -> None:
    want_public(call)
    instance, interface = net.machine()
    assign_auto(call, net, interface)
    elastic = net.elastic_ip()
    association = associate(call, elastic, InstanceId=instance)
    with call.database.read() as db:
        assert [row.allocation_id for row in db.execute(select(t.public_addresses))] == [elastic]
    call("DisassociateAddress", AssociationId=association)
    auto = net.shown(interface)["Association"]
    assert auto["IpOwnerId"] == "amazon"
    assert auto["PublicIp"] != net.address(elastic)["PublicIp"]
    assert "AllocationId" not in auto
    assert "AssociationId" not in auto


def test_no_new_auto_assigned_address_for_several_interfaces_or_another_elastic_ip(call: Any, net: Network) -> None:
    want_public(call)
    several, first = net.machine()
    net.attach(net.interface(), several)
    association = associate(call, net.elastic_ip(), NetworkInterfaceId=first)
    call("DisassociateAddress", AssociationId=association)
    assert "Association" not in net.shown(first)

    _, second = net.machine(SecondaryPrivateIpAddressCount=1)
    elastic = net.elastic_ip()
    associate(call, elastic, NetworkInterfaceId=second)
    associate(call, elastic, NetworkInterfaceId=second, PrivateIpAddress=net.ips(second)[1])
    assert "Association" not in net.shown(second)

    stopped, third = net.machine()
    association = associate(call, net.elastic_ip(), NetworkInterfaceId=third)
    call.put(update(t.instances).where(t.instances.c.id == stopped).values(state="stopped"))
    call("DisassociateAddress", AssociationId=association)
    assert "Association" not in net.shown(third)


def test_auto_assigned_addresses_are_nobodys_to_manage(call: Any, net: Network) -> None:
    _, interface = net.machine()
    ip = assign_auto(call, net, interface)
    assert net.shown(interface)["Association"]["PublicIp"] == ip
    assert call("DescribeAddresses")["Addresses"] == []
    assert call.refused("DescribeAddresses", PublicIps=[ip]).code == "InvalidAddress.NotFound"
    assert call.refused("ReleaseAddress", PublicIp=ip).code == "AuthFailure"
    with call.database.write() as db:
        ctx = Context(db, FIRST, call.settings)
        addresses.release_auto(ctx, [interface])
        assert ctx.changed == [("network_interface", interface)]
    assert "Association" not in net.shown(interface)


# --- filters ----------------------------------------------------------------------------------------------------------


def test_filters_select_addresses(call: Any, net: Network) -> None:
    instance, interface = net.machine()
    used, unused = net.elastic_ip(), net.elastic_ip()
    association = associate(call, used, InstanceId=instance)
    call("CreateTags", Resources=[unused], Tags=[{"Key": "Name", "Value": "spare"}])
    ip = net.address(used)["PublicIp"]

    def found(name: str, *values: str) -> set[str]:
        answer = call("DescribeAddresses", Filters=[{"Name": name, "Values": list(values)}])
        return {item["AllocationId"] for item in answer["Addresses"]}

    for name, value in {
        "allocation-id": used,
        "association-id": association,
        "instance-id": instance,
        "network-interface-id": interface,
        "network-interface-owner-id": FIRST,
        "private-ip-address": "10.0.1.?",
        "public-ip": ip,
    }.items():
        assert found(name, value) == {used}, name
        assert found(name, "nothing-like-it") == set(), name
    assert found("domain", "vpc") == found("network-border-group", "us-east-*") == {used, unused}
    assert found("tag:Name", "spare") == found("tag-key", "Name") == {unused}
    assert call.refused("DescribeAddresses", Filters=[{"Name": "colour", "Values": ["blue"]}]).code == (
        "InvalidParameterValue"
    )


def test_the_number_of_statements_does_not_grow_with_the_number_of_addresses(call: Any, net: Network) -> None:
    counts = set()
    for _ in range(4):
        associate(call, net.elastic_ip(), NetworkInterfaceId=net.interface())
        call("DescribeAddresses")
        counts.add(call.statements)
    assert counts == {3}
