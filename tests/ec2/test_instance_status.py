"""DescribeInstanceStatus and GetConsoleOutput: what the machine itself says."""

from __future__ import annotations

import os
from base64 import b64decode
from typing import Any

import pytest
from machines import Machines
from test_instance_types import documented_filters

from accounts import Account


@pytest.fixture
def machines(call: Account) -> Machines:
    return Machines(call)


def _status(machines: Machines, **request: Any) -> list[dict[str, Any]]:
    return list(machines.call("DescribeInstanceStatus", **request)["InstanceStatuses"])


def _ids(machines: Machines, **request: Any) -> list[str]:
    return [one["InstanceId"] for one in _status(machines, **request)]


def test_a_healthy_instance_passes_both_checks(machines: Machines) -> None:
    id_ = machines.running()
    (status,) = _status(machines)
    assert (status["InstanceId"], status["InstanceState"]) == (id_, {"Code": 16, "Name": "running"})
    passed = {"Status": "ok", "Details": [{"Name": "reachability", "Status": "passed"}]}
    assert (status["InstanceStatus"], status["SystemStatus"]) == (passed, passed)
    assert status["AvailabilityZone"] == "us-east-1a"


def test_a_crashed_instance_is_impaired_while_its_interfaces_stay_in_use(machines: Machines) -> None:
    id_ = machines.running()
    machines.crash(id_)
    (status,) = _status(machines)
    failed = {"Status": "impaired", "Details": [{"Name": "reachability", "Status": "failed"}]}
    assert (status["InstanceStatus"], status["SystemStatus"]) == (failed, failed)
    assert machines.state(id_) == "running"
    assert machines.shown(id_)["NetworkInterfaces"][0]["Status"] == "in-use"


def test_only_running_instances_unless_all_are_asked_for(machines: Machines) -> None:
    running, stopped = machines.running(), machines.stopped()
    pending = machines.launch()["InstanceId"]
    assert _ids(machines) == [running]
    assert set(_ids(machines, IncludeAllInstances=True)) == {running, stopped, pending}
    (status,) = _status(machines, IncludeAllInstances=True, InstanceIds=[stopped])
    assert status["InstanceStatus"] == {"Status": "not-applicable"}


@pytest.mark.parametrize("check", ["instance", "system"])
def test_filters_on_the_checks(machines: Machines, check: str) -> None:
    well, ill = machines.running(), machines.running()
    machines.crash(ill)
    for name, value, found in (
        ("status", "ok", [well]),
        ("status", "impaired", [ill]),
        ("reachability", "passed", [well]),
        ("reachability", "failed", [ill]),
    ):
        assert _ids(machines, Filters=[{"Name": f"{check}-status.{name}", "Values": [value]}]) == found


def test_every_documented_filter_is_known(machines: Machines) -> None:
    names = documented_filters("DescribeInstanceStatus")
    assert len(names) > 15
    for name in names:
        _status(machines, Filters=[{"Name": name, "Values": ["none-such"]}])


# --- the console ------------------------------------------------------------------------------------------------------


def _log(machines: Machines, id_: str, text: bytes) -> None:
    directory = machines.call.settings.instances_dir / id_
    directory.mkdir(parents=True)
    (directory / "console.log").write_bytes(text)
    os.utime(directory / "console.log", (1_750_000_000, 1_750_000_000))


def test_the_console_s_output_and_when_it_was_written(machines: Machines) -> None:
    id_ = machines.running()
    _log(machines, id_, b"hello\n")
    answer = machines.call("GetConsoleOutput", InstanceId=id_)
    assert b64decode(answer["Output"]) == b"hello\n"
    assert answer["Timestamp"] == "2025-06-15T15:06:40.000Z"


def test_only_the_last_64_kib(machines: Machines) -> None:
    id_ = machines.running()
    _log(machines, id_, b"x" + b"y" * 65536)
    assert b64decode(machines.call("GetConsoleOutput", InstanceId=id_)["Output"]) == b"y" * 65536


def test_nothing_written_yet(machines: Machines) -> None:
    id_ = machines.launch()["InstanceId"]
    answer = machines.call("GetConsoleOutput", InstanceId=id_)
    assert "Output" not in answer
    assert answer["InstanceId"] == id_


def test_another_account_s_console(machines: Machines, second_account: Account) -> None:
    id_ = machines.running()
    _log(machines, id_, b"secret\n")
    assert second_account.refused("GetConsoleOutput", InstanceId=id_).code == "InvalidInstanceID.NotFound"
