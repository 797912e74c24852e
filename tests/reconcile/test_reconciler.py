"""From the journal to the fabric and back, without a kernel."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from doubles import FakeGuests

from enid.fabric.memory import MemoryFabric
from enid.reconcile import reconciler
from enid.reconcile.reconciler import EVENTS_PER_STEP, Reconciler
from enid.settings import Settings
from enid.store.database import Database
from enid.topology.records import Appliance, Kind, NetworkAcl, Port, RouteTable, Rule, TargetKind, Vpc


class Host:
    """An agent's reconciler, its sandboxes and its fabric, over the test's store."""

    def __init__(self, database: Database, **options: Any) -> None:
        self.database = database
        self.options = options
        self.guests = FakeGuests()
        self.fabric = MemoryFabric()
        self.writes = 0
        self.restart()

    def restart(self) -> None:
        """A new agent process on the same host."""
        self.reconciler = Reconciler(self.database, self.fabric, self.guests, "host-1", self._written, **self.options)
        self.reconciler.start()

    def _written(self) -> None:
        self.writes += 1

    def settle(self) -> None:
        """Until there is nothing left to do."""
        for _ in range(20):
            self.guests.boot_all()
            if not self.reconciler.look() and not self.guests.asked:
                return
        raise AssertionError("the reconciler does not come to rest")

    def port(self, eni: str) -> Port | None:
        record = self.fabric.world.get((Kind.PORT, eni))
        assert record is None or isinstance(record, Port)
        return record


@pytest.fixture
def host(database: Database, settings: Settings) -> Iterator[Host]:
    return Host(database)


@pytest.fixture
def subnet(call: Any) -> str:
    vpc = call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    return str(call("CreateSubnet", VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"])


def launch(call: Any, subnet: str) -> tuple[str, str]:
    """An instance and its primary interface."""
    answer = call("RunInstances", ImageId=image(call), MinCount=1, MaxCount=1, SubnetId=subnet, InstanceType="t3.large")
    instance = answer["Instances"][0]
    return instance["InstanceId"], instance["NetworkInterfaces"][0]["NetworkInterfaceId"]


def image(call: Any) -> str:
    return str(call("DescribeImages")["Images"][0]["ImageId"])


def state(call: Any, instance: str) -> str:
    answer = call("DescribeInstances", InstanceIds=[instance])
    return str(answer["Reservations"][0]["Instances"][0]["State"]["Name"])


def interface(call: Any, eni: str) -> dict[str, Any]:
    return dict(call("DescribeNetworkInterfaces", NetworkInterfaceIds=[eni])["NetworkInterfaces"][0])


def test_an_instance_runs_once_its_port_is_plugged(call: Any, host: Host, subnet: str) -> None:
    instance, eni = launch(call, subnet)
    host.reconciler.look()
    assert state(call, instance) == "pending"
    assert interface(call, eni)["Attachment"]["Status"] == "attaching"
    host.settle()
    assert state(call, instance) == "running"
    assert interface(call, eni)["Attachment"]["Status"] == "attached"
    port = host.port(eni)
    assert port is not None
    assert port.instance_id == instance
    assert host.guests.configured[instance] == [port]
    assert instance in host.guests.released


def test_boots_of_a_big_launch_are_finished_together_and_a_late_one_is_not_waited_for(
    call: Any, host: Host, subnet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def running() -> int:
        (reservation,) = call("DescribeInstances")["Reservations"]
        return sum(instance["State"]["Name"] == "running" for instance in reservation["Instances"])

    monkeypatch.setattr(reconciler, "GATHERING", 3600.0)
    many = 4 * EVENTS_PER_STEP
    call("RunInstances", ImageId=image(call), MinCount=many, MaxCount=many, SubnetId=subnet, InstanceType="t3.large")
    host.reconciler.look()
    host.guests.boot(EVENTS_PER_STEP - 1)
    assert not host.reconciler.look()
    assert running() == 0
    host.guests.boot(1)
    assert host.reconciler.look()
    assert running() == EVENTS_PER_STEP
    host.guests.boot(1)
    assert not host.reconciler.look()
    monkeypatch.setattr(reconciler, "GATHERING", 0.0)
    assert host.reconciler.look()
    assert running() == EVENTS_PER_STEP + 1
    host.settle()
    assert running() == many


def test_a_hot_attached_interface_moves_from_one_instance_to_another(call: Any, host: Host, subnet: str) -> None:
    (one, _), (two, _) = launch(call, subnet), launch(call, subnet)
    host.settle()
    eni = call("CreateNetworkInterface", SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    attachment = call("AttachNetworkInterface", NetworkInterfaceId=eni, InstanceId=one, DeviceIndex=1)["AttachmentId"]
    host.settle()
    before = host.port(eni)
    assert before is not None
    assert before.instance_id == one
    call("DetachNetworkInterface", AttachmentId=attachment)
    host.settle()
    assert host.port(eni) is None
    assert interface(call, eni)["Status"] == "available"
    call("AttachNetworkInterface", NetworkInterfaceId=eni, InstanceId=two, DeviceIndex=1)
    host.settle()
    after = host.port(eni)
    assert after is not None
    assert after.instance_id == two
    assert (after.mac, after.addresses, after.groups) == (before.mac, before.addresses, before.groups)


def test_a_crashed_instance_keeps_its_interfaces_and_stays_down(call: Any, host: Host, subnet: str) -> None:
    instance, eni = launch(call, subnet)
    host.settle()
    host.guests.die(instance)
    host.settle()
    assert state(call, instance) == "running"
    assert interface(call, eni)["Status"] == "in-use"
    status = call("DescribeInstanceStatus", InstanceIds=[instance])["InstanceStatuses"][0]
    assert status["InstanceStatus"]["Status"] == "impaired"
    assert host.guests.live == {}
    host.restart()
    host.settle()
    assert host.guests.live == {}, "broken hardware does not mend itself"


def test_a_crashed_instance_comes_back_by_stop_and_start(call: Any, host: Host, subnet: str) -> None:
    instance, eni = launch(call, subnet)
    host.settle()
    host.guests.die(instance)
    host.settle()
    call("StopInstances", InstanceIds=[instance])
    host.settle()
    assert state(call, instance) == "stopped"
    call("StartInstances", InstanceIds=[instance])
    host.settle()
    assert state(call, instance) == "running"
    assert host.port(eni) is not None


@pytest.mark.parametrize("end", ["StopInstances", "TerminateInstances"])
def test_a_guest_is_asked_to_end_and_only_force_ends_it_at_once(call: Any, host: Host, subnet: str, end: str) -> None:
    instance, eni = launch(call, subnet)
    host.settle()
    host.guests.obstinate.add(instance)
    call(end, InstanceIds=[instance])
    host.settle()
    under_way = state(call, instance)
    assert under_way in ("stopping", "shutting-down")
    assert host.guests.asked_to_end == [instance], "once"
    assert host.port(eni) is None, "it has no network any more"
    host.restart()
    assert host.guests.asked_to_end == [instance] * 2, "the next agent asks again"
    assert state(call, instance) == under_way
    call(end, InstanceIds=[instance], Force=True)
    host.settle()
    assert state(call, instance) == {"stopping": "stopped", "shutting-down": "terminated"}[under_way]
    assert host.guests.live == {}


def test_a_guest_that_ends_as_asked_is_not_impaired(call: Any, host: Host, subnet: str) -> None:
    instance, _ = launch(call, subnet)
    host.settle()
    call("StopInstances", InstanceIds=[instance])
    host.settle()
    assert state(call, instance) == "stopped"
    call("StartInstances", InstanceIds=[instance])
    host.settle()
    status = call("DescribeInstanceStatus", InstanceIds=[instance])["InstanceStatuses"][0]
    assert status["InstanceStatus"]["Status"] == "ok"


def test_reboot_ends_the_old_boot_and_plugs_the_ports_again(call: Any, host: Host, subnet: str) -> None:
    instance, eni = launch(call, subnet)
    host.settle()
    first = host.port(eni)
    call("RebootInstances", InstanceIds=[instance])
    host.settle()
    second = host.port(eni)
    assert first is not None
    assert second is not None
    assert second.boot == first.boot + 1
    assert host.guests.live[instance].boot == second.boot
    assert state(call, instance) == "running"


def test_reboot_mends_a_crashed_instance(call: Any, host: Host, subnet: str) -> None:
    instance, eni = launch(call, subnet)
    host.settle()
    host.guests.die(instance)
    host.settle()
    call("RebootInstances", InstanceIds=[instance])
    host.settle()
    assert host.port(eni) is not None
    status = call("DescribeInstanceStatus", InstanceIds=[instance])["InstanceStatuses"][0]
    assert status["InstanceStatus"]["Status"] == "ok"


def test_terminate_deletes_what_dies_with_the_instance_and_keeps_the_rest(call: Any, host: Host, subnet: str) -> None:
    instance, primary = launch(call, subnet)
    eni = call("CreateNetworkInterface", SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    call("AttachNetworkInterface", NetworkInterfaceId=eni, InstanceId=instance, DeviceIndex=1)
    host.settle()
    call("TerminateInstances", InstanceIds=[instance])
    host.settle()
    assert state(call, instance) == "terminated"
    assert interface(call, eni)["Status"] == "available"
    assert "Attachment" not in interface(call, eni)
    left = {item["NetworkInterfaceId"] for item in call("DescribeNetworkInterfaces")["NetworkInterfaces"]}
    assert left == {eni}, f"{primary} dies with its instance"
    assert host.guests.disks == set()
    assert host.port(eni) is None


def test_stop_and_terminate_while_starting_leave_nothing_behind(call: Any, host: Host, subnet: str) -> None:
    instance, _ = launch(call, subnet)
    host.reconciler.look()
    call("TerminateInstances", InstanceIds=[instance])
    host.settle()
    assert state(call, instance) == "terminated"
    assert host.guests.live == {}
    assert host.guests.disks == set()


def test_a_restarted_agent_adopts_what_runs_and_changes_nothing(call: Any, host: Host, subnet: str) -> None:
    instance, eni = launch(call, subnet)
    host.settle()
    before = dict(host.fabric.world)
    host.restart()
    assert host.guests.asked == []
    assert dict(host.fabric.world) == before
    call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=eni, SourceDestCheck={"Value": False})
    host.settle()
    port = host.port(eni)
    assert port is not None
    assert port.source_dest_check is False
    assert state(call, instance) == "running"


def test_calls_made_while_the_agent_was_away_are_carried_out(call: Any, host: Host, subnet: str) -> None:
    instance, _ = launch(call, subnet)
    host.settle()
    eni = call("CreateNetworkInterface", SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    call("AttachNetworkInterface", NetworkInterfaceId=eni, InstanceId=instance, DeviceIndex=1)
    host.restart()
    host.settle()
    assert interface(call, eni)["Attachment"]["Status"] == "attached"
    assert host.port(eni) is not None


def test_an_instance_that_died_while_the_agent_was_away_is_impaired(call: Any, host: Host, subnet: str) -> None:
    instance, _ = launch(call, subnet)
    host.settle()
    del host.guests.live[instance]
    host.guests.missing = [instance]
    host.restart()
    host.settle()
    status = call("DescribeInstanceStatus", InstanceIds=[instance])["InstanceStatuses"][0]
    assert status["InstanceStatus"]["Status"] == "impaired"
    assert host.guests.live == {}


def test_after_the_host_booted_running_instances_start_again(call: Any, host: Host, subnet: str) -> None:
    instance, _ = launch(call, subnet)
    host.settle()
    host.guests.live.clear()
    host.restart()
    host.settle()
    assert instance in host.guests.live
    assert state(call, instance) == "running"


def test_a_failed_plug_returns_the_interface_to_available(call: Any, host: Host, subnet: str) -> None:
    instance, _ = launch(call, subnet)
    host.settle()
    eni = call("CreateNetworkInterface", SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    host.fabric.refuse[(Kind.PORT, eni)] = "the guest is gone"
    call("AttachNetworkInterface", NetworkInterfaceId=eni, InstanceId=instance, DeviceIndex=1)
    host.settle()
    assert interface(call, eni)["Status"] == "available"
    assert "Attachment" not in interface(call, eni)


def test_a_stopped_instance_takes_and_gives_interfaces_at_once(call: Any, host: Host, subnet: str) -> None:
    instance, _ = launch(call, subnet)
    host.settle()
    call("StopInstances", InstanceIds=[instance])
    host.settle()
    eni = call("CreateNetworkInterface", SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    attachment = call("AttachNetworkInterface", NetworkInterfaceId=eni, InstanceId=instance, DeviceIndex=1)
    host.settle()
    assert interface(call, eni)["Attachment"]["Status"] == "attached"
    assert host.port(eni) is None
    call("DetachNetworkInterface", AttachmentId=attachment["AttachmentId"])
    host.settle()
    assert interface(call, eni)["Status"] == "available"


def test_a_change_costs_the_same_with_many_interfaces_in_the_store(call: Any, host: Host, subnet: str) -> None:
    _, eni = launch(call, subnet)
    host.settle()

    def cost() -> int:
        before = host.fabric.carried
        call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=eni, SourceDestCheck={"Value": False})
        call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=eni, SourceDestCheck={"Value": True})
        host.settle()
        return host.fabric.carried - before

    alone = cost()
    for _ in range(30):
        call("CreateNetworkInterface", SubnetId=subnet)
    assert cost() == alone


def test_a_simulated_delay_keeps_an_interface_detaching_though_it_is_unplugged(
    call: Any, database: Database, subnet: str
) -> None:
    host = Host(database, detach_delay=0.5)
    instance, _ = launch(call, subnet)
    host.settle()
    eni = call("CreateNetworkInterface", SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    plugged = call("AttachNetworkInterface", NetworkInterfaceId=eni, InstanceId=instance, DeviceIndex=1)
    host.settle()
    asked = time.monotonic()
    call("DetachNetworkInterface", AttachmentId=plugged["AttachmentId"])
    host.settle()
    assert host.port(eni) is None
    assert interface(call, eni)["Attachment"]["Status"] == "detaching"
    while interface(call, eni)["Status"] != "available":
        assert time.monotonic() < asked + 10
        host.reconciler.retry()
    assert time.monotonic() >= asked + 0.5


def test_what_changed_together_is_carried_out_together(host: Host, call: Any, subnet: str) -> None:
    """A subnet that moves from one network ACL to another between two looks at the journal has one at any moment."""
    vpc = call("DescribeVpcs")["Vpcs"][0]["VpcId"]
    [old] = call("DescribeNetworkAcls")["NetworkAcls"]
    new = call("CreateNetworkAcl", VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    host.settle()
    association = old["Associations"][0]["NetworkAclAssociationId"]
    call("ReplaceNetworkAclAssociation", AssociationId=association, NetworkAclId=new)
    host.reconciler.step([("network_acl", old["NetworkAclId"])])
    guarding = [record for record in host.fabric.world.values() if isinstance(record, NetworkAcl) and record.subnets]
    assert [(acl.id, acl.subnets) for acl in guarding] == [(new, (subnet,))]


def test_a_nat_gateway_becomes_available_and_later_deleted_once_the_fabric_has_followed(
    call: Any, host: Host, subnet: str
) -> None:
    made = call("CreateNatGateway", SubnetId=subnet, ConnectivityType="private")["NatGateway"]
    gateway, eni = made["NatGatewayId"], made["NatGatewayAddresses"][0]["NetworkInterfaceId"]

    def seen() -> str:
        return str(call("DescribeNatGateways", NatGatewayIds=[gateway])["NatGateways"][0]["State"])

    assert seen() == "pending"
    host.settle()
    assert seen() == "available"
    port = host.port(eni)
    assert port is not None
    assert (port.appliance, port.instance_id, port.groups) == (Appliance.NAT_GATEWAY, gateway, ())
    host.restart()
    assert host.port(eni) == port
    assert host.guests.configured == {}
    call("DeleteNatGateway", NatGatewayId=gateway)
    assert seen() == "deleting"
    host.settle()
    assert seen() == "deleted"
    assert host.port(eni) is None


def test_routes_lead_to_a_nat_gateways_interface_until_it_is_deleted(call: Any, host: Host, subnet: str) -> None:
    made = call("CreateNatGateway", SubnetId=subnet, ConnectivityType="private")["NatGateway"]
    (table,) = call("DescribeRouteTables")["RouteTables"]
    gateway, key = made["NatGatewayId"], (Kind.ROUTE_TABLE, table["RouteTableId"])
    call("CreateRoute", RouteTableId=key[1], DestinationCidrBlock="0.0.0.0/0", NatGatewayId=gateway)

    def route() -> tuple[TargetKind, str]:
        record = host.fabric.world[key]
        assert isinstance(record, RouteTable)
        return record.routes[0].kind, record.routes[0].target

    host.settle()
    assert route() == (TargetKind.PORT, made["NatGatewayAddresses"][0]["NetworkInterfaceId"])
    call("DeleteNatGateway", NatGatewayId=gateway)
    host.settle()
    assert route() == (TargetKind.BLACKHOLE, "")


def test_a_nat_gateway_the_fabric_cannot_make_yet_stays_pending(call: Any, host: Host, subnet: str) -> None:
    gateway = call("CreateNatGateway", SubnetId=subnet, ConnectivityType="private")["NatGateway"]
    eni = gateway["NatGatewayAddresses"][0]["NetworkInterfaceId"]
    host.fabric.refuse = {(Kind.PORT, eni): "no room"}
    host.settle()
    (found,) = call("DescribeNatGateways")["NatGateways"]
    assert found["State"] == "pending"
    host.fabric.refuse = {}
    host.reconciler.retry()
    (found,) = call("DescribeNatGateways")["NatGateways"]
    assert found["State"] == "available"


def test_an_egress_only_gateway_opens_a_way_out_and_no_way_in(call: Any, host: Host) -> None:
    vpc = call("CreateVpc", CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
    made = call("CreateEgressOnlyInternetGateway", VpcId=vpc)["EgressOnlyInternetGateway"]
    (table,) = call("DescribeRouteTables")["RouteTables"]
    target = {"EgressOnlyInternetGatewayId": made["EgressOnlyInternetGatewayId"]}
    call("CreateRoute", RouteTableId=table["RouteTableId"], DestinationIpv6CidrBlock="::/0", **target)
    host.settle()
    router, ways = host.fabric.world[(Kind.VPC, vpc)], host.fabric.world[(Kind.ROUTE_TABLE, table["RouteTableId"])]
    assert isinstance(router, Vpc)
    assert isinstance(ways, RouteTable)
    assert (router.internet, router.egress_only) == (False, True)
    assert [route.kind for route in ways.routes] == [TargetKind.EGRESS_ONLY]
    call("DeleteEgressOnlyInternetGateway", **target)
    host.settle()
    router, ways = host.fabric.world[(Kind.VPC, vpc)], host.fabric.world[(Kind.ROUTE_TABLE, table["RouteTableId"])]
    assert isinstance(router, Vpc)
    assert isinstance(ways, RouteTable)
    assert not router.online
    assert [route.kind for route in ways.routes] == [TargetKind.BLACKHOLE]


@pytest.mark.parametrize("kind", ["VPC", "Subnet", "NetworkInterface"])
def test_a_flow_log_is_told_to_the_fabric_and_to_no_guest(call: Any, host: Host, subnet: str, kind: str) -> None:
    _, eni = launch(call, subnet)
    host.settle()
    other = call("CreateSubnet", VpcId=interface(call, eni)["VpcId"], CidrBlock="10.0.2.0/24")["Subnet"]["SubnetId"]
    _, elsewhere = launch(call, other)
    host.settle()
    host.guests.configured.clear()
    watched = {"VPC": interface(call, eni)["VpcId"], "Subnet": subnet, "NetworkInterface": eni}[kind]
    destination = {"LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::traffic"}
    made = call("CreateFlowLogs", ResourceType=kind, ResourceIds=[watched], TrafficType="ALL", **destination)

    def logged() -> set[str]:
        host.settle()
        return {id_ for id_ in (eni, elsewhere) if (port := host.port(id_)) is not None and port.logged}

    assert logged() == ({eni, elsewhere} if kind == "VPC" else {eni})
    host.restart()
    assert logged() == ({eni, elsewhere} if kind == "VPC" else {eni})
    host.guests.configured.clear()
    call("DeleteFlowLogs", FlowLogIds=made["FlowLogIds"])
    assert logged() == set()
    assert host.guests.configured == {}


class TestPeering:
    """``active`` and ``deleted`` are said when both VPCs' routers have followed."""

    def peered(self, call: Any) -> tuple[str, str, str]:
        one, two = (call("CreateVpc", CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"] for number in (1, 2))
        asked = call("CreateVpcPeeringConnection", VpcId=one, PeerVpcId=two)["VpcPeeringConnection"]
        return one, two, asked["VpcPeeringConnectionId"]

    def state(self, call: Any, id_: str) -> str:
        (found,) = call("DescribeVpcPeeringConnections", VpcPeeringConnectionIds=[id_])["VpcPeeringConnections"]
        return str(found["Status"]["Code"])

    def peers(self, host: Host, vpc: str) -> list[str]:
        record = host.fabric.world[(Kind.VPC, vpc)]
        assert isinstance(record, Vpc)
        return [peering.vpc_id for peering in record.peerings]

    def test_from_acceptance_to_deletion(self, host: Host, call: Any) -> None:
        one, two, id_ = self.peered(call)
        host.settle()
        assert self.peers(host, one) == []
        call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=id_)
        host.settle()
        assert self.state(call, id_) == "active"
        assert (self.peers(host, one), self.peers(host, two)) == ([two], [one])
        call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=id_)
        host.settle()
        assert self.state(call, id_) == "deleted"
        assert (self.peers(host, one), self.peers(host, two)) == ([], [])

    def test_a_side_that_does_not_follow_is_waited_for(self, host: Host, call: Any) -> None:
        _, two, id_ = self.peered(call)
        host.settle()
        host.fabric.refuse[(Kind.VPC, two)] = "no"
        call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=id_)
        host.settle()
        host.reconciler.retry()
        assert self.state(call, id_) == "provisioning"
        host.fabric.refuse.clear()
        host.reconciler.retry()
        assert self.state(call, id_) == "active"

    @pytest.mark.parametrize("action", ["Accept", "Delete"])
    def test_what_was_under_way_when_the_agent_died(self, host: Host, call: Any, action: str) -> None:
        _, _, id_ = self.peered(call)
        host.settle()
        call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=id_)
        if action == "Delete":
            host.settle()
            call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=id_)
        host.restart()
        assert self.state(call, id_) == ("active" if action == "Accept" else "deleted")

    def test_groups_routes_and_blocks_follow(self, host: Host, call: Any) -> None:
        one, two, id_ = self.peered(call)
        (table,) = call("DescribeRouteTables", Filters=[{"Name": "vpc-id", "Values": [one]}])["RouteTables"]
        way = {"RouteTableId": table["RouteTableId"], "DestinationCidrBlock": "10.2.0.0/16"}
        call("CreateRoute", VpcPeeringConnectionId=id_, **way)
        call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=id_)
        host.settle()
        mine, theirs = (
            call("CreateSecurityGroup", GroupName="g", Description="g", VpcId=vpc)["GroupId"] for vpc in (one, two)
        )
        pair = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": theirs}]}
        call("AuthorizeSecurityGroupIngress", GroupId=mine, IpPermissions=[pair])
        call("AssociateVpcCidrBlock", VpcId=two, CidrBlock="10.3.0.0/16")
        host.settle()
        world = host.fabric.world
        rules = [Rule(-1, -1, -1, group=theirs, peering=id_)]
        assert list(world[(Kind.SECURITY_GROUP, mine)].ingress) == rules  # type: ignore[union-attr]
        blocks = [str(block) for block in world[(Kind.VPC, one)].peerings[0].blocks]  # type: ignore[union-attr]
        assert blocks == ["10.2.0.0/16", "10.3.0.0/16"]
        kinds = [route.kind for route in world[(Kind.ROUTE_TABLE, table["RouteTableId"])].routes]  # type: ignore[union-attr]
        assert kinds == [TargetKind.PEERING]
        applied = dict(world)
        host.restart()
        assert host.fabric.world == applied, "a resync wants the same"
        call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=id_)
        host.settle()
        assert host.fabric.world[(Kind.SECURITY_GROUP, mine)].ingress == ()  # type: ignore[union-attr]
        kinds = [route.kind for route in host.fabric.world[(Kind.ROUTE_TABLE, table["RouteTableId"])].routes]  # type: ignore[union-attr]
        assert kinds == [TargetKind.BLACKHOLE]
