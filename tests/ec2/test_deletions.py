"""What stands in the way of a deletion: the tree of it, found without leaving a trace."""

from __future__ import annotations

from typing import Any

import pytest
from machines import Machines
from peers import accept, ask, vpc_of
from sqlalchemy import func, select

from accounts import Account
from enid.ec2.deletions import Obstacle, obstacles
from enid.settings import Settings
from enid.store.database import Database
from enid.store.tables import metadata


def flat(found: Obstacle) -> Any:
    """id → what is behind it."""
    return {other.id: flat(other) for other in found.behind}


@pytest.fixture
def look(database: Database, settings: Settings) -> Any:
    def ask(id_: str) -> Obstacle:
        with database.write() as db:
            return obstacles(db, settings, id_)

    return ask


def rows(database: Database) -> dict[str, int]:
    with database.read() as db:
        return {
            name: db.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
        }


def test_the_whole_tree_of_a_vpc_down_to_what_can_go_now(call: Account, look: Any, database: Database) -> None:
    machines = Machines(call)
    vpc, subnet = machines.network.vpc, machines.network.subnet
    instance = machines.running()
    (primary,) = machines.shown(instance)["NetworkInterfaces"]
    spare = call("CreateNetworkInterface", SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    before = rows(database)
    found = look(vpc)
    assert found.refusal.code == "DependencyViolation"
    assert found.refusal.message.startswith(f"The vpc '{vpc}' has dependencies and cannot be deleted.")
    attachment = primary["Attachment"]["AttachmentId"]
    behind = flat(found)
    assert behind[primary["NetworkInterfaceId"]] == {attachment: {instance: {}}}
    assert behind[spare] == {}
    assert behind[machines.network.gateway] == {}
    leaves = {other.id: other for other in found.behind}
    (call_,) = leaves[spare].calls
    assert (call_.operation, call_.parameters) == ("DeleteNetworkInterface", {"NetworkInterfaceId": spare})
    assert [step.operation for step in leaves[machines.network.gateway].calls] == [
        "DetachInternetGateway",
        "DeleteInternetGateway",
    ]
    assert rows(database) == before, "it was only tried"


def test_what_nothing_holds_has_no_refusal(call: Account, look: Any) -> None:
    machines = Machines(call)
    found = look(machines.network.db)
    assert (found.refusal, found.behind) == (None, ())


def test_an_elastic_ip_is_held_by_its_association(call: Account, look: Any) -> None:
    machines = Machines(call)
    eni = call("CreateNetworkInterface", SubnetId=machines.network.subnet)["NetworkInterface"]["NetworkInterfaceId"]
    allocation = call("AllocateAddress")["AllocationId"]
    association = call("AssociateAddress", AllocationId=allocation, NetworkInterfaceId=eni)["AssociationId"]
    assert flat(look(allocation)) == {association: {}}


def test_a_nat_gateways_interface_goes_with_the_gateway(call: Account, look: Any) -> None:
    subnet = Machines(call).network.subnet_b
    made = call("CreateNatGateway", SubnetId=subnet, ConnectivityType="private")["NatGateway"]
    gateway, interface = made["NatGatewayId"], made["NatGatewayAddresses"][0]["NetworkInterfaceId"]
    assert flat(look(subnet)) == {interface: {gateway: {}}}
    assert [step.operation for step in look(gateway).calls] == ["DeleteNatGateway"]


def test_a_vpc_is_held_by_its_peering_connection(call: Account, second_account: Account, look: Any) -> None:
    mine, theirs = vpc_of(call), vpc_of(second_account, "10.1.0.0/16")
    connection = ask(call, mine, theirs, second_account)
    assert flat(look(mine)) == {}
    assert flat(look(theirs)) == {connection: {}}
    accept(second_account, connection)
    for vpc in (mine, theirs):
        (behind,) = look(vpc).behind
        assert [step.operation for step in behind.calls] == ["DeleteVpcPeeringConnection"]
        assert behind.refusal is None


def test_an_id_nobody_has(look: Any) -> None:
    for id_ in ("vpc-00000000000000000", "nonsense", "eni-attach-00000000000000000"):
        with pytest.raises(KeyError):
            look(id_)


def test_what_holds_an_internet_gateways_public_addresses(call: Account, look: Any) -> None:
    machines = Machines(call)
    net = machines.network
    association = call("AssociateAddress", AllocationId=net.elastic_ip(), NetworkInterfaceId=net.interface())
    asked = [{"DeviceIndex": 0, "SubnetId": net.subnet, "AssociatePublicIpAddress": True}]
    instance = machines.running(NetworkInterfaces=asked)
    nat = call("CreateNatGateway", SubnetId=net.subnet, AllocationId=net.elastic_ip())["NatGateway"]
    found = look(net.gateway)
    (elastic,) = (other for other in found.behind if other.id == association["AssociationId"])
    assert [step.operation for step in elastic.calls] == ["DisassociateAddress"]
    (automatic,) = machines.shown(instance)["NetworkInterfaces"]
    attachment = {automatic["Attachment"]["AttachmentId"]: {instance: {}}}
    of_nat = nat["NatGatewayAddresses"][0]["NetworkInterfaceId"]
    assert flat(found) == {
        association["AssociationId"]: {},
        automatic["NetworkInterfaceId"]: attachment,
        of_nat: {nat["NatGatewayId"]: {}},
    }
