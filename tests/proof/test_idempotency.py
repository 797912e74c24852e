"""A call with a ``ClientToken`` happens once, however often it is sent, to whatever process, and whoever dies of it."""

from __future__ import annotations

import random
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from api_processes import Apis, running_apis
from bench.client import every, first
from callers import Caller, Reply
from doomed_api import Doomed, Moment, doomed
from sqlalchemy import select

import enid.ec2.catalogue  # noqa: F401  # registers the operations
from enid.ec2.images import SANDBOX
from enid.ec2.registry import OPERATIONS
from enid.settings import Quotas
from enid.store import status
from enid.store import tables as t
from enid.wire import model

AT_ONCE = 8
"""Duplicates in flight."""
MISMATCH = "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
QUOTAS = Quotas(
    vpcs=99,
    egress_only_internet_gateways=99,
    nat_gateways_per_zone=99,
    gateway_endpoints=99,
    rules_per_traffic_mirror_filter=99,
)
Params = dict[str, Any]


class World:
    """What an account needs for every such operation."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.vpc = self.another_vpc()
        self.subnet = self._made("subnetId", "CreateSubnet", VpcId=self.vpc, CidrBlock="10.0.0.0/20")
        self.interface, self.other = self.another_interface(), self.another_interface()
        ends = {"Source": self.interface, "Destination": self.other, "ClientToken": "world"}
        self.path = self._made("networkInsightsPathId", "CreateNetworkInsightsPath", Protocol="tcp", **ends)
        self.mirror_filter = self._made("trafficMirrorFilterId", "CreateTrafficMirrorFilter", ClientToken="world")
        self.instance = self._made("instanceId", "RunInstances", **self.launch)

    def another_vpc(self) -> str:
        return self._made("vpcId", "CreateVpc", CidrBlock="10.0.0.0/16")

    @property
    def launch(self) -> Params:
        image = {"ImageId": SANDBOX["ImageId"], "InstanceType": "t3.small"}
        return {**image, "SubnetId": self.subnet, "MinCount": 2, "MaxCount": 2}

    def mirror_target(self) -> str:
        """A new one each time."""
        where = {"NetworkInterfaceId": self.another_interface(), "ClientToken": secrets.token_hex(8)}
        return self._made("trafficMirrorTargetId", "CreateTrafficMirrorTarget", **where)

    def another_interface(self) -> str:
        return self._made("networkInterfaceId", "CreateNetworkInterface", SubnetId=self.subnet)

    def _made(self, tag: str, action: str, **parameters: Any) -> str:
        reply = self._caller.call(action, **parameters)
        assert reply.done, reply
        return first(reply.body, tag)


def _flow_log(world: World) -> Params:
    where = {"LogDestinationType": "s3", "LogDestination": f"arn:aws:s3:::bucket/{secrets.token_hex(4)}"}
    return {"ResourceId.1": world.vpc, "ResourceType": "VPC", "TrafficType": "ALL", **where}


def _mirror_rule(world: World) -> Params:
    every_address = {"SourceCidrBlock": "0.0.0.0/0", "DestinationCidrBlock": "0.0.0.0/0"}
    number = {"TrafficDirection": "ingress", "RuleNumber": secrets.randbelow(30_000) + 1, "RuleAction": "accept"}
    return {"TrafficMirrorFilterId": world.mirror_filter, **number, **every_address}


def _mirror_session(world: World) -> Params:
    target = world.mirror_target()
    ends = {"NetworkInterfaceId": world.another_interface(), "TrafficMirrorTargetId": target}
    return {**ends, "TrafficMirrorFilterId": world.mirror_filter, "SessionNumber": 1}


def _credits(world: World) -> Params:
    name = "InstanceCreditSpecification.1"
    return {f"{name}.InstanceId": world.instance, f"{name}.CpuCredits": "standard"}


REQUESTS: dict[str, tuple[Callable[[World], Params], Params]] = {
    "CreateEgressOnlyInternetGateway": (
        lambda w: {"VpcId": w.another_vpc()},
        {"VpcId": "vpc-0123456789abcdef0"},
    ),
    "CreateFlowLogs": (_flow_log, {"TrafficType": "REJECT"}),
    "CreateManagedPrefixList": (
        lambda _: {"PrefixListName": "list", "MaxEntries": 5, "AddressFamily": "IPv4"},
        {"MaxEntries": 6},
    ),
    "CreateNatGateway": (
        lambda w: {"SubnetId": w.subnet, "ConnectivityType": "private"},
        {"PrivateIpAddress": "10.0.0.9"},
    ),
    "CreateNetworkAcl": (lambda w: {"VpcId": w.vpc}, {"VpcId": "vpc-0123456789abcdef0"}),
    "CreateNetworkInsightsPath": (
        lambda w: {"Source": w.interface, "Destination": w.other, "Protocol": "tcp"},
        {"Protocol": "udp"},
    ),
    "CreateNetworkInterface": (lambda w: {"SubnetId": w.subnet}, {"Description": "another"}),
    "CreateRouteTable": (lambda w: {"VpcId": w.vpc}, {"VpcId": "vpc-0123456789abcdef0"}),
    "CreateVpcEndpoint": (
        lambda w: {"VpcId": w.vpc, "ServiceName": "com.amazonaws.us-east-1.s3"},
        {"ServiceName": "com.amazonaws.us-east-1.dynamodb"},
    ),
    "CreateTrafficMirrorFilter": (lambda _: {"Description": "one"}, {"Description": "another"}),
    "CreateTrafficMirrorFilterRule": (_mirror_rule, {"RuleAction": "reject"}),
    "CreateTrafficMirrorSession": (_mirror_session, {"SessionNumber": 2}),
    "CreateTrafficMirrorTarget": (
        lambda w: {"NetworkInterfaceId": w.another_interface()},
        {"NetworkInterfaceId": "eni-0123456789abcdef0"},
    ),
    "ModifyInstanceCreditSpecification": (_credits, {"InstanceCreditSpecification.1.CpuCredits": "unlimited"}),
    "RunInstances": (lambda w: w.launch, {"MaxCount": 3}),
    "StartNetworkInsightsAnalysis": (lambda w: {"NetworkInsightsPathId": w.path}, {"NetworkInsightsPathId": "nip-1"}),
}
"""Each operation: what it is asked, and what of it another request has otherwise."""


@dataclass
class Scene:
    apis: Apis
    caller: Caller
    world: World
    other_caller: Caller
    other_world: World
    doomed: Doomed

    def rows(self) -> dict[str, list[str]]:
        """All there is, but the tokens and the agent's news."""
        tables = [
            table for table in t.metadata.sorted_tables if table.name not in ("client_tokens", "journal", "hosts")
        ]
        with self.apis.database.read() as db:
            return {table.name: sorted(map(repr, db.execute(select(table)))) for table in tables}

    def counts(self) -> Counter[str]:
        return Counter({name: len(rows) for name, rows in self.rows().items()})


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    url = ""
    if request.param == "postgresql":
        store = request.getfixturevalue("postgresql_store")
        store.clear()
        url = store.url
    with (
        running_apis(2 if url else 1, url, quotas=QUOTAS) as apis,
        doomed(apis.settings, apis.account) as dying,
        Caller(apis.ports, apis.key, random.Random(1)) as caller,
        Caller(apis.ports, apis.another_account(), random.Random(1)) as other,
    ):
        yield Scene(apis, caller, World(caller), other, World(other), dying)


def test_every_operation_with_a_token_is_here() -> None:
    ec2 = model.Service("ec2", model.EC2_VERSION)
    there = (name for name, found in OPERATIONS.items() if found.service == "ec2" and not found.reads)
    assert {name for name in there if ec2.operation(name).takes_client_token} == REQUESTS.keys()


def asked(action: str, world: World) -> Params:
    return REQUESTS[action][0](world) | {"ClientToken": secrets.token_hex(8)}


def answer(reply: Reply) -> bytes:
    """Without the request's id, which is each answer's own."""
    assert reply.done, reply
    return re.sub(rb"<requestId>[^<]*</requestId>", b"", reply.body)


@pytest.mark.parametrize("action", REQUESTS)
def test_again_after_success_and_otherwise(scene: Scene, action: str) -> None:
    params = asked(action, scene.world)
    told = answer(scene.caller.call(action, **params))
    after = scene.rows()
    for _ in range(4):
        assert answer(scene.caller.call(action, **params)) == told
    refused = scene.caller.call(action, **params | REQUESTS[action][1])
    assert (refused.code, refused.message) == ("IdempotentParameterMismatch", MISMATCH)
    refused = scene.caller.call(action, **params | {"DryRun": "true"})
    assert refused.code == "DryRunOperation"
    assert scene.rows() == after


@pytest.mark.parametrize("action", REQUESTS)
def test_at_once(scene: Scene, action: str) -> None:
    before = scene.counts()
    scene.caller.call(action, **asked(action, scene.world))
    once = scene.counts()
    params = asked(action, scene.world)
    callers = [Caller(scene.apis.ports, scene.apis.key, random.Random(number)) for number in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        replies = list(threads.map(lambda caller: caller.call(action, **params), callers))
    for caller in callers:
        caller.close()
    assert len({answer(reply) for reply in replies}) == 1
    assert scene.counts() - once == once - before


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("action", REQUESTS)
def test_again_after_a_crash(scene: Scene, action: str, moment: Moment) -> None:
    before = scene.counts()
    scene.caller.call(action, **asked(action, scene.world))
    one = scene.counts() - before
    params, earlier = asked(action, scene.world), scene.rows()
    scene.doomed.call(moment, action, **params)
    scene.apis.quiet()
    crashed = scene.rows()
    assert (crashed == earlier) == (moment == "before" or action == "ModifyInstanceCreditSpecification")
    told = answer(scene.caller.call(action, **params))
    assert answer(scene.caller.call(action, **params)) == told
    assert scene.counts() - before == one + one
    if moment == "after":
        assert scene.rows() == crashed


@pytest.mark.parametrize("action", REQUESTS)
def test_anothers_token_is_another_token(scene: Scene, action: str) -> None:
    params = asked(action, scene.world)
    told = answer(scene.caller.call(action, **params))
    theirs = REQUESTS[action][0](scene.other_world) | {"ClientToken": params["ClientToken"]}
    before = scene.counts()
    assert answer(scene.other_caller.call(action, **theirs)) != told
    assert action == "ModifyInstanceCreditSpecification" or scene.counts() != before


def test_a_token_ends_with_its_instances(scene: Scene) -> None:
    params = asked("RunInstances", scene.world)
    ids = set(every(answer(scene.caller.call("RunInstances", **params)), "instanceId"))
    for id_ in ids:
        assert scene.caller.call("TerminateInstances", **{"InstanceId.1": id_}).done
    with scene.apis.database.write(alone=True) as db:
        status.terminated(db, list(ids), "2026-01-01T00:00:00.000Z")
    assert scene.caller.call("RunInstances", **params).code == "IdempotentInstanceTerminated"
