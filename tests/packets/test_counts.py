"""What a change costs, counted and not timed: SQL statements of the API and of the agent, netlink messages and batches,
processes. None of it may grow with the number of interfaces."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert

from accounts import FIRST, Account
from enid.fabric.linux import LinuxFabric
from enid.guest.interface import Event, InstanceSpec, Running
from enid.guest.network import GuestNetwork
from enid.netlink import namespaces
from enid.reconcile.reconciler import Reconciler
from enid.settings import Settings
from enid.store.tables import accounts
from enid.topology.records import Port
from fresh_store import fresh_store

pytestmark = pytest.mark.root

FEW, MANY = 5, 200
MOST = {
    "create": (5, 1, 0, 0, 0),
    "attach": (7, 6, 14, 1, 1),
    "detach": (5, 7, 8, 1, 1),
    "authorize": (7, 3, 2, 1, 0),
    "deny": (5, 5, 9, 1, 1),
    "guard": (4, 5, 9, 1, 0),
}
"""At most: SQL statements of the call itself, and of the agent that carries it out; netlink messages to the router,
nftables transactions, and entries of the accelerator's maps. An interface attached to nothing is no work for the agent:
it only looks at the journal."""

spawned: list[str] = []
SPAWNING = {"subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec", "os.system"}
sys.addaudithook(lambda what, _: spawned.append(what) if what in SPAWNING else None)


class Namespaces:
    """Instances that are bare network namespaces, configured as a guest is; implements the reconciler's ``Guests``."""

    def __init__(self) -> None:
        self._networks: dict[str, tuple[int, GuestNetwork]] = {}
        self._started: list[Event] = []

    def adopt(self) -> Mapping[str, Running]:
        return {}

    def lost(self) -> Sequence[str]:
        return []

    def start(self, spec: InstanceSpec) -> None:
        namespace = namespaces.new()
        self._networks[spec.id] = namespace, GuestNetwork(namespace)
        self._started.append(Event(spec.id, spec.boot, "started"))

    def release(self, instance_id: str) -> None:
        """Nobody waits."""

    def configure(self, instance_id: str, ports: Sequence[Port]) -> None:
        self._networks[instance_id][1].apply(ports)

    def kill(self, instance_id: str) -> None:
        namespace, network = self._networks.pop(instance_id)
        network.close()
        os.close(namespace)

    delete = kill

    def network(self, instance_id: str) -> GuestNetwork | None:
        found = self._networks.get(instance_id)
        return found[1] if found else None

    def fileno(self) -> int:
        raise NotImplementedError("no selector here")

    def events(self) -> Sequence[Event]:
        started, self._started = self._started, []
        return started

    def close(self) -> None:
        for instance in list(self._networks):
            self.kill(instance)


class Host:
    """The API's operations, and the agent with the real fabric, in this process."""

    def __init__(self, settings: Settings) -> None:
        self.database = fresh_store(settings)
        with self.database.write() as db:
            db.execute(insert(accounts), {"id": FIRST, "created_at": ""})
        self.call = Account(self.database, settings, FIRST)
        self.guests = Namespaces()
        self.fabric = LinuxFabric(settings, self.guests.network)
        self.agent = Reconciler(self.database, self.fabric, self.guests, settings.host_id, lambda: None)
        self.agent.start()

    def settle(self) -> None:
        while self.agent.look():
            pass

    def launch(self, subnet: str, count: int) -> list[str]:
        image = self.call("DescribeImages")["Images"][0]["ImageId"]
        answer = self.call(
            "RunInstances", ImageId=image, MinCount=count, MaxCount=count, SubnetId=subnet, InstanceType="t3.large"
        )
        self.settle()
        return [instance["InstanceId"] for instance in answer["Instances"]]

    def close(self) -> None:
        with suppress(OSError):
            self.fabric.destroy()
        self.guests.close()
        self.database.close()


@contextmanager
def host(directory: Path) -> Iterator[Host]:
    made = Host(Settings(state_dir=directory / "state", run_dir=directory / "run", host_route=False))
    try:
        yield made
    finally:
        made.close()


def cost(there: Host, change: Callable[[], Any]) -> Counter[str]:
    """What a call and its carrying out take."""
    spent: Counter[str] = Counter()
    who = "api"

    def count(*_: object) -> None:
        spent[who] += 1

    kernel, processes = there.fabric.counts.copy(), len(spawned)
    event.listen(there.database.engine, "before_cursor_execute", count)
    try:
        change()
        who = "agent"
        there.agent.look()
    finally:
        event.remove(there.database.engine, "before_cursor_execute", count)
    spent.update({name: number - kernel[name] for name, number in there.fabric.counts.items()})
    spent["processes"] += len(spawned) - processes
    return spent


def costs(directory: Path, interfaces: int) -> dict[str, Counter[str]]:
    """Of each kind of change, in a VPC of so many attached interfaces."""
    with host(directory) as there:
        call = there.call
        vpc = call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = call("CreateSubnet", VpcId=vpc, CidrBlock="10.0.0.0/20")["Subnet"]["SubnetId"]
        (group,) = call("DescribeSecurityGroups")["SecurityGroups"]
        instance = there.launch(subnet, interfaces)[-1]
        eni = call("CreateNetworkInterface", SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
        there.settle()
        measured: dict[str, Counter[str]] = {}
        measured["create"] = cost(there, lambda: call("CreateNetworkInterface", SubnetId=subnet))
        attach = {"NetworkInterfaceId": eni, "InstanceId": instance, "DeviceIndex": 1}
        measured["attach"] = cost(there, lambda: call("AttachNetworkInterface", **attach))
        (interface,) = call("DescribeNetworkInterfaces", NetworkInterfaceIds=[eni])["NetworkInterfaces"]
        attachment = interface["Attachment"]
        assert attachment["Status"] == "attached"
        # The rules after the first: the first of its kind makes a set and a rule of the kernel's for itself.
        for port in (80, 81):
            permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
            authorize = {"GroupId": group["GroupId"], "IpPermissions": [permission]}
            measured["authorize"] = cost(there, lambda: call("AuthorizeSecurityGroupIngress", **authorize))  # noqa: B023
        [default] = call("DescribeNetworkAcls")["NetworkAcls"]
        acl = call("CreateNetworkAcl", VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
        there.settle()
        deny = {"Egress": True, "Protocol": "6", "PortRange": {"From": 25, "To": 25}, "CidrBlock": "0.0.0.0/0"}
        entry = {"NetworkAclId": default["NetworkAclId"], "RuleNumber": 9, "RuleAction": "deny", **deny}
        measured["deny"] = cost(there, lambda: call("CreateNetworkAclEntry", **entry))
        guard = {"AssociationId": default["Associations"][0]["NetworkAclAssociationId"], "NetworkAclId": acl}
        measured["guard"] = cost(there, lambda: call("ReplaceNetworkAclAssociation", **guard))
        detach = {"AttachmentId": attachment["AttachmentId"]}
        measured["detach"] = cost(there, lambda: call("DetachNetworkInterface", **detach))
        return measured


def test_the_cost_of_a_change_is_small_and_does_not_grow_with_the_interfaces(tmp_path: Path) -> None:
    few, many = costs(tmp_path / "few", FEW), costs(tmp_path / "many", MANY)
    assert few == many
    for change, most in MOST.items():
        assert few[change]["processes"] == 0, change
        for what, bound in zip(("api", "agent", "messages", "transactions", "entries"), most, strict=True):
            assert min(bound, 1) <= few[change][what] <= bound, (change, what, few[change])
