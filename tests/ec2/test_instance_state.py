"""Start, stop, reboot, terminate: which state leads where, and what AWS says otherwise."""

from __future__ import annotations

import pytest
from machines import Machines
from sqlalchemy import update

from accounts import Account
from enid.store import tables as t

STATES = ("pending", "running", "stopping", "stopped", "shutting-down", "terminated")


@pytest.fixture
def machines(call: Account) -> Machines:
    return Machines(call)


def _put_into(machines: Machines, state: str, boot: int = 2) -> str:
    id_ = machines.running()
    machines.call.put(update(t.instances).where(t.instances.c.id == id_).values(state=state, boot=boot))
    return id_


START = "The instance '{}' is not in a state from which it can be started."
STOP = "This instance '{}' is not in a state from which it can be stopped."
REBOOT = "The instance '{}' is not in a state from which it can be rebooted."


@pytest.mark.parametrize(
    ("action", "member", "becomes", "refusal"),
    [
        ("StartInstances", "StartingInstances", {"stopped": "pending", "pending": "", "running": ""}, START),
        (
            "StopInstances",
            "StoppingInstances",
            {"pending": "stopping", "running": "stopping", "stopping": "", "stopped": ""},
            STOP,
        ),
        (
            "TerminateInstances",
            "TerminatingInstances",
            dict.fromkeys(("pending", "running", "stopping", "stopped"), "shutting-down")
            | {"shutting-down": "", "terminated": ""},
            "",
        ),
    ],
    ids=["start", "stop", "terminate"],
)
@pytest.mark.parametrize("state", STATES)
def test_transitions(
    machines: Machines, action: str, member: str, becomes: dict[str, str], refusal: str, state: str
) -> None:
    """A state leads to the one named, stays (empty), or is refused (not listed)."""
    id_ = _put_into(machines, state)
    if state not in becomes:
        error = machines.call.refused(action, InstanceIds=[id_])
        assert (error.code, error.message) == ("IncorrectInstanceState", refusal.format(id_))
        return
    (change,) = machines.call(action, InstanceIds=[id_])[member]
    told = ("instance", id_) in machines.call.changed
    expected = becomes[state] or state
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == (state, expected)
    assert machines.state(id_) == expected
    assert told is bool(becomes[state])


@pytest.mark.parametrize("state", STATES)
def test_reboot_is_a_new_boot_of_a_running_instance(machines: Machines, state: str) -> None:
    id_ = _put_into(machines, state)
    if state in ("pending", "running"):
        machines.call("RebootInstances", InstanceIds=[id_])
        assert (machines.row(id_).boot, machines.row(id_).state) == (3, state)
        assert ("instance", id_) in machines.call.changed
    else:
        error = machines.call.refused("RebootInstances", InstanceIds=[id_])
        assert (error.code, error.message) == ("IncorrectInstanceState", REBOOT.format(id_))


def test_an_instance_that_never_ran_cannot_be_stopped(machines: Machines) -> None:
    id_ = machines.launch()["InstanceId"]
    error = machines.call.refused("StopInstances", InstanceIds=[id_])
    assert (error.code, error.message) == (
        "IncorrectInstanceState",
        f"Instance '{id_}' cannot be stopped as it has never reached the 'running' state.",
    )


def test_start_is_a_new_boot_with_a_new_launch_time_and_no_reason(machines: Machines) -> None:
    id_ = machines.stopped()
    before = machines.row(id_)
    assert machines.shown(id_)["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert machines.shown(id_)["StateTransitionReason"].startswith("User initiated (20")
    machines.call("StartInstances", InstanceIds=[id_])
    after = machines.row(id_)
    assert after.boot == before.boot + 1
    assert after.launch_time > before.launch_time
    assert after.health == "initializing"
    machines.agent()
    shown = machines.shown(id_)
    assert shown["State"]["Name"] == "running"
    assert "StateReason" not in shown


def test_addresses_and_interfaces_stay_over_stop_and_start(machines: Machines) -> None:
    before = machines.shown(machines.running())
    machines.call("StopInstances", InstanceIds=[before["InstanceId"]])
    machines.agent()
    machines.call("StartInstances", InstanceIds=[before["InstanceId"]])
    machines.agent()
    after = machines.shown(before["InstanceId"])
    assert after["NetworkInterfaces"] == before["NetworkInterfaces"]


@pytest.mark.parametrize("action", ["StartInstances", "StopInstances", "TerminateInstances", "RebootInstances"])
def test_one_that_does_not_exist_spoils_the_call(machines: Machines, action: str) -> None:
    id_ = machines.stopped() if action == "StartInstances" else machines.running()
    error = machines.call.refused(action, InstanceIds=[id_, "i-0123456789abcdef0"])
    assert (error.code, error.message) == (
        "InvalidInstanceID.NotFound",
        "The instance ID 'i-0123456789abcdef0' does not exist",
    )


def test_the_answer_is_in_the_request_s_order(machines: Machines) -> None:
    ids = [one["InstanceId"] for one in machines.launch_many(MaxCount=5)]
    machines.agent()
    answer = machines.call("StopInstances", InstanceIds=ids)["StoppingInstances"]
    assert [one["InstanceId"] for one in answer] == ids


def test_one_in_the_wrong_state_spoils_the_call(machines: Machines) -> None:
    running, gone = machines.running(), _put_into(machines, "terminated")
    assert machines.call.refused("StopInstances", InstanceIds=[running, gone]).code == "IncorrectInstanceState"


def test_the_number_of_statements_does_not_depend_on_the_number_of_instances(machines: Machines) -> None:
    ids = [one["InstanceId"] for one in machines.launch_many(MaxCount=12)]
    machines.agent()
    counted = set()
    for some in (ids[:1], ids[1:]):
        machines.call("StopInstances", InstanceIds=some)
        counted.add(machines.call.statements)
    assert len(counted) == 1
    machines.agent()
    for some in (ids[:1], ids[1:]):
        machines.call("StartInstances", InstanceIds=some)
        counted.add(machines.call.statements)
    assert max(counted) <= 4


# --- protection -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "what", "attribute"),
    [
        ("TerminateInstances", "terminated", "disableApiTermination"),
        ("TerminateInstances", "terminated", "disableApiStop"),
        ("StopInstances", "stopped", "disableApiStop"),
    ],
)
def test_protection(machines: Machines, action: str, what: str, attribute: str) -> None:
    member = attribute[0].upper() + attribute[1:]
    id_, other = machines.running(**{member: True}), machines.running()
    error = machines.call.refused(action, InstanceIds=[other, id_])
    assert (error.code, error.message) == (
        "OperationNotPermitted",
        f"The instance '{id_}' may not be {what}. Modify its '{attribute}' instance attribute and try again.",
    )
    machines.call("ModifyInstanceAttribute", InstanceId=id_, **{member: {"Value": False}})
    machines.call(action, InstanceIds=[other, id_])


# --- public addresses -------------------------------------------------------------------------------------------------


def test_a_stopped_instance_gives_its_public_address_back_and_gets_another_when_started(machines: Machines) -> None:
    machines.change_subnet(map_public_ip_on_launch=True)
    id_ = machines.stopped()
    assert "PublicIpAddress" not in machines.shown(id_)
    machines.call("StartInstances", InstanceIds=[id_])
    assert "PublicIpAddress" in machines.shown(id_)


def test_no_new_public_address_with_a_second_interface(machines: Machines) -> None:
    machines.change_subnet(map_public_ip_on_launch=True)
    id_ = machines.stopped()
    machines.network.attach(machines.network.interface(), id_)
    machines.call("StartInstances", InstanceIds=[id_])
    assert "PublicIpAddress" not in machines.shown(id_)


@pytest.mark.parametrize("secondary", [False, True])
def test_no_new_public_address_beside_an_elastic_ip(machines: Machines, secondary: bool) -> None:
    machines.change_subnet(map_public_ip_on_launch=True)
    id_ = machines.stopped()
    interface = machines.shown(id_)["NetworkInterfaces"][0]
    address = interface["PrivateIpAddress"]
    if secondary:
        address = "10.0.1.200"
        machines.call(
            "AssignPrivateIpAddresses",
            NetworkInterfaceId=interface["NetworkInterfaceId"],
            PrivateIpAddresses=[address],
        )
    machines.call(
        "AssociateAddress",
        AllocationId=machines.network.elastic_ip(),
        NetworkInterfaceId=interface["NetworkInterfaceId"],
        PrivateIpAddress=address,
    )
    machines.call("StartInstances", InstanceIds=[id_])
    assert ("PublicIpAddress" in machines.shown(id_)) is not secondary
    held = machines.shown(id_)["NetworkInterfaces"][0]["PrivateIpAddresses"]
    assert sum("Association" in one for one in held) == 1


# --- the end ----------------------------------------------------------------------------------------------------------


def test_a_terminated_instance_stays_in_sight_without_its_network(machines: Machines) -> None:
    id_ = machines.running()
    machines.call("TerminateInstances", InstanceIds=[id_])
    machines.agent()
    shown = machines.shown(id_)
    assert shown["State"] == {"Code": 48, "Name": "terminated"}
    assert shown["StateReason"]["Message"] == "Client.UserInitiatedShutdown: User initiated shutdown"
    assert shown["NetworkInterfaces"] == []
    assert not {"VpcId", "SubnetId", "PrivateIpAddress"} & set(shown)


def test_hibernation_is_refused(machines: Machines) -> None:
    assert machines.call.refused("StopInstances", InstanceIds=[machines.running()], Hibernate=True).code == (
        "UnsupportedOperation"
    )


@pytest.mark.parametrize(("action", "state"), [("MonitorInstances", "enabled"), ("UnmonitorInstances", "disabled")])
def test_monitoring(machines: Machines, action: str, state: str) -> None:
    id_ = machines.running(Monitoring={"Enabled": state == "disabled"})
    (answer,) = machines.call(action, InstanceIds=[id_])["InstanceMonitorings"]
    assert answer == {"InstanceId": id_, "Monitoring": {"State": state}}
    assert machines.shown(id_)["Monitoring"] == {"State": state}
    assert machines.call.refused(action, InstanceIds=[id_], MetricCategoryIds=["x"]).code == "UnsupportedOperation"
