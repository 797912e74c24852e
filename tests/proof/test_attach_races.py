"""Few interfaces, few slots, many clients who plug, unplug and move: each history makes sense as a sequence.

Most histories run over a fabric that is only remembered, where the agent dies now and then; on PostgreSQL with two
processes of the API. Some run on a whole enid, and at their end the instances have the devices that the API says.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest
import scale
from api_processes import Apis, running_apis
from attach_clients import Machines, everybody_asks
from attachment_model import Place, State, step
from bench.client import every, first
from callers import Caller
from linearizability import contradiction
from memory_agent import MemoryAgent, memory_agent

from enid.ec2.images import SANDBOX
from whole_enid import Enid, running_enid, until

HISTORIES = scale.amount(25, 250)
"""On each store."""
REAL = scale.amount(5, 50)
INSTANCES, INTERFACES = 3, 4


@pytest.fixture
def apis(database_url: str) -> Iterator[Apis]:
    with running_apis(2 if database_url else 1, database_url, settle_timeout=2.0) as made:
        yield made


@pytest.fixture
def agent(apis: Apis) -> Iterator[MemoryAgent]:
    with memory_agent(apis.settings, random.Random(scale.first_seed())) as running:
        yield running


def machines(caller: Caller) -> Machines:
    """Running instances and interfaces, in a subnet of their own."""
    vpc = first(caller.insist("CreateVpc", CidrBlock="10.0.0.0/16").body, "vpcId")
    subnet = first(caller.insist("CreateSubnet", VpcId=vpc, CidrBlock="10.0.1.0/24").body, "subnetId")
    launch = {"ImageId": SANDBOX["ImageId"], "InstanceType": "t3.small", "SubnetId": subnet}
    launched = caller.insist("RunInstances", **launch, MinCount=INSTANCES, MaxCount=INSTANCES)
    instances = list(dict.fromkeys(every(launched.body, "instanceId")))
    until("instances run", lambda: running(caller) == INSTANCES, 120)
    made = [caller.insist("CreateNetworkInterface", SubnetId=subnet).body for _ in range(INTERFACES)]
    return Machines(instances, [first(body, "networkInterfaceId") for body in made])


def running(caller: Caller) -> int:
    return every(caller.insist("DescribeInstances").body, "name").count("running")


def race(found: Machines, ports: list[int], key: tuple[str, str], histories: int) -> Counter[str]:
    """So many histories, each from where the last one ended; answers what was asked how often."""
    seed = scale.first_seed()
    print(f"\nseed {seed} (SEED={seed})")
    asked = Counter[str]()
    with Caller(ports, key, random.Random(seed)) as caller:
        for number in range(histories):
            before = found.at_rest(caller)
            history = everybody_asks(found, ports, key, seed + number)
            told = contradiction(history, before, step)
            assert not told, f"history {number}, from {before}\n{told}"
            asked.update(f"{call.what[0]} {call.what[1] if call.what[0] == 'not attached' else ''}" for call in history)
    print(f"{histories} histories: {dict(asked)}")
    return asked


def test_every_history_makes_sense(apis: Apis, agent: MemoryAgent) -> None:
    with Caller(apis.ports, apis.key, random.Random(1)) as caller:
        found = machines(caller)
    asked = race(found, apis.ports, apis.key, HISTORIES)
    for kind in ("attach ", "detach ", "not detached ", "not attached interface", "not attached index"):
        assert asked[kind] > HISTORIES // 5, "too little happened to prove anything"
    assert agent.lives > 1


@pytest.mark.root
def test_on_a_whole_enid_the_devices_are_where_the_api_says() -> None:
    with running_enid() as enid:
        key, ports = (enid.key.id, enid.key.secret), [enid.settings.port]
        with Caller(ports, key, random.Random(1)) as caller:
            found = machines(caller)
        race(found, ports, key, REAL)
        with Caller(ports, key, random.Random(1)) as caller:
            ended = found.at_rest(caller)
        for instance in found.instances:
            until("devices", lambda: devices(enid, instance) == wanted(ended, instance), 60)  # noqa: B023


def devices(enid: Enid, instance: str) -> set[str]:
    """Network devices in the instance besides its primary one."""
    names = enid.run(instance, "ls", "/sys/class/net").split()
    return {name for name in names if name.startswith("eth")} - {"eth0"}


def wanted(ended: State, instance: str) -> set[str]:
    there = [place for _, place in ended if isinstance(place, Place) and place.instance == instance]
    return {f"eth{place.index}" for place in there}
