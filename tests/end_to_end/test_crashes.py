"""``kill -9`` of any process at any time: nothing acknowledged is lost, running flows do not notice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from flow import Flow

from enid import supervisor
from whole_enid import until

pytestmark = [pytest.mark.root, pytest.mark.timeout(120)]


def restarted(enid: Any, role: str) -> None:
    before = enid.kill(role)
    until(f"the {role} is started again", lambda: enid.pid(role) != before)


def attach(enid: Any, subnet: str, instance: str, index: int) -> str:
    eni = enid.ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    enid.ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=instance, DeviceIndex=index)
    return str(eni)


def attachment(enid: Any, eni: str) -> str:
    found = enid.ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]
    return str(found.get("Attachment", {}).get("Status"))


def test_a_killed_agent_converges_and_a_running_flow_loses_nothing(enid: Any) -> None:
    subnet = enid.subnet()
    one, two = enid.launch(subnet, 2)
    with Flow(enid, one["InstanceId"], two["InstanceId"], two["PrivateIpAddress"]) as flow:
        restarted(enid, "agent")
        eni = attach(enid, subnet, one["InstanceId"], 1)
        until("the interface is attached", lambda: attachment(enid, eni) == "attached")
    assert flow.sent > 100
    assert flow.lost == []
    assert "eth1" in enid.run(one["InstanceId"], "ip", "link")


def test_a_killed_api_loses_no_acknowledged_call(enid: Any) -> None:
    subnet = enid.subnet()
    one, two = enid.launch(subnet, 2)
    with Flow(enid, one["InstanceId"], two["InstanceId"], two["PrivateIpAddress"]) as flow:
        made = []
        for _ in range(3):
            made.append(enid.ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"])
            restarted(enid, "api")
        found = enid.ec2.describe_network_interfaces(NetworkInterfaceIds=made)["NetworkInterfaces"]
    assert {item["NetworkInterfaceId"] for item in found} == set(made)
    assert flow.lost == []


@pytest.mark.parametrize("roles", [("supervisor",), ("supervisor", "api", "agent")])
def test_a_killed_supervisor_leaves_the_network_standing_and_down_finds_everything(
    enid: Any, roles: tuple[str, ...]
) -> None:
    subnet = enid.subnet()
    one, two = enid.launch(subnet, 2)
    with Flow(enid, one["InstanceId"], two["InstanceId"], two["PrivateIpAddress"]) as flow:
        for role in roles:
            enid.kill(role)
    assert flow.lost == []
    enid.down()
    assert_nothing_is_left(enid)


def test_down_leaves_nothing_and_up_brings_the_instances_back(enid: Any) -> None:
    subnet = enid.subnet()
    (one,) = enid.launch(subnet)
    enid.run(one["InstanceId"], "sh", "-c", "echo kept > /root/note")
    enid.down()
    assert_nothing_is_left(enid)
    enid.up()
    until("the instance runs again", lambda: enid.states([one["InstanceId"]]) == ["running"])
    until("its sandbox is there", lambda: enid.is_up(one["InstanceId"]))
    assert enid.run(one["InstanceId"], "cat", "/root/note") == "kept\n"


def assert_nothing_is_left(enid: Any) -> None:
    run_dir = str(enid.settings.run_dir)
    assert supervisor.control.running(enid.settings) is None
    assert not Path(run_dir).exists()
    assert run_dir not in Path("/proc/self/mounts").read_text()
    state_dir = str(enid.settings.state_dir).encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        assert process.name == str(os.getpid()) or state_dir not in environment, f"{process} is still there"
