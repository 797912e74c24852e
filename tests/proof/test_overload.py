"""More calls than can be carried out, a slow disk, a full one, an agent that stands still: errors that say so, no more.

Whatever was acknowledged is there afterwards and nothing else is, no call hangs, and running flows notice nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import acts
import flood
import fuses
import pytest
import running_flows
import scale
from botocore.exceptions import ClientError
from crash_world import Actor, CrashWorld
from kernel_truth import Truth

from enid import supervisor
from enid.settings import Quotas, Settings
from whole_enid import Enid, running_enid, until

pytestmark = [pytest.mark.root, pytest.mark.timeout(scale.amount(900, 3600))]

SECONDS = scale.amount(5, 120)
"""How long a flood lasts."""
CONNECTIONS, AT_ONCE = 400, 40
"""Clients, and calls that are taken on at once."""
HANG = 60.0
"""Seconds after which whoever waits for an answer gives up."""
_QUOTAS = Quotas(network_interfaces=1_000_000, addresses=100, vpcs=20)


@pytest.fixture
def enid() -> Iterator[Enid]:
    with running_enid(quotas=_QUOTAS, calls_at_once=AT_ONCE) as enid:
        yield enid


@contextmanager
def undisturbed(world: CrashWorld) -> Iterator[None]:
    """Flows run meanwhile and lose nothing."""
    ends = world.one["InstanceId"], world.two["InstanceId"], world.two["PrivateIpAddress"]
    with running_flows.running(world.enid, *ends) as flow:
        yield
    assert flow.complaints() == []


def roomy(enid: Enid) -> str:
    """A subnet of 65,000 addresses."""
    vpc = enid.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    return str(enid.ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/16")["Subnet"]["SubnetId"])


def interfaces(enid: Enid, subnet: str) -> set[str]:
    """All that the store has in a subnet."""
    filters = [{"Name": "subnet-id", "Values": [subnet]}]
    pages = enid.ec2.get_paginator("describe_network_interfaces").paginate(
        Filters=filters, PaginationConfig={"PageSize": 1000}
    )
    return {shown["NetworkInterfaceId"] for page in pages for shown in page["NetworkInterfaces"]}


def assert_told_the_truth(enid: Enid, subnet: str, tally: flood.Tally, *codes: str) -> None:
    assert tally.strange == []
    assert set(tally.outcomes) <= {"200", *codes}, tally.outcomes
    assert tally.longest < HANG
    assert interfaces(enid, subnet) == set(tally.made)


def test_more_than_can_be_carried_out(enid: Enid) -> None:
    world, subnet = CrashWorld(enid), roomy(enid)
    request = flood.signed(enid, "CreateNetworkInterface", {"SubnetId": subnet})
    sustainable = flood.pour(enid, request, 16, 2)
    rate = sustainable.outcomes["200"] / 2
    with undisturbed(world):
        begun = time.monotonic()
        tally = flood.pour(enid, request, CONNECTIONS, SECONDS)
        took = time.monotonic() - begun
        with urllib.request.urlopen(f"{enid.endpoint}/metrics", timeout=HANG) as page:
            assert b"RequestLimitExceeded" in page.read()
    offered = tally.answers / took
    print(f"{rate:.0f} a second can be had, {offered:.0f} were asked: {dict(tally.outcomes)}, {tally.longest:.2f} s")
    tally.made += sustainable.made
    assert tally.outcomes["RequestLimitExceeded"] > 0
    assert_told_the_truth(enid, subnet, tally, "RequestLimitExceeded", "Unavailable")
    acts.perform(Actor(world, 1).attach(world.one["InstanceId"]))


def test_metrics_are_answered_in_a_flood(enid: Enid) -> None:
    subnet = roomy(enid)
    request = flood.signed(enid, "CreateNetworkInterface", {"SubnetId": subnet})
    asking = subprocess.Popen(
        ["/bin/sh", "-c", f"sleep 1; exec curl -s -m 20 -o /dev/null -w '%{{time_total}}' {enid.endpoint}/metrics"],
        stdout=subprocess.PIPE,
        text=True,
    )
    tally = flood.pour(enid, request, CONNECTIONS, 3)
    out, _ = asking.communicate(timeout=HANG)
    assert asking.returncode == 0, out
    print(f"/metrics took {out} s in a flood of {dict(tally.outcomes)}")
    assert_told_the_truth(enid, subnet, tally, "RequestLimitExceeded", "Unavailable")


def test_ten_times_what_a_slow_disk_can_take(tmp_path: Path) -> None:
    """Every commit takes half a second."""
    with fuses.laid(tmp_path / "fuses") as lit, running_enid(quotas=_QUOTAS, calls_at_once=AT_ONCE) as enid:
        world, subnet = CrashWorld(enid), roomy(enid)
        request = flood.signed(enid, "CreateNetworkInterface", {"SubnetId": subnet})
        with undisturbed(world):
            for fuse in lit.values():
                fuse.slow(500)
            tally = flood.pour(enid, request, CONNECTIONS, SECONDS)
            acts.perform(Actor(world, 1).attach(world.one["InstanceId"]))
            for fuse in lit.values():
                fuse.slow(0)
        print(f"commits of 0.5 s: {dict(tally.outcomes)}, longest {tally.longest:.2f} s")
        assert tally.answers > 10 * tally.outcomes["200"] > 0, "less was asked than ten times what can be had"
        assert_told_the_truth(enid, subnet, tally, "RequestLimitExceeded", "Unavailable")


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="enid-test-"))
    directory.chmod(0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "none", directory], check=True)
    try:
        yield directory
    finally:
        supervisor.down(_settings_of(directory))
        subprocess.run(["umount", "-l", directory], check=True)
        shutil.rmtree(directory)


def _settings_of(directory: Path) -> Settings:
    return Settings(state_dir=directory / "state", run_dir=directory / "run")


def test_a_full_disk(tmp_path: Path) -> None:
    """Calls that change something are refused, those that read are not; with room again all goes on."""
    with small_disk(64) as disk:
        enid = Enid(disk, quotas=_QUOTAS)
        world = CrashWorld(enid)
        actor = Actor(world, 1)
        truth = Truth(enid.settings, tmp_path / "truth")
        with undisturbed(world):
            made, codes = set(), set()
            _fill(disk / "ballast")
            for _ in range(200):
                try:
                    made.add(enid_create(world))
                except ClientError as error:
                    codes.add(error.response["Error"]["Code"])
            assert acts.interface(enid.ec2, actor.eni), "what only reads is answered"
            (disk / "ballast").unlink()
            there = until("calls are carried out again", lambda: _tried(actor), HANG)
            assert there == acts.DONE
        until("the agent is back", lambda: not truth.unsettled() and not truth.complaints(), HANG)
        truth.close()
        print(f"{len(made)} acknowledged, then {codes}")
        assert codes == {"Unavailable"}
        found = interfaces(enid, world.subnet)
        assert made <= found
        assert len(found) == len(made) + 4  # two instances', the actor's and the NAT gateway's


def _tried(actor: Actor) -> str:
    outcome, _ = acts.perform(actor.describe())
    return outcome if outcome == acts.DONE else ""


def enid_create(world: CrashWorld) -> str:
    client = world.client()
    return str(client.create_network_interface(SubnetId=world.subnet)["NetworkInterface"]["NetworkInterfaceId"])


def _fill(path: Path) -> None:
    """Until nothing fits any more."""
    with path.open("wb", buffering=0) as file:
        size = 1 << 20
        while size >= 1:
            try:
                if file.write(b"x" * size) < size:
                    size //= 2
            except OSError:
                size //= 2


def test_an_agent_that_stands_still(enid: Enid, tmp_path: Path) -> None:
    """Calls are acknowledged and say that they are on their way; when it goes on they are carried out."""
    world = CrashWorld(enid)
    actors = [Actor(world, number) for number in (1, 2, 3)]
    agent = enid.pid("agent")
    truth = Truth(enid.settings, tmp_path / "truth")
    with undisturbed(world):
        os.kill(agent, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            for actor in actors:
                outcome, now = acts.perform(actor.attach(world.one["InstanceId"]))
                assert (outcome, now["holder"][0]) == (acts.DONE, world.one["InstanceId"])
                acts.perform(actor.assign(now))
            assert time.monotonic() - begun < HANG
            assert len(truth.unsettled()) == len(actors)
        finally:
            os.kill(agent, signal.SIGCONT)
        until("all is carried out", lambda: not truth.unsettled() and not truth.complaints(), HANG)
    assert enid.pid("agent") == agent
    truth.close()
